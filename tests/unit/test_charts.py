"""What the charts hold: every stay and every run, said honestly, with strangers' text made harmless."""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest
from drawn import bars, runs_in, subtitle

from prefect_nbviz import frames, schema
from prefect_nbviz.charts.counts import plot_state_counts
from prefect_nbviz.charts.timeline import plot_state_timeline
from prefect_nbviz.errors import FrameError, QueryError
from prefect_nbviz.states import STATE_NAMES, TERMINAL_STATE_TYPES, Theme, state_style

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
EVIL = "<img src=x onerror=alert(1)>%{x}$y$"
RETRIED = (("Pending", 1), ("Running", 2), ("AwaitingRetry", 3), ("Retrying", 4), ("Completed", 0))


def spans(*runs: tuple[str, tuple[tuple[str, float], ...]], start: datetime = START, **attrs: Any) -> pd.DataFrame:
    """Give the intervals of runs that begin a second after each other: name, (state, seconds) …"""
    rows: list[dict[str, Any]] = []
    for place, (name, steps) in enumerate(runs):
        at = start + timedelta(seconds=place)
        for step, (state, length) in enumerate(steps):
            kind, end = STATE_NAMES.get(state, "RUNNING"), at + timedelta(seconds=length)
            is_open = step == len(steps) - 1 and kind not in TERMINAL_STATE_TYPES
            of_run = {"run_kind": "task_run", "run_id": f"{place:036}", "run_name": name, "flow_run_id": None}
            of_state = {"state_type": kind, "state_name": state, "attempt": 1, "message": None}
            times = {"start_time": at.isoformat(), "end_time": end.isoformat(), "duration": end - at}
            rows.append(of_run | of_state | times | {"is_open": is_open})
            at = end
    frame = frames.typed(
        {name: [row[name] for row in rows] for name in schema.names(schema.INTERVALS)}, schema.INTERVALS
    )
    if attrs:
        frame.attrs[frames.ATTRS] = attrs
    return frame


def marks(fig: go.Figure) -> dict[str, go.Scatter]:
    return {trace.name: trace for trace in fig.data if trace.type == "scatter"}


def drawn(fig: go.Figure) -> set[tuple[str, str, datetime, float]]:
    """Give what a reader of the figure sees: state, run id, start on the axis, seconds."""
    seen = set()
    for bar in bars(fig):
        seen |= {
            (bar.name, run, datetime.fromisoformat(base), round(millis / 1_000, 6))
            for run, base, millis in zip(bar.customdata, bar.base, bar.x, strict=True)
        }
    for name, points in marks(fig).items():
        if name != "still open":
            seen |= {
                (name, r, datetime.fromisoformat(x), 0.0) for r, x in zip(points.customdata, points.x, strict=True)
            }
    return seen


def held(intervals: pd.DataFrame, offset: timedelta = timedelta(0)) -> set[tuple[str, str, datetime, float]]:
    return {
        (
            row.state_name,
            row.run_id,
            row.start_time.tz_localize(None).to_pydatetime() + offset,
            row.duration.total_seconds(),
        )
        for row in intervals.itertuples()
    }


def test_the_bars_and_marks_are_the_intervals() -> None:
    intervals = spans(
        ("a", RETRIED), ("b", (("Pending", 0.0405), ("Cached", 0))), ("c", (("Late", 5), ("Running", 9.5)))
    )
    fig = plot_state_timeline(intervals)
    assert drawn(fig) == held(intervals)
    assert sum(len(trace.y) for trace in fig.data if trace.name != "still open") == len(intervals)


def test_each_state_has_its_own_look() -> None:
    fig = plot_state_timeline(spans(("a", RETRIED), ("b", (("Scheduled", 1), ("Late", 1), ("Cached", 0)))))
    looks = {bar.name: (bar.marker.color, bar.marker.pattern.shape) for bar in bars(fig)}
    assert len({*looks.values()}) == len(looks)
    assert looks["AwaitingRetry"] == (state_style("SCHEDULED").color, "/")
    assert all(bar.marker.line.color == bar.marker.color and bar.marker.line.width >= 1 for bar in bars(fig))
    assert marks(fig)["Completed"].marker.symbol != marks(fig)["Cached"].marker.symbol
    assert [trace.name for trace in fig.data][:3] == ["Scheduled", "Late", "AwaitingRetry"]


def test_open_stays_are_paler_and_end_in_an_arrow() -> None:
    fig = plot_state_timeline(spans(("a", (("Pending", 1), ("Running", 2))), ("b", (("Running", 3), ("Completed", 0)))))
    running = next(bar for bar in bars(fig) if bar.name == "Running")
    assert running.marker.opacity[0] < running.marker.opacity[1] == 1
    assert [*marks(fig)["still open"].x] == ["2026-03-01T06:00:03.000000"]
    assert "still open after 2 s" in running.hovertext[0]
    assert "still open" not in running.hovertext[1]


def test_what_is_open_for_long_does_not_squash_what_happened() -> None:
    happened = (("Running", 2), ("Completed", 0))
    short = plot_state_timeline(spans(("a", happened), ("b", (("NotReady", 3),))))
    long = plot_state_timeline(spans(("a", happened), ("b", (("NotReady", 3_600),))))
    assert short.layout.xaxis.range[1] > "2026-03-01T06:00:04"
    assert short.layout.xaxis.title.text == "time (UTC)"
    assert "2026-03-01T06:00:02" < long.layout.xaxis.range[1] < "2026-03-01T06:00:03"
    assert long.layout.xaxis.title.text == "time (UTC)<br>what is still open goes on to 2026-03-01 07:00:01"


def test_rows_are_in_order_of_first_start_from_the_top() -> None:
    intervals = spans(*((name, (("Completed", 0),)) for name in "zya")).iloc[::-1]
    fig = plot_state_timeline(intervals)
    assert [*fig.layout.yaxis.categoryarray] == ["z", "y", "a"]
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]


def test_labels_are_unique_and_short_and_the_full_name_hovers() -> None:
    long = "n" * 30 + "-middle-" + "m" * 30
    fig = plot_state_timeline(spans(*((name, (("Running", 1),)) for name in ("load", "load", long, long))))
    labels = [*fig.layout.yaxis.categoryarray]
    assert labels[:2] == ["load · 0000", "load · 0001"]
    assert len({*labels}) == len(labels)
    assert all(len(label) <= 40 for label in labels)
    assert long in fig.data[0].hovertext[2].replace("<br>", "")


def test_hover_says_state_attempt_message_start_and_length() -> None:
    intervals = spans(("load", (("Running", 83.5), ("Failed", 0))), start=START + timedelta(milliseconds=40))
    intervals["message"] = ["fine", "word " * 100]
    intervals["attempt"] = 2
    fig = plot_state_timeline(intervals, tz="Europe/Berlin")
    running, failed = fig.data[0].hovertext[0], fig.data[1].hovertext[0]
    assert (
        running
        == "<b>load</b><br>RUNNING · Running, attempt 2<br>fine<br>from 2026-03-01 07:00:00.040 CET<br>for 1 min 24 s"
    )
    assert len(failed) < 450
    assert failed.count("<br>") > 5
    assert "…" in failed
    assert "for " not in failed


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_of_a_strangers_text_is_markup(theme: Theme) -> None:
    intervals = spans((EVIL, (("Running", 1), (EVIL, 1), ("Failed", 0))))
    intervals["message"] = EVIL
    runs = runs_in(["Failed", EVIL], flow_name=[EVIL, EVIL + "2"], tags=[(EVIL,), ()], **{EVIL: [1, 2]})
    figures = [plot_state_timeline(intervals, theme=theme)]
    figures += [plot_state_counts(runs, by=by, theme=theme) for by in ("state_name", "flow_name", "tags", EVIL)]
    for fig in figures:
        plain = json.loads(fig.to_json())
        texts = [*_texts(plain, skip={"customdata", "template", "hovertemplate"})]
        assert any("&lt;img src=x" in text for text in texts)
        assert not any("<img" in text or "$" in text for text in texts)
        templates = {trace.hovertemplate for trace in fig.data} - {None}
        assert templates == {"%{hovertext}<extra></extra>"}
        assert not any(getattr(trace, "texttemplate", None) for trace in fig.data)


def _texts(value: Any, skip: set[str]) -> Any:
    if isinstance(value, dict):
        for name, one in value.items():
            if name not in skip:
                yield from _texts(one, skip)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, skip)
    elif isinstance(value, str):
        yield value


def test_an_escaped_legend_and_label_read_as_what_was_written() -> None:
    fig = plot_state_timeline(spans((EVIL, ((EVIL, 1),))))
    assert html.unescape(fig.data[0].name) == f"{EVIL} (RUNNING)"
    assert html.unescape(fig.layout.yaxis.categoryarray[0]) == EVIL


@pytest.mark.parametrize(
    ("attrs", "said"),
    [
        ({}, "2 runs"),
        ({"matched": 184}, "2 runs drawn, of 184 that match"),
        ({"matched": 2}, "all 2 runs that match"),
        ({"matched": None, "truncated": True}, "2 runs drawn, of more that match"),
        ({"matched": None, "truncated": False}, "2 runs"),
        ({"matched": 1}, "2 runs"),
    ],
)
def test_the_subtitle_says_how_many_of_how_many(attrs: dict[str, Any], said: str) -> None:
    assert subtitle(plot_state_timeline(spans(("a", RETRIED), ("b", RETRIED), **attrs))) == said
    runs = runs_in(["Failed", "Running"], flow_name=["x", "y"])
    runs.attrs[frames.ATTRS] = attrs
    assert {subtitle(plot_state_counts(runs, by=by)) for by in ("state_type", "state_name", "flow_name")} == {said}


def test_names_are_readable_at_43_runs_and_height_follows_the_runs() -> None:
    heights = {n: plot_state_timeline(spans(*(("a", RETRIED),) * n)).layout.height for n in (1, 43, 1_000)}
    assert heights[1] < 260
    assert 43 * 16 < heights[43] < 1_200
    assert heights[43] < heights[1_000] < 2_000


def test_the_axis_shows_the_wall_clock_of_the_zone_and_names_it() -> None:
    intervals = spans(("a", RETRIED))
    fig = plot_state_timeline(intervals, tz="Asia/Kolkata")
    assert fig.layout.xaxis.title.text == "time (Asia/Kolkata)"
    assert drawn(fig) == held(intervals, timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("change", "offset"),
    [(datetime(2026, 3, 29, 1, tzinfo=UTC), "+02:00"), (datetime(2026, 10, 25, 1, tzinfo=UTC), "+01:00")],
)
def test_bars_keep_their_lengths_and_places_when_the_clocks_change(change: datetime, offset: str) -> None:
    steps = (("Pending", 1_800.0), ("Running", 1_200.0), ("AwaitingRetry", 1_200.0), ("Completed", 0))
    intervals = spans(("a", steps), start=change - timedelta(minutes=40))
    fig = plot_state_timeline(intervals, tz="Europe/Berlin")
    assert fig.layout.xaxis.title.text == f"time (Europe/Berlin, UTC{offset} throughout)"
    assert drawn(fig) == held(intervals, timedelta(hours=int(offset[:3])))
    running = next(bar for bar in bars(fig) if bar.name == "Running")
    local = "01:50:00 CET" if offset == "+02:00" else "02:50:00 CEST"
    assert local in running.hovertext[0]


@pytest.mark.parametrize("tz", ["Europe/Berln", "", "../etc/passwd", "Europe", 5, None])
def test_an_unknown_zone_is_refused(tz: Any) -> None:
    with pytest.raises(QueryError, match="It is a name such as 'UTC'"):
        plot_state_timeline(spans(("a", RETRIED)), tz=tz)


def test_a_misspelt_zone_theme_and_column_get_a_hint() -> None:
    with pytest.raises(QueryError, match="Did you mean 'Europe/Berlin'"):
        plot_state_timeline(spans(("a", RETRIED)), tz="Europe/Berln")
    with pytest.raises(QueryError, match="Did you mean 'dark'"):
        plot_state_timeline(spans(("a", RETRIED)), theme="drak")
    with pytest.raises(
        QueryError, match=r"Did you mean 'flow_name'\? The columns are: state_type, state_name, flow_name"
    ):
        plot_state_counts(runs_in(["Failed"], flow_name=["x"]), by="flow_nam")


def test_missing_columns_are_refused() -> None:
    with pytest.raises(FrameError, match=r"'is_open'.*state_intervals\(\)"):
        plot_state_timeline(spans(("a", RETRIED)).drop(columns="is_open"))
    with pytest.raises(FrameError, match=r"'state_type'.*read_flow_runs\(\)"):
        plot_state_counts(pd.DataFrame({"name": ["a"]}))
    naive = spans(("a", RETRIED))
    naive["end_time"] = naive["end_time"].dt.tz_localize(None)
    with pytest.raises(FrameError, match="end_time holds no times with a time zone"):
        plot_state_timeline(naive)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_to_draw_is_said_quietly(theme: Theme) -> None:
    timeline = plot_state_timeline(frames.empty(schema.INTERVALS), theme=theme)
    assert timeline.layout.annotations[0].text == "No states to draw"
    for by in ("state_type", "flow_name", "tags"):
        counts = plot_state_counts(frames.empty(schema.TASK_RUNS), by=by, theme=theme)
        assert counts.layout.annotations[0].text == "No runs to count"
        assert not counts.data


def test_themes_are_transparent_and_differ_in_their_text() -> None:
    figures = [plot_state_timeline(spans(("a", RETRIED)), theme=theme) for theme in ("light", "dark")]
    assert {fig.layout.paper_bgcolor for fig in figures} == {fig.layout.plot_bgcolor for fig in figures}
    assert figures[0].layout.paper_bgcolor == "rgba(0,0,0,0)"
    light, dark = (int(fig.layout.font.color[1:3], 16) for fig in figures)
    assert light < 0x50
    assert dark > 0xC0
    assert figures[1].data[0].marker.color == state_style("SCHEDULED", theme="dark").color


def test_the_frames_are_not_changed() -> None:
    intervals, runs = spans(("a", RETRIED)), runs_in(["Failed"], tags=[("x",)])
    before = intervals.copy(deep=True), runs.copy(deep=True)
    plot_state_timeline(intervals)
    plot_state_counts(runs, by="tags")
    pd.testing.assert_frame_equal(intervals, before[0])
    pd.testing.assert_frame_equal(runs, before[1])
