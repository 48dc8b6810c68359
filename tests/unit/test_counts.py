"""Counts of runs: they add up to the frame, or say what they leave out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from drawn import bars, runs_in, subtitle
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz.charts.counts import MAX_VALUES_DRAWN, plot_state_counts
from prefect_nbviz.charts.style import MAX_STATE_NAMES
from prefect_nbviz.charts.values import largest
from prefect_nbviz.charts.words import NONE
from prefect_nbviz.states import STATE_NAMES, STATE_TYPES

run_states = st.lists(st.sampled_from([*STATE_NAMES, "my own", "other"]), min_size=1, max_size=60)


@settings(max_examples=40)
@given(run_states, st.randoms(use_true_random=False))
def test_counts_add_up_to_the_frame(names: list[str], random: Any) -> None:
    runs = runs_in(names, flow_name=[random.choice(["a", "b", None]) for _ in names])
    for by in ("state_type", "state_name"):
        assert sum(plot_state_counts(runs, by=by).data[0].y) == len(runs)
    stacked = plot_state_counts(runs, by="flow_name")
    assert sum(sum(bar.x) for bar in bars(stacked)) == len(runs)
    sums = {label: sum(bar.x[place] for bar in bars(stacked)) for place, label in enumerate(bars(stacked)[0].y)}
    assert sums == runs["flow_name"].fillna(NONE).value_counts().to_dict()


def test_states_are_counted_in_the_order_of_a_runs_life() -> None:
    fig = plot_state_counts(runs_in(["Failed", "Completed", "Cached", "Late", "Completed"]), by="state_name")
    assert [*fig.data[0].x] == ["Late", "Completed", "Cached", "Failed"]
    assert [*fig.data[0].y] == [1, 2, 1, 1]
    assert [*fig.data[0].text] == ["1", "2", "1", "1"]
    assert [*fig.data[0].marker.pattern.shape] == ["x", "", ".", ""]
    every = plot_state_counts(runs_in([*STATE_NAMES]))
    assert [*every.data[0].x] == [*STATE_TYPES]


def test_a_run_counts_under_each_of_its_tags() -> None:
    tags = [("a", "b"), ("a",), (), ("b", "a", "a")]
    fig = plot_state_counts(runs_in(["Failed"] * 4, tags=tags), by="tags")
    assert dict(zip(fig.data[0].y, fig.data[0].x, strict=True)) == {"a": 3, "b": 2, NONE: 1}
    assert fig.data[0].y[0] == "a"
    assert subtitle(fig) == "4 runs; a run counts once under each of its tags"


def test_small_values_left_out_are_counted_in_the_subtitle() -> None:
    names = [f"flow {n}" for n in range(MAX_VALUES_DRAWN) for _ in range(2)] + ["x", "y", "z"]
    fig = plot_state_counts(runs_in(["Failed"] * len(names), flow_name=names), by="flow_name")
    assert len(fig.data[0].y) == MAX_VALUES_DRAWN
    assert sum(fig.data[0].x) == 2 * MAX_VALUES_DRAWN
    assert subtitle(fig) == "60 runs drawn, of 63; 3 more values are not drawn, with 3 runs"


def test_any_number_of_made_up_state_names_stays_readable() -> None:
    runs = runs_in([f"Processed {n}" for n in range(500)])
    fig = plot_state_counts(runs, by="state_name")
    assert len(fig.data[0].x) == MAX_STATE_NAMES + 1
    assert sum(fig.data[0].y) == 500
    assert "other names (COMPLETED)" in fig.data[0].x


THINGS = [
    (),
    ("a",),
    ("a", "b"),
    ("b", "a", "a"),
    ("",),
    ["a", "c"],
    None,
    "a",
    "(none)",
    "",
    1,
    True,
    1.0,
    "1",
    ("c",),
]
"""What a column may hold: some of these are equal and do not read the same, some read the same and are not equal."""


def texts_of(thing: Any) -> set[str]:
    values = thing if isinstance(thing, tuple | list) else [thing]
    return {NONE if value is None else str(value) or '""' for value in values} or {NONE}


@given(st.lists(st.tuples(st.sampled_from(THINGS), st.integers(0, 2))), st.integers(1, 4))
def test_the_largest_values_are_those_of_a_plain_loop(runs: list[tuple[Any, int]], most: int) -> None:
    column = pd.Series([thing for thing, _ in runs], dtype="object", index=range(5, 5 + len(runs)))
    values = largest(column, np.array([state for _, state in runs], dtype=np.int64), states=3, most=most)
    counts = Counter((text, state) for thing, state in runs for text in texts_of(thing))
    totals = Counter(text for thing, _ in runs for text in texts_of(thing))
    assert values.texts == sorted(totals, key=lambda text: (-totals[text], text))[:most]
    assert values.totals.tolist() == [totals[text] for text in values.texts]
    assert values.runs.tolist() == [[counts[text, state] for state in range(3)] for text in values.texts]
    drawn = {*values.texts}
    assert values.drawn == sum(bool(texts_of(thing) & drawn) for thing, _ in runs)
    assert values.more_values == len(totals) - len(drawn)
    assert values.more_runs == sum(bool(texts_of(thing) - drawn) for thing, _ in runs)


@given(st.lists(st.sampled_from(["a", "b", "", None, NONE, '""']), min_size=1, max_size=30), st.integers(1, 4))
def test_a_column_of_text_counts_the_same_whatever_its_dtype(texts: list[str | None], most: int) -> None:
    state = np.zeros(len(texts), dtype=np.int64)
    of_objects, *others = (
        largest(pd.Series(texts, dtype="object").astype(dtype), state, states=1, most=most)
        for dtype in ("object", "str", "category")
    )
    for values in others:
        assert (values.texts, values.runs.tolist()) == (of_objects.texts, of_objects.runs.tolist())
        assert (values.drawn, values.more_runs) == (of_objects.drawn, of_objects.more_runs)


def test_numbers_and_times_are_read_as_they_are_written() -> None:
    times = pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T06:00:00.5Z", None], format="ISO8601")
    columns = {"run_count": [10, 9, 9], "end_time": times, "auto_scheduled": [True, False, True]}
    runs = runs_in(["Failed"] * 3, **columns)
    drawn = {by: [*plot_state_counts(runs, by=by).data[0].y] for by in columns}
    assert drawn == {
        "run_count": ["9", "10"],
        "end_time": ["2026-01-01 06:00:00+00:00", "2026-01-01 06:00:00.500000+00:00", NONE],
        "auto_scheduled": ["True", "False"],
    }
