"""State histories of anything, and futures without waiting."""

from __future__ import annotations

import json
import time
from uuid import UUID

import pandas as pd
import pytest
from prefect.client.orchestration import SyncPrefectClient

from prefect_nbviz import Connection, read_flow_runs, read_states, read_task_runs
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.errors import FrameError

pytestmark = pytest.mark.server

FLOW = """
import json, threading
from prefect import flow, task
import prefect_nbviz as nbv

go_on = threading.Event()

@task
def quick(n: int) -> int:
    return n

@task(retries=1, retry_delay_seconds=0.1)
def shaky(n: int) -> int:
    if n == 1:
        raise ValueError("one")
    assert go_on.wait(120)
    return n

@flow(name="futures")
def futures() -> dict:
    mapped, single = shaky.map(range(3)), quick.submit(7)
    at_once = nbv.read_futures([*mapped, single])
    go_on.set()
    done = nbv.read_futures([*mapped, single], wait=True, progress=False)
    again = nbv.read_futures(mapped)
    states = nbv.read_states(mapped)
    return {
        "ids": [str(future.task_run_id) for future in (*mapped, single)],
        "at_once": at_once["task_run_id"].tolist(), "known": at_once["is_known"].tolist(),
        "ended_at_once": int(at_once["end_time"].notna().sum()), "columns": list(at_once),
        "done": done["state_name"].tolist(), "done_known": done["is_known"].tolist(),
        "matched": at_once.attrs["prefect_nbviz"]["matched"],
        "again": again["state_name"].tolist(), "single": len(nbv.read_futures(single)),
        "histories": states["run_id"].nunique(), "retried": int((states["state_name"] == "AwaitingRetry").sum()),
    }

print("ANSWER", json.dumps(futures()), flush=True)
"""


def test_futures_of_a_running_flow(empty_server: PrivateServer) -> None:
    child = empty_server.run("-c", FLOW, log=empty_server.home / "futures.log")
    for _ in range(240):
        if child.exit_code is not None:
            break
        time.sleep(0.5)
    assert child.exit_code == 0, child.last_words(30)
    answer = json.loads(next(line for line in child.lines() if line.startswith("ANSWER")).removeprefix("ANSWER"))
    assert answer["at_once"] == answer["ids"]
    assert answer["ended_at_once"] <= 2, "it waited for tasks that cannot end before it gives back"
    assert answer["matched"] == 4
    assert answer["done"] == ["Completed", "Failed", "Completed", "Completed"]
    assert answer["done_known"] == [True] * 4
    assert answer["again"] == answer["done"][:3]
    assert (answer["single"], answer["histories"], answer["retried"]) == (1, 3, 1)
    assert answer["columns"][-1] == "is_known"


def test_a_history_by_any_name_is_the_same(connection: Connection, demo_server) -> None:
    tasks = read_task_runs(flow="train_model", limit=None, connection=connection, progress=False)
    one = tasks.iloc[0]
    expected = read_states(tasks.head(1), connection=connection, progress=False)
    with SyncPrefectClient(demo_server.api_url) as client:
        run = client.read_task_run(UUID(one["task_run_id"]))
    for subject in (one["task_run_id"], UUID(one["task_run_id"]), [one["task_run_id"]], one, run, [run]):
        pd.testing.assert_frame_equal(read_states(subject, connection=connection, progress=False), expected)
    every = read_states(tasks["task_run_id"], connection=connection, progress=False)
    pd.testing.assert_frame_equal(every, read_states(tasks, connection=connection, progress=False))


def test_ids_of_both_kinds(connection: Connection) -> None:
    runs = read_flow_runs(flow="sync_inventory", limit=None, connection=connection, progress=False)
    tasks = read_task_runs(flow_runs=runs, limit=None, connection=connection, progress=False)
    mixed = [runs["flow_run_id"].iloc[0], tasks["task_run_id"].iloc[0]]
    states = read_states(mixed, connection=connection, progress=False)
    kinds = states.drop_duplicates("run_id").set_index("run_id")["run_kind"]
    assert kinds.loc[mixed].tolist() == ["flow_run", "task_run"]
    assert states["run_name"].drop_duplicates().tolist() == [runs["name"].iloc[0], tasks["name"].iloc[0]]


@pytest.mark.parametrize("subject", ["nothing", 7, [None], ["x"]])
def test_what_is_no_run_is_said(subject, connection: Connection) -> None:
    with pytest.raises(FrameError, match=r"^Runs are a frame as .* ids, run objects or futures of Prefect; not"):
        read_states(subject, connection=connection)
