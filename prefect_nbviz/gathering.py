"""What is gathered beside the rows of runs, where no more can be asked than a server gives in a moment."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from prefect_nbviz import bins, frames, schema
from prefect_nbviz.analysis.counts import run_counts
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
from prefect_nbviz.reading import Connection, read_run_counts, read_task_runs
from prefect_nbviz.reading.worker import Report
from prefect_nbviz.states import FAILURE_TYPES

MAX_HISTORIES = {"task_run_id": 1_000, "flow_run_id": 200}
"""Of as many runs state histories are read, the first of a frame: each flow run's costs a request, few task runs' do."""


def with_histories(runs: pd.DataFrame) -> pd.DataFrame:
    """Give the runs whose state histories are read: the first `MAX_HISTORIES`."""
    return runs.head(MAX_HISTORIES[frames.id_column(runs)])


def failed_tasks(runs: pd.DataFrame, *, connection: Connection | None, progress: bool | Report) -> pd.DataFrame:
    """Read the task runs that failed in the first flow runs of a frame that did; none of a frame of task runs."""
    failed = runs[runs["state_type"].isin(FAILURE_TYPES)]
    if frames.id_column(runs) == "task_run_id" or failed.empty:
        return frames.empty(schema.TASK_RUNS)
    query = TaskRunQuery(flow_runs=with_histories(failed), state_type=FAILURE_TYPES)
    return read_task_runs(query, connection=connection, progress=progress)


def counts_of_rows(runs: pd.DataFrame, *, tz: str) -> pd.DataFrame:
    """Count the rows of a frame by time, in bins that suit the time that they span."""
    starts = runs["expected_start_time"].dropna()
    span = starts.max() - starts.min() if len(starts) else pd.Timedelta(0)
    return run_counts(runs, freq=bins.freq_for(span), tz=tz)


def counts_over_time(
    query: FlowRunQuery | TaskRunQuery,
    runs: pd.DataFrame,
    *,
    tz: str,
    connection: Connection | None,
    progress: bool | Report,
) -> pd.DataFrame:
    """Count what matches by time: from the rows if they are all, or only reading all would tell; else the server.

    Parameters
    ----------
    query, runs
        What was asked, and what was read.
    tz
        The time zone whose days the bins follow.
    connection, progress
        As in `read_run_counts`.
    """
    about = runs.attrs[frames.ATTRS]
    if not about["truncated"] or about["done_here"]:
        return counts_of_rows(runs, tz=tz)
    window = query.window(datetime.fromisoformat(about["as_of"]))
    freq = bins.freq_for(window.until - window.since) if window.since and window.until else "1D"
    return read_run_counts(query, freq=freq, tz=tz, connection=connection, progress=progress)
