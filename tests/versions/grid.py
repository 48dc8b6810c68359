"""What is asked of every server, and what SQL on its database says to it.

`python grid.py API_URL DATABASE` asks it all with the Prefect of whatever Python runs this, and
prints how many queries held; it needs nothing of the tests but `sql_reference`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from sql_reference import matching_ids

from prefect_nbviz import Connection, FlowRunQuery, TaskRunQuery, read_flow_runs, read_states, read_task_runs
from prefect_nbviz.criteria import SORTS_BY_START, SORTS_HERE, SORTS_OF_BOTH
from prefect_nbviz.errors import PrefectNbvizError, PrefectNbvizWarning
from prefect_nbviz.query import RunQuery

LIMIT = 3
MINDS_LIMIT = {"sort", "tags_any", "tags_none", "flow_runs"}
"""Criteria that are read another way when there is a limit."""

WIDE = {"since": "1d", "until": "+1d"}
NO_ORDER = {"NEXT_SCHEDULED_START_TIME_ASC"}

BOTH: list[dict[str, Any]] = [
    {},
    {"name_like": "-"},
    {"name_like": "50%_"},
    {"name_not": ["nothing"], "tags_all": "prod"},
    {"flow": ["ingest", "stumble"]},
    {"deployment": "nightly"},
    {"deployment": ["ingest/nightly", "weekly"]},
    {"work_pool": "old-pool"},
    {"work_queue": "default"},
    {"tags_all": ["prod", "nightly"]},
    {"tags_any": ["dev", "nightly"]},
    {"tags_any": ["prod", "dev"], "tags_none": "nightly"},
    {"tags_any": ["etl", "gpu", "prod"], "tags_all": "nightly"},
    {"tags_any": []},
    {"tags_none": ["prod", "etl"]},
    {"tag_keys": "project_id"},
    {"untagged": True},
    {"untagged": False},
    {"state_type": ["FAILED", "SCHEDULED"]},
    {"state_type_not": "COMPLETED"},
    {"state_name": ["Late", "TimedOut", "NotReady"]},
    {"state_name_not": ["Completed", "Late"]},
    {"run_count_min": 2},
    {"ids_not": "00000000-0000-4000-8000-000000000000"},
    *({"sort": sort} for sort in (*SORTS_OF_BOTH, *SORTS_BY_START, *SORTS_HERE) if sort not in NO_ORDER),
    *({**WIDE, "time_field": field} for field in ("start_time", "end_time", "expected_start_time")),
    *({"until": "1s", "time_field": field} for field in ("start_time", "end_time", "expected_start_time")),
    {"since": "30m", "time_field": "end_time", "sort": "END_TIME_DESC", "tags_any": ["dev", "etl"]},
    {**WIDE, "start_time_fallback": False},
]

FLOW_RUNS: list[dict[str, Any]] = [
    {"parent": "top_level"},
    {"parent": "subflow", "sort": "START_TIME_DESC"},
    {"auto_scheduled": False},
    {"flow_version": ["2", "3"]},
    {"parameters": {"region": "us"}},
    {"has_deployment": True},
    {"has_deployment": False, "has_work_queue": False},
    {"has_work_queue": True},
    {"idempotency_key": "no such key"},
    {**WIDE, "time_field": "next_scheduled_start_time"},
]

CREATORS: list[dict[str, Any]] = [
    {"created_by": ["DEPLOYMENT", "USER"]},
    {"created_by": ["USER", "00000000-0000-4000-8000-000000000000"]},
    {"created_by": "SCHEDULE", "tags_any": ["prod", "dev"]},
]

TASK_RUNS: list[dict[str, Any]] = [
    {"flow_runs": FlowRunQuery(tags_all="prod", limit=None)},
    {"flow_runs": FlowRunQuery(tags_any=["prod", "dev"], limit=None), "tags_any": ["etl", "gpu"]},
    {"flow_runs": FlowRunQuery(sort="START_TIME_DESC", limit=3)},
    {"flow_runs": FlowRunQuery(parent="subflow", limit=None)},
    {"flow_runs": FlowRunQuery(created_by="DEPLOYMENT", limit=None)},
    {"flow_runs": []},
    {"has_flow_run": True},
    {"has_flow_run": False},
    {"has_subflow_run": True},
    {"has_subflow_run": False, "flow": "parent"},
]

STATE_NAMES = {kind: f"select distinct state_name from {kind}" for kind in ("flow_run", "task_run")}


class Recorder(httpx.AsyncBaseTransport):
    """The network, with a note of every answer that is no answer."""

    def __init__(self) -> None:
        self.refusals: list[str] = []
        self._network = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._network.handle_async_request(request)
        if answer.status_code != httpx.codes.OK and "csrf-token" not in str(request.url):
            self.refusals.append(f"{answer.status_code} {request.url.path} {request.content.decode()}")
        return answer

    async def aclose(self) -> None:
        await self._network.aclose()


def queries(database: Path) -> list[RunQuery]:
    """Give the grid for a server: all that its database can answer."""
    creators = CREATORS if "created_by" in columns(database) else []
    flow_runs = [*BOTH, *FLOW_RUNS, *creators, *of_tree(database)]
    task_runs = [*BOTH, *(one for one in TASK_RUNS if creators or "created_by" not in str(one))]
    return [
        *(FlowRunQuery(**one, limit=limit) for one in flow_runs for limit in limits(one)),
        *(TaskRunQuery(**one, limit=limit) for one in task_runs for limit in limits(one)),
    ]


def limits(criteria: dict[str, Any]) -> tuple[int | None, ...]:
    return (LIMIT, None) if MINDS_LIMIT & criteria.keys() else (None,)


def columns(database: Path) -> set[str]:
    return {row[1] for row in select(database, "pragma table_info(flow_run)")}


def of_tree(database: Path) -> list[dict[str, Any]]:
    """Give criteria that name the flow run at the root of a tree."""
    (root,) = select(database, "select r.id from flow_run r join flow f on f.id = r.flow_id where f.name = 'parent'")
    tasks = [one for (one,) in select(database, "select parent_task_run_id from flow_run") if one is not None]
    return [{"parent": root}, {"ancestor": root}, {"ids": root}, {"ids_not": root}, {"parent_task_run": tasks[:2]}]


def select(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def ask(query: RunQuery, api_url: str, database: Path) -> None:
    """Ask one query, and see that it gives what SQL gives."""
    recorder = Recorder()
    read: Callable[..., Any] = read_flow_runs if query.kind == "flow_run" else read_task_runs
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", PrefectNbvizWarning)
        frame = read(query, connection=Connection(api_url, transport=recorder), progress=False)
    attrs = frame.attrs["prefect_nbviz"]
    expected = matching_ids(database, query.kind, query.criteria(), datetime.fromisoformat(attrs["as_of"]))
    assert not recorder.refusals, recorder.refusals
    assert frame[f"{query.kind}_id"].tolist() == expected[: query.limit], f"{len(frame)} rows of {len(expected)}"
    assert attrs["matched"] in (len(expected), None), f"{attrs['matched']} counted of {len(expected)}"
    assert frame["flow_name"].notna().all(), "a flow without a name"


def wrong(asked: list[RunQuery], api_url: str, database: Path) -> list[str]:
    """Ask queries, and tell which give anything else than SQL gives."""
    told = []
    for query in asked:
        try:
            ask(query, api_url, database)
        except (AssertionError, PrefectNbvizError, Warning) as error:
            told.append(f"{query!r}: {type(error).__name__}: {error}")
    return told


def ask_histories(api_url: str, database: Path) -> None:
    """See that the histories of all runs, rebuilt or not, are those of the database."""
    connection = Connection(api_url)
    readers: dict[str, Callable[..., Any]] = {"flow_run": read_flow_runs, "task_run": read_task_runs}
    for kind, read in readers.items():
        runs = read(limit=None, connection=connection, progress=False)
        states = read_states(runs, connection=connection, progress=False)
        theirs = select(database, f"select {kind}_id, name, type, timestamp, message from {kind}_state")
        ours = [
            (row.run_id, row.state_name, row.state_type, row.timestamp, "" if pd.isna(row.message) else row.message)
            for row in states.itertuples()
        ]
        assert sorted(ours) == sorted((*row, pd.Timestamp(at, tz="UTC"), text or "") for *row, at, text in theirs)
    assert states.attrs["prefect_nbviz"]["runs_rebuilt"] > 200, "few task runs are rebuilt from their rows"


def main(api_url: str, database: Path) -> None:
    asked = queries(database)
    told = wrong(asked, api_url, database)
    ask_histories(api_url, database)
    print(json.dumps({"queries": len(asked)}))
    sys.exit("\n".join(told) or None)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
