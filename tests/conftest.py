"""The servers that tests share, and a test process that knows nothing of the person's own Prefect."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from new_servers import Servers, filled, server_with

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
    for number in (signal.SIGTERM, signal.SIGINT):  # so that the servers are stopped then too; a script's background
        signal.signal(number, signal.default_int_handler)  # process ignores SIGINT, with which a worker is ended


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with a file that has the sample flows run; while that lasts, the other worker does what needs none of them."""
    needing = dict.fromkeys(item.path for item in items if "demo_server" in getattr(item, "fixturenames", ()))
    if first := next(iter(needing), None):
        beside = {item.path for item in items if item.path.parent == first.parent} - {*needing}
        items.sort(key=lambda item: (item.path != first, item.path not in beside))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all workers."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def new_server(shared: Path) -> Servers:
    """Start a server without runs; all but the first begin with its empty tables, which take half of a start to make."""
    return functools.partial(server_with, shared / "empty.db", PrivateServer)


@pytest.fixture(scope="session")
def demo_server(shared: Path, new_server: Servers) -> Iterator[PrivateServer]:
    """This worker's server with the whole history, a flow run that goes on and one that stays paused."""
    with server_with(shared / "history.db", functools.partial(filled, new_server)) as server:
        yield server


@pytest.fixture(scope="session")
def empty_server(new_server: Servers) -> Iterator[PrivateServer]:
    """This worker's server without runs."""
    with new_server() as server:
        yield server
