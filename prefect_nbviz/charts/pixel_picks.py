"""Picks in a timeline of pixels: which runs are where a person points, and a veil over all others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.charts.clock import TimeAxis, read_wall
from prefect_nbviz.charts.pixels import Cells
from prefect_nbviz.charts.png import png_address
from prefect_nbviz.charts.raster import placed, rows_of_line
from prefect_nbviz.charts.style import palette
from prefect_nbviz.states import Theme

_NEAR = 3  # columns beside the one that is pointed at: a hand is not as exact as a pixel
_TALLER = 1 + 1e-9  # plotly takes pictures of the same place and size for one
_VEIL = "c4"  # its opacity, of ff


@dataclass(frozen=True)
class PixelPicks:
    """The runs of a picture of cells."""

    cells: Cells
    """What is drawn."""

    axis: TimeAxis
    """The axis of time."""

    ids: pd.Series
    """The id of the run of each stay, at its place."""

    theme: Theme
    """The background that it is seen on."""

    def runs(self, picked: Mapping[str, Any]) -> tuple[str, ...]:
        """Give the ids of the runs in a part of the picture, those that began first before others.

        Parameters
        ----------
        picked
            `x` and `y`, the ranges of the axes. A point, whose ranges have no width, is the cell that it is in,
            or, where nothing is, those a few columns beside it.
        """
        if not picked.get("x"):
            return ()
        columns, lines = self._columns(picked["x"]), self._lines(picked["y"])
        is_picked = self._stays_in(columns, lines)
        if columns[0] == columns[1] and not is_picked.any():
            is_picked = self._stays_in((columns[0] - _NEAR, columns[1] + _NEAR), lines)
        return tuple(dict.fromkeys(map(str, self.ids.iloc[self.cells.stays.place[is_picked]])))

    def marks(self, runs: Collection[str]) -> dict[str, Any]:
        """Give the picture of a veil over all cells that no stay of some runs is in."""
        cells = self.cells
        is_marked = self.ids.isin([*runs]).to_numpy()[cells.stays.place]
        begin, end = self._reach
        veil = np.zeros((cells.lines, cells.columns), dtype=np.uint8)
        veil[cells.line, cells.column] = 1
        veil[self._covered(cells.line_of[is_marked], begin[is_marked], end[is_marked])] = 0
        address = png_address(np.repeat(veil, cells.height, axis=0), [palette(self.theme).card + _VEIL])
        veiled = placed(cells, self.axis, address)
        return {"veil": veiled | {"sizey": veiled["sizey"] * _TALLER}}

    @property
    def _reach(self) -> tuple[Integers, Integers]:
        """Give the first and the last column of each stay."""
        cells, last = self.cells, self.cells.columns - 1
        begin = np.clip((cells.stays.start - cells.view.start) // cells.step, 0, last)
        end = np.clip((cells.stays.end - 1 - cells.view.start) // cells.step, begin, last)
        return begin, end

    def _covered(self, line: Integers, begin: Integers, end: Integers) -> Flags:
        steps = np.zeros((self.cells.lines, self.cells.columns + 1), dtype=np.int64)
        np.add.at(steps, (line, begin), 1)
        np.add.at(steps, (line, end + 1), -1)
        covered: Flags = np.cumsum(steps, axis=1)[:, :-1] > 0
        return covered

    def _stays_in(self, columns: tuple[int, int], lines: tuple[int, int]) -> Flags:
        begin, end = self._reach
        line = self.cells.line_of
        return (begin <= columns[1]) & (end >= columns[0]) & (line >= lines[0]) & (line <= lines[1])

    def _columns(self, ends: Any) -> tuple[int, int]:
        first, last = sorted(read_wall(text, self.axis.offset) for text in ends)
        start, step = self.cells.view.start, self.cells.step
        return (first - start) // step, (last - start) // step

    def _lines(self, ends: Any) -> tuple[int, int]:
        first, last = sorted(int((end + 0.5) // rows_of_line(self.cells)) for end in ends)
        return first, last
