"""The servers that tests share, and a test process that knows nothing of the person's own Prefect."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings

from prefect_nbviz.demo.server import PrivateServer

# Prefect reads its settings when it is first imported: this must come before any test module.
HOME = tempfile.mkdtemp(prefix="prefect-nbviz-tests-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for name in [name for name in os.environ if name.startswith("PREFECT_")]:
    del os.environ[name]
os.environ |= {"DO_NOT_TRACK": "1", "PREFECT_HOME": HOME}

settings.register_profile("prefect_nbviz", settings.default, deadline=None)  # a busy machine is no failure
settings.load_profile("prefect_nbviz")


def pytest_configure() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers are stopped then too


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateServer]:
    """This worker's own server with the whole history, a flow run that goes on and one that stays paused."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with PrivateServer() as server:
        with (shared / "history.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed, however its worker ends
            _fill(server, shared / "history.db")
        yield server


@pytest.fixture(scope="session")
def empty_server() -> Iterator[PrivateServer]:
    """A server without runs."""
    with PrivateServer() as server:
        yield server


def _fill(server: PrivateServer, history: Path) -> None:
    """Run the sample flows, which take a minute, in the first worker alone; the others get a copy of its database."""
    if history.exists():
        _copy(history, server.database)
    else:
        server.fill()
        part = history.with_suffix(".part")  # what was cut off is not taken for the whole
        _copy(server.database, part)
        part.rename(history)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
