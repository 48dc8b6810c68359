"""What the state histories of 2,000 task runs cost beside a request for each: requests, and seconds from afar.

    python tests/benchmarks/histories.py [--rounds 3] [--sample 100]

A private server with a history of `seed_history.py`, 100 ms away (a transport that waits before each request).
One each: `client.read_task_run_states` of Prefect's own client in a loop, measured on a sample of the runs and scaled
to all; the two take turns, and medians are told. That the states are the same is seen on all of them (`exact=True`),
and on the sample as Prefect's client gives them. Goals: 1/6 of the requests at most, 20 times as fast.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from prefect.client.orchestration import SyncPrefectClient

from prefect_nbviz import Connection, read_states, read_task_runs
from prefect_nbviz.demo.server import PrivateServer

RUNS = 2_000
DELAY = 0.1
SEED = Path(__file__).with_name("seed_history.py")


class Distant(httpx.AsyncHTTPTransport):
    """The network, and a while before each request."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(DELAY)
        return await super().handle_async_request(request)


class DistantSync(httpx.HTTPTransport):
    """The same for Prefect's synchronous client."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        time.sleep(DELAY)
        return super().handle_request(request)


def measure(api_url: str, rounds: int, sample: int) -> str:
    near = Connection(api_url)
    runs = read_task_runs(limit=None, connection=near, progress=False)
    assert len(runs) == RUNS
    states = read_states(runs, connection=near, progress=False)
    exact = read_states(runs, exact=True, connection=near, progress=False)
    pd.testing.assert_frame_equal(states.drop(columns="source"), exact.drop(columns="source"))
    ids = runs["task_run_id"].sample(sample, random_state=7)
    ours, theirs = [], []
    for _ in range(rounds):
        begin = time.perf_counter()
        read_states(runs, connection=Connection(api_url, transport=Distant()), progress=False)
        ours.append(time.perf_counter() - begin)
        theirs.append(one_each(api_url, ids, states) * RUNS / sample)
    requests, seconds, loop = (
        states.attrs["prefect_nbviz"]["requests"],
        statistics.median(ours),
        statistics.median(theirs),
    )
    return (
        f"histories of {RUNS:,} task runs: {requests} requests, one each {RUNS:,}, ratio {RUNS / requests:.1f} (goal 6), "
        f"the same {len(states):,} states; {1_000 * DELAY:.0f} ms away {seconds:.1f} s, one each {loop:.0f} s "
        f"(scaled from {sample}), ratio {loop / seconds:.0f} (goal 20), {rounds} rounds"
    )


def one_each(api_url: str, ids: Iterable[str], states: pd.DataFrame) -> float:
    """Give the seconds of Prefect's client for some runs, and see that it reads what we did."""
    with SyncPrefectClient(api_url, httpx_settings={"transport": DistantSync()}) as client:
        begin = time.perf_counter()
        read: dict[str, Any] = {run_id: client.read_task_run_states(run_id) for run_id in ids}
        seconds = time.perf_counter() - begin
    words = ["state_name", "timestamp", "message"]
    ours = {run_id: part[words].astype(object) for run_id, part in states.groupby("run_id")}
    for run_id, history in read.items():
        told = [[state.name, pd.Timestamp(state.timestamp), state.message or None] for state in history]
        assert ours[run_id].where(ours[run_id].notna(), None).to_numpy().tolist() == told
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", type=int, default=100)
    options = parser.parse_args()
    with PrivateServer() as server:
        seed = [sys.executable, SEED, server.database, "--flow-runs", "10", "--tasks-per-run", str(RUNS // 10)]
        subprocess.run(seed, check=True, capture_output=True)
        print(measure(server.api_url, options.rounds, options.sample))


if __name__ == "__main__":
    main()
