"""From the rows of the server's answers to typed frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.order import Row
from prefect_nbviz.query import RunKind
from prefect_nbviz.reading.shapes import State, TaskInput
from prefect_nbviz.states import TERMINAL_STATE_TYPES

Names = Mapping[str, str | None]
"""Names by id."""

RUN_TIME = schema.Column("estimated_run_time", schema.DURATION, "how long the server says that it ran, in all attempts")
"""A column that frames have here beside their schema: what the server sums up, to tell whether runs have changed."""


def _message(state: State | None) -> str | None:
    return None if state is None else state.message or None


def _upstream(inputs: Mapping[str, Sequence[TaskInput]] | None) -> tuple[str, ...]:
    ids = (one.id for values in (inputs or {}).values() for one in values if one.input_type == "task_run" and one.id)
    return tuple(dict.fromkeys(ids))


def _parameters(values: Mapping[str, Any] | None) -> str:
    return msgspec.json.encode(values or {}).decode()


_MADE: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "state_message": ("state", _message),
    "parameters": ("parameters", _parameters),
    "auto_scheduled": ("auto_scheduled", bool),
    "upstream_task_run_ids": ("task_inputs", _upstream),
}
"""Columns that are not fields as they come: the field, and what is made of it."""

_LATER = frozenset({"flow_name", "deployment_name", "flow_run_name", "duration", "lateness"})
"""Columns that are made from others, or looked up, once the frame stands."""


def field_of(column: str, kind: RunKind) -> str | None:
    """Give the field of the server's rows that a column is made from; None for one that is made from other columns."""
    field = "id" if column == f"{kind}_id" else _MADE.get(column, (column,))[0]
    return None if column in _LATER else field


def run_frame(rows: Sequence[Any], kind: RunKind, as_of: datetime, columns: tuple[schema.Column, ...]) -> pd.DataFrame:
    """Make a frame from rows of `shapes.rows_of`, with `RUN_TIME` at its end, and without names that they lack."""
    data = {column.name: _values(rows, column.name, kind) for column in columns}
    frame = frames.typed(data, columns)
    reckoned: dict[str, Any] = {"duration": _duration, "lateness": lambda runs: _lateness(runs, as_of)}
    seconds = [value or 0 for value in _values(rows, RUN_TIME.name, kind)]
    return frame.assign(
        **{name: reckon for name, reckon in reckoned.items() if name in frame},
        **{RUN_TIME.name: pd.to_timedelta(seconds, unit="s").as_unit("us")},
    )


def _values(rows: Sequence[Any], column: str, kind: RunKind) -> list[Any]:
    field = field_of(column, kind)
    if field is None:
        return [None] * len(rows)
    _, make = _MADE.get(column, (field, None))
    values = map(attrgetter(field), rows)
    return [*values] if make is None else [*map(make, values)]


def with_names(frame: pd.DataFrame, **columns: tuple[str, Names]) -> pd.DataFrame:
    """Give a frame with columns of names: for each, the column with the ids, and the names by id."""
    data = {column: _names(frame[ids], names) for column, (ids, names) in columns.items()}
    return frame.assign(**frames.typed(data, tuple(schema.Column(name, schema.REPEATED_TEXT, "") for name in data)))


def _names(ids: pd.Series[str], names: Names) -> pd.Categorical:
    """Look up the name of each id once, however often it is there."""
    codes, held = pd.factorize(ids)
    found = pd.Categorical(pd.Series([names.get(one) for one in held], dtype="str"))
    return found.take(codes, allow_fill=True)


def state_frame(histories: Sequence[tuple[Row, Sequence[Row]]]) -> pd.DataFrame:
    """Make a frame of states from runs (`run_kind`, `run_id`, `run_name`, `flow_run_id`) and their histories."""
    pairs = [(run, state) for run, history in histories for state in history]
    runs, states = [run for run, _ in pairs], [state for _, state in pairs]
    data = _columns(runs, ("run_kind", "run_id", "run_name", "flow_run_id")) | {
        "state_type": [state["type"] for state in states],
        "state_name": [state["name"] for state in states],
        "timestamp": [state["timestamp"] for state in states],
        "message": [state["message"] or None for state in states],
        "scheduled_time": [(state.get("state_details") or {}).get("scheduled_time") for state in states],
        "source": [state.get("source", "server") for state in states],
    }
    return frames.typed(data, schema.STATES)


def _columns(rows: Sequence[Row], fields: Sequence[str]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in fields}


def _duration(runs: pd.DataFrame) -> pd.Series[Any]:
    return runs["end_time"] - runs["start_time"]


def _lateness(runs: pd.DataFrame, as_of: datetime) -> pd.Series[Any]:
    waits = runs["start_time"].isna() & ~runs["state_type"].isin(TERMINAL_STATE_TYPES)
    begin = runs["start_time"].where(~waits, pd.Timestamp(as_of).as_unit("us"))
    lateness: pd.Series[Any] = begin - runs["expected_start_time"]
    is_early = lateness < pd.Timedelta(0)
    return lateness.mask(is_early, pd.Timedelta(0)).mask(is_early & waits)
