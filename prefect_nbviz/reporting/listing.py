"""Listings: rows of values as the texts of a table on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from prefect_nbviz.charts.words import NONE, duration_text

_LONGEST = 600  # letters of one text: the rest of a message is a traceback


@dataclass(frozen=True)
class Cell:
    """One text of a table; it may be a stranger's."""

    text: str
    """What is read."""

    state: str = ""
    """A state type whose colour stands before it."""

    address: str = ""
    """Where it leads."""


@dataclass(frozen=True)
class Listing:
    """A table: what it is of, its columns, its rows."""

    caption: str
    """What it lists, and what it leaves out."""

    heads: tuple[str, ...]
    """What stands above each column."""

    numbers: frozenset[str]
    """Which of these columns hold numbers."""

    rows: Sequence[tuple[Cell, ...]]
    """The rows, a cell for each column."""


Column = Callable[[Mapping[Any, Any]], Cell]
"""Gives the cell of a row."""


def listing(
    caption: str, table: pd.DataFrame, columns: Mapping[str, Column], *, numbers: Iterable[str] = (), most: int
) -> Listing:
    """List the first rows of a table, and say how many more there are.

    Parameters
    ----------
    caption
        What they are, as the beginning of a sentence.
    table
        What `columns` are called with, row by row.
    columns
        What stands above each column, and what gives its cells.
    numbers
        Which of these hold numbers.
    most
        As many rows are listed.

    Examples
    --------
    >>> flows = pd.DataFrame({"flow_name": ["etl", "ml"], "runs": [1200, 3]})
    >>> found = listing("Flows", flows, {"flow": lambda row: text(row["flow_name"])}, most=1)
    >>> found.caption, found.rows[0][0].text
    ('Flows: the first of 2.', 'etl')
    """
    left = len(table) - most
    first = "the first" if most == 1 else f"the first {most:,}"
    said = f"{caption}: {first} of {len(table):,}." if left > 0 else f"{caption}."
    rows = [tuple(column(row) for column in columns.values()) for row in table.head(most).to_dict("records")]
    return Listing(said, tuple(columns), frozenset(numbers), rows)


def text(value: Any) -> Cell:
    """Give a text, cut if it is long."""
    is_missing = pd.api.types.is_scalar(value) and pd.isna(value)
    shown = NONE if is_missing or not str(value).strip() else str(value)
    return Cell(shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…")


def names(values: Sequence[str], *, most: int = 5) -> Cell:
    """Give the first of some names, and how many more there are."""
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return Cell(", ".join(text(value).text for value in values[:most]) + more)


def number(value: int) -> Cell:
    """Give a whole number."""
    return Cell(f"{value:,}")


def share(part: int, whole: int) -> Cell:
    """Give a part of a whole in percent."""
    return Cell(share_text(part, whole))


def share_text(part: int, whole: int) -> str:
    """Give a part of a whole in percent; some are never nothing, and not all are never all.

    Examples
    --------
    >>> [share_text(part, 10_000) for part in (0, 1, 2_500, 9_999, 10_000)]
    ['0%', 'under 1%', '25%', 'over 99%', '100%']
    """
    if not whole:
        return ""
    percent = round(100 * part / whole)
    if percent == 0 and part:
        return "under 1%"
    return "over 99%" if percent == 100 and part < whole else f"{percent}%"  # noqa: PLR2004 - percent


def length(value: Any) -> Cell:
    """Give a length of time."""
    return Cell("" if pd.isna(value) else duration_text(value))


def moment(value: Any, zone: Any) -> Cell:
    """Give a moment to the second on the clocks of a zone."""
    return Cell("" if pd.isna(value) else f"{value.tz_convert(zone):%Y-%m-%d %H:%M:%S}")
