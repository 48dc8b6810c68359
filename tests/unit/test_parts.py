"""The views of durations, errors and code without a browser: what they show, and that they follow each other."""

from __future__ import annotations

import ast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prefect_nbviz as nbv
from prefect_nbviz import frames, schema
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.widgets.code import CodeView, python_call
from prefect_nbviz.widgets.durations import MAX_GROUPS_LISTED, DurationsView
from prefect_nbviz.widgets.errors import MAX_GROUPS_SHOWN, ErrorsView
from prefect_nbviz.widgets.page import Page

EVIL = "<img src=x onerror=alert(1)>"
RUNS = pd.DataFrame(
    {
        "task_run_id": [f"run-{place}" for place in range(300)],
        "name": EVIL,
        "flow_name": [f"{EVIL} {place % 60}" for place in range(300)],
        "task_key": "load-0a1b2c3d",
        "state_type": "FAILED",
        "state_name": "Failed",
        "state_message": [f"{chr(97 + place % 26)}{chr(97 + place // 26)} is gone" for place in range(300)],
        "expected_start_time": pd.Timestamp("2026-03-01", tz="UTC"),
        "start_time": pd.date_range("2026-03-01", periods=300, freq="1min", tz="UTC"),
        "end_time": pd.date_range("2026-03-01 01:00", periods=300, freq="1min", tz="UTC"),
        "duration": pd.to_timedelta(np.arange(300) * 10, unit="ms"),
    }
)


def test_durations_are_shown_by_a_column_that_the_runs_have() -> None:
    view = DurationsView(Page())
    view.show_runs(frames.empty(schema.FLOW_RUNS), of=1)
    assert "No runs that have ended to draw" in view.chart.figure
    view.by.value = "flow_name"
    view.show_runs(RUNS, of=1)
    assert view.by.value == "flow_name"
    assert "deployment_name" not in dict(view.by.options).values()
    assert view.table.value.count("<tr>") == 1 + MAX_GROUPS_LISTED
    assert "10 more values are not listed" in view.table.value
    assert "<img" not in view.table.value
    view.show_runs(RUNS.drop(columns="flow_name"), of=1)
    assert (view.by.value, view.table.value) == ("", "")


def test_durations_are_picked_and_marked() -> None:
    view = DurationsView(Page())
    view.show_runs(RUNS, of=1)
    view.chart.picked = {"figure": view.chart.number, "count": 1, "points": [[0, 7]], "is_more": False}
    assert view.selected == ("run-7",)
    view.selected = ("run-3", "run-5")
    assert view.chart.marks["points"][0] == [3, 5]
    assert view.chart.selected == ("run-3", "run-5")


def test_the_zoom_of_durations_stays_while_the_runs_are_of_the_same() -> None:
    view = DurationsView(Page())
    about = []
    for of, as_of in ((1, "a"), (1, "b"), (2, "b")):
        runs = RUNS.copy()
        runs.attrs[frames.ATTRS] = {"as_of": as_of}
        view.show_runs(runs, of=of)
        about.append(view.chart.about)
    assert about[0] == about[1] != about[2]


def test_errors_are_listed_up_to_a_number_which_is_said() -> None:
    view = ErrorsView()
    view.show_runs(RUNS)
    assert len(view.groups) == MAX_GROUPS_SHOWN
    assert view.said == "300 of 300 runs failed or crashed, with 300 messages; the 200 of most runs are listed."
    assert view.groups[0]["where"].endswith("task load")
    view.selected = ("run-0", "run-1", "gone")
    assert len(view.marked) == 2
    view.show_runs(RUNS.assign(state_type="COMPLETED"))
    assert (view.groups, view.marked, view.said) == ([], [], "None of these runs has failed.")
    assert view.selected == ("run-0", "run-1", "gone")


def test_every_form_of_the_code_is_that_of_the_query() -> None:
    query = TaskRunQuery(state_type="FAILED", since="1d")
    view = CodeView()
    view.show(query)
    texts = {one["name"]: one["text"] for one in view.codes}
    assert texts["Prefect client"] == query.to_python()
    assert texts["JSON"] == query.to_json()
    assert texts["curl"].startswith("# Needs curl and jq.")


TEXTS = st.lists(st.text(max_size=60).map(lambda text: f"t{text}"), min_size=1, max_size=4)


@settings(max_examples=40)
@given(TEXTS, st.sampled_from(["1d", "2026-01-01T00:00Z"]), st.sampled_from([FlowRunQuery, TaskRunQuery]))
def test_the_call_reads_what_the_query_says(texts: list[str], since: str, kind: type[RunQuery]) -> None:
    query = kind(name=texts, tags_any=texts, since=since)
    asked = {f"read_{query.kind}s": kind, "FlowRunQuery": FlowRunQuery}
    tree = ast.parse(python_call(query))
    assert all(hasattr(nbv, name.name) for name in tree.body[0].names)
    tree.body = tree.body[1:]
    exec(compile(tree, "call", "exec"), asked)
    assert asked["runs"] == query


@pytest.mark.parametrize("query", [FlowRunQuery(), TaskRunQuery(flow_runs=FlowRunQuery(flow="a"))])
def test_the_call_of_few_criteria_is_one_line(query: RunQuery) -> None:
    assert len(python_call(query).splitlines()) == 3
