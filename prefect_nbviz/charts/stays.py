"""Stays: those of a frame of intervals as whole numbers, in the order in which they are drawn."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.charts.style import state_codes
from prefect_nbviz.charts.words import NONE
from prefect_nbviz.errors import FrameError
from prefect_nbviz.frames import micros
from prefect_nbviz.states import TERMINAL_STATE_TYPES


@dataclass(frozen=True)
class View:
    """The part of a timeline that is looked at."""

    start: int
    """Where it begins, in microseconds since 1970."""

    end: int
    """Where it ends: a stay that begins there is not in it."""

    first: int = 0
    """Its first row."""

    last: int | None = None
    """The row after its last one; None for all."""

    def step(self, columns: int) -> int:
        """Give the microseconds of a column when there are about so many: a number of two digits and noughts.

        Examples
        --------
        >>> View(0, 3_600_000_000).step(1_000), View(0, 86_400_000_000).step(1_000)
        (3600000, 87000000)
        """
        exact = max(-(-(self.end - self.start) // columns), 1)
        unit = int(10 ** max(len(str(exact)) - 2, 0))
        return -(-exact // unit) * unit

    def on_grid(self, step: int) -> View:
        """Give the view that begins and ends with a column: moved views have the same columns."""
        return dataclasses.replace(self, start=self.start // step * step, end=-(-self.end // step) * step)


@dataclass(frozen=True)
class Stays:
    """Stays, row after row, those of a row run after run, those of a run in order of time.

    Examples
    --------
    >>> spans = pd.DataFrame({
    ...     "run_id": ["b", "a", "a"], "state_type": ["RUNNING", "RUNNING", "FAILED"],
    ...     "state_name": ["Running", "Running", "Failed"],
    ...     "start_time": pd.to_datetime([5_000, 1_000, 2_000], utc=True, unit="us"),
    ...     "end_time": pd.to_datetime([9_000, 2_000, 2_000], utc=True, unit="us"),
    ... })
    >>> stays = Stays.of(spans, rows="run_id")
    >>> stays.labels.tolist(), stays.row.tolist(), stays.start.tolist()
    (['a', 'b'], [0, 0, 1], [1000, 2000, 5000])
    >>> stays.within(View(0, 2_000)).place.tolist()
    [1]
    """

    keys: list[tuple[str, str]]
    """The states by their numbers, type and name, in the order of life."""

    labels: pd.Index
    """What each row holds: a run_id, or a value of the column that puts runs together."""

    place: Integers
    """Where each stay is in the frame."""

    row: Integers
    """Its row: the one that began first is 0."""

    run: Integers
    """Its run, by a number that means no more."""

    state: Integers
    """The number of its state."""

    start: Integers
    """Where it begins, in microseconds since 1970."""

    end: Integers
    """Where it ends; in a state in which a run has ended, where it begins."""

    @classmethod
    def of(cls, intervals: pd.DataFrame, *, rows: str) -> Self:
        """Take the stays of a frame.

        Raises
        ------
        FrameError
            A time is missing, or has no time zone.
        """
        _check_times(intervals)
        start = micros(intervals["start_time"])
        state, keys = state_codes(intervals)
        is_terminal = np.array([kind in TERMINAL_STATE_TYPES for kind, _ in keys], dtype=bool)[state]
        end = np.where(is_terminal, start, np.maximum(micros(intervals["end_time"]), start))
        run, labels = _numbered(intervals["run_id"])
        value = run
        if rows != "run_id":
            values, labels = _numbered(intervals[rows])
            value = values[_first_of_each(run)][run]
        order = _by_first(value, start, labels)
        row = np.empty(len(labels), dtype=np.int64)
        row[order] = np.arange(len(labels))
        stays = cls(keys, labels[order], np.arange(len(start)), row[value], run, state, start, end)
        return stays._sorted()

    @property
    def is_end(self) -> Flags:
        """Whether each is a moment: a state in which a run has ended, or that was left at once."""
        is_end: Flags = self.start == self.end
        return is_end

    @cached_property
    def rows(self) -> Integers:
        """The rows that have a stay."""
        has_one = np.zeros(len(self.labels), dtype=bool)
        has_one[self.row] = True
        return np.flatnonzero(has_one)

    @cached_property
    def rank(self) -> Integers:
        """Which of `rows` each is in."""
        ranks: Integers = np.cumsum(np.diff(self.row, prepend=self.row[:1]) != 0)
        return ranks

    @cached_property
    def runs(self) -> int:
        """How many runs there are."""
        return int(np.count_nonzero(np.bincount(self.run))) if len(self.run) else 0

    def names(self, rows: Integers) -> list[str]:
        """Give what some rows hold, as text."""
        return [NONE if pd.isna(label) else str(label) for label in self.labels[rows]]

    def within(self, view: View) -> Self:
        """Give those that can be seen in a view, whole even if it cuts them off."""
        last = len(self.labels) if view.last is None else view.last
        part = slice(*np.searchsorted(self.row, [view.first, last]))
        start, end = self.start[part], self.end[part]
        seen = (start < view.end) & ((end > view.start) | (start == view.start))
        return self if len(seen) == len(self.row) and seen.all() else self._taken(np.flatnonzero(seen) + part.start)

    def _sorted(self) -> Self:
        rises = (np.diff(self.row) > 0) | (
            (np.diff(self.row) == 0)
            & ((np.diff(self.run) > 0) | ((np.diff(self.run) == 0) & (np.diff(self.start) >= 0)))
        )
        return self if rises.all() else self._taken(np.lexsort((self.start, self.run, self.row)))

    def _taken(self, which: npt.NDArray[np.intp]) -> Self:
        arrays = ("place", "row", "run", "state", "start", "end")
        return dataclasses.replace(self, **{name: getattr(self, name)[which] for name in arrays})


def _check_times(intervals: pd.DataFrame) -> None:
    for name in ("start_time", "end_time"):
        if not isinstance(intervals[name].dtype, pd.DatetimeTZDtype):
            raise FrameError(
                f"{name} holds no times with a time zone: use pd.to_datetime(…, utc=True) if they are UTC."
            )
        if intervals[name].isna().any():
            raise FrameError(f"Some stays have no {name}: drop those rows, or make the intervals again.")


def _numbered(texts: pd.Series) -> tuple[Integers, pd.Index]:
    """Give each row the number of its text, and the texts; neighbours that are alike are looked at once."""
    values = texts.array
    changes = np.ones(len(values), dtype=bool)
    changes[1:] = np.asarray(pd.isna(values[1:]) | (values[1:] != values[:-1]), dtype=bool)
    codes, found = pd.factorize(values[changes], use_na_sentinel=False)
    return codes[np.cumsum(changes) - 1].astype(np.int64), pd.Index(found, tupleize_cols=False)


def _first_of_each(numbers: Integers) -> npt.NDArray[np.intp]:
    """Give where each of the whole numbers from 0 on is first."""
    return np.unique(numbers, return_index=True)[1]


def _by_first(value: Integers, start: Integers, labels: pd.Index) -> Integers:
    """Give the values in the order of their first start; those that began together in the alphabet's."""
    first = np.full(len(labels), np.iinfo(np.int64).max)
    np.minimum.at(first, value, start)
    order: Integers = np.argsort(first, kind="stable")
    if (np.diff(first[order]) == 0).any():
        order = np.lexsort((np.array([*map(str, labels)]), first))
    return order
