"""Histories that are rebuilt from rows are those that the server keeps, for task runs of kinds that the demo has not."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from prefect.client.orchestration import SyncPrefectClient

from prefect_nbviz import Connection, read_flow_runs, read_states, read_task_runs, suspect_runs
from prefect_nbviz.demo.server import PrivateServer

pytestmark = pytest.mark.server

FLOW = """
import time
from datetime import UTC, datetime, timedelta
from prefect import flow, get_client, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled, Completed, Crashed, Failed
from prefect.transactions import transaction

MADE_BEFORE = Completed(message="made before")

@task(cache_policy=NO_CACHE)
def gives(make): return make()

@task(retries=2)
def needless(): return 1

@task(tags=["slot"])
def limited(): time.sleep(0.1)

@task
def undone(): return 1

@undone.on_rollback
def undo(_): pass

@task
def breaks(): raise ValueError("broken")

@task
def leaves(): raise SystemExit(3)

@task
def forced():
    with get_client(sync_client=True) as client:
        known = {"task_runs": {"id": {"any_": [task_run.id]}}}
        while client.request("POST", "/task_runs/count", json=known).json() == 0:
            time.sleep(0.1)
        body = {"state": {"type": "PAUSED", "message": "by hand"}, "force": True}
        client.request("POST", "/task_runs/{id}/set_state", path_params={"id": task_run.id}, json=body)

@flow
def child(): return needless()

@task
def calls_child(): return child()

def give(name, make): gives.with_options(name=name)(make, return_state=True)

@flow(retries=1)
def kinds():
    give("before", lambda: MADE_BEFORE)
    if flow_run.run_count == 1:
        raise ValueError("once more")
    give("custom", lambda: Completed(name="Custom", message="<b>done</b>"))
    give("bad", lambda: Failed(name="Bad", message="no good"))
    give("crashed", lambda: Crashed(message="I crash"))
    give("cancelled", lambda: Cancelled(message="called off"))
    needless(); calls_child(); child(); forced()
    for future in [limited.submit(), limited.submit()]:
        future.wait()
    try:
        with transaction():
            undone(); breaks()
    except ValueError:
        leaves(return_state=True)

with get_client(sync_client=True) as client:
    client.request("POST", "/concurrency_limits/", json={"tag": "slot", "concurrency_limit": 1})
try:
    kinds(return_state=True)
except SystemExit:
    give("outside", lambda: 1)
"""
REBUILT = {"bad", "before", "breaks", "calls_child", "cancelled", "crashed", "custom", "leaves", "limited", "needless"}
ASKED_FOR = {"before", "by", "child", "outside", "undone"}


@pytest.fixture(scope="module")
def runs(empty_server: PrivateServer) -> pd.DataFrame:
    connection = Connection(empty_server.api_url)
    before = read_task_runs(limit=None, connection=connection, progress=False)["task_run_id"]
    child = empty_server.run("-W", "ignore", "-c", FLOW, log=empty_server.home / "kinds.log")
    until(lambda: child.exit_code is not None)
    assert child.exit_code == 0, child.last_words(30)
    by_hand(empty_server.api_url)
    seen: list[Any] = []

    def is_steady() -> bool:
        frame = read_task_runs(limit=None, connection=connection, progress=False)
        seen.append(frame[["task_run_id", "state_name"]].to_dict("list"))
        return len(seen) > 4 and seen[-1] == seen[-4]

    until(is_steady)
    after = read_task_runs(limit=None, connection=connection, progress=False)
    return after[~after["task_run_id"].isin(before)]


def until(done: Any) -> None:
    for _ in range(240):
        if done():
            return
        time.sleep(0.5)
    raise AssertionError("it takes too long")


def by_hand(api_url: str) -> None:
    """Take a task run through its states by the API, as the server does with a deferred one."""
    with SyncPrefectClient(api_url) as client:
        body = {"task_key": "hand", "dynamic_key": "0", "name": "by-hand", "state": {"type": "SCHEDULED"}}
        run = client.request("POST", "/task_runs/", json=body).json()
        for state_type in ("PENDING", "RUNNING", "COMPLETED"):
            told = {"state": {"type": state_type, "message": "by hand"}, "force": True}
            client.request("POST", "/task_runs/{id}/set_state", path_params={"id": run["id"]}, json=told)


def test_rebuilt_histories_are_those_of_the_server(runs: pd.DataFrame, empty_server: PrivateServer) -> None:
    connection = Connection(empty_server.api_url)
    runs = runs[~runs["name"].str.startswith("forced")]
    states = read_states(runs, connection=connection, progress=False)
    exact = read_states(runs, exact=True, connection=connection, progress=False)
    pd.testing.assert_frame_equal(states.drop(columns="source"), exact.drop(columns="source"))
    assert exact["source"].eq("server").all()
    tasks = states["run_name"].str.split("-").str[0].groupby(states["source"], observed=True).agg(set)
    assert tasks.to_dict() == {"row": REBUILT, "server": ASKED_FOR}


def test_what_a_rebuilt_history_lacks(runs: pd.DataFrame, empty_server: PrivateServer) -> None:
    forced = runs[runs["name"].str.startswith("forced")]
    names = [
        read_states(forced, exact=exact, connection=Connection(empty_server.api_url))["state_name"].tolist()
        for exact in (False, True)
    ]
    assert names == [["Pending", "Running", "Completed"], ["Pending", "Running", "Paused", "Completed"]]


def test_only_a_state_that_was_made_before_cannot_be_right(runs: pd.DataFrame, empty_server: PrivateServer) -> None:
    connection = Connection(empty_server.api_url)
    flow_runs = read_flow_runs(limit=None, connection=connection, progress=False)
    states = read_states(runs, exact=True, connection=connection, progress=False)
    later = datetime.now(UTC) + timedelta(minutes=2)  # nothing is so new that it is not judged
    for frame in (flow_runs, runs := runs.copy(), states):
        frame.attrs["prefect_nbviz"] = {**frame.attrs["prefect_nbviz"], "as_of": later.isoformat()}
    found = suspect_runs(flow_runs=flow_runs, task_runs=runs, states=states)
    told = {*zip(found["run_name"].str.split("-").str[0], found["problem"], strict=True)}
    assert told == {("before", "left_active"), ("before", "out_of_order")}
