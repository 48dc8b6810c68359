"""The grid: each cell is what its task runs come to in a plain loop, and what is not there is no cell."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import BEGIN, MICRO, flow_runs, task_runs

from prefect_nbviz import frames, run_grid, schema, tables
from prefect_nbviz.analysis.grid import WORST_FIRST
from prefect_nbviz.errors import FrameError, QueryError
from prefect_nbviz.states import FAILURE_TYPES, STATE_NAMES, STATE_TYPES

FLOW_OF = {"f1": "etl", "f2": "etl", "f3": "ml", "f4": "etl"}
NAMES = ["Completed", "Cached", "Failed", "TimedOut", "Crashed", "Running", "Pending", "AwaitingRetry"]
ROW = st.fixed_dictionaries(
    {
        "flow_run_id": st.sampled_from([*FLOW_OF, None]),
        "task_key": st.sampled_from(["load-0a1b2c3d", "load-ffffffff", "read-0a1b2c3d", "plain"]),
        "state_name": st.sampled_from(NAMES),
        "start": st.none() | st.integers(0, 9_000_000),
        "length": st.none() | st.integers(0, 5_000_000),
        "run_count": st.integers(0, 3),
    }
)


def cells(rows: list[dict[str, Any]]) -> dict[tuple[str, str], list[tuple[int, dict[str, Any]]]]:
    found = defaultdict(list)
    for place, row in enumerate(rows):
        if row["flow_run_id"]:
            name = row["task_key"] if row["task_key"] == "plain" else row["task_key"][:4]
            found[row["flow_run_id"], name].append((place, row))
    return found


def made(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return task_runs([row | {"flow_name": FLOW_OF.get(row["flow_run_id"], "etl")} for row in rows])


@settings(max_examples=60)
@given(st.lists(ROW, max_size=25))
def test_a_cell_is_what_a_plain_loop_finds(rows: list[Any]) -> None:
    grid = run_grid(made(rows))
    assert [*grid.columns] == schema.names(tables.RUN_GRID)
    expected = cells(rows)
    assert {*zip(grid["flow_run_id"], grid["task"], strict=True)} == {*expected}
    for line in grid.to_dict("records"):
        held = expected[line["flow_run_id"], line["task"]]
        own = [row for _, row in held]
        types = [STATE_NAMES[row["state_name"]] for row in own]
        worst = min(types, key=WORST_FIRST.index)
        names = Counter(row["state_name"] for row, one in zip(own, types, strict=True) if one == worst)
        starts = [row["start"] for row in own if row["start"] is not None]
        is_open = any(row["length"] is None for row in own)
        ends = [(row["start"] or 0) + row["length"] for row in own if row["length"] is not None]
        assert (line["runs"], line["state_type"]) == (len(own), worst)
        assert line["state_name"] == min(names, key=lambda name: (-names[name], name))
        assert line["failed"] == sum(one in FAILURE_TYPES for one in types)
        assert line["attempts"] == max(row["run_count"] for row in own)
        assert line["start_time"] is pd.NaT if not starts else line["start_time"] == BEGIN + min(starts) * MICRO
        has_span = starts and not is_open
        assert (line["duration"] == (max(ends) - min(starts)) * MICRO) if has_span else line["duration"] is pd.NaT
        lengths = [row["length"] for row in own if row["start"] is not None and row["length"] is not None]
        summed = line["summed_duration"]
        assert summed == sum(lengths) * MICRO if lengths else summed is pd.NaT
        in_order = sorted(held, key=lambda one: one[1]["start"] or 0)
        assert line["task_run_ids"] == tuple(f"run-{place}" for place, _ in in_order)
        assert line["task_keys"] == tuple(sorted({row["task_key"] for row in own}))


@settings(max_examples=60)
@given(st.lists(ROW, max_size=25), st.integers(1, 3))
def test_the_last_runs_of_each_flow_in_order_of_time_and_tasks_in_their_usual_order(rows: list[Any], last: int) -> None:
    grid = run_grid(made(rows), last=last)
    began: dict[str, int] = {}
    for row in rows:
        if row["flow_run_id"]:
            began[row["flow_run_id"]] = min(began.get(row["flow_run_id"], 10**9), row["start"] or 0)
    of_flow = defaultdict(list)
    for run in sorted(began, key=lambda run: (began[run], run)):
        of_flow[FLOW_OF[run]].append(run)
    flows = sorted(of_flow, key=lambda flow: (-len(of_flow[flow]), flow))
    assert [*grid["flow_run_id"].drop_duplicates()] == [run for flow in flows for run in of_flow[flow][-last:]]
    older = {flow: len(runs) - last for flow, runs in of_flow.items() if len(runs) > last}
    assert grid.attrs[frames.ATTRS]["older"] == older
    assert grid.attrs[frames.ATTRS]["without_flow_run"] == sum(row["flow_run_id"] is None for row in rows)
    for flow in flows:
        block = grid[grid["flow_name"] == flow]
        first = block.groupby("flow_run_id")["start_time"].min()
        after = (block["start_time"] - block["flow_run_id"].map(first)).groupby(block["task"].astype("str"))
        lengths = {task: [one / MICRO for one in group.dropna()] for task, group in after}
        usual = {task: median(own) + 0.25 if own else float("inf") for task, own in lengths.items()}
        order = sorted(usual, key=lambda task: (int(usual[task] + 0.25) if usual[task] < 1e18 else 1e18, task))
        places = dict(zip(block["task"], block["task_place"], strict=True))
        assert places == {task: place for place, task in enumerate(order, 1)}
        assert (
            block.groupby("flow_run_id", sort=False)["task_place"].apply(lambda one: one.is_monotonic_increasing).all()
        )


def test_rows_of_flow_runs_give_their_own_state_and_those_without_tasks() -> None:
    runs = task_runs([{"flow_run_id": "f1"}, {"flow_run_id": "f2", "start": 60_000_000}], truncated=True)
    flows = flow_runs(
        [
            {"flow_run_id": "f1", "name": "calm", "start": -5_000_000, "length": 9_000_000, "state_name": "Crashed"},
            {"flow_run_id": "broken", "name": "no task", "start": 30_000_000, "state_name": "Failed"},
            {"flow_run_id": "to come", "start": None, "length": None, "state_name": "Scheduled"},
            {"flow_run_id": "another", "flow_name": "ml"},
        ]
    )
    grid = run_grid(runs, flows)
    assert grid["flow_run_id"].tolist() == ["f1", "broken", "f2"]
    assert grid["is_flow_run_known"].tolist() == [True, True, False]
    assert grid["flow_run_name"].tolist() == ["calm", "no task", "f2"]
    assert grid["flow_state_name"].astype(object).fillna("").tolist() == ["Crashed", "Failed", ""]
    assert (grid["flow_run_duration"] / pd.Timedelta("1s")).tolist() == [9, 1, 1]
    assert grid["runs"].tolist() == [1, 0, 1]
    assert grid["task"].isna().tolist() == [False, True, False]
    assert grid["task_place"].tolist() == [1, 0, 1]
    assert grid.attrs[frames.ATTRS]["truncated"]
    assert run_grid(runs, flows, last=1)["flow_run_id"].tolist() == ["f2"]


def test_an_empty_grid_has_every_column_and_what_cannot_be_is_said() -> None:
    empty = frames.empty(schema.TASK_RUNS)
    for flows in (None, frames.empty(schema.FLOW_RUNS)):
        assert run_grid(empty, flows).dtypes.equals(frames.empty(tables.RUN_GRID).dtypes)
    with pytest.raises(FrameError, match="lacks 'run_count'"):
        run_grid(empty.drop(columns="run_count"))
    with pytest.raises(QueryError, match="last cannot be 0"):
        run_grid(empty, last=0)
    assert {*WORST_FIRST} == {*STATE_TYPES}
