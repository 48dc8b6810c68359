"""Suspects: runs whose records cannot be right."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz import frames, tables
from prefect_nbviz.analysis.odd_histories import Histories
from prefect_nbviz.analysis.odd_rows import MICROS_OF_LEEWAY, Finding, Rows, as_of, between
from prefect_nbviz.analysis.problems import PROBLEMS
from prefect_nbviz.arrays import Integers
from prefect_nbviz.errors import FrameError
from prefect_nbviz.query import RunKind

_OF_STATES = ("run_kind", "run_id", "run_name", "state_type", "state_name", "timestamp")


def suspect_runs(
    *,
    flow_runs: pd.DataFrame | None = None,
    task_runs: pd.DataFrame | None = None,
    states: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Give the runs whose records cannot be right, with what was found and its usual cause.

    Pass what there is: each problem is told from the frames that it needs, and is not told where one of them is
    missing. A run that is in none of the frames is not judged. Clocks may differ, and records may come late, by
    `LEEWAY`, a minute. When a frame was read is `as_of` in its attrs; where that was lost, as by `pd.concat`, the latest
    time that its runs started, ended or were made, or changed their states, stands for it, and less can be told.

    From the rows of runs:

    - `ends_before_start`: `end_time` is before `start_time`, however little.
    - `starts_before_made`: a flow run has a `start_time` more than `LEEWAY` before `created`.
    - `starts_too_early`: a task run has a `start_time` more than `LEEWAY` before its `expected_start_time`. Flow runs
      may: a person can start one before it is due.
    - `end_missing`: the state is terminal, the run started or has a `run_count`, and there is no `end_time`. A run that
      never started needs none.
    - `end_unexpected`: the state is not terminal, and there is an `end_time`.
    - `flow_run_gone`: a task run has a `flow_run_id`, and its `flow_run_name` is missing, since the server did not know
      the flow run; or `flow_runs` holds all there are, and it is not among them.

    From the rows of both kinds:

    - `left_active`: a task run is RUNNING, or PENDING under another name than NotReady, and its flow run, in
      `flow_runs`, ended more than `LEEWAY` before the task runs were read, and after the task run started or became
      Pending. NotReady is where Prefect itself leaves a task run whose upstream failed; one that started after the end
      of its flow run is a background task. A background task that started before that end and still runs is told, too.
    - `parent_gone`: a flow run has a `parent_task_run_id`, `task_runs` holds all there are, and it is not among them.

    A frame holds all there are if it says that it was read without any criteria but `limit` and `sort`, and is not
    truncated; from another, a run that is not there may only have been left out, and is not told. Neither is one that
    was made less than `LEEWAY` before that frame was read.

    From `states`, in order of `timestamp`, of one moment in the order of a run's life:

    - `out_of_order`: of a task run, RUNNING follows a terminal state, without PENDING or SCHEDULED between (flow runs
      without a deployment are run again so); of either kind, PAUSED or CANCELLING follows a terminal state, or PENDING
      follows RUNNING, or the first state is terminal and the second is not.

    From `states` and rows, of runs that are in both, if the states were not read before the rows, and the last state
    came more than `LEEWAY` before the rows were read. `compared` in the attrs says how many these are; a history that
    changed in between tells nothing.

    - `states_missing`: `run_count` is 1 or more, and there is no RUNNING state.
    - `run_count`: it is above the number of RUNNING states, or below the number of those since the run last came back
      from a terminal state, of which those that follow PAUSED do not count: they may be in `run_count` or not.
    - `state_differs`: the last state has another type or name than the row.

    Parameters
    ----------
    flow_runs, task_runs
        What `read_flow_runs` and `read_task_runs` give, or parts of it. Of `left_active`, the task runs should be
        read first, or at the same time.
    states
        What `read_states` gives, of some or all of the runs. Histories that were rebuilt from rows fit these; with
        `exact=True` each is the server's.

    Returns
    -------
    pandas.DataFrame
        A row for each run and problem, in the order of `problems.PROBLEMS`, with the columns of `tables.SUSPECTS`; none
        if all is well. Times in sentences are UTC. `attrs["prefect_nbviz"]` is that of the first frame that was passed,
        with `flow_runs`, `task_runs` and `histories`: how many were looked at, `compared`: how many histories were
        beside their rows, and `truncated` if any of them is.

    Raises
    ------
    FrameError
        A frame lacks a column, or its times have no time zone; or no frame was passed.

    See Also
    --------
    https://docs.prefect.io/v3/concepts/states

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "task_run_id": ["a"], "flow_run_id": ["f"], "name": ["load"], "state_type": ["COMPLETED"],
    ...     "state_name": ["Completed"], "run_count": [1], "expected_start_time": pd.to_datetime(["2026-01-01T06:00Z"]),
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00Z"]), "end_time": pd.to_datetime(["2026-01-01T05:59Z"]),
    ... })
    >>> suspect_runs(task_runs=runs)[["run_name", "problem"]].to_numpy().tolist()
    [['load', 'ends_before_start']]
    """
    given = [one for one in (flow_runs, task_runs, states) if one is not None]
    if not given:
        raise FrameError("suspect_runs() needs a frame: pass flow_runs=, task_runs= or states=.")
    read = {kind: Rows.of(runs, kind) for kind, runs in _kinds(flow_runs, task_runs) if runs is not None}
    rows = {kind: one for kind, one in read.items() if len(one.runs)}
    findings = [finding for one in rows.values() for finding in one.findings()]
    findings += [*between(rows.get("flow_run"), rows.get("task_run"))]
    compared = Counter[str]()
    if states is not None:
        frames.require(states, _OF_STATES, made_by="read_states()")
        findings += [*_of_states(states, rows, compared)]
    table = _table(findings)
    looked_at = {f"{kind}s": len(rows[kind].runs) if kind in rows else 0 for kind, _ in _kinds(None, None)}
    looked_at |= {word: compared[word] for word in ("histories", "compared")}
    about = {"kind": "suspects", **looked_at, "truncated": any(map(_is_truncated, given))}
    table.attrs[frames.ATTRS] = copy.deepcopy(given[0].attrs.get(frames.ATTRS, {})) | about
    return table


def _kinds(flow_runs: Any, task_runs: Any) -> Iterator[tuple[RunKind, Any]]:
    yield "flow_run", flow_runs
    yield "task_run", task_runs


def _is_truncated(frame: pd.DataFrame) -> bool:
    return bool(frame.attrs.get(frames.ATTRS, {}).get("truncated"))


def _of_states(states: pd.DataFrame, rows: Mapping[RunKind, Rows], compared: Counter[str]) -> Iterator[Finding]:
    """Give what the histories tell, alone and beside the rows, and count how many those are."""
    for kind, _ in _kinds(None, None):
        own = states[(states["run_kind"] == kind).to_numpy(dtype=bool)]
        own.attrs = states.attrs
        if own.empty:
            continue
        histories, of_kind = Histories.of(own), rows.get(kind)
        odd = [*histories.out_of_order()]
        compared["histories"] += len(histories.ids)
        if of_kind is not None:
            told = _told(histories, of_kind, as_of(own, histories.last_time))
            compared["compared"] += int(told["is_told"].sum())
            odd += histories.against(told)
        first = own.iloc[histories.first_row]
        place = np.full(len(first), -1) if of_kind is None else of_kind.ids.get_indexer(histories.ids)
        for problem, runs, text in odd:
            yield problem, kind, _named(first.iloc[runs], place[runs], of_kind), [*map(text, runs.tolist())]


def _told(histories: Histories, rows: Rows, states_as_of: int) -> pd.DataFrame:
    """Give the row of each history, and whether both tell of the same states."""
    place = rows.ids.get_indexer(histories.ids)
    found = rows.runs[["state_type", "state_name", "run_count"]].iloc[place].reset_index(drop=True)
    is_told = place >= 0
    is_told &= (histories.last_time < rows.as_of - MICROS_OF_LEEWAY) & (states_as_of >= rows.as_of)
    return found.assign(run_count=found["run_count"].fillna(0).astype("int64"), is_told=is_told)


def _named(first: pd.DataFrame, place: Integers, rows: Rows | None) -> pd.DataFrame:
    """Give id, name and flow of runs of which there is a state, and perhaps a row."""
    flows = np.full(len(first), None, dtype=object)
    if rows is not None and "flow_name" in rows.runs:
        flows[place >= 0] = rows.runs["flow_name"].astype("object").to_numpy()[place[place >= 0]]
    names = first["run_name"].to_numpy()
    return pd.DataFrame({"run_id": first["run_id"].to_numpy(), "run_name": names, "flow_name": flows})


def _table(findings: list[Finding]) -> pd.DataFrame:
    order = [*PROBLEMS]
    findings = sorted((one for one in findings if one[3]), key=lambda finding: order.index(finding[0]))
    if not findings:
        return frames.empty(tables.SUSPECTS)
    sizes = [len(texts) for *_, texts in findings]
    problems = np.repeat(np.array([problem for problem, *_ in findings], dtype=object), sizes)
    runs = pd.concat([named for _, _, named, _ in findings], ignore_index=True)
    data: dict[str, Any] = {name: runs[name] for name in ("run_id", "run_name", "flow_name")}
    data["run_kind"] = np.repeat(np.array([kind for _, kind, *_ in findings], dtype=object), sizes)
    data["problem"] = problems
    data["found"] = [text for *_, texts in findings for text in texts]
    for word in ("usual_cause", "what_to_do"):
        data[word] = [getattr(PROBLEMS[problem], word) for problem in problems]
    return frames.typed(data, tables.SUSPECTS)
