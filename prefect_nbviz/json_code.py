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
    if not isinstance(text, str | bytes):
        raise QueryError(
            f"from_json takes JSON text, not {type(text).__name__}; criteria in a dict are {_TYPES[kind]}(**criteria)."
        )
    try:
        criteria = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise QueryError(f'This is no JSON: {error}. A query is an object such as {{"since": "1d"}}.') from error
    return without_kind(criteria, kind)


def without_kind(criteria: object, kind: RunKind) -> dict[str, Any]:
    """Give criteria without their kind, once it is the one that is wanted."""
    if not isinstance(criteria, Mapping):
        raise QueryError(f'A query as JSON is an object such as {{"since": "1d"}}, not {json.dumps(criteria)[:60]}.')
    found = criteria.get("kind", kind)
    if found == kind:
        return {word: value for word, value in criteria.items() if word != "kind"}
    if isinstance(found, str) and found in _TYPES:
        raise QueryError(f"This is a query of the kind {found}: read it with {_TYPES[found]}.from_json.")
    raise QueryError(f"kind cannot be {found!r}.{did_you_mean(str(found), _TYPES)} It is one of: {', '.join(_TYPES)}.")
