"""Durations: how long the runs of each group took, and how that changed over time."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import timedelta, tzinfo
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz import bins, frames, percentiles, tables
from prefect_nbviz.analysis.groups import Groups, words
from prefect_nbviz.arrays import UNKNOWN, Flags, Integers
from prefect_nbviz.frames import micros

_PERCENTS = {"min": 0, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}
_BAND = {"p10": 10, "p50": 50, "p90": 90}


def duration_table(runs: pd.DataFrame, *, by: str | Sequence[str] = "flow_name", tz: str = "UTC") -> pd.DataFrame:
    """Give how long the runs took, for each value of a column: over runs, not over bins of them.

    Parameters
    ----------
    runs
        Flow runs or task runs with at least `duration` and the columns `by`. An end before the start is a length below
        zero here, and counts as it stands: `suspect_runs` tells of which runs.
    by
        The columns whose values are the groups, such as `"flow_name"`, `"task_key"`, `"deployment_name"`, `"name"` or
        `"tags"`: a run is in the group of each of its tags. Runs without a value are a group, with a missing value.
        `"hour"` and `"hour_of_day"` are those of the expected start. Of several flow runs side by side:
        `duration_table(task_runs, by=["task_key", "flow_run_name"]).pivot_table(index="task_key", columns="flow_run_name",
        values="p50")`.
    tz
        Name of the time zone whose clocks show the hours, such as `"Europe/Berlin"`.

    Returns
    -------
    pandas.DataFrame
        A row for each group, the largest p95 first, with these columns:

        - the columns of `by`: the values.
        - `count`: how many of its runs have a duration; all that follows is of these.
        - `without_duration`: how many have none, since they have not ended or never ran.
        - `mean`, `min`, `p50`, `p90`, `p95`, `p99`, `max`: timedelta64[us], missing where `count` is 0. `p50` is the
          median. The percentile p of n durations in ascending order is the one at place (n - 1) * p / 100, counted
          from 0, and between two places in proportion (numpy's and pandas' "linear"). The mean and the percentiles
          are rounded to a microsecond.

        `attrs["prefect_nbviz"]` is that of `runs`, so that it tells whether they are all that match, with `by`.

    Raises
    ------
    FrameError
        `runs` has no `duration`.
    QueryError
        `runs` has no column `by`, or there is no such time zone.

    See Also
    --------
    plot_durations : draws them over time.

    Examples
    --------
    >>> lasted = pd.to_timedelta([1, 2, 4, None], unit="s")
    >>> table = duration_table(pd.DataFrame({"flow_name": "etl", "duration": lasted}))
    >>> table[["count", "without_duration", "p50", "max"]].to_numpy().tolist()
    [[3, 1, Timedelta('0 days 00:00:02'), Timedelta('0 days 00:00:04')]]
    """
    frames.require(runs, ["duration"], made_by="read_flow_runs() or read_task_runs()")
    columns = words(by)
    groups = Groups.of(runs, by=columns, tz=tz)
    lengths = runs["duration"].astype("timedelta64[us]").iloc[groups.run]
    table = pd.concat([groups.keys, _table(groups.number, lengths, len(groups))], axis=1)
    about = copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | {"kind": "durations", "by": by, "tz": tz}
    table = table.sort_values(["p95", "max"], ascending=False, kind="stable", ignore_index=True)
    table.attrs[frames.ATTRS] = about
    return table


def duration_trend(
    runs: pd.DataFrame,
    *,
    freq: str | timedelta = "1D",
    by: str | Sequence[str] = (),
    tz: str | tzinfo = "UTC",
) -> pd.DataFrame:
    """Give how long runs took by when they started: a median and a band for each bin of time.

    Parameters
    ----------
    runs
        Flow runs or task runs with at least `start_time` and `duration`.
    freq
        Length of a bin, as `run_counts` takes it: `"15min"`, `"1h"`, `"1D"`.
    by
        Columns whose values are groups with bins of their own, as `duration_table` takes them; `()` puts all in one.
    tz
        Time zone whose days the bins follow.

    Returns
    -------
    pandas.DataFrame
        A row for each group and bin in which a run of the group started, the group of most runs first, in order of
        time: the columns of `by`, then those of `tables.DURATION_TREND`. A run is in the bin of its `start_time`;
        bins hold their beginning and not their end. Percentiles are those of `duration_table`.
        `attrs["prefect_nbviz"]` is that of `runs`, with `freq`, `by`, `tz`, `runs`: how many there are, and
        `without_start`: how many of them never started, and are in no bin.

    Raises
    ------
    FrameError
        `runs` lacks a column, or its times have no time zone.
    QueryError
        There is no such column, frequency or time zone, or there would be more than `bins.MOST_BINS` bins.

    See Also
    --------
    plot_duration_trend : draws it.

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T07:00Z", "2026-01-02T06:00Z"]),
    ...     "duration": pd.to_timedelta([1, 3, 9], unit="s"),
    ... })
    >>> duration_trend(runs)["p50"].dt.total_seconds().tolist()
    [2.0, 9.0]
    """
    frames.require(runs, ["start_time", "duration"], made_by="read_flow_runs() or read_task_runs()")
    freq, tz = bins.check(freq, tz)
    columns = words(by)
    groups = Groups.of(runs, by=columns, tz=tz)
    start = micros(runs["start_time"])[groups.run]
    is_timed = start != UNKNOWN
    if is_timed.any():
        table = _trend(groups, is_timed, start[is_timed], runs["duration"], (freq, tz))
    else:
        table = pd.concat([groups.keys.iloc[:0], frames.empty(tables.DURATION_TREND)], axis=1)
    about = {"kind": "duration_trend", "freq": freq, "by": columns, "tz": tz, "runs": len(runs)}
    about["without_start"] = int(runs["start_time"].isna().sum())
    table.attrs[frames.ATTRS] = copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | about
    return table


def _trend(
    groups: Groups, is_timed: Flags, start: Integers, durations: pd.Series[Any], binned: tuple[str, str]
) -> pd.DataFrame:
    begin, end = (pd.Timestamp(one, unit="us", tz="UTC") for one in (start.min(), start.max()))
    edges = bins.edges(begin, end, *binned).as_unit("us")
    place = edges.asi8.searchsorted(start, side="right") - 1
    number = groups.number[is_timed]
    largest = np.argsort(np.argsort(-np.bincount(number, minlength=len(groups)), kind="stable"))
    cells, cell = np.unique(largest[number] * len(edges) + place, return_inverse=True)
    group, place = np.divmod(cells, len(edges))
    lengths = durations.astype("timedelta64[us]").iloc[groups.run[is_timed]]
    found = _percentiles(cell.astype(np.int64), lengths, len(cells), _BAND)
    data = {"bin_start": edges[place], "bin_end": edges[place + 1], **found}
    keys = groups.keys.iloc[np.argsort(largest)[group]].reset_index(drop=True)
    return pd.concat([keys, frames.typed(data, tables.DURATION_TREND)], axis=1)


def _percentiles(group: Integers, durations: pd.Series[Any], groups: int, percents: dict[str, int]) -> dict[str, Any]:
    """Give how many runs of each group have a duration and how many have none, and percentiles of those."""
    has_one = durations.notna().to_numpy()
    lengths = durations.to_numpy(dtype="timedelta64[us]").astype(np.int64)[has_one]
    counts, sizes = np.bincount(group[has_one], minlength=groups), np.bincount(group, minlength=groups)
    found = percentiles.of_groups(lengths, group[has_one], groups=groups, percents=[*percents.values()])
    shown = found.astype("timedelta64[us]")
    shown[counts == 0] = np.timedelta64("NaT")
    return {"count": counts, "without_duration": sizes - counts, **dict(zip(percents, shown.T, strict=True))}


def _table(group: Integers, durations: pd.Series[Any], groups: int) -> pd.DataFrame:
    found = pd.DataFrame(_percentiles(group, durations, groups, _PERCENTS))
    has_one = durations.notna().to_numpy()
    sums = np.zeros(groups, dtype=np.int64)
    np.add.at(sums, group[has_one], durations.to_numpy(dtype="timedelta64[us]").astype(np.int64)[has_one])
    most = np.maximum(found["count"].to_numpy(), 1)
    means = ((sums + most // 2) // most).astype("timedelta64[us]")
    means[found["count"] == 0] = np.timedelta64("NaT")
    found.insert(2, "mean", means)
    return found
