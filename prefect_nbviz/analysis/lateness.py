"""Lateness: how long after they were due runs started, and runs that a schedule did not make."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz import frames, percentiles, schema, tables
from prefect_nbviz.analysis.groups import Groups, words
from prefect_nbviz.analysis.intervals import utc
from prefect_nbviz.arrays import Integers
from prefect_nbviz.errors import QueryError

LATE_AFTER = timedelta(seconds=15)
"""From when on Prefect's server marks a run Late, unless it is set otherwise."""

LEAST_FACTOR = 1.5
"""A shorter spacing would be a gap in which no run is missing."""

_PERCENTS = {"p50": 50, "p95": 95, "max": 100}
_MICRO = timedelta(microseconds=1)


def lateness_table(
    runs: pd.DataFrame,
    *,
    threshold: timedelta | str = LATE_AFTER,
    by: str | Sequence[str] = ("flow_name", "hour_of_day"),
    tz: str = "UTC",
) -> pd.DataFrame:
    """Give how many runs started late, and how late, by flow and hour of the day or by other columns.

    Parameters
    ----------
    runs
        Flow runs, with at least `start_time` and `lateness`: from the expected start to the first start, never below
        zero; of a run that still waits, to the moment at which `runs` was read.
    threshold
        A run is late if its lateness is longer: a timedelta, or text as pandas reads it, such as `"5min"`.
    by
        Columns of `runs` that put runs together, such as `"deployment_name"`, `"work_pool_name"` or `"tags"`, where a
        run is in the group of each of its tags; `()` puts all in one. `"hour"` is the beginning of the hour in which
        a run was expected to start, `"hour_of_day"` its number from 0 to 23.
    tz
        Name of the time zone whose clocks show the hours, such as `"Europe/Berlin"`.

    Returns
    -------
    pandas.DataFrame
        A row for each group, that of most late runs first: the columns of `by`, then those of `tables.LATENESS`.
        Percentiles are those of `duration_table`. `attrs["prefect_nbviz"]` is that of `runs`, with `by`, `tz`,
        `threshold` in seconds, and `runs`: how many there are.

    Raises
    ------
    FrameError
        `runs` lacks a column.
    QueryError
        There is no such column or time zone, or the threshold is no length of time.

    See Also
    --------
    plot_lateness : draws it.
    https://docs.prefect.io/v3/api-ref/settings-ref#services-late-runs

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "flow_name": "etl", "start_time": pd.to_datetime(["2026-01-01T06:00:01Z", None]),
    ...     "lateness": pd.to_timedelta([1, 90], unit="s"),
    ... })
    >>> lateness_table(runs, threshold="1min", by="flow_name")[["runs", "waiting", "late", "late_share"]].iloc[0].tolist()
    [2.0, 1.0, 1.0, 0.5]
    """
    frames.require(runs, ["start_time", "lateness"], made_by="read_flow_runs()")
    limit, by = _threshold(threshold), words(by)
    groups = Groups.of(runs, by=by, tz=tz)
    measured = pd.DataFrame({
        "late": runs["lateness"].to_numpy(dtype="timedelta64[us]"),
        "waits": runs["start_time"].isna().to_numpy(),
    })  # fmt: skip
    table = pd.concat([groups.keys, _table(groups, measured.iloc[groups.run], limit // _MICRO)], axis=1)
    table = table.sort_values(["late", "max"], ascending=False, kind="stable", ignore_index=True)
    about = {"kind": "lateness", "by": by, "tz": tz, "threshold": limit.total_seconds(), "runs": len(runs)}
    table.attrs[frames.ATTRS] = copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | about
    return table


def schedule_gaps(runs: pd.DataFrame, *, factor: float = 1.5, until: datetime | None = None) -> pd.DataFrame:
    """Give where schedules made no run: much longer spacings of expected starts than a deployment usually has.

    Of each deployment, the distinct expected starts of the runs that a schedule made are put in order. The spacings
    are the lengths between those that follow each other; a spacing that is longer than `factor` times their median
    is a gap, in which round(spacing / median) - 1 runs are missing, halves up. Where there are fewer than three
    expected starts, there is no gap: one spacing alone cannot be longer than usual.

    A schedule that pauses by itself, such as one of working days, has such gaps too; and of one that was changed,
    the median is that of all.

    Parameters
    ----------
    runs
        Flow runs of any state, read without leaving any out: one that is not there is taken for missing.
    factor
        1.5 at least.
    until
        A moment, with a time zone, up to which `runs` reach: what is between the last expected start of a deployment
        and it counts as a spacing that can be a gap, with floor(spacing / median) runs missing; it does not count
        for the median. Unless told, only what is between two runs is looked at.

    Returns
    -------
    pandas.DataFrame
        A row for each gap, the longest first, with the columns of `tables.SCHEDULE_GAPS`. `attrs["prefect_nbviz"]`
        is that of `runs`, so that it tells whether they are all that match, with `factor`, and `deployments`: how
        many were looked at.

    Raises
    ------
    FrameError
        `runs` lacks a column.
    QueryError
        `factor` is too small, or `until` has no time zone.

    See Also
    --------
    https://docs.prefect.io/v3/concepts/schedules

    Examples
    --------
    >>> hours = pd.to_datetime([f"2026-01-01T{hour:02}:00Z" for hour in (1, 2, 3, 7, 8)])
    >>> runs = pd.DataFrame({
    ...     "deployment_id": "d", "deployment_name": "hourly", "flow_name": "etl", "auto_scheduled": True,
    ...     "expected_start_time": hours,
    ... })
    >>> schedule_gaps(runs)[["gap_start", "missing_runs"]].to_numpy().tolist()
    [[Timestamp('2026-01-01 03:00:00+0000', tz='UTC'), 3]]
    """
    needed = ["deployment_id", "deployment_name", "flow_name", "auto_scheduled", "expected_start_time"]
    frames.require(runs, needed, made_by="read_flow_runs()")
    if not factor >= LEAST_FACTOR:
        raise QueryError(f"factor is {LEAST_FACTOR} or more, so that a run is missing in each gap; not {factor!r}.")
    end = (
        None if until is None else int(pd.Timestamp(utc("until", until)).asm8.astype("datetime64[us]").astype(np.int64))
    )
    made = runs[needed][runs["auto_scheduled"].astype("bool") & runs["expected_start_time"].notna()]
    by_deployment = made.dropna(subset="deployment_id").groupby("deployment_id", sort=False)
    rows = [row for _, group in by_deployment for row in _gaps(group, factor, end)]
    data = {name: [row[name] for row in rows] for name in schema.names(tables.SCHEDULE_GAPS)}
    gaps = frames.typed(data, tables.SCHEDULE_GAPS)
    gaps = gaps.sort_values("length", ascending=False, kind="stable", ignore_index=True)
    about = {"kind": "schedule_gaps", "factor": factor, "deployments": len(by_deployment)}
    gaps.attrs[frames.ATTRS] = copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | about
    return gaps


def _threshold(threshold: timedelta | str) -> timedelta:
    try:
        limit = pd.Timedelta(threshold)
    except (ValueError, TypeError) as error:
        raise QueryError(_no_length(threshold)) from error
    if pd.isna(limit) or limit < pd.Timedelta(0) or not isinstance(threshold, timedelta | str):
        raise QueryError(_no_length(threshold))
    return limit.to_pytimedelta()


def _no_length(threshold: object) -> str:
    return f"threshold is a timedelta or text such as '5min', and not below zero; not {threshold!r}."


def _table(groups: Groups, measured: pd.DataFrame, limit: int) -> pd.DataFrame:
    has_one = measured["late"].notna().to_numpy()
    micros = measured["late"].to_numpy(dtype="timedelta64[us]").astype(np.int64)[has_one]
    number = groups.number[has_one]

    def count(numbers: Integers) -> Integers:
        return np.bincount(numbers, minlength=len(groups))

    runs, late = count(number), count(number[micros > limit])
    found = percentiles.of_groups(micros, number, groups=len(groups), percents=[*_PERCENTS.values()])
    lengths = found.astype("timedelta64[us]")
    lengths[runs == 0] = np.timedelta64("NaT")
    data = {
        "runs": runs,
        "waiting": count(number[measured["waits"].to_numpy()[has_one]]),
        "without_lateness": count(groups.number) - runs,
        "late": late,
        "late_share": np.where(runs > 0, late / np.maximum(runs, 1), np.nan),
        **dict(zip(_PERCENTS, lengths.T, strict=True)),
    }
    return frames.typed(data, tables.LATENESS)


def _gaps(group: pd.DataFrame, factor: float, end: int | None) -> Iterator[dict[str, Any]]:
    """Give the gaps of one deployment; times are in microseconds since 1970."""
    times = group["expected_start_time"].dt.tz_convert("UTC").dt.as_unit("us")
    starts = np.unique(times.to_numpy(dtype="datetime64[us]").astype(np.int64))
    spacings = np.diff(starts)
    if len(spacings) <= 1:
        return
    one = np.zeros(len(spacings), dtype=np.int64)
    median = int(percentiles.of_groups(spacings, one, groups=1, percents=[50])[0, 0])
    about = {word: group[word].iloc[-1] for word in ("deployment_id", "flow_name", "deployment_name")}
    bounds = [(begin, finish, False) for begin, finish in itertools.pairwise(starts.tolist())]
    bounds += [] if end is None else [(int(starts[-1]), end, True)]
    for begin, finish, is_open in bounds:
        length = finish - begin
        if length > factor * median:
            missing = length // median if is_open else (2 * length + median) // (2 * median) - 1
            moments = {"gap_start": begin, "gap_end": finish}
            yield about | {
                **{word: pd.Timestamp(at, unit="us", tz="UTC") for word, at in moments.items()},
                "length": np.timedelta64(length, "us"),
                "median_spacing": np.timedelta64(median, "us"),
                "missing_runs": missing,
                "is_open": is_open,
            }
