"""Durations: how long runs took, by when they started, and whether that changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, percentiles
from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.charts.bars import end_symbol
from prefect_nbviz.charts.clock import TimeAxis, clock_text, zone_of
from prefect_nbviz.charts.panels import ENOUGH, Panels
from prefect_nbviz.charts.picks import Members, PointPicks, run_ids
from prefect_nbviz.charts.scales import Scale
from prefect_nbviz.charts.style import HOVER, empty_figure, figure, palette, state_labels
from prefect_nbviz.charts.words import cut, duration_text, joined, message_lines, run_name, safe
from prefect_nbviz.states import Theme, state_style

_MARGIN = 50  # of a part: nothing is cut off at the edges
_LEAST_SPAN = 600_000_000  # microseconds
_MILLI = 1_000
_HALVES = 2
_TITLE = 30  # letters of a heading's first line, besides the number of runs
_DOT, _MOST = 6, 14  # pixels of a dot, and of one that is many runs
_OPACITY = 0.75
_RING = 6  # pixels that a ring is wider than its dot
_OUTLIER = "outlier"
_DASHES = {"median": "solid", "p95": "dot"}
_CORNER = {"x": 0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "showarrow": False}


def plot_durations(
    runs: pd.DataFrame,
    *,
    by: str | None = None,
    tz: str = "UTC",
    log: bool | None = None,
    outliers: pd.DataFrame | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Draw how long runs took against when they started, in the colours of their states.

    Where there are enough runs, lines show the median and the p95 of pieces of time that hold the same number of
    runs each, `ENOUGH` at least. A heading says the median, the p95 and the longest of all runs of a panel, and
    the medians of its earlier and later half.

    Parameters
    ----------
    runs
        Flow runs or task runs with at least `name`, `state_type`, `state_name`, `start_time` and `duration`. Those
        that have no duration yet are not drawn, as the subtitle says.
    by
        A column whose values get a panel each, such as `"flow_name"`, `"task_key"` or `"tags"`: the
        `MAX_GROUPS_DRAWN` values of most runs.
    tz
        Name of the time zone of the axis and of what hovers, such as `"Europe/Berlin"`.
    log
        Whether the axis of durations is logarithmic; None: where they differ so much that short ones would lie on
        the ground otherwise. Runs of no time at all, or whose end is before their start, stand at its lower end.
    outliers
        What `duration_outliers` gives of the same runs, or other frames with a column `run_id`: dots that are one of
        these, or hold one, get a ring.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        Of more than a few thousand runs, those that would lie on each other are one dot, which says how many they
        are: none is left out. Lines and headings are of all runs of a panel, exactly.

    Raises
    ------
    FrameError
        `runs` lacks a column.
    QueryError
        There is no such column, time zone or theme.

    See Also
    --------
    duration_table : the numbers for each value of a column.
    plot_duration_trend : draws bins of time that one chooses.

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "name": "load", "state_type": "COMPLETED", "state_name": ["Completed", "Completed"],
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T07:00Z"]),
    ...     "duration": pd.to_timedelta([420, 580], unit="ms"),
    ... })
    >>> plot_durations(runs).layout.annotations[0].text
    '2 runs<br>p50 500 ms · p95 572 ms · max 580 ms'
    """
    zone = zone_of(tz)
    panels = Panels.of(runs, by=by)
    if not len(panels.rows):
        return empty_figure("Durations", panels.subtitle, "No runs that have ended to draw", theme=theme)
    labels = state_labels(panels.states)
    is_out = _is_outlier(panels, runs, outliers)
    legend = [*labels.values(), *([_OUTLIER] if is_out.any() else []), *_DASHES]
    fig = figure("Durations", _subtitle(panels, is_out), theme=theme, plot=panels.plot, legend=legend)
    axis, rows = _axis(panels, zone), fig.layout.yaxis.to_plotly_json()
    rings: list[go.Scatter] = []
    for number, title in enumerate(panels.titles):
        scale = Scale.of(panels.length[panels.places[number]], log=log)
        domain, name = panels.domain(number), "y" if not number else f"y{number + 1}"
        fig.update_layout({f"yaxis{name[1:]}": rows | scale.layout() | {"domain": domain, "anchor": "x"}})
        fig.add_traces([*_dots(panels, number, scale, labels, (runs["name"], zone, axis, theme))])
        fig.add_traces([*_lines(panels, number, scale, axis, theme)])
        rings += [ring.update(yaxis=name) for ring in _rings(panels, number, scale, axis, (is_out, theme))]
        fig.update_traces({"yaxis": name}, selector={"yaxis": None})
        fig.add_annotation(text=_heading(panels, number, title), y=domain[1], align="left", **_CORNER)
    fig.add_traces(rings)  # after all that duration_picks counts
    _show_in_legend_once(fig)
    times = axis.layout()
    return fig.update_layout(xaxis=times | {"anchor": name, "title": f"start {times['title']}"}, hovermode="closest")


def duration_picks(runs: pd.DataFrame, *, by: str | None = None) -> PointPicks:
    """Give which runs each dot of `plot_durations` stands for.

    Parameters
    ----------
    runs, by
        Those of `plot_durations`, with the ids of the runs.
    """
    panels = Panels.of(runs, by=by)
    traces: list[Members | None] = []
    for number, rows in enumerate(panels.places):
        dots = panels.dots(number)
        for part in panels.parts(number):
            of_part = np.isin(dots.dot, part)
            traces.append(Members(np.searchsorted(part, dots.dot[of_part]), panels.rows[rows[of_part]]))
        traces += [None] * len(panels.lines(number))
    return PointPicks(run_ids(runs), traces)


def _subtitle(panels: Panels, is_out: Flags) -> str:
    are_single = all(panels.dots(number).side == 0 for number in range(len(panels.places)))
    drawn = np.unique(np.concatenate([*panels.places]))
    outliers = int(is_out[drawn].sum())
    overlap = "" if are_single else "runs that lie on each other are one dot"
    ringed = f"{outliers:,} {'outlier' if outliers == 1 else 'outliers'} in a ring" if outliers else ""
    return joined(panels.subtitle, overlap, ringed)


def _axis(panels: Panels, zone: ZoneInfo) -> TimeAxis:
    begin, end = int(panels.start[0]), int(panels.start[-1])
    margin = max(end - begin, _LEAST_SPAN) // _MARGIN
    return TimeAxis(zone, begin - margin, end + margin, last=end)


def _dots(
    panels: Panels,
    number: int,
    scale: Scale,
    labels: dict[tuple[str, str], str],
    about: tuple[pd.Series, ZoneInfo, TimeAxis, Theme],
) -> Iterator[go.Scatter]:
    names, zone, axis, theme = about
    rows, dots = panels.places[number], panels.dots(number)
    for part in panels.parts(number):
        first = rows[dots.first[part]]
        key = panels.states[panels.state[first[0]]]
        color = state_style(*key, theme=theme).color
        line = {"color": palette(theme).card, "width": 0.5}
        look = {"color": color, "symbol": end_symbol(*key), "opacity": _OPACITY, "line": line}
        yield go.Scatter(
            mode="markers",
            x=_moments(panels.start[first], axis),
            y=scale.values(panels.length[first]),
            name=labels[key],
            marker=look | {"size": _sizes(dots.runs[part])},
            hovertext=[*_hovers(panels, number, part, labels[key], names, zone)],
            hovertemplate=HOVER,
        )


def _moments(times: Integers, axis: TimeAxis) -> Any:
    """Give times as plotly takes them in few bytes: milliseconds since 1970 on the clock of the axis."""
    return (times + axis.offset) / _MILLI


def _sizes(runs: Integers) -> Any:
    """Give pixels of dots: the area grows with the runs, up to what hides no other."""
    return _DOT if (runs == 1).all() else np.minimum(_DOT * np.sqrt(runs), _MOST).round(1)


def _hovers(panels: Panels, number: int, part: Integers, label: str, names: pd.Series, zone: ZoneInfo) -> Iterator[str]:
    dots, rows = panels.dots(number), panels.places[number]
    low, high = percentiles.of_groups(panels.length[rows], dots.dot, groups=len(dots.first), percents=[0, 100]).T
    for dot in part:
        at = rows[dots.first[dot]]
        name = message_lines(run_name(names.iloc[panels.rows[at]]))
        start = clock_text(panels.start[at], zone)
        lasted = duration_text(int(low[dot]))
        if dots.runs[dot] == 1:
            yield f"<b>{name}</b><br>{label}, {lasted}<br>{start}"
        else:
            yield f"<b>{dots.runs[dot]:,} runs</b><br>{label}, {lasted} to {duration_text(int(high[dot]))}<br>{start}"


def _lines(panels: Panels, number: int, scale: Scale, axis: TimeAxis, theme: Theme) -> Iterator[go.Scatter]:
    for name, (middle, length) in panels.lines(number).items():
        yield go.Scatter(
            mode="lines",
            x=_moments(middle, axis),
            y=scale.values(length),
            name=name,
            line={"color": palette(theme).text, "width": 2, "dash": _DASHES[name]},
            hovertext=[f"{name} {duration_text(one)}" for one in length.tolist()],
            hovertemplate=HOVER,
        )


def _is_outlier(panels: Panels, runs: pd.DataFrame, outliers: pd.DataFrame | None) -> Flags:
    """Tell of each run that has a duration whether it is an outlier."""
    if outliers is None:
        return np.zeros(len(panels.rows), dtype=bool)
    frames.require(outliers, ["run_id"], made_by="duration_outliers()")
    found: Flags = run_ids(runs)[panels.rows].isin(outliers["run_id"])
    return found


def _rings(
    panels: Panels, number: int, scale: Scale, axis: TimeAxis, about: tuple[Flags, Theme]
) -> Iterator[go.Scatter]:
    """Draw rings around dots; they lie above all and let what hovers and clicks through."""
    is_out, theme = about
    rows, dots = panels.places[number], panels.dots(number)
    held = np.unique(dots.dot[is_out[rows]])
    if len(held):
        first = rows[dots.first[held]]
        size = np.broadcast_to(_sizes(dots.runs), dots.runs.shape)[held] + _RING
        yield go.Scatter(
            mode="markers",
            x=_moments(panels.start[first], axis),
            y=scale.values(panels.length[first]),
            name=_OUTLIER,
            marker={"symbol": "circle-open", "size": size, "color": palette(theme).text, "line": {"width": 1.5}},
            hoverinfo="skip",
        )


def _heading(panels: Panels, number: int, title: str) -> str:
    """Sum up the runs of a panel: how long they took, and whether the later ones took longer.

    Its lines are short: one that a narrow cell cuts off would show another number.
    """
    length = panels.length[panels.places[number]]
    count = len(length)
    group = np.zeros(count, dtype=np.int64)
    median, p95, most = percentiles.of_groups(length, group, groups=1, percents=[50, 95, 100])[0].tolist()
    runs = f"{count:,} {'run' if count == 1 else 'runs'}"
    lines = [f"<b>{safe(cut(title, _TITLE))}</b> · {runs}" if title else runs]
    lines.append(f"p50 {duration_text(median)} · p95 {duration_text(p95)} · max {duration_text(most)}")
    if count >= _HALVES * ENOUGH:
        halves = (np.arange(count) * _HALVES) // count
        before, after = percentiles.of_groups(length, halves, groups=_HALVES, percents=[50])[:, 0].tolist()
        lines.append(f"p50 of the earlier half {duration_text(before)}, of the later {duration_text(after)}")
    return "<br>".join(lines)


def _show_in_legend_once(fig: go.Figure) -> None:
    """Let the panels share their entries of the legend, which show and hide the traces of all."""
    seen: set[str] = set()
    for trace in fig.data:
        trace.update(legendgroup=trace.name, showlegend=trace.name not in seen)
        seen.add(trace.name)
