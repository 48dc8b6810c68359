"""On a real server that is written to and deleted from while long reads go on."""

from __future__ import annotations

import random
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Self

import pytest
from new_servers import Servers
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Completed, Running

from prefect_nbviz import Connection, read_flow_runs
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.errors import PrefectNbvizWarning
from prefect_nbviz.query import FlowRunQuery

pytestmark = pytest.mark.server

STEADY, PASSING = 260, 120


@flow(name="steady")
def steady() -> None:
    """Run for its records alone."""


@flow(name="passing")
def passing() -> None:
    """Come and go."""


class Restless:
    """A thread that creates, finishes and deletes runs of `passing` until it is stopped."""

    def __init__(self, api_url: str, ids: list[str]) -> None:
        self._api_url = api_url
        self._ids = ids
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.changes = 0

    def _work(self) -> None:
        chance = random.Random(3)
        with SyncPrefectClient(self._api_url) as client:
            while not self._is_over.is_set():
                run = client.create_flow_run(passing, name=f"run-{chance.randrange(400):03}", state=Running())
                client.set_flow_run_state(run.id, Completed(), force=True)
                self._ids.append(str(run.id))
                client.delete_flow_run(self._ids.pop(chance.randrange(len(self._ids))))
                self.changes += 3

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def server(new_server: Servers) -> Iterator[tuple[PrivateServer, list[str]]]:
    chance = random.Random(1)
    with new_server() as server, SyncPrefectClient(server.api_url) as client:
        ids: list[str] = []
        for number in range(STEADY + PASSING):
            kind = steady if number % (1 + PASSING / STEADY) < 1 else passing
            begin = datetime.now(UTC) - timedelta(seconds=chance.randrange(5_000))
            run = client.create_flow_run(kind, name=f"run-{chance.randrange(400):03}", state=Running(timestamp=begin))
            if number % 3:
                client.set_flow_run_state(run.id, Completed(timestamp=begin + timedelta(seconds=5)), force=True)
            if kind is passing:
                ids.append(str(run.id))
        yield server, ids


@pytest.mark.parametrize("limit", [None, 250])
@pytest.mark.parametrize("sort", FlowRunQuery.sorts)
def test_nothing_steady_is_lost(server: tuple[PrivateServer, list[str]], sort: str, limit: int | None) -> None:
    private, ids = server
    connection = Connection(private.api_url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrefectNbvizWarning)
        expected = read_flow_runs(flow="steady", sort=sort, limit=None, connection=connection, progress=False)
        with Restless(private.api_url, ids) as writer:
            frame = read_flow_runs(sort=sort, limit=limit, connection=connection, progress=False)
    assert writer.changes > 0
    assert frame["flow_run_id"].is_unique
    reached = frame.loc[frame["flow_name"] == "steady", "flow_run_id"].tolist()
    assert reached == expected["flow_run_id"].tolist()[: len(reached)]
    assert len(frame) == limit or len(reached) == len(expected)
