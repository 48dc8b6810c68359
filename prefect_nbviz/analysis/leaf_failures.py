"""Leaf failures: of runs that failed together, the one that the others failed because of."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz import frames, tables
from prefect_nbviz.analysis import kin
from prefect_nbviz.analysis.failures import failed_times, failure_patterns
from prefect_nbviz.analysis.kin import Kin
from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.states import FAILURE_TYPES

_OF_OTHERS = (
    r"^\d+/\d+ states (?:failed|are not final)|^(?:Flow|Task) run failed due to timeout: \w*RunTimeoutError"
    r"|^(?:Flow|Task) run exceeded timeout of None|: UnfinishedRun: |^Upstream task run "
)
"""What runs say that failed because of others."""

_OF_FLOW_RUNS = r"^Flow run |^\d+/\d+ states "
"""What only flow runs say, and the task runs that stand for them."""

_STEADY = {"limit", "sort", "flow_runs", "state_type", "time_field", "since"}
"""Criteria that leave out no cause of a failure that they keep: what is within a run starts after it."""


def leaf_failures(flow_runs: pd.DataFrame, task_runs: pd.DataFrame) -> pd.DataFrame:
    """Give the runs that failed or crashed by themselves, and how many others each brought down.

    One failure shows many times: on the task run, on those that called it, on its flow run, and, where that is a
    subflow run, on the task run that stands for it and on the flow run around it. Here it is one row. A run that
    failed or crashed is no leaf where one that did, too, is in the frames and

    - is within it: a task run in a flow run, or in a task run that was running when it started and is recorded as its
      upstream (so Prefect marks a call); a subflow run, or one of `run_deployment`, in the task run that stands for it
      (`parent_task_run_id`). But nothing that merely failed is the cause of a crash.
    - or is an upstream of it: it ran although that failed, as `allow_failure` has it.
    - or interrupted it: a run that exceeded its own timeout is a leaf whatever is within it, and what says there that
      it was cancelled was so by that.

    What the records cannot tell is told: a flow run that failed of its own code, after a task run failed that it put
    up with, looks like one that raised the error of that task run in other words. Either way the row is that of the
    task run, and `other_messages` has what the flow run says. Of several that may have brought a run down, those whose
    error it says, word by word, did; if there is none, it counts for each of them.

    Parameters
    ----------
    flow_runs
        Flow runs of any state, the subflow runs among them.
    task_runs
        Their task runs of any state. With those that failed alone, `held_back` is 0, and a path may lack a task run
        that completed though one that it called failed: `is_whole_path` is False where a recorded upstream is not here.

    Returns
    -------
    pandas.DataFrame
        A row for each leaf, the last that failed first, with the columns of `tables.LEAF_FAILURES`. `brought_down` is
        0 where the flow run completed nevertheless, or failed in another way. `is_deepest` is False where the cause
        may be elsewhere: the message speaks of another run that failed and is not here, or one of the frames says in
        its attrs that it was cut short or filtered so that it may be missing; without attrs, frames are taken to be
        whole. `attrs["prefect_nbviz"]` is that of `flow_runs`, with `failed`: how many runs failed or crashed, each a
        leaf or brought down by one; and `truncated`, if one of the two is.

    Raises
    ------
    FrameError
        A frame lacks a column, or holds a run twice.

    See Also
    --------
    failure_table : puts failures together by what they say, all of them.

    Examples
    --------
    >>> told = {"state_type": "FAILED", "state_name": "Failed", "run_count": 1, "flow_name": "etl", "flow_run_id": "f"}
    >>> moment = pd.to_datetime(["2026-01-01T06:00Z"])
    >>> told |= dict.fromkeys(["expected_start_time", "start_time", "end_time"], moment)
    >>> flow_runs = pd.DataFrame({**told, "name": "fine-otter", "state_message": ["no row"], "parent_task_run_id": None})
    >>> task_runs = pd.DataFrame({
    ...     **told, "task_run_id": "t", "name": "load-0a1", "state_message": ["no row"], "task_key": "load-0f1e2d3c",
    ...     "upstream_task_run_ids": [()],
    ... })
    >>> leaf_failures(flow_runs, task_runs)[["run_id", "path", "brought_down"]].to_numpy().tolist()
    [['t', ('etl', 'load-0a1'), 1]]
    """
    frames.require(flow_runs, [*kin.COLUMNS, "parent_task_run_id"], made_by="read_flow_runs()")
    needed = [*kin.COLUMNS, "task_run_id", "task_key", "upstream_task_run_ids"]
    frames.require(task_runs, needed, made_by="read_task_runs()")
    found = Kin.of(flow_runs, task_runs)
    failed = found.runs["state_type"].isin(FAILURE_TYPES).to_numpy(dtype=bool)
    cause, effect = found.causes()
    leaves, reached = _leaves(failed, cause, effect)
    leaf_runs = found.runs.iloc[leaves].reset_index(drop=True)
    data = _own(leaf_runs) | _above(found, leaves) | _below(found, leaves, reached, failed)
    data["is_deepest"] = _is_deepest(leaf_runs, flow_runs, task_runs)
    table = frames.typed(data, tables.LEAF_FAILURES)
    table = table.sort_values("failed_time", ascending=False, kind="stable", ignore_index=True)
    abouts = [runs.attrs.get(frames.ATTRS, {}) for runs in (flow_runs, task_runs)]
    table.attrs[frames.ATTRS] = copy.deepcopy(abouts[0]) | {"kind": "leaf_failures", "failed": int(failed.sum())}
    if any("truncated" in about for about in abouts):
        table.attrs[frames.ATTRS]["truncated"] = any(about.get("truncated") for about in abouts)
    return table


def _leaves(failed: Flags, cause: Integers, effect: Integers) -> tuple[Integers, list[Integers]]:
    """Give the runs that failed because of no other, and what each reaches; of a circle, which cannot be, all."""
    is_effect = np.zeros(len(failed), dtype=bool)
    is_effect[effect] = True
    order = np.argsort(cause, kind="stable")
    begins = np.searchsorted(cause[order], np.arange(len(failed) + 1)).tolist()
    targets = effect[order].tolist()
    leaves = np.flatnonzero(failed & ~is_effect)
    reached = [_reach(leaf, begins, targets) for leaf in leaves.tolist()]
    left = failed.copy()
    left[np.concatenate([leaves, *reached])] = False
    rest = np.flatnonzero(left)
    return np.append(leaves, rest), reached + [_reach(one, begins, targets) for one in rest.tolist()]


def _reach(leaf: int, begins: list[int], targets: list[int]) -> Integers:
    seen, waiting = {leaf}, [leaf]
    while waiting:
        one = waiting.pop()
        new = [target for target in targets[begins[one] : begins[one + 1]] if target not in seen]
        seen.update(new)
        waiting += dict.fromkeys(new)
    return np.array(sorted(seen - {leaf}), dtype=np.int64)


def _own(runs: pd.DataFrame) -> dict[str, Any]:
    words = ("run_kind", "run_id", "flow_run_id", "flow_name", "task_key", "state_type", "state_name", "run_count")
    return {
        **{word: runs[word] for word in words},
        "run_name": runs["name"],
        "message": runs["state_message"],
        "pattern": failure_patterns(runs),
        "failed_time": failed_times(runs),
    }


def _above(found: Kin, leaves: Integers) -> dict[str, Any]:
    """Give the path of each leaf, and the flow run at its top."""
    levels = [*found.paths(leaves)]
    top, lacks = leaves, np.zeros(len(leaves), dtype=bool)
    for level in levels:
        top = np.where(level >= 0, level, top)
        lacks |= found.lacks_upstream[level] & (level >= 0)
    names = np.array([*found.path_names, None], dtype=object)
    words = [names[level] for level in reversed(levels)]
    is_root = found.is_top[top]
    is_flow_run = is_root & (found.runs["run_kind"] == "flow_run").to_numpy()[top]
    roots = found.runs.iloc[top]
    return {
        "path": [tuple(name for name in one if name is not None) for one in zip(*words, strict=True)],
        "is_whole_path": is_root & ~lacks,
        "root_flow_run_id": roots["run_id"].where(is_flow_run).to_numpy(),
        "root_flow_run_name": roots["name"].where(is_flow_run).to_numpy(),
        "root_state_type": roots["state_type"].where(is_flow_run).to_numpy(),
    }


def _below(found: Kin, leaves: Integers, reached: list[Integers], failed: Flags) -> dict[str, Any]:
    """Give what each leaf brought down and held back, and what the former say that it does not."""
    ids, said = found.runs["run_id"].to_numpy(dtype=object), found.raised
    messages = found.runs["state_message"].to_numpy(dtype=object)
    is_own = failed & (said >= 0) & ~kin.says(found.runs, _OF_OTHERS)
    down = [some[failed[some]] for some in reached]
    own = [some[is_own[some] & (said[some] != said[leaf])] for leaf, some in zip(leaves, down, strict=True)]
    return {
        "brought_down": [len(some) for some in down],
        "brought_down_ids": [tuple(ids[some]) for some in down],
        "held_back": [len(some) - len(fell) for some, fell in zip(reached, down, strict=True)],
        "other_messages": [tuple(dict.fromkeys(messages[some])) for some in own],
    }


def _is_deepest(leaves: pd.DataFrame, flow_runs: pd.DataFrame, task_runs: pd.DataFrame) -> Flags:
    is_task_run = (leaves["run_kind"] == "task_run").to_numpy()
    speaks_of_others = kin.says(leaves, _OF_OTHERS) | (is_task_run & kin.says(leaves, _OF_FLOW_RUNS))
    may_lack = ~_covered(leaves, flow_runs, task_runs)
    if _may_lack_causes(flow_runs):  # of a crash, the message does not tell whether it is that of a subflow run
        may_lack |= is_task_run & (leaves["state_type"] == "CRASHED").to_numpy()
    deepest: Flags = ~speaks_of_others & (kin.timed_out(leaves) | ~may_lack)
    return deepest


def _may_lack_causes(runs: pd.DataFrame) -> bool:
    about = runs.attrs.get(frames.ATTRS, {})
    query: Mapping[str, Any] = about.get("query", {})
    kept = query.get("state_type")
    return bool(about.get("truncated")) or not {*query} <= _STEADY or not (kept is None or {*FAILURE_TYPES} <= {*kept})


def _covered(leaves: pd.DataFrame, flow_runs: pd.DataFrame, task_runs: pd.DataFrame) -> Flags:
    """Say of which leaves the task runs of their flow run that failed are all there."""
    asked = task_runs.attrs.get(frames.ATTRS, {}).get("query", {}).get("flow_runs")
    if _may_lack_causes(task_runs):
        return np.zeros(len(leaves), dtype=bool)
    if isinstance(asked, list):
        return leaves["flow_run_id"].isin(asked).to_numpy(dtype=bool)
    is_all = asked is None or asked == flow_runs.attrs.get(frames.ATTRS, {}).get("query")
    return np.full(len(leaves), is_all)
