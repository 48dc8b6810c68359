"""An IPython of its own for each test of the magics, and an address at which nothing answers."""

from __future__ import annotations

import atexit
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[InteractiveShell]:
    # With a cache of outputs, each shell would collect garbage at its end: a second, with all that the tests hold.
    config = Config(HistoryManager={"enabled": False}, InteractiveShell={"cache_size": 0})
    shell = InteractiveShell(ipython_dir=str(tmp_path), config=config)
    shell.extension_manager.load_extension("prefect_nbviz")
    yield shell
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()


@pytest.fixture
def dead_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/api"
