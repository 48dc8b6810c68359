"""Run a coroutine to its end from anywhere: a script, or a kernel whose own loop is running."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from tqdm.auto import tqdm

from prefect_nbviz import frames
from prefect_nbviz.errors import ReadInterrupted

T = TypeVar("T")
Report = Callable[[int, int | None], None]
"""Told how much is done, and of how much (None: not known); one with a parameter `note` also what is waited for."""

_SECONDS_BETWEEN_LOOKS = 0.05
_SECONDS_BEFORE_BAR = 0.7


class Progress:
    """Where a read has got to; written by the worker, shown by the caller's thread."""

    def __init__(self) -> None:
        self.done = 0
        self.total: int | None = None
        self.note = ""
        """What is waited for, where the server does not answer as it should."""
        self.estimate = ""
        """What the work will take, where that is much."""
        self.stop: Callable[[], None] | None = None
        """Ends all that waits for the server, so that the work ends with what it has; called in its loop."""

    @property
    def said(self) -> str:
        """The note and the estimate, in words."""
        return "; ".join(words for words in (self.estimate, self.note) if words)


def run(work: Callable[[Progress], Coroutine[Any, Any, T]], *, progress: bool | Report, unit: str) -> T:
    """Run a coroutine in a thread with a loop of its own, and wait for it.

    An interrupt (the kernel's stop button, Ctrl-C) ends it, waits until it has let go of the server, and is then
    passed on, with the frame of what it had by then. It is not turned into an answer: the code after the read would go
    on with a part, and a loop of reads could not be stopped.

    Parameters
    ----------
    work
        Makes the coroutine; it is given the progress to write to.
    progress
        True shows a bar when the work lasts; a function is called in this thread instead.
    unit
        What is counted, for the bar.

    Raises
    ------
    ReadInterrupted
        An interrupt came, and the work gave something with a `frame`.
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
        with _Reporting(progress=progress, unit=unit) as report:
            while not outcome.done():
                thread.join(_SECONDS_BETWEEN_LOOKS)
                report(state)
            report(state)
    except BaseException as error:
        loop, task = started.result()
        with contextlib.suppress(RuntimeError):  # its loop may have ended this moment
            loop.call_soon_threadsafe(state.stop or task.cancel)
        thread.join()
        if isinstance(error, KeyboardInterrupt) and outcome.exception() is None:
            _keep(outcome.result())
        raise
    return outcome.result()


async def together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """Do several things at once and give what they give; the first failure ends the others, and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from failures.exceptions[0].__cause__
    return [task.result() for task in tasks]


def _keep(answer: Any) -> None:
    if (frame := getattr(answer, "frame", None)) is not None:
        raise ReadInterrupted(frame, frame.attrs[frames.ATTRS]["reason"] or "It was interrupted when it had all.")


def _teller(report: Callable[..., Any]) -> Callable[[Progress], None]:
    if _takes_note(report):
        return lambda state: report(state.done, state.total, note=state.said)
    return lambda state: report(state.done, state.total)


def _takes_note(report: Callable[..., Any]) -> bool:
    try:
        return "note" in inspect.signature(report).parameters
    except ValueError:  # some that are not written in Python do not tell
        return False


class _Reporting:
    """A function to report to: the caller's own, or one that shows a bar once the work lasts."""

    def __init__(self, *, progress: bool | Report, unit: str) -> None:
        self._progress = progress
        self._unit = unit
        self._begin = time.monotonic()
        self._bar: tqdm[Any] | None = None
        self._note = ""

    def __enter__(self) -> Callable[[Progress], None]:
        return _teller(self._progress) if callable(self._progress) else self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _show(self, state: Progress) -> None:
        lasts = time.monotonic() - self._begin > _SECONDS_BEFORE_BAR
        if self._bar is None and self._progress and lasts and (state.done or state.note):
            self._bar = tqdm(unit=f" {self._unit}", total=state.total, leave=False)
        if self._bar is None:
            return
        if state.said != self._note:
            self._note = state.said
            self._bar.set_postfix_str(state.said)
        if state.done > self._bar.n:
            self._bar.total = state.total  # it may have become known meanwhile
            self._bar.update(state.done - self._bar.n)
