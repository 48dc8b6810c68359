"""What can go wrong, in words that say what to do next.

```
PrefectNbvizError
├── QueryError            a criterion that cannot be: unknown, misspelt, out of range (also a ValueError)
├── FrameError            a frame without the columns that are needed (also a ValueError)
├── DemoError             the demo cannot start
├── PresetError           the file of saved filters cannot be read or written, or has none of that name
├── ReportError           a report cannot be written where it was to be
├── MissingPackageError   a package that few need is not installed (also an ImportError)
└── ServerError           the server, or the way to it
    ├── NotConnectedError     no API URL is set
    ├── UnreachableError      nothing answers there, or it stopped answering
    ├── AuthenticationError   the server refused the key (401, 403)
    └── RefusedError          the server refused the request (404, 422, 500 …)

KeyboardInterrupt
└── ReadInterrupted       a read was interrupted; its `frame` holds what was read by then

PrefectNbvizWarning (UserWarning)
├── IncompleteWarning     a frame holds less than what matches
└── UnknownNameWarning    nothing on the server has that flow, deployment, tag or state name
```
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class PrefectNbvizError(Exception):
    """Anything that this package raises on purpose."""


class QueryError(PrefectNbvizError, ValueError):
    """A criterion that cannot be."""


class FrameError(PrefectNbvizError, ValueError):
    """A frame that lacks what a function needs."""


class DemoError(PrefectNbvizError):
    """The demo cannot start."""


class PresetError(PrefectNbvizError):
    """The file of saved filters cannot be read or written, or has none of that name."""


class ReportError(PrefectNbvizError):
    """A report cannot be written.

    `frame` holds the runs where they were read by then; it is found out before, if it can be.
    """

    def __init__(self, sentence: str, *, frame: Any = None) -> None:
        super().__init__(sentence)
        self.frame = frame


class MissingPackageError(PrefectNbvizError, ImportError):
    """A package that few need is not installed."""


class ServerError(PrefectNbvizError):
    """The server, or the way to it."""


class NotConnectedError(ServerError):
    """No API URL is set."""


class UnreachableError(ServerError):
    """Nothing answers at the server's address, or it stopped answering."""


class AuthenticationError(ServerError):
    """The server refused the key."""


class RefusedError(ServerError):
    """The server refused the request."""


class ReadInterrupted(KeyboardInterrupt):
    """A read was interrupted (the kernel's stop button, Ctrl-C).

    Nothing after the read runs, as with any interrupt. `frame` holds what was read by then, marked as incomplete; in
    the next cell it is `sys.last_value.frame`.
    """

    def __init__(self, frame: Any, reason: str) -> None:
        super().__init__(f"{reason} What there is: import sys; frame = sys.last_value.frame")
        self.frame = frame


class PrefectNbvizWarning(UserWarning):
    """Anything that this package warns of."""


class IncompleteWarning(PrefectNbvizWarning):
    """A frame holds less than what matches."""


class UnknownNameWarning(PrefectNbvizWarning):
    """Nothing on the server has that name."""


_HEARD: ContextVar[list[str] | None] = ContextVar("heard", default=None)


def warn(sentence: str, category: type[PrefectNbvizWarning], *, stacklevel: int) -> None:
    """Warn of something, or tell whoever listens."""
    listener = _HEARD.get()
    if listener is None:
        warnings.warn(sentence, category, stacklevel=stacklevel + 1)
    else:
        listener.append(sentence)


@contextmanager
def heard() -> Iterator[list[str]]:
    """Give a list that gets what this thread would be warned of: Python's own `catch_warnings` is for one thread only.

    Examples
    --------
    >>> with heard() as sentences:
    ...     warn("Read the first 10 of 12.", IncompleteWarning, stacklevel=1)
    >>> sentences
    ['Read the first 10 of 12.']
    """
    sentences: list[str] = []
    token = _HEARD.set(sentences)
    try:
        yield sentences
    finally:
        _HEARD.reset(token)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Give ` Did you mean 'x'?` for the nearest known words, or nothing when none is near.

    Examples
    --------
    >>> did_you_mean("FAILD", ["FAILED", "RUNNING"])
    " Did you mean 'FAILED'?"
    >>> did_you_mean("tag", ["tags_all", "tags_any"])
    " Did you mean 'tags_all' or 'tags_any'?"
    >>> did_you_mean("xyz", ["FAILED"])
    ''
    """
    by_fold = {word.casefold(): word for word in known}
    begins = [word for word in by_fold if wrong and word.startswith(wrong.casefold())]
    near = begins or difflib.get_close_matches(wrong.casefold(), by_fold, n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(by_fold[word]) for word in near)}?" if near else ""
