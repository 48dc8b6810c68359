"""Panels: the runs of a frame that have a duration, by the values of a column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from prefect_nbviz import frames, percentiles
from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.dots import MAX_DOTS, Dots
from prefect_nbviz.charts.scales import Scale
from prefect_nbviz.charts.style import state_codes
from prefect_nbviz.charts.values import largest, rows_of
from prefect_nbviz.charts.words import coverage, joined
from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.frames import micros

MAX_GROUPS_DRAWN = 6
"""As many values of a column get a panel, those of most runs."""

ENOUGH = 20
"""Runs that a piece of time holds at least where it has a median and a p95."""

_MOST_PIECES = 24
_TWO = 2
_WIDTH, _ONE, _PANEL, _GAP = 800, 300, 110, 54  # pixels of panels, and between them for the heading of the next


@dataclass(frozen=True)
class Panels:
    """The runs of each panel."""

    rows: Integers
    """Where those runs are in the frame that have a duration, in the order of their start."""

    start: Integers
    """When each of these started, in microseconds since 1970."""

    length: Integers
    """How long each took, in microseconds."""

    state: Integers
    """The number of the state of each."""

    states: list[tuple[str, str]]
    """The states by number."""

    titles: list[str]
    """What each panel holds; nothing if it holds all."""

    places: list[Integers]
    """Which of `rows` are in each panel."""

    subtitle: str
    """What is drawn, of what."""

    @classmethod
    def of(cls, runs: pd.DataFrame, *, by: str | None) -> Self:
        """Put the runs of a frame into panels."""
        needed = ["name", "state_type", "state_name", "start_time", "duration"]
        frames.require(runs, needed, made_by="read_flow_runs() or read_task_runs()")
        if by is not None and by not in runs.columns:
            hint = did_you_mean(str(by), map(str, runs.columns))
            raise QueryError(f"by cannot be {by!r}.{hint} It is a column of the runs, or None for all.")
        rows = np.flatnonzero((runs["duration"].notna() & runs["start_time"].notna()).to_numpy())
        start = micros(runs["start_time"].iloc[rows])
        order = np.argsort(start, kind="stable")
        rows, start = rows[order], start[order]
        timed = runs.iloc[rows]
        length = timed["duration"].to_numpy(dtype="timedelta64[us]").astype(np.int64)
        state, states = state_codes(timed)
        titles, places, left = _groups(timed, by)
        drawn = len(np.unique(np.concatenate([*places, np.array([], dtype=np.int64)])))
        negative = int((length < 0).sum())
        subtitle = joined(
            coverage(drawn, runs, held=len(runs)),
            f"{len(runs) - len(rows):,} have no duration yet" if len(rows) < len(runs) else "",
            f"{negative:,} ended before the start, drawn at the lower end" if negative else "",
            left,
        )
        return cls(rows, start, length, state, states, titles, places, subtitle)

    @property
    def height(self) -> int:
        """Pixels of height of a panel."""
        return _ONE if len(self.places) == 1 else _PANEL

    @property
    def plot(self) -> int:
        """Pixels of height of all, each with a heading."""
        return (self.height + _GAP) * len(self.places)

    def domain(self, number: int) -> tuple[float, float]:
        """Give the parts of the plot's height between which a panel is; the first is on top."""
        top = number * (self.height + _GAP) + _GAP
        return 1 - (top + self.height) / self.plot, 1 - top / self.plot

    @cached_property
    def _all_dots(self) -> list[Dots]:
        span = max(int(self.start.max() - self.start.min()), 1)
        most = MAX_DOTS // len(self.places)
        found = []
        for rows in self.places:
            scale = Scale.of(self.length[rows])
            x = (self.start[rows] - self.start.min()) / span * _WIDTH
            found.append(Dots.of(x, scale.parts(self.length[rows]) * self.height, self.state[rows], most=most))
        return found

    def dots(self, number: int) -> Dots:
        """Give the dots of a panel; they are the same whatever the axis."""
        return self._all_dots[number]

    def parts(self, number: int) -> list[Integers]:
        """Give the dots of each state that a panel has, in the order of its traces."""
        dots = self.dots(number)
        state = self.state[self.places[number]][dots.first]
        return [np.flatnonzero(state == one) for one in np.unique(state)]

    def lines(self, number: int) -> dict[str, tuple[Integers, Integers]]:
        """Give the median and the p95 of pieces of time: the middles of the pieces, and the values.

        The pieces hold the same number of runs each, or one more.
        """
        rows = self.places[number]
        pieces = min(len(rows) // ENOUGH, _MOST_PIECES)
        if pieces < _TWO:
            return {}
        piece = np.arange(len(rows)) * pieces // len(rows)
        middle = percentiles.of_groups(self.start[rows], piece, groups=pieces, percents=[50])[:, 0]
        found = percentiles.of_groups(self.length[rows], piece, groups=pieces, percents=[50, 95])
        return {"median": (middle, found[:, 0]), "p95": (middle, found[:, 1])}


def _groups(timed: pd.DataFrame, by: str | None) -> tuple[list[str], list[Integers], str]:
    """Give what each panel holds and where those are, and what is to be said of others."""
    if timed.empty:
        return [], [], ""
    if by is None:
        return [""], [np.arange(len(timed))], ""
    values = largest(timed[by], np.zeros(len(timed), dtype=np.int64), states=1, most=MAX_GROUPS_DRAWN)
    return values.texts, rows_of(timed[by], values.texts), values.left_out
