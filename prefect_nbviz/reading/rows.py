"""From the rows of the server's answers to typed frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
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
    "expected_start_time",
    "start_time",
    "end_time",
    "next_scheduled_start_time",
    "run_count",
)
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


def slim(row: Row, kind: RunKind) -> Row:
    """Keep of a row what a frame needs: about a third."""
    return {name: row.get(name) for name in _FIELDS[kind]}


def flow_run_frame(rows: Sequence[Row], *, flows: Names, deployments: Names, as_of: datetime) -> pd.DataFrame:
    """Make a frame of flow runs from slim rows, with the names of their flows and deployments."""
    data = _columns(rows, _FIELDS["flow_run"])
    data["flow_run_id"] = data.pop("id")
    data["flow_name"] = [flows.get(flow_id) for flow_id in data["flow_id"]]
    data["deployment_name"] = [deployments.get(deployment_id) for deployment_id in data["deployment_id"]]
    data["parameters"] = [orjson.dumps(value or {}).decode() for value in data["parameters"]]
    data["auto_scheduled"] = [bool(value) for value in data["auto_scheduled"]]
    data["tags"] = [tuple(value) for value in data["tags"]]
    frame = frames.typed(data | _no_spans(rows, "duration", "lateness"), schema.FLOW_RUNS)
    return frame.assign(duration=_duration, lateness=lambda runs: _lateness(runs, as_of))


def task_run_frame(rows: Sequence[Row], *, flow_runs: Names, flows: Names) -> pd.DataFrame:
    """Make a frame of task runs from slim rows, with the names of their flow runs and flows, by flow run id."""
    data = _columns(rows, _FIELDS["task_run"])
    data["task_run_id"] = data.pop("id")
    data["flow_run_name"] = [flow_runs.get(flow_run_id) for flow_run_id in data["flow_run_id"]]
    data["flow_name"] = [flows.get(flow_run_id) for flow_run_id in data["flow_run_id"]]
    data["tags"] = [tuple(value) for value in data["tags"]]
    data["upstream_task_run_ids"] = [_upstream(value or {}) for value in data.pop("task_inputs")]
    frame = frames.typed(data | _no_spans(rows, "duration"), schema.TASK_RUNS)
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


def _no_spans(rows: Sequence[Row], *columns: str) -> dict[str, list[None]]:
    return {name: [None] * len(rows) for name in columns}


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
