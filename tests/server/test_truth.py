"""The frames hold exactly the runs, in the order, that SQL on the server's own database gives."""

from __future__ import annotations

import itertools
import json
import sqlite3
import warnings
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Scheduled
from sql_reference import matching_ids

from prefect_nbviz import (
    Connection,
    FlowRunQuery,
    TaskRunQuery,
    read_flow_runs,
    read_state_type_counts,
    read_states,
    read_task_runs,
)
from prefect_nbviz.errors import IncompleteWarning, PrefectNbvizWarning, UnknownNameWarning
from prefect_nbviz.query import RunQuery
from prefect_nbviz.states import STATE_TYPES

pytestmark = pytest.mark.server

NOW = datetime.now(UTC)
LIMITS = (1, 199, 200, 201, None)

FLOW_RUN_CRITERIA: list[dict[str, Any]] = [
    {},
    {"tags_all": "prod"},
    {"tags_all": ["prod", "nightly"], "tags_none": "project_id:7"},
    {"tags_any": ["dev", "project_id:7"], "sort": "START_TIME_DESC"},
    {"tags_any": ["dev", "billing"], "tags_all": "nightly", "sort": "ID_DESC"},
    {"tags_any": ["prod", "dev"], "tags_none": ["billing", "nightly"], "sort": "NAME_ASC"},
    {"tags_none": "prod", "sort": "NAME_DESC"},
    {"tags_any": []},
    {"state_type": ["FAILED", "CRASHED", "CANCELLED"], "sort": "END_TIME_DESC"},
    {"state_name": ["Late", "Scheduled", "Paused"], "sort": "EXPECTED_START_TIME_ASC"},
    {"state_name": "TimedOut"},
    {"name_like": "-", "sort": "START_TIME_ASC"},
    {"name_like": "<IMG", "tags_any": ["<b>dev</b>", "prod"]},
    {"name_like": "_"},
    {"flow": "daily_ingest"},
    {"flow": ["daily_ingest", "train_model"], "tags_all": "prod", "sort": "END_TIME_DESC"},
    {"deployment": "nightly"},
    {"deployment": ["daily_ingest/nightly", "weekly"], "sort": "EXPECTED_START_TIME_ASC"},
    {"since": "1d"},
    {"since": "1h", "until": "+6h", "sort": "START_TIME_DESC"},
    {"since": "2d", "time_field": "end_time", "sort": "END_TIME_DESC"},
    {"until": "+3h", "time_field": "expected_start_time", "sort": "ID_DESC"},
]

TASK_RUN_CRITERIA: list[dict[str, Any]] = [
    {},
    {"tags_all": ["etl", "prod"]},
    {"tags_any": ["gpu", "billing"]},
    {"tags_any": ["etl", "prod", "dev"], "sort": "ID_DESC"},
    {"tags_any": ["etl", "warehouse"], "tags_none": "nightly"},
    {"tags_any": ["etl", "gpu"], "tags_all": "project_id:7", "tags_none": ["cpu", "features"]},
    {"tags_none": ["prod", "dev"], "sort": "NAME_ASC"},
    {"tags_none": "nothing has this"},
    {"state_type": ["FAILED", "PENDING"], "sort": "END_TIME_DESC"},
    {"state_name": ["Cached", "TimedOut", "NotReady"]},
    {"name_like": "transform", "sort": "NAME_DESC"},
    {"name_like": "a_"},
    {"name_like": "%"},
    {"flow": "billing_rollup", "state_type": "failed"},
    {"deployment": "nightly"},
    {"since": "1h", "sort": "EXPECTED_START_TIME_ASC"},
    {"since": "1h", "tags_any": ["gpu", "etl"], "tags_none": "dev", "sort": "END_TIME_DESC"},
    {"since": "1h", "until": "5s", "time_field": "end_time", "sort": "END_TIME_DESC"},
    {"since": "1d", "time_field": "expected_start_time", "sort": "NAME_ASC"},
    {"flow_runs": FlowRunQuery(tags_all="prod")},
    {"flow_runs": FlowRunQuery(tags_all="prod", tags_none="nightly"), "tags_any": ["etl", "gpu"]},
    {"flow_runs": FlowRunQuery(flow="daily_ingest", since="1d"), "flow": ["daily_ingest", "train_model"]},
    {"flow_runs": FlowRunQuery(sort="START_TIME_DESC", limit=3)},
    {"flow_runs": []},
]


def grid() -> list[RunQuery]:
    criteria = [(FlowRunQuery, one) for one in FLOW_RUN_CRITERIA] + [(TaskRunQuery, one) for one in TASK_RUN_CRITERIA]
    return [kind(**one, limit=limit) for (kind, one), limit in itertools.product(criteria, LIMITS)]


def read(query: RunQuery, connection: Connection) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrefectNbvizWarning)
        if isinstance(query, FlowRunQuery):
            return read_flow_runs(query, connection=connection, progress=False)
        assert isinstance(query, TaskRunQuery)
        return read_task_runs(query, connection=connection, progress=False)


@pytest.mark.parametrize("query", grid(), ids=repr)
def test_the_frame_is_what_sql_gives(query: RunQuery, connection: Connection, demo_server) -> None:
    frame = read(query, connection)
    attrs = frame.attrs["prefect_nbviz"]
    as_of = datetime.fromisoformat(attrs["as_of"])
    expected = matching_ids(demo_server.database, query.kind, query.criteria(), as_of)
    assert frame[f"{query.kind}_id"].tolist() == expected[: query.limit]
    assert attrs["read"] == len(frame)
    assert attrs["matched"] in ((len(expected), None) if attrs["truncated"] else (len(expected),))
    parents_cut = isinstance(query, TaskRunQuery) and query.flow_runs == FlowRunQuery(sort="START_TIME_DESC", limit=3)
    assert attrs["truncated"] == (len(frame) < len(expected) or parents_cut)


def test_the_grid_reaches_all_its_limits(connection: Connection) -> None:
    assert len(read(TaskRunQuery(limit=None), connection)) > 201
    assert len(grid()) >= 60


def rows(database: Path, sql: str) -> pd.DataFrame:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return pd.read_sql_query(sql, connection)


def test_every_value_of_flow_runs(connection: Connection, demo_server) -> None:
    frame = read(FlowRunQuery(limit=None, until="+52w"), connection).set_index("flow_run_id").sort_index()
    table = rows(
        demo_server.database,
        """select r.*, f.name as flow_name, d.name as deployment_name, p.name as work_pool_name, p.id as work_pool_id,
        nullif(s.message, '') as state_message
        from flow_run r left join flow_run_state s on s.id = r.state_id join flow f on f.id = r.flow_id left join deployment d on d.id = r.deployment_id
        left join work_queue q on q.id = r.work_queue_id left join work_pool p on p.id = q.work_pool_id""",
    ).set_index("id")
    table = table.loc[frame.index]
    for column in [
        "name",
        "flow_name",
        "deployment_name",
        "state_type",
        "state_name",
        "state_message",
        "state_id",
        "run_count",
        "work_pool_name",
        "work_queue_name",
        "parent_task_run_id",
        "flow_version",
        "flow_id",
        "deployment_id",
        "work_pool_id",
        "work_queue_id",
    ]:
        same(frame[column], table[column])
    for column in ("expected_start_time", "start_time", "end_time", "created"):
        same_times(frame[column], table[column])
    assert frame["tags"].map(list).tolist() == table["tags"].map(json.loads).tolist()
    assert frame["parameters"].map(json.loads).tolist() == table["parameters"].map(json.loads).tolist()
    assert frame["auto_scheduled"].tolist() == table["auto_scheduled"].astype(bool).tolist()
    assert frame["work_pool_name"].notna().any()
    assert frame["parent_task_run_id"].notna().any()


def test_every_value_of_task_runs(connection: Connection, demo_server) -> None:
    frame = read(TaskRunQuery(limit=None), connection).set_index("task_run_id").sort_index()
    table = rows(
        demo_server.database,
        """select r.*, p.name as flow_run_name, f.name as flow_name,
        nullif(s.message, '') as state_message
        from task_run r left join task_run_state s on s.id = r.state_id left join flow_run p on p.id = r.flow_run_id left join flow f on f.id = p.flow_id""",
    ).set_index("id")
    table = table.loc[frame.index]
    for column in [
        "name",
        "flow_run_id",
        "flow_run_name",
        "flow_name",
        "task_key",
        "state_type",
        "state_name",
        "state_message",
        "state_id",
        "run_count",
    ]:
        same(frame[column], table[column])
    for column in ("expected_start_time", "start_time", "end_time"):
        same_times(frame[column], table[column])
    assert frame["tags"].map(list).tolist() == table["tags"].map(json.loads).tolist()
    upstream = (
        table["task_inputs"]
        .map(json.loads)
        .map(
            lambda inputs: {
                one["id"] for values in inputs.values() for one in values if one["input_type"] == "task_run"
            }
        )
    )
    assert frame["upstream_task_run_ids"].map(set).tolist() == upstream.tolist()
    assert (frame["upstream_task_run_ids"].map(len) > 0).any()
    assert frame.loc[frame["state_type"] == "FAILED", "state_message"].str.contains("encountered an exception").any()


@pytest.mark.parametrize("kind", ["flow_run", "task_run"])
def test_some_columns_are_those_of_all(kind: str, connection: Connection) -> None:
    read_them = read_flow_runs if kind == "flow_run" else read_task_runs
    told = {"tags_none": "dev", "state_name_not": "Late", "limit": 5, "connection": connection, "progress": False}
    for sort in ("DURATION_ASC", "NAME_DESC", "START_TIME_DESC"):
        with pytest.warns(IncompleteWarning):
            whole = read_them(sort=sort, **told)
        for columns in (["state_message", f"{kind}_id"], "flow_name", ["tags", "duration"]):
            with pytest.warns(IncompleteWarning):
                some = read_them(sort=sort, columns=columns, **told)
            pd.testing.assert_frame_equal(some, whole[[columns] if isinstance(columns, str) else columns])


def same(ours: pd.Series, theirs: pd.Series) -> None:
    assert (
        ours.astype("object").where(ours.notna(), None).tolist()
        == theirs.astype("object").where(theirs.notna(), None).tolist()
    )


def same_times(ours: pd.Series, theirs: pd.Series) -> None:
    pd.testing.assert_series_equal(
        ours, pd.to_datetime(theirs, utc=True, format="ISO8601").astype(ours.dtype), check_names=False
    )


def test_lateness_and_duration(connection: Connection) -> None:
    frame = read(FlowRunQuery(limit=None), connection)
    as_of = pd.Timestamp(frame.attrs["prefect_nbviz"]["as_of"])
    late = frame[frame["state_name"] == "Late"]
    assert len(late) >= 4
    assert ((late["lateness"] - (as_of - late["expected_start_time"])).abs() < pd.Timedelta("1us")).all()
    assert frame.loc[frame["expected_start_time"] > as_of, "lateness"].isna().all()
    ran = frame.dropna(subset=["start_time", "end_time"])
    assert (ran["duration"] == ran["end_time"] - ran["start_time"]).all()
    assert (ran["lateness"] >= pd.Timedelta(0)).all()


def test_counts_by_state_type_are_those_of_the_rows(connection: Connection) -> None:
    for query in (
        FlowRunQuery(tags_any=["prod", "dev"], tags_none=["billing"], state_type="FAILED", limit=1),
        TaskRunQuery(tags_any=["etl", "gpu"], tags_none=["cpu", "dev"], limit=1),
    ):
        frame = read(query.replace(state_type=None, limit=None), connection)
        counted = frame["state_type"].value_counts().reindex(STATE_TYPES, fill_value=0).to_dict()
        assert read_state_type_counts(query, connection=connection) == counted


@pytest.mark.parametrize("kind", ["flow_run", "task_run"])
def test_states_are_those_that_prefect_reads(kind: str, connection: Connection, demo_server) -> None:
    query = FlowRunQuery(limit=None) if kind == "flow_run" else TaskRunQuery(limit=None)
    runs = read(query, connection)
    states = read_states(runs, connection=connection, progress=False)
    assert states["run_id"].drop_duplicates().tolist() == runs[f"{kind}_id"].tolist()
    attrs = states.attrs["prefect_nbviz"]
    assert attrs["runs_read"] == len(runs)
    if kind == "task_run":
        assert attrs["runs_rebuilt"] > 0.9 * len(runs)
        assert attrs["requests"] < 0.1 * len(runs)
        exact = read_states(runs, exact=True, connection=connection, progress=False)
        assert exact.attrs["prefect_nbviz"]["runs_rebuilt"] == 0
        pd.testing.assert_frame_equal(states.drop(columns="source"), exact.drop(columns="source"))
    with SyncPrefectClient(demo_server.api_url) as client:
        read_one = client.read_flow_run_states if kind == "flow_run" else client.read_task_run_states
        for run_id, ours in states.groupby("run_id", sort=False):
            theirs = read_one(run_id)
            assert [
                (
                    state.type.value,
                    state.name,
                    state.timestamp,
                    state.message or None,
                    state.state_details.scheduled_time,
                )
                for state in theirs
            ] == [
                (row.state_type, row.state_name, row.timestamp, none(row.message), none(row.scheduled_time))
                for row in ours.itertuples()
            ]


def none(value: Any) -> Any:
    return None if pd.isna(value) else value


@pytest.mark.parametrize("span", [("99999w", "+400000w"), ("0001-01-01T00:00Z", "9999-12-31T23:59:59.999999Z")])
def test_times_far_away(span: tuple[str, str], connection: Connection) -> None:
    for read in (read_flow_runs, read_task_runs):
        everything = read(limit=None, connection=connection, progress=False)
        assert len(read(since=span[0], until=span[1], limit=None, connection=connection, progress=False)) == len(
            everything
        )


def test_subflow_runs_by_the_task_runs_that_stand_for_them(connection: Connection) -> None:
    tasks = read_task_runs(has_subflow_run=True, limit=None, connection=connection, progress=False)
    subflows = read_flow_runs(parent_task_run=tasks, limit=None, connection=connection, progress=False)
    assert len(subflows) > 1
    assert {*subflows["parent_task_run_id"]} == {*tasks["task_run_id"]}
    assert {*subflows["flow_run_id"]} == {
        *read_flow_runs(parent="subflow", limit=None, connection=connection, progress=False)["flow_run_id"]
    }


def test_parents_by_frame_by_ids_and_by_query_are_the_same(connection: Connection) -> None:
    query = FlowRunQuery(tags_all="prod", flow="daily_ingest")
    runs = read(query, connection)
    ways = [query, runs, runs["flow_run_id"].tolist()]
    frames = [read(TaskRunQuery(flow_runs=way, limit=None), connection) for way in ways]
    assert len(frames[0]) > 20
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])


def test_what_was_left_out_is_said(connection: Connection) -> None:
    with pytest.warns(IncompleteWarning, match=r"^Read the first 5 of \d+ task runs that match: pass limit=None"):
        frame = read_task_runs(limit=5, connection=connection)
    attrs = frame.attrs["prefect_nbviz"]
    assert (attrs["read"], attrs["truncated"]) == (5, True)
    assert attrs["matched"] > 200
    part = read(FlowRunQuery(limit=2), connection)
    for parents in (FlowRunQuery(limit=2), part):
        with pytest.warns(IncompleteWarning, match=r"Of the flow runs: Read the first 2 of \d+ flow runs"):
            frame = read_task_runs(flow_runs=parents, limit=None, connection=connection)
        assert frame.attrs["prefect_nbviz"]["truncated"]


@pytest.mark.parametrize(
    ("criteria", "says"),
    [
        ({"flow": "dayly_ingest"}, r"No flow .* named 'dayly_ingest'\. Did you mean 'daily_ingest'"),
        ({"deployment": "daily_ingest/nightli"}, r"No deployment .* named 'daily_ingest/nightli'\. Did you mean"),
        ({"tags_none": "prodd"}, r"No task run on this server has the tag 'prodd'"),
        ({"state_name": "timedout"}, r"in a state named 'timedout'\. Did you mean 'TimedOut'\?"),
        ({"work_pool": "demo-pol"}, r"No work pool .* named 'demo-pol'\. Did you mean 'demo-pool'"),
        ({"work_queue": "hihg"}, r"No flow run on this server is in a work queue named 'hihg'"),
        ({"flow_runs": FlowRunQuery(flow="dayly_ingest")}, r"No flow .* named 'dayly_ingest'\. Did you mean"),
        ({"flow_runs": FlowRunQuery(flow_version="v99")}, r"No flow run on this server has the flow version 'v99'"),
    ],
)
def test_names_that_nothing_has(criteria: dict[str, Any], says: str, connection: Connection) -> None:
    with pytest.warns(UnknownNameWarning, match=says):
        read_task_runs(**criteria, limit=None, connection=connection, progress=False)


def test_known_names_warn_of_nothing(connection: Connection) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = read_flow_runs(flow="export_report", state_name="Resuming", tags_none="dev", connection=connection)
    assert frame.empty


def test_a_run_deleted_while_its_states_are_read(demo_server, connection: Connection) -> None:
    with SyncPrefectClient(demo_server.api_url) as client:
        scheduled = datetime.now(UTC) + timedelta(days=300)
        deployment = client.read_deployment_by_name("daily_ingest/nightly")
        run = client.create_flow_run_from_deployment(deployment.id, state=Scheduled(scheduled_time=scheduled))
        query = FlowRunQuery(deployment="nightly", state_type="SCHEDULED", limit=None)
        runs = read(query, connection)
        assert str(run.id) in set(runs["flow_run_id"])
        client.delete_flow_run(run.id)
    with pytest.warns(IncompleteWarning, match=r"^1 of \d+ runs have no states on the server \(deleted meanwhile\?\)"):
        states = read_states(runs, connection=connection, progress=False)
    attrs = states.attrs["prefect_nbviz"]
    assert attrs["runs_without_states"] == [str(run.id)]
    assert set(states["run_id"]) == set(runs["flow_run_id"]) - {str(run.id)}
