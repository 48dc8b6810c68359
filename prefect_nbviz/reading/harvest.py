"""The rows of a plan: as many of each part as the limit asks for, thinned by the steps that are done here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prefect_nbviz.filters import merge
from prefect_nbviz.order import Body, Order, Row
from prefect_nbviz.plan import Plan
from prefect_nbviz.reading.pages import Pages
from prefect_nbviz.reading.shapes import share_texts
from prefect_nbviz.reading.sweep import Sweep, Take
from prefect_nbviz.reading.worker import Progress, together

FEW = 2
"""Pages that are read one after the other."""

MOST_AHEAD = 50
"""Pages that are read ahead at most where the steps may keep none of their rows."""


class Harvest:
    """The rows that were read so far, by id; a failure leaves those that it came after.

    Parameters
    ----------
    pages, plan
        Where the runs are, and which.
    progress
        Told how many were read.
    is_small
        Whether they are likely to fit in a page or two, so that one after the other takes fewest requests.
    """

    def __init__(self, pages: Pages, plan: Plan, progress: Progress, *, is_small: bool = False) -> None:
        self.rows: dict[str, Row] = {}
        self._texts: dict[Any, Any] = {}
        self._pages = pages
        self._plan = plan
        self._progress = progress
        self._begun: datetime | None = None
        self._is_small = is_small

    async def begin(self) -> bool:
        """Read one page where that may well be all, without what a longer read asks beside it; say whether it is."""
        order = Order(self._plan.page_sort)
        bodies = self._bodies(is_last=False)
        if len(bodies) != 1 or not self._is_of_few_flow_runs(bodies[0]) or self._bodies(is_last=True):
            return False
        self._begun = await self._begin(bodies[0], order, self._take)
        return self._begun is None

    async def read(self) -> bool:
        """Read what the plan asks for; say whether nothing is left."""
        order = Order(self._plan.page_sort)
        bodies = {is_last: [*self._bodies(is_last=is_last)] for is_last in (False, True)}
        heads = [await self._pages.key_at(body, order, 0) for body in bodies[False] if order.moves_to_head]
        is_whole = all([await self._read_body(body, order) for body in bodies[False]])
        if is_whole:
            is_whole = all([await self._read_body(body, Order("ID_DESC")) for body in bodies[True]])
        for body, head in zip(bodies[False], heads, strict=False):
            await self._look_again(body, order, head)
        return is_whole

    def arranged(self) -> list[Row]:
        """Give the rows in order; names stay in that of the server's database, if it gave one."""
        rows = self.rows.values()
        return [*rows] if self._plan.is_in_order else Order(self._plan.sort).arrange(rows)

    def _bodies(self, *, is_last: bool) -> list[Body]:
        plan = self._plan
        return [body for part in plan.parts if part.is_last is is_last for body in plan.bodies(part)]

    async def _look_again(self, body: Body, order: Order, head: datetime | None) -> None:
        """Read what came before the first row meanwhile: a run that starts or ends leaves its place for the head."""
        newer = {} if head is None else self._pages.filter(order.reversed.from_key(head))
        async for rows in self._pages.in_order(merge(body, newer), order, at_most=None):
            self._take(rows)

    async def _read_body(self, body: Body, order: Order) -> bool:
        """Read one filter's runs until there are enough; say whether nothing is left."""
        plan = self._plan
        wanted = None if plan.limit is None or plan.reads_all else plan.limit + 1  # one more shows that there are more
        if self._is_small or self._is_short(body, wanted) or not order.is_by_time:
            return await self._read_in_order(body, order, wanted)
        met: set[str] = set()
        looked_at = 0

        def take(rows: Sequence[Row]) -> None:
            nonlocal looked_at
            looked_at += len(rows)
            met.update(row["id"] for row in self._take(rows))

        rest = body
        if self._begun is not None:  # one page more is often all, and asks for nothing beside it
            rest = merge(body, self._pages.filter(order.from_key(self._begun)))
            self._begun = await self._begin(rest, order, take)
            if self._begun is None:
                return True
            rest, self._begun = merge(body, self._pages.filter(order.from_key(self._begun))), None
        while wanted is None or len(met) < wanted:
            more = None if wanted is None else self._ahead(wanted - len(met), one_in=looked_at // (len(met) + 1) + 1)
            begin, (end, there) = await together(self._begin(rest, order, take), self._end(rest, order, more))
            if begin is None:
                return True
            await Sweep(self._pages, rest, order.field, take, expected=there).run(begin, end or begin)
            if more is None:
                return True
            rest = merge(body, self._pages.filter(order.beyond_key(end or begin)))
        return False

    def _is_short(self, body: Body, wanted: int | None) -> bool:
        """Say whether a page or two are enough: so few are wanted, or asked for by id."""
        ids = body.get(self._plan.table, {}).get("id", {}).get("any_")
        most = [] if ids is None else [len(ids)]
        most += [] if wanted is None or self._plan.steps else [wanted]
        return min(most, default=sys.maxsize) <= FEW * self._pages.size

    def _is_of_few_flow_runs(self, body: Body) -> bool:
        """Say whether all task runs of a flow run or two are asked for: most have no more than a page or two."""
        ids = body.get("flow_runs", {}).get("id", {}).get("any_")
        return self._plan.limit is None and ids is not None and len(ids) <= FEW

    def _ahead(self, missing: int, *, one_in: int) -> int:
        """Give how many rows to read for those that are missing, if the steps go on to keep one in so many."""
        return min(missing * one_in, max(missing, MOST_AHEAD * self._pages.size))

    async def _begin(self, body: Body, order: Order, take: Take) -> datetime | None:
        """Take the first page, and give the time of its last row; None if that is all."""
        rows, is_last = await self._pages.page(body, order)
        take(rows)
        return None if is_last else order.key(rows[-1])

    async def _end(self, body: Body, order: Order, rows: int | None) -> tuple[datetime | None, int]:
        """Give the time of the last of so many rows, or of all (None), and how many there are."""
        if rows is None:
            end, there = await together(self._pages.key_at(body, order.reversed, 0), self._pages.count(body))
            return end, there
        there = min(rows, await self._pages.count(body))
        return await self._pages.key_at(body, order, there - 1) if there else None, there

    async def _read_in_order(self, body: Body, order: Order, wanted: int | None) -> bool:
        """Read page after page until there are enough; say whether nothing is left."""
        taken = 0
        at_most = None if self._plan.steps or wanted is None else wanted - 1
        async for rows in self._pages.in_order(body, order, at_most=at_most):
            taken += len(self._take(rows))
            if wanted is not None and taken >= wanted:
                return False
        return True

    def _take(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Keep of some rows those that match."""
        steps = self._plan.steps
        kept = [row for row in rows if all(step.keeps(row) for step in steps)] if steps else rows
        share_texts(kept, self._texts)
        self.rows |= {row["id"]: row for row in kept}
        self._progress.done = len(self.rows)
        return kept
