"""Watch submitted tasks while they run."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pandas as pd

from prefect_nbviz.errors import AuthenticationError, NotConnectedError, ServerError
from prefect_nbviz.forms import zone
from prefect_nbviz.reading.connection import Connection, as_connection
from prefect_nbviz.reading.lookout import Lookout
from prefect_nbviz.widgets.background import Background, Turn
from prefect_nbviz.widgets.news import News, Phase
from prefect_nbviz.widgets.pace import Pace
from prefect_nbviz.widgets.watch_text import WatchText

_PATIENCE = 10.0
"""Seconds until a server that does not answer is said to be away."""

_MOMENT = 0.1


def watch(futures: Any, *, tz: str = "UTC", connection: Connection | None = None) -> TaskWatch:
    """Watch submitted tasks while they run, and give back at once.

    In a notebook a panel shows itself in the cell that calls this, also from within a flow: how many tasks are in which
    state, a timeline that grows, and what fails with its message. Elsewhere there are lines of text on the standard
    error, of which the last one is written over in a terminal. It looks about once a second from a thread of its own,
    less often where the server is slow, goes on when a server that was away is there again, and ends when all tasks
    have ended. The tasks need not be of this process.

    Parameters
    ----------
    futures
        What `task.submit` or `task.map` gives, any number of futures, ids of task runs, or a frame of task runs.
    tz
        Name of the time zone of what is shown, such as `"Europe/Berlin"`.
    connection
        Another server than that of the active Prefect profile.

    Returns
    -------
    TaskWatch
        `frame` has the newest states, `wait()` blocks until all have ended and gives the last ones, `stop()` ends it.

    Raises
    ------
    FrameError
        Something that is no future, id or run of a task.
    QueryError
        There is no such time zone.

    See Also
    --------
    https://docs.prefect.io/v3/concepts/task-runners

    Examples
    --------
    >>> @flow  # doctest: +SKIP
    ... def ingest():
    ...     futures = transform.map(range(40))
    ...     nbv.watch(futures)
    ...     return futures.result()
    """
    return TaskWatch(Lookout(futures), where=zone("tz", tz), connection=as_connection(connection))


class Screen(Protocol):
    """Shows news."""

    def show(self, news: News) -> None:
        """Show the newest."""


class TaskWatch:
    """A watch of submitted tasks, as `watch` gives it."""

    def __init__(self, lookout: Lookout, *, where: ZoneInfo, connection: Connection) -> None:
        self._lookout = lookout
        self._connection = dataclasses.replace(connection, patience=min(connection.patience, _PATIENCE))
        self._sight = lookout.blank
        self._phase: Phase = "starting"
        self._error: Exception | None = None
        self._has_ended = threading.Event()
        self._background = Background()
        self._screen, self._display = _screen(where, self.stop)
        self._show()
        self._display()
        self._shown_in = _cell()
        self._background.start(self._work)

    @property
    def frame(self) -> pd.DataFrame:
        """The tasks as they were last seen: a row for each, in their order, with the columns of `schema.FUTURES`.

        `attrs["prefect_nbviz"]` is that of `read_futures`. Before the first look no task is known.
        """
        return self._sight.tasks

    @property
    def states(self) -> pd.DataFrame:
        """The state histories of the tasks that the server knows, as `read_states` gives them."""
        return self._sight.states

    def wait(self, timeout: float | None = None) -> pd.DataFrame:
        """Wait until all tasks have ended, or the watch was stopped, or so many seconds are over, and give the frame.

        Raises
        ------
        FrameError, NotConnectedError, AuthenticationError
            It cannot go on: what is watched is no task, or the server cannot be read.
        """
        self._has_ended.wait(timeout)
        if self._error is not None:
            raise self._error
        return self.frame

    def stop(self) -> None:
        """Stop looking; the tasks go on, and what was seen stays."""
        self._background.stop()

    def __repr__(self) -> str:
        """Say how far the tasks are."""
        return f"TaskWatch({self._news().headline()})"

    def _ipython_display_(self) -> None:
        """Show it, unless it has just shown itself: it may be the last value of the cell that made it."""
        if self._shown_in is None or self._shown_in != _cell():
            self._display()

    def _work(self, turn: Turn) -> None:
        try:
            asyncio.run(self._look_until_over(turn))
            self._phase = "stopped" if turn.is_stopped and not self._sight.is_over else "over"
        except Exception as error:  # noqa: BLE001 - it is raised where the end is waited for
            self._error = error
            self._phase = "broken"
        try:
            if threading.main_thread().is_alive():  # the end of the process is no news, and breaks off what it may
                self._show([str(self._error)] if self._error else self._sight.missing)
        finally:
            self._has_ended.set()

    async def _look_until_over(self, turn: Turn) -> None:
        pace = Pace(first=0.25, usual=1.0, longest=30.0)
        while _is_wanted(turn) and not self._sight.is_over:
            try:
                await self._look_while_it_answers(turn, pace)
            except (NotConnectedError, AuthenticationError):
                raise
            except ServerError as error:
                pause = pace.after_failure()
                self._phase = "stale"
                self._show([f"{error} Trying again in {pause:.0f} s."])
                await _sleep(pause, turn)

    async def _look_while_it_answers(self, turn: Turn, pace: Pace) -> None:
        async with self._connection.open() as server:
            while _is_wanted(turn):
                begin = time.monotonic()
                self._sight = await self._lookout.look(server)
                if self._sight.is_over:
                    return
                self._phase = "live"
                self._show(self._sight.missing)
                await _sleep(pace.after(time.monotonic() - begin), turn)

    def _news(self, notes: Sequence[str] = ()) -> News:
        return News(self._sight.tasks, self._sight.states, self._phase, notes)

    def _show(self, notes: Sequence[str] = ()) -> None:
        self._screen.show(self._news(notes))


def _is_wanted(turn: Turn) -> bool:
    """Say whether to go on: neither told to stop nor left over at the end of the process."""
    return not turn.is_stopped and threading.main_thread().is_alive()


async def _sleep(seconds: float, turn: Turn) -> None:
    """Sleep, but end soon when it is no longer wanted."""
    end = time.monotonic() + seconds
    while _is_wanted(turn) and (rest := end - time.monotonic()) > 0:  # noqa: ASYNC110 - other threads tell
        await asyncio.sleep(min(rest, _MOMENT))


def _shell() -> Any:
    """Give the kernel's IPython shell, or None outside a kernel."""
    ipython = sys.modules.get("IPython")  # where it was not imported there is no kernel
    shell = ipython.get_ipython() if ipython else None
    return shell if hasattr(shell, "kernel") else None


def _cell() -> int | None:
    """Give the number of the cell that runs, or ran last."""
    shell = _shell()
    return shell.execution_count if shell else None


def _screen(where: ZoneInfo, on_close: Callable[[], None]) -> tuple[Screen, Callable[[], None]]:
    """Give what shows the news here, and how to put it there."""
    if _shell() is None:
        return WatchText(sys.stderr), lambda: None
    from IPython.display import display  # noqa: PLC0415 - only a kernel has it, and a script needs no widgets

    from prefect_nbviz.widgets.watch_panel import WatchPanel  # noqa: PLC0415 - likewise; they take a second

    panel = WatchPanel(where, on_close=on_close)
    return panel, lambda: display(panel)  # type: ignore[no-untyped-call]
