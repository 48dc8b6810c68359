"""Concurrency: how many runs were running at once."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.errors import FrameError, QueryError, did_you_mean
from prefect_nbviz.frames import from_micros, micros

NEEDED = ("run_id", "state_type", "start_time", "end_time", "is_open")
"""The columns of `schema.INTERVALS` that runs at once are counted from."""


def concurrency_steps(
    intervals: pd.DataFrame, *, by: str | None = None, runs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Give how many runs were running at once: a row for each moment at which their number changed.

    A run is running while it stays in a state of type RUNNING (Running, Retrying), from the beginning of the stay up
    to its end, which is not part of it: a run that begins as another ends is never at once with it, and a stay of no
    length counts nowhere. A stay that is still open has no end: it is running at the last moment that is known.

    Parameters
    ----------
    intervals
        What `state_intervals` gives: at least the columns in `NEEDED`. Runs of both kinds count, a flow run beside
        its task runs; `by="run_kind"` tells them apart.
    by
        A column whose values are counted apart; None for all together. A run counts once in the group of each of its
        `"tags"`. Runs without a value are a group, with a missing value.
    runs
        Flow runs or task runs that have the column `by`, such as `"work_pool_name"`, `"flow_name"` or `"tags"`,
        which the intervals lack. Of flow runs the value counts for their task runs too. Runs that are not among them
        have no value.

    Returns
    -------
    pandas.DataFrame
        The columns of `tables.CONCURRENCY`, group by group, of which the one that was most at once is the first, and
        in order of time. A number holds from its `time` until the next row of its group; before the first it is 0.
        `attrs["prefect_nbviz"]` is that of `intervals`, with `by`, with `runs`, how many the intervals are of, and with
        the `begin` and `end` of all running stays, None if there are none.

    Raises
    ------
    FrameError
        `intervals` lacks a column.
    QueryError
        There is no column `by`.

    See Also
    --------
    concurrency_table : the most and the mean of each group.
    plot_concurrency : draws them.

    Examples
    --------
    >>> spans = pd.DataFrame({
    ...     "run_id": ["a", "b"], "state_type": "RUNNING", "is_open": False,
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T06:10Z"]),
    ...     "end_time": pd.to_datetime(["2026-01-01T06:20Z", "2026-01-01T06:40Z"]),
    ... })
    >>> concurrency_steps(spans)["running"].tolist()
    [1, 2, 1, 0]
    """
    frames.require(intervals, NEEDED, made_by="state_intervals()")
    stays = intervals[(intervals["state_type"] == "RUNNING").to_numpy()]
    if stays[["start_time", "end_time"]].isna().to_numpy().any():
        raise FrameError("Some stays have no start_time or end_time: drop those rows, or make them again.")
    values = _values(stays, by, runs).reset_index(drop=True).explode()
    codes, texts = _groups(values)
    pairs = np.unique(values.index.to_numpy(dtype=np.int64) * len(texts) + codes)  # of a tag given twice once
    stay, group = np.divmod(pairs, len(texts))
    begin, end = micros(stays["start_time"]), micros(stays["end_time"])
    of_group, time, running = _steps(group, begin[stay], end[stay], stays["is_open"].to_numpy(dtype=bool)[stay])
    most = np.zeros(len(texts), dtype=np.int64)
    np.maximum.at(most, of_group, running)
    order = np.lexsort((time, of_group, -most[of_group]))
    data = {"group": texts[of_group[order]], "time": from_micros(time[order]), "running": running[order]}
    steps = frames.typed(data, tables.CONCURRENCY)
    ends = [one.isoformat() for one in from_micros(np.array([begin.min(), end.max()]))] if len(stays) else [None, None]
    about: dict[str, Any] = {"kind": "concurrency", "by": by, "begin": ends[0], "end": ends[1]}
    about["runs"] = int(intervals["run_id"].nunique())
    steps.attrs[frames.ATTRS] = copy.deepcopy(intervals.attrs.get(frames.ATTRS, {})) | about
    return steps


def concurrency_table(steps: pd.DataFrame) -> pd.DataFrame:
    """Give the most runs that were running at once and their mean over time, for each group.

    Parameters
    ----------
    steps
        What `concurrency_steps` gives, with its attrs.

    Returns
    -------
    pandas.DataFrame
        A row for each group, in the order of `steps`, with the columns of `tables.CONCURRENCY_TABLE`. The mean is
        weighted by time, over the same stretch for all groups: from the `begin` to the `end` in the attrs, at which
        the first running stay of all began and the last ended. It is the time that the runs of the group ran in all,
        divided by the length of that stretch. `attrs["prefect_nbviz"]` is that of `steps`.

    Raises
    ------
    FrameError
        `steps` lacks a column, or the attrs that `concurrency_steps` gave it.

    Examples
    --------
    >>> spans = pd.DataFrame({
    ...     "run_id": ["a", "b"], "state_type": "RUNNING", "is_open": False,
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T06:10Z"]),
    ...     "end_time": pd.to_datetime(["2026-01-01T06:20Z", "2026-01-01T06:40Z"]),
    ... })
    >>> concurrency_table(concurrency_steps(spans))[["most", "mean"]].to_numpy().tolist()
    [[2.0, 1.25]]
    """
    frames.require(steps, schema.names(tables.CONCURRENCY), made_by="concurrency_steps()")
    about = steps.attrs.get(frames.ATTRS, {})
    if "end" not in about:
        raise FrameError("The steps do not say how far they go: pass them as concurrency_steps() gives them.")
    if steps.empty:
        table = frames.empty(tables.CONCURRENCY_TABLE)
    else:
        table = _table(steps, *micros(pd.Series(pd.to_datetime([about["begin"], about["end"]], format="ISO8601"))))
    table.attrs[frames.ATTRS] = copy.deepcopy(about)
    return table


def _table(steps: pd.DataFrame, begin: int, end: int) -> pd.DataFrame:
    group, texts = pd.factorize(steps["group"].astype("object"), use_na_sentinel=False)
    time, running = micros(steps["time"]), steps["running"].to_numpy()
    first = np.flatnonzero(np.diff(group, prepend=-1))
    until = np.append(time[1:], end)
    until[first[1:] - 1] = end
    most = np.maximum.reduceat(running, first)
    peaks = np.flatnonzero(running == most[group])
    peaks = peaks[np.diff(group[peaks], prepend=-1) != 0]
    mean = np.add.reduceat(running * (until - time), first) / max(end - begin, 1)
    data = {"group": texts, "most": most, "most_since": from_micros(time[peaks]), "mean": mean}
    return frames.typed(data, tables.CONCURRENCY_TABLE)


def _values(stays: pd.DataFrame, by: str | None, runs: pd.DataFrame | None) -> pd.Series[Any]:
    """Give the value of each stay, or its values as a tuple."""
    if by is None:
        return pd.Series([None] * len(stays), dtype="object")
    source = stays if runs is None else runs
    if by not in source.columns:
        hint = did_you_mean(str(by), map(str, source.columns))
        where = "the intervals; runs=… takes a frame that has more" if runs is None else "the runs"
        raise QueryError(f"by cannot be {by!r}.{hint} It is a column of {where}.")
    if runs is None:
        return stays[by]
    ids = frames.id_column(runs)
    frames.require(runs, [ids], made_by="read_flow_runs() or read_task_runs()")
    held = runs.drop_duplicates(ids).set_index(ids)[by].astype("object")
    key = "run_id" if ids == "task_run_id" else ids  # a task run has the work pool and the tags of its flow run
    frames.require(stays, [key], made_by="state_intervals()")
    return held.reindex(stays[key])


def _groups(values: pd.Series[Any]) -> tuple[Integers, npt.NDArray[np.object_]]:
    """Give the number of the group of each value, and the groups by number as text."""
    codes, distinct = pd.factorize(values)
    texts = np.array([*map(str, distinct), None], dtype=object)
    return np.where(codes < 0, len(distinct), codes).astype(np.int64), texts


def _steps(group: Integers, begin: Integers, end: Integers, is_open: Flags) -> tuple[Integers, Integers, Integers]:
    """Give group, time and number of every change, in the order of groups and of time."""
    has_end = ~is_open
    groups, times = np.append(group, group[has_end]), np.append(begin, end[has_end])
    change = np.repeat([1, -1], [len(begin), has_end.sum()])
    order = np.lexsort((times, groups))
    groups, times, total = groups[order], times[order], np.cumsum(change[order])
    is_last = (np.diff(groups, append=-1) != 0) | (np.diff(times, append=0) != 0)
    groups, times, total = groups[is_last], times[is_last], total[is_last]
    opened = np.cumsum(np.bincount(group[is_open], minlength=int(group.max(initial=-1)) + 1))
    running = total - np.append(0, opened)[groups]
    before = np.where(np.diff(groups, prepend=-1) != 0, 0, np.append(0, running[:-1]))
    is_change = running != before
    return groups[is_change], times[is_change], running[is_change]
