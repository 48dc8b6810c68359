"""Queries as JSON: there and back, and a sentence for what is none."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from made_queries import queries

from prefect_nbviz import FlowRunQuery, TaskRunQuery, query_from_json
from prefect_nbviz.errors import QueryError
from prefect_nbviz.query import RunQuery

LATER = datetime(2026, 11, 10, tzinfo=UTC)


@settings(max_examples=50)
@given(queries)
def test_json_makes_the_query_again_and_all_code_compiles(query: RunQuery) -> None:
    assert type(query).from_json(query.to_json()) == query_from_json(query.to_json()) == query
    assert json.loads(query.to_json())["kind"] == query.kind
    compile(query.to_python(), "generated", "exec")
    assert query.to_python() == query.to_python()
    assert query.to_curl(now=LATER) == query.to_curl(now=LATER)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", r"This is no JSON: .*line 1.*A query is an object such as"),
        ("[" * 100_000, r"This is no JSON"),
        ("[1]", r"A query as JSON is an object such as .*, not \[1\]\."),
        ('"since"', r"A query as JSON is an object"),
        ('{"kind": "task_run"}', r"This is a query of the kind task_run: read it with TaskRunQuery.from_json\."),
        ('{"kind": "flow_runs"}', r"kind cannot be 'flow_runs'\. Did you mean 'flow_run'\?"),
        ('{"kind": {}}', r"kind cannot be \{\}"),
        ('{"sine": "1d"}', r"no criterion 'sine'\. Did you mean 'since'\?"),
        ('{"since": 5}', r"since cannot be 5"),
        ('{"limit": 1.5}', r"limit is a number from 1 up"),
    ],
)
def test_json_that_is_no_query(text: str, says: str) -> None:
    with pytest.raises(QueryError, match=says) as caught:
        FlowRunQuery.from_json(text)
    assert "\n" not in str(caught.value)


def test_json_inside_json() -> None:
    query = TaskRunQuery.from_json('{"flow_runs": {"kind": "flow_run", "tags_all": "prod"}}')
    assert query == TaskRunQuery(flow_runs=FlowRunQuery(tags_all="prod"))
    with pytest.raises(QueryError, match="This is a query of the kind task_run"):
        TaskRunQuery.from_json('{"flow_runs": {"kind": "task_run"}}')


def test_parameters_that_json_cannot_hold() -> None:
    for value in (float("nan"), uuid.uuid4()):
        with pytest.raises(QueryError, match="parameters takes values that JSON can hold, by name"):
            FlowRunQuery(parameters={"x": value}).to_json()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", r"^This is no JSON"),
        ("7", r"^A query as JSON is an object"),
        ("{}", r'^This query does not say its kind: add "kind": "flow_run" or "kind": "task_run"\.$'),
        ('{"kind": "task_runs"}', r"^kind cannot be 'task_runs'\. Did you mean 'task_run'"),
        ('{"kind": "task_run", "parent": "subflow"}', r"^TaskRunQuery has no criterion 'parent'"),
        (None, r"^from_json takes JSON text, not NoneType"),
    ],
)
def test_json_of_a_query_of_neither_kind(text: Any, says: str) -> None:
    with pytest.raises(QueryError, match=says) as caught:
        query_from_json(text)
    assert "\n" not in str(caught.value)
