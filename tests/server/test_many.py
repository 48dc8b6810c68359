"""A flow with more than a thousand task runs makes one frame, and says how many it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from new_servers import Servers
from sql_reference import matching_ids

from prefect_nbviz import (
    Connection,
    TaskRunQuery,
    read_state_type_counts,
    read_states,
    read_task_runs,
    state_intervals,
)
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.errors import IncompleteWarning

pytestmark = pytest.mark.server

TASKS = 1_050
FLOW = f"""
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

@task(log_prints=False)
def number(n: int) -> int:
    return n

@flow(name="many", task_runner=ThreadPoolTaskRunner(max_workers=8))
def many() -> None:
    number.map(range({TASKS})).wait()

many()
"""


@pytest.fixture(scope="module")
def server(new_server: Servers) -> Iterator[PrivateServer]:
    with new_server() as server:
        child = server.run("-c", FLOW, log=server.home / "many.log")
        _until(lambda: child.exit_code is not None)
        assert child.exit_code == 0, child.last_words()
        finished = TaskRunQuery(state_type="COMPLETED")  # the server records task runs in the background
        connection = Connection(server.api_url)
        _until(lambda: read_state_type_counts(finished, connection=connection)["COMPLETED"] == TASKS)
        yield server


def _until(done: Callable[[], bool]) -> None:
    for _ in range(480):
        if done():
            return
        time.sleep(0.5)
    raise AssertionError("it takes too long")


def test_a_thousand_task_runs_make_one_frame(server: PrivateServer) -> None:
    connection = Connection(server.api_url)
    frame = read_task_runs(flow="many", limit=None, connection=connection, progress=False)
    attrs = frame.attrs["prefect_nbviz"]
    assert (attrs["matched"], attrs["read"], attrs["truncated"]) == (TASKS, TASKS, False)
    as_of = datetime.fromisoformat(attrs["as_of"])
    assert frame["task_run_id"].tolist() == matching_ids(server.database, "task_run", attrs["query"], as_of)

    with pytest.warns(IncompleteWarning, match="Read the first 1,000 of 1,050 task runs"):
        frame = read_task_runs(connection=connection, progress=False)
    attrs = frame.attrs["prefect_nbviz"]
    assert (attrs["matched"], attrs["read"], attrs["truncated"]) == (TASKS, 1_000, True)


def test_their_histories_become_intervals(server: PrivateServer) -> None:
    connection = Connection(server.api_url)
    runs = read_task_runs(limit=None, connection=connection, progress=False)
    spans = state_intervals(read_states(runs, connection=connection, progress=False))
    assert spans["run_id"].nunique() == TASKS
    total = spans.groupby("run_id")["duration"].sum()
    ends = runs.set_index("task_run_id")
    assert (total == (ends["end_time"] - ends["expected_start_time"]).reindex(total.index)).all()
