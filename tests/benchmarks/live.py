"""What an hour of live looks costs in memory and threads: every 2 s, so 1,800 looks, without the pauses between them.

    python tests/benchmarks/live.py [--looks 1800] [--runs 400]

A real server, on which every tenth look finds a run that ended and one that is new. The explorer is all there but its
page: what would go to the browser is made all the same, of the tab in front. Memory is that of the process after it
has looked a tenth of the time, beside that at the end, and the objects that Python knows; threads likewise.
"""

from __future__ import annotations

import argparse
import gc
import resource
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

from prefect import task
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Completed, Running

from prefect_nbviz import Connection, TaskRunQuery, explore
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.widgets.background import Turn

SEED_HISTORY = Path(__file__).with_name("seed_history.py")
CHANGES = 10
"""Looks of which one finds changes."""


@task
def made() -> None:
    """Run for its records alone."""


def memory() -> float:
    """Give the memory that the process holds now, in MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--looks", 1_800), ("--runs", 400)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    with PrivateServer() as server, SyncPrefectClient(server.api_url) as client:
        size = ("--flow-runs", str(told.runs // 20), "--tasks-per-run", "20")
        subprocess.run(
            [sys.executable, str(SEED_HISTORY), str(server.database), *size], check=True, capture_output=True
        )
        explorer = explore(TaskRunQuery(limit=told.runs), connection=Connection(server.api_url))
        explorer.load()
        held, threads, looks, turn = [], [], [], Turn()
        last = None
        for look in range(told.looks):
            if look % CHANGES == 0:
                if last is not None:
                    client.set_task_run_state(last, Completed(), force=True)
                last = client.create_task_run(made, flow_run_id=None, dynamic_key=uuid4().hex, state=Running()).id
            begin = time.perf_counter()
            explorer._loader._read(turn, quietly=True)
            looks.append(time.perf_counter() - begin)
            explorer.screen.views.selected_index = look % len(explorer.screen.views.children)
            if look % max(told.looks // 20, 1) == 0:
                held.append(memory())
                threads.append(threading.active_count())
        assert not explorer.screen.standing.failure, explorer.screen.standing.failure
        print(
            f"live: {told.looks:,} looks at {len(explorer.frame):,} task runs, {statistics.median(looks):.2f} s each; "
            f"memory {held[2]:.0f} MB after a tenth, {memory():.0f} MB at the end (goal: the same); "
            f"threads {threads[2]}, {threading.active_count()} (goal: the same)"
        )


if __name__ == "__main__":
    main()
