"""The grid: the tasks of a flow by its last runs, as what their states and durations were."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import frames, percentiles, schema, tables
from prefect_nbviz.arrays import Integers
from prefect_nbviz.errors import QueryError
from prefect_nbviz.states import FAILURE_TYPES
from prefect_nbviz.task_keys import task_name

WORST_FIRST = (
    "FAILED",
    "CRASHED",
    "CANCELLED",
    "CANCELLING",
    "PAUSED",
    "RUNNING",
    "PENDING",
    "SCHEDULED",
    "COMPLETED",
)
"""State types in the order in which one of many task runs stands for all of them."""

LAST = 50
"""As many runs of each flow are in a grid, unless told."""

_TASK_RUN = [
    "task_run_id",
    "flow_run_id",
    "flow_run_name",
    "flow_name",
    "task_key",
    "state_type",
    "state_name",
    "expected_start_time",
    "start_time",
    "end_time",
    "duration",
    "run_count",
]
_FLOW_RUN = [
    "flow_run_id",
    "name",
    "flow_name",
    "state_type",
    "state_name",
    "expected_start_time",
    "start_time",
    "end_time",
    "duration",
]


def run_grid(task_runs: pd.DataFrame, flow_runs: pd.DataFrame | None = None, *, last: int = LAST) -> pd.DataFrame:
    """Give what each task did in each of the last runs of its flow: a row for each task and flow run.

    Parameters
    ----------
    task_runs
        Task runs of one flow or of many. Those of a task are put together by its name, so that a task whose code
        changes stays one. Task runs outside of a flow are left out, and counted.
    flow_runs
        The rows of their flow runs, or of some, for their own states, times and durations. A flow run of the same
        flows that has started or ended and has no task run among `task_runs` then has one row, without a task.
    last
        As many flow runs of each flow, those with the latest `flow_run_time`.

    Returns
    -------
    pandas.DataFrame
        The columns of `tables.RUN_GRID`, times in UTC. Where a flow run has no run of a task, there is no row. The
        flow with most flow runs comes first; its flow runs are in the order of time, and their tasks in their usual
        order: by the median, over the flow runs, of how long after the first of all its tasks the task first
        started; those that never started come last, and those alike in the order of the alphabet.

        `attrs["prefect_nbviz"]` is that of `task_runs`, with `last`; `held`: how many task runs there were;
        `without_flow_run`: how many of them are outside of a flow; and `older`: for each flow that has more flow
        runs, how many are left out.

    Raises
    ------
    FrameError
        A frame lacks a column.
    QueryError
        `last` is no whole number above 0.

    See Also
    --------
    plot_run_grid : draws it.

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "task_run_id": ["a", "b", "c"], "flow_run_id": "f", "flow_run_name": "fine-otter", "flow_name": "etl",
    ...     "task_key": ["load-0a1b2c3d", "read-0a1b2c3d", "load-0a1b2c3d"], "run_count": [3, 1, 1],
    ...     "state_type": ["FAILED", "COMPLETED", "COMPLETED"], "state_name": ["Failed", "Completed", "Completed"],
    ...     "expected_start_time": pd.to_datetime("2026-01-01T06:00Z"),
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00:05Z", "2026-01-01T06:00:00Z", "2026-01-01T06:00:06Z"]),
    ...     "end_time": pd.to_datetime("2026-01-01T06:00:09Z"), "duration": pd.to_timedelta([4, 9, 3], unit="s"),
    ... })
    >>> run_grid(runs)[["task", "runs", "state_name", "failed", "attempts"]].to_numpy().tolist()
    [['read', 1, 'Completed', 0, 1], ['load', 2, 'Failed', 1, 3]]
    """
    frames.require(task_runs, _TASK_RUN, made_by="read_task_runs()")
    if flow_runs is not None:
        frames.require(flow_runs, _FLOW_RUN, made_by="read_flow_runs()")
    if isinstance(last, bool) or not isinstance(last, int | np.integer) or last < 1:
        raise QueryError(f"last cannot be {last!r}. It is a whole number above 0.")
    held = _held(task_runs)
    columns = _columns(held, flow_runs)
    is_last = columns["from_end"] <= last
    older = columns.loc[~is_last, "flow_name"].value_counts()
    table = _table(held, columns[is_last])
    about = copy.deepcopy(task_runs.attrs.get(frames.ATTRS, {})) | {"kind": "run_grid", "last": int(last)}
    about |= {"held": len(task_runs), "without_flow_run": len(task_runs) - len(held)}
    table.attrs[frames.ATTRS] = about | {"older": {str(flow): int(runs) for flow, runs in older.items() if runs}}
    return table


def _held(task_runs: pd.DataFrame) -> pd.DataFrame:
    """Give the task runs of flow runs with plain columns, in the order of their start."""
    rows = task_runs.loc[task_runs["flow_run_id"].notna(), _TASK_RUN].reset_index(drop=True)
    text = {name: _plain(rows[name]) for name in ("flow_run_id", "flow_run_name", "flow_name", "state_name")}
    number, keys = pd.factorize(rows["task_key"])
    names = np.array([*(task_name(str(key)) for key in keys), None], dtype=object)
    began = rows["start_time"].fillna(rows["expected_start_time"])
    held = rows.assign(**text, task=names[number], began=began, is_open=rows["end_time"].isna())
    return held.sort_values("began", kind="stable", ignore_index=True)


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """Give text as objects, None for what is missing: groups of categories are slow, and lose what is missing."""
    plain = column.astype(object)
    return plain.where(plain.notna(), None)


def _columns(held: pd.DataFrame, flow_runs: pd.DataFrame | None) -> pd.DataFrame:
    """Give the flow runs in the order of the grid, with the number of each from the end of its flow, from 1."""
    of_runs = held.groupby("flow_run_id", sort=False)
    begin, end = of_runs["start_time"].min(), of_runs["end_time"].max()
    length = (end - begin).mask(of_runs["is_open"].any())
    columns = of_runs[["flow_run_name", "flow_name", "began"]].first().rename(columns={"began": "flow_run_time"})
    columns = columns.assign(flow_run_duration=length, flow_state_type=None, flow_state_name=None)
    columns = columns.assign(is_flow_run_known=False)
    if flow_runs is not None:
        known = _known(flow_runs, columns)
        parts = [part for part in (columns[~columns.index.isin(known.index)], known) if len(part)]
        columns = pd.concat(parts) if parts else columns
    columns = columns.reset_index().sort_values(["flow_run_time", "flow_run_id"], kind="stable")
    flow = columns["flow_name"].fillna("")
    size = flow.map(flow.value_counts())
    columns = columns.assign(size=-size, flow=flow).sort_values(["size", "flow"], kind="stable", ignore_index=True)
    return columns.assign(from_end=columns.groupby("flow", sort=False).cumcount(ascending=False) + 1)


def _known(flow_runs: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of the flow runs that are in the grid, as its columns."""
    rows = flow_runs[_FLOW_RUN].drop_duplicates("flow_run_id")
    has_run = rows["start_time"].notna() | rows["end_time"].notna()
    rows = rows[rows["flow_run_id"].isin(columns.index) | (has_run & rows["flow_name"].isin(columns["flow_name"]))]
    data = {
        "flow_run_name": _plain(rows["name"]),
        "flow_name": _plain(rows["flow_name"]),
        "flow_run_time": rows["start_time"].fillna(rows["expected_start_time"]),
        "flow_run_duration": rows["duration"],
        "flow_state_type": _plain(rows["state_type"]),
        "flow_state_name": _plain(rows["state_name"]),
        "is_flow_run_known": True,
    }
    return pd.DataFrame(data).set_index(rows["flow_run_id"].astype(object))


def _table(held: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    cells = _cells(held[held["flow_run_id"].isin(columns["flow_run_id"])].reset_index(drop=True))
    table = columns.assign(column=np.arange(len(columns))).merge(cells, on="flow_run_id", how="left")
    table["task_place"] = _places(table)
    table = table.sort_values(["column", "task_place"], kind="stable", ignore_index=True)
    table[["runs", "failed", "attempts"]] = table[["runs", "failed", "attempts"]].fillna(0)
    for name in ("task_keys", "task_run_ids"):
        table[name] = [one if isinstance(one, tuple) else () for one in table[name]]
    return frames.typed({name: table[name] for name in schema.names(tables.RUN_GRID)}, tables.RUN_GRID)


def _cells(held: pd.DataFrame) -> pd.DataFrame:
    """Give what the runs of each task of each flow run come to."""
    run, ids = pd.factorize(held["flow_run_id"])
    task, tasks = pd.factorize(held["task"], use_na_sentinel=False)
    cell, found = pd.factorize(run * max(len(tasks), 1) + task)
    is_failed = held["state_type"].isin(FAILURE_TYPES)
    in_cells = held.assign(is_failed=is_failed).groupby(cell, sort=True)
    begin, end = in_cells["start_time"].min(), in_cells["end_time"].max().mask(in_cells["is_open"].any())
    sizes = in_cells.size()
    data = {
        "flow_run_id": ids.to_numpy()[found // max(len(tasks), 1)],
        "task": np.asarray(tasks, dtype=object)[found % max(len(tasks), 1)],
        "task_keys": _distinct_keys(held, cell, len(found)),
        "runs": sizes,
        **_worst(held, cell),
        "failed": in_cells["is_failed"].sum(),
        "attempts": in_cells["run_count"].max(),
        "start_time": begin,
        "end_time": end,
        "duration": end - begin,
        "summed_duration": in_cells["duration"].sum(min_count=1),
        "task_run_ids": _parts(held["task_run_id"].to_numpy(dtype=object)[np.argsort(cell, kind="stable")], sizes),
    }
    return pd.DataFrame(data)


def _parts(values: npt.NDArray[np.object_], sizes: pd.Series[int]) -> list[tuple[Any, ...]]:
    """Cut values that are in the order of their cells into a tuple for each."""
    ends = sizes.cumsum().tolist()
    return [tuple(values[end - size : end].tolist()) for end, size in zip(ends, sizes.tolist(), strict=True)]


def _distinct_keys(held: pd.DataFrame, cell: Integers, cells: int) -> list[tuple[str, ...]]:
    found: list[list[str]] = [[] for _ in range(cells)]
    pairs = pd.DataFrame({"cell": cell, "key": held["task_key"].astype(object)}).dropna().drop_duplicates()
    for place, key in zip(pairs["cell"], pairs["key"], strict=True):
        found[place].append(str(key))
    return [tuple(sorted(keys)) for keys in found]


def _worst(held: pd.DataFrame, cell: Integers) -> dict[str, list[Any]]:
    """Give the worst state type of each cell, and the name that most of that type have."""
    kind = held["state_type"].astype(object).map({one: place for place, one in enumerate(WORST_FIRST)})
    states = pd.DataFrame({"cell": cell, "kind": kind, "name": held["state_name"].fillna("")})
    many = states.groupby(["cell", "kind", "name"], dropna=False, sort=False).size().rename("runs").reset_index()
    many = many.sort_values(["cell", "kind", "runs", "name"], ascending=[True, True, False, True])
    first = many.drop_duplicates("cell")
    types = [WORST_FIRST[int(place)] if pd.notna(place) else None for place in first["kind"]]
    return {"state_type": types, "state_name": [name or None for name in first["name"]]}


def _places(table: pd.DataFrame) -> Integers:
    """Give the place of the task of each row in the usual order of its flow."""
    is_cell = table["runs"].notna().to_numpy()
    task, tasks = pd.factorize(table["task"], use_na_sentinel=False)
    flow, _ = pd.factorize(table["flow"])
    number, pairs = pd.factorize(flow * max(len(tasks), 1) + task)
    after = table["start_time"] - table.groupby("column", sort=False)["start_time"].transform("min")
    timed = after.notna().to_numpy()
    micros = after.to_numpy(dtype="timedelta64[us]").astype(np.int64)[timed]
    usual = percentiles.of_groups(micros, number[timed], groups=len(pairs), percents=[50])[:, 0]
    has_any = np.bincount(number[timed], minlength=len(pairs)) > 0
    is_task = np.bincount(number[is_cell], minlength=len(pairs)) > 0
    named = [*map(str, tasks)]
    names = [named[pair % len(named)] for pair in pairs]
    order = pd.DataFrame({"flow": pairs // max(len(tasks), 1), "gone": ~is_task, "late": ~has_any})
    order = order.assign(usual=usual, name=names).sort_values(["flow", "gone", "late", "usual", "name"], kind="stable")
    places = np.zeros(len(pairs), dtype=np.int64)
    places[order.index] = order.groupby("flow", sort=False).cumcount() + 1
    return np.where(is_cell, places[number], 0)
