"""The bodies of requests as filter classes of Prefect's client, in Python text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from prefect_nbviz.criteria import RunCriteria
from prefect_nbviz.forms import TimePoint, moment_of
from prefect_nbviz.layout import Group, Node, call, listed
from prefect_nbviz.order import Body, iso
from prefect_nbviz.recipe import Recipe

_CLASSES = {
    "flows": "FlowFilter",
    "deployments": "DeploymentFilter",
    "work_pools": "WorkPoolFilter",
    "flow_runs": "FlowRunFilter",
    "task_runs": "TaskRunFilter",
}
"""The class of each filter of a body, in the order that they are written."""

_SPELT = {"subflow_runs": "SubFlowRuns"}
"""What the class of a field is called, where that is not its own words."""

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}

Times = Mapping[str, str]
"""Expressions of the moments that a query is about, by their text in the bodies."""


class Variable(str):
    """The name of a variable, where a body has a value."""

    __slots__ = ()


def times(query: RunCriteria | None, now: datetime) -> dict[str, str]:
    """Give the expressions of a query's moments; relative ones count from `now`, a variable."""
    if query is None:
        return {}
    window = query.window(now)
    pairs = ((window.since, query.since), (window.until, query.until))
    return {iso(moment): _moment(point, now) for moment, point in pairs if moment is not None}


def _moment(point: TimePoint, now: datetime) -> str:
    if isinstance(point, datetime):
        return f"datetime.fromisoformat({point.isoformat()!r})"
    if point is None:
        return "now"
    span = (moment_of(point, now) or now) - now
    sign, text = ("-", str(point)) if span < timedelta(0) else ("+", str(point).removeprefix("+"))
    amount = float(text[:-1])
    written = f"{_UNITS[text[-1]]}={int(amount) if amount.is_integer() else amount}"
    return f"now {sign} timedelta({written})"


def arguments(body: Body, known: Times) -> dict[str, Node]:
    """Give the filters of a body as arguments of the client's reading functions.

    Examples
    --------
    >>> body = {"flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}}
    >>> call("read_flow_runs", **arguments(body, {})).flat()
    "read_flow_runs(flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=['FAILED']))))"
    """
    return {
        f"{table.removesuffix('s')}_filter": _filter(name, body[table], known)
        for table, name in _CLASSES.items()
        if body.get(table)
    }


def _filter(name: str, fields: Body, known: Times) -> Group:
    return call(name, **{word: _value(name, word, value, known) for word, value in fields.items()})


def _value(name: str, word: str, value: Any, known: Times) -> Node:
    match value:
        case Variable():
            return str(value)
        case dict():
            return _filter(name + _SPELT.get(word, word.title().replace("_", "")), value, known)
        case list():
            return listed([repr(one) for one in value])
        case _:
            return known[value] if word in ("after_", "before_") else repr(value)


def as_client_can(recipe: Recipe, known: Times) -> Recipe:
    """Make conditions of the filters that the client lacks: it would pass over them and give all rows.

    That is the expected start of task runs; where it stands in for a start that never was, the
    condition says both.
    """
    bodies, windows = zip(*map(_parted, recipe.bodies), strict=True) if recipe.bodies else ((), ())
    window = next(filter(None, windows), None)
    if window is None:
        return recipe
    falls_back = any("start_time" in body.get("task_runs", {}) for body in bodies)
    subject = "(run.start_time or run.expected_start_time)" if falls_back else "run.expected_start_time"
    since, until = (known[window[word]] if word in window else "" for word in ("after_", "before_"))
    condition = (f"{since} <= " if since else "") + subject + (f" <= {until}" if until else "")
    return replace(recipe, bodies=bodies, conditions=(*recipe.conditions, condition))


def _parted(body: Body) -> tuple[Body, Body]:
    task_runs = dict(body.get("task_runs", {}))
    window = task_runs.pop("expected_start_time", {})
    return body | {"task_runs": task_runs}, window
