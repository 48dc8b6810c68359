"""All runs of a filter, read by several hands at once.

The time that they span is cut into stretches. Each is read from its late end by pages that begin at
a time, so that nothing that comes or goes meanwhile shifts them, and a page costs the same however
deep it lies. A hand that is done takes half of the longest stretch that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect_nbviz.filters import merge
from prefect_nbviz.order import Body, Order, Row
from prefect_nbviz.reading.gate import MOST
from prefect_nbviz.reading.pages import Pages
from prefect_nbviz.reading.worker import together

Take = Callable[[Sequence[Row]], object]
"""Takes rows as they come: in no order, and some of them twice."""

_TICK = timedelta(microseconds=1)


@dataclass
class _Stretch:
    """Time that is still to be read, from its late end."""

    first: datetime
    last: datetime


class Sweep:
    """One reading of all runs that match.

    Parameters
    ----------
    pages
        Where they are.
    body
        The filters; all its runs must have the time.
    field
        The time to read by.
    take
        What to do with the rows.
    expected
        About how many rows there are: it decides how many hands are worth their requests.
    """

    def __init__(self, pages: Pages, body: Body, field: str, take: Take, *, expected: int) -> None:
        self._pages = pages
        self._body = body
        self._order = Order(f"{field.upper()}_DESC")
        self._take = take
        self._left = expected
        self._open: list[_Stretch] = []

    async def run(self, one_end: datetime, other_end: datetime) -> None:
        """Read all runs between two times, both included."""
        first, last = sorted((one_end, other_end))
        self._open = [_Stretch(first, last)]
        await together(self._read(self._open[0]), *(self._help() for _ in range(MOST - 1)))

    async def _help(self) -> None:
        """Take halves of what others have to read, as long as that is worth a request."""
        while self._open and self._left > self._pages.size * len(self._open):
            longest = max(self._open, key=lambda stretch: stretch.last - stretch.first)
            middle = longest.first + (longest.last - longest.first) / 2
            if longest.first >= middle:
                return
            share = _Stretch(longest.first, middle)
            longest.first = middle + _TICK
            self._open.append(share)
            await self._read(share)

    async def _read(self, stretch: _Stretch) -> None:
        order, filtered = self._order, self._pages.filter
        while stretch.first <= stretch.last:
            span = merge(filtered(order.reversed.from_key(stretch.first)), filtered(order.from_key(stretch.last)))
            rows, is_last = await self._pages.page(merge(self._body, span), order)
            self._take(rows)
            self._left -= len(rows)
            if is_last:
                break
            stretch.last = order.key(rows[-1])
            if stretch.last == order.key(rows[0]):  # there may be more of that time than a page holds
                self._take(await self._pages.of_key(self._body, order, stretch.last))
                stretch.last -= _TICK
        self._open.remove(stretch)
