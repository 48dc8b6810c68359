"""Page by page through the server's answers, so that no run is lost or met twice at a seam.

The server's sorts leave ties in any order (only `ID_DESC` is total), so that pages by offset can
repeat or skip rows. Here a page gives only whole groups of equal keys: its last group is read again
at the head of the next page, and a group that fills a page is read by id. Pages in an order of time
begin at a key, so that nothing that comes or goes meanwhile shifts them; those by name or id go by
offset, and step back when their head shows that they were shifted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

from prefect_nbviz.errors import RefusedError
from prefect_nbviz.filters import merge
from prefect_nbviz.order import Body, Order, Row, iso, moment
from prefect_nbviz.query import RunKind
from prefect_nbviz.reading.connection import Server

PAGE = 200
"""Rows in a page: the most that a Prefect server gives unless it is set up otherwise."""

_ALL_TIME = ("1970-01-01T00:00:00Z", "2170-01-01T00:00:00Z")
_ALL_TIME_SECONDS = (moment(_ALL_TIME[1]) - moment(_ALL_TIME[0])).total_seconds()
_BY_ID = Order("ID_DESC")
_PAGE_LIMIT = re.compile(r"limit: must be less than or equal to (\d+)")


def allowed_page(error: RefusedError) -> int | None:
    """Give how many rows a page may have, where a server refused more; None where it refused something else.

    Examples
    --------
    >>> allowed_page(RefusedError("refused the request (422): Invalid limit: must be less than or equal to 50."))
    50
    """
    allowed = _PAGE_LIMIT.search(str(error))
    return None if allowed is None else int(allowed[1])


class Pages:
    """The runs of one kind on one server, by the page."""

    def __init__(self, server: Server, kind: RunKind) -> None:
        self._server = server
        self._table = f"{kind}s"
        self.shape: Any = Any
        """What is parsed of its rows; all unless told."""
        self.size = PAGE
        """Rows in a page; fewer once the server refused so many."""

    async def count(self, body: Body) -> int:
        """Count the runs that match (`POST /…/count`)."""
        return int(await self._server.request("POST", f"/{self._table}/count", json=body))

    async def state_types(self, body: Body) -> Counter[str]:
        """Count the runs that match by state type."""
        return await self._states(body, lambda state_type, _: state_type)

    async def state_names(self, body: Body) -> Counter[str]:
        """Count the runs that match by state name."""
        return await self._states(body, lambda _, state_name: state_name)

    async def _states(self, body: Body, key: Callable[[str | None, str | None], str | None]) -> Counter[str]:
        counts: Counter[str] = Counter()
        in_all = await self.history(body, start=_ALL_TIME[0], end=_ALL_TIME[1], seconds=_ALL_TIME_SECONDS)
        for (_, state_type, state_name), runs in in_all.items():
            counts[str(key(state_type, state_name))] += runs
        return counts

    async def history(
        self, body: Body, *, start: str, end: str, seconds: float
    ) -> Counter[tuple[str, str | None, str | None]]:
        """Count the runs that match by bin, state type and state name (`POST /…/history`, 500 bins at most)."""
        states = await self.history_states(body, start=start, end=end, seconds=seconds)
        return Counter(
            {
                (iso(moment(begin)), state["state_type"], state["state_name"]): state["count_runs"]
                for begin, state in states
            }
        )

    async def history_states(self, body: Body, *, start: str, end: str, seconds: float) -> list[tuple[str, Row]]:
        """Give for each bin and state the beginning of the bin, and what the server tells of its runs."""
        span = {"history_start": start, "history_end": end, "history_interval_seconds": seconds}
        bins = await self._server.request("POST", f"/{self._table}/history", json=body | span)
        return [(one["interval_start"], state) for one in bins for state in one["states"]]

    async def in_order(self, body: Body, order: Order, *, at_most: int | None) -> AsyncIterator[list[Row]]:
        """Give all runs that match, in order, in lists of whole groups of equal keys.

        Parameters
        ----------
        body
            The filters. Where `order` is by time, all its runs must have that time.
        order
            How to sort.
        at_most
            How many the caller will take, so that pages are no larger than needed; None for all.
        """
        start: Body = {}
        offset = 0
        given: set[str] = set()
        while True:
            # Two more than wanted: one is of a last group, perhaps cut; one shows that there are more.
            asked = PAGE if at_most is None else max(min(PAGE, at_most - len(given) + 2), 3)
            rows, is_last = await self.page(merge(body, start), order, offset=offset, limit=asked)
            if offset and (not rows or rows[0]["id"] not in given):
                # Runs before this page were deleted meanwhile, and others moved up across the seam.
                offset = max(0, offset - max(self.size // 2, 1))
                continue
            last: Any = None if is_last else order.key(rows[-1])
            whole = [row for row in rows if is_last or order.key(row) != last]
            fresh = [row for row in whole if row["id"] not in given]
            if is_last:
                yield order.arrange_ties(fresh)
                return
            group = fresh or await self.of_key(body, order, last)
            yield order.arrange_ties(row for row in group if row["id"] not in given)
            given.update(row["id"] for row in group)
            if order.is_by_time:
                start = self.filter(order.from_key(last) if fresh else order.beyond_key(last))
            else:  # the next page begins with a row that was given, so that nothing is between the two
                offset += len(whole) + (0 if fresh else len(group)) - 1

    async def key_at(self, body: Body, order: Order, place: int) -> datetime | None:
        """Give the time that is sorted by of the run at a place, from 0; None where fewer match."""
        rows, _ = await self.page(body, order, offset=place, limit=1)
        return order.key(rows[0]) if rows else None

    async def of_key(self, body: Body, order: Order, key: Any) -> list[Row]:
        """Read the runs of one key, by id."""
        at_key = merge(body, self.filter(order.at_key(key)))
        return [row async for rows in self.in_order(at_key, _BY_ID, at_most=None) for row in rows]

    async def page(self, body: Body, order: Order, *, offset: int = 0, limit: int = PAGE) -> tuple[list[Row], bool]:
        """Read one page, and say whether nothing comes after it."""
        limit = min(limit, self.size)
        request: dict[str, Any] = body | {"sort": order.sort, "offset": offset, "limit": limit}
        try:
            rows = await self._server.request("POST", f"/{self._table}/filter", json=request, shape=self.shape)
        except RefusedError as error:
            allowed = allowed_page(error)
            if allowed is None:
                raise
            self.size = allowed
            return await self.page(body, order, offset=offset, limit=limit)
        return rows, len(rows) < limit

    def filter(self, filters: Body) -> Body:
        """Give a filter on the runs as a part of a body."""
        return {self._table: filters}
