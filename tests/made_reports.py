"""Contents of reports, made as if they had been read."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from prefect_nbviz import FlowRunQuery, TaskRunQuery, frames, run_counts, schema, state_intervals
from prefect_nbviz.gathering import with_histories
from prefect_nbviz.reporting.contents import Contents

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}\"'&#36;$x$"


TASKS = 3
"""Task runs of each flow run, of which one failed."""


def task_runs(count: int, *, name: str = "load-1", message: str | None = "no row 7", **about: Any) -> pd.DataFrame:
    """Give so many task runs, one in `TASKS` failed, as a read gives them."""
    starts = pd.Series(pd.date_range("2026-01-01", periods=max(count, 1), freq="10min", tz="UTC")[:count])
    failed = np.arange(count) % TASKS == 0
    data = {word: [None] * count for word in schema.names(schema.TASK_RUNS)} | {
        "task_run_id": [f"{one:032x}" for one in range(count)],
        "flow_run_id": [f"{one // TASKS:032x}" for one in range(count)],
        "flow_run_name": [f"fine-otter-{one // TASKS}" for one in range(count)],
        "flow_name": [name] * count,
        "task_key": [f"{name}-0a1b2c3d"] * count,
        "name": [name] * count,
        "state_type": np.where(failed, "FAILED", "COMPLETED"),
        "state_name": np.where(failed, "Failed", "Completed"),
        "expected_start_time": starts,
        "start_time": starts,
        "end_time": starts + pd.Timedelta("90s"),
        "duration": [pd.Timedelta("90s")] * count,
        "run_count": [1] * count,
        "tags": [(name,)] * count,
        "upstream_task_run_ids": [()] * count,
        "state_message": [message if one else None for one in failed],
    }
    runs = frames.typed(data, schema.TASK_RUNS)
    said = {"matched": count, "read": count, "truncated": False, "reason": None, "done_here": [], "kept": 0}
    of = {
        "kind": "task_run",
        "query": {"limit": None},
        "server": "http://a.test/api",
        "as_of": "2026-02-01T00:00:00+00:00",
    }
    runs.attrs[frames.ATTRS] = of | said | about
    return runs


def states(runs: pd.DataFrame) -> pd.DataFrame:
    """Give the states of task runs that ran once."""
    count = len(runs)
    data = {
        "run_kind": ["task_run"] * count * 2,
        "run_id": np.repeat(runs["task_run_id"].to_numpy(), 2),
        "run_name": np.repeat(runs["name"].to_numpy(), 2),
        "flow_run_id": [None] * count * 2,
        "state_type": np.column_stack([["RUNNING"] * count, runs["state_type"].astype("str")]).ravel(),
        "state_name": np.column_stack([["Running"] * count, runs["state_name"].astype("str")]).ravel(),
        "timestamp": pd.concat([runs["start_time"], runs["end_time"]]).sort_index(kind="stable").reset_index(drop=True),
        "message": np.repeat(runs["state_message"].to_numpy(dtype=object), 2),
        "scheduled_time": [None] * count * 2,
        "source": ["row"] * count * 2,
    }
    found = frames.typed(data, schema.STATES)
    found.attrs[frames.ATTRS] = {"kind": "states", "as_of": "2026-02-01T00:00:00+00:00", "truncated": False}
    return found


def contents(runs: pd.DataFrame, *, title: str = "All of them", notes: tuple[str, ...] = ()) -> Contents:
    counts = run_counts(runs, freq="1D")
    spans = state_intervals(states(runs))
    return Contents(
        TaskRunQuery(limit=None),
        runs,
        counts,
        spans,
        notes,
        ZoneInfo("UTC"),
        title,
        "http://a.test/runs/",
        frames.empty(schema.TASK_RUNS),
    )


def failed_flow_runs(count: int) -> Contents:
    """Give contents of flow runs that failed, each because of one task run, with those of the first ones."""
    tasks = task_runs(count * TASKS)
    tasks = tasks[tasks["state_type"] == "FAILED"].reset_index(drop=True)
    shared = tasks[["flow_run_id", "flow_name", "state_type", "state_name", "state_message"]].assign(
        name=tasks["flow_run_name"],
        **{word: tasks[word] for word in ("expected_start_time", "start_time", "end_time", "duration", "run_count")},
    )
    rows = {word: shared.get(word, pd.Series([None] * count)) for word in schema.names(schema.FLOW_RUNS)}
    runs = frames.typed(rows | {"tags": [()] * count}, schema.FLOW_RUNS)
    runs.attrs[frames.ATTRS] = tasks.attrs[frames.ATTRS] | {"kind": "flow_run", "matched": count, "read": count}
    told = vars(contents(tasks)) | {"query": FlowRunQuery(limit=None), "runs": runs}
    held = tasks["flow_run_id"].isin(with_histories(runs)["flow_run_id"])
    return Contents(**told | {"failed_tasks": tasks[held]})
