"""Dots: runs as points of time and length, those that would lie on each other as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from prefect_nbviz.arrays import Integers, Numbers

MAX_DOTS = 2_000
"""As many dots are drawn: with more, the browser would take too long to mark some of them."""

_SIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24)  # pixels within which runs are one dot


@dataclass(frozen=True)
class Dots:
    """The dots of some runs: each is where its first run is.

    Examples
    --------
    >>> dots = Dots.of(np.arange(9.0) // 3, np.zeros(9), np.zeros(9, dtype=int), most=3)
    >>> dots.dot.tolist(), dots.first.tolist()
    ([0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 3, 6])
    """

    dot: Integers
    """The number of the dot of each run."""

    first: Integers
    """The first run of each dot."""

    runs: Integers
    """How many runs each is."""

    side: int
    """Pixels within which runs are one dot; 0 when each run has its own."""

    @classmethod
    def of(cls, x: Numbers, y: Numbers, kind: Integers, *, most: int = MAX_DOTS) -> Self:
        """Put runs of one kind together that are near each other, until there are few enough dots.

        Parameters
        ----------
        x, y
            Where the runs are, in pixels.
        kind
            Whole numbers: what differs is never put together.
        most
            As many dots there may be, unless even those of the greatest size are more.
        """
        if len(x) <= most:
            each = np.arange(len(x))
            return cls(each, each, np.ones(len(x), dtype=np.int64), 0)
        for side in _SIDES:
            cells = np.column_stack([kind, x // side, y // side])
            _, first, dot, runs = np.unique(cells, axis=0, return_index=True, return_inverse=True, return_counts=True)
            if len(first) <= most:
                break
        return cls(dot.ravel(), first, runs, side)
