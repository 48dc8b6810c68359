"""The servers that tests share, and a test process that knows nothing of the person's own Prefect."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

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
def demo_server() -> Iterator[PrivateServer]:
    """A server with the whole history, a flow run that goes on and one that stays paused."""
    with PrivateServer() as server:
        server.fill()
        yield server


@pytest.fixture(scope="session")
def empty_server() -> Iterator[PrivateServer]:
    """A server without runs."""
    with PrivateServer() as server:
        yield server
