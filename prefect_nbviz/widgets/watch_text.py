"""What a watch says in a terminal or a log: one line that is written over, or a line now and then."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from typing import TextIO

from prefect_nbviz.widgets.news import Failure, News

_BACK = "\r\x1b[2K"
"""Takes a terminal's cursor back to the beginning of an empty line."""

_MESSAGE_LENGTH = 300
_PART = 20


class WatchText:
    r"""Says how far tasks are, on a stream of text.

    In a terminal the last line is written over; elsewhere there is a line when something has changed, but no more often
    than after a twentieth of the time that it has lasted. Each failure has a line of its own.

    Parameters
    ----------
    stream
        Where to; one that was closed meanwhile is told nothing more.

    Examples
    --------
    >>> import io
    >>> from prefect_nbviz import frames, schema
    >>> said = io.StringIO()
    >>> WatchText(said).show(News(frames.empty(schema.FUTURES), frames.empty(schema.STATES), "over"))
    >>> said.getvalue()
    '0 of 0 done\n'
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._begin = time.monotonic()
        self._last = -float("inf")
        self._counts: object = None
        self._notes: object = ()
        self._failed: set[str] = set()

    def show(self, news: News) -> None:
        """Say what is new."""
        lines = [*self._news(news)]
        is_last = news.phase in {"over", "stopped", "broken"}
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            text = _BACK + "".join(f"{line}\n" for line in lines) + one_line(news.headline())[:width]
            self._write(text + ("\n" if is_last else "\r"))  # so that lines of a log begin where they should
            return
        if self._is_due(news) or is_last:
            lines.append(news.headline())
        self._write("".join(f"{line}\n" for line in lines))

    def _news(self, news: News) -> Iterator[str]:
        new = [one for one in news.failures() if one.run_id not in self._failed]
        self._failed |= {one.run_id for one in new}
        yield from map(failure_line, reversed(new))
        if news.notes != self._notes:
            yield from filter(None, map(one_line, news.notes))
        self._notes = news.notes

    def _is_due(self, news: News) -> bool:
        now, counts = time.monotonic(), news.counts()
        if counts == self._counts or now - self._last < (now - self._begin) / _PART:
            return False
        self._counts, self._last = counts, now
        return True

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


def failure_line(failure: Failure) -> str:
    r"""Say in one line what failed, and why.

    Examples
    --------
    >>> failure_line(Failure("an id", "load-3", "timed out", "It took\n\x1b[31mlong"))
    'load-3 timed out: It took [31mlong'
    """
    line = f"{failure.name} {failure.word}: {failure.message}" if failure.message else f"{failure.name} {failure.word}"
    line = one_line(line)
    return line if len(line) <= _MESSAGE_LENGTH else line[: _MESSAGE_LENGTH - 1] + "…"


def one_line(text: str) -> str:
    """Give a stranger's text without what would move a terminal's cursor or colour it."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
