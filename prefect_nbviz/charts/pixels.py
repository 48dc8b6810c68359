"""Pixels: what runs did in each cell of a view, and the picture of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from prefect_nbviz.arrays import Flags, Integers, Numbers
from prefect_nbviz.charts.stays import Stays, View
from prefect_nbviz.states import FAILURE_TYPES

"""Whole numbers of microseconds: exact below 2**53, which is 285 years."""

COLUMNS = 1_000
"""Pixels of a picture's width: about those that a notebook has."""

_FINE, _TALL = 4, 20  # pixels of a line that holds several rows, and at most of one that has its own
_THIN = 0.08  # of the time: lines that are filled for less would be a thin diagonal on an empty plot


@dataclass(frozen=True)
class Cells:
    """The cells of a view in which something is: a line of rows, in a column of time.

    Examples
    --------
    >>> import pandas as pd
    >>> one = np.array([0])
    >>> stays = Stays([("RUNNING", "Running")], pd.Index(["a"]), one, one, one, one, one + 15_000, one + 40_000)
    >>> cells = Cells.of(stays, View(0, 10_000_000), plot=480)
    >>> cells.step, cells.column.tolist(), cells.time[:, 0].tolist()
    (10000, [1, 2, 3], [5000.0, 10000.0, 10000.0])
    """

    stays: Stays
    """All stays that are in the view."""

    view: View
    """The view, which begins and ends with a column."""

    step: int
    """Microseconds of a column."""

    lines: int
    """How many lines there are."""

    height: int
    """Pixels of a line."""

    is_woven: bool
    """Whether rows that follow each other are in lines that do, and the next ones in the first lines again."""

    line_of: Integers
    """The line of each stay, from 0 at the top."""

    line: Integers
    """The line of each cell."""

    column: Integers
    """The column of each cell."""

    time: Numbers
    """Microseconds that runs stayed in each state in each cell: a row for each cell."""

    ends: Integers
    """How many runs came to an end in each state in each cell, or left it at once."""

    @classmethod
    def of(cls, stays: Stays, view: View, *, plot: int) -> Self:
        """Count what stays are in each cell of a view.

        Parameters
        ----------
        stays
            Stays, also those that are not in the view.
        view
            What is looked at.
        plot
            Pixels of height that there are for all lines.
        """
        step = view.step(COLUMNS)
        view = view.on_grid(step)
        stays = stays.within(view)
        rows = len(stays.rows)
        lines, height = lines_for(rows, plot)
        per_line = -(-rows // lines)
        lines = -(-rows // per_line)
        line_of = stays.rank // per_line
        if is_woven := per_line > 1 and _fill(stays, line_of, view) < _THIN:
            line_of = stays.rank % lines
        shape = lines, (view.end - view.start) // step, len(stays.keys)
        ends = _ends(stays, line_of, (stays.start - view.start) // step, shape)
        time = _time(stays, line_of, view.start, step, shape)
        found = np.flatnonzero(time.any(axis=1) | ends.any(axis=1))
        cells = found // shape[1], found % shape[1], time[found], ends[found]
        return cls(stays, view, step, lines, height, is_woven, line_of, *cells)

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return (self.view.end - self.view.start) // self.step

    @property
    def per_line(self) -> int:
        """How many rows a line holds at most."""
        return -(-len(self.stays.rows) // self.lines)

    def picture(self) -> npt.NDArray[np.uint8]:
        """Give the pixels of all lines: 1 + the number of a state, or 0 where nothing is.

        A cell shows, from its top: the states that runs stayed in, each as tall as its share of the time;
        then, if there is room, how most of the other ends went; then how most failures and crashes went,
        as tall as their share of the ends and a pixel at least.
        """
        fails = np.array([kind in FAILURE_TYPES for kind, _ in self.stays.keys], dtype=bool)
        failed, other = self.ends[:, fails].sum(axis=1), self.ends[:, ~fails].sum(axis=1)
        bad = -(-self.height * failed // np.maximum(failed + other, 1))
        room = self.height - bad
        good = np.where(self.time.any(axis=1), (other > 0) & (room > 1), room)
        best, worst, upto = _most(self.ends, ~fails), _most(self.ends, fails), np.cumsum(self.time, axis=1)
        drawn = np.zeros((self.lines, self.height, self.columns), dtype=np.uint8)
        for pixel in range(self.height):
            state = np.where(pixel < room, best, worst)
            state = np.where(pixel < room - good, _share(upto, pixel, room - good), state)
            drawn[self.line, pixel, self.column] = state + 1
        return drawn.reshape(-1, self.columns)


def lines_for(rows: int, plot: int) -> tuple[int, int]:
    """Give how many lines there are at most for some rows, and the pixels of each.

    Examples
    --------
    >>> [lines_for(rows, 480) for rows in (1, 100, 300, 480, 481)]
    [(1, 20), (100, 4), (300, 1), (480, 1), (120, 4)]
    """
    return (rows, min(plot // rows, _TALL)) if rows <= plot else (plot // _FINE, _FINE)


def _fill(stays: Stays, line: Integers, view: View) -> float:
    """Give the part of a view's time that lines of rows which began one after the other are filled in."""
    begins = np.flatnonzero(np.diff(line, prepend=-1))
    first = np.maximum(np.minimum.reduceat(stays.start, begins), view.start)
    last = np.minimum(np.maximum.reduceat(stays.end, begins), view.end)
    return float(np.median(last - first)) / (view.end - view.start)


def _ends(stays: Stays, line: Integers, column: Integers, shape: tuple[int, int, int]) -> Integers:
    is_end = stays.is_end
    cells = np.ravel_multi_index((line[is_end], column[is_end], stays.state[is_end]), shape)
    counted: Integers = np.bincount(cells, minlength=int(np.prod(shape))).reshape(-1, shape[2])
    return counted


def _time(stays: Stays, line: Integers, origin: int, step: int, shape: tuple[int, int, int]) -> Numbers:
    """Sum up the microseconds of each state in each cell.

    A stay is in its first column up to the end of that, in its last one from its beginning, and in those
    between them for as long as they last.
    """
    lines, columns, states = shape
    wide = lines, columns + 1, states
    lasts = ~stays.is_end
    begin, end = (np.clip(moments[lasts] - origin, 0, columns * step) for moments in (stays.start, stays.end))
    first, last = begin // step, end // step
    cell = np.ravel_multi_index((line[lasts], first, stays.state[lasts]), wide)
    size = int(np.prod(wide))
    time = np.bincount(cell, (np.minimum(end, (first + 1) * step) - begin).astype(float), size)
    goes_on = np.flatnonzero(first < last)
    next_cell, last_cell = cell[goes_on] + states, (cell + (last - first) * states)[goes_on]
    time += np.bincount(last_cell, (end - last * step)[goes_on].astype(float), size)
    between = np.bincount(next_cell, minlength=size) - np.bincount(last_cell, minlength=size)
    time = time.reshape(wide) + np.cumsum(between.reshape(wide), axis=1) * step
    summed: Numbers = time[:, :columns].reshape(-1, states)
    return summed


def _most(counts: Integers, states: Flags) -> Integers:
    """Give the state that counts most in each cell, among some."""
    most: Integers = np.where(states, counts, -1).argmax(axis=1)
    return most


def _share(upto: Numbers, pixel: int, pixels: Integers) -> Integers:
    """Give the state that a pixel of each cell falls to when its pixels are shared out by the sums of time."""
    state: Integers = (upto * (2 * pixels)[:, None] > (2 * pixel + 1) * upto[:, -1:]).argmax(axis=1)
    return state
