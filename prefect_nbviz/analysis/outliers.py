"""Outliers: runs that took much longer, or much shorter, than others of their kind."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz import frames, tables
from prefect_nbviz.analysis.groups import Groups, words
from prefect_nbviz.arrays import Flags, Integers, Numbers
from prefect_nbviz.errors import QueryError

LEAST_RUNS = 5
"""Runs that a group holds at least, so that one of them can be an outlier."""

_MAD = 0.6745
"""The median absolute deviation of a normal distribution with standard deviation 1."""

_MEAN = 0.7979
"""The mean absolute deviation of one."""


def duration_outliers(
    runs: pd.DataFrame, *, by: str | Sequence[str] = "task_key", threshold: float = 3.5, tz: str = "UTC"
) -> pd.DataFrame:
    """Give the runs that took much longer, or much shorter, than the others of their group.

    Lengths differ by factors more than by seconds, so that their logarithms are compared. With x = ln(duration in
    microseconds), where a duration below one microsecond counts as one, m the median of the x of a group, and MAD the
    median of the absolute values of its x - m, the score of a run is the modified z-score 0.6745 * (x - m) / MAD. A run is an outlier if
    its score is above `threshold`, or below -`threshold`.

    Where MAD is 0, since half of the group took the same to the microsecond, the mean of these absolute values takes its place,
    with 0.7979 instead of 0.6745. Where that is 0 too, all took the same, and there are no outliers. Nor are there any
    in a group of fewer than `LEAST_RUNS` durations.

    Parameters
    ----------
    runs
        Flow runs or task runs with their ids, `name`, `start_time` and `duration`; those without a duration are left
        out, as the attrs say.
    by
        Columns whose values are the groups, as `duration_table` takes them: `"task_key"` for task runs, `"flow_name"`
        for flow runs; `()` puts all in one. A run is in the group of each of its `"tags"`, and may be an outlier in
        several.
    threshold
        3.5 is what Iglewicz and Hoaglin recommend; above 0.
    tz
        Name of the time zone whose clocks show the hours, where `by` names them.

    Returns
    -------
    pandas.DataFrame
        A row for each outlier, the one of the greatest score, by its size, first: the columns of `by`, then those of
        `tables.DURATION_OUTLIERS`. `attrs["prefect_nbviz"]` is that of `runs`, with `by`, `threshold`, `runs`: how many
        there are, `without_duration`: how many of them have none, and `in_small_groups`: how many of the others are
        only in groups that are too small.

    Raises
    ------
    FrameError
        `runs` lacks a column.
    QueryError
        There is no such column or time zone, or `threshold` is not above 0.

    See Also
    --------
    plot_durations : marks them.
    https://www.itl.nist.gov/div898/handbook/eda/section3/eda35h.htm

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "task_run_id": [*"abcdef"], "name": "load", "task_key": "load",
    ...     "start_time": pd.Timestamp("2026-01-01T06:00Z"),
    ...     "duration": pd.to_timedelta([10, 11, 9, 10, 12, 95], unit="s"),
    ... })
    >>> duration_outliers(runs)[["run_id", "ratio"]].round(1).to_numpy().tolist()
    [['f', 9.0]]
    """
    ids = frames.id_column(runs)
    frames.require(runs, [ids, "name", "start_time", "duration"], made_by="read_flow_runs() or read_task_runs()")
    if not threshold > 0:
        raise QueryError(f"threshold is a number above 0, such as 3.5; not {threshold!r}.")
    columns = words(by)
    groups = Groups.of(runs, by=columns, tz=tz)
    has_one = runs["duration"].notna().to_numpy()[groups.run]
    run, number = groups.run[has_one], groups.number[has_one]
    lengths = runs["duration"].to_numpy(dtype="timedelta64[us]").astype(np.int64)
    score = _scores(lengths[run], number)
    is_out = np.abs(score) > threshold
    table = _table(runs, ids, (run, groups.keys.iloc[number].reset_index(drop=True), score), is_out, lengths, number)
    sizes = np.bincount(number, minlength=len(groups))
    about = {"kind": "duration_outliers", "by": columns, "threshold": float(threshold), "runs": len(runs)}
    about["without_duration"] = int(runs["duration"].isna().sum())
    judged = np.unique(run[sizes[number] >= LEAST_RUNS])
    about["in_small_groups"] = len(np.unique(run)) - len(judged)
    table.attrs[frames.ATTRS] = copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | about
    return table


def _scores(lengths: Integers, number: Integers) -> Numbers:
    """Give the score of each run in its group; 0 in groups that are too small, or whose runs all took the same."""
    logs = pd.Series(np.log(np.maximum(lengths, 1)))
    away = logs - logs.groupby(number).transform("median")
    by_group = away.abs().groupby(number)
    median, mean = by_group.transform("median").to_numpy(), by_group.transform("mean").to_numpy()
    spread = np.where(median > 0, median / _MAD, mean / _MEAN)
    is_fit = (spread > 0) & (by_group.transform("size").to_numpy() >= LEAST_RUNS)
    found: Numbers = np.where(is_fit, away.to_numpy() / np.where(is_fit, spread, 1), 0)
    return found


def _table(
    runs: pd.DataFrame,
    ids: str,
    scored: tuple[Integers, pd.DataFrame, Numbers],
    is_out: Flags,
    lengths: Integers,
    number: Integers,
) -> pd.DataFrame:
    run, keys, score = scored
    medians = pd.Series(lengths[run]).groupby(number).transform("median").to_numpy()[is_out]
    some = runs.iloc[run[is_out]]
    own = lengths[run[is_out]]
    data: dict[str, Any] = {
        "run_id": some[ids].to_numpy(),
        "run_name": some["name"].to_numpy(),
        "start_time": some["start_time"].reset_index(drop=True),
        "duration": own.astype("timedelta64[us]"),
        "median": np.floor(medians + 0.5).astype(np.int64).astype("timedelta64[us]"),
        "ratio": np.where(medians > 0, own / np.where(medians > 0, medians, 1), np.nan),
        "score": score[is_out],
    }
    table = pd.concat([keys[is_out].reset_index(drop=True), frames.typed(data, tables.DURATION_OUTLIERS)], axis=1)
    order = np.argsort(-np.abs(score[is_out]), kind="stable")
    return table.iloc[order].reset_index(drop=True)
