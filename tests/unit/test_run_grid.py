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

from prefect_nbviz import frames, plot_run_grid, run_grid, schema, tables
from prefect_nbviz.analysis.grid import WORST_FIRST
from prefect_nbviz.charts.grid import run_grid_picks
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


@settings(max_examples=30)
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


@settings(max_examples=30)
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


EVIL = "<img src=x onerror=alert(1)>%{x}$y$"


def day(runs: int, tasks: int, **more: Any) -> pd.DataFrame:
    rows = [
        {"flow_run_id": f"f{run}", "task_key": f"task_{task:03}-0a1b2c3d", "start": run * 60_000_000 + task, **more}
        for run in range(runs)
        for task in range(tasks)
    ]
    return task_runs(rows, matched=runs * tasks)


def test_every_cell_is_drawn_once_where_its_run_and_task_are() -> None:
    states = ["Completed", "Failed", "Running", "Cached"]
    rows = [
        {
            "flow_run_id": f"f{place // 4}",
            "task_key": f"t{place % 4}-0a1b2c3d",
            "start": place * 1_000_000,
            "length": None if states[place % 3] == "Running" else 1_000_000 * 4 ** (place % 5),
            "state_name": states[place % 3],
            "run_count": 1 + place % 2,
        }
        for place in range(20)
    ]
    grid = run_grid(task_runs(rows))
    for color in ("state_type", "duration"):
        figure, picks = plot_run_grid(grid, color=color), run_grid_picks(grid, color=color)
        cells = [trace for trace in figure.data if trace.orientation == "h"]
        assert len(figure.data) == len(picks.traces)
        at = {
            (round(base + 0.45), int(y)): (number, point)
            for number, trace in enumerate(figure.data)
            if trace in cells
            for point, (base, y) in enumerate(zip(trace.base, trace.y, strict=True))
        }
        assert len(at) == 20
        for (x, y), (number, point) in at.items():
            assert picks.runs({"points": [[number, point]]}) == (f"run-{4 * x + y}",)
            assert picks.marks([f"run-{4 * x + y}"])["points"][number] == [point]
            name = rows[4 * x + y]["state_name"]
            mark = figure.data[number].text[point]
            again = name == "Completed" and rows[4 * x + y]["run_count"] > 1
            plain = "↻" if again else ""
            assert mark in {{"Failed": "✕", "Running": "▸"}.get(name, plain), "▲", "▼"}
            assert color == "duration" or figure.data[number].name.endswith(name)
        bars = [number for number, trace in enumerate(figure.data) if trace.yaxis == "y2"]
        columns = [
            picks.runs({"points": [[number, point]]}) for number in bars for point in range(len(figure.data[number].x))
        ]
        assert sorted(run for column in columns for run in column) == sorted(f"run-{place}" for place in range(20))
        assert all(len(column) == 4 for column in columns)


def test_a_cell_is_as_long_as_its_task_usually_takes_or_not() -> None:
    lengths = [1_000_000, 1_000_000, 1_000_000, 490_000, 2_010_000, 700_000, 1_500_000]
    rows = [{"flow_run_id": f"f{n}", "start": n * 10**8, "length": length} for n, length in enumerate(lengths)]
    rows += [{"flow_run_id": "f8", "start": 9 * 10**8, "length": None, "state_name": "Running"}]
    figure = plot_run_grid(run_grid(task_runs(rows)), color="duration")
    found = {trace.name: [round(one + 0.45) for one in trace.base] for trace in figure.data if trace.orientation == "h"}
    assert [*found.values()] == [[3], [5], [0, 1, 2], [6], [4], [7]]
    assert "2 times its median" in figure.data[6].customdata[0]


def test_what_is_not_drawn_is_said() -> None:
    rows = [{"flow_run_id": f"f{run}", "start": run * 60_000_000} for run in range(60)]
    both = task_runs([*rows, {"flow_run_id": "x", "flow_name": "ml"}], matched=90, truncated=True)
    figure = plot_run_grid(run_grid(both))
    assert figure.layout.title.text == "etl · last 50 of 60 runs"
    assert figure.layout.title.subtitle.text == (
        "50 runs drawn, of 90 that match; cells may be missing; 1 more flow is not drawn; bars on top span the task runs"
    )
    assert plot_run_grid(run_grid(both), flow="ml").layout.title.text == "ml · 1 run"
    many = plot_run_grid(run_grid(day(3, 103)))
    assert "3 more tasks are not drawn" in many.layout.title.subtitle.text
    wide = plot_run_grid(run_grid(day(210, 1), last=300))
    assert wide.layout.title.text == "etl · last 200 of 210 runs"
    with pytest.raises(QueryError, match=r"flow cannot be 'elt'.* Did you mean 'etl'"):
        plot_run_grid(run_grid(both), flow="elt")
    with pytest.raises(QueryError, match=r"color cannot be 'state'"):
        plot_run_grid(run_grid(both), color="state")
    with pytest.raises(FrameError, match="as run_grid"):
        plot_run_grid(both)


@pytest.mark.parametrize("color", ["state_type", "duration"])
def test_the_largest_grid_weighs_less_than_a_megabyte_and_strangers_are_harmless(color: str) -> None:
    rows = day(50, 100, flow_name=EVIL, state_name="Completed", run_count=2)
    rows["task_key"] = [f"{EVIL * 5}{key}" for key in rows["task_key"].astype("str")]
    rows["flow_run_name"] = [f"{EVIL * 5}{run}" for run in rows["flow_run_id"]]
    written = plot_run_grid(run_grid(rows), color=color).to_json()
    assert len(written) < 1_000_000
    assert "<img" not in written
    assert "$y$" not in written


def test_flow_runs_without_tasks_and_without_an_end_are_drawn() -> None:
    flows = [{"flow_run_id": "f0", "name": "a", "state_name": "Failed"}]
    flows += [{"flow_run_id": "f1", "name": "b", "start": 10**8, "length": None, "state_name": "Running"}]
    grid = run_grid(task_runs([{"flow_run_id": "f1", "start": 10**8}]), flow_runs(flows))
    figure = plot_run_grid(grid)
    assert figure.data[0].x.tolist() == [0]
    assert figure.data[1].x.tolist() == [1]
    assert "no duration yet" in figure.data[1].hovertext[0]
    assert run_grid_picks(grid).runs({"points": [[0, 0]]}) == ()
    assert run_grid_picks(grid).runs({"points": [[1, 0]]}) == ("run-0",)
    only = run_grid(frames.empty(schema.TASK_RUNS), flow_runs(flows))
    assert run_grid_picks(only).runs({"points": []}) == ()
