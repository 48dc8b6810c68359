"""Durations: percentiles are exact, every run is drawn or counted, and a dot stands for its runs."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from by_hand import percentile
from drawn import subtitle
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import duration_table, frames, percentiles, plot_durations
from prefect_nbviz.charts.dots import MAX_DOTS
from prefect_nbviz.charts.durations import duration_picks
from prefect_nbviz.charts.panels import ENOUGH, MAX_GROUPS_DRAWN
from prefect_nbviz.charts.scales import Scale
from prefect_nbviz.errors import FrameError, QueryError
from prefect_nbviz.states import STATE_NAMES

EVIL = "<img src=x onerror=alert(1)>%{x}$y$"
BEGIN = pd.Timestamp("2026-03-01", tz="UTC")
LENGTHS = st.none() | st.integers(0, 10**13)
TAGS = [(), ("a",), ("b", "a")]
RUN = st.tuples(st.sampled_from(["x", "y", None]), LENGTHS, st.sampled_from(TAGS), st.sampled_from([*STATE_NAMES]))
PERCENTS = {"min": 0, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}


def frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    flows, lengths, tags, names = zip(*rows, strict=True) if rows else ((),) * 4
    return pd.DataFrame(
        {
            "flow_run_id": [f"run-{place}" for place in range(len(rows))],
            "name": [f"name {place}" for place in range(len(rows))],
            "flow_name": pd.Series([*flows], dtype="str"),
            "tags": pd.Series([*tags], dtype="object"),
            "state_name": [*names],
            "state_type": [STATE_NAMES[name] for name in names],
            "start_time": BEGIN + pd.to_timedelta(np.arange(len(rows)) * 7 % 5, unit="min"),
            "duration": pd.Series(pd.to_timedelta([*lengths], unit="us")).astype("timedelta64[us]"),
        }
    )


def many(runs: int, *, evil: str = "") -> pd.DataFrame:
    lengths = np.random.default_rng(7).integers(1, 10**6, runs)
    return frame([(f"flow {place % 9}{evil}", int(one), (), "Completed") for place, one in enumerate(lengths)])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**54)), max_size=40))
def test_percentiles_are_those_of_the_definition(pairs: list[tuple[int, int]]) -> None:
    group, values = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    found = percentiles.of_groups(values, group, groups=4, percents=[*PERCENTS.values()])
    for number in range(4):
        own = [value for one, value in pairs if one == number]
        assert found[number].tolist() == [percentile(own, percent) if own else 0 for percent in PERCENTS.values()]


@settings(max_examples=30)
@given(st.lists(RUN, max_size=30), st.sampled_from(["flow_name", "tags", "name", "state_type"]))
def test_the_table_is_that_of_a_plain_loop(rows: list[Any], by: str) -> None:
    runs = frame(rows)
    groups: dict[Any, list[int | None]] = {}
    for place, row in enumerate(rows):
        value = runs[by].iloc[place]
        for one in (row[2] or (None,)) if by == "tags" else (None if pd.isna(value) else value,):
            groups.setdefault(one, []).append(row[1])
    table = duration_table(runs, by=by)
    assert len(table) == len(groups)
    for line in table.to_dict("records"):
        held = groups[None if pd.isna(line[by]) else line[by]]
        lengths = [one for one in held if one is not None]
        assert (line["count"], line["without_duration"]) == (len(lengths), len(held) - len(lengths))
        for name, percent in PERCENTS.items():
            expected = pd.Timedelta(percentile(lengths, percent), unit="us") if lengths else pd.NaT
            assert line[name] is expected or line[name] == expected
        if lengths:
            assert abs(line["mean"] / pd.Timedelta(1, unit="us") - Fraction(sum(lengths), len(lengths))) <= 0.5
    assert table["p95"].dropna().is_monotonic_decreasing


def test_an_empty_table_has_every_column_with_its_dtype() -> None:
    runs = frame([])
    runs.attrs[frames.ATTRS] = {"matched": 0}
    table = duration_table(runs)
    assert table.dtypes.map(str).to_dict() == {
        "flow_name": "str",
        "count": "int64",
        "without_duration": "int64",
    } | dict.fromkeys(("mean", *PERCENTS), "timedelta64[us]")
    assert table.attrs[frames.ATTRS] == {"matched": 0, "kind": "durations", "by": "flow_name", "tz": "UTC"}


def test_a_table_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(QueryError, match="Did you mean 'flow_name'"):
        duration_table(frame([]), by="flowname")
    with pytest.raises(FrameError, match="lacks 'duration'"):
        duration_table(pd.DataFrame({"flow_name": []}))


def dots(fig: go.Figure) -> list[tuple[int, go.Scatter]]:
    return [(number, trace) for number, trace in enumerate(fig.data) if trace.mode == "markers"]


@settings(max_examples=20)
@given(st.lists(RUN, max_size=30), st.sampled_from([None, "flow_name", "tags"]))
def test_every_run_with_a_duration_is_a_dot_of_its_own(rows: list[Any], by: str | None) -> None:
    runs = frame(rows)
    fig, picks = plot_durations(runs, by=by), duration_picks(runs, by=by)
    drawn: list[str] = []
    for number, trace in dots(fig):
        for point, text in enumerate(trace.hovertext):
            (run,) = picks.runs({"points": [[number, point]]})
            row = runs.set_index("flow_run_id").loc[run]
            assert f"<b>{row['name']}</b>" in text
            assert row["state_name"] in text
            drawn.append(run)
    for run, row in zip(runs["flow_run_id"], rows, strict=True):
        expected = len(row[2] or (None,)) if by == "tags" else 1
        assert drawn.count(run) == (expected if row[1] is not None else 0)
    missing = sum(row[1] is None for row in rows)
    assert (f"{missing} have no duration yet" in subtitle(fig)) == (missing > 0)


@pytest.mark.parametrize("by", [None, "flow_name"])
def test_of_many_runs_none_is_left_out(by: str | None) -> None:
    runs = many(10_000)
    fig, picks = plot_durations(runs, by=by), duration_picks(runs, by=by)
    assert "runs that lie on each other are one dot" in subtitle(fig)
    assert sum(len(trace.x) for _, trace in dots(fig)) <= MAX_DOTS
    assert len(fig.to_json()) < 500_000
    points = [[number, point] for number, trace in dots(fig) for point in range(len(trace.x))]
    held = [run for point in points for run in picks.runs({"points": [point]})]
    first = runs["flow_name"].isin(sorted(runs["flow_name"].unique())[:MAX_GROUPS_DRAWN])
    expected = runs if by is None else runs[first]
    assert sorted(held) == sorted(expected["flow_run_id"])
    if by:
        assert "3 more values are not drawn, with 3,333 runs" in subtitle(fig)


def test_lines_are_percentiles_of_pieces_of_time_and_the_heading_of_all() -> None:
    runs = many(95)
    runs["start_time"] = BEGIN + pd.to_timedelta(np.arange(95), unit="min")
    fig = plot_durations(runs)
    lines = {trace.name: trace for trace in fig.data if trace.mode == "lines"}
    micros = runs["duration"].to_numpy().astype(np.int64)
    pieces = np.array_split(micros, 95 // ENOUGH)
    assert lines["median"].y.tolist() == [percentile([*piece], 50) / 1_000 for piece in pieces]
    assert lines["p95"].y.tolist() == [percentile([*piece], 95) / 1_000 for piece in pieces]
    text = fig.layout.annotations[0].text
    assert text.startswith("95 runs<br>p50 ")
    assert "p50 of the earlier half" in text
    assert not [trace for trace in plot_durations(runs.head(ENOUGH * 2 - 1)).data if trace.mode == "lines"]


def test_scales_show_short_ones_and_say_lengths_as_people_do() -> None:
    near, far = np.array([420_000, 580_000]), np.array([0, 3_000, 4_000, 90_000_000])
    assert Scale.of(near).layout() == {"ticksuffix": " ms", "range": [0, pytest.approx(626.4)], "nticks": 6}
    log = Scale.of(far)
    assert log.values(far).tolist() == [0.003, 0.003, 0.004, 90.0]
    assert {"100 ms", "10 s", "1 min", "1 h"} <= {*log.layout()["ticktext"]}
    assert not Scale.of(far, log=False).is_log
    assert Scale.of(np.array([0, 0])).layout()["range"] == [0, 1.08]
    assert (Scale.of(near).parts(near) <= 1).all()
    assert log.parts(far).tolist() == [0, 0, pytest.approx(0.0279, abs=1e-3), 1]


def test_the_axis_says_which_time_on_which_clock() -> None:
    title = plot_durations(many(50), tz="Asia/Kolkata").layout.xaxis.title.text
    assert title == "start time (Asia/Kolkata)"


def test_names_of_strangers_stay_text() -> None:
    text = json.dumps(json.loads(plot_durations(many(50, evil=EVIL), by="flow_name").to_json()))
    assert "<img" not in text
    assert "&lt;img" in text


def test_nothing_to_draw_says_so() -> None:
    runs = frame([("x", None, (), "Running")])
    assert plot_durations(runs).layout.annotations[0].text == "No runs that have ended to draw"
    assert "1 have no duration yet" in subtitle(plot_durations(runs))
    assert plot_durations(frame([])).layout.annotations[0].text == "No runs that have ended to draw"
    with pytest.raises(QueryError, match="by cannot be 'flow'"):
        plot_durations(runs, by="flow")
