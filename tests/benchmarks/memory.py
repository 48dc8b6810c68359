"""What reading 100,000 task runs costs in memory, beside a plain loop over Prefect's client. Linux only.

    python tests/benchmarks/memory.py [--rows 100000]

Both read from a stand-in that hands out the rows of a made history on a real server, as often as it takes, each time
with ids and times of their own. Each runs in a process of its own; what counts is the highest resident memory from
just before the read until the frame stands, and, of ours, what the frame keeps once everything else is gone. Ours is
read twice: all columns, and a few of them.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pandas as pd
from reading import all_rows, ours, plain_loop, seeded_server
from stand_in import Row, StandIn

from prefect_nbviz import Connection, read_task_runs

COLUMNS = ["task_run_id", "state_type", "duration"]


def some_columns(address: str, transport: httpx.AsyncBaseTransport) -> pd.DataFrame:
    connection = Connection(address, transport=transport)
    return read_task_runs(limit=None, columns=COLUMNS, connection=connection, progress=False, fresh=True)


READERS = {"ours": ours, "some": some_columns, "loop": plain_loop}


def resident(word: str) -> int:
    """Give the bytes that are resident now (VmRSS), or were at most since the mark was reset (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(word))


def copies(rows: list[Row], wanted: int) -> list[Row]:
    """Give as many rows: the same ones again, each time with other ids and a month earlier."""
    made = [*rows]
    for turn in range(1, -(-wanted // len(rows))):
        back = timedelta(days=31 * turn)
        for row in rows:
            times = {
                name: (datetime.fromisoformat(row[name]) - back).isoformat()
                for name in ("expected_start_time", "start_time", "end_time")
                if row[name]
            }
            made.append(row | times | {"id": str(uuid4())})
    return made[:wanted]


def measure(reader: str, recorded: Path, wanted: int, answers: Any) -> None:
    task_runs, flow_runs, flows = json.loads(recorded.read_text(encoding="utf-8"))
    READERS[reader]("http://stand-in.invalid/api", StandIn(task_runs[:400], flow_runs, flows, latency=0.0))  # imports
    stand_in = StandIn(copies(task_runs, wanted), flow_runs, flows, latency=0.0)
    del task_runs
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets VmHWM
    before = resident("VmRSS")
    frame = READERS[reader]("http://stand-in.invalid/api", stand_in)
    peak = resident("VmHWM") - before
    assert len(frame) == wanted
    frame = frame.copy()
    gc.collect()
    kept = frame.memory_usage(deep=True).sum() if reader == "loop" else size(frame)
    answers.put((peak, kept))


def size(frame: Any) -> int:
    """Give the bytes of a frame with the texts in its tuples, each once."""
    seen: dict[int, int] = {}
    for name in {"tags", "upstream_task_run_ids"} & {*frame}:
        for value in frame[name]:
            seen[id(value)] = value.__sizeof__()
            seen |= {id(text): text.__sizeof__() for text in value}
    return int(frame.memory_usage(deep=False).sum()) + sum(seen.values())


def in_a_process(*told: Any) -> tuple[int, int]:
    spawn = multiprocessing.get_context("spawn")
    answers: Any = spawn.Queue()
    process = spawn.Process(target=measure, args=(*told, answers))
    process.start()
    answer: tuple[int, int] = answers.get()
    process.join()
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    wanted = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        recorded = Path(folder, "rows.json")
        with seeded_server(100) as address:
            tables = [all_rows(address, table) for table in ("task_runs", "flow_runs", "flows")]
        recorded.write_text(json.dumps(tables), encoding="utf-8")
        (peak, kept), (some_peak, some_kept), (loop_peak, _) = (
            in_a_process(reader, recorded, wanted) for reader in READERS
        )
    print(
        f"memory: {wanted:,} task runs, peak {peak / 1e6:,.0f} MB, 1/{loop_peak / peak:.1f} of the plain loop's "
        f"{loop_peak / 1e6:,.0f} MB (goal 1/5); the frame {kept / wanted:,.0f} bytes a row (goal 1,200); "
        f"of {len(COLUMNS)} columns, peak {some_peak / 1e6:,.0f} MB, {some_kept / wanted:,.0f} bytes a row"
    )


if __name__ == "__main__":
    main()
