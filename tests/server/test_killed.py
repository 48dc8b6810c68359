"""A real server that is killed while it is read: what was read is kept, and what waits for it comes back whole."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pandas as pd
import pytest
from prefect.client.orchestration import SyncPrefectClient

from prefect_nbviz import Connection, read_task_runs
from prefect_nbviz.demo.server import HOST, PrivateServer
from prefect_nbviz.errors import IncompleteWarning

pytestmark = pytest.mark.server

RUNS = 60
PAGE = 10
REQUEST = 12
"""The request, of the about 18 of a read, before which something happens."""


class SmallPages(httpx.AsyncHTTPTransport):
    """The network to a server that allows few rows in a page; before one of the requests, something happens."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens = happens
        self._arrived = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._arrived += 1
        if self._arrived == REQUEST:
            self._happens()
        if b'"limit":200' in request.content.replace(b" ", b""):
            detail = f"Invalid limit: must be less than or equal to {PAGE}."
            return httpx.Response(422, json={"detail": detail}, request=request)
        return await super().handle_async_request(request)


def test_a_server_that_is_killed(empty_server: PrivateServer) -> None:
    with SyncPrefectClient(empty_server.api_url) as client:
        body = {"task_key": "killed", "tags": ["killed"], "state": {"type": "SCHEDULED"}}
        bodies = [body | {"dynamic_key": str(number)} for number in range(RUNS)]
        ids = {client.request("POST", "/task_runs/", json=one).json()["id"] for one in bodies}
    is_reading, is_killed = threading.Event(), threading.Event()

    def wait_for_the_kill() -> None:
        is_reading.set()
        assert is_killed.wait(60)

    def kill() -> None:
        os.killpg(empty_server._server._process.pid, signal.SIGKILL)

    def read(patience: float, happens: Callable[[], object]) -> pd.DataFrame:
        connection = Connection(empty_server.api_url, transport=SmallPages(happens), patience=patience)
        return read_task_runs(tags_all="killed", limit=None, connection=connection, progress=False)

    with ThreadPoolExecutor() as threads:
        patient = threads.submit(read, 120, wait_for_the_kill)
        assert is_reading.wait(60)
        try:
            with pytest.warns(
                IncompleteWarning, match=r"^The read broke off after \d+ rows, .*gave no good answer for 1 s"
            ):
                part = read(1, kill)
        finally:  # others need the server too
            is_killed.set()
            start_again(empty_server)
        whole = patient.result()
    assert 0 < len(part) < RUNS
    assert {*part["task_run_id"]} < ids
    assert part["task_run_id"].is_unique
    assert part.attrs["prefect_nbviz"]["matched"] == RUNS
    assert sorted(whole["task_run_id"]) == sorted(ids)
    assert not whole.attrs["prefect_nbviz"]["truncated"]


def start_again(server: PrivateServer) -> None:
    """Start it where it was, with its database."""
    where = ("--host", HOST, "--port", str(server.port))
    server._server = server.run("-m", "prefect", "server", "start", *where, log=server.home / "again.log")
    server._wait_until_healthy(server._server)
