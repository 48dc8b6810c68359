"""Queries as JSON: there and back, and a sentence for what is none."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import FlowRunQuery, TaskRunQuery
from prefect_nbviz.errors import QueryError
from prefect_nbviz.query import QUERY_TYPES, RunQuery
from prefect_nbviz.states import STATE_TYPES

LATER = datetime(2026, 11, 10, tzinfo=UTC)

texts = st.one_of(st.text(min_size=1, max_size=9), st.lists(st.text(min_size=1, max_size=9), max_size=3))
ids = st.lists(st.uuids().map(str), max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def shared_criteria(kind: str) -> dict[str, st.SearchStrategy[Any]]:
    words = ["name", "name_not", "flow", "deployment", "work_pool", "work_queue", "tags_all", "tags_any", "tags_none"]
    words += ["tag_keys", "state_name", "state_name_not"]
    types = st.lists(st.sampled_from(STATE_TYPES), max_size=3)
    return {
        **dict.fromkeys(words, texts),
        "ids": ids,
        "ids_not": ids,
        "name_like": st.text(min_size=1),
        "untagged": st.booleans(),
        "state_type": types,
        "state_type_not": types,
        "run_count_min": st.integers(1, 5),
        "since": st.sampled_from(["3h", "1.5d", "2w"])
        | st.datetimes(max_value=datetime(2025, 1, 1), timezones=st.just(UTC)),
        "until": st.sampled_from(["1h", "+2d", "2100-01-01T00:00+01:00"]),
        "time_field": st.sampled_from(QUERY_TYPES[kind].time_fields),
        "start_time_fallback": st.booleans(),
        "sort": st.sampled_from(QUERY_TYPES[kind].sorts),
        "limit": st.none() | st.integers(1, 5_000),
    }


flow_run_queries = st.fixed_dictionaries(
    {},
    optional=shared_criteria("flow_run")
    | {
        "parent": st.sampled_from(["top_level", "subflow"]) | ids,
        "ancestor": ids,
        "parent_task_run": ids,
        "created_by": texts | ids,
        "has_deployment": st.booleans(),
        "has_work_queue": st.booleans(),
        "idempotency_key": texts,
        "flow_version": texts,
        "auto_scheduled": st.booleans(),
        "parameters": st.dictionaries(st.text(), json_values, max_size=3),
    },
).map(lambda criteria: FlowRunQuery(**criteria))
task_run_queries = st.fixed_dictionaries(
    {},
    optional=shared_criteria("task_run")
    | {"flow_runs": ids | flow_run_queries, "has_flow_run": st.booleans(), "has_subflow_run": st.booleans()},
).map(lambda criteria: TaskRunQuery(**criteria))


@settings(max_examples=50, deadline=None)
@given(st.one_of(flow_run_queries, task_run_queries))
def test_json_makes_the_query_again_and_all_code_compiles(query: RunQuery) -> None:
    assert type(query).from_json(query.to_json()) == query
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
