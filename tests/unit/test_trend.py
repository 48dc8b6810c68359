"""Trends and outliers of durations are those of their definitions, in plain loops, and what charts leave out is said."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from by_hand import percentile
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import (
    duration_outliers,
    duration_table,
    duration_trend,
    frames,
    plot_duration_trend,
    plot_durations,
    schema,
    tables,
)
from prefect_nbviz.analysis.outliers import LEAST_RUNS
from prefect_nbviz.charts.durations import duration_picks
from prefect_nbviz.charts.panels import MAX_GROUPS_DRAWN
from prefect_nbviz.charts.trend import MAX_BINS_DRAWN
from prefect_nbviz.errors import FrameError, QueryError

BEGIN = pd.Timestamp("2026-03-27T22:00", tz="UTC")
MICRO = timedelta(microseconds=1)
EVIL = "<img src=x onerror=alert(1)>"
HOURS = st.none() | st.integers(0, 96)
LENGTHS = st.none() | st.integers(-10, 10**10)
RUN = st.tuples(st.sampled_from(["load", "fit", None]), HOURS, LENGTHS, st.sampled_from([(), ("a",), ("b", "a")]))
NEAR = st.sampled_from([0, 7, 1000, 1001, 1002, 1100, 9_000_000])


def frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    keys, hours, lengths, tags = zip(*rows, strict=True) if rows else ((),) * 4
    data = {
        "task_run_id": [f"{place}" for place in range(len(rows))],
        "name": [f"name {place}" for place in range(len(rows))],
        "task_key": [*keys],
        "tags": [*tags],
        "state_type": ["COMPLETED"] * len(rows),
        "state_name": ["Completed"] * len(rows),
        "start_time": [None if hour is None else (BEGIN + pd.Timedelta(hour, "h")).isoformat() for hour in hours],
        "duration": pd.Series([*lengths], dtype="float64").astype("timedelta64[us]"),
    }
    return frames.typed(data, tuple(column for column in schema.TASK_RUNS if column.name in data))


@settings(max_examples=40)
@given(st.lists(RUN, max_size=25), st.sampled_from([(), "task_key", "tags"]))
def test_a_trend_is_that_of_a_plain_loop(rows: list[Any], by: Any) -> None:
    zone = ZoneInfo("Europe/Berlin")
    bins: dict[Any, list[int | None]] = defaultdict(list)
    for key, hour, length, tags in rows:
        for value in (tags or (None,)) if by == "tags" else (key if by else "",):
            if hour is not None:
                day = (BEGIN + pd.Timedelta(hour, "h")).tz_convert(zone).date()
                bins[value, datetime(day.year, day.month, day.day, tzinfo=zone)].append(length)
    trend = duration_trend(frame(rows), by=by, tz=zone)
    found = {}
    for row in trend.to_dict("records"):
        value = row.get(by, "") if by else ""
        lengths = [row[word] // MICRO if row["count"] else None for word in ("p10", "p50", "p90")]
        found[None if pd.isna(value) else value, row["bin_start"].to_pydatetime()] = (
            row["count"],
            row["without_duration"],
            *lengths,
        )
    assert found == {cell: expected_of(lengths) for cell, lengths in bins.items()}
    assert trend.attrs[frames.ATTRS]["without_start"] == sum(hour is None for _, hour, _, _ in rows)
    assert "img" not in plot_duration_trend(trend).to_json()


def expected_of(lengths: list[int | None]) -> tuple[int | None, ...]:
    own = [one for one in lengths if one is not None]
    shown = [percentile(own, percent) if own else None for percent in (10, 50, 90)]
    return len(own), len(lengths) - len(own), *shown


def test_a_day_of_a_trend_is_that_of_the_clock() -> None:
    trend = duration_trend(frame([("load", hour, 10**6, ()) for hour in range(72)]), tz="Europe/Berlin")
    hours = (trend["bin_end"] - trend["bin_start"]) // pd.Timedelta("1h")
    assert [*zip(hours, trend["count"], strict=True)] == [(24, 1), (24, 24), (23, 23), (24, 24)]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["load", "fit"]), NEAR | st.none()), max_size=30), st.floats(0.5, 4))
def test_outliers_are_those_of_a_plain_loop(rows: list[Any], threshold: float) -> None:
    runs = frame([(key, 0, length, ()) for key, length in rows])
    expected = {}
    for key in ("load", "fit"):
        own = {str(place): length for place, (one, length) in enumerate(rows) if one == key and length is not None}
        for run, score in scores_of(own).items():
            if abs(abs(score) - threshold) < 1e-9:
                return  # on the edge, where floats decide
            if abs(score) > threshold:
                expected[run] = (statistics.median(own.values()), score)
    found = duration_outliers(runs, threshold=threshold)
    assert {*found["run_id"]} == {*expected}
    for row in found.to_dict("records"):
        median, score = expected[row["run_id"]]
        assert row["score"] == pytest.approx(score)
        assert row["median"] // MICRO == math.floor(median + 0.5)
    assert found["score"].abs().is_monotonic_decreasing
    about = found.attrs[frames.ATTRS]
    assert about["without_duration"] == sum(length is None for _, length in rows)


def scores_of(own: dict[str, int]) -> dict[str, float]:
    if len(own) < LEAST_RUNS:
        return {}
    logs = {run: math.log(max(length, 1)) for run, length in own.items()}
    middle = statistics.median(logs.values())
    away = [abs(one - middle) for one in logs.values()]
    mad, mean = statistics.median(away), statistics.fmean(away)
    if mad:
        return {run: 0.6745 * (one - middle) / mad for run, one in logs.items()}
    return {run: 0.7979 * (one - middle) / mean for run, one in logs.items()} if mean else {}


def test_an_outlier_may_be_short_or_before_its_start() -> None:
    lengths = [*range(10_000, 10_020), 3, -5]
    found = duration_outliers(frame([("load", 0, length, ("a",)) for length in lengths]), by="tags")
    assert found["run_id"].tolist() == ["21", "20"]
    assert found["score"].lt(0).all()
    assert found.dtypes.map(str).to_dict()["duration"] == "timedelta64[us]"
    few = duration_outliers(frame([("load", 0, 1, ()), ("load", 0, 10**9, ())]))
    assert (len(few), few.attrs[frames.ATTRS]["in_small_groups"]) == (0, 2)


def test_outliers_get_a_ring_and_picks_stay() -> None:
    lengths = [*range(10**6, 10**6 + 99), 10**9]
    runs = frame([(f"task {place % 2}", place % 50, length, ()) for place, length in enumerate(lengths)])
    outliers = duration_outliers(runs)
    plain, ringed = plot_durations(runs, by="task_key"), plot_durations(runs, by="task_key", outliers=outliers)
    assert [trace.name for trace in ringed.data] == [*(trace.name for trace in plain.data), "outlier"]
    assert len(ringed.data[-1].x) == 1
    assert "1 outlier in a ring" in ringed.layout.title.subtitle.text
    of_ring = [trace for trace in ringed.data if trace.yaxis == ringed.data[-1].yaxis and trace.name == "Completed"]
    assert ringed.data[-1].y[0] == max(of_ring[0].y)
    assert len(duration_picks(runs, by="task_key").traces) == len(plain.data)
    with pytest.raises(FrameError, match="lacks 'run_id'"):
        plot_durations(runs, outliers=runs)


def test_an_end_before_its_start_is_drawn_and_said() -> None:
    fig = plot_durations(frame([("load", 0, 10**6, ()), ("load", 1, -5 * 10**6, ())]))
    assert "1 ended before the start, drawn at the lower end" in fig.layout.title.subtitle.text
    assert "Completed, -5 s" in fig.data[0].hovertext[1]


def test_several_flow_runs_stand_side_by_side() -> None:
    runs = frame([("load", 0, 1, ()), ("fit", 0, 3, ()), ("load", 0, 5, ())]).assign(flow_run_name=["a", "a", "b"])
    table = duration_table(runs, by=["task_key", "flow_run_name"])
    beside = table.pivot_table(index="task_key", columns="flow_run_name", values="p50")
    assert beside.loc["load"].tolist() == [pd.Timedelta(1, "us"), pd.Timedelta(5, "us")]
    assert table["count"].sum() == 3


def test_a_trend_draws_gaps_and_says_what_it_leaves_out() -> None:
    rows = [(f"{EVIL} {place % 9}" + "x" * 200, place, 10**6, ()) for place in range(0, 90, 5)]
    rows += [(f"{EVIL} 0" + "x" * 200, None, None, ())]
    fig = plot_duration_trend(duration_trend(frame(rows), by="task_key", freq="1h"))
    text = fig.layout.title.subtitle.text
    assert "3 more groups are not drawn; 6 runs in all are in groups or older bins" in text
    assert "1 have no duration yet" in text
    assert len(fig.data) == 2 * MAX_GROUPS_DRAWN
    assert [*fig.data[1].y].count(None) == 2, "two bins, which do not touch"
    assert "<img" not in fig.to_json()
    rows = [("load", 0, 10**6, ())] * 3 + [("load", hour, 10**6, ()) for hour in range(1, MAX_BINS_DRAWN + 1)]
    fig = plot_duration_trend(duration_trend(frame(rows), freq="1h"))
    assert "3 runs in all are in groups or older bins that are not drawn" in fig.layout.title.subtitle.text


@pytest.mark.parametrize("table", [duration_trend, duration_outliers])
def test_an_empty_frame_gives_every_column(table: Any) -> None:
    columns = {duration_trend: tables.DURATION_TREND, duration_outliers: tables.DURATION_OUTLIERS}[table]
    empty = frames.empty(schema.TASK_RUNS)
    empty.attrs[frames.ATTRS] = {"truncated": True}
    found = table(empty, by="task_key")
    assert [*found] == ["task_key", *schema.names(columns)]
    expected = frames.empty(columns).dtypes.to_dict()
    assert found.drop(columns="task_key").dtypes.to_dict() == expected
    assert found.attrs[frames.ATTRS]["truncated"] is True
    assert isinstance(plot_duration_trend(duration_trend(empty)), go.Figure)


def test_what_cannot_be_is_said() -> None:
    runs = frame([("load", 0, 1, ())])
    with pytest.raises(QueryError, match="threshold is a number above 0"):
        duration_outliers(runs, threshold=0)
    with pytest.raises(QueryError, match="Did you mean 'task_key'"):
        duration_trend(runs, by="task_ky")
    with pytest.raises(QueryError, match="makes no bins"):
        duration_trend(runs, freq="often")
    with pytest.raises(FrameError, match="no time zone"):
        duration_trend(runs.assign(start_time=pd.Timestamp("2026-01-01").as_unit("us")))
    assert np.isnan(duration_outliers(frame([("load", 0, 0, ())] * 5 + [("load", 0, 9, ())]))["ratio"]).all()
