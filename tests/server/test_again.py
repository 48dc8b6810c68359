"""Reading again from a real server: the same as reading all, whatever was done to the runs meanwhile."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pandas as pd
import pytest
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Completed, Failed, Running, Scheduled, State

from prefect_nbviz import Connection, FlowRunQuery, TaskRunQuery
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.query import RunQuery
from prefect_nbviz.reading.past_reads import PastReads
from prefect_nbviz.reading.reader import Answer, Reader
from prefect_nbviz.reading.runs import read_runs
from prefect_nbviz.reading.worker import Progress

pytestmark = pytest.mark.server

RUNS = 30
TAG = "test_again"
LONG_AGO = timedelta(minutes=10)
"""Longer than what is read anew in any case."""

SOON = timedelta(minutes=30)
"""So short that a bin of the server's figures holds few of the runs: the bins span all that is expected."""

FEW = 20
"""Requests of a read in which nothing changed."""


@flow(name="again")
def again() -> None:
    """Run for its records alone."""


@task(name="again")
def part() -> None:
    """Run for its records alone."""


class Counting(httpx.AsyncHTTPTransport):
    """The network; counts requests."""

    requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        return await super().handle_async_request(request)


class Runs:
    """Runs of one kind that are written through Prefect's client, and what is read of them."""

    def __init__(self, client: SyncPrefectClient, server: PrivateServer, kind: str) -> None:
        self._client = client
        self._database = server.database
        self.kind = kind
        self._wire = Counting()
        self._memory = PastReads(at_least=1)
        self.connection = Connection(server.api_url, transport=self._wire)
        self._parent = client.create_flow_run(again, tags=[TAG]).id if kind == "task_run" else None
        chance = random.Random(5)
        self.ids = [self.ended(ago=timedelta(seconds=chance.randrange(700, 7_200))) for _ in range(RUNS)]

    def ended(self, *, ago: timedelta) -> UUID:
        """Make a run that ended some time ago, which the server's API does not let be."""
        run = self.make(Running())
        self.set(run, Completed())
        begin = datetime.now(UTC) - ago
        times = [f"{when:%Y-%m-%d %H:%M:%S.%f}" for when in (begin, begin, begin + timedelta(seconds=2.5))]
        sql = f"update {self.kind} set expected_start_time = ?, start_time = ?, end_time = ? where id = ?"
        with closing(sqlite3.connect(self._database, timeout=30)) as connection, connection:
            connection.execute(sql, [*times, str(run)])
        return run

    def make(self, state: State) -> UUID:
        if self.kind == "flow_run":
            return self._client.create_flow_run(again, state=state, tags=[TAG]).id
        key = f"{random.random()}"
        return self._client.create_task_run(part, self._parent, key, state=state, extra_tags=[TAG]).id

    def set(self, run: UUID, state: State) -> None:
        change = self._client.set_flow_run_state if self.kind == "flow_run" else self._client.set_task_run_state
        change(run, state, force=True)

    def delete(self, run: UUID) -> None:
        (self._client.delete_flow_run if self.kind == "flow_run" else self._client.delete_task_run)(run)

    def rename(self, run: UUID) -> None:
        self._client._client.patch(f"/{self.kind}s/{run}", json={"name": "renamed"}).raise_for_status()

    def query(self, **criteria: Any) -> RunQuery:
        make: Callable[..., RunQuery] = FlowRunQuery if self.kind == "flow_run" else TaskRunQuery
        return make(**{"tags_all": [TAG], "limit": None} | criteria)

    def read(self, *, fresh: bool = False, **criteria: Any) -> pd.DataFrame:
        self._wire.requests = 0
        query = self.query(**criteria)
        return read_runs(query, self.connection, past_reads=self._memory, progress=False, fresh=fresh)

    def read_again(self, *, requests: int, **criteria: Any) -> pd.DataFrame:
        """Read again, and see that it is the truth and cheap; without what hangs on the moment."""
        frame = self.read(**criteria)
        assert self._wire.requests <= requests
        assert frame.attrs["prefect_nbviz"]["kept"] > len(frame) / 2
        fresh = self.read(fresh=True, **criteria)
        moving = ["lateness"] if self.kind == "flow_run" else []
        pd.testing.assert_frame_equal(frame.drop(columns=moving), fresh.drop(columns=moving))
        return frame


@pytest.fixture(scope="module", params=["flow_run", "task_run"])
def runs(request: pytest.FixtureRequest, empty_server: PrivateServer) -> Iterator[Runs]:
    with SyncPrefectClient(empty_server.api_url) as client:
        yield Runs(client, empty_server, request.param)
        client.delete_flow(client.create_flow(again))  # and with it its runs: others find the server empty


def test_every_change_is_seen(runs: Runs) -> None:
    runs.read()
    assert runs.read_again(requests=FEW).attrs["prefect_nbviz"]["kept"] == RUNS

    new = [runs.make(Running()) for _ in range(3)]
    runs.set(new[0], Completed())
    runs.make(Scheduled(scheduled_time=datetime.now(UTC) + SOON))
    runs.ended(ago=LONG_AGO)
    assert len(runs.read_again(requests=FEW + 1)) == RUNS + 5, "new ones, one of them with an end of long ago"

    runs.set(new[1], Completed())
    runs.set(new[2], Failed())
    runs.set(runs.ids[1], Running())
    runs.set(runs.ids[2], Running())
    runs.set(runs.ids[2], Completed())
    frame = runs.read_again(requests=FEW + 1).set_index(f"{runs.kind}_id")
    assert frame.loc[str(runs.ids[1]), "state_type"] == "RUNNING"
    assert frame.loc[str(runs.ids[2]), "run_count"] == 2, "run anew, and back in the state that it had"

    runs.set(runs.ids[3], Failed())
    runs.delete(runs.ids[4])
    runs.delete(runs.ids[5])
    frame = runs.read_again(requests=FEW + 3).set_index(f"{runs.kind}_id")
    assert frame.loc[str(runs.ids[3]), "state_type"] == "FAILED", "set by hand, which leaves the end as it was"
    assert not {str(one) for one in runs.ids[4:6]} & {*frame.index}


def test_a_new_name_is_seen_afresh(runs: Runs) -> None:
    runs.read()
    runs.rename(runs.ids[7])
    assert "renamed" in {*runs.read(fresh=True)["name"]}
    assert "renamed" in {*runs.read_again(requests=FEW)["name"]}


@pytest.mark.filterwarnings("ignore::prefect_nbviz.errors.IncompleteWarning")
@pytest.mark.parametrize("way", ["DESC", "ASC"])
def test_the_first_part(way: str, runs: Runs) -> None:
    first = {"limit": RUNS - 10, "sort": f"EXPECTED_START_TIME_{way}"}
    runs.read(**first)
    assert runs.read_again(requests=FEW, **first).attrs["prefect_nbviz"]["truncated"]
    changed = runs.make(Running())
    runs.ended(ago=LONG_AGO)
    runs.read_again(requests=FEW + 1, **first)
    runs.set(changed, Completed())
    runs.read_again(requests=FEW + 1, **first)


@pytest.mark.parametrize("field", ["start_time", "expected_start_time", "end_time"])
def test_a_window_that_moves(field: str, runs: Runs) -> None:
    query = runs.query(since="100m", time_field=field)
    now = datetime.now(UTC)

    async def work() -> list[Answer]:
        async with runs.connection.open() as server:
            first = await Reader(server, query, Progress(), as_of=now).read()
            return [
                await Reader(server, query, Progress(), as_of=now + timedelta(minutes=20)).read(kept)
                for kept in (first.kept, None)
            ]

    moved, fresh = asyncio.run(work())
    pd.testing.assert_frame_equal(moved.frame, fresh.frame)
    assert 0 < moved.frame.attrs["prefect_nbviz"]["kept"] < RUNS
