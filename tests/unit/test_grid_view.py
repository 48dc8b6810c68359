"""The grid in the explorer: which flow it shows, what it says of flow runs, what is picked in it."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from made_runs import task_runs

from prefect_nbviz import frames, schema
from prefect_nbviz.widgets.grid import GridView
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.views import RunViews

EVIL = "<img src=x onerror=alert(1)>"


def loaded(flows: dict[str, int]) -> pd.DataFrame:
    rows = [
        {
            "task_run_id": f"{flow}-{run}",
            "flow_run_id": f"{flow}-{run}",
            "flow_name": flow,
            "start": run * 60_000_000,
            "state_name": "Failed" if run == 1 else "Completed",
        }
        for flow, runs in flows.items()
        for run in range(runs)
    ]
    return task_runs(rows)


def title(view: GridView) -> str:
    text: str = json.loads(view.chart.figure)["layout"]["title"]["text"]
    return text


def figures(view: GridView) -> list[int]:
    drawn: list[int] = []
    view.chart.observe(lambda change: drawn.append(change["new"]), "number")
    return drawn


def test_the_flow_of_most_runs_comes_first_and_the_choice_stays() -> None:
    view = GridView(Page())
    view.show_runs(loaded({"a": 2, "b": 3}), of="q")
    assert (view.flow.value, title(view)) == ("b", "b · 3 runs")
    view.flow.value = "a"
    assert title(view) == "a · 2 runs"
    about, drawn = view.chart.about, figures(view)
    view.show_runs(loaded({"a": 3, "b": 9, "c": 20}), of="q")
    assert (view.flow.value, title(view)) == ("a", "a · 3 runs")
    assert view.chart.about == about, "a zoom stays"
    assert len(drawn) == 1
    view.show_runs(loaded({"c": 1}), of="q")
    assert (view.flow.value, view.flow.layout.display) == ("c", "none")
    assert view.chart.about != about


def test_flow_runs_are_said_to_have_no_grid_and_nothing_fails_without_runs() -> None:
    view = GridView(Page())
    view.show_runs(frames.empty(schema.FLOW_RUNS), of="q")
    assert "choose Tasks above" in view.caption.value
    assert view.chart.figure == ""
    view.show_runs(frames.empty(schema.TASK_RUNS), of="q")
    assert view.caption.layout.display == "none"
    assert view.flow.value is None
    assert "No task runs" in view.chart.figure


@pytest.mark.parametrize("color", ["state_type", "duration"])
def test_a_cell_selects_its_runs_and_others_are_marked(color: str) -> None:
    view = GridView(Page())
    view.color.value = color
    view.show_runs(loaded({EVIL: 60}), of="q")
    assert title(view).endswith("last 50 of 60 runs")
    assert "<img" not in view.chart.figure
    number = next(n for n, trace in enumerate(json.loads(view.chart.figure)["data"]) if trace.get("orientation") == "h")
    view.chart.picked = {"figure": view.chart.number, "count": 1, "is_more": False, "points": [[number, 0]]}
    assert view.selected == (f"{EVIL}-10",)
    view.selected = (f"{EVIL}-59", f"{EVIL}-0")
    marks: Any = view.chart.marks["points"]
    assert sum(len(points) for points in marks if points) == 2, "a cell and the bar over it"
    view.last.value = 100
    assert title(view).endswith("60 runs")
    assert sum(len(points) for points in view.chart.marks["points"] if points) == 4


def test_the_grid_is_drawn_when_its_tab_comes_to_the_front() -> None:
    views = RunViews(Page())
    views.show_runs(loaded({"a": 2}), of="q")
    assert views.grid.chart.figure == ""
    views.selected_index = [*views.titles].index("Grid")
    assert title(views.grid) == "a · 2 runs"
    views.grid.selected = ("a-1",)
    assert views.table.selected == ("a-1",)
