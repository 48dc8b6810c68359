"""What is said of time and lateness is what the server's own records add up to, counted without pandas."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sql_reference import rows

from prefect_nbviz import (
    Connection,
    frames,
    lateness_table,
    plot_lateness,
    plot_time_spent,
    read_flow_runs,
    read_states,
    read_task_runs,
    schedule_gaps,
    state_intervals,
    time_spent,
)
from prefect_nbviz.analysis.spent import PARTS
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.states import TERMINAL_STATE_TYPES

pytestmark = pytest.mark.server

MICRO = timedelta(microseconds=1)
LATE = {
    "Scheduled": "scheduled",
    "Late": "late",
    "AwaitingRetry": "awaiting_retry",
    "AwaitingConcurrencySlot": "awaiting_slot",
}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("kind", ["flow_run", "task_run"])
def test_the_time_of_every_run_is_that_of_its_states_in_the_database(demo_server: PrivateServer, kind: str) -> None:
    connection = Connection(demo_server.api_url)
    read = {"flow_run": read_flow_runs, "task_run": read_task_runs}[kind]
    runs = read(limit=None, connection=connection)
    states = read_states(runs, exact=True, connection=connection)
    until = datetime.fromisoformat(states.attrs[frames.ATTRS]["as_of"])
    sql = f"SELECT {kind}_id, type, name, timestamp FROM {kind}_state ORDER BY {kind}_id, timestamp"
    lives: dict[str, list[tuple[str, str, datetime]]] = defaultdict(list)
    for run, state_type, name, at in rows(demo_server.database, sql):
        lives[run].append((state_type, name, moment(at)))
    lives = {run: lives[run] for run in runs[f"{kind}_id"]}  # the server may have made others since
    expected = {run: spent(life, until) for run, life in lives.items()}
    table = time_spent(state_intervals(states))
    assert {row["run_id"]: {part: row[part] // MICRO for part in PARTS} for row in table.to_dict("records")} == expected
    assert table["running"].sum() > pd.Timedelta(0)
    by_flow = time_spent(state_intervals(states), by="flow_name", runs=runs)
    flow_of = dict(zip(runs[f"{kind}_id"], runs["flow_name"], strict=True))
    for row in by_flow.dropna(subset="flow_name").to_dict("records"):
        own = [found["running"] for run, found in expected.items() if flow_of[run] == row["flow_name"]]
        assert (row["runs"], row["running"] // MICRO) == (len(own), sum(own))
    assert "all" in plot_time_spent(by_flow).layout.title.subtitle.text


def spent(life: list[tuple[str, str, datetime]], until: datetime) -> dict[str, int]:
    found = dict.fromkeys(PARTS, 0)
    for (kind, name, begin), after in zip(life, [*life[1:], None], strict=True):
        is_end = kind in TERMINAL_STATE_TYPES
        end = after[2] if after else begin if is_end else max(begin, until)
        waits = "not_ready" if name == "NotReady" else kind.lower()
        part = "other" if is_end else LATE.get(name, "other") if kind == "SCHEDULED" else waits
        found[part] += (end - begin) // MICRO
    return found


def test_the_lateness_of_flows_is_that_of_their_rows_in_the_database(demo_server: PrivateServer) -> None:
    runs = read_flow_runs(limit=None, connection=Connection(demo_server.api_url))
    until = datetime.fromisoformat(runs.attrs[frames.ATTRS]["as_of"])
    sql = (
        "SELECT flow_run.id, flow.name, expected_start_time, start_time, state_type "
        "FROM flow_run JOIN flow ON flow.id = flow_run.flow_id"
    )
    late: dict[str, list[timedelta]] = defaultdict(list)
    known = {*runs["flow_run_id"]}
    for run, flow, expected, start, kind in rows(demo_server.database, sql):
        if run not in known:  # the server may have made it since
            continue
        if start is not None:
            late[flow].append(max(moment(start) - moment(expected), timedelta(0)))
        elif kind not in TERMINAL_STATE_TYPES and moment(expected) <= until:
            late[flow].append(until - moment(expected))
    table = lateness_table(runs, threshold="1h", by="flow_name")
    found = {row["flow_name"]: (row["runs"], row["late"], row["max"]) for row in table.to_dict("records")}
    hour = timedelta(hours=1)
    assert {flow: one for flow, one in found.items() if one[0]} == {
        flow: (len(own), sum(one > hour for one in own), max(own)) for flow, own in late.items()
    }
    assert table["late"].sum() >= 3, "the demo has late runs"
    assert "late: more than 1 h" in plot_lateness(table).layout.title.subtitle.text
    gaps = schedule_gaps(runs)
    made = runs[runs["auto_scheduled"]]
    assert gaps.attrs[frames.ATTRS]["deployments"] == made["deployment_id"].nunique()
