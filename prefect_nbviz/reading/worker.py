"""Run a coroutine to its end from anywhere: a script, or a kernel whose own loop is running."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from tqdm.auto import tqdm

T = TypeVar("T")
Report = Callable[[int, int | None], None]
"""Told how much is done, and of how much (None: not known)."""

_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_BEFORE_BAR = 0.7


class Progress:
    """Where a read has got to; written by the worker, shown by the caller's thread."""

    def __init__(self) -> None:
        self.done = 0
        self.total: int | None = None


def run(work: Callable[[Progress], Coroutine[Any, Any, T]], *, progress: bool | Report, unit: str) -> T:
    """Run a coroutine in a thread with a loop of its own, and wait for it.

    An interrupt (the kernel's stop button, Ctrl-C) cancels it, waits until it has let go of the
    server, and is then passed on.

    Parameters
    ----------
    work
        Makes the coroutine; it is given the progress to write to.
    progress
        True shows a bar when the work lasts; a function is called in this thread instead.
    unit
        What is counted, for the bar.
    """
    state, outcome = Progress(), Future[T]()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = Future()

    async def main() -> T:
        task = asyncio.ensure_future(work(state))
        started.set_result((asyncio.get_running_loop(), task))
        return await task

    def target() -> None:
        try:
            outcome.set_result(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
            outcome.set_exception(error)

    # The context carries Prefect's settings of a `with temporary_settings(…)` into the thread.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(target,), daemon=True)
    thread.start()
    try:
        with _Reporting(progress, unit) as report:
            while not outcome.done():
                thread.join(_SECONDS_BETWEEN_LOOKS)
                report(state.done, state.total)
            report(state.done, state.total)
    except BaseException:
        loop, task = started.result()
        if thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
            thread.join()
        raise
    return outcome.result()


class _Reporting:
    """A function to report to: the caller's own, or one that shows a bar once the work lasts."""

    def __init__(self, progress: bool | Report, unit: str) -> None:  # noqa: FBT001 - the caller's
        self._report: Report = progress if callable(progress) else self._show
        self._is_shown = progress is not False
        self._unit = unit
        self._begin = time.monotonic()
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Report:
        return self._report

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _show(self, done: int, total: int | None) -> None:
        lasts = time.monotonic() - self._begin > _SECONDS_BEFORE_BAR
        if self._bar is None and self._is_shown and lasts and done:
            self._bar = tqdm(unit=f" {self._unit}", total=total, leave=False)
        if self._bar is not None and done > self._bar.n:
            self._bar.total = total  # it may have become known meanwhile
            self._bar.update(done - self._bar.n)
