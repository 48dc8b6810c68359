"""Trend of durations: the median of each bin of time, and the band around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.clock import TimeAxis, span_text, zone_of
from prefect_nbviz.charts.groups import Groups
from prefect_nbviz.charts.panels import MAX_GROUPS_DRAWN
from prefect_nbviz.charts.scales import Scale
from prefect_nbviz.charts.style import HOVER, empty_figure, figure
from prefect_nbviz.charts.words import ONCE_A_TAG, coverage, duration_text, joined, left_out, safe
from prefect_nbviz.frames import micros
from prefect_nbviz.states import Theme, state_style

MAX_BINS_DRAWN = 1_500
"""As many bins are drawn, shared by the panels: the newest of each."""

_TITLE = "Durations over time"
_BAND, _MEDIAN = "p10 to p90", "median"
_PERCENTS = ("p10", "p50", "p90")
_ONE, _PANEL, _GAP = 260, 110, 44  # pixels of panels, and between them for the heading of the next
_CORNER = {"x": 0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "showarrow": False}


def plot_duration_trend(trend: pd.DataFrame, *, theme: Theme = "light") -> go.Figure:
    """Draw how long runs took by when they started: the median as a line, and a band from p10 to p90.

    Each bin is drawn as wide as it is, and one in which no run with a duration started is a gap.

    Parameters
    ----------
    trend
        What `duration_trend` gives. Its first `MAX_GROUPS_DRAWN` groups, those of most runs, get a panel each, with
        their newest bins, `MAX_BINS_DRAWN` in all.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        Its subtitle says of how many runs it is, and what is not drawn.

    Raises
    ------
    FrameError
        `trend` lacks a column.
    QueryError
        There is no such theme.

    See Also
    --------
    plot_durations : draws each run.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-01-01T00:00Z", "2026-01-02T00:00Z", "2026-01-03T00:00Z"])
    >>> lengths = {name: pd.to_timedelta([1, 2], unit="s") for name in ("p10", "p50", "p90")}
    >>> trend = pd.DataFrame({
    ...     "bin_start": times[:2], "bin_end": times[1:], "count": [3, 4], "without_duration": 0, **lengths
    ... })
    >>> plot_duration_trend(trend).layout.title.subtitle.text
    '7 runs'
    """
    frames.require(trend, schema.names(tables.DURATION_TREND), made_by="duration_trend()")
    about = trend.attrs.get(frames.ATTRS, {})
    zone = zone_of(about.get("tz", "UTC"))
    panels, left = _panels(trend)
    subtitle = _subtitle(trend, panels, left)
    if not panels:
        return empty_figure(_TITLE, subtitle, "No runs that have ended to draw", theme=theme)
    height = _ONE if len(panels) == 1 else _PANEL
    plot = (height + _GAP) * len(panels)
    fig = figure(_TITLE, subtitle, theme=theme, plot=plot, legend=[_BAND, _MEDIAN])
    rows, axis = fig.layout.yaxis.to_plotly_json(), _axis([bins for _, bins in panels], zone)
    for number, (title, bins) in enumerate(panels):
        lengths = _lengths(bins)
        scale = Scale.of(lengths.ravel())
        top = number * (height + _GAP) + _GAP
        name = "y" if not number else f"y{number + 1}"
        place = {"domain": (1 - (top + height) / plot, 1 - top / plot), "anchor": "x"}
        fig.update_layout({f"yaxis{name[1:]}": rows | scale.layout() | place})
        traces = _traces(bins, lengths, (scale, axis, zone), theme)
        fig.add_traces([trace.update(yaxis=name, showlegend=not number) for trace in traces])
        fig.add_annotation(text=_heading(title, bins), y=place["domain"][1], align="left", **_CORNER)
    times = axis.layout()
    return fig.update_layout(xaxis=times | {"anchor": name, "title": f"start {times['title']}"}, hovermode="closest")


def _panels(trend: pd.DataFrame) -> tuple[list[tuple[str, pd.DataFrame]], tuple[int, int]]:
    """Give the title and the bins of each panel, and how many runs and groups are not drawn."""
    keys = [*map(str, trend.columns[: trend.columns.get_loc("bin_start")])]
    named = trend[keys].assign(runs=0)
    named.attrs = trend.attrs
    distinct = named.drop_duplicates()
    by_key = named.groupby(keys, sort=False, dropna=False, observed=True) if keys else None
    number = np.zeros(len(trend), dtype=np.int64) if by_key is None else by_key.ngroup().to_numpy(dtype=np.int64)
    titles = Groups.of(distinct).labels if keys else [""]
    groups = int(number.max(initial=-1)) + 1
    shown = min(groups, MAX_GROUPS_DRAWN)
    drawn = [trend[number == one].tail(MAX_BINS_DRAWN // shown) for one in range(shown)]
    panels = [(titles[one], bins[bins["count"] > 0]) for one, bins in enumerate(drawn)]
    panels = [(title, bins) for title, bins in panels if len(bins)]
    runs = int(trend["count"].sum()) - sum(int(bins["count"].sum()) for _, bins in panels)
    return panels, (runs, groups - len(drawn))


def _subtitle(trend: pd.DataFrame, panels: list[tuple[str, pd.DataFrame]], left: tuple[int, int]) -> str:
    about = trend.attrs.get(frames.ATTRS, {})
    drawn = sum(int(bins["count"].sum()) for _, bins in panels)
    without = int(trend["without_duration"].sum())
    many = "tags" in about.get("by", [])
    held = about.get("runs", int(trend["count"].sum()) + without)
    missing = without + about.get("without_start", 0)
    runs, groups = left
    return joined(
        coverage(held if many else drawn, trend, held=held),
        ONCE_A_TAG if many else f"{missing:,} have no duration yet" if missing else "",
        left_out(groups, "group"),
        f"{runs:,} runs in all are in groups or older bins that are not drawn" if runs else "",
        f"bins of {safe(about['freq'])}" if "freq" in about else "",
    )


def _heading(title: str, bins: pd.DataFrame) -> str:
    runs = int(bins["count"].sum())
    said = f"{runs:,} {'run' if runs == 1 else 'runs'}"
    return f"<b>{title}</b> · {said}" if title else said


def _axis(bins: list[pd.DataFrame], zone: ZoneInfo) -> TimeAxis:
    begin = min(int(micros(one["bin_start"]).min()) for one in bins)
    end = max(int(micros(one["bin_end"]).max()) for one in bins)
    return TimeAxis(zone, begin, end, last=end)


def _lengths(bins: pd.DataFrame) -> Integers:
    lengths: Integers = bins[[*_PERCENTS]].to_numpy(dtype="timedelta64[us]").astype(np.int64)
    return lengths


def _traces(
    bins: pd.DataFrame, lengths: Integers, about: tuple[Scale, TimeAxis, ZoneInfo], theme: Theme
) -> Iterator[go.Scatter]:
    scale, axis, zone = about
    begin, end = micros(bins["bin_start"]), micros(bins["bin_end"])
    pieces = np.split(np.arange(len(bins)), np.flatnonzero(begin[1:] != end[:-1]) + 1)
    color = state_style("RUNNING", theme=theme).color
    low, middle, high = (scale.values(one) for one in lengths.T)
    hovers = [*_hovers(bins, lengths, begin, end, zone)]
    x: list[Any] = []
    y: list[Any] = []
    for piece in pieces:
        edges = _clock(np.column_stack([begin[piece], end[piece]]).ravel(), axis)
        x += [*edges, *edges[::-1], None]
        y += [*np.repeat(high[piece], 2), *np.repeat(low[piece], 2)[::-1], None]
    yield go.Scatter(
        x=x, y=y, name=_BAND, mode="lines", line={"width": 0}, fill="toself", fillcolor=color, opacity=0.3, hoverinfo="skip"
    )  # fmt: skip
    yield go.Scatter(
        x=_line(pieces, _clock(begin, axis), _clock(end, axis)),
        y=_line(pieces, middle, middle),
        name=_MEDIAN,
        mode="lines",
        line={"color": color, "width": 2},
        hovertext=_line(pieces, hovers, hovers),
        hovertemplate=HOVER,
    )


def _clock(times: Integers, axis: TimeAxis) -> list[float]:
    """Give times as plotly takes them in few bytes: milliseconds since 1970 on the clock of the axis."""
    clock: list[float] = ((times + axis.offset) / 1_000).tolist()
    return clock


def _line(pieces: list[npt.NDArray[Any]], first: Any, last: Any) -> list[Any]:
    """Give what is at both ends of each bin, with a gap behind each piece."""
    found = []
    for piece in pieces:
        found += [one for place in piece.tolist() for one in (first[place], last[place])]
        found.append(None)
    return found


def _hovers(bins: pd.DataFrame, lengths: Integers, begin: Integers, end: Integers, zone: ZoneInfo) -> Iterator[str]:
    for place, count in enumerate(bins["count"].tolist()):
        low, middle, high = map(duration_text, lengths[place].tolist())
        runs = "run" if count == 1 else "runs"
        times = span_text(int(begin[place]), int(end[place]), zone)
        yield f"<b>{middle}</b> median of {count:,} {runs}<br>p10 {low} · p90 {high}<br>{times}"
