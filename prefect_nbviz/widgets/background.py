"""Work beside the kernel: in a daemon thread, so that a busy cell does not hold it and it can be stopped."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable


class Background:
    """Runs one piece of work at a time in a daemon thread; new work stops the old and waits for its end.

    Work is a function that looks at `is_stopped` of what it is given, or waits with its `wait`. A read stops at once,
    and keeps what it has, when `Turn.look` is called by its progress: it raises what an interrupt would.

    Examples
    --------
    >>> background, done = Background(), []
    >>> background.start(lambda turn: done.append(turn.is_stopped))
    >>> background.join()
    >>> done
    [False]
    """

    def __init__(self) -> None:
        self._turn: Turn | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def is_busy(self) -> bool:
        """Whether work goes on."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def start(self, work: Callable[[Turn], None]) -> None:
        """Begin work; what went on before is stopped first."""
        with self._lock:
            self.stop()
            self.join()
            self._turn = turn = Turn()
            # The context carries Prefect's settings of a `with temporary_settings(…)` into the thread.
            context = contextvars.copy_context()
            self._thread = threading.Thread(target=context.run, args=(work, turn), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask the work to end; it does so in a moment."""
        if self._turn is not None:
            self._turn.stop()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the work, at most some seconds; from within the work, do not."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)


class Turn:
    """One piece of work: whether it was asked to end."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    @property
    def is_stopped(self) -> bool:
        """Whether it was asked to end."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Ask it to end."""
        self._stopped.set()

    def wait(self, seconds: float) -> bool:
        """Wait, until it is asked to end or the time is over; say whether it was asked to."""
        return self._stopped.wait(seconds)

    def look(self) -> None:
        """Do nothing, until it was asked to end.

        Raises
        ------
        KeyboardInterrupt
            It was: a read whose progress calls this gives what it has, as with an interrupt by the kernel.
        """
        if self.is_stopped:
            raise KeyboardInterrupt
