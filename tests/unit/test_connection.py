"""What a server can do to us, in one sentence each; and no secret in any of them."""

from __future__ import annotations

import traceback

import httpx
import pandas as pd
import pytest
from fake_server import FakeServer, task_run
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_nbviz import Connection, check, read_flow_runs, read_states, read_task_runs
from prefect_nbviz.errors import (
    AuthenticationError,
    FrameError,
    IncompleteWarning,
    NotConnectedError,
    QueryError,
    RefusedError,
    ServerError,
    UnreachableError,
)

KEY = "pnu_thisisasecretkey"


@pytest.fixture
def thousand() -> FakeServer:
    return FakeServer([task_run(n, expected_start_time=f"2026-01-01T00:00:00.{n:06d}Z") for n in range(1000)])


def test_no_api_url_starts_no_server_and_names_two_ways_on() -> None:
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(NotConnectedError, match=r"PREFECT_API_URL=.* or `prefect cloud login`"),
    ):
        read_flow_runs()


def test_a_server_that_is_down(dead_address: str) -> None:
    with pytest.raises(UnreachableError, match=r"Nothing answers at http://127.0.0.1:\d+/api: start that server"):
        read_task_runs(connection=Connection(dead_address))


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key(thousand: FakeServer, status: int) -> None:
    thousand.before_answer = lambda _: httpx.Response(status, json={"detail": "Unauthorized"})
    connection = Connection("http://fake.invalid/api", api_key=KEY, transport=thousand)
    with pytest.raises(AuthenticationError, match=r"refused the key \(40[13]\): run `prefect cloud login`") as caught:
        read_task_runs(connection=connection)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in repr(connection)


def test_a_password_in_the_address_is_shown_nowhere(dead_address: str) -> None:
    connection = Connection(dead_address.replace("http://", "http://me:hunter2@"))
    with pytest.raises(UnreachableError) as caught:
        read_task_runs(connection=connection)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in repr(connection)


@pytest.mark.parametrize("secret", ["?key=hunter2", "#hunter2"])
@pytest.mark.parametrize("status", [None, 401, 404, 500])
def test_a_key_in_the_address_is_shown_nowhere(
    thousand: FakeServer, dead_address: str, secret: str, status: int | None
) -> None:
    thousand.before_answer = lambda _: httpx.Response(status or 200, json={"detail": "no"})
    transport = {} if status is None else {"transport": thousand}
    connection = Connection(f"{dead_address}{secret}", **transport)
    with pytest.raises(ServerError) as caught:
        read_task_runs(connection=connection)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in repr(connection)


def test_the_cause_of_a_failure_stays_where_no_secret_is_in_the_address(dead_address: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        read_task_runs(connection=Connection(dead_address))
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


@pytest.mark.parametrize("url", ["", " "])
def test_an_empty_address_is_none(url: str) -> None:
    with pytest.raises(NotConnectedError, match="No Prefect API URL is set"):
        read_task_runs(connection=Connection(url))
    assert check(connection=Connection(url)).set_index("check").loc["clocks", "found"] == (
        "not checked: no API URL is set"
    )


@pytest.mark.parametrize("read", [read_flow_runs, read_task_runs, check])
def test_what_is_no_connection_gets_a_sentence(read) -> None:
    with pytest.raises(QueryError, match=r'a Connection, as in connection=Connection\("http://.*"\), not str\.$'):
        read(connection="http://me:hunter2@fake.invalid/api")
    with pytest.raises(QueryError, match=r'takes an address as text, as in Connection\("http://.*"\), not int\.$'):
        Connection(5)


def test_an_address_in_the_frame_has_no_password(thousand: FakeServer) -> None:
    frame = read_task_runs(connection=Connection("http://me:hunter2@fake.invalid/api", transport=thousand))
    assert frame.attrs["prefect_nbviz"]["server"] == "http://fake.invalid/api"
    assert "hunter2" not in str(frame.attrs)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(404, json={"detail": "Not Found"}), r"usually ends in /api"),
        (httpx.Response(200, text="<html>a page</html>"), r"did not answer with JSON.*usually ends in /api"),
        (httpx.Response(500, json={"exception_message": "Internal Server Error"}), r"refused the request \(500\)"),
        (httpx.Response(422, json={"detail": "extra_forbidden"}), r"\(422\): extra_forbidden"),
    ],
)
def test_other_refusals(thousand: FakeServer, answer: httpx.Response, says: str) -> None:
    thousand.before_answer = lambda _: answer
    with pytest.raises(RefusedError, match=says):
        read_task_runs(connection=thousand.connection)


def test_what_was_read_before_a_failure_is_kept(thousand: FakeServer) -> None:
    thousand.before_answer = lambda number: httpx.Response(500, json={}) if number > 4 else None
    with pytest.warns(IncompleteWarning, match=r"broke off after \d+ rows, which are kept"):
        frame = read_task_runs(connection=thousand.connection, limit=None, progress=False)
    attrs = frame.attrs["prefect_nbviz"]
    assert 0 < len(frame) == attrs["read"] < 1000 == attrs["matched"]
    assert attrs["truncated"]
    assert "broke off" in attrs["reason"]


def test_rows_are_kept_where_their_names_cannot_be_read() -> None:
    parent = "00000000-0000-4000-8000-00000000000a"
    server = FakeServer([task_run(n, flow_run_id=parent) for n in range(3)])
    server.refuses = "/flow_runs/filter"
    with pytest.warns(IncompleteWarning, match=r"^The names of flows, deployments and flow runs are missing\. .*500"):
        frame = read_task_runs(connection=server.connection, progress=False)
    assert len(frame) == 3
    assert frame["flow_run_name"].isna().all()


def test_histories_read_before_a_failure_are_kept() -> None:
    runs = [task_run(n) for n in range(50)]
    server = FakeServer(runs)
    frame = read_task_runs(connection=server.connection, progress=False)
    asked = len(server.requests)
    state = {"type": "RUNNING", "name": "Running", "timestamp": "2026-01-01T00:00:00Z", "message": None}
    server.histories = {run["id"]: [state] for run in runs}
    server.before_answer = lambda number: httpx.Response(500, json={}) if number >= asked + 20 else None
    with pytest.warns(IncompleteWarning, match=r"broke off after 1\d of 50 histories"):
        states = read_states(frame, connection=server.connection, progress=False)
    assert len(states) == states.attrs["prefect_nbviz"]["runs_read"] < 50


def test_a_frame_without_ids() -> None:
    with pytest.raises(FrameError, match=r"lacks 'flow_run_id': pass one as read_task_runs\(\) or read_flow_runs\(\)"):
        read_states(pd.DataFrame({"a": [1]}))


def test_progress_is_told(thousand: FakeServer) -> None:
    seen: list[tuple[int, int | None]] = []
    read_task_runs(connection=thousand.connection, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1000, 1000)
    assert seen == sorted(seen, key=lambda pair: pair[0])


def test_an_interrupt_cancels_the_read_and_is_passed_on(thousand: FakeServer) -> None:
    def stop(done: int, _: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_task_runs(connection=thousand.connection, progress=stop)
