"""Picks: the runs that a point stands for are those of a plain loop, and what holds none of them is dimmed."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from long_history import long_history

from prefect_nbviz import bins
from prefect_nbviz.charts.counts import plot_state_counts, state_count_picks
from prefect_nbviz.charts.history import plot_run_counts, run_count_picks
from prefect_nbviz.charts.picks import PointPicks
from prefect_nbviz.charts.stays import View
from prefect_nbviz.charts.timeline import Timeline
from prefect_nbviz.states import STATE_NAMES
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.timeline import TimelineChart

NAMES = ["Late", "Running", "Completed", "Cached", "Failed", "TimedOut"]
TAGS = [(), ("a",), ("b", "a"), ("<i>", "b", "b")]
RUN = st.tuples(st.sampled_from(NAMES), st.sampled_from(TAGS), st.none() | st.integers(0, 300))


def frame(rows: list[tuple[str, tuple[str, ...], int | None]]) -> pd.DataFrame:
    names, tags, minutes = zip(*rows, strict=True) if rows else ((), (), ())
    begin = pd.Timestamp("2026-03-29", tz="UTC")
    times = [pd.NaT if one is None else begin + pd.Timedelta(minutes=one) for one in minutes]
    return pd.DataFrame(
        {
            "task_run_id": [f"run-{place}" for place in range(len(rows))],
            "flow_run_id": None,
            "state_name": [*names],
            "state_type": [STATE_NAMES[name] for name in names],
            "tags": pd.Series([*tags], dtype="object"),
            "expected_start_time": pd.to_datetime(pd.Series(times, dtype="object"), utc=True).astype(
                "datetime64[us, UTC]"
            ),
        }
    )


def ids(runs: pd.DataFrame) -> tuple[str, ...]:
    return tuple(runs["task_run_id"])


@settings(max_examples=20)
@given(st.lists(RUN, max_size=25))
def test_a_bar_of_states_stands_for_its_runs(rows: list[Any]) -> None:
    runs = frame(rows)
    for by in ("state_name", "state_type"):
        fig, picks = plot_state_counts(runs, by=by), state_count_picks(runs, by=by)
        for number, (kind, name) in enumerate(fig.data[0].customdata if rows else []):
            expected = runs[(runs["state_type"] == kind) & ((runs["state_name"] == name) | (by == "state_type"))]
            assert picks.runs({"points": [[0, number]]}) == ids(expected)
            assert len(expected) == fig.data[0].y[number]


@settings(max_examples=20)
@given(st.lists(RUN, max_size=25))
def test_a_bar_of_a_value_stands_for_its_runs(rows: list[Any]) -> None:
    runs = frame(rows)
    fig, picks = plot_state_counts(runs, by="tags"), state_count_picks(runs, by="tags")
    for trace, bar in enumerate(one for one in fig.data if one.type == "bar"):
        for number, (kind, name, tag) in enumerate(bar.customdata):
            has = runs["tags"].map(lambda tags, tag=tag: tag in (tags or ("(none)",))).astype(bool)
            expected = runs[has & (runs["state_type"] == kind) & (runs["state_name"] == name)]
            assert picks.runs({"points": [[trace, number]]}) == ids(expected)
            assert len(expected) == bar.x[number]
    if rows:
        assert picks.runs({"points": [[len(fig.data) - 1, 0]]}) == (), "the totals stand for nothing"


@settings(max_examples=20)
@given(st.lists(RUN, max_size=40), st.integers(0, 40), st.sampled_from(["15min", "1h", "1D"]))
def test_a_bar_of_time_stands_for_the_runs_that_are_loaded(rows: list[Any], loaded: int, freq: str) -> None:
    counts = bins.counts(frame(rows), freq, "Europe/Berlin")
    runs = frame(rows[:loaded])
    fig, picks = plot_run_counts(counts), run_count_picks(counts, runs)
    seen = 0
    for trace, bar in enumerate(fig.data):
        kind, name = bar.meta
        drawn = counts[(counts["state_type"] == kind) & (counts["state_name"] == name)]
        assert [*drawn["runs"]] == [*bar.y]
        for number, (begin, end) in enumerate(zip(drawn["bin_start"], drawn["bin_end"], strict=True)):
            at = runs["expected_start_time"]
            expected = runs[(at >= begin) & (at < end) & (runs["state_name"] == name)]
            assert picks.runs({"points": [[trace, number]]}) == ids(expected)
            seen += len(expected)
    assert seen == runs["expected_start_time"].notna().sum()


@settings(max_examples=20)
@given(st.lists(RUN, min_size=1, max_size=25), st.data())
def test_points_are_marked_that_hold_a_run(rows: list[Any], data: st.DataObject) -> None:
    runs = frame(rows)
    picks = state_count_picks(runs, by="tags")
    marked = {*data.draw(st.lists(st.sampled_from([*runs["task_run_id"], "unknown"])))}
    values = {tag for tags in runs["tags"] for tag in tags or ("(none)",)}
    for trace, points in enumerate(picks.marks(marked)["points"]):
        held = [number for number in range(len(values)) if marked & {*picks.runs({"points": [[trace, number]]})}]
        assert points == held


def test_a_trace_without_runs_is_never_dimmed() -> None:
    picks = PointPicks.of_points([None, ["a"]])
    assert picks.marks(["b"]) == {"points": [None, []]}
    assert picks.runs({"points": [[0, 0], [7, 0]]}) == ()


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return long_history(3_000)


def test_a_stay_stands_for_its_run(history: pd.DataFrame) -> None:
    spans = history.head(100)
    timeline = Timeline(spans)
    fig = timeline.figure(theme="light")
    picks = timeline.picks(fig, theme="light")
    for trace, drawn in enumerate(fig.data):
        for number, run in enumerate(drawn.customdata):
            assert picks.runs({"points": [[trace, number]]}) == (run,)
    run = spans["run_id"].iloc[0]
    points = picks.marks([run])["points"]
    assert sum(map(len, points)) == (spans["run_id"] == run).sum()


VIEWS = [None, View(1_772_500_000_000_000, 1_772_600_000_000_000), View(1_772_500_000_000_000, 1_772_900_000_000_000)]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("tz", ["UTC", "Asia/Kolkata"])
def test_a_cell_of_pixels_stands_for_the_runs_in_it(history: pd.DataFrame, view: View | None, tz: str) -> None:
    timeline = Timeline(history, tz=tz)
    fig = timeline.figure(view, theme="light")
    picks = timeline.picks(fig, view, theme="light")
    cells = picks.cells
    height = fig.layout.images[0].sizey / cells.lines
    for place in range(0, len(cells.line), 97):
        line, column = cells.line[place], cells.column[place]
        begin = cells.view.start + column * cells.step
        y = (line + 0.5) * height - 0.5
        picked = picks.runs({"x": [_wall(begin, tz)] * 2, "y": [y, y]})
        stays = cells.stays
        in_line, end = cells.line_of == line, begin + cells.step
        meets = np.where(
            stays.is_end,
            (stays.start >= begin) & (stays.start < end),
            (np.minimum(stays.end, end) > np.maximum(stays.start, begin)),
        )
        assert {*picked} == {*history["run_id"].iloc[stays.place[in_line & meets]]}


def _wall(at: int, tz: str) -> str:
    offset = 0 if tz == "UTC" else 19_800_000_000
    return str(np.datetime64(int(at) + offset, "us")).replace("T", " ")


def test_a_veil_leaves_the_marked_runs_as_they_are(history: pd.DataFrame) -> None:
    timeline = Timeline(history)
    fig = timeline.figure(theme="dark")
    picks = timeline.picks(fig, theme="dark")
    run = history["run_id"].iloc[4_321]
    veil = _pixels(picks.marks([run])["veil"]["source"])
    drawn = picks.cells.picture() > 0
    assert veil.shape == drawn.shape
    clear = drawn & (veil == 0)
    stay = np.flatnonzero(history["run_id"].iloc[picks.cells.stays.place] == run)
    lines = {*(np.flatnonzero(clear.any(axis=1)) // picks.cells.height)}
    assert lines == {*picks.cells.line_of[stay]}
    assert 0 < clear.sum() < 100
    assert not (drawn & (_pixels(picks.marks([])["veil"]["source"]) == 0)).any()


def _pixels(address: str) -> npt.NDArray[np.uint8]:
    """Read the one kind of PNG that is written."""
    data = base64.b64decode(address.partition(",")[2])
    width, height = struct.unpack(">II", data[16:24])
    at = data.index(b"IDAT")
    squeezed = data[at + 4 : at + 4 + struct.unpack(">I", data[at - 4 : at])[0]]
    return np.frombuffer(zlib.decompress(squeezed), dtype=np.uint8).reshape(height, width + 1)[:, 1:]


def counted(runs: pd.DataFrame) -> Chart:
    chart = Chart(page=Page())
    show(chart, runs)
    return chart


def show(chart: Chart, runs: pd.DataFrame) -> None:
    figure = plot_state_counts(runs, by="state_name")
    chart.show(figure, of="all", picks=lambda: state_count_picks(runs, by="state_name"))


def pick(chart: Chart, *points: list[int], figure: int | None = None, is_more: bool = False) -> None:
    count = chart.picked.get("count", 0) + 1
    number = chart.number if figure is None else figure
    chart.picked = {"points": [*points], "figure": number, "count": count, "is_more": is_more}


RUNS = frame([("Late", (), 0), ("Failed", (), 1), ("Failed", (), 2)])


def test_a_pick_selects_and_marks() -> None:
    chart = counted(RUNS)
    figure = chart.figure
    assert chart.marks == {}
    pick(chart, [0, 1])
    assert chart.selected == ("run-1", "run-2")
    assert chart.marks == {"points": [[1]]}
    pick(chart)
    assert (chart.selected, chart.marks) == ((), {})
    pick(chart, [0, 0])
    pick(chart, [0, 1], is_more=True)
    assert chart.selected == ("run-0", "run-1", "run-2")
    pick(chart, [0, 1], is_more=True)
    assert chart.selected == ("run-0",)
    assert chart.figure == figure, "it is drawn once"


def test_a_pick_in_a_figure_that_is_gone_is_dropped() -> None:
    chart = counted(RUNS)
    show(chart, RUNS.tail(1))
    pick(chart, [0, 0], figure=chart.number - 1)
    assert chart.selected == ()
    pick(chart, [0, 0])
    assert chart.selected == ("run-2",)


def test_runs_that_are_selected_elsewhere_are_marked_in_every_figure() -> None:
    chart = counted(RUNS)
    chart.selected = ("run-0", "gone")
    assert chart.marks == {"points": [[0]]}
    show(chart, RUNS.tail(2))
    assert chart.marks == {"points": [[]]}
    assert chart.selected == ("run-0", "gone")
    chart.show(plot_state_counts(RUNS), of="no picks")
    assert (chart.marks, chart.is_pickable) == ({}, False)


def test_a_picture_is_picked_in_and_veiled(history: pd.DataFrame) -> None:
    chart = TimelineChart(page=Page())
    chart.show_intervals(history)
    chart.picked = {
        "x": ["2026-01-01 00:00:00", "2027-01-01 00:00:00"],
        "y": [-10.0, 500.0],
        "figure": chart.number,
        "count": 1,
        "is_more": False,
    }
    assert len(chart.selected) == 3_000
    assert [*chart.marks] == ["veil"]
    chart.picked = {**chart.picked, "x": None, "count": 2, "points": []}
    assert chart.selected == ()
