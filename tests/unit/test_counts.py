"""Counts of runs: they add up to the frame, or say what they leave out."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go
from hypothesis import given
from hypothesis import strategies as st

from prefect_nbviz.charts.counts import MAX_VALUES_DRAWN, plot_state_counts
from prefect_nbviz.charts.style import MAX_STATE_NAMES
from prefect_nbviz.charts.words import NONE
from prefect_nbviz.states import STATE_NAMES, STATE_TYPES


def task_runs(names: list[str], **columns: Any) -> pd.DataFrame:
    types = [STATE_NAMES.get(name, "COMPLETED") for name in names]
    return pd.DataFrame({"state_type": types, "state_name": names, **columns})


def bars(fig: go.Figure) -> list[go.Bar]:
    return [trace for trace in fig.data if trace.type == "bar"]


def subtitle(fig: go.Figure) -> str:
    return str(fig.layout.title.subtitle.text)


run_states = st.lists(st.sampled_from([*STATE_NAMES, "my own", "other"]), min_size=1, max_size=60)


@given(run_states, st.randoms(use_true_random=False))
def test_counts_add_up_to_the_frame(names: list[str], random: Any) -> None:
    runs = task_runs(names, flow_name=[random.choice(["a", "b", None]) for _ in names])
    for by in ("state_type", "state_name"):
        assert sum(plot_state_counts(runs, by=by).data[0].y) == len(runs)
    stacked = plot_state_counts(runs, by="flow_name")
    assert sum(sum(bar.x) for bar in bars(stacked)) == len(runs)
    sums = {label: sum(bar.x[place] for bar in bars(stacked)) for place, label in enumerate(bars(stacked)[0].y)}
    assert sums == runs["flow_name"].fillna(NONE).value_counts().to_dict()


def test_states_are_counted_in_the_order_of_a_runs_life() -> None:
    fig = plot_state_counts(task_runs(["Failed", "Completed", "Cached", "Late", "Completed"]), by="state_name")
    assert [*fig.data[0].x] == ["Late", "Completed", "Cached", "Failed"]
    assert [*fig.data[0].y] == [1, 2, 1, 1]
    assert [*fig.data[0].text] == ["1", "2", "1", "1"]
    assert [*fig.data[0].marker.pattern.shape] == ["x", "", ".", ""]
    every = plot_state_counts(task_runs([*STATE_NAMES]))
    assert [*every.data[0].x] == [*STATE_TYPES]


def test_a_run_counts_under_each_of_its_tags() -> None:
    tags = [("a", "b"), ("a",), (), ("b", "a", "a")]
    fig = plot_state_counts(task_runs(["Failed"] * 4, tags=tags), by="tags")
    assert dict(zip(fig.data[0].y, fig.data[0].x, strict=True)) == {"a": 3, "b": 2, NONE: 1}
    assert fig.data[0].y[0] == "a"
    assert subtitle(fig) == "4 runs; a run counts once under each of its tags"


def test_small_values_left_out_are_counted_in_the_subtitle() -> None:
    names = [f"flow {n}" for n in range(MAX_VALUES_DRAWN) for _ in range(2)] + ["x", "y", "z"]
    fig = plot_state_counts(task_runs(["Failed"] * len(names), flow_name=names), by="flow_name")
    assert len(fig.data[0].y) == MAX_VALUES_DRAWN
    assert sum(fig.data[0].x) == 2 * MAX_VALUES_DRAWN
    assert subtitle(fig) == "60 runs drawn, of 63; 3 more values are not drawn, they hold 3 runs"


def test_any_number_of_made_up_state_names_stays_readable() -> None:
    runs = task_runs([f"Processed {n}" for n in range(500)])
    fig = plot_state_counts(runs, by="state_name")
    assert len(fig.data[0].x) == MAX_STATE_NAMES + 1
    assert sum(fig.data[0].y) == 500
    assert "other names (COMPLETED)" in fig.data[0].x
