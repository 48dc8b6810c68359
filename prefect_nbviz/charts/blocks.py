"""Blocks: cells of a picture put together, so that what hovers over them is told in few texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from prefect_nbviz.arrays import Integers, Numbers
from prefect_nbviz.charts.pixels import Cells

SIDES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Pixels that the sides of blocks may have."""


_HEAD = 3  # what is told of a block before its states is as long as three of them


@dataclass(frozen=True)
class Blocks:
    """The blocks of cells in which something is, all of one size."""

    columns: int
    """How many columns each has."""

    lines: int
    """How many lines each has."""

    line: Integers
    """The first line of each."""

    column: Integers
    """The first column of each."""

    time: Numbers
    """Microseconds that runs stayed in each state in each block: a row for each block."""

    ends: Integers
    """How many runs came to an end in each state in each block, or left it at once."""

    runs: Integers
    """How many runs have a stay in each."""

    one: Integers
    """The run in each that has but one."""

    @classmethod
    def of(cls, cells: Cells, *, most: int) -> Self:
        """Put cells together until there are few enough blocks.

        Parameters
        ----------
        cells
            The cells.
        most
            As many states are told, in all blocks together; what else is told of a block counts as three.
        """
        for side in SIDES:
            columns, lines = side, max(side // cells.height, 1)
            width = -(-cells.columns // columns)
            block = cells.line // lines * width + cells.column // columns
            found, which = _numbered(block, (cells.lines // lines + 1) * width)
            if _HEAD * len(found) > most and side < SIDES[-1]:
                continue
            time, ends = (_sums(values, which, len(found)) for values in (cells.time, cells.ends))
            if _HEAD * len(found) + np.count_nonzero(time) + np.count_nonzero(ends) <= most:
                break
        runs, one = _runs(cells, (columns, lines, width))
        line, column = found // width * lines, found % width * columns
        return cls(columns, lines, line, column, time, ends.astype(np.int64), runs[found], one[found])


def _numbered(values: Integers, size: int) -> tuple[Integers, Integers]:
    """Give the distinct ones of whole numbers below `size`, and where each is among them."""
    is_there = np.zeros(size, dtype=bool)
    is_there[values] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[values]


def _sums(values: Numbers | Integers, which: Integers, size: int) -> Numbers:
    return np.stack([np.bincount(which, weights=column, minlength=size) for column in values.T], axis=1)


def _runs(cells: Cells, blocks: tuple[int, int, int]) -> tuple[Integers, Integers]:
    """Count the runs of each block, and add up their numbers: those of one run are its own.

    A stay counts in the blocks that no earlier stay of its run has reached.
    """
    columns, lines, width = blocks
    stays, view = cells.stays, cells.view
    line = cells.line_of // lines
    begin = np.maximum(stays.start - view.start, 0) // cells.step // columns
    end = np.maximum(np.minimum(stays.end, view.end) - view.start - 1, 0) // cells.step // columns
    end = np.maximum(begin, end)
    run = np.cumsum(np.diff(stays.run, prepend=-1) != 0) * width
    reached = np.maximum.accumulate(run + end)
    begin = np.maximum(begin, np.append(-1, reached[:-1]) + 1 - run)
    is_new = begin <= end
    wide = width + 1
    starts, stops = (line * wide + begin)[is_new], (line * wide + end + 1)[is_new]
    size = (cells.lines // lines + 1) * wide
    counts = _inside(starts, stops, np.ones(len(starts)), size, wide)
    return counts, _inside(starts, stops, stays.run[is_new].astype(float), size, wide)


def _inside(starts: Integers, stops: Integers, weights: Numbers, size: int, wide: int) -> Integers:
    """Add up what begins in a block or before it in its line, less what has stopped."""
    steps = np.bincount(starts, weights=weights, minlength=size) - np.bincount(stops, weights=weights, minlength=size)
    sums = np.cumsum(steps.reshape(-1, wide), axis=1)[:, :-1]
    return sums.astype(np.int64).ravel()
