"""Durations: how long the runs of each group took."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import frames, percentiles
from prefect_nbviz.errors import QueryError, did_you_mean

Integers = npt.NDArray[np.int64]

_PERCENTS = {"min": 0, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}
_LENGTHS = ("mean", *_PERCENTS)


def duration_table(runs: pd.DataFrame, *, by: str = "flow_name") -> pd.DataFrame:
    """Give how long the runs took, for each value of a column: over runs, not over bins of them.

    Parameters
    ----------
    runs
        Flow runs or task runs with at least `duration` and the column `by`.
    by
        The column whose values are the groups, such as `"flow_name"`, `"task_key"`, `"deployment_name"`, `"name"` or
        `"tags"`: a run is in the group of each of its tags. Runs without a value are a group, with a missing value.

    Returns
    -------
    pandas.DataFrame
        A row for each group, the largest p95 first, with these columns:

        - `by`, under its name: the value.
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
        `runs` has no column `by`.

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
    if by not in runs.columns:
        hint = did_you_mean(str(by), map(str, runs.columns))
        raise QueryError(f"by cannot be {by!r}.{hint} It is a column of the runs.")
    held = pd.DataFrame({"value": runs[by], "duration": runs["duration"].astype("timedelta64[us]")})
    if by == "tags":
        held = held.explode("value")
    group, values = pd.factorize(held["value"], use_na_sentinel=False)
    table = _table(group.astype(np.int64), held["duration"], len(values))
    table.insert(0, by, values)
    about = copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | {"kind": "durations", "by": by}
    table = table.sort_values(["p95", "max"], ascending=False, kind="stable", ignore_index=True)
    table.attrs[frames.ATTRS] = about
    return table


def _table(group: Integers, durations: pd.Series[Any], groups: int) -> pd.DataFrame:
    has_one = durations.notna().to_numpy()
    micros = durations.to_numpy(dtype="timedelta64[us]").astype(np.int64)[has_one]
    timed = group[has_one]
    counts, sizes = np.bincount(timed, minlength=groups), np.bincount(group, minlength=groups)
    sums = np.zeros(groups, dtype=np.int64)
    np.add.at(sums, timed, micros)
    most = np.maximum(counts, 1)
    means = (sums + most // 2) // most
    found = percentiles.of_groups(micros, timed, groups=groups, percents=[*_PERCENTS.values()])
    lengths = np.column_stack([means, found]).astype("timedelta64[us]")
    lengths[counts == 0] = np.timedelta64("NaT")
    columns = dict(zip(_LENGTHS, lengths.T, strict=True))
    return pd.DataFrame({"count": counts, "without_duration": sizes - counts, **columns})
