"""How many requests are under way at once: as many as the server bears."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Prefect brings it, and it takes long to import
    import httpx

MOST = 8
"""Requests under way at once, at most: Prefect's client keeps as many connections alive."""

TOO_MUCH = frozenset({408, 429, 502, 503, 504})
"""What a server answers that is asked too much; Prefect's client then waits and tries again."""


class Gate:
    """Lets requests through, a few at a time.

    An answer that says that the server is asked too much halves their number; each full round of good answers
    lets one more through again.
    """

    def __init__(self) -> None:
        self.width = MOST
        """Requests that may be under way now."""
        self.under_way = 0
        """Requests that are under way."""
        self._good = 0
        self._change = asyncio.Condition()

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
        if response.status_code in TOO_MUCH:
            self.width, self._good = max(1, self.width // 2), 0
            return
        self._good += 1
        if self._good >= self.width:
            self.width, self._good = min(MOST, self.width + 1), 0
