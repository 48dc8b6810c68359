"""From the rows of the server's answers to typed frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import GenericAlias
from typing import Any

import msgspec
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.order import Row
from prefect_nbviz.query import RunKind
from prefect_nbviz.states import TERMINAL_STATE_TYPES

Names = Mapping[str, str | None]
"""Names by id."""

_COMMON_FIELDS = (
    "id",
    "name",
    "tags",
    "state_type",
    "state_name",
    "state_id",
    "state",
    "expected_start_time",
    "start_time",
    "end_time",
    "next_scheduled_start_time",
    "run_count",
    "estimated_run_time",
)
RUN_TIME = schema.Column("estimated_run_time", schema.DURATION, "how long the server says that it ran, in all attempts")
"""A column that frames have here beside their schema: what the server sums up, to tell whether runs have changed."""

_FIELDS: dict[RunKind, tuple[str, ...]] = {
    "flow_run": (
        *_COMMON_FIELDS,
        "flow_id",
        "deployment_id",
        "work_pool_id",
        "work_queue_id",
        "work_pool_name",
        "work_queue_name",
        "parameters",
        "parent_task_run_id",
        "auto_scheduled",
        "flow_version",
        "created_by",
        "created",
        "updated",
    ),
    "task_run": (*_COMMON_FIELDS, "flow_run_id", "task_key", "task_inputs"),
}


class _State(msgspec.Struct, frozen=True, gc=False):
    """What is parsed of the present state of a run: all else that frames tell of it stands in the row too."""

    message: str | None = None


_TYPES: Mapping[str, tuple[Any, Any]] = {"tags": (tuple[str, ...], ()), "state": (_State | None, None)}
"""Of fields that are not taken as they come, their type, and what stands where they lack."""


def _field(row: Any, name: str) -> Any:
    return getattr(row, name)


SHAPES: Mapping[RunKind, Any] = {
    kind: GenericAlias(
        list,
        msgspec.defstruct(
            "Run",
            [(name, *_TYPES.get(name, (Any, None))) for name in fields],
            namespace={"__getitem__": _field},
            gc=False,  # a hundred thousand rows would have Python look through all that it holds, again and again
        ),
    )
    for kind, fields in _FIELDS.items()
}
"""What is parsed of the server's answers: rows with a third of their fields; what an old server lacks is None."""

_REPEATED: Mapping[RunKind, tuple[str, ...]] = {
    "flow_run": ("state_type", "state_name", "state", "flow_id", "deployment_id", "work_pool_id", "work_pool_name"),
    "task_run": ("state_type", "state_name", "state", "flow_run_id", "task_key"),
}


def share_texts(row: Any, kind: RunKind, texts: dict[Any, Any]) -> Any:
    """Give a row whose texts that repeat are those of earlier rows, which `texts` holds, so that each is kept once."""
    for name in _REPEATED[kind]:
        text = getattr(row, name)
        setattr(row, name, texts.setdefault(text, text))
    row.tags = texts.setdefault(row.tags, row.tags)
    return row


def run_frame(rows: Sequence[Row], kind: RunKind, as_of: datetime) -> pd.DataFrame:
    """Make a frame from rows, with `RUN_TIME` at its end, and without the names that rows do not have."""
    frame = _flow_run_frame(rows, as_of) if kind == "flow_run" else _task_run_frame(rows)
    seconds = [row[RUN_TIME.name] or 0 for row in rows]
    return frame.assign(**{RUN_TIME.name: pd.to_timedelta(seconds, unit="s").as_unit("us")})


def with_names(frame: pd.DataFrame, **columns: tuple[str, Names]) -> pd.DataFrame:
    """Give a frame with columns of names: for each, the column with the ids, and the names by id."""
    data = {column: _names(frame[ids], names) for column, (ids, names) in columns.items()}
    return frame.assign(**frames.typed(data, tuple(schema.Column(name, schema.REPEATED_TEXT, "") for name in data)))


def _names(ids: pd.Series[str], names: Names) -> pd.Categorical:
    """Look up the name of each id once, however often it is there."""
    codes, held = pd.factorize(ids)
    found = pd.Categorical(pd.Series([names.get(one) for one in held], dtype="str"))
    return found.take(codes, allow_fill=True)


def _flow_run_frame(rows: Sequence[Row], as_of: datetime) -> pd.DataFrame:
    data = _columns(rows, _FIELDS["flow_run"])
    data["flow_run_id"] = data.pop("id")
    data["state_message"] = [*map(_message, data.pop("state"))]
    data["parameters"] = [msgspec.json.encode(value or {}).decode() for value in data["parameters"]]
    data["auto_scheduled"] = [bool(value) for value in data["auto_scheduled"]]
    frame = frames.typed(
        data | _nothing(rows, "flow_name", "deployment_name", "duration", "lateness"), schema.FLOW_RUNS
    )
    return frame.assign(duration=_duration, lateness=lambda runs: _lateness(runs, as_of))


def _task_run_frame(rows: Sequence[Row]) -> pd.DataFrame:
    data = _columns(rows, _FIELDS["task_run"])
    data["task_run_id"] = data.pop("id")
    data["state_message"] = [*map(_message, data.pop("state"))]
    data["upstream_task_run_ids"] = [_upstream(value or {}) for value in data.pop("task_inputs")]
    frame = frames.typed(data | _nothing(rows, "flow_run_name", "flow_name", "duration"), schema.TASK_RUNS)
    return frame.assign(duration=_duration)


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


def _nothing(rows: Sequence[Row], *columns: str) -> dict[str, list[None]]:
    return {name: [None] * len(rows) for name in columns}


def _message(state: _State | None) -> str | None:
    return None if state is None else state.message or None


def _upstream(inputs: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[str, ...]:
    ids = (one["id"] for values in inputs.values() for one in values if one.get("input_type") == "task_run")
    return tuple(dict.fromkeys(ids))


def _duration(runs: pd.DataFrame) -> pd.Series[Any]:
    return runs["end_time"] - runs["start_time"]


def _lateness(runs: pd.DataFrame, as_of: datetime) -> pd.Series[Any]:
    waits = runs["start_time"].isna() & ~runs["state_type"].isin(TERMINAL_STATE_TYPES)
    begin = runs["start_time"].where(~waits, pd.Timestamp(as_of).as_unit("us"))
    lateness: pd.Series[Any] = begin - runs["expected_start_time"]
    is_early = lateness < pd.Timedelta(0)
    return lateness.mask(is_early, pd.Timedelta(0)).mask(is_early & waits)
