"""Outages: a row for each flow that failed, a bar from each first failure to the next run that completed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.charts.clock import TimeAxis, clock_text, zone_of
from prefect_nbviz.charts.groups import Groups
from prefect_nbviz.charts.style import HOVER, empty_figure, fill
from prefect_nbviz.charts.words import coverage, duration_text, joined, message_lines
from prefect_nbviz.frames import micros
from prefect_nbviz.states import Theme, state_style

MAX_OUTAGES_DRAWN = 1_500
"""As many outages get a bar, the longest ones."""

_TITLE = "Outages"
_NAMES = ("down", "still down")
_OPEN_OPACITY = 0.55
_MARGIN = 50  # of the span of time
_LEAST_SPAN = 1_000_000  # microseconds
_MILLI = 1_000


def plot_outages(table: pd.DataFrame, *, tz: str = "UTC", theme: Theme = "light") -> go.Figure:
    """Draw from when to when flows failed: a row for each group of a table, a bar for each outage.

    Parameters
    ----------
    table
        What `outages` gives. Its first `MAX_GROUPS_DRAWN` groups are drawn: those that are down still, then those that
        were longest; of their outages the `MAX_OUTAGES_DRAWN` longest.
    tz
        Name of the time zone that is shown, such as `"Europe/Berlin"`.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        Behind each row stands how many outages there were, and how long in all. The subtitle says of how many runs it
        is, and what is not drawn. `customdata` of a bar is the id of the run that failed first.

    Raises
    ------
    FrameError
        `table` lacks a column.
    QueryError
        There is no such time zone or theme.

    See Also
    --------
    recovery_table : the numbers.

    Examples
    --------
    >>> from prefect_nbviz import outages
    >>> runs = pd.DataFrame({
    ...     "flow_run_id": ["a", "b", "c"], "flow_name": "etl", "state_type": ["FAILED", "CRASHED", "COMPLETED"],
    ...     "end_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T07:00Z", "2026-01-01T08:30Z"]),
    ... })
    >>> plot_outages(outages(runs, as_of=pd.Timestamp("2026-01-02T00:00Z"))).data[-1].text[0]
    ' 1 in 2 h 30 min'
    """
    frames.require(table, schema.names(tables.OUTAGES), made_by="outages()")
    zone, about = zone_of(tz), table.attrs.get(frames.ATTRS, {})
    held = about.get("runs", int(table["failed_runs"].sum()))
    covered = coverage(held, table, held=held)
    if table.empty:
        return empty_figure(_TITLE, covered, "No run failed", theme=theme)
    number, sums = _sums(table)
    groups = Groups.of(sums)
    drawn = table.assign(group=number)[number < len(groups.drawn)].nlargest(MAX_OUTAGES_DRAWN, "length")
    subtitle = joined(covered, groups.left_out(), _left_out(table, len(drawn)))
    axis = _axis(table, zone)
    fig = groups.figure(_TITLE, subtitle, theme=theme, legend=_NAMES).update_layout(barmode="overlay")
    for is_open, name in enumerate(_NAMES):
        some = drawn[drawn["is_open"] == bool(is_open)]
        fig.add_trace(_bars(some, groups, axis, theme).update(name=name, opacity=_OPEN_OPACITY if is_open else 1.0))
    ends = axis.wall(np.full(len(groups.labels), axis.end))
    groups.end(fig, [*ends], _ends(groups.drawn), theme=theme)
    return fig.update_xaxes(axis.layout())


def _sums(table: pd.DataFrame) -> tuple[Any, pd.DataFrame]:
    """Give the number of the group of each row, and a row for each group, as `Groups` takes it."""
    words = [*table.columns[: table.columns.get_loc("began")]]
    keys = table[words].astype(object)
    number, _ = pd.factorize(pd.MultiIndex.from_frame(keys) if words else np.zeros(len(table)), use_na_sentinel=False)
    held = table.groupby(number)
    sums = keys.iloc[np.unique(number, return_index=True)[1]].reset_index(drop=True)
    sums = sums.assign(runs=held["failed_runs"].sum(), outages=held.size(), length=held["length"].sum())
    sums.attrs[frames.ATTRS] = table.attrs.get(frames.ATTRS, {})
    return number, sums


def _axis(table: pd.DataFrame, zone: ZoneInfo) -> TimeAxis:
    begin, end = int(micros(table["began"]).min()), int(micros(table["recovered"]).max())
    margin = max(end - begin, _LEAST_SPAN) // _MARGIN
    return TimeAxis(zone, begin - margin, end + margin, last=end)


def _bars(some: pd.DataFrame, groups: Groups, axis: TimeAxis, theme: Theme) -> go.Bar:
    begin = micros(some["began"])
    lengths = micros(some["recovered"]) - begin
    marker = fill(state_style("FAILED", theme=theme), theme)
    marker["line"]["width"] = 1  # an outage of a second is seen in a month too
    return go.Bar(
        orientation="h",
        y=[groups.labels[one] for one in some["group"]],
        base=[*axis.wall(begin)],
        x=lengths / _MILLI,
        marker=marker,
        customdata=[*some["first_run_id"]],
        hovertext=[*_hovers(some.assign(begin=begin, micros=lengths), groups, axis.zone)],
        hovertemplate=HOVER,
    )


def _hovers(some: pd.DataFrame, groups: Groups, zone: ZoneInfo) -> Iterator[str]:
    for group, begin, length, is_open, failed in some[
        ["group", "begin", "micros", "is_open", "failed_runs"]
    ].itertuples(index=False, name=None):
        lasted = f"{'still down after' if is_open else 'down for'} {duration_text(length)}"
        runs = f"{failed:,} {'run' if failed == 1 else 'runs'} failed"
        name = message_lines(groups.names[group])
        yield f"<b>{name}</b><br>{lasted}<br>from {clock_text(begin, zone)}<br>{runs}"


def _ends(drawn: pd.DataFrame) -> Iterator[str]:
    lengths = drawn["length"].to_numpy(dtype="timedelta64[us]").astype(np.int64)
    for count, length in zip(drawn["outages"], lengths.tolist(), strict=True):
        yield f"{count:,} in {duration_text(length)}"


def _left_out(table: pd.DataFrame, drawn: int) -> str:
    return f"the longest {drawn:,} of {len(table):,} outages drawn" if drawn < len(table) else ""
