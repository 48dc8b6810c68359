"""How long a request is tried, and what is said of it meanwhile."""

from __future__ import annotations

import asyncio
import http
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from prefect_nbviz.reading.gate import TOO_MUCH
from prefect_nbviz.reading.worker import Progress

if TYPE_CHECKING:  # Prefect and httpx take seconds to import: only when the first query runs
    import httpx

T = TypeVar("T")

FEW = 4
"""Tries of what may well fail each time: an error of the server's own, an answer that is cut off."""

INTERRUPTED = "It was interrupted."

_NOTHING_YET = "no answer yet"
_PAUSES = (1 / 120, 1 / 12)
"""The first pause before another try, and the longest, as parts of a minute, or of the patience if it is less."""


class Patience:
    """Tries requests again until they are answered, or the time is over that one of them may take.

    The server that used it up once is asked no more, so that all that waits for it ends together.
    """

    def __init__(self, seconds: float, progress: Progress) -> None:
        self._seconds = seconds
        self._pauses = [min(seconds, 60.0) * part for part in _PAUSES]
        self._progress = progress
        self._has_answered = False
        self._is_interrupted = False
        self._is_over = False
        self._running: set[asyncio.Timeout] = set()
        progress.stop = self.interrupt

    @property
    def reason(self) -> str:
        """Why it is over, as a sentence or two, after the server's address."""
        if self._is_interrupted:
            return INTERRUPTED
        return (
            f"gave no good answer for {self._seconds:g} s ({self._progress.note or _NOTHING_YET}): see whether the "
            "server is well, then read again, or give it more time with Connection(patience=…)."
        )

    async def see(self, response: httpx.Response) -> None:
        """Look at an answer, also at those that Prefect's client does not pass on."""
        self._has_answered = True
        self._progress.note = _said(response.status_code) if response.status_code in TOO_MUCH else ""

    async def spend(self, send: Callable[[], Awaitable[T]]) -> T:
        """Send until there is an answer, or a failure that another try would not change.

        Raises
        ------
        TimeoutError
            The time is over; `reason` says why.
        """
        if self._is_over:
            raise TimeoutError
        try:
            with self._reminder():
                async with asyncio.timeout(self._seconds) as running:
                    self._running.add(running)
                    try:
                        return await self._tries(send)
                    finally:
                        self._running.discard(running)
        except TimeoutError:
            self._is_over = True
            raise

    def interrupt(self) -> None:
        """End all that waits for the server."""
        self._is_interrupted = self._is_over = True
        for running in self._running:
            if not running.expired():
                running.reschedule(0)

    async def _tries(self, send: Callable[[], Awaitable[T]]) -> T:
        import httpx

        pause, longest = self._pauses
        for tries in itertools.count(1):
            try:
                return await send()
            except httpx.HTTPError as error:
                why = self._why_again(error, tries)
                if why is None:
                    raise
                self._progress.note = why
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)
        raise AssertionError  # it counts without end

    def _why_again(self, error: httpx.HTTPError, tries: int) -> str | None:
        """Say why a failure is worth another try, or give None where it is not."""
        import httpx
        from prefect.settings import PREFECT_CLIENT_RETRY_EXTRA_CODES

        match error:
            case httpx.HTTPStatusError(response=response):
                status = response.status_code
                is_worth_it = (
                    status in TOO_MUCH
                    or status in PREFECT_CLIENT_RETRY_EXTRA_CODES.value()
                    or (status == http.HTTPStatus.INTERNAL_SERVER_ERROR and tries < FEW)
                    or (status == http.HTTPStatus.FORBIDDEN and "Invalid CSRF token" in response.text)
                )
                return _said(status) if is_worth_it else None
            case httpx.UnsupportedProtocol():
                return None
            case httpx.ConnectError():  # at first the address may be wrong; later the server may be restarting
                return "nothing answers" if self._has_answered else None
            case httpx.TransportError():
                return f"the connection broke, {type(error).__name__}"
            case httpx.DecodingError():
                return "an answer was cut off" if tries < FEW else None
        return None

    @contextmanager
    def _reminder(self) -> Iterator[None]:
        """Say that an answer is waited for, when that lasts."""

        def say() -> None:
            self._progress.note = self._progress.note or _NOTHING_YET

        reminder = asyncio.get_running_loop().call_later(self._pauses[1], say)
        try:
            yield
        finally:
            reminder.cancel()


def _said(status: int) -> str:
    return f"the server asks to wait, {status}" if status in {429, 503} else f"the server fails, {status}"
