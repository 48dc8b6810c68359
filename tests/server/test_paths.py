"""The critical path and runs at once of real flow runs: with mapped tasks, a subflow, and a task called in a task."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import SyncPrefectClient

from prefect_nbviz import (
    Connection,
    concurrency_steps,
    concurrency_table,
    critical_path,
    read_flow_runs,
    read_states,
    read_task_runs,
    state_intervals,
)
from prefect_nbviz.demo.server import PrivateServer

pytestmark = pytest.mark.server

FLOW = """
import time
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

@task
def load(): return [1, 2, 3]

@task
def clean(row):
    time.sleep(row / 10)
    return [row]

@task
def inner(rows):
    time.sleep(0.2)
    return rows

@task
def outer(rows):
    return inner(rows)

@task
def join(rows, more): return 1

@flow(flow_run_name="paths-child")
def child(rows): return inner(rows)

@flow(flow_run_name="paths-parent", task_runner=ThreadPoolTaskRunner(max_workers=2))
def parent():
    load()
    cleaned = clean.map(load.submit())
    child(cleaned[0])
    join.submit(cleaned, outer.submit(cleaned[2])).wait()

parent()
"""
NAMES = {"load": 2, "clean": 3, "child": 1, "outer": 1, "inner": 1, "join": 1}


@pytest.fixture(scope="module")
def task_runs(empty_server: PrivateServer) -> Iterator[pd.DataFrame]:
    process = empty_server.run("-W", "ignore", "-c", FLOW, log=empty_server.home / "paths.log")
    there = Connection(empty_server.api_url)
    for _ in range(120):
        time.sleep(0.5)
        runs = read_task_runs(connection=there, progress=False)
        parent = runs[(runs["flow_run_name"] == "paths-parent") & runs["end_time"].notna()]
        if process.exit_code is not None and len(parent) == sum(NAMES.values()):
            break
    assert process.exit_code == 0, process.last_words(30)
    yield parent.assign(task=parent["name"].str.split("-").str[0])
    with SyncPrefectClient(empty_server.api_url) as client:  # others find the server as it was
        for flow_id in read_flow_runs(name_like="paths-", connection=there)["flow_id"]:
            client.delete_flow(flow_id)


def micros(times: pd.Series[Any]) -> list[int]:
    return times.dt.tz_convert(None).to_numpy(dtype="datetime64[us]").astype(np.int64).tolist()


def whole(runs: pd.DataFrame, instant: str | None = None) -> int:
    """Give how long it all took by networkx, or would have taken with one task run of no time."""
    start = dict(zip(runs["task_run_id"], micros(runs["start_time"]), strict=True))
    end = dict(zip(runs["task_run_id"], micros(runs["end_time"]), strict=True))
    graph, begin = nx.DiGraph(), min(start.values())
    for run, ups in zip(runs["task_run_id"], runs["upstream_task_run_ids"], strict=True):
        graph.add_edge((run, "start"), (run, "end"), weight=0 if run == instant else end[run] - start[run])
        ready = {up: end[up] if end[up] <= start[run] else start[up] for up in ups}
        for up, moment in ready.items():
            is_before = moment == end[up]
            weight = start[run] - max(ready.values())
            graph.add_edge((up, "end" if is_before else "start"), (run, "start"), weight=weight)
            if not is_before:
                graph.add_edge((run, "end"), (up, "end"), weight=0)
        if not ready:
            graph.add_edge("source", (run, "start"), weight=start[run] - begin)
    return int(nx.dag_longest_path_length(graph))


def test_the_path_of_a_real_flow_run_is_that_of_networkx(task_runs: pd.DataFrame) -> None:
    path = critical_path(task_runs.sample(frac=1, random_state=7))
    ends = micros(task_runs["end_time"])
    assert whole(task_runs) == max(ends) - min(micros(task_runs["start_time"]))
    for row in path.to_dict("records"):
        saving = row["saving"] // pd.Timedelta(1, unit="us")
        assert whole(task_runs, row["task_run_id"]) == whole(task_runs) - saving
    attrs = path.attrs["prefect_nbviz"]
    assert (attrs["not_ended"], attrs["unused_links"]) == (0, 0)
    assert attrs["unlinked"] == 1  # of two calls of load, the second had to wait, and nothing says so


def test_subflows_and_calls_within_tasks_are_linked(task_runs: pd.DataFrame) -> None:
    task = dict(zip(task_runs["task_run_id"], task_runs["task"], strict=True))
    assert task_runs["task"].value_counts().to_dict() == NAMES
    path = critical_path(task_runs)
    path = path.assign(task=path["task_run_id"].map(task), after=path["waited_for"].map(task))
    after = path.set_index("task")["after"]
    assert after["inner"] == "outer"
    assert after["child"] == "clean"
    assert path[path["path_place"] > 0].sort_values("path_place")["task"].tolist()[-1] == "join"
    inner, outer = (path.set_index("task").loc[name] for name in ("inner", "outer"))
    assert inner["slack"] == outer["slack"] + (outer["end_time"] - inner["end_time"])


def test_mapped_tasks_run_as_many_at_once_as_there_are_workers(
    task_runs: pd.DataFrame, empty_server: PrivateServer
) -> None:
    spans = state_intervals(read_states(task_runs, connection=Connection(empty_server.api_url), progress=False))
    table = concurrency_table(concurrency_steps(spans, by="task", runs=task_runs)).set_index("group")
    assert table.loc["clean", "most"] == 2
    assert table.loc["load", "most"] == 1
    ran = spans[spans["state_type"] == "RUNNING"]
    length = ran["end_time"].max() - ran["start_time"].min()
    assert table["mean"].sum() == pytest.approx(ran["duration"].sum() / length)
