"""The critical path: which task runs determined when a flow run's work ended, and what others could have taken."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz import frames, tables
from prefect_nbviz.analysis.dependencies import Dependencies
from prefect_nbviz.arrays import UNKNOWN, Integers
from prefect_nbviz.errors import FrameError
from prefect_nbviz.frames import from_micros, micros

NEEDED = ("task_run_id", "name", "state_type", "state_name", "start_time", "end_time", "upstream_task_run_ids")
"""The columns of `schema.TASK_RUNS` that the path is found from."""


def critical_path(task_runs: pd.DataFrame) -> pd.DataFrame:
    """Give the chain of task runs that determined when those of a flow run ended, and the slack of each task run.

    A recorded upstream task run is a dependency. One that ended before this one started, or when it did, is what it
    waited for. One that was running then is around this one, such as a task that called it: this one could not start
    before it, and where it ended no later, that one could not end before it. Other links do not count: to task runs
    that are not in the frame, that have not ended, or that started later.

    A task run was ready when the last of these was there; `wait` is what passed until it started. All else follows
    from one rule: were others faster or slower, each would start its `wait` after it is ready, and take as long as it
    did, or up to the end of the last that it is around. One without dependencies would start when it did. The end is
    when the last task run ends.

    - The path is read backwards: from the task run that ended last, of several the one that started first, to the
      one that it `waited_for`, and so on. Where that one is around it, the path goes on with what that one waited for.
    - `slack` is how much longer a task run could have taken without moving the end; 0 for all that are on the path.
    - `saving` is how much earlier the end would have been, had it taken no time. Had it taken x less, it would have
      been earlier by x or by `saving`, whichever is smaller.

    Prefect records an upstream where the result of a task run is handed to another, or with `wait_for`. Calls one after
    another without that leave no link: such a task run has no `waited_for` though it did wait. The attrs count them.

    Parameters
    ----------
    task_runs
        All task runs of one flow run, with at least the columns in `NEEDED`. A subflow is the task run that stands
        for it. One that never ran but ended, such as from the cache, took no time.

    Returns
    -------
    pandas.DataFrame
        A row for each task run, in the order of their start and end, with the columns of `tables.CRITICAL_PATH`. Those that
        have not ended, or ended before they started, come last and have neither times nor slack.
        `attrs["prefect_nbviz"]` is that of `task_runs`, with `begin` and `end`, at which the first started and the
        last ended; `not_ended`, how many have no times here; `unlinked`, how many have no dependency though another
        had ended when they started; `unused_links`, how many recorded upstreams do not count.

    Raises
    ------
    FrameError
        `task_runs` lacks a column, holds a task run twice, or holds those of several flow runs.

    See Also
    --------
    plot_critical_path : draws it.
    https://docs.prefect.io/v3/concepts/tasks

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "task_run_id": ["a", "b", "c"], "name": ["load", "check", "save"], "state_type": "COMPLETED",
    ...     "state_name": "Completed", "upstream_task_run_ids": [(), (), ("a", "b")],
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00:00Z", "2026-01-01T06:00:00Z", "2026-01-01T06:00:11Z"]),
    ...     "end_time": pd.to_datetime(["2026-01-01T06:00:10Z", "2026-01-01T06:00:04Z", "2026-01-01T06:00:13Z"]),
    ... })
    >>> path = critical_path(runs)
    >>> path[["name", "path_place"]].to_numpy().tolist()
    [['check', 0], ['load', 1], ['save', 2]]
    >>> [path[name].dt.total_seconds().tolist() for name in ("slack", "saving")]
    [[6.0, 0.0, 0.0], [0.0, 6.0, 2.0]]
    """
    frames.require(task_runs, NEEDED, made_by="read_task_runs()")
    _refuse_others(task_runs)
    rows, start, end = _in_order(task_runs)
    timed = task_runs.iloc[rows[: len(start)]]
    found = Dependencies.of(start, end, timed["task_run_id"].tolist(), timed["upstream_task_run_ids"].tolist())
    path = frames.typed(_data(task_runs.iloc[rows].reset_index(drop=True), found), tables.CRITICAL_PATH)
    path.attrs[frames.ATTRS] = copy.deepcopy(task_runs.attrs.get(frames.ATTRS, {})) | {
        "kind": "critical_path",
        "begin": _iso(start, np.min),
        "end": _iso(end, np.max),
        "not_ended": len(rows) - len(start),
        "unlinked": _unlinked(found),
        "unused_links": int(task_runs["upstream_task_run_ids"].map(len).sum()) - len(found.run),
    }
    return path


def _refuse_others(task_runs: pd.DataFrame) -> None:
    if task_runs["task_run_id"].duplicated().any():
        raise FrameError("The frame holds a task run twice: pass one without duplicates.")
    flow_runs = task_runs["flow_run_id"].nunique(dropna=False) if "flow_run_id" in task_runs else 1
    if flow_runs > 1:
        raise FrameError(
            f"A critical path is that of one flow run, and these task runs are of {flow_runs:,}: "
            "pass task_runs[task_runs['flow_run_id'] == …]."
        )


def _in_order(task_runs: pd.DataFrame) -> tuple[Integers, Integers, Integers]:
    """Give the rows in the order of their start, and start and end of the first of them: all that have both."""
    end = micros(task_runs["end_time"])
    start = np.where(task_runs["start_time"].isna(), end, micros(task_runs["start_time"]))
    is_timed = (end != UNKNOWN) & (start <= end)
    order = np.lexsort((end, start, ~is_timed))
    first = order[: is_timed.sum()]
    return order, start[first], end[first]


def _data(task_runs: pd.DataFrame, found: Dependencies) -> dict[str, Any]:
    count, ids = len(found.start), task_runs["task_run_id"].to_numpy(dtype=object)
    link = found.last_links
    waited_for = np.append(found.upstream, -1)[link]
    ready = np.append(found.ready, UNKNOWN)[link]
    slack, saving = found.slack_and_saving() if count else (found.start, found.start)
    times = {"start_time": found.start, "end_time": found.end, "ready_time": ready}
    wait = np.where(link < 0, UNKNOWN, found.start - ready)
    lengths = {"duration": found.end - found.start, "wait": wait, "slack": slack, "saving": saving}
    return {
        **{name: task_runs[name] for name in ("task_run_id", "name", "state_type", "state_name")},
        **{name: from_micros(_filled(values, len(ids))) for name, values in times.items()},
        **{name: _filled(values, len(ids)).astype("timedelta64[us]") for name, values in lengths.items()},
        "waited_for": np.append(np.where(waited_for < 0, None, ids[waited_for]), [None] * (len(ids) - count)),
        "path_place": _places(found, link, len(ids)),
    }


def _places(found: Dependencies, link: Integers, count: int) -> Integers:
    """Read the path backwards from the end, and number it from its beginning."""
    place, path = int(np.argmax(found.end)) if len(found.end) else -1, []
    is_around, is_of_path = np.append(found.is_around, False), True
    while place >= 0:
        path += [place] if is_of_path else []
        is_of_path = not is_around[link[place]]
        place = int(found.upstream[link[place]]) if link[place] >= 0 else -1
    places = np.zeros(count, dtype=np.int64)
    places[path[::-1]] = np.arange(1, len(path) + 1)
    return places


def _unlinked(found: Dependencies) -> int:
    """Count those without a dependency that started when another had ended."""
    has_none = found.last_links < 0
    ended = np.searchsorted(np.sort(found.end), found.start, side="right") - (found.start == found.end)
    return int((has_none & (ended > 0)).sum())


def _filled(values: Integers, count: int) -> Integers:
    return np.append(values, np.full(count - len(values), UNKNOWN))


def _iso(micros: Integers, pick: Callable[[Integers], np.int64]) -> str | None:
    return from_micros(np.array([pick(micros)]))[0].isoformat() if len(micros) else None
