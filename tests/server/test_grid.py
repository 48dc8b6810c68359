"""Queries made at random over every criterion: rows, order and counts equal SQL on the server's database, every time."""

from __future__ import annotations

import functools
import sqlite3
import subprocess
import sys
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from new_servers import Servers
from sql_reference import matching_ids, matching_states

from prefect_nbviz import (
    Connection,
    FlowRunQuery,
    TaskRunQuery,
    count_runs,
    plot_state_counts,
    read_flow_runs,
    read_run_counts,
    read_task_runs,
)
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.errors import PrefectNbvizWarning
from prefect_nbviz.query import RunQuery

pytestmark = pytest.mark.server

SEED_HISTORY = Path(__file__).parents[1] / "benchmarks" / "seed_history.py"
RELAXED = settings(
    max_examples=200,  # of both kinds: 400 in all
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TAGS = ["prod", "dev", "etl", "billing", "nightly", "project_id:7", "nothing has this"]
STATE_NAMES = ["Completed", "Failed", "TimedOut", "Cached", "Late", "Scheduled", "Cancelled"]
STATE_TYPES = ["COMPLETED", "FAILED", "CRASHED", "SCHEDULED", "CANCELLED", "PENDING"]
CREATOR = "00000000-0000-4000-8000-00000000000c"
MORE = f"""
update task_run set flow_run_id = null where rowid % 40 = 7;
update flow_run set idempotency_key = 'key-' || (rowid % 4) || iif(rowid < 4, '', rowid) where rowid % 3 < 2;
update flow_run set next_scheduled_start_time = expected_start_time where rowid % 5 = 1;
update flow_run set created_by = '{{"id": "{CREATOR}", "type": "AUTOMATION"}}' where rowid % 6 = 2;
update flow_run set parent_task_run_id = (select id from task_run where rowid = 150 * flow_run.rowid) where rowid % 7 = 3;
"""
"""What a made history lacks: task runs on their own, keys, times to come, creators, subflow runs."""

FLOWS = ["daily_ingest", "train_model", "billing_rollup", "no such flow"]


def some(values: list[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


def optional(flow_run_ids: list[str], ids: list[str], names: list[str]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "ids": some(ids, 20),
        "ids_not": some(ids, 20),
        "name": some(names, 5),
        "name_not": some(names),
        "name_like": st.sampled_from(["a", "ACT", "_", "%", "-0", "e_", "<IMG"]),
        "flow": some(FLOWS),
        "deployment": some(["nightly", "daily_ingest/nightly", "weekly", "other"]),
        "work_pool": some(["demo-pool", "other"]),
        "work_queue": some(["high", "default"]),
        "tags_all": some(TAGS, 2),
        "tags_any": st.lists(st.sampled_from(TAGS), max_size=3, unique=True),
        "tags_none": some(TAGS),
        "tag_keys": st.just(["project_id"]),
        "untagged": st.booleans(),
        "state_type": some(STATE_TYPES),
        "state_type_not": some(STATE_TYPES),
        "state_name": some(STATE_NAMES),
        "state_name_not": some(STATE_NAMES),
        "run_count_min": st.integers(1, 3),
        "start_time_fallback": st.just(value=False),
    }


def optional_of_flow_runs(flow_run_ids: list[str]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "parent": st.sampled_from(["top_level", "subflow"]) | some(flow_run_ids, 9),
        "ancestor": some(flow_run_ids, 9),
        "created_by": some(["DEPLOYMENT", "USER", CREATOR], 2),
        "has_deployment": st.booleans(),
        "has_work_queue": st.booleans(),
        "idempotency_key": some(["key-1", "key-3", "no such key"]),
        "flow_version": some(["v1", "v2"]),
        "auto_scheduled": st.booleans(),
        "parameters": st.sampled_from([{"region": "eu"}, {"rows": 12}, {"source": "orders", "rows": 80}, {"day": 3}]),
    }


@dataclass(frozen=True)
class History:
    """A server, its database, and what its runs are called."""

    connection: Connection
    database: Path
    flow_runs: pd.DataFrame
    task_runs: pd.DataFrame

    @functools.cached_property
    def queries(self) -> st.SearchStrategy[RunQuery]:
        return st.one_of(self.of_flow_runs(), self.of_task_runs())

    def of_flow_runs(self) -> st.SearchStrategy[FlowRunQuery]:
        ids = self.flow_runs["flow_run_id"].tolist()
        choices = optional(ids, ids, self.flow_runs["name"].tolist()) | optional_of_flow_runs(ids)
        choices["parent_task_run"] = some(self.flow_runs["parent_task_run_id"].dropna().tolist(), 9)
        return self._queries(FlowRunQuery, choices)

    def of_task_runs(self) -> st.SearchStrategy[TaskRunQuery]:
        flow_run_ids = self.flow_runs["flow_run_id"].tolist()
        choices = optional(flow_run_ids, self.task_runs["task_run_id"].tolist(), self.task_runs["name"].tolist())
        choices |= {"has_flow_run": st.booleans(), "has_subflow_run": st.booleans()}
        parents = st.none() | some(flow_run_ids, 9) | self.of_flow_runs()
        return self._queries(TaskRunQuery, choices, flow_runs=parents)

    @staticmethod
    def _queries(kind: Any, choices: dict[str, st.SearchStrategy[Any]], **more: Any) -> st.SearchStrategy[Any]:
        """Give queries of a few criteria each: with many, nothing would match."""
        words = st.lists(st.sampled_from(sorted(choices)), max_size=3, unique=True)
        chosen = words.flatmap(lambda picked: st.fixed_dictionaries({word: choices[word] for word in picked}))
        window = st.sampled_from([{}, {}, {"since": "20d", "until": "2m"}, {"since": "5d"}, {"until": "1d"}])
        field = st.sampled_from(kind.time_fields)
        limit = st.sampled_from([1, 2, 199, 200, 201, 1_000, None])
        rest = st.fixed_dictionaries({"sort": st.sampled_from(kind.sorts), "limit": limit, "time_field": field, **more})
        return st.tuples(chosen, window, rest).map(
            lambda all_of_it: kind(**all_of_it[0], **all_of_it[1], **all_of_it[2])
        )


def history(server: PrivateServer) -> History:
    connection = Connection(server.api_url)
    return History(
        connection,
        server.database,
        read_flow_runs(limit=None, connection=connection, progress=False),
        read_task_runs(limit=None, connection=connection, progress=False),
    )


@pytest.fixture(scope="module")
def real(demo_server: PrivateServer) -> History:
    return history(demo_server)


@pytest.fixture(scope="module")
def long(new_server: Servers) -> Iterator[History]:
    """A made history of 20,000 task runs, on a real server."""
    with new_server() as server:
        command = [
            sys.executable,
            str(SEED_HISTORY),
            str(server.database),
            "--flow-runs",
            "100",
            "--tasks-per-run",
            "200",
        ]
        subprocess.run(command, check=True, capture_output=True)
        with sqlite3.connect(server.database) as database:
            database.executescript(MORE)
        yield history(server)


def read(query: RunQuery, connection: Connection) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrefectNbvizWarning)
        reader: Any = read_flow_runs if query.kind == "flow_run" else read_task_runs
        return reader(query, connection=connection, progress=False)


def holds(query: RunQuery, freq: str, tz: str, history: History) -> None:
    """Compare rows, order and counts with SQL."""
    as_of = rows_hold(query, history)
    counts_hold(at(query, as_of), freq, tz, history)


def rows_hold(query: RunQuery, history: History) -> datetime:
    frame = read(query, history.connection)
    attrs = frame.attrs["prefect_nbviz"]
    as_of = datetime.fromisoformat(attrs["as_of"])
    expected = matching_ids(history.database, query.kind, query.criteria(), as_of)
    assert frame[f"{query.kind}_id"].tolist() == expected[: query.limit]
    assert attrs["matched"] in ((len(expected), None) if attrs["truncated"] else (len(expected),))
    assert attrs["truncated"] or len(frame) == len(expected)
    return as_of


def at(query: RunQuery, now: datetime) -> RunQuery:
    """Give a query with the window that it has at a moment, as absolute times."""
    window = query.window(now)
    parents = getattr(query, "flow_runs", None)
    nested = {"flow_runs": at(parents, now)} if isinstance(parents, FlowRunQuery) else {}
    return query.replace(since=window.since, until=window.until, **nested)


def counts_hold(query: RunQuery, freq: str, tz: str, history: History) -> None:
    for _ in range(20):  # one of the real flow runs goes on: the counts stand when all is as it was before them
        before = states(query, history)
        number, counted = counts(query, freq, tz, history.connection)
        if states(query, history) == before:
            break
    else:
        raise AssertionError("the runs change all the time")
    assert number == counted.attrs["prefect_nbviz"]["matched"] == len(before)
    assert of_bins(counted) == in_bins(before, counted)


def states(query: RunQuery, history: History) -> list[tuple[str | None, str | None, datetime]]:
    return matching_states(history.database, query.kind, query.criteria(), datetime.now(UTC))


def counts(query: Any, freq: str, tz: str, connection: Connection) -> tuple[int, pd.DataFrame]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrefectNbvizWarning)
        return (
            count_runs(query, connection=connection, progress=False),
            read_run_counts(query, freq=freq, tz=tz, connection=connection, progress=False),
        )


def of_bins(counted: pd.DataFrame) -> Counter[Any]:
    columns = ["bin_start", "state_type", "state_name", "runs"]
    return Counter({tuple(key): runs for *key, runs in counted[columns].itertuples(index=False)})


def in_bins(rows: list[tuple[str | None, str | None, datetime]], counted: pd.DataFrame) -> Counter[Any]:
    """Count rows by the bins of the counts: none is in two, and each row in one."""
    bins = counted[["bin_start", "bin_end"]].drop_duplicates()
    starts, ends = bins["bin_start"].tolist(), bins["bin_end"].tolist()
    assert all(end <= after for end, after in pairwise(bins.to_numpy().ravel().tolist()))
    found: Counter[Any] = Counter()
    for state_type, name, time in rows:
        place = bisect_right(starts, time) - 1
        assert place >= 0
        assert time < ends[place]
        found[starts[place], state_type, name] += 1
    return found


ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Africa/Cairo", "America/Santiago", "Asia/Beirut", "America/Havana"]
BINS = st.tuples(st.sampled_from(["37min", "1h", "6h", "1D", "B", "W", "MS"]), st.sampled_from(ZONES))


@RELAXED
@given(data=st.data())
def test_real_runs(real: History, data: st.DataObject) -> None:
    holds(data.draw(real.queries), *data.draw(BINS), real)


@RELAXED
@given(data=st.data())
def test_a_long_history(long: History, data: st.DataObject) -> None:
    holds(data.draw(long.queries), *data.draw(BINS), long)


def test_the_chart_the_counts_and_the_rows_agree(long: History) -> None:
    rows = long.task_runs
    counted = read_run_counts(TaskRunQuery(), freq="1D", connection=long.connection, progress=False)
    chart = plot_state_counts(rows)
    drawn = dict(zip((key[0] for key in chart.data[0].customdata), chart.data[0].y, strict=True))
    of_rows = {kind: number for kind, number in rows["state_type"].value_counts().items() if number}
    of_counts = counted.groupby("state_type", observed=True)["runs"].sum().to_dict()
    assert of_rows == of_counts == drawn
    assert sum(drawn.values()) == len(rows) == 20_000
