"""Concurrency: how many runs were running at once, over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.clock import TimeAxis, clock_text, zone_of
from prefect_nbviz.charts.style import HOVER, empty_figure, figure
from prefect_nbviz.charts.words import NONE, coverage, cut, duration_text, joined, left_out, safe
from prefect_nbviz.errors import FrameError
from prefect_nbviz.frames import micros
from prefect_nbviz.states import Theme, state_style

MAX_GROUPS_DRAWN = 6
"""As many groups get a panel, those that were most at once."""

MAX_STEPS_DRAWN = 6_000
"""With more changes than this, all panels together, pieces of time are drawn with their most and least."""

_ONE, _PANEL, _GAP = 260, 90, 44  # pixels of panels, and above each for its heading
_MILLI = 1_000
_SECOND = 1_000_000
_MANY = 100  # from here on a mean has no fraction
_MARGIN = 50  # of a part: nothing is cut off at the edges
_LEAST_SPAN = 1_000_000  # microseconds
_TITLE = 30  # letters
_PALE, _SOLID = "40", "b0"  # opacities of fills, as the end of a colour
_CORNER = {"x": 0, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom", "showarrow": False}


def plot_concurrency(steps: pd.DataFrame, *, tz: str = "UTC", theme: Theme = "light") -> go.Figure:
    """Draw how many runs were running at once, as a line that steps where their number changed.

    Parameters
    ----------
    steps
        What `concurrency_steps` gives, with its attrs. Each group has a panel, `MAX_GROUPS_DRAWN` at most; all have
        one scale, so that they can be compared.
    tz
        Name of the time zone of the axis and of what hovers, such as `"Europe/Berlin"`.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        The heading of a panel says the most, the mean over time, and the second in which it first was the most.
        Of more than `MAX_STEPS_DRAWN` changes, pieces of time are drawn, as the subtitle says: the line is the most
        that were at once in a piece, and what is filled darker the least, so that no peak is lost.

    Raises
    ------
    FrameError
        `steps` lacks a column, or the attrs that `concurrency_steps` gave it.
    QueryError
        There is no such time zone or theme.

    See Also
    --------
    concurrency_table : the numbers in the headings, as a frame.

    Examples
    --------
    >>> from prefect_nbviz import concurrency_steps
    >>> spans = pd.DataFrame({
    ...     "run_id": ["a", "b"], "state_type": "RUNNING", "is_open": False,
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T06:10Z"]),
    ...     "end_time": pd.to_datetime(["2026-01-01T06:20Z", "2026-01-01T06:40Z"]),
    ... })
    >>> plot_concurrency(concurrency_steps(spans)).layout.annotations[0].text
    'at most 2 · mean 1.25 · first 2026-01-01 06:10:00 UTC'
    """
    frames.require(steps, schema.names(tables.CONCURRENCY), made_by="concurrency_steps()")
    about = steps.attrs.get(frames.ATTRS, {})
    if "end" not in about:
        raise FrameError("The steps do not say how far they go: pass them as concurrency_steps() gives them.")
    zone = zone_of(tz)
    covered = coverage(about.get("runs", 0), steps, held=about.get("runs", 0))
    if steps.empty:
        return empty_figure("Runs at once", covered, "No runs that ran to draw", theme=theme)
    lines = _Line.all_of(steps, about)
    drawn, height = lines[:MAX_GROUPS_DRAWN], _ONE if len(lines) == 1 else _PANEL
    plot = (height + _GAP) * len(drawn)
    most_steps = MAX_STEPS_DRAWN // len(drawn)
    fig = figure("Runs at once", joined(covered, _left_out(lines, most_steps)), theme=theme, plot=plot)
    axis, settings = _axis(lines[0], zone), fig.layout.yaxis.to_plotly_json()
    top = max(line.most for line in drawn)
    settings |= {"range": [0, top * 1.08], "tickformat": ",d", "anchor": "x", "nticks": 5}
    settings |= {"dtick": 1} if top <= settings["nticks"] else {}
    for number, line in enumerate(drawn):
        name, upper = f"y{number + 1}" if number else "y", number * (height + _GAP) + _GAP
        domain = [1 - (upper + height) / plot, 1 - upper / plot]
        fig.update_layout({f"yaxis{name[1:]}": settings | {"domain": domain}})
        fig.add_traces([trace.update(yaxis=name) for trace in line.traces(axis, most_steps, theme)])
        fig.add_annotation(text=line.heading(zone, is_grouped=about.get("by")), y=domain[1], align="left", **_CORNER)
    return fig.update_layout(xaxis=axis.layout() | {"anchor": name}, hovermode="closest")


@dataclass(frozen=True)
class _Line:
    """The steps of one group, and where all groups begin and end."""

    title: str
    time: Integers
    running: Integers
    begin: int
    end: int

    @classmethod
    def all_of(cls, steps: pd.DataFrame, about: dict[str, Any]) -> list[Self]:
        begin, end = micros(pd.Series(pd.to_datetime([about["begin"], about["end"]], format="ISO8601"))).tolist()
        groups = steps.groupby("group", sort=False, observed=True, dropna=False)
        return [
            cls(NONE if pd.isna(group) else str(group), micros(held["time"]), held["running"].to_numpy(), begin, end)
            for group, held in groups
        ]

    @property
    def most(self) -> int:
        return int(self.running.max())

    def piece(self, most_steps: int) -> int:
        """Give the microseconds of a piece of time, of which there are half as many as steps that may be drawn."""
        return -(-(self.end - self.begin) // (most_steps // 2))

    def heading(self, zone: ZoneInfo, *, is_grouped: bool) -> str:
        lasts = np.diff(self.time, append=self.end)
        mean = int((self.running * lasts).sum()) / max(self.end - self.begin, 1)
        first = clock_text(int(self.time[self.running.argmax()]) // _SECOND * _SECOND, zone)
        said = (
            f"at most {self.most:,} · mean {f'{mean:,.0f}' if mean >= _MANY else f'{mean:.3g}'} · first {safe(first)}"
        )
        return f"<b>{safe(cut(self.title, _TITLE))}</b><br>{said}" if is_grouped else said

    def traces(self, axis: TimeAxis, most_steps: int, theme: Theme) -> list[go.Scatter]:
        color = state_style("RUNNING", theme=theme).color
        if len(self.time) <= most_steps:
            time = np.append(np.append(self.begin, self.time), self.end)
            running = np.append(np.append(0, self.running), self.running[-1])
            texts = [f"<b>{count:,}</b> from {clock_text(at, axis.zone)}" for at, count in _pairs(time, running)]
            return [_steps(time, running, axis, color, _SOLID, hovertext=texts)]
        time, most, least = self._pieces(self.piece(most_steps))
        texts = [
            f"<b>{low:,} to {high:,}</b> from {clock_text(at, axis.zone)}"
            for (at, high), low in zip(_pairs(time, most), least.tolist(), strict=True)
        ]
        lowest = _steps(time, least, axis, color, _SOLID, hoverinfo="skip").update(
            hovertemplate=None, line={"width": 0}
        )
        return [lowest, _steps(time, most, axis, color, _PALE, hovertext=texts)]

    def _pieces(self, length: int) -> tuple[Integers, Integers, Integers]:
        """Give where pieces of time begin, and the most and the least that were at once in each."""
        time = np.arange(self.begin, self.end, length)
        before = np.searchsorted(self.time, time, side="right")
        most = np.append(0, self.running)[before]
        least, piece = most.copy(), np.minimum((self.time - self.begin) // length, len(time) - 1)
        is_inside = self.time < self.end  # at the end itself all is over
        np.maximum.at(most, piece[is_inside], self.running[is_inside])
        np.minimum.at(least, piece[is_inside], self.running[is_inside])
        return np.append(time, self.end), np.append(most, most[-1]), np.append(least, least[-1])


def _pairs(time: Integers, running: Integers) -> Any:
    return zip(time.tolist(), running.tolist(), strict=True)


def _steps(time: Integers, running: Integers, axis: TimeAxis, color: str, opacity: str, **hover: Any) -> go.Scatter:
    return go.Scatter(
        mode="lines",
        x=(time + axis.offset) / _MILLI,
        y=running,
        line={"shape": "hv", "color": color, "width": 1.5},
        fill="tozeroy",
        fillcolor=color + opacity,
        showlegend=False,
        hovertemplate=HOVER,
        **hover,
    )


def _left_out(lines: list[_Line], most_steps: int) -> str:
    more = left_out(len(lines) - MAX_GROUPS_DRAWN, "value")
    if all(len(line.time) <= most_steps for line in lines[:MAX_GROUPS_DRAWN]):
        return more
    return joined(more, f"line: the most, dark: the least in {duration_text(lines[0].piece(most_steps))} each")


def _axis(line: _Line, zone: ZoneInfo) -> TimeAxis:
    margin = max(line.end - line.begin, _LEAST_SPAN) // _MARGIN
    return TimeAxis(zone, line.begin - margin, line.end + margin, last=line.end)
