"""A timeline of many stays: pixels of all of it, bars of a part, and the way from one to the other."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from drawn import subtitle
from hypothesis import given, settings
from hypothesis import strategies as st
from long_history import BEGIN, SECOND, long_history

from prefect_nbviz import frames
from prefect_nbviz.charts.stays import View
from prefect_nbviz.charts.timeline import Timeline, plot_state_timeline
from prefect_nbviz.errors import FrameError, QueryError
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.timeline import StateTimeline, TimelineChart

HOUR = 3_600 * SECOND
RUNS = 3_000
EVIL = "<img src=x onerror=alert(1)>$y$"


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return long_history(RUNS)


@pytest.fixture(scope="module")
def timeline(history: pd.DataFrame) -> Timeline:
    return Timeline(history)


def hovers(fig: go.Figure) -> list[str]:
    return [text for trace in fig.data if trace.hovertext is not None for text in trace.hovertext]


def seen(fig: go.Figure, x: list[str] | None = None, y: list[float] | None = None) -> dict[str, Any]:
    return {"of": json.loads(fig.to_json())["layout"]["meta"], "x": x, "y": y}


def test_all_of_many_runs_are_drawn_and_it_says_how(history: pd.DataFrame) -> None:
    fig = plot_state_timeline(history)
    assert subtitle(fig) == "3,000 runs; 15,000 stays as pixels, each of 120 lines holds every 120th run"
    assert len(fig.to_json()) < 1_000_000
    assert [trace.name for trace in fig.data if trace.name] == [
        *("AwaitingRetry", "Pending", "Running", "Retrying", "Completed", "Failed", "TimedOut", "Crashed")
    ]
    part = history.head(5_000)
    part.attrs[frames.ATTRS] = {"matched": 4_000, "truncated": True}
    assert subtitle(Timeline(part).figure(theme="light")).startswith("1,000 runs drawn, of 4,000 that match")


def test_a_few_more_runs_than_bars_take_are_all_there(history: pd.DataFrame) -> None:
    few, many = (plot_state_timeline(history.head(5 * runs)) for runs in (1_000, 1_001))
    assert {trace.type for trace in few.data} == {"bar", "scatter"}
    assert not few.layout.images
    assert many.layout.images
    assert subtitle(many).startswith("1,001 runs; 5,005 stays as pixels")


@pytest.mark.parametrize("tz", ["UTC", "Asia/Kolkata"])
def test_the_picture_lies_where_its_time_is(history: pd.DataFrame, tz: str) -> None:
    view = View(BEGIN + 5 * HOUR, BEGIN + 29 * HOUR)
    fig = Timeline(history, tz=tz).figure(view, theme="light")
    image, offset = fig.layout.images[0], timedelta(hours=5, minutes=30) * (tz != "UTC")
    begin = datetime.fromisoformat(image.x) - offset
    end = begin + timedelta(milliseconds=image.sizex)
    assert datetime(2026, 3, 1, 4, 58) < begin <= datetime(2026, 3, 1, 5)
    assert datetime(2026, 3, 2, 5) <= end < datetime(2026, 3, 2, 5, 2)
    assert datetime.fromisoformat(fig.layout.xaxis.range[0]) - offset == datetime(2026, 3, 1, 5)
    points = fig.data[0]
    middle = pd.to_datetime(points.x, unit="ms") - offset
    assert ((middle > begin) & (middle < end)).all()


def test_what_hovers_says_the_runs_the_time_and_the_states(timeline: Timeline) -> None:
    texts = hovers(timeline.figure(theme="light"))
    assert len(texts) > 500
    one = next(text for text in texts if text.startswith("<b>d"))
    assert re.search(r"<br>2026-03-0\d \d\d:\d\d:\d\d to (2026-03-0\d )?\d\d:\d\d:\d\d UTC<br>", one)
    many = next(text for text in texts if "runs</b>" in text)
    assert "%" in many
    assert any("x Failed" in text for text in texts)


def test_a_part_with_few_stays_is_bars_of_exactly_these(history: pd.DataFrame, timeline: Timeline) -> None:
    start = BEGIN + 30 * HOUR
    fig = timeline.figure(View(start, start + HOUR), theme="light")
    moments = history[["start_time", "end_time"]].apply(lambda times: times.astype("int64"))
    is_in = (moments["start_time"] < start + HOUR) & (moments["end_time"] > start)
    drawn = sorted((run, trace.name) for trace in fig.data if trace.name != "still open" for run in trace.customdata)
    expected = history[is_in]
    assert drawn == sorted(zip(expected["run_id"], expected["state_name"], strict=True))
    assert subtitle(fig) == (f"{expected['run_id'].nunique()} in view of 3,000 runs; {len(expected)} stays as bars")
    assert fig.layout.xaxis.range == ("2026-03-02T06:00:00.000000", "2026-03-02T07:00:00.000000")
    assert {label[:7] for label in fig.layout.yaxis.categoryarray} == {"d02-h06"} | (
        {label[:7] for label in expected["run_name"]}
    )


def test_where_nothing_is_it_says_so(timeline: Timeline) -> None:
    fig = timeline.figure(View(BEGIN - 9 * HOUR, BEGIN - 8 * HOUR), theme="dark")
    assert fig.layout.annotations[0].text == "Nothing in this view"
    assert subtitle(fig) == "0 in view of 3,000 runs"


def test_moved_axes_say_the_view(timeline: Timeline) -> None:
    fig = timeline.figure(theme="light")
    day = timeline.view(seen(fig, x=["2026-03-02 06:00", "2026-03-03 05:59:59.5"]))
    assert day == View(BEGIN + 30 * HOUR, BEGIN + 54 * HOUR - SECOND // 2)
    hours = timeline.view(seen(timeline.figure(day, theme="light"), x=["2026-03-02 06:00", "2026-03-02 16:00"]))
    part = timeline.figure(hours, theme="light")
    rows = timeline._stays.within(hours).rows
    assert timeline.view(seen(part, y=[99.5, 19.5])) == View(hours.start, hours.end, int(rows[20]), int(rows[99]) + 1)


@settings(max_examples=20)
@given(first=st.integers(0, 150), length=st.integers(1, 100), moved=st.integers(-40, 40))
def test_rows_stay_the_same_runs_when_they_are_moved(timeline: Timeline, first: int, length: int, moved: int) -> None:
    hours = View(BEGIN + 30 * HOUR, BEGIN + 40 * HOUR)
    rows = timeline._stays.within(hours).rows
    last = min(first + length, len(rows)) - 1
    some = timeline.view(seen(timeline.figure(hours, theme="light"), y=[last + 0.5, first - 0.5]))
    assert timeline._stays.within(some).rows.tolist() == rows[first : last + 1].tolist()
    on = timeline.view(seen(timeline.figure(some, theme="light"), y=[last - first + moved + 0.5, moved - 0.5]))
    expected = rows[max(first + moved, 0) : max(last + moved + 1, 1)]
    assert timeline._stays.within(on).rows.tolist() == expected.tolist() or not len(expected)


def test_a_view_never_goes_far_from_all_stays(timeline: Timeline) -> None:
    fig = timeline.figure(theme="light")
    far = timeline.view(seen(fig, x=["1990-01-01", "2090-01-01"]))
    assert datetime(2026, 2, 20) < pd.Timestamp(far.start, unit="us") < datetime(2026, 2, 24)
    assert datetime(2026, 3, 14) < pd.Timestamp(far.end, unit="us") < datetime(2026, 3, 18)
    away = timeline.view(seen(fig, x=["2090-01-01", "2090-01-02"]))
    assert far.start <= away.start < away.end <= far.end
    assert timeline.figure(away, theme="light").layout.annotations[0].text == "Nothing in this view"


def test_a_column_can_give_the_rows(history: pd.DataFrame) -> None:
    named = history.assign(flow_name=history["run_name"].str[4:7].where(history["run_name"] != "d01-h00-0", EVIL))
    fig = plot_state_timeline(named, group_by="flow_name")
    assert subtitle(fig) == "3,000 runs; 15,000 stays as pixels, a line for each flow_name"
    assert len(fig.layout.yaxis.ticktext) == 25
    assert fig.layout.yaxis.ticktext[1] == "h00"
    assert not any("<img" in text or "$" in text for text in [*fig.layout.yaxis.ticktext, *hovers(fig)])
    empty = Timeline(named, group_by="flow_name").figure(View(BEGIN - 9 * HOUR, BEGIN - 8 * HOUR), theme="light")
    assert empty.layout.annotations[0].text == "Nothing in this view"
    with pytest.raises(QueryError, match=r"group_by cannot be 'flow_nam'. Did you mean 'flow_name'"):
        plot_state_timeline(named, group_by="flow_nam")


def test_names_of_strangers_stay_text_in_pixels(history: pd.DataFrame) -> None:
    evil = history.assign(run_name=EVIL, state_name=history["state_name"].astype("str").replace("Running", EVIL))
    texts = [text for text in hovers(plot_state_timeline(evil)) if "&lt;img" in text]
    assert any(text.startswith("<b>&lt;img") for text in texts)
    fig = plot_state_timeline(evil)
    assert any("&lt;img" in (trace.name or "") for trace in fig.data)
    assert not any("<img" in text or "$" in text for text in [*hovers(fig), *(trace.name or "" for trace in fig.data)])


def test_times_that_are_missing_are_refused(history: pd.DataFrame) -> None:
    broken = history.head(10).assign(end_time=lambda some: some["end_time"].mask(some.index == 3))
    with pytest.raises(FrameError, match="Some stays have no end_time"):
        plot_state_timeline(broken)


def test_the_widget_draws_the_part_that_is_asked_for(history: pd.DataFrame) -> None:
    chart = TimelineChart(page=Page())
    chart.show_intervals(history, of="first")
    first = json.loads(chart.figure)["layout"]
    assert first["meta"]["number"] == 0
    asked = {"of": first["meta"], "x": ["2026-03-02 06:00", "2026-03-02 07:00"], "y": None}
    chart.moved = {"seen": asked, "number": 3}
    part = json.loads(chart.figure)["layout"]
    assert (part["meta"]["number"], part["xaxis"]["range"][0][:13]) == (3, "2026-03-02T06")
    chart.page.theme = "dark"
    dark = json.loads(chart.figure)["layout"]
    assert dark["xaxis"]["range"] == part["xaxis"]["range"]
    assert dark["font"] != part["font"]
    chart.moved = {"seen": None, "number": 4}
    assert json.loads(chart.figure)["layout"]["xaxis"]["range"] == first["xaxis"]["range"]


def test_the_widget_of_few_stays_has_no_need_to_ask(history: pd.DataFrame) -> None:
    few = StateTimeline(history.head(50), tz="Asia/Kolkata")
    assert "meta" not in json.loads(few.chart.figure)["layout"]
    assert json.loads(few.chart.figure)["layout"]["xaxis"]["title"]["text"] == "time (Asia/Kolkata)"


def test_pixels_do_not_change_the_frame(history: pd.DataFrame) -> None:
    before = history.copy(deep=True)
    Timeline(history).figure(View(BEGIN, BEGIN + 50 * HOUR), theme="light")
    pd.testing.assert_frame_equal(history, before)
    assert np.array_equal(history.index, before.index)


def test_a_compact_timeline_has_an_end_to_its_height_and_goes_on_to_now(history: pd.DataFrame) -> None:
    few = history[history["run_id"].isin(history["run_id"].unique()[:90])].copy()
    tall = Timeline(few).figure(theme="light")
    compact = Timeline(few, compact=True).figure(theme="light")
    assert compact.layout.height < 700 < tall.layout.height
    assert subtitle(compact).startswith(subtitle(tall)), "no run is left out"
    last = few.index[few["state_type"] == "RUNNING"][-1]
    few.loc[last, "is_open"] = True
    few.loc[last, "end_time"] = few["end_time"].max() + pd.Timedelta(days=900)
    said = [Timeline(few, compact=one).figure(theme="light").layout.xaxis.title.text for one in (False, True)]
    assert ["still open" in one for one in said] == [True, False]


def test_a_zoom_stays_while_the_same_timeline_grows(history: pd.DataFrame) -> None:
    chart = TimelineChart(page=Page())
    chart.show_intervals(history.head(9_000), of="a")
    whole = json.loads(chart.figure)["layout"]
    chart.moved = {
        "seen": {"of": whole["meta"], "x": ["2026-03-01 01:00", "2026-03-01 02:00"], "y": None},
        "number": 1,
    }
    zoomed = json.loads(chart.figure)["layout"]
    assert zoomed["meta"]["view"] != whole["meta"]["view"]
    chart.show_intervals(history, of="a")
    assert json.loads(chart.figure)["layout"]["meta"] == zoomed["meta"]
    chart.show_intervals(history, of="b")
    assert json.loads(chart.figure)["layout"]["meta"]["view"] != zoomed["meta"]["view"]
