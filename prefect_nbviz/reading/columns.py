"""Which columns of runs are asked for, and what is read to give them."""

from __future__ import annotations

from collections.abc import Iterable

from prefect_nbviz import forms, schema
from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.order import Order
from prefect_nbviz.plan import Plan
from prefect_nbviz.query import RunKind
from prefect_nbviz.reading.rows import RUN_TIME, field_of

_ALWAYS = ("state_type", "state_name", "expected_start_time", "start_time", "end_time")
"""What reading again holds against the server's figures, and orders and lengths of time are made from."""

_IDS = {
    ("flow_run", "flow_name"): "flow_id",
    ("flow_run", "deployment_name"): "deployment_id",
    ("task_run", "flow_run_name"): "flow_run_id",
    ("task_run", "flow_name"): "flow_run_id",
}
"""Columns of names, and those of the ids that they are looked up by."""


def chosen(kind: RunKind, columns: str | Iterable[str] | None) -> tuple[str, ...]:
    """Give the names of the columns that are asked for, in order; all unless told.

    Raises
    ------
    QueryError
        Runs of this kind have no such column.

    Examples
    --------
    >>> chosen("task_run", ["name", "state_type"])
    ('name', 'state_type')
    """
    known = schema.names(schema.RUNS[kind])
    names = forms.text_values("columns", columns)
    for name in names or ():
        if name not in known:
            noun = kind.replace("_", " ")
            hint = did_you_mean(name, known)
            raise QueryError(f"columns: a {noun} has no {name!r}.{hint} It has: {', '.join(known)}.")
    return tuple(known) if names is None else names


def ids_behind(kind: RunKind, columns: Iterable[str]) -> dict[str, str]:
    """Give those of some columns that are names, and the columns of ids that they are looked up by.

    Examples
    --------
    >>> ids_behind("flow_run", ["name", "flow_name"])
    {'flow_name': 'flow_id'}
    """
    return {name: _IDS[kind, name] for name in columns if (kind, name) in _IDS}


def inside(kind: RunKind, columns: Iterable[str], sort: str) -> tuple[schema.Column, ...]:
    """Give the columns of the frame that those asked for are taken from: with ids behind names, and what orders it."""
    asked = {*columns}
    needed = {f"{kind}_id", *_ALWAYS, Order(sort).field, *ids_behind(kind, asked).values(), *asked}
    return tuple(column for column in schema.RUNS[kind] if column.name in needed)


def fields(columns: Iterable[schema.Column], plan: Plan) -> frozenset[str]:
    """Give the fields of the server's rows that columns, and what is done here, are made from."""
    of_columns = {field for column in columns if (field := field_of(column.name, plan.kind)) is not None}
    of_order = {Order(plan.sort).field} - {"duration"}
    return frozenset({"id", RUN_TIME.name, *of_columns, *of_order, *(step.field for step in plan.steps)})
