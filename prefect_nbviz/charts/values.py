"""Values of a column: which ones most runs have, and in which states those are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.charts.words import NONE, left_out


@dataclass(frozen=True)
class Values:
    """The largest values of a column, and what they leave out."""

    texts: list[str]
    """The values as text, that of most runs first; of equal ones the smallest."""

    runs: Integers
    """How many runs there are, a row for each value and a column for each state."""

    totals: Integers
    """How many runs have each value."""

    drawn: int
    """How many runs have one of the values at least."""

    more_values: int
    """How many values are left out."""

    more_runs: int
    """How many runs have one of those at least."""

    @property
    def left_out(self) -> str:
        """What a chart says of the values that are left out."""
        runs = "run" if self.more_runs == 1 else "runs"
        return left_out(self.more_values, "value", f", with {self.more_runs:,} {runs}")


@dataclass(frozen=True)
class _Held:
    """What the rows of a column hold. A row holds one thing, such as its tags, and with it a value or many."""

    thing: Integers
    """The number of what each row holds."""

    pairs: tuple[Integers, Integers]
    """Numbers of things, and beside them those of their values."""

    distinct: pd.Index[Any]
    """The values by number: text, or what has an order of its own and is made text later."""


def largest(column: pd.Series[Any], state: Integers, *, states: int, most: int) -> Values:
    """Count runs by value and state; a run counts once under each of its values.

    Parameters
    ----------
    column
        One value for each run, or many as a tuple or list.
    state
        The number of the state of each run, below `states`.
    states
        How many states there are.
    most
        As many values are kept.

    Examples
    --------
    >>> tags = pd.Series([("a", "b"), ("a",), ()])
    >>> values = largest(tags, np.array([0, 1, 1]), states=2, most=2)
    >>> values.texts, values.runs.tolist(), values.drawn, values.more_runs
    (['a', '(none)'], [[1, 1], [0, 1]], 3, 1)
    """
    held = _held(column)
    thing_of, value_of = held.pairs
    runs = np.bincount(held.thing)
    totals = np.bincount(value_of, weights=runs[thing_of]).astype(np.int64)
    kept = _first(totals, held.distinct, most)
    is_kept = np.isin(value_of, kept)
    is_drawn, is_left = np.zeros((2, len(runs)), dtype=bool)
    is_drawn[thing_of[is_kept]] = True
    is_left[thing_of[~is_kept]] = True
    return Values(
        texts=[_text(value) for value in held.distinct[kept]],
        runs=_table(held, kept, is_drawn, state, states),
        totals=totals[kept],
        drawn=int(runs[is_drawn].sum()),
        more_values=len(totals) - len(kept),
        more_runs=int(runs[is_left].sum()),
    )


def rows_of(column: pd.Series[Any], texts: Sequence[str]) -> list[Integers]:
    """Give where the runs are that have each of some values, which are given as text.

    Examples
    --------
    >>> [rows.tolist() for rows in rows_of(pd.Series([("a", "b"), ("a",), ()]), ["a", "(none)"])]
    [[0, 1], [2]]
    """
    held = _held(column)
    thing_of, value_of = held.pairs
    number = {_text(value): place for place, value in enumerate(held.distinct)}
    return [np.flatnonzero(np.isin(held.thing, thing_of[value_of == number[text]])) for text in texts]


def _table(held: _Held, kept: Integers, is_drawn: Flags, state: Integers, states: int) -> Integers:
    """Count the runs of each value that is kept, by state, of those whose thing is drawn."""
    rows = is_drawn[held.thing]
    cell, cells = pd.factorize((held.thing * states + state)[rows])
    (thing, kind), runs = np.divmod(cells, states), np.bincount(cell)
    thing_of, value_of = held.pairs
    table = np.zeros((len(kept), states), dtype=np.int64)
    for row, value in zip(table, kept, strict=True):
        has = np.isin(thing, thing_of[value_of == value])
        np.add.at(row, kind[has], runs[has])
    return table


def _first(totals: Integers, values: pd.Index[Any], most: int) -> Integers:
    """Give the numbers of the largest values, in order."""
    least = np.partition(totals, -most)[-most] if len(totals) > most else 0
    among = np.flatnonzero(totals >= least)
    among = among[values[among].argsort()]
    return among[np.argsort(-totals[among], kind="stable")][:most]


def _held(column: pd.Series[Any]) -> _Held:
    if isinstance(column.dtype, pd.CategoricalDtype):
        held = column.array.remove_unused_categories()
        missing = len(held.categories)
        things = [_texts(value) for value in held.categories] + [(NONE,)] * bool((held.codes < 0).any())
        return _many(np.where(held.codes < 0, missing, held.codes).astype(np.int64), things)
    if column.dtype == "object" or isinstance(column.dtype, pd.ArrowDtype):
        column = column.astype("object")
        tuples = column if _are_tags(column) else column.map(_texts)
        return _many(*pd.factorize(tuples.to_numpy()))
    if column.dtype == "str":
        column = column.mask(column == "", '""').fillna(NONE)
    code, values = pd.factorize(column, sort=column.dtype != "str", use_na_sentinel=False)
    each = np.arange(len(values))
    return _Held(code, (each, each), values)


def _are_tags(column: pd.Series[Any]) -> bool:
    """Tell whether all are tuples of text: others may be equal that do not read the same, such as 1 and True."""
    return {*map(type, column)} == {tuple} and {*map(type, chain.from_iterable(column))} <= {str}


def _many(thing: Integers, things: Any) -> _Held:
    texts = [_texts(value) for value in things]
    thing_of = np.repeat(np.arange(len(texts)), [len(one) for one in texts])
    value_of, values = pd.factorize(np.array([*chain.from_iterable(texts)], dtype=object))
    return _Held(thing, (thing_of, value_of), pd.Index(values, dtype="str"))


def _texts(value: Any) -> tuple[str, ...]:
    """Give what is to be read of one thing, each value once."""
    if not pd.api.types.is_list_like(value):
        return (_text(value),)
    return tuple(dict.fromkeys(_text(one) for one in value)) or (NONE,)


def _text(value: Any) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return NONE
    return str(value) or '""'
