"""What is said of failures is what really brought the others down, and what the server's own records count."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from new_servers import Servers
from scipy.stats import binomtest
from sql_reference import rows

from prefect_nbviz import (
    Connection,
    failure_rates,
    flaky_tasks,
    leaf_failures,
    outages,
    read_flow_runs,
    read_task_runs,
)
from prefect_nbviz.analysis.kin import Kin
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.task_keys import task_name

pytestmark = pytest.mark.server

FLOWS = Path(__file__).parents[1] / "failing_flows.py"
FAILED = "('FAILED', 'CRASHED')"


@pytest.fixture(scope="module")
def server(new_server: Servers) -> Iterator[PrivateServer]:
    with new_server() as server:
        subprocess.run([sys.executable, "-W", "ignore", FLOWS], env=server.environment, check=True)
        yield server


@pytest.fixture(scope="module")
def flow_runs(server: PrivateServer) -> pd.DataFrame:
    return read_flow_runs(limit=None, connection=Connection(server.api_url))


@pytest.fixture(scope="module")
def task_runs(server: PrivateServer) -> pd.DataFrame:
    return read_task_runs(limit=None, connection=Connection(server.api_url))


def test_each_failure_is_shown_once_with_what_it_brought_down(
    server: PrivateServer, flow_runs: pd.DataFrame, task_runs: pd.DataFrame
) -> None:
    leaves = leaf_failures(flow_runs, task_runs)
    named = [tuple(name.partition("-")[0] for name in path) for path in leaves["path"]]  # without the ends of names
    held = zip(named, leaves["brought_down"], leaves["held_back"], leaves["root_state_type"], strict=True)
    assert Counter(held) == {
        (("nightly", "load", "copy", "read_all", "read"), 6, 0, "FAILED"): 1,
        (("tolerant", "read"), 0, 1, "COMPLETED"): 1,
        (("reporting", "read"), 2, 0, "FAILED"): 1,
        (("own",), 0, 0, "FAILED"): 1,
        (("hurried", "hurry"), 2, 0, "FAILED"): 1,
        (("crashing", "leaving", "leave"), 3, 0, "CRASHED"): 1,
        (("daily", "write"), 0, 0, "FAILED"): 1,
        (("daily", "close"), 1, 0, "FAILED"): 2,
    }
    assert leaves["is_deepest"].all()
    assert leaves["is_whole_path"].all()
    below = set().union(*leaves["brought_down_ids"])
    told = [f"SELECT id FROM {kind} WHERE state_type IN {FAILED}" for kind in ("flow_run", "task_run")]
    assert {one for (one,) in rows(server.database, " UNION ".join(told))} == {*leaves["run_id"]} | below
    assert not below & {*leaves["run_id"]}


def test_without_the_task_runs_what_failed_is_still_shown_and_said_to_be_perhaps_not_the_cause(
    flow_runs: pd.DataFrame, task_runs: pd.DataFrame
) -> None:
    part = task_runs.head(0)
    part.attrs["prefect_nbviz"] = task_runs.attrs["prefect_nbviz"] | {"truncated": True}
    leaves = leaf_failures(flow_runs, part)
    assert {*leaves["run_id"]} == {*flow_runs.loc[flow_runs["state_type"].isin(["FAILED", "CRASHED"]), "flow_run_id"]}
    assert not leaves["is_deepest"].any()


def test_a_task_run_is_within_the_one_that_the_server_has_as_its_parent(
    server: PrivateServer, flow_runs: pd.DataFrame, task_runs: pd.DataFrame
) -> None:
    expected = {
        run: parents[0]["id"]
        for run, inputs in rows(server.database, "SELECT id, task_inputs FROM task_run")
        if (parents := json.loads(inputs).get("__parents__"))
    }
    found = Kin.of(flow_runs, task_runs)
    ids = found.runs["run_id"].to_numpy(dtype=object)
    is_task = (found.runs["run_kind"] == "task_run").to_numpy()
    inner = is_task & (found.runs["run_kind"].to_numpy()[found.parent] == "task_run") & (found.parent >= 0)
    assert dict(zip(ids[inner], ids[found.parent[inner]], strict=True)) == expected
    assert len(expected) == 3, "read_all calls read twice, hurry calls nap"


def test_the_rates_are_those_of_the_database(server: PrivateServer, task_runs: pd.DataFrame) -> None:
    sql = f"""SELECT task_key, count(*), sum(state_type IN {FAILED}), sum(state_type IN ('COMPLETED', 'FAILED', 'CRASHED'))
    FROM task_run GROUP BY task_key"""
    expected = {key: (every, failed, ended) for key, every, failed, ended in rows(server.database, sql)}
    table = failure_rates(task_runs, by="task_key")
    found = table.set_index("task_key")
    bad = found["failed"] + found["crashed"]
    assert dict(zip(found.index, zip(found["runs"], bad, found["ended"], strict=True), strict=True)) == expected
    for failed, ended, low, high in zip(bad, found["ended"], found["low"], found["high"], strict=True):
        theirs = binomtest(failed, ended).proportion_ci(method="wilson") if ended else (float("nan"),) * 2
        assert (low, high) == pytest.approx((*theirs,), nan_ok=True)


def test_a_task_that_passes_again_is_flaky_and_one_that_does_not_is_broken(
    flow_runs: pd.DataFrame, task_runs: pd.DataFrame
) -> None:
    table = flaky_tasks(task_runs, flow_runs)
    days = table[table["flow_name"] == "daily"]
    told = dict(zip(days["task_key"].map(task_name), zip(days["verdict"], days["flow_runs"], strict=True), strict=True))
    assert told == {"unsteady": ("flaky", 3), "write": ("flaky", 3), "close": ("broken", 3)}
    starts = sorted(flow_runs.loc[flow_runs["flow_name"] == "daily", "expected_start_time"])
    since = dict(zip(days["task_key"].map(task_name), days["since"], strict=True))
    assert since == {"unsteady": starts[0], "write": starts[1], "close": starts[1]}
    assert table.attrs["prefect_nbviz"]["without_version"] == 0


def test_outages_are_those_of_the_ends_in_the_database(server: PrivateServer, task_runs: pd.DataFrame) -> None:
    sql = f"""SELECT task_key, id, end_time, state_type IN {FAILED} FROM task_run
    WHERE state_type IN ('COMPLETED', 'FAILED', 'CRASHED') ORDER BY task_key, end_time"""
    expected, down = [], {}
    for key, run, end, is_bad in rows(server.database, sql):
        if is_bad:
            down.setdefault(key, (run, end))
        elif key in down:
            expected.append((*down.pop(key), run, end))
    expected += [(run, end, None, None) for run, end in down.values()]
    table = outages(task_runs, by="task_key")
    found = table[["first_run_id", "began", "recovered_by", "recovered"]].to_numpy(dtype=object)
    assert {(run, began, None if pd.isna(by) else by) for run, began, by, _ in found} == {
        (run, pd.Timestamp(end, tz="UTC"), by) for run, end, by, _ in expected
    }
    assert any(by for *_, by, _ in expected), "write recovers"
    until = pd.Timestamp(task_runs.attrs["prefect_nbviz"]["as_of"])
    assert (table.loc[table["is_open"], "recovered"] == until).all()
