"""How many requests are under way at once: as many as the server bears."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Prefect brings it, and it takes long to import
    import httpx

MOST = 8
"""Requests under way at once, at most: Prefect's client keeps as many connections alive."""

TOO_MUCH = frozenset({408, 429, 502, 503, 504})
"""What a server answers that is asked too much; Prefect's client then waits and tries again."""

_LONGER = 2.0
"""How many times as long an answer may take beside others as alone: what takes longer waits for its turn there."""

_FEWEST = 2
"""Requests under way at once that a slow server still has, so that it need not wait for us between two."""

_REFUSED = frozenset({401, 403})
"""What a server answers whatever it is asked; one without CSRF tokens answers the first request with 404 or 422."""


class Gate:
    """Lets requests through, a few at a time.

    Until the server has answered well once, one: Prefect's client gets a CSRF token with it that does for the others,
    and a server that does not answer, or refuses the key, is not asked by each of them.

    After that, as many as bring answers sooner, from half of the most on. Where the way to the server is long, answers
    take as long beside others as alone. Where the server itself is the limit, they take the longer the more there are,
    and come no sooner; one on this machine even works more slowly then.

    An answer that says that the server is asked too much halves their number; each full round of good answers lets one
    more through again.
    """

    def __init__(self) -> None:
        self.under_way = 0
        """Requests that are under way."""
        self.is_open = False
        """Whether the server has answered well."""
        self._allowed = 1
        self._useful = MOST / 2
        self._good = 0
        self._alone: dict[Hashable, float] = {}
        self._change = asyncio.Condition()

    @property
    def width(self) -> int:
        """Requests that may be under way now."""
        return min(self._allowed, round(self._useful))

    async def __aenter__(self) -> None:
        """Wait for a place."""
        async with self._change:
            await self._change.wait_for(lambda: self.under_way < self.width)
            self.under_way += 1

    async def __aexit__(self, *_: object) -> None:
        """Give the place to the next."""
        async with self._change:
            self.under_way -= 1
            self._change.notify(max(self.width - self.under_way, 0))

    async def see(self, response: httpx.Response) -> None:
        """Look at an answer, also at those that Prefect's client does not pass on."""
        status = response.status_code
        if status in TOO_MUCH:
            self._allowed, self._good = max(1, self._allowed // 2), 0
            return
        if not self.is_open:
            if status in _REFUSED or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
                return
            await self.open()
        self._good += 1
        if self._good >= self._allowed:
            self._allowed, self._good = min(MOST, self._allowed + 1), 0

    def time(self, seconds: float, *, alike: Hashable) -> None:
        """Learn from how long an answer took, beside the quickest of those that are alike."""
        alone = self._alone[alike] = min(seconds, self._alone.get(alike, seconds))
        more = _LONGER * alone / seconds
        useful = min(max(self.under_way * more, _FEWEST), MOST)
        if more < 1 or useful > self._useful:  # the few of the beginning and the end are quick, and tell nothing
            self._useful += (useful - self._useful) / self.width

    async def open(self) -> None:
        """Let as many through as may be under way."""
        self.is_open, self._allowed = True, MOST
        async with self._change:
            self._change.notify_all()
