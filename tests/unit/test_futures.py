"""The states of submitted tasks when the server breaks off, tasks vanish, or are none."""

from __future__ import annotations

from uuid import UUID

import httpx
import pytest
from fake_server import FakeServer, flow_run, task_run
from prefect.futures import PrefectFlowRunFuture

from prefect_nbviz import read_futures
from prefect_nbviz.errors import FrameError, IncompleteWarning, RefusedError

STATES = ["task_run_id", "state_type", "is_known"]
REFUSED = httpx.Response(400, json={"detail": "no more"})


def running(number: int) -> dict:
    when = f"2026-01-01T00:00:{number:02d}Z"
    return task_run(number, state_type="RUNNING", state_name="Running", expected_start_time=when, end_time=None)


def pages(server: FakeServer) -> int:
    return sum(path.endswith("/task_runs/filter") for _, path, _ in server.requests)


def test_what_could_not_be_read_is_not_called_unknown() -> None:
    server = FakeServer([running(n) for n in range(30)], page_limit=10)
    server.before_answer = lambda _: REFUSED if pages(server) > 3 else None
    ids = [row["id"] for row in server.rows]
    with pytest.warns(IncompleteWarning, match=r"^(\d+) of 30 tasks could not be read: .* broke off .*no more"):
        frame = read_futures(ids, connection=server.connection, progress=False)
    attrs = frame.attrs["prefect_nbviz"]
    assert frame["task_run_id"].tolist() == ids
    assert 0 < attrs["read"] == frame["is_known"].sum() < attrs["matched"] == 30
    assert attrs["truncated"]
    assert frame.loc[frame["is_known"].isna(), "state_type"].isna().all()
    assert not frame["is_known"].eq(other=False).any()


def test_a_task_that_is_not_known_yet_is_waited_for() -> None:
    server = FakeServer([task_run(0)])
    late = task_run(1)

    def come(_: int) -> None:
        if pages(server) == 3 and late not in server.rows:
            server.rows.append(late)

    server.before_answer = come
    ids = [task_run(0)["id"], late["id"]]
    at_once = read_futures(ids, connection=server.connection, progress=False)
    assert at_once[STATES].to_dict("list") == {
        "task_run_id": ids,
        "state_type": ["COMPLETED", "PENDING"],
        "is_known": [True, False],
    }
    assert not at_once.attrs["prefect_nbviz"]["truncated"]
    done = read_futures(ids, wait=True, connection=server.connection, progress=False)
    assert done["state_name"].tolist() == ["Completed"] * 2
    assert done["is_known"].all()


def test_a_task_that_was_deleted_is_not_waited_for() -> None:
    server = FakeServer([task_run(0), running(1)])

    def go(_: int) -> None:
        if pages(server) == 2:
            server.rows = server.rows[:1]

    server.before_answer = go
    ids = [row["id"] for row in server.rows]
    with pytest.warns(IncompleteWarning, match=r"^The server no longer knows 1 tasks \(deleted\?\): their rows are as"):
        frame = read_futures(ids, wait=True, connection=server.connection, progress=False)
    assert frame["state_type"].tolist() == ["COMPLETED", "RUNNING"]
    assert frame["is_known"].tolist() == [True, False]


def test_what_was_seen_outlives_a_failure_while_waiting() -> None:
    server = FakeServer([running(0)])
    server.before_answer = lambda _: REFUSED if pages(server) > 1 else None
    ids = [server.rows[0]["id"], task_run(1)["id"]]
    with pytest.warns(
        IncompleteWarning, match=r"^The wait broke off, and the states are those of the last look.*no more"
    ):
        frame = read_futures(ids, wait=True, connection=server.connection, progress=False)
    assert frame["state_type"].tolist() == ["RUNNING", "PENDING"]
    assert frame["is_known"].tolist() == [True, False]
    assert frame.attrs["prefect_nbviz"]["truncated"]


def test_a_failure_at_once_is_raised() -> None:
    server = FakeServer([running(0)])
    server.before_answer = lambda _: REFUSED
    with pytest.raises(RefusedError, match="no more"):
        read_futures(server.rows[0]["id"], connection=server.connection)


@pytest.mark.parametrize("wait", [False, True])
def test_a_flow_run_is_refused(*, wait: bool) -> None:
    server = FakeServer([task_run(0)])
    server.flow_runs = [flow_run(1)]
    run_id = server.flow_runs[0]["id"]
    for futures in (PrefectFlowRunFuture(UUID(run_id)), [server.rows[0]["id"], run_id]):
        with pytest.raises(FrameError, match=rf"^{run_id} is a flow run, and these are the states of tasks: read it"):
            read_futures(futures, wait=wait, connection=server.connection)
