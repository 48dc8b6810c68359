"""Queries of every criterion, made by hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from prefect_nbviz import FlowRunQuery, TaskRunQuery
from prefect_nbviz.query import QUERY_TYPES
from prefect_nbviz.states import STATE_TYPES

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

queries = st.one_of(flow_run_queries, task_run_queries)
