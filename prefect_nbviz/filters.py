"""The bodies that ask the server for runs: parts of `POST /flow_runs/filter` and `POST /task_runs/filter`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from prefect_nbviz.abilities import Abilities
from prefect_nbviz.criteria import SUBFLOW, FlowRunCriteria, RunCriteria, TaskRunCriteria
from prefect_nbviz.forms import is_id
from prefect_nbviz.order import Body, iso
from prefect_nbviz.states import STATE_TYPES
from prefect_nbviz.window import Window

IDS_PER_BODY = 5_000
"""Ids in one request: SQLite and PostgreSQL both take some 32,000 values in a statement."""

_NOT_PLAIN = re.compile(r"[^ -~]|[%_\\]")


def merge(*bodies: Mapping[str, Any]) -> Body:
    """Give the body that asks for all of several: lists of choices are intersected.

    Examples
    --------
    >>> merge({"flows": {"name": {"any_": ["a", "b"]}}}, {"flows": {"name": {"any_": ["b", "c"]}}})
    {'flows': {'name': {'any_': ['b']}}}
    >>> merge({"task_runs": {"tags": {"all_": ["a"]}}}, {"task_runs": {"tags": {"all_": ["b"]}}})
    {'task_runs': {'tags': {'all_': ['a', 'b']}}}
    """
    merged: Body = {}
    for body in bodies:
        for word, value in body.items():
            merged[word] = _both(word, merged[word], value) if word in merged else value
    return merged


def _both(word: str, one: Any, other: Any) -> Any:
    match word:
        case "any_":
            return [value for value in one if value in other]
        case "all_":
            return list(dict.fromkeys([*one, *other]))
        case "after_":
            return max(one, other)
        case "before_":
            return min(one, other)
        case _ if isinstance(one, Mapping):
            return merge(one, other)
        case _:
            return other


def literal_like(text: str) -> str:
    r"""Give a pattern for the server's `like_` that finds at least what holds `text`.

    The server hands the text to SQL's ILIKE as it is: `%`, `_` and (on PostgreSQL) the backslash
    mean something there, and SQLite folds only ASCII. Each such character becomes a wildcard
    here, and a step keeps what really holds the text.

    Examples
    --------
    >>> literal_like("load_orders")
    'load%orders'
    """
    return _NOT_PLAIN.sub("%", text)


def finds_too_much(text: str) -> bool:
    """Say whether the server's `like_` may find more than what holds `text`, so that a step must look again.

    Examples
    --------
    >>> finds_too_much("50%"), finds_too_much("orders")
    (True, False)
    """
    return _NOT_PLAIN.search(text) is not None


def batched(values: Iterable[str], size: int) -> list[tuple[str, ...]]:
    """Cut values into runs of at most `size`.

    Examples
    --------
    >>> batched("abcde", 2)
    [('a', 'b'), ('c', 'd'), ('e',)]
    """
    rest = iter(values)
    return list(iter(lambda: tuple(itertools.islice(rest, size)), ()))


def plain_filters(query: RunCriteria, abilities: Abilities) -> Body:
    """Give the filters that the server has as they are asked."""
    run: Body = {}
    if query.name is not None:
        run["name"] = {"any_": [*query.name]}
    if query.name_like is not None:
        run["name"] = run.get("name", {}) | {"like_": literal_like(query.name_like)}
    if state := _state_filters(query):
        run["state"] = state
    if query.ids_not and excludes_ids(query):
        run["id"] = {"not_any_": [*unwanted_ids(query)]}
    run |= _of_flow_runs(query, abilities) if isinstance(query, FlowRunCriteria) else _of_task_runs(query)
    body: Body = {f"{query.kind}s": run} if run else {}
    if query.flow is not None:
        body["flows"] = {"name": {"any_": [*query.flow]}}
    if query.work_pool is not None and query.kind == "flow_run":
        body["work_pools"] = {"name": {"any_": [*query.work_pool]}}
    if query.work_queue is not None:
        body = merge(body, {"flow_runs": {"work_queue_name": {"any_": [*query.work_queue]}}})
    return body


def excludes_ids(query: RunCriteria) -> bool:
    """Say whether the server can leave out the ids that are not wanted."""
    return query.kind == "flow_run" and len(unwanted_ids(query)) <= IDS_PER_BODY


def unwanted_ids(query: RunCriteria) -> tuple[str, ...]:
    """Give the ids that are not wanted."""
    ids: Any = query.ids_not or ()
    return tuple(ids)


def _of_flow_runs(query: FlowRunCriteria, abilities: Abilities) -> Body:
    """Give the filters that only flow runs have."""
    run: Body = {}
    if query.flow_version is not None:
        run["flow_version"] = {"any_": [*query.flow_version]}
    if query.idempotency_key is not None:
        run["idempotency_key"] = {"any_": [*query.idempotency_key]}
    if query.has_deployment is not None:
        run["deployment_id"] = {"is_null_": not query.has_deployment}
    if query.has_work_queue is not None:
        run["work_queue_name"] = {"is_null_": not query.has_work_queue}
    if query.created_by is not None and abilities.filters_by_creator:
        run["created_by"] = _creators(query.created_by)
    return run


def _creators(values: Any) -> Body:
    """Give the filter for creators of some types or with some ids."""
    ids = [one for one in values if is_id(one)]
    types = [one for one in values if not is_id(one)]
    if not ids:
        return {"type_": types}
    return {"operator": "or_", "id_": ids, "type_": types} if types else {"id_": ids}


def _of_task_runs(query: RunCriteria) -> Body:
    """Give the filters that only task runs have."""
    run: Body = {}
    if isinstance(query, TaskRunCriteria) and query.has_flow_run is not None:
        run["flow_run_id"] = {"is_null_": not query.has_flow_run}
    if isinstance(query, TaskRunCriteria) and query.has_subflow_run is not None:
        run["subflow_runs"] = {"exists_": query.has_subflow_run}
    return run


def _state_filters(query: RunCriteria) -> Body:
    """Give the filters on the state; of what is not wanted, those that are left where they can be told."""
    state: Body = {}
    is_named_here = query.kind == "task_run" and query.state_name is None and bool(query.state_name_not)
    if query.state_type is not None or query.state_type_not or is_named_here:  # a run without a state has no name
        wanted = STATE_TYPES if query.state_type is None else tuple(query.state_type)
        state["type"] = {"any_": [kind for kind in wanted if kind not in (query.state_type_not or ())]}
    if query.state_name is not None:
        state["name"] = {"any_": [name for name in query.state_name if name not in (query.state_name_not or ())]}
    elif query.state_name_not and query.kind == "flow_run":  # beside any_ the server would pass over it
        state["name"] = {"not_any_": [*query.state_name_not]}
    return state


def tag_filters(query: RunCriteria, *, is_union: bool) -> Body:
    """Give the filters on tags; of a union only what all of its reads share."""
    any_tags = tuple(query.tags_any or ())
    one_tag = any_tags if is_union and len(any_tags) == 1 else ()
    tags: Body = {}
    if tags_all := [*(query.tags_all or ()), *one_tag]:
        tags["all_"] = tags_all
    if query.tags_any is not None and not is_union:
        tags["any_"] = [*any_tags]
    if query.untagged is not None:
        tags["is_null_"] = query.untagged
    return {f"{query.kind}s": {"tags": tags}} if tags else {}


def id_filters(table: str, ids: Any, field: str = "id") -> list[Body]:
    """Give a filter for each chunk of ids."""
    if ids is None:
        return [{}]
    return [{table: {field: {"any_": [*chunk]}}} for chunk in batched(ids, IDS_PER_BODY)]


def deployment_filters(deployments: Any) -> list[Body]:
    """Give one filter for the plain names, and one for each `flow/deployment`."""
    if deployments is None:
        return [{}]
    plain = [name for name in deployments if "/" not in name]
    pairs = [name.split("/", 1) for name in deployments if "/" in name]
    bodies: list[Body] = [{"deployments": {"name": {"any_": plain}}}] if plain else []
    return bodies + [
        {"flows": {"name": {"any_": [flow]}}, "deployments": {"name": {"any_": [name]}}}
        for flow, name in pairs
        if name not in plain
    ]


def window_filters(query: RunCriteria, window: Window, abilities: Abilities) -> list[Body]:
    """Give the filters of a window: of task runs' start, also those that never started.

    The server takes a flow run that has not started at its expected start; of task runs it
    does not, nor does an old server of flow runs, so that a second filter asks for those.
    """
    table, field = f"{query.kind}s", query.time_field
    span = {word: iso(time) for word, time in (("after_", window.since), ("before_", window.until)) if time is not None}
    if not span or (field == "end_time" and not abilities.filters_by_end_time(query.kind)):
        return [{}]
    falls_back = query.kind == "flow_run" and abilities.takes_unstarted_at_expected_start
    if field == "start_time" and query.start_time_fallback and not falls_back:
        return [  # first those that may start meanwhile: a run that does is then met twice, and not missed
            {table: {"start_time": {"is_null_": True}, "expected_start_time": span}},
            {table: {"start_time": span if query.kind == "task_run" else span | {"is_null_": False}}},
        ]
    if field == "start_time" and not query.start_time_fallback:
        return [{table: {"start_time": span | {"is_null_": False}}}]
    return [{table: {field: span}}]


def flow_run_filters(query: RunCriteria) -> list[list[Body]]:
    """Give the filters on the parents of flow runs."""
    if not isinstance(query, FlowRunCriteria):
        return []
    tasks = id_filters("flow_runs", query.parent_task_run, "parent_task_run_id")
    if isinstance(query.parent, str):
        return [tasks, [{"flow_runs": {"parent_task_run_id": {"is_null_": query.parent != SUBFLOW}}}]]
    return [tasks, id_filters("flow_runs", query.parent, "parent_flow_run_id")]
