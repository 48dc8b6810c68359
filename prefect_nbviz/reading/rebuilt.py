"""State histories that the rows of task runs tell, so that they cost no request of their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect_nbviz.forms import is_id
from prefect_nbviz.order import Row, moment
from prefect_nbviz.states import TERMINAL_STATE_TYPES

FROM_ROW = "row"
"""What `source` says of a state that was rebuilt."""

_ROUNDING = timedelta(microseconds=10)
"""`total_run_time` is a number of seconds: two states are never so close."""


def rebuilt(row: Row) -> list[Row] | None:
    """Rebuild the state history of a task run from its row, or give None where the row may not tell all of it.

    A row (`POST /task_runs/filter`) holds when the run became Pending, when it first ran and when it ended, how
    often and how long it ran, and all of its present state. That is a whole history of three states where

    - Prefect's engine ran it, in a flow run: the row has the attempt of the flow run (`flow_run_run_count`) and a
      `dynamic_key` that is a UUID. What is made through the API (a deferred task, the task that stands for a
      subflow, a run made by hand) has neither or not both, and may go through more states before it runs;
    - it ran once and without a break: `run_count` is 1 and `total_run_time` all the time from start to end, so that
      there was no wait for a retry, no pause, no way back from an end;
    - the present state is the end that `end_time` tells of: it was neither rolled back nor changed later by hand;
    - the times are in order, and the state is its own: a task may return a state made before, or that of another run.

    Real runs of every kind whose rows are so had exactly this history, whatever the end and its name (Completed,
    Cached, Failed, TimedOut, Crashed, Cancelled, names of one's own), on servers from 3.0.11 on. What a row cannot
    show is a state that was forced through the API while the task ran: the engine's own record writes over it.

    Returns
    -------
    list of dict or None
        The states as the server gives them, oldest first, with `source`.
    """
    if not (_is_by_the_engine(row) and _is_one_stretch(row)):
        return None
    return [
        _began("PENDING", "Pending", row["expected_start_time"]),
        _began("RUNNING", "Running", row["start_time"]),
        {**row["state"], "source": FROM_ROW},
    ]


def _is_by_the_engine(row: Row) -> bool:
    return (row.get("flow_run_run_count") or 0) > 0 and is_id(row.get("dynamic_key"))


def _is_one_stretch(row: Row) -> bool:
    state: dict[str, Any] = row.get("state") or {}
    times = [row.get(name) for name in ("expected_start_time", "start_time", "end_time")]
    is_ended_once = row.get("run_count") == 1 and state.get("type") in TERMINAL_STATE_TYPES
    is_own = (state.get("state_details") or {}).get("task_run_id") == row["id"]
    if not (is_ended_once and is_own and all(times)):
        return False
    expected, start, end = (moment(str(time)) for time in times)
    pauses = end - start - timedelta(seconds=row.get("total_run_time") or 0)
    return expected < start < end == moment(state["timestamp"]) and abs(pauses) < _ROUNDING


def _began(state_type: str, name: str, time: str) -> Row:
    return {"type": state_type, "name": name, "timestamp": time, "message": None, "source": FROM_ROW}
