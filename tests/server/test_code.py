"""The code behind a query, run against a real server, gives the same runs in the same order as the reader."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import warnings
from datetime import datetime
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_nbviz import Connection, FlowRunQuery, TaskRunQuery, read_flow_runs, read_task_runs
from prefect_nbviz.errors import PrefectNbvizWarning
from prefect_nbviz.query import QUERY_TYPES, RunQuery
from prefect_nbviz.states import STATE_TYPES

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        shutil.which("jq") is None and os.environ.get("CI") != "true", reason="needs jq: apt-get install jq"
    ),
]

TAGS = ["prod", "dev", "etl", "billing", "nightly", "gpu", "project_id:7", "<b>dev</b>", "nothing has this"]
STATE_NAMES = ["Completed", "Cached", "TimedOut", "Failed", "Late", "Scheduled", "NotReady", "Crashed"]
TRIES = 3
"""How often a query is asked before the answers must agree: a live flow run goes on meanwhile."""


class Draw:
    """Queries by chance, of values that the server has and of some that it has not."""

    def __init__(self, seed: int, names: dict[str, list[str]], ids: dict[str, list[str]]) -> None:
        self.random = random.Random(seed)
        self.names = names
        self.ids = ids

    def some(self, values: list[str], most: int = 3) -> list[str]:
        return self.random.sample(values, self.random.randint(1, min(most, len(values))))

    def query(self, kind: str) -> RunQuery:
        choices = {
            "tags_any": lambda: self.some(TAGS) if self.random.random() > 0.1 else [],
            "tags_all": lambda: self.some(TAGS, 2),
            "tags_none": lambda: self.some(TAGS),
            "tag_keys": lambda: ["project_id"],
            "untagged": lambda: self.random.choice([True, False]),
            "state_type": lambda: self.some([*STATE_TYPES], 5),
            "state_type_not": lambda: self.some([*STATE_TYPES]),
            "state_name": lambda: self.some(STATE_NAMES, 4),
            "state_name_not": lambda: self.some(STATE_NAMES, 2),
            "name": lambda: self.some(self.names[kind], 9),
            "name_not": lambda: self.some(self.names[kind], 2),
            "name_like": lambda: self.random.choice(["a", "-", "_", "<IMG", "TRANS", "%", "é"]),
            "ids": lambda: self.some(self.ids[kind], 30),
            "ids_not": lambda: self.some(self.ids[kind], 30),
            "flow": lambda: self.some(["daily_ingest", "train_model", "billing_rollup", "none"]),
            "deployment": lambda: self.some(["nightly", "daily_ingest/nightly", "weekly", "a/b"]),
            "work_pool": lambda: self.some(["demo-pool", "none"], 1),
            "work_queue": lambda: self.some(["high", "default"], 1),
            "run_count_min": lambda: 2,
            "start_time_fallback": lambda: False,
            **(self.of_flow_runs() if kind == "flow_run" else self.of_task_runs()),
        }
        criteria: dict[str, Any] = {word: draw() for word, draw in choices.items() if self.random.random() < 0.06}
        if self.random.random() < 0.4:
            criteria |= {"since": self.random.choice(["3w", "2d", "3h"]), "until": self.random.choice(["2s", "+2h"])}
            criteria["time_field"] = self.random.choice(QUERY_TYPES[kind].time_fields)
        sort, limit = self.random.choice(QUERY_TYPES[kind].sorts), self.random.choice([1, 2, 20, 199, 1000, None])
        return QUERY_TYPES[kind](**criteria, sort=sort, limit=limit)

    def of_flow_runs(self) -> dict[str, Any]:
        parents = self.some(self.ids["flow_run"], 20)
        return {
            "parent": lambda: self.random.choice(["top_level", "subflow", parents]),
            "ancestor": lambda: parents,
            "parent_task_run": lambda: self.some(self.ids["task_run"], 200),
            "created_by": lambda: ["DEPLOYMENT", "USER", self.ids["flow_run"][0]],
            "has_deployment": lambda: self.random.choice([True, False]),
            "has_work_queue": lambda: self.random.choice([True, False]),
            "idempotency_key": lambda: ["no such key"],
            "flow_version": lambda: ["v1"],
            "auto_scheduled": lambda: self.random.choice([True, False]),
            "parameters": lambda: self.random.choice([{"source": "orders"}, {"region": "eu"}]),
        }

    def of_task_runs(self) -> dict[str, Any]:
        return {
            "flow_runs": self.flow_runs,
            "has_flow_run": lambda: self.random.choice([True, False]),
            "has_subflow_run": lambda: self.random.choice([True, False]),
        }

    def flow_runs(self) -> Any:
        return self.some(self.ids["flow_run"], 9) if self.random.random() < 0.2 else self.query("flow_run")


@pytest.fixture(scope="module")
def known(connection: Connection) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    frames = {kind: read(QUERY_TYPES[kind](limit=None), connection) for kind in ("flow_run", "task_run")}
    names = {kind: sorted(frame["name"].unique()) for kind, frame in frames.items()}
    return names, {kind: sorted(frame[f"{kind}_id"]) for kind, frame in frames.items()}


def read(query: RunQuery, connection: Connection) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrefectNbvizWarning)
        if isinstance(query, FlowRunQuery):
            return read_flow_runs(query, connection=connection, progress=False)
        assert isinstance(query, TaskRunQuery)
        return read_task_runs(query, connection=connection, progress=False)


def by_python(query: RunQuery, now: datetime, url: str) -> list[str]:
    code = query.to_python().replace("datetime.now(timezone.utc)", f"datetime.fromisoformat({now.isoformat()!r})")
    namespace: dict[str, Any] = {}
    with temporary_settings({PREFECT_API_URL: url}):
        exec(compile(code, "generated", "exec"), namespace)
    return [str(run.id) for run in namespace["runs"]]


def by_curl(query: RunQuery, now: datetime, url: str) -> list[str]:
    environment = {"PATH": os.environ["PATH"], "PREFECT_API_URL": url, "no_proxy": "127.0.0.1"}
    output = subprocess.check_output(["bash", "-c", query.to_curl(now=now)], text=True, env=environment)
    return [row["id"] for row in json.loads(output)]


@pytest.mark.parametrize("seed", range(100))
def test_code_gives_what_the_reader_gives(seed: int, connection: Connection, demo_server, known) -> None:
    draw = Draw(seed, *known)
    query = draw.query(["flow_run", "task_run"][seed % 2])
    for _ in range(TRIES):
        frame = read(query, connection)
        now = datetime.fromisoformat(frame.attrs["prefect_nbviz"]["as_of"])
        expected = frame[f"{query.kind}_id"].tolist()
        answers = by_python(query, now, demo_server.api_url), by_curl(query, now, demo_server.api_url)
        if answers == (expected, expected):
            return
    assert answers[0] == expected
    assert answers[1] == expected
