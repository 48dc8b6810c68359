"""What reading and counting cost as the history grows, from 10,000 task runs to 1,000,000.

    python tests/benchmarks/growth.py [--flow-runs 5000] [--rounds 3]

Two real servers with made histories that are equally dense: the small one covers the last 7 hours, the big one also the
month before. Read are the runs of the last 6 hours, of both and also of 6 hours in the middle of the big one, and the
newest 10,000 of both; counted are those of the last 6 hours, in all and by state and quarter of an hour, and all that
there are. All take turns; medians. A million takes some minutes to make, and 4 GB of disk while it lasts.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect_nbviz import Connection, TaskRunQuery, count_runs, read_run_counts, read_task_runs
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.errors import IncompleteWarning

SEED_HISTORY = Path(__file__).with_name("seed_history.py")
TASKS = 200
SMALL = 50
"""Flow runs of the small history."""

A_FLOW_RUN = timedelta(days=0.006)
"""Between the starts of two flow runs."""

WINDOW = timedelta(hours=6)

Work = Callable[[], float]
"""Does something, and says of how many units its time is."""


@contextlib.contextmanager
def history(flow_runs: int, end: datetime) -> Iterator[PrivateServer]:
    days = flow_runs * A_FLOW_RUN / timedelta(days=1)
    size = ("--flow-runs", str(flow_runs), "--tasks-per-run", str(TASKS), "--days", str(days))
    with PrivateServer() as server:
        seed = [sys.executable, str(SEED_HISTORY), str(server.database), *size, "--end", str(end.timestamp())]
        subprocess.run(seed, check=True, capture_output=True)
        yield server


def reading(server: PrivateServer, query: TaskRunQuery) -> Work:
    at = Connection(server.api_url)
    return lambda: len(read_task_runs(query, connection=at, progress=False, fresh=True)) / 10_000


def counting(server: PrivateServer, query: TaskRunQuery) -> Work:
    at = Connection(server.api_url)
    return lambda: count_runs(query, connection=at, progress=False) and 1


def binning(server: PrivateServer, query: TaskRunQuery) -> Work:
    at = Connection(server.api_url)
    return lambda: len(read_run_counts(query, freq="15min", connection=at, progress=False)) and 1


def timed(rounds: int, work: Sequence[Work]) -> list[float]:
    """Do things in turns, and give for each the median of its seconds for a unit."""
    seconds: list[list[float]] = [[] for _ in work]
    for _ in range(rounds):
        for one, took in zip(work, seconds, strict=True):
            begin = time.perf_counter()
            units = one()
            took.append((time.perf_counter() - begin) / units)
    return [statistics.median(took) for took in seconds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--flow-runs", 5_000), ("--rounds", 3)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    warnings.simplefilter("ignore", IncompleteWarning)  # a limit leaves rows out
    end = datetime.now(UTC)
    lately = TaskRunQuery(since=end - WINDOW, until=end, limit=None)
    newest, every = TaskRunQuery(limit=SMALL * TASKS), TaskRunQuery(limit=None)
    half = end - told.flow_runs / 2 * A_FLOW_RUN
    with history(SMALL, end) as small, history(told.flow_runs, end) as big:
        both = {
            "6 h": (reading, lately),
            "newest 10,000": (reading, newest),
            "count of 6 h": (counting, lately),
            "by state and 15 min": (binning, lately),
            "count of all": (counting, every),
        }
        work = [make(server, query) for make, query in both.values() for server in (small, big)]
        work.append(reading(big, lately.replace(since=half - WINDOW, until=half)))
        *pairs, middle = timed(told.rounds, work)
        size = big.database.stat().st_size
    said = {
        what: f"{what} {one:.2g} to {other:.2g} s, {other / one:.1f} times"
        for what, one, other in zip(both, pairs[::2], pairs[1::2], strict=True)
    }
    print(
        f"growth: {SMALL * TASKS:,} to {told.flow_runs * TASKS:,} task runs ({size / 1e9:.1f} GB); 10,000 rows of "
        f"{said['6 h']} (goal: linear, 1), from the middle {middle:.2g} s; {said['newest 10,000']}; "
        f"{said['count of 6 h']} (goal: constant, 1); {said['by state and 15 min']} (goal: constant, 1); "
        f"{said['count of all']}; medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
