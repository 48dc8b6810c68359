"""On a real server nothing is said of runs that are well, and what is planted in its database is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

from prefect_nbviz import (
    Connection,
    concurrency_steps,
    concurrency_table,
    duration_table,
    frames,
    lateness_table,
    read_flow_runs,
    read_states,
    read_task_runs,
    run_counts,
    state_intervals,
    suspect_runs,
    time_spent,
)
from prefect_nbviz.demo.server import PrivateServer

pytestmark = pytest.mark.server

NOWHERE = str(uuid4())
Given = dict[str, pd.DataFrame]


def read(server: PrivateServer, ids: list[str] | None = None) -> Given:
    """Read all there is, as if two minutes had gone by since."""
    connection = Connection(server.api_url)
    given = {"task_runs": read_task_runs(limit=None, connection=connection, progress=False)}
    given["flow_runs"] = read_flow_runs(limit=None, connection=connection, progress=False)
    wanted = ids if ids is not None else [*given["task_runs"]["task_run_id"], *given["flow_runs"]["flow_run_id"]]
    given["states"] = read_states(wanted, exact=True, connection=connection, progress=False)
    later = datetime.fromisoformat(given["states"].attrs[frames.ATTRS]["as_of"]) + timedelta(minutes=2)
    for frame in given.values():
        frame.attrs[frames.ATTRS]["as_of"] = later.isoformat()
    return given


def test_nothing_is_said_of_the_demo(demo_server: PrivateServer) -> None:
    given = read(demo_server)
    assert {"Cached", "NotReady", "TimedOut", "Cancelled"} <= {*given["task_runs"]["state_name"]}
    assert {"Late", "Paused", "Crashed", "Running"} <= {*given["flow_runs"]["state_name"]}
    table = suspect_runs(**given)
    assert table.empty, table.to_dict("records")
    assert table.attrs[frames.ATTRS]["histories"] == len(given["task_runs"]) + len(given["flow_runs"])


@contextmanager
def planted(server: PrivateServer) -> Iterator[dict[str, str]]:
    """Plant one problem each in the records of some runs, and put these back afterwards; give the problem of each."""
    with closing(sqlite3.connect(server.database, timeout=30)) as database:
        database.row_factory = sqlite3.Row
        before: list[tuple[str, sqlite3.Row]] = []
        problems: dict[str, str] = {}

        def plant(problem: str, table: str, where: str, change: str) -> None:
            kind = table.removesuffix("_state")
            taken = ",".join(f"'{one}'" for one in problems)
            own = f"{kind}_id" if kind != table else "id"
            row = database.execute(f"select * from {table} where {where} and {own} not in ({taken}) limit 1").fetchone()
            before.append((table, row))
            problems[row[own]] = problem
            key = row["id"]
            database.execute(f"{change.format(table=table)} where id = '{key}'")
            database.commit()

        done = "state_name = 'Completed' and run_count = 1 and flow_run_id in (select id from flow_run where state_name = 'Completed')"
        states = f"task_run_id in (select id from task_run where {done})"
        ended = "state_name = 'Completed' and run_count = 1"
        later, earlier = ("strftime('%Y-%m-%d %H:%M:%f000', {}, '{}')".format for _ in range(2))
        change = "update {{table}} set {}".format
        try:
            plant(
                "left_active",
                "task_run",
                done,
                change("state_name = 'Running', state_type = 'RUNNING', end_time = null"),
            )
            plant("ends_before_start", "task_run", done, change(f"end_time = {earlier('start_time', '-5 seconds')}"))
            plant(
                "starts_too_early", "task_run", done, change(f"expected_start_time = {later('start_time', '+1 hours')}")
            )
            plant("end_missing", "task_run", done, change("end_time = null"))
            plant("run_count", "task_run", done, change("run_count = 5"))
            plant("state_differs", "task_run", done, change("state_name = 'Bad', state_type = 'FAILED'"))
            plant("flow_run_gone", "task_run", done, change(f"flow_run_id = '{NOWHERE}'"))
            plant("states_missing", "task_run_state", f"{states} and type = 'RUNNING'", "delete from {table}")
            plant(
                "out_of_order",
                "task_run_state",
                f"{states} and type = 'COMPLETED'",
                change(f"timestamp = {earlier('timestamp', '-1 hours')}"),
            )
            plant("starts_before_made", "flow_run", ended, change(f"start_time = {earlier('created', '-10 minutes')}"))
            plant("end_unexpected", "flow_run", "state_name = 'Paused'", change("end_time = start_time"))
            plant("parent_gone", "flow_run", ended, change(f"parent_task_run_id = '{NOWHERE}'"))
            yield problems
        finally:
            for table, row in before:
                columns = ",".join(row.keys())
                marks = ",".join("?" for _ in row)
                database.execute(f"replace into {table} ({columns}) values ({marks})", tuple(row))
            database.commit()


def test_what_is_planted_is_found_and_in_no_statistic_left_out(demo_server: PrivateServer) -> None:
    with planted(demo_server) as problems:
        given = read(demo_server, [*problems])
    found = suspect_runs(**given)
    told: dict[str, set[str]] = found.groupby("run_id")["problem"].agg(set).to_dict()
    assert told == also(problems)
    holds_all(given)


def also(problems: dict[str, str]) -> dict[str, set[str]]:
    """Give what else is true of those that were planted: a state that was taken away is not the last one."""
    more = {"left_active": {"state_differs"}, "out_of_order": {"state_differs"}}
    return {run: {problem, *more.get(problem, set())} for run, problem in problems.items()}


def holds_all(given: Given) -> None:
    """See that each statistic counts every run, or says how many it does not."""
    for runs in (given["task_runs"], given["flow_runs"]):
        table = duration_table(runs, by="state_type")
        assert table[["count", "without_duration"]].to_numpy().sum() == len(runs)
        assert run_counts(runs)["runs"].sum() == len(runs)
    table = lateness_table(given["flow_runs"], by="flow_name")
    assert table[["runs", "without_lateness"]].to_numpy().sum() == len(given["flow_runs"])
    spans = state_intervals(given["states"])
    assert time_spent(spans)["runs"].sum() == given["states"]["run_id"].nunique()
    steps = concurrency_steps(spans)
    assert steps.attrs[frames.ATTRS]["runs"] == given["states"]["run_id"].nunique()
    running: Any = spans.loc[spans["state_type"] == "RUNNING", "duration"].sum()
    about = steps.attrs[frames.ATTRS]
    stretch = pd.Timestamp(about["end"]) - pd.Timestamp(about["begin"])
    assert concurrency_table(steps)["mean"].iloc[0] * stretch / running == pytest.approx(1)
