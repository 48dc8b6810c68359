"""What is done here, row by row, because the server cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect_nbviz.abilities import Abilities
from prefect_nbviz.criteria import FlowRunCriteria, RunCriteria
from prefect_nbviz.filters import excludes_ids, finds_too_much, unwanted_ids
from prefect_nbviz.order import Row, moment
from prefect_nbviz.parameters import is_same
from prefect_nbviz.window import Window


@dataclass(frozen=True)
class Step:
    """Something that is done here, because the server cannot."""

    criterion: str
    """The criterion that it does, or a word on why it is done here."""

    field: str
    """The field of a row that it looks at."""

    keeps: Callable[[Row], bool]
    """Whether a row of the server's answer stays."""

    code: str
    """The same as a Python expression of `run`, an object of Prefect's client."""

    jq: str
    """The same as a jq expression of a row of the server's answer; `micros` there gives a time in microseconds."""


def steps(query: RunCriteria, window: Window, abilities: Abilities) -> Iterable[Step]:
    """Give what is done here, each with the Python that does the same."""
    yield from _name_steps(query)
    yield from _tag_steps(query)
    if query.kind == "task_run" and query.state_name_not and query.state_name is None:
        names = frozenset(query.state_name_not)
        yield Step(
            "state_name_not",
            "state_name",
            lambda row: row["state_name"] is not None and row["state_name"] not in names,
            f"run.state_name is not None and run.state_name not in {sorted(names)!r}",
            f".state_name != null and (.state_name | {jq_among(names)} | not)",
        )
    if query.ids_not and not excludes_ids(query):
        ids = frozenset(unwanted_ids(query))
        yield Step(
            "ids_not",
            "id",
            lambda row: row["id"] not in ids,
            f"str(run.id) not in {{{', '.join(map(repr, sorted(ids)))}}}",
            f".id | {jq_among(ids)} | not",
        )
    if query.run_count_min is not None:
        least = query.run_count_min
        keeps = f".run_count >= {least}"
        yield Step("run_count_min", "run_count", lambda row: row["run_count"] >= least, f"run{keeps}", keeps)
    if query.time_field == "end_time" and not abilities.filters_by_end_time(query.kind):
        yield from _end_steps(window)
    if isinstance(query, FlowRunCriteria):
        yield from _flow_run_steps(query, abilities)


def _name_steps(query: RunCriteria) -> Iterable[Step]:
    if query.name_like is not None and finds_too_much(query.name_like):
        text = query.name_like.lower()
        yield Step(
            "name_like: characters that SQL takes as wildcards",
            "name",
            lambda row: text in row["name"].lower(),
            f"{text!r} in run.name.lower()",
            f".name | {_jq_holds(text)}",
        )
    if query.name_not:
        unwanted = frozenset(query.name_not)
        yield Step(
            "name_not",
            "name",
            lambda row: row["name"] not in unwanted,
            f"run.name not in {sorted(unwanted)!r}",
            f".name | {jq_among(unwanted)} | not",
        )


def _tag_steps(query: RunCriteria) -> Iterable[Step]:
    if query.tags_none:
        unwanted = frozenset(query.tags_none)
        yield Step(
            "tags_none",
            "tags",
            lambda row: unwanted.isdisjoint(row["tags"]),
            f"not set({sorted(unwanted)!r}) & set(run.tags)",
            f".tags - {json.dumps(sorted(unwanted))} == .tags",
        )
    if query.tag_keys:
        keys = frozenset(query.tag_keys)
        yield Step(
            "tag_keys",
            "tags",
            lambda row: keys <= {tag.partition(":")[0].strip() for tag in row["tags"] if ":" in tag},
            f"set({sorted(keys)!r}) <= {{tag.partition(':')[0].strip() for tag in run.tags if ':' in tag}}",
            f'{json.dumps(sorted(keys))} - [.tags[] | select(contains(":")) | split(":")[0] | {_JQ_STRIP}] == []',
        )


def _end_steps(window: Window) -> Iterable[Step]:
    since, until = window.since, window.until
    if since is not None:
        yield Step(
            "since: this server cannot filter task runs by end_time",
            "end_time",
            lambda row: row["end_time"] is not None and moment(row["end_time"]) >= since,
            f"run.end_time is not None and run.end_time >= datetime.fromisoformat({since.isoformat()!r})",
            f".end_time != null and (.end_time | micros) >= {_micros(since)}",
        )
    if until is not None:
        yield Step(
            "until: this server cannot filter task runs by end_time",
            "end_time",
            lambda row: row["end_time"] is not None and moment(row["end_time"]) <= until,
            f"run.end_time is not None and run.end_time <= datetime.fromisoformat({until.isoformat()!r})",
            f".end_time != null and (.end_time | micros) <= {_micros(until)}",
        )


def _flow_run_steps(query: FlowRunCriteria, abilities: Abilities) -> Iterable[Step]:
    if query.created_by is not None and not abilities.filters_by_creator:
        wanted: Any = query.created_by
        creators = frozenset(wanted)
        yield Step(
            "created_by: this server cannot filter by it",
            "created_by",
            lambda row: not creators.isdisjoint((row["created_by"] or {}).get(word) for word in ("type", "id")),
            f"run.created_by is not None and {{run.created_by.type, str(run.created_by.id)}} & set({sorted(creators)!r})",
            f".created_by | (.type, .id) | {jq_among(creators)}",
        )
    if query.auto_scheduled is not None:
        is_wanted = query.auto_scheduled
        yield Step(
            "auto_scheduled",
            "auto_scheduled",
            lambda row: bool(row["auto_scheduled"]) is is_wanted,
            f"run.auto_scheduled is {is_wanted}",
            f"(.auto_scheduled // false) == {json.dumps(is_wanted)}",
        )
    for name, value in (query.parameters or {}).items():
        yield _parameter_step(name, value)


def _parameter_step(name: str, value: Any) -> Step:
    found = f"run.parameters[{name!r}]"
    is_equal = f"is_same({found}, {value!r})" if _is_ambiguous(value) else f"{found} == {value!r}"
    return Step(
        f"parameters: {name}",
        "parameters",
        lambda row: name in row["parameters"] and is_same(row["parameters"][name], value),
        f"{name!r} in run.parameters and {is_equal}",
        _jq_parameter(name, value),
    )


def _is_ambiguous(value: Any) -> bool:
    """Say whether Python would take a value for another: True is 1 there, and is not in JSON."""
    if isinstance(value, dict | list):
        return any(map(_is_ambiguous, value.values() if isinstance(value, dict) else value))
    return value in (0, 1)


def jq_among(values: Iterable[str]) -> str:
    """Give the jq filter that says whether a text is one of some.

    Examples
    --------
    >>> jq_among(["b", "a"])
    'IN("a", "b")'
    """
    return f"IN({', '.join(map(json.dumps, sorted(values))) or 'empty'})"


_JQ_STRIP = r'sub("^\\s+"; "") | sub("\\s+$"; "")'  # jq 1.6 would try for ever to find "^" with gsub


def _jq_holds(text: str) -> str:
    """Give the jq filter that says whether a text holds another, in lower case; jq's own takes only ASCII there."""
    if text.isascii():
        return f"ascii_downcase | contains({json.dumps(text)})"
    return f"test({json.dumps(''.join(map(_either_case, text)))})"


def _either_case(letter: str) -> str:
    upper = letter.upper()
    return f"[{letter}{upper}]" if upper != letter == upper.lower() else re.escape(letter)


def _jq_parameter(name: str, value: Any) -> str:
    try:
        wanted = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):  # what JSON cannot hold, no run has
        return "false"
    key = json.dumps(name)
    return f".parameters | has({key}) and .[{key}] == {wanted}"


def _micros(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
