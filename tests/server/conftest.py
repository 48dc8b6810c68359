"""The demo's server, as the readers take it; a module may have a connection of its own."""

from __future__ import annotations

import pytest

from prefect_nbviz import Connection
from prefect_nbviz.demo.server import PrivateServer


@pytest.fixture(scope="session")
def connection(demo_server: PrivateServer) -> Connection:
    return Connection(demo_server.api_url)
