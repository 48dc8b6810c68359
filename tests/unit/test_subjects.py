"""The runs that a call is about, whatever they were handed in as."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from fake_server import FakeServer, task_run
from prefect.futures import PrefectFlowRunFuture

from prefect_nbviz import read_states, read_task_runs, state_intervals
from prefect_nbviz.errors import FrameError
from prefect_nbviz.reading.subjects import run_ids, subjects

PARENT = "0000000a-0000-4000-8000-000000000000"


@pytest.fixture
def server() -> FakeServer:
    state = {"name": "Running", "timestamp": "2026-01-01T00:00:00Z", "message": None}
    runs = [task_run(n, flow_run_id=PARENT) for n in range(2)]
    server = FakeServer(runs)
    server.histories = {run["id"]: [state | {"type": "RUNNING"}] for run in runs}
    return server


def test_states_of_states_are_those_of_the_same_runs(server: FakeServer) -> None:
    tasks = read_task_runs(connection=server.connection, progress=False)
    states = read_states(tasks, connection=server.connection, progress=False)
    assert states["run_kind"].tolist() == ["task_run"] * 2
    for handed_in in (states, state_intervals(states), states.head(2)[["run_id", "run_kind", "run_name"]]):
        again = read_states(handed_in, connection=server.connection, progress=False)
        by_run = {"by": "run_id", "ignore_index": True}
        columns = [name for name in states if name in handed_in]
        pd.testing.assert_frame_equal(again[columns].sort_values(**by_run), states[columns].sort_values(**by_run))


def test_a_row_of_states_is_of_its_run(server: FakeServer) -> None:
    states = read_states([run["id"] for run in server.rows], connection=server.connection, progress=False)
    for row in (states.iloc[0], state_intervals(states).iloc[0], next(states.itertuples())):
        again = read_states(row, connection=server.connection, progress=False)
        pd.testing.assert_frame_equal(again, states[states["run_id"] == row.run_id].reset_index(drop=True))


@pytest.mark.parametrize("wrong", [None, float("nan"), "run-7", 7])
@pytest.mark.parametrize("columns", [["task_run_id"], ["flow_run_id"], ["run_id", "run_kind"]], ids=repr)
def test_a_row_of_no_run_is_said(wrong: Any, columns: list[str]) -> None:
    ids = pd.Series([PARENT, wrong], dtype="object")
    frame = pd.DataFrame({name: "task_run" if name == "run_kind" else ids for name in columns})
    with pytest.raises(
        FrameError, match=r"^A row of the frame is of no run \(its '\w+_id' is .*\): leave such rows out"
    ):
        subjects(frame)


def test_a_kind_that_is_none_is_said() -> None:
    with pytest.raises(FrameError, match=r"^A row of the frame is of no run"):
        subjects(pd.DataFrame({"run_id": [PARENT], "run_kind": [None]}))


def test_the_future_of_a_flow_run_is_of_that_run() -> None:
    future: PrefectFlowRunFuture[Any] = PrefectFlowRunFuture(UUID(PARENT))
    assert run_ids(future) == run_ids([future]) == [PARENT]
