"""A child process that ends together with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path


class Child:
    """A process in a session of its own, so that Ctrl-C reaches us alone and we end it in good order.

    Parameters
    ----------
    command
        The program and its arguments.
    environment
        All of its environment variables.
    folder
        Where it runs.
    log
        The file that takes what it prints.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> None:
        self.log = log
        """The file that takes what it prints."""
        self._command = command
        self._environment = dict(environment)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. Who calls this holds it already, so that no signal can come between the start and its owner."""
        with self.log.open("wb") as output, signals_held():
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None while it runs and before it was started."""
        return None if self._process is None else self._process.poll()

    def lines(self) -> list[str]:
        """Give what it has printed so far, without empty lines."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return [line.strip() for line in text.splitlines() if line.strip()]

    def last_words(self, count: int = 3) -> str:
        """Give the last lines that it printed, as one line.

        Parameters
        ----------
        count
            How many lines at most.
        """
        return " / ".join(self.lines()[-count:]) or "(it printed nothing)"

    def stop(self, *, patience: float = 8.0) -> None:
        """End it and all that it started in its session; it may have ended already.

        Parameters
        ----------
        patience
            Seconds that it has to end by itself before it is killed.
        """
        if self._process is None:
            return
        _signal_group(self._process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        _signal_group(self._process, signal.SIGKILL)
        self._process.wait()


@contextmanager
def signals_held() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the end of the block, where they count as if they came then.

    A mask of signals would not do: the child would inherit it.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread runs handlers
        yield
        return
    caught: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in caught:
            signal.raise_signal(late)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
