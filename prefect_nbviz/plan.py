"""How a query is answered: what is sent to the server, and what is done here.

The bodies are those of `POST /flow_runs/filter` and `POST /task_runs/filter`; they carry only the
fields that are set, and only fields that the server is known to have (a client's model would
silently drop an unknown one and so give all rows). What the server cannot do becomes a union of
several bodies, or a step that is done here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prefect_nbviz.order import Body, Row, iso
from prefect_nbviz.query import FlowRunQuery, RunKind, RunQuery, TaskRunQuery, Window

IDS_PER_BODY = 5_000
"""Ids in one request: SQLite and PostgreSQL both take some 32,000 values in a statement."""

_NOT_PLAIN = re.compile(r"[^ -~]|[%_\\]")


@dataclass(frozen=True)
class Step:
    """Something that is done here, because the server cannot."""

    says: str
    """What it does, in words."""

    keeps: Callable[[Row], bool]
    """Whether a row of the server's answer stays."""


@dataclass(frozen=True)
class Part:
    """Some of the runs that match: those of one filter, with no run in two parts."""

    body: Body
    """The filters, without sort, limit and offset."""

    is_last: bool = False
    """Whether its rows come after those of all other parts: they lack the time that is sorted by."""


@dataclass(frozen=True)
class Plan:
    """The whole answer to a query: the union of its parts, thinned by its steps."""

    kind: RunKind
    parts: tuple[Part, ...]
    any_tags: tuple[str, ...]
    """Tags of which one is enough, where the server lacks that: each part is read once for each."""

    none_tags: tuple[str, ...]
    """Tags that a run must not have; a step does it, and the counts need to know."""

    steps: tuple[Step, ...]
    counts_on_server: bool
    """Whether the server's counts say how many match, in spite of the steps."""

    @property
    def table(self) -> str:
        """The name of the runs in the server's paths and bodies."""
        return f"{self.kind}s"

    def bodies(self, part: Part) -> list[Body]:
        """Give the filters whose union is a part; runs may be in several."""
        if not self.any_tags:
            return [part.body]
        return [merge(part.body, {self.table: {"tags": {"all_": [tag]}}}) for tag in self.any_tags]

    def done_here(self) -> list[str]:
        """Say in words what the server does not do."""
        union = ["tags_any: one read for each tag, united"] if self.any_tags else []
        return union + [step.says for step in self.steps]


def make_plan(query: RunQuery, *, now: datetime, parents: tuple[str, ...] | None = None) -> Plan:
    """Plan a query.

    Parameters
    ----------
    query
        What is asked. A `FlowRunQuery` as `flow_runs` rides along as filters on the flow runs;
        its own `limit` is the reader's business.
    now
        The moment that relative times count from.
    parents
        Ids of flow runs to take instead of `query.flow_runs`, where those had to be read first.
    """
    window = query.window(now)
    union_tags = None if query.tags_any is None or query.kind == "flow_run" else tuple(query.tags_any)
    one_tag = union_tags if union_tags is not None and len(union_tags) == 1 else None
    alternatives = [
        [_plain_filters(query, tags_all=(*(query.tags_all or ()), *(one_tag or ())))],
        _id_filters(f"{query.kind}s", query.ids),
        _deployment_filters(query.deployment),
        _window_filters(query, window),
        _parent_filters(query, parents, now),
    ]
    bodies = [merge(*choice) for choice in itertools.product(*alternatives)]
    if union_tags == ():
        bodies = []
    steps = _steps(query)
    return Plan(
        kind=query.kind,
        parts=tuple(part for body in bodies for part in _by_order(body, query)),
        any_tags=tuple(union_tags or ()) if one_tag is None else (),
        none_tags=tuple(query.tags_none or ()),
        steps=steps,
        counts_on_server=len(steps) == bool(query.tags_none),
    )


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


def _plain_filters(query: RunQuery, *, tags_all: tuple[str, ...]) -> Body:
    """Give the filters that the server has as they are asked."""
    run: Body = {}
    if query.name is not None:
        run["name"] = {"any_": [*query.name]}
    if query.name_like is not None:
        run["name"] = run.get("name", {}) | {"like_": literal_like(query.name_like)}
    tags: Body = {"all_": [*tags_all]} if tags_all else {}
    if isinstance(query, FlowRunQuery) and query.tags_any is not None:
        tags["any_"] = [*query.tags_any]
    state = {
        word: {"any_": [*values]}
        for word, values in (("type", query.state_type), ("name", query.state_name))
        if values is not None
    }
    run |= {word: filters for word, filters in (("tags", tags), ("state", state)) if filters}
    body: Body = {f"{query.kind}s": run} if run else {}
    return body if query.flow is None else body | {"flows": {"name": {"any_": [*query.flow]}}}


def _id_filters(table: str, ids: Any) -> list[Body]:
    if ids is None:
        return [{}]
    return [{table: {"id": {"any_": [*chunk]}}} for chunk in batched(ids, IDS_PER_BODY)]


def batched(values: Iterable[str], size: int) -> list[tuple[str, ...]]:
    """Cut values into runs of at most `size`.

    Examples
    --------
    >>> batched("abcde", 2)
    [('a', 'b'), ('c', 'd'), ('e',)]
    """
    rest = iter(values)
    return list(iter(lambda: tuple(itertools.islice(rest, size)), ()))


def _deployment_filters(deployments: Any) -> list[Body]:
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


def _window_filters(query: RunQuery, window: Window) -> list[Body]:
    """Give the filters of a window: of task runs' start, also those that never started.

    The server takes a flow run that has not started at its expected start; of task runs it
    does not, so that a second filter asks for those.
    """
    table = f"{query.kind}s"
    span = {
        word: iso(moment)
        for word, moment in (("after_", window.since), ("before_", window.until))
        if moment is not None
    }
    if not span:
        return [{}]
    if query.time_field == "start_time" and query.kind == "task_run":
        return [
            {table: {"start_time": span}},
            {table: {"start_time": {"is_null_": True}, "expected_start_time": span}},
        ]
    return [{table: {query.time_field: span}}]


def _parent_filters(query: RunQuery, parents: tuple[str, ...] | None, now: datetime) -> list[Body]:
    if not isinstance(query, TaskRunQuery):
        return [{}]
    if parents is None and isinstance(query.flow_runs, FlowRunQuery):
        return [part.body for part in make_plan(query.flow_runs.replace(sort="ID_DESC"), now=now).parts]
    return _id_filters("flow_runs", query.flow_runs if parents is None else parents)


def _by_order(body: Body, query: RunQuery) -> list[Part]:
    """Part the runs that lack the time to sort by: databases differ in where they put them."""
    if query.sort != "END_TIME_DESC":
        return [Part(body)]
    return [
        Part(merge(body, {f"{query.kind}s": {"end_time": {"is_null_": is_null}}}), is_last=is_null)
        for is_null in (False, True)
    ]


def _steps(query: RunQuery) -> tuple[Step, ...]:
    steps = []
    if query.tags_none:
        unwanted = frozenset(query.tags_none)
        steps.append(Step("tags_none", lambda row: unwanted.isdisjoint(row["tags"])))
    if query.name_like is not None and _NOT_PLAIN.search(query.name_like):
        text = query.name_like.lower()
        steps.append(Step("name_like: characters that SQL takes as wildcards", lambda row: text in row["name"].lower()))
    return tuple(steps)
