"""Private servers for tests: what takes long at the start of one is done once, for the workers of pytest together."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

from prefect_nbviz.demo.server import PrivateServer

Servers = Callable[[], AbstractContextManager[PrivateServer]]
"""What starts one server more."""


@contextmanager
def server_with(history: Path, make: Servers) -> Iterator[PrivateServer]:
    """Start a server with a copy of a database; who comes first makes that, while the others wait, and keeps its server."""
    with ExitStack() as stack:
        server = None
        with history.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed, however this process ends
            if not history.exists():
                server = stack.enter_context(make())
                _keep(server.database, history)
        yield server or stack.enter_context(PrivateServer(history=history))


@contextmanager
def filled(make: Servers) -> Iterator[PrivateServer]:
    """Start a server and run the sample flows there."""
    with make() as server:
        server.fill()
        yield server


def _keep(database: Path, history: Path) -> None:
    part = history.with_suffix(".part")  # a copy that is cut off is not taken for the whole
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
    part.rename(history)
