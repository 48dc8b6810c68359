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

_REFUSED = frozenset({401, 403})
"""What a server answers whatever it is asked; one without CSRF tokens answers the first request with 404 or 422."""


class Gate:
    """Lets requests through, a few at a time.

    Until the server has answered well once, one: Prefect's client gets a CSRF token with it that does for the others,
    and a server that does not answer, or refuses the key, is not asked by each of them. An answer that says that the
    server is asked too much halves their number; each full round of good answers lets one more through again.
    """

    def __init__(self) -> None:
        self.width = 1
        """Requests that may be under way now."""
        self.under_way = 0
        """Requests that are under way."""
        self.is_open = False
        """Whether the server has answered well."""
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
        status = response.status_code
        if status in TOO_MUCH:
            self.width, self._good = max(1, self.width // 2), 0
            return
        if not self.is_open:
            if status in _REFUSED or status >= 500:  # noqa: PLR2004 - an HTTP status
                return
            await self.open()
        self._good += 1
        if self._good >= self.width:
            self.width, self._good = min(MOST, self.width + 1), 0

    async def open(self) -> None:
        """Let as many through as may be under way."""
        self.is_open, self.width = True, MOST
        async with self._change:
            self._change.notify_all()
