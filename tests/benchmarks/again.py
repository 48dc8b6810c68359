"""What reading 100,000 task runs again costs, beside reading them all.

    python tests/benchmarks/again.py [--flow-runs 500] [--rounds 5]

On a real server with a made history: all are read, then again with nothing new, then again after a few were made,
finished, failed by hand, run anew and deleted through Prefect's client, round by round. At the end all are read once
more, and what was read again must be the same. All is the mean of the two, again the medians.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID, uuid4

import pandas as pd
from prefect import task
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Completed, Failed, Running

from prefect_nbviz import Connection, read_task_runs
from prefect_nbviz.demo.server import PrivateServer

SEED_HISTORY = Path(__file__).with_name("seed_history.py")
FEW = 10
SETTLED = 3.0
"""Seconds in which the server is done with the events of what was changed, which take its time from reading."""


@task
def made() -> None:
    """Run for its records alone."""


def change(address: str, runs: pd.DataFrame) -> None:
    """Make new runs, of which half have ended, and fail, run anew and delete a few that had ended."""
    ended = runs.loc[runs["state_type"] == "COMPLETED", "task_run_id"].sample(3 * FEW).map(UUID).tolist()
    parent = UUID(runs["flow_run_id"].iloc[0])
    with SyncPrefectClient(address) as client:
        for number in range(FEW):
            new = client.create_task_run(made, flow_run_id=parent, dynamic_key=uuid4().hex, state=Running())
            if number % 2:
                client.set_task_run_state(new.id, Completed(), force=True)
            client.set_task_run_state(ended[number], Failed(), force=True)
            client.set_task_run_state(ended[FEW + number], Running(), force=True)
            client.set_task_run_state(ended[FEW + number], Completed(), force=True)
            client.delete_task_run(ended[2 * FEW + number])


def timed(address: str, *, fresh: bool = False) -> tuple[float, pd.DataFrame]:
    begin = time.perf_counter()
    frame = read_task_runs(limit=None, connection=Connection(address), fresh=fresh, progress=False)
    return time.perf_counter() - begin, frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--flow-runs", 500), ("--rounds", 5)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    size = ("--flow-runs", str(told.flow_runs), "--tasks-per-run", "200")
    with PrivateServer() as server:
        seed = [sys.executable, str(SEED_HISTORY), str(server.database), *size]
        subprocess.run(seed, check=True, capture_output=True)
        first, frame = timed(server.api_url)
        unchanged = [timed(server.api_url)[0] for _ in range(told.rounds)]
        changed, kept = [], []
        for _ in range(told.rounds):
            change(server.api_url, frame)
            time.sleep(SETTLED)
            seconds, frame = timed(server.api_url)
            changed.append(seconds), kept.append(frame.attrs["prefect_nbviz"]["kept"])
        last, fresh = timed(server.api_url, fresh=True)
    pd.testing.assert_frame_equal(frame, fresh)
    whole, same, few = (first + last) / 2, statistics.median(unchanged), statistics.median(changed)
    print(
        f"again: {len(fresh):,} task runs, all {whole:.1f} s; nothing new {same:.2f} s, {whole / same:.0f} times as fast "
        f"(goal 20); {4 * FEW} made, changed and deleted {few:.2f} s, {whole / few:.0f} times as fast (goal 20), "
        f"{len(fresh) - statistics.median(kept):,.0f} rows asked for; the same as a fresh read; medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
