"""Flaky tasks: those that fail and then pass though nothing changed, and those that are broken."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from prefect_nbviz import frames, tables
from prefect_nbviz.arrays import UNKNOWN, Flags, Integers
from prefect_nbviz.states import FAILURE_TYPES
from prefect_nbviz.task_keys import task_name

VERDICTS = ("broken", "flaky", "stable")
"""What is said of a task, the worst first."""

_NEVER = np.iinfo(np.int64).max


def flaky_tasks(task_runs: pd.DataFrame, flow_runs: pd.DataFrame | None = None) -> pd.DataFrame:
    """Give which tasks failed and then passed though nothing changed, and which fail and do not pass any more.

    A task is a flow with a `task_key`, in which Prefect puts a hash of the code of the task: changed code is another
    task. What stands for a subflow run is one of its own. Only task runs that are COMPLETED, FAILED or CRASHED count. There are two ways of failing and passing:

    - `passed_after_retry` counts the task runs that completed with a `run_count` above 1.
    - `passed_next_time` counts flow runs. Those that have the task are put in the order of their expected start (then
      of their id); one has a failure if any of the task runs of the task in it failed or crashed, be it before the flow
      run itself was retried. What counts is one without a failure right after one with, if both have the same
      `flow_version`.

    The verdict is the first of these that fits:

    - **broken**: more of the last flow runs in a row have a failure than ever did before one passed in that way:
      `failing_now` > `longest_recovered`. A task that failed last time and never recovered from a failure is broken;
      one that once recovered after two in a row is when three in a row have failed. `since` is the first of that row.
    - **flaky**: it failed and passed in one of the two ways. `since` is the first flow run in which it passed after a
      retry, or the first of the row of failures that first was followed by a pass; whichever is earlier.
    - **stable**: neither; it may have failed, and passed once the flow was changed.

    Inputs are not compared: a task may fail of the data of a day.

    Parameters
    ----------
    task_runs
        Task runs of any state: were only those that failed read, all would be broken.
    flow_runs
        Their flow runs, which have the versions and the expected starts. One that is not here has no known version,
        which is not the same as any. Without them the versions are taken to be the same, and the first
        `expected_start_time` of the task runs that count stands for that of a flow run.

    Returns
    -------
    pandas.DataFrame
        A row for each task with the columns of `tables.FLAKY_TASKS`: those that are current first, then by verdict,
        then those of most failures. Of code that has been replaced, `is_current` is False.
        `attrs["prefect_nbviz"]` is that of `task_runs`, with `versions`, whether they are known, and
        `without_version`: of how many flow runs they are not.

    Raises
    ------
    FrameError
        A frame lacks a column.

    See Also
    --------
    https://docs.prefect.io/v3/how-to-guides/workflows/retries

    Examples
    --------
    >>> task_runs = pd.DataFrame({
    ...     "task_run_id": ["a", "b", "c"], "flow_run_id": ["f", "g", "h"], "flow_name": "etl", "run_count": 1,
    ...     "task_key": "load-3f2a1c9d", "state_type": ["COMPLETED", "FAILED", "COMPLETED"],
    ...     "expected_start_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-02T06:00Z", "2026-01-03T06:00Z"]),
    ... })
    >>> flaky_tasks(task_runs)[["verdict", "failed_runs", "passed_next_time"]].to_numpy().tolist()
    [['flaky', 1, 1]]
    """
    needed = ["task_run_id", "flow_run_id", "flow_name", "task_key", "state_type", "run_count", "expected_start_time"]
    frames.require(task_runs, needed, made_by="read_task_runs()")
    if flow_runs is not None:
        frames.require(flow_runs, ["flow_run_id", "flow_version", "expected_start_time"], made_by="read_flow_runs()")
    held = task_runs[task_runs["state_type"].isin(["COMPLETED", *FAILURE_TYPES]).to_numpy(dtype=bool)]
    turns = _Turns.of(held, flow_runs)
    table = frames.typed(_data(held, turns), tables.FLAKY_TASKS)
    place = table["verdict"].map({word: place for place, word in enumerate(VERDICTS)}).astype("int64")
    order = np.lexsort((-table["failed_runs"], place, ~table["is_current"]))
    table = table.iloc[order].reset_index(drop=True)
    unknown = int((turns.version < 0).sum())
    about = {"kind": "flaky_tasks", "versions": flow_runs is not None, "without_version": unknown}
    table.attrs[frames.ATTRS] = copy.deepcopy(task_runs.attrs.get(frames.ATTRS, {})) | about
    return table


@dataclass(frozen=True)
class _Turns:
    """For each task its flow runs, task by task, in the order of their expected start."""

    keys: pd.DataFrame
    """Flow and key of each task, by its number."""

    of_run: Integers
    """The number of the task of each task run."""

    task: Integers
    """The number of the task of each turn, ascending."""

    flow_run: Integers
    """The number of the flow run of each."""

    time: Integers
    """When that was to start, in microseconds since 1970."""

    bad: Flags
    """Whether it has a failure."""

    retried: Flags
    """Whether it has a task run that passed after a retry."""

    version: Integers
    """The number of the version of each flow run, by its number; -1 if it is not known."""

    @classmethod
    def of(cls, held: pd.DataFrame, flow_runs: pd.DataFrame | None) -> Self:
        flow, flows = pd.factorize(held["flow_name"], use_na_sentinel=False)
        key, keys = pd.factorize(held["task_key"], use_na_sentinel=False)
        of_run, tasks = pd.factorize(flow.astype(np.int64) * max(len(keys), 1) + key)
        names = pd.DataFrame(
            {"flow_name": flows[tasks // max(len(keys), 1)], "task_key": keys[tasks % max(len(keys), 1)]}
        )
        ids = held["flow_run_id"].astype(object).where(held["flow_run_id"].notna(), held["task_run_id"])
        flow_run, distinct = pd.factorize(ids, sort=True)
        time, version = _about_flow_runs(held, flow_run, pd.Index(distinct), flow_runs)
        turn, turns = pd.factorize(of_run.astype(np.int64) * max(len(distinct), 1) + flow_run)
        task, run = turns // max(len(distinct), 1), turns % max(len(distinct), 1)
        bad = held["state_type"].isin(FAILURE_TYPES).to_numpy(dtype=bool)
        retried = ~bad & (held["run_count"] > 1).to_numpy(dtype=bool)
        has_bad, has_retried = (np.bincount(turn[some], minlength=len(turns)) > 0 for some in (bad, retried))
        order = np.lexsort((run, time[run], task))
        return cls(
            names, of_run, task[order], run[order], time[run][order], has_bad[order], has_retried[order], version
        )


def _about_flow_runs(
    held: pd.DataFrame, flow_run: Integers, ids: pd.Index[Any], flow_runs: pd.DataFrame | None
) -> tuple[Integers, Integers]:
    """Give when each flow run was to start, and the number of its version."""
    time = np.full(len(ids), _NEVER)
    np.minimum.at(time, flow_run, _micros(held["expected_start_time"]))
    if flow_runs is None:
        return time, np.zeros(len(ids), dtype=np.int64)
    rows = flow_runs.drop_duplicates("flow_run_id")
    place = pd.Index(rows["flow_run_id"].astype(object)).get_indexer(ids)
    expected = np.append(_micros(rows["expected_start_time"]), _NEVER)[place]
    return np.where(expected == _NEVER, time, expected), np.append(pd.factorize(rows["flow_version"])[0], -1)[place]


def _micros(times: pd.Series[Any]) -> Integers:
    return np.where(times.isna(), _NEVER, frames.micros(times))


def _data(held: pd.DataFrame, turns: _Turns) -> dict[str, Any]:
    count = len(turns.keys)
    bad_run = held["state_type"].isin(FAILURE_TYPES).to_numpy(dtype=bool)
    retried_run = ~bad_run & (held["run_count"] > 1).to_numpy(dtype=bool)
    last = np.flatnonzero(np.append(np.diff(turns.task) != 0, True)) if count else np.array([], dtype=np.int64)
    begins, row = _rows(turns)
    passed = _passed(turns)
    longest = np.zeros(count, dtype=np.int64)
    np.maximum.at(longest, turns.task[passed], row[passed - 1])
    now = np.where(turns.bad[last], row[last], 0)
    times, retried = _sums(turns.task[passed], count), _sums(turns.of_run[retried_run], count)
    verdict = np.select([now > longest, times + retried > 0], VERDICTS[:2], VERDICTS[2])
    return {
        **turns.keys,
        "verdict": verdict,
        "since": _since(turns, verdict, begins, passed, last),
        "is_current": _is_current(turns),
        "runs": _sums(turns.of_run, count),
        "failed_runs": _sums(turns.of_run[bad_run], count),
        "passed_after_retry": retried,
        "flow_runs": _sums(turns.task, count),
        "failed_flow_runs": _sums(turns.task[turns.bad], count),
        "passed_next_time": times,
        "longest_recovered": longest,
        "failing_now": now,
        "last_run": _times(turns.time[last]),
    }


def _rows(turns: _Turns) -> tuple[Integers, Integers]:
    """Give for each turn where the row of its like begins, passes or failures, and how many it is the end of."""
    place = np.arange(len(turns.task))
    is_first = (np.diff(turns.task, prepend=-1) != 0) | (np.diff(turns.bad, prepend=False) != 0)
    begins = np.maximum.accumulate(np.where(is_first, place, 0))
    return begins, place - begins + 1


def _passed(turns: _Turns) -> Integers:
    """Give the turns that passed right after a failure of the same version."""
    version, before = turns.version[turns.flow_run], slice(None, -1)
    same = (turns.task[1:] == turns.task[before]) & (version[1:] == version[before]) & (version[1:] >= 0)
    return np.flatnonzero(same & turns.bad[before] & ~turns.bad[1:]) + 1


def _since(turns: _Turns, verdict: Any, begins: Integers, passed: Integers, last: Integers) -> pd.DatetimeIndex:
    first = np.full(len(turns.keys), _NEVER)
    np.minimum.at(first, turns.task[turns.retried], turns.time[turns.retried])
    np.minimum.at(first, turns.task[passed], turns.time[begins[passed - 1]])
    since = np.where(verdict == "broken", turns.time[begins[last]], first)
    return _times(np.where(verdict == "stable", _NEVER, since))


def _is_current(turns: _Turns) -> Flags:
    """Say which tasks are in the last flow run that has one of their name in their flow."""
    keys = turns.keys["task_key"].map(task_name, na_action="ignore")
    flow, name = (pd.factorize(some, use_na_sentinel=False)[0] for some in (turns.keys["flow_name"], keys))
    named = pd.factorize(flow.astype(np.int64) * max(len(keys), 1) + name)[0]
    latest = np.full(len(keys), -1)
    order = np.lexsort((turns.flow_run, turns.time))
    latest[named[turns.task[order]]] = turns.flow_run[order]  # the last that is written stays
    return _sums(turns.task[turns.flow_run == latest[named[turns.task]]], len(keys)) > 0


def _sums(number: Integers, count: int) -> Integers:
    return np.bincount(number, minlength=count)


def _times(micros: Integers) -> pd.DatetimeIndex:
    return frames.from_micros(np.where(micros == _NEVER, UNKNOWN, micros))
