"""The timeline: which run was in which state when, as bars while they are few and as pixels when they are many."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames
from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.bars import ROW, draw_bars
from prefect_nbviz.charts.clock import TimeAxis, read_wall, zone_of
from prefect_nbviz.charts.picks import Picks, PointPicks
from prefect_nbviz.charts.pixel_picks import PixelPicks
from prefect_nbviz.charts.pixels import Cells
from prefect_nbviz.charts.raster import draw_pixels
from prefect_nbviz.charts.stays import Stays, View
from prefect_nbviz.charts.style import empty_figure
from prefect_nbviz.charts.words import coverage
from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.states import Theme

MAX_RUNS_AS_BARS = 1_000
"""With more runs than this a timeline is drawn as pixels."""

MAX_STAYS_AS_BARS = 5_000
"""With more stays than this a timeline is drawn as pixels."""

NEEDED = ("run_id", "run_name", "state_type", "state_name", "attempt", "start_time", "end_time", "is_open", "message")
"""The columns of `schema.INTERVALS` that are drawn."""

_FEW_RUNS, _FEW_STAYS = 96, 500  # a part is bars up to here: they are drawn in less than 0.3 s
_LOW, _HIGH = 40, 480  # pixels of height of a plot that is drawn anew in each view
_MIDDLE = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
_LEAST_VIEW = 1_000  # microseconds


def plot_state_timeline(
    intervals: pd.DataFrame, *, group_by: str | None = None, tz: str = "UTC", theme: Theme = "light"
) -> go.Figure:
    """Draw which run was in which state when: all runs, however many they are.

    Up to `MAX_RUNS_AS_BARS` runs with `MAX_STAYS_AS_BARS` stays: one row for each run, one bar for
    each stay. Waits are hatched, ends are markers, stays that are still open are paler and end in an arrow.
    Where stays that are open would squash what happened, the view ends after the last change, and
    the axis says so; a double click shows all.

    More are pixels, as the subtitle says. Where there are more runs than lines, a line holds several
    runs that began one after the other, and shares out its pixels: from its top the states that they
    stayed in, by time; a pixel for ends; then failures and crashes, by their share of the ends and a
    pixel at least, so that none is hidden. What hovers says how many runs are there and in which states.
    `StateTimeline` draws them anew where you zoom in.

    Runs stand in the order of their first state, the first on top.

    Parameters
    ----------
    intervals
        What `state_intervals` gives: at least the columns in `NEEDED`.
    group_by
        A column whose values get a row each, instead of the runs: `"flow_run_id"`, `"run_name"`, or
        one that you have joined to the intervals, such as `"flow_name"`. Always pixels. A run is in
        the row of its first stay.
    tz
        Name of the time zone of the axis and of what hovers, such as `"Europe/Berlin"`. When
        its clocks change within the chart, the axis keeps the last offset throughout and says so,
        since an hour that is there twice would put bars over each other.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        Its subtitle says how many of how many runs are drawn; `customdata` of a bar or a marker
        is its run_id.

    Raises
    ------
    FrameError
        `intervals` lacks a column, or its times are missing or have no time zone.
    QueryError
        There is no such column, time zone or theme.

    See Also
    --------
    https://docs.prefect.io/v3/concepts/states

    Examples
    --------
    >>> spans = pd.DataFrame({
    ...     "run_id": "a", "run_name": "load", "state_type": ["RUNNING"], "state_name": ["Running"],
    ...     "attempt": 1, "start_time": pd.to_datetime(["2026-01-01T06:00Z"]),
    ...     "end_time": pd.to_datetime(["2026-01-01T06:01Z"]), "is_open": False, "message": None,
    ... })
    >>> plot_state_timeline(spans, tz="Europe/Berlin").layout.xaxis.title.text
    'time (Europe/Berlin)'
    """
    return Timeline(intervals, group_by=group_by, tz=tz).figure(theme=theme)


class Timeline:
    """The stays of a frame, made ready to be drawn in any view.

    Parameters
    ----------
    intervals, group_by, tz
        Those of `plot_state_timeline`.
    compact
        Whether all of it is to be seen at once, however many its rows are and however long what is open lasts.
    """

    def __init__(
        self, intervals: pd.DataFrame, *, group_by: str | None = None, tz: str = "UTC", compact: bool = False
    ) -> None:
        frames.require(intervals, NEEDED, made_by="state_intervals()")
        if group_by is not None and group_by not in intervals.columns:
            hint = did_you_mean(str(group_by), map(str, intervals.columns))
            raise QueryError(f"group_by cannot be {group_by!r}.{hint} It is a column of the intervals.")
        self._intervals = intervals
        self._group_by = group_by
        self._is_compact = compact
        self._zone = zone_of(tz)
        self._stays = Stays.of(intervals, rows=group_by or "run_id")
        self._coverage = coverage(self._stays.runs, intervals, held=self._stays.runs)

    def figure(self, view: View | None = None, *, theme: Theme) -> go.Figure:
        """Draw a view, or all of it."""
        if self._intervals.empty:
            return empty_figure("Timeline", self._coverage, "No states to draw", theme=theme)
        is_few = self._is_few(self._stays, MAX_RUNS_AS_BARS, MAX_STAYS_AS_BARS)
        if view is None and is_few and not self._is_compact:
            axis = self._whole()
            return draw_bars(
                self._intervals, self._stays.names(self._stays.rows), axis, subtitle=self._coverage, theme=theme
            )
        return self._part(view, theme)

    def picks(self, fig: go.Figure, view: View | None = None, *, theme: Theme) -> Picks:
        """Give which runs a person picks in a figure, which is that of a view, or of all."""
        if not fig.layout.images:
            return PointPicks.of_points([() if trace.customdata is None else trace.customdata for trace in fig.data])
        axis = self._axis(view)
        cells = Cells.of(self._stays, view or View(axis.start, axis.end), plot=self._plot)
        return PixelPicks(cells, axis, self._intervals["run_id"], theme)

    def view(self, seen: Mapping[str, Any]) -> View:
        """Give the view that a person has moved the axes of a figure to.

        Parameters
        ----------
        seen
            `of`, the figure's `layout.meta`; `x` and `y`, the ranges of its axes, None where it was not moved.
        """
        start, end, first, last = seen["of"]["view"]
        if seen["y"] is not None:
            rows = self._stays.within(View(start, end)).rows
            first, last = _rows_between(rows, sorted(seen["y"]), seen["of"]["top"])
        if seen["x"] is not None:
            start, end = sorted(read_wall(text, seen["of"]["offset"]) for text in seen["x"])
        return View(*self._held(start, end), first, last)

    def _held(self, start: int, end: int) -> tuple[int, int]:
        """Keep a view from going far away from all stays, and from becoming nothing."""
        first, last = int(self._stays.start.min()), int(self._stays.end.max())
        around = max(last - first, _LEAST_VIEW)
        start = min(max(start, first - around), last + around - _LEAST_VIEW)
        return start, max(min(end, last + around), start + _LEAST_VIEW)

    def _is_few(self, stays: Stays, most_runs: int, most_stays: int) -> bool:
        return self._group_by is None and stays.runs <= most_runs and len(stays.row) <= most_stays

    def _axis(self, view: View | None) -> TimeAxis:
        return self._whole() if view is None else TimeAxis(self._zone, view.start, view.end, last=view.end)

    def _whole(self) -> TimeAxis:
        """Give the axis of the first view."""
        is_open = self._intervals["is_open"].to_numpy(dtype=bool)[self._stays.place]
        start, end = self._stays.start, self._stays.end
        return TimeAxis.over(self._zone, start, end, is_open, is_whole=self._is_compact)

    def _part(self, view: View | None, theme: Theme) -> go.Figure:
        """Draw a view so that a person can move on from it: its meta says to `view` where it is."""
        axis = self._axis(view)
        view = view or View(axis.start, axis.end)
        stays = self._stays.within(view)
        if self._is_few(stays, _FEW_RUNS, _FEW_STAYS) or not len(stays.row):
            fig = self._bars(stays, axis, theme)
        else:
            fig = self._pixels(Cells.of(self._stays, view, plot=self._plot), axis, theme)
        top = int(np.searchsorted(self._stays.within(View(view.start, view.end)).rows, view.first)) if view.first else 0
        return fig.update_layout(meta={"view": [*dataclasses.astuple(view)], "offset": axis.offset, "top": top})

    def _said(self, stays: Stays) -> str:
        return self._coverage if stays.runs == self._stays.runs else f"{stays.runs:,} in view of {self._coverage}"

    @property
    def _plot(self) -> int:
        """Pixels of height of the plot: the same in all views, so that the page does not jump."""
        return min(max(ROW * len(self._stays.labels), _LOW), _HIGH)

    def _pixels(self, cells: Cells, axis: TimeAxis, theme: Theme) -> go.Figure:
        names, unit, said = self._intervals["run_name"], self._group_by or "run", self._said(cells.stays)
        return draw_pixels(cells, axis, names=names, unit=unit, subtitle=said, theme=theme, plot=self._plot)

    def _bars(self, stays: Stays, axis: TimeAxis, theme: Theme) -> go.Figure:
        drawn, runs = self._intervals.iloc[np.sort(stays.place)], stays.names(stays.rows)
        said = f"{self._said(stays)}; {len(drawn):,} stays as bars" if runs else self._said(stays)
        fig = draw_bars(drawn, runs, axis, subtitle=said, theme=theme, plot=self._plot)
        return fig if runs else fig.add_annotation(text="Nothing in this view", showarrow=False, **_MIDDLE)


def _rows_between(rows: Integers, ends: Sequence[float], top: int) -> tuple[int, int | None]:
    """Give the first row that a range of the axis has, and the one after its last, None if that is the end.

    Parameters
    ----------
    rows
        All rows that have a stay in that time.
    ends
        The ends of the range.
    top
        Which of `rows` is at 0.
    """
    low, high = max(math.ceil(ends[0]) + top, 0), math.floor(ends[1]) + top
    if high >= len(rows) - 1:
        return (int(rows[min(low, len(rows) - 1)]) if low and len(rows) else 0), None
    first, last = (int(rows[min(one, len(rows) - 1)]) for one in (low, max(high, low)))
    return first if low else 0, last + 1
