"""Small frames of runs, as the readers give them, from what a test says of each run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.states import STATE_NAMES

BEGIN = datetime(2026, 3, 1, 6, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


def task_runs(rows: Iterable[Mapping[str, Any]], **attrs: Any) -> pd.DataFrame:
    """Give task runs; `start` and `length` are microseconds after `BEGIN` and after the start, None for none."""
    made = [_TASK_RUN | _times(row) | row for row in rows]
    runs = _typed([row | {"task_run_id": row.get("task_run_id", f"run-{n}")} for n, row in enumerate(made)], "task_run")
    runs.attrs[frames.ATTRS] = {"kind": "task_runs", **attrs}
    return runs


def flow_runs(rows: Iterable[Mapping[str, Any]], **attrs: Any) -> pd.DataFrame:
    """Give flow runs likewise."""
    runs = _typed([_FLOW_RUN | _times(row) | row for row in rows], "flow_run")
    runs.attrs[frames.ATTRS] = {"kind": "flow_runs", **attrs}
    return runs


_BOTH = {"flow_name": "etl", "state_name": "Completed", "run_count": 1, "tags": ()}
_TASK_RUN = _BOTH | {"flow_run_id": "flow-1", "task_key": "load-0a1b2c3d", "upstream_task_run_ids": ()}
_FLOW_RUN = _BOTH | {"auto_scheduled": False}


def _times(row: Mapping[str, Any]) -> dict[str, Any]:
    start, length = row.get("start", 0), row.get("length", 1_000_000)
    begin = None if start is None else BEGIN + start * MICRO
    end = None if length is None else (begin or BEGIN) + length * MICRO
    times = {"expected_start_time": begin or BEGIN, "start_time": begin, "end_time": end}
    duration = pd.NaT if begin is None or length is None else length * MICRO
    return {name: at and at.isoformat(timespec="microseconds") for name, at in times.items()} | {"duration": duration}


def _typed(rows: list[Mapping[str, Any]], kind: str) -> pd.DataFrame:
    named = [{"state_type": STATE_NAMES.get(row["state_name"], "FAILED"), **row} for row in rows]
    named = [{"name": f"{kind} {n}", "flow_run_name": row.get("flow_run_id"), **row} for n, row in enumerate(named)]
    columns = schema.RUNS[kind]
    return frames.typed({one.name: [row.get(one.name) for row in named] for one in columns}, columns)
