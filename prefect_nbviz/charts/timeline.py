"""The timeline: a Gantt chart in which a stay in a state, not a run, is a bar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames
from prefect_nbviz.charts.clock import TICKS, zone_of
from prefect_nbviz.charts.style import figure, fill, in_order_of_life, note, palette, state_keys, state_labels
from prefect_nbviz.charts.words import NONE, coverage, duration_text, message_lines, safe, unique_labels
from prefect_nbviz.errors import FrameError
from prefect_nbviz.states import TERMINAL_STATE_TYPES, Theme, state_style

MAX_RUNS_DRAWN = 1_000
"""As many runs are drawn, the newest ones."""

NEEDED = ("run_id", "run_name", "state_type", "state_name", "attempt", "start_time", "end_time", "is_open", "message")
"""The columns of `schema.INTERVALS` that are drawn."""

_ROW, _SMALLEST, _TALLEST = 20, 40, 1_400  # pixels: a run, the plot
_OPEN = "still open"
_FLAT = 6  # pixels of a run below which an outline would be all that is seen
_OPEN_OPACITY = 0.55
_MILLI = 1_000
_MOST_OPEN = 1
_LEAST_MARGIN = timedelta(milliseconds=500)
_HOVER = "%{hovertext}<extra></extra>"
_SYMBOLS = {
    "COMPLETED": "circle",
    "FAILED": "x",
    "CRASHED": "star",
    "CANCELLED": "square",
    "Cached": "diamond",
    "RolledBack": "circle-open",
    "TimedOut": "triangle-down",
}


def plot_state_timeline(intervals: pd.DataFrame, *, tz: str = "UTC", theme: Theme = "light") -> go.Figure:
    """Draw which run was in which state when: one row for each run, one bar for each stay.

    Waits are hatched, ends are markers, stays that are still open are paler and end in an arrow.
    Where stays that are open would squash what happened, the view ends after the last change, and
    the axis says so; a double click shows all.
    Runs stand in the order of their first state, the first on top; of more than
    `MAX_RUNS_DRAWN` the newest are drawn.

    Parameters
    ----------
    intervals
        What `state_intervals` gives: at least the columns in `NEEDED`.
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
        `intervals` lacks a column, or its times have no time zone.
    QueryError
        There is no such time zone or theme.

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
    frames.require(intervals, NEEDED, made_by="state_intervals()")
    _check_times(intervals)
    zone = zone_of(tz)
    if intervals.empty:
        empty = figure("Timeline", coverage(0, intervals, held=0), theme=theme, plot=160)
        return note(empty, "No states to draw", theme=theme)
    runs, held = _newest(intervals)
    drawn = intervals[intervals["run_id"].isin(runs.index)]
    axis = _Axis.over(drawn, zone)
    stays = _stays(drawn, runs, axis)
    subtitle = coverage(len(runs), intervals, held=held, newest=True)
    row = min(_ROW, _TALLEST / len(runs))
    labels = state_labels(in_order_of_life(stays["key"].unique()))
    entries = [*labels.values(), *([_OPEN] if stays["is_open"].any() else [])]
    fig = figure("Timeline", subtitle, theme=theme, plot=max(row * len(runs), _SMALLEST), legend=entries)
    fig.add_traces([*_traces(stays, labels, row, theme)])
    fig.update_layout(barmode="overlay", bargap=0.25, xaxis=axis.layout())
    rows = {"type": "category", "categoryorder": "array", "categoryarray": [*runs["label"]], "showgrid": False}
    return fig.update_yaxes(rows, range=[len(runs) - 0.5, -0.5])


def _check_times(intervals: pd.DataFrame) -> None:
    for name in ("start_time", "end_time"):
        if not isinstance(intervals[name].dtype, pd.DatetimeTZDtype):
            raise FrameError(
                f"{name} holds no times with a time zone: use pd.to_datetime(…, utc=True) if they are UTC."
            )


@dataclass(frozen=True)
class _Axis:
    """The axis of time. Plotly knows no time zones: it gets wall-clock times of one offset."""

    zone: ZoneInfo
    first: datetime
    """Start of the first stay, with the time zone."""

    last: datetime
    """End of the last stay, with the time zone."""

    settled: datetime
    """The last change of a state: after it come only stays that are still open."""

    steady: bool
    """Whether the zone has one offset throughout."""

    @classmethod
    def over(cls, stays: pd.DataFrame, zone: ZoneInfo) -> Self:
        times = pd.concat([stays["start_time"], stays["end_time"]]).dt.tz_convert(zone)
        settled = max(stays["start_time"].max(), stays.loc[~stays["is_open"].astype(bool), "end_time"].max())
        offsets = times.dt.tz_localize(None) - times.dt.tz_convert(None)
        steady = bool(offsets.min() == offsets.max())
        first, last, change = (
            pd.Timestamp(time).tz_convert(zone).to_pydatetime() for time in (times.min(), times.max(), settled)
        )
        return cls(zone, first, last, change, steady)

    @property
    def offset(self) -> timedelta:
        return self.last.utcoffset() or timedelta(0)

    def wall(self, times: pd.Series) -> npt.NDArray[np.str_]:
        """Give times as the text that plotly reads without loss: ISO with microseconds."""
        naive = times.dt.tz_convert(None).dt.as_unit("us") + self.offset
        texts: npt.NDArray[np.str_] = np.datetime_as_string(naive.to_numpy(dtype="datetime64[us]"), unit="us")
        return texts

    @property
    def end(self) -> datetime:
        """Where the first view ends: stays that are open for long would squash all that happened."""
        happened = self.settled - self.first
        is_squashed = happened and self.last - self.settled > _MOST_OPEN * happened
        return self.settled + happened * 0.1 if is_squashed else self.last

    def layout(self) -> dict[str, Any]:
        margin = (self.end - self.first) * 0.02 or _LEAST_MARGIN
        ends = pd.Series([self.first - margin, self.end + margin]).dt.tz_convert("UTC")
        name = safe(str(self.zone))
        sign = f"{self.last:%z}"
        title = name if self.steady else f"{name}, UTC{sign[:3]}:{sign[3:5]} throughout"
        tail = "" if self.end == self.last else f"; what is still open goes on to {self.last:%Y-%m-%d %H:%M:%S}"
        return {
            "type": "date",
            "title": f"time ({title}){tail}",
            "range": [*self.wall(ends)],
            "tickformatstops": TICKS,
        }


def _newest(intervals: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Give the runs to draw, in order of first start, with their labels; and how many there are."""
    first = intervals.groupby("run_id", sort=False).agg(start=("start_time", "min"), name=("run_name", "first"))
    runs = first.sort_index().sort_values("start", kind="stable").tail(MAX_RUNS_DRAWN)
    names = [name if isinstance(name, str) and name.strip() else NONE for name in runs["name"]]
    return runs.assign(name=names, label=unique_labels(names, [*map(str, runs.index)])), len(first)


def _stays(intervals: pd.DataFrame, runs: pd.DataFrame, axis: _Axis) -> pd.DataFrame:
    length = intervals["end_time"] - intervals["start_time"]
    named = intervals.assign(name=intervals["run_id"].map(runs["name"]), micros=length.dt.as_unit("us").astype("int64"))
    return pd.DataFrame(
        {
            "label": intervals["run_id"].map(runs["label"]),
            "run_id": intervals["run_id"],
            "key": state_keys(intervals),
            "is_open": intervals["is_open"],
            "start": axis.wall(intervals["start_time"]),
            "end": axis.wall(intervals["end_time"]),
            "millis": named["micros"] / _MILLI,
            "hover": [*_hovers(named, axis.zone)],
        },
        index=intervals.index,
    )


def _hovers(stays: pd.DataFrame, zone: ZoneInfo) -> Iterator[str]:
    starts = stays["start_time"].dt.tz_convert(zone).dt.as_unit("us")
    words = ("name", "state_type", "state_name", "attempt", "micros", "is_open", "message")
    for start, (name, kind, state, attempt, micros, is_open, message) in zip(
        starts, stays[[*words]].itertuples(index=False, name=None), strict=True
    ):
        lines = [f"<b>{message_lines(name)}</b>", f"{safe(str(kind))} · {safe(str(state))}, attempt {attempt}"]
        lines += [message_lines(message)] if isinstance(message, str) and message else []
        lines += [f"from {_clock(start)}"]
        if is_open:
            lines += [f"still open after {duration_text(micros)}"]
        elif kind not in TERMINAL_STATE_TYPES:
            lines += [f"for {duration_text(micros)}"]
        yield "<br>".join(lines)


def _clock(moment: pd.Timestamp) -> str:
    micros = moment.microsecond
    part = f".{micros:06d}" if micros % _MILLI else f".{micros // _MILLI:03d}" if micros else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{part} {moment:%Z}"


def _traces(
    stays: pd.DataFrame, labels: dict[tuple[str, str], str], row: float, theme: Theme
) -> Iterator[go.Bar | go.Scatter]:
    groups: dict[Any, pd.DataFrame] = dict([*stays.groupby("key", sort=False)])
    for key, label in labels.items():
        draw = _ends if key[0] in TERMINAL_STATE_TYPES else _bars
        yield draw(groups[key], key, row, theme).update(name=label)
    still_open = stays[stays["is_open"]]
    if len(still_open):
        yield _arrows(still_open, row, theme)


def _bars(stays: pd.DataFrame, key: tuple[str, str], row: float, theme: Theme) -> go.Bar:
    marker = fill(state_style(*key, theme=theme), theme)
    marker["line"]["width"] = 1.5 if row > _FLAT else 0.5
    marker["opacity"] = np.where(stays["is_open"], _OPEN_OPACITY, 1.0)
    return go.Bar(
        orientation="h",
        y=[*stays["label"]],
        base=[*stays["start"]],
        x=stays["millis"].to_numpy(dtype=float),
        marker=marker,
        **_hover(stays),
    )


def _ends(stays: pd.DataFrame, key: tuple[str, str], row: float, theme: Theme) -> go.Scatter:
    symbol = _SYMBOLS.get(key[1]) or _SYMBOLS[key[0]]
    color = state_style(*key, theme=theme).color
    return _points(stays, "start", {"symbol": symbol, "color": color, "size": _size(row), "line": _edge(row, theme)})


def _arrows(stays: pd.DataFrame, row: float, theme: Theme) -> go.Scatter:
    marker = {"symbol": "triangle-right-open", "color": palette(theme).text, "size": _size(row)}
    return _points(stays, "end", marker).update(name=_OPEN)


def _points(stays: pd.DataFrame, at: str, marker: dict[str, Any]) -> go.Scatter:
    return go.Scatter(mode="markers", x=[*stays[at]], y=[*stays["label"]], marker=marker, **_hover(stays))


def _edge(row: float, theme: Theme) -> dict[str, Any]:
    """Give the outline that sets a marker off from the bar that it ends."""
    return {"color": palette(theme).card, "width": 1 if row > _FLAT else 0}


def _size(row: float) -> float:
    return min(max(row * 0.75, 3), 11)


def _hover(stays: pd.DataFrame) -> dict[str, Any]:
    return {"customdata": [*stays["run_id"]], "hovertext": [*stays["hover"]], "hovertemplate": _HOVER}
