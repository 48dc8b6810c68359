"""Two versions of a flow on a real server: what changed is found, and the grid has every task run in its cell."""

from __future__ import annotations

import json
import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta

import pandas as pd
import pytest
from prefect.client.orchestration import SyncPrefectClient
from scipy.stats import mannwhitneyu

from prefect_nbviz import (
    Connection,
    compare_runs,
    parameter_differences,
    plot_comparison,
    plot_run_grid,
    read_flow_runs,
    read_task_runs,
    run_grid,
)
from prefect_nbviz.demo.server import PrivateServer

pytestmark = pytest.mark.server

RUNS = 5
FLOW = f"""
import time
from prefect import flow, task

@task
def extract(region): return [1, 2, 3]

@task
def clean(row): time.sleep(0.02)

@task
def old(): pass

@flow(name="versions", flow_run_name="versions-{{number}}")
def ingest(number, region, rows=3):
    clean.map(extract(region)).wait()
    old()

for number in range({RUNS}):
    ingest(number, "eu")

@task
def clean(row):
    time.sleep(0.25)
    return row

@task
def new(): pass

@flow(name="versions", flow_run_name="versions-{{number}}")
def ingest(number, region, rows=3):
    clean.map(extract(region)).wait()
    new()

for number in range({RUNS}, {2 * RUNS}):
    ingest(number, "us")
"""
Read = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def read(empty_server: PrivateServer) -> Iterator[Read]:
    """Flow runs and task runs, oldest first."""
    process = empty_server.run("-W", "ignore", "-c", FLOW, log=empty_server.home / "versions.log")
    there = Connection(empty_server.api_url)
    for _ in range(120):
        time.sleep(0.5)
        if process.exit_code is None:
            continue
        tasks = read_task_runs(flow="versions", sort="EXPECTED_START_TIME_ASC", connection=there, progress=False)
        if process.exit_code or tasks["end_time"].notna().sum() == 5 * 2 * RUNS:
            break
    assert process.exit_code == 0, process.last_words(30)
    assert len(tasks) == 5 * 2 * RUNS
    flows = read_flow_runs(flow="versions", sort="EXPECTED_START_TIME_ASC", connection=there, progress=False)
    yield flows, tasks
    with SyncPrefectClient(empty_server.api_url) as client:  # others find the server as it was
        client.delete_flow(flows["flow_id"].iloc[0])


def split(runs: pd.DataFrame, flows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    is_before = runs["flow_run_id"].isin(flows["flow_run_id"].iloc[:RUNS])
    return runs[is_before], runs[~is_before]


def test_what_differs_between_the_versions_is_found(read: Read, empty_server: PrivateServer) -> None:
    flows, tasks = read
    table = compare_runs(*split(tasks, flows)).set_index("task")
    findings = table["finding"].drop("extract").to_dict()  # that one is as quick as the machine lets it be
    assert findings == {"clean": "slower", "new": "new", "old": "gone"}
    assert table.loc[["clean", "extract"], "code_changed"].tolist() == [True, False]
    with closing(sqlite3.connect(empty_server.database)) as database:
        sql = "SELECT flow_run_id, start_time, end_time FROM task_run WHERE task_key LIKE 'clean-%'"
        rows = [
            (run, datetime.fromisoformat(end) - datetime.fromisoformat(start))
            for run, start, end in database.execute(sql)
        ]
    units = [statistics.median(took for run, took in rows if run == one) for one in flows["flow_run_id"]]
    clean = table.loc["clean"]
    numbers = [one / timedelta(microseconds=1) for one in units]
    assert clean["p_duration"] == mannwhitneyu(numbers[:RUNS], numbers[RUNS:], method="exact").pvalue
    for side, own in (("before", units[:RUNS]), ("after", units[RUNS:])):
        assert abs(clean[f"p50_{side}"] - statistics.median(own)) <= timedelta(microseconds=1)
        assert (clean[f"runs_{side}"], clean[f"timed_{side}"]) == (3 * RUNS, RUNS)
    assert plot_comparison(table.reset_index()).layout.title.subtitle.text.startswith(f"before: {5 * RUNS} runs")


def test_flow_runs_are_compared_and_their_parameters_told(read: Read) -> None:
    before, after = split(read[0], read[0])
    (compared,) = compare_runs(before, after, by="flow_name").to_dict("records")
    took = [(runs["end_time"] - runs["start_time"]).dt.total_seconds() for runs in (before, after)]
    assert compared["p_duration"] == mannwhitneyu(*took, method="exact").pvalue
    is_found = compared["p_duration"] <= 0.05  # what else the machine does may take longer than what the tasks wait
    assert (compared["finding"] == "slower") == is_found
    table = parameter_differences(before, after).set_index("parameter")
    assert [*table.index] == ["number", "region"], "rows is the same"
    assert table.loc["region", ["values_before", "runs_after"]].tolist() == [('"eu"',), (RUNS,)]
    assert sorted(json.loads(one) for one in table.loc["number", "values_after"]) == [*range(RUNS, 2 * RUNS)]
    single = compare_runs(read[1][read[1]["flow_run_id"] == before["flow_run_id"].iloc[0]], split(read[1], before)[1])
    assert single["p_duration"].isna().all()


def test_the_grid_has_every_task_run_in_its_cell(read: Read) -> None:
    flows, tasks = read
    grid = run_grid(tasks, flows)
    assert [*grid["flow_run_name"].drop_duplicates()] == [f"versions-{number}" for number in range(2 * RUNS)]
    assert grid["runs"].tolist() == [1, 3, 1] * 2 * RUNS
    assert grid.groupby("flow_run_name", observed=True)["task"].agg(list).tolist()[0][:2] == ["extract", "clean"]
    own = tasks.set_index("task_run_id")
    for row in grid.to_dict("records"):
        held = own.loc[[*row["task_run_ids"]]]
        assert {*held["flow_run_id"]} == {row["flow_run_id"]}
        assert row["duration"] == held["end_time"].max() - held["start_time"].min()
    assert sorted(run for runs in grid["task_run_ids"] for run in runs) == sorted(own.index)
    flow_of = flows.set_index("flow_run_id")["duration"]
    assert (grid["flow_run_duration"] == grid["flow_run_id"].map(flow_of)).all()
    figure = plot_run_grid(grid)
    assert figure.layout.title.text == f"versions · {2 * RUNS} runs"
    assert "other code than in the run before" in " ".join(text for one in figure.data[2:] for text in one.customdata)
