"""What reading 20,000 task runs costs, beside a plain loop over Prefect's client and beside bare HTTP.

    python tests/benchmarks/reading.py [--flow-runs 100] [--rounds 5]

The plain loop is what the documentation leads to: `client.read_task_runs` page by page, then
`pd.DataFrame([run.model_dump() for run in runs])`. Bare HTTP sends the requests of our read again, one after the
other, and throws the answers away. All take turns on one real server with a made history; then the same with
100 ms in front of it, and on a stand-in for Prefect Cloud that hands out the rows of that server after 100 ms, where
the server is not the limit. CPU is that of this process on the stand-in.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.sorting import TaskRunSort
from stand_in import Row, StandIn

from prefect_nbviz import Connection, read_task_runs
from prefect_nbviz.demo.server import PrivateServer

SEED_HISTORY = Path(__file__).with_name("seed_history.py")
PAGE = 200
LATENCY = 0.1
CLOUD = "https://api.prefect.cloud/api/accounts/{0}/workspaces/{0}".format("00000000-0000-4000-8000-000000000000")
"""The address that the stand-in is asked by: nothing is sent there."""


class Wire(httpx.AsyncHTTPTransport):
    """The network, `latency` seconds longer than it is; remembers what was sent."""

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__()
        self._latency = latency
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        await asyncio.sleep(self._latency)
        return await super().handle_async_request(request)


def ours(address: str, transport: httpx.AsyncBaseTransport | None = None) -> pd.DataFrame:
    return read_task_runs(limit=None, connection=Connection(address, transport=transport), progress=False, fresh=True)


def plain_loop(address: str, transport: httpx.AsyncBaseTransport | None = None) -> pd.DataFrame:
    async def read() -> list[Any]:
        runs: list[Any] = []
        async with PrefectClient(address, httpx_settings={"transport": transport} if transport else None) as client:
            while page := await client.read_task_runs(
                sort=TaskRunSort.EXPECTED_START_TIME_DESC, limit=PAGE, offset=len(runs)
            ):
                runs += page
        return runs

    return pd.DataFrame([run.model_dump() for run in asyncio.run(read())])


def bare(requests: list[httpx.Request]) -> None:
    async def send() -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            for request in requests:
                headers = {"Accept-Encoding": request.headers["Accept-Encoding"]}
                await client.request(request.method, request.url, content=request.content, headers=headers)

    asyncio.run(send())


def seconds(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    begin = clock()
    call()
    return clock() - begin


@contextlib.contextmanager
def seeded_server(flow_runs: int) -> Iterator[str]:
    """Start a server on a made history of 200 task runs for each flow run, and give its address."""
    size = ("--flow-runs", str(flow_runs), "--tasks-per-run", "200")
    with PrivateServer() as server:
        subprocess.run(
            [sys.executable, str(SEED_HISTORY), str(server.database), *size], check=True, capture_output=True
        )
        yield server.api_url


def all_rows(address: str, table: str) -> list[Row]:
    rows: list[Row] = []
    with httpx.Client(timeout=60) as client:
        while page := client.post(f"{address}/{table}/filter", json={"limit": PAGE, "offset": len(rows)}).json():
            rows += page
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--flow-runs", 100), ("--rounds", 5)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    with seeded_server(told.flow_runs) as address:
        wire = Wire()
        rows = len(ours(address, wire))
        requests = wire.sent
        stand_in = StandIn(
            *(all_rows(address, table) for table in ("task_runs", "flow_runs", "flows")), latency=LATENCY
        )
        calls: dict[str, Callable[[], object]] = {
            "ours": lambda: ours(address),
            "bare": lambda: bare(requests),
            "loop": lambda: plain_loop(address),
            "delayed": lambda: ours(address, Wire(LATENCY)),
        }
        local: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(told.rounds):
            for name, call in calls.items():
                local[name].append(seconds(call))
    here = {name: statistics.median(times) for name, times in local.items()}
    assert len(plain_loop(CLOUD, stand_in)) == rows
    far_ours, far_loop, cpu_ours, cpu_loop = [], [], [], []
    for _ in range(told.rounds):
        begin, cpu = time.perf_counter(), time.process_time()
        assert len(ours(CLOUD, stand_in)) == rows
        far_ours.append(time.perf_counter() - begin), cpu_ours.append(time.process_time() - cpu)
        begin, cpu = time.perf_counter(), time.process_time()
        plain_loop(CLOUD, stand_in)
        far_loop.append(time.perf_counter() - begin), cpu_loop.append(time.process_time() - cpu)
    far = [statistics.median(times) for times in (far_ours, far_loop, cpu_ours, cpu_loop)]
    print(
        f"reading: {rows:,} task runs, local {here['ours']:.1f} s: {here['ours'] / here['bare']:.2f} of bare HTTP "
        f"(goal 1.10), {here['loop'] / here['ours']:.2f} times as fast as the plain loop (goal 1.3); with 100 ms in "
        f"front {here['delayed'] / here['ours']:.2f} of that (goal 1.15); stand-in with 100 ms {far[0]:.1f} s, "
        f"{far[1] / far[0]:.1f} times as fast as the plain loop (goal 7), {stand_in.most_at_once} requests at a time "
        f"(goal 8); CPU {far[2]:.2f} s, 1/{far[3] / far[2]:.1f} of the plain loop's (goal 1/6); "
        f"medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
