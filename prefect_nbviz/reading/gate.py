"""How many requests are under way at once: as many as the server bears."""

from __future__ import annotations

import asyncio
import http
from collections import Counter, deque
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Prefect brings it, and it takes long to import
    import httpx

MOST = 8
"""Requests under way at once, at most: Prefect's client keeps as many connections alive."""

TOO_MUCH = frozenset({408, 429, 502, 503, 504})
"""What a server answers that is asked too much; Prefect's client then waits and tries again."""

_MORE = 4
"""Answers that tell how soon they come, beside as many as are under way."""

_RECENT = 16
"""Answers of which the last are looked at."""

_ABOUT = 1.1
"""How many times as long may still pass from answer to answer where fewer are under way."""

_WAITS = 1.5
"""How many times as long as alone an answer takes that had to wait for others."""

_AGAIN = 200
"""Answers after which it is tried anew whether more or fewer would come sooner."""

_REFUSED = frozenset({401, 403})
"""What a server answers whatever it is asked; one without CSRF tokens answers the first request with 404 or 422."""


class Gate:
    """Lets requests through, a few at a time.

    Until the server has answered well once, one: Prefect's client gets a CSRF token with it that does for the others,
    and a server that does not answer, or refuses the key, is not asked by each of them.

    After that, as many as bring answers soonest. Where the way to the server is long, answers take as long beside
    others as alone; where the server itself is the limit, they take the longer the more there are, and one on this
    machine even works more slowly then. So the time that passes from answer to answer is kept for each number that was
    under way, and twice and half of the best are tried.

    An answer that says that the server is asked too much halves their number; each full round of good answers lets one
    more through again.
    """

    def __init__(self) -> None:
        self.under_way = 0
        """Requests that are under way."""
        self.is_open = False
        """Whether the server has answered well."""
        self.useful = MOST
        """Requests under way at once that bring answers soonest, as far as is known."""
        self._allowed = 1
        self._good = 0
        self._timed = Counter[Hashable]()
        self._times: dict[Hashable, dict[int, deque[float]]] = {}
        self._change = asyncio.Condition()

    @property
    def width(self) -> int:
        """Requests that may be under way now."""
        return min(self._allowed, self.useful)

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

    def time(self, seconds: float, *, beside: int, alike: Hashable) -> None:
        """Learn from how long an answer took, of those that are alike.

        Parameters
        ----------
        seconds
            How long.
        beside
            How many were under way when it was asked for, itself included.
        alike
            Tells apart what may take longer or shorter in itself; the first of a kind passes for one that was alone.
        """
        times = self._times.setdefault(alike, {1: deque([seconds], maxlen=_RECENT)})
        if not beside == self.under_way == self.width:  # the few of the beginning and the end tell nothing
            return
        self._timed[alike] += 1
        if self._timed[alike] < max(self._timed.values()):  # those that are most make the read long or short
            return
        if self._timed[alike] % _AGAIN == 0:
            times = self._times[alike] = {number: times[number] for number in {1, self.width} & times.keys()}
        times.setdefault(self.width, deque(maxlen=_RECENT)).append(seconds / self.width)
        if len(times[self.width]) >= _enough(self.width):
            self.useful = _next(times)

    async def open(self) -> None:
        """Let as many through as may be under way."""
        self.is_open, self._allowed = True, MOST
        async with self._change:
            self._change.notify_all()


def _next(times: Mapping[int, Sequence[float]]) -> int:
    """Give how many should be under way next, from the times between answers of those that were tried."""
    tried = {number for number, some in times.items() if len(some) >= _enough(number)}
    typical = {number: _typical(times[number]) for number in {1, *tried}}
    best = min(number for number, time in typical.items() if time <= _ABOUT * min(typical.values()))
    has_waited = best * typical[best] > _WAITS * typical[1]
    other = max(best // 2, 1) if has_waited else min(best * 2, MOST)
    return best if other in tried else other


def _enough(number: int) -> int:
    """Give how many answers tell how soon they come: a server that stops for a while lets all wait that it has."""
    return number + _MORE


def _typical(times: Sequence[float]) -> float:
    """Give the lower quartile."""
    return sorted(times)[len(times) // 4]
