"""Orders of runs that are total, and the filters that let a page begin at a key."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from prefect_nbviz.criteria import SORTS_BY_START, SORTS_HERE, RunKind

Body = dict[str, Any]
Row = Mapping[str, Any]


def iso(moment: datetime) -> str:
    """Give a moment as the server takes it: UTC with microseconds and four digits of the year, to sort as time does.

    Examples
    --------
    >>> iso(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)), iso(datetime(70, 1, 1, tzinfo=UTC))
    ('2026-01-02T03:04:00.000000Z', '0070-01-01T00:00:00.000000Z')
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Read a time of the server's answer."""
    return datetime.fromisoformat(text)


def is_done_here(sort: str, kind: RunKind) -> bool:
    """Say whether an order takes reading all that matches, since the server cannot page in it.

    Examples
    --------
    >>> is_done_here("START_TIME_DESC", "task_run"), is_done_here("START_TIME_DESC", "flow_run")
    (True, False)
    """
    return sort in SORTS_HERE or (kind == "task_run" and sort in SORTS_BY_START)


@dataclass(frozen=True)
class Order:
    """An order of runs that is total: by a key, then by id, descending; runs without the key last."""

    sort: str
    """Prefect's word for it, or ours where Prefect has none."""

    @property
    def is_descending(self) -> bool:
        """Whether the largest key comes first."""
        return self.sort.endswith("_DESC")

    @cached_property
    def field(self) -> str:
        """The field that it sorts by."""
        return self.sort.rpartition("_")[0].lower()

    @cached_property
    def is_by_time(self) -> bool:
        """Whether the server can filter by the key, so that a page can begin at one."""
        return self.field.endswith("_time")

    @property
    def reversed(self) -> Order:
        """The same the other way round."""
        return Order(f"{self.field.upper()}_{'ASC' if self.is_descending else 'DESC'}")

    @property
    def moves_to_head(self) -> bool:
        """Whether a run that starts or ends meanwhile leaves its place for the head of the order."""
        return self.is_descending and self.field in {"start_time", "end_time"}

    def key(self, row: Row) -> Any:
        """Give what a row is sorted by: a time, a length of time, or text. None for a row that lacks it."""
        if self.field == "duration":
            start, end = row["start_time"], row["end_time"]
            return moment(end) - moment(start) if start and end else None
        value = row[self.field]
        if self.field == "start_time" and value is None:
            value = row["expected_start_time"]
        return value if value is None or not self.is_by_time else moment(value)

    def arrange(self, rows: Iterable[Row]) -> list[Row]:
        """Put rows in order."""
        keyed = [(self.key(row), row) for row in sorted(rows, key=lambda row: row["id"], reverse=True)]
        with_key = sorted((p for p in keyed if p[0] is not None), key=lambda p: p[0], reverse=self.is_descending)
        return [row for _, row in with_key] + [row for key, row in keyed if key is None]

    def arrange_ties(self, rows: Iterable[Row]) -> list[Row]:
        """Put rows of equal keys in order; the keys stay in the order that the server gave them."""
        groups = (group for _, group in itertools.groupby(rows, self.key))
        return [row for group in groups for row in sorted(group, key=lambda row: row["id"], reverse=True)]

    def from_key(self, key: datetime) -> Body:
        """Give the filter for rows at a key and after it."""
        return {self.field: {"before_" if self.is_descending else "after_": iso(key)}}

    def beyond_key(self, key: datetime) -> Body:
        """Give the filter for rows after a key."""
        return self.from_key(key + timedelta(microseconds=-1 if self.is_descending else 1))

    def at_key(self, key: Any) -> Body:
        """Give the filter for the rows of one key."""
        if self.is_by_time:
            return {self.field: {"after_": iso(key), "before_": iso(key)}}
        return {self.field: {"any_": [key]}}
