"""Reading again what was read before, or its first part: only what can have changed is asked for.

The API does not tell what has changed since. But of the runs that had ended, nearly all that change
show it: they are unfinished now, or they ended anew, or the server's figures for the runs of a state
that were expected at about the same time no longer fit the rows that are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.abilities import Abilities
from prefect_nbviz.order import Body, Order, iso
from prefect_nbviz.plan import Plan
from prefect_nbviz.reading import figures
from prefect_nbviz.reading.counting import count
from prefect_nbviz.reading.figures import Bins
from prefect_nbviz.reading.harvest import Harvest
from prefect_nbviz.reading.pages import Pages
from prefect_nbviz.reading.past_reads import Kept
from prefect_nbviz.reading.rows import run_frame
from prefect_nbviz.reading.worker import Progress, together
from prefect_nbviz.states import STATE_TYPES, TERMINAL_STATE_TYPES

LATELY = timedelta(minutes=5)
"""How long before the last read a run may have ended and still be read anew: clocks differ, and task runs are recorded
a while after they end."""

FEW = 50
"""Rows that are read rather than looked at more closely."""

_MOST_SPANS = 5
"""Times in which something changed, each with a request or two of its own, that are read where all takes as few."""

MANY = 5_000
"""Rows of a read of which more than a page or two may have changed."""

_BINS = 500
"""What the server gives with one request, at most."""

_ROWS_IN_BIN = 10
"""Rows to a bin, so that a small read has few: 500 bins take the server the time of 150 rows."""

_BINS_IN_BIN = 100
"""Bins for a closer look, which the server gives in the time of some 30 rows."""

Span = tuple[datetime, datetime]
"""First and last moment."""

_UNFINISHED: Body = {"state": {"type": {"any_": [kind for kind in STATE_TYPES if kind not in TERMINAL_STATE_TYPES]}}}


class Again:
    """One reading again of what is kept.

    Parameters
    ----------
    pages, plan
        Where the runs are, and which.
    kept
        What was read before.
    columns
        Those of the frame, but for `rows.RUN_TIME`.
    as_of
        The beginning of this read.
    """

    def __init__(
        self, pages: Pages, plan: Plan, kept: Kept, *, columns: tuple[schema.Column, ...], as_of: datetime
    ) -> None:
        self._pages = pages
        self._everything = plan
        self._is_cut = kept.is_cut
        self._plan = plan.narrowed([_up_to_the_last(kept.frame, Order(plan.sort))]) if kept.is_cut else plan
        self._columns = columns
        self._as_of = as_of
        ended_since = kept.as_of - LATELY
        self._ended = {"end_time": {"after_": iso(ended_since)}}
        self._id = f"{plan.kind}_id"
        self._asked: set[str] = set()
        self.frame = kept.frame[kept.frame["state_type"].isin(TERMINAL_STATE_TYPES)]
        """The rows in order, once it was read: all that match, or as many as the limit lets through."""
        self.matched = 0
        """How many match, once it was read."""
        steady = (self.frame["end_time"] < ended_since).sum()
        self._is_worth_it = steady >= len(kept.frame) / 2

    @property
    def kept(self) -> int:
        """How many of the rows were not asked for."""
        return int((~self.frame[self._id].isin(self._asked)).sum())

    async def read(self, progress: Progress) -> bool:
        """Read what can have changed; say whether all rows stand, or it is better to read them all."""
        if not self._is_worth_it:
            return False
        self.matched, there = await self._counts()
        progress.total = self.matched
        if not there or not await self._read_changes():
            return False
        progress.done = len(self.frame)
        if len(self.frame) < there:
            there = (await self._counts())[1]
        return len(self.frame) >= there and self._is_enough()

    async def _counts(self) -> tuple[int, int]:
        """Count all that match, and those that are read again."""
        plans = [self._everything, self._plan] if self._is_cut else [self._plan]
        counts = [counted or 0 for counted in await together(*(count(self._pages, plan) for plan in plans))]
        return counts[0], counts[-1]

    def _is_enough(self) -> bool:
        """Leave out what is beyond the limit; say whether as many rows are left as the limit lets through."""
        limit = self._everything.limit
        self.matched = max(self.matched, len(self.frame)) if self._is_cut else len(self.frame)
        self.frame = frames.joined(self.frame[:limit], self.frame[:0])  # with the categories of these rows alone
        return len(self.frame) == (self.matched if limit is None else min(limit, self.matched))

    async def _read_changes(self) -> bool:
        """Read what can have changed; say whether that was less than all."""
        await self._read([_UNFINISHED, self._ended])
        at_most = min(_BINS, max(_BINS_IN_BIN, len(self.frame) // _ROWS_IN_BIN))
        spans = await self._changed(Bins.over(*await self._ends(), at_most=at_most))
        if sum(self._is_within(span).sum() for span in spans) > len(self.frame) / 2:
            return False
        spans = [narrow for span in await together(*map(self._narrowed, spans)) for narrow in span]
        if len(spans) > max(_MOST_SPANS, len(self.frame) / self._pages.size):
            return False
        if spans:
            changed = np.logical_or.reduce([self._is_within(span) for span in spans])
            self.frame = self.frame[~changed]
            await self._read([{"expected_start_time": {"after_": iso(a), "before_": iso(b)}} for a, b in spans])
        self.frame = in_order(self.frame, Order(self._plan.sort), self._id)
        return True

    async def _narrowed(self, span: Span) -> Sequence[Span]:
        """Look closer at what has changed, where that takes the server less time than to give the rows."""
        if self._is_within(span).sum() <= FEW:
            return [span]
        return await self._changed(Bins.over(*span, at_most=_BINS_IN_BIN))

    async def _changed(self, bins: Bins) -> Sequence[Span]:
        """Give the times in which the server's figures do not fit what is held."""
        held = self.frame[self._is_within((bins.start, bins.edge(bins.number) - timedelta.resolution))]
        theirs = await figures.of_server(self._pages, self._plan, bins)
        return [*bins.spans(figures.misfits(held, bins, theirs))]

    def _is_within(self, span: Span) -> pd.Series[bool]:
        return self.frame["expected_start_time"].between(*span)

    async def _read(self, choices: Sequence[Body]) -> None:
        """Read what fits one of some filters, and put it in the place of what is held of it."""
        is_small = len(self.frame) <= MANY  # then what changed of it fits in a page or two
        harvest = Harvest(self._pages, self._plan.narrowed(choices), Progress(), is_small=is_small)
        await harvest.read()
        self._asked |= harvest.rows.keys()
        held = self.frame[~self.frame[self._id].isin(harvest.rows.keys())]
        read = run_frame([*harvest.rows.values()], self._plan.kind, self._as_of, self._columns)
        self.frame = frames.joined(held, read)

    async def _ends(self) -> Span:
        """Give the first and last time of what is there and of what is held."""
        bodies = [body for part in self._plan.parts for body in self._plan.bodies(part)]
        orders = [Order(f"EXPECTED_START_TIME_{way}") for way in ("ASC", "DESC")]
        there = await together(*(self._pages.key_at(body, order, 0) for body in bodies for order in orders))
        held = self.frame["expected_start_time"].agg(["min", "max"]).dropna().dt.to_pydatetime()
        ends = [*held, *(end for end in there if end is not None)]
        return min(ends, default=self._as_of), max(ends, default=self._as_of)


def _up_to_the_last(frame: pd.DataFrame, order: Order) -> Body:
    """Give the filter for what comes before the last row of a frame, or with it."""
    last: datetime = frame["expected_start_time"].iloc[-1].to_pydatetime()
    return order.reversed.from_key(last)


def can_be_read_again(plan: Plan, frame: pd.DataFrame, abilities: Abilities, *, is_cut: bool) -> bool:
    """Say whether a server can tell what has changed, and a frame that is whole be put in order again.

    Of one that a limit cut, the server must be able to tell what comes before its last row.
    """
    if is_cut and Order(plan.sort).field != "expected_start_time":
        return False
    is_ordered_here = Order(plan.sort).field in {"id", *frame.columns} and not plan.is_in_order
    return plan.count_requests is not None and is_ordered_here and abilities.filters_by_end_time(plan.kind)


def in_order(frame: pd.DataFrame, order: Order, ids: str) -> pd.DataFrame:
    """Put a frame in an order, as `Order.arrange` does rows."""
    key = frame[ids if order.field == "id" else order.field]
    if order.field == "start_time":
        key = key.fillna(frame["expected_start_time"])
    keys = pd.DataFrame({"key": key, "id": frame[ids]})
    places = keys.sort_values(["key", "id"], ascending=[not order.is_descending, False]).index
    return frame.loc[places].reset_index(drop=True)
