"""Queries as JSON text, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from prefect_nbviz.criteria import RunCriteria, RunKind
from prefect_nbviz.errors import QueryError, did_you_mean

_TYPES: dict[RunKind, str] = {"flow_run": "FlowRunQuery", "task_run": "TaskRunQuery"}


def json_code(query: RunCriteria) -> str:
    """Give the criteria that are set, and the kind of run, as JSON text; relative times stay relative."""
    try:
        return json.dumps({"kind": query.kind, **query.criteria()}, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise QueryError(f"parameters holds a value that JSON cannot: {error}.") from error


def criteria_of(text: str | bytes, kind: RunKind) -> dict[str, Any]:
    """Give the criteria that JSON text holds, of a query of one kind.

    Raises
    ------
    QueryError
        This is no text, the text no JSON, no object, or a query of the other kind.
    """
    return without_kind(_parsed(text, f"criteria in a dict are {_TYPES[kind]}(**criteria)"), kind)


def kind_of(text: str | bytes) -> RunKind:
    """Give the kind of run that JSON text of a query is about.

    Raises
    ------
    QueryError
        This is no text, the text no JSON or no object, or it does not say the kind.
    """
    criteria = _as_object(_parsed(text, "of FlowRunQuery and TaskRunQuery, to_json gives it"))
    kind = criteria.get("kind")
    if kind is None:
        raise QueryError('This query does not say its kind: add "kind": "flow_run" or "kind": "task_run".')
    return _known_kind(kind)


def _parsed(text: object, instead: str) -> Any:
    if not isinstance(text, str | bytes):
        raise QueryError(f"from_json takes JSON text, not {type(text).__name__}; {instead}.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QueryError(f'This is no JSON: {error}. A query is an object such as {{"since": "1d"}}.') from error


def without_kind(criteria: object, kind: RunKind) -> dict[str, Any]:
    """Give criteria without their kind, once it is the one that is wanted."""
    found = _as_object(criteria).get("kind", kind)
    if found != kind:
        other = _known_kind(found)
        raise QueryError(f"This is a query of the kind {other}: read it with {_TYPES[other]}.from_json.")
    return {word: value for word, value in _as_object(criteria).items() if word != "kind"}


def _as_object(criteria: object) -> Mapping[str, Any]:
    if isinstance(criteria, Mapping):
        return criteria
    raise QueryError(f'A query as JSON is an object such as {{"since": "1d"}}, not {json.dumps(criteria)[:60]}.')


def _known_kind(kind: object) -> RunKind:
    for known in _TYPES:
        if kind == known:
            return known
    raise QueryError(f"kind cannot be {kind!r}.{did_you_mean(str(kind), _TYPES)} It is one of: {', '.join(_TYPES)}.")
