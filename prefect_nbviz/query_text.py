"""Queries in words, for people who read no code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from prefect_nbviz.forms import TimePoint
from prefect_nbviz.query import RunQuery

Span = tuple[TimePoint, TimePoint]
"""`since` and `until` of a query."""

_SAID_ELSEWHERE = ("since", "until", "sort", "limit", "time_field", "state_type")
_MANY = 5
_TIME_FIELDS = {"end_time": "by end", "expected_start_time": "by expected start"}
_UNITS = {"s": "s", "m": "min", "h": "h", "d": "days", "w": "weeks"}


def criteria_text(query: RunQuery, *, zone: tzinfo = UTC) -> str:
    """Say the criteria of a query but for its order and limit, moments in a time zone.

    Examples
    --------
    >>> from prefect_nbviz.query import FlowRunQuery
    >>> criteria_text(FlowRunQuery(tags_any=["prod", "etl"], state_type="FAILED", since="7d"))
    'FAILED · tags any: prod, etl · last 7 days'
    """
    return " · ".join(_criteria_texts(query, zone))


def _criteria_texts(query: RunQuery, zone: tzinfo) -> Iterator[str]:
    if query.state_type:
        yield ", ".join(query.state_type)
    for word, value in query.criteria().items():
        if word not in _SAID_ELSEWHERE:
            yield criterion_text(word, value)
    ends: Any = (query.since, query.until)
    by = _TIME_FIELDS.get(query.time_field, "")
    yield span_text(ends, zone=zone) + (f" {by}" if by and any(ends) else "")


def criterion_text(word: str, value: Any) -> str:
    """Say one criterion, as `RunQuery.criteria` gives it.

    Examples
    --------
    >>> criterion_text("tags_any", ["prod", "etl"]), criterion_text("since", "1d")
    ('tags any: prod, etl', 'since: 1d')
    """
    return f"{word.replace('_', ' ')}: {_value_text(value)}"


def _value_text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case dict():
            return " and ".join(f"{word.replace('_', ' ')} {_value_text(one)}" for word, one in value.items()) or "all"
        case list() if len(value) > _MANY:
            return f"{len(value):,} values"
        case list():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)


def span_text(span: Span, *, zone: tzinfo = UTC) -> str:
    """Say a span of time as people do, moments in a time zone.

    Examples
    --------
    >>> [span_text(span) for span in (("1d", None), ("3h", None), (None, None), ("1d", "1h"))]
    ['last 24 h', 'last 3 h', 'any time', 'from 24 h ago to 1 h ago']
    >>> span_text((datetime(2026, 1, 31, 5, tzinfo=UTC), None))
    'from 2026-01-31 05:00 UTC to now'
    """
    since, until = span
    if since is None and until is None:
        return "any time"
    if until is None and isinstance(since, str) and not since.startswith("+"):
        return f"last {_length(since)}"
    return " ".join(([f"from {_end_text(since, zone)}"] if since else []) + [f"to {_end_text(until, zone)}"])


def _end_text(end: TimePoint, zone: tzinfo) -> str:
    if end is None:
        return "now"
    if isinstance(end, datetime):
        moment = end.astimezone(zone).replace(tzinfo=None)
        return f"{moment.isoformat(' ', 'seconds').removesuffix(':00')} {zone}"
    text = str(end)
    return f"{_length(text[1:])} from now" if text.startswith("+") else f"{_length(text)} ago"


def _length(text: str) -> str:
    if text == "1d":
        return "24 h"
    amount, unit = text[:-1], _UNITS[text[-1]]
    return f"{amount} {unit.removesuffix('s') if amount == '1' and len(unit) > 1 else unit}"
