"""Recovery: when what fails works again, and how long that takes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import frames, percentiles, tables
from prefect_nbviz.analysis.groups import Groups, words
from prefect_nbviz.analysis.intervals import utc
from prefect_nbviz.arrays import UNKNOWN, Flags, Integers
from prefect_nbviz.errors import FrameError
from prefect_nbviz.frames import from_micros, micros
from prefect_nbviz.states import FAILURE_TYPES

_ENDED = ("COMPLETED", *FAILURE_TYPES)
_PERCENTS = {"median": 50, "p95": 95, "longest": 100}


def outages(
    runs: pd.DataFrame, *, by: str | Sequence[str] = "flow_name", as_of: datetime | None = None
) -> pd.DataFrame:
    """Give from when to when each flow failed: from the first run that failed to the next that completed.

    Of each group, the runs that are COMPLETED, FAILED or CRASHED are put in the order of their `end_time`; of one
    moment, those that completed come first. An outage begins with a run that failed or crashed where none is, and
    lasts until the first run after it that completed. Runs that were cancelled or have not ended tell nothing, nor do
    those that ended after `as_of`. That runs of other parameters may differ is not looked at.

    Parameters
    ----------
    runs
        Flow runs, or task runs, of any state: were those that completed not read, nothing would recover.
    by
        Columns of `runs` that put runs together, such as `"flow_name"`, `"deployment_name"` or `"task_key"`.
    as_of
        A moment, with a time zone, up to which an outage without recovery is counted; when `runs` was read, unless
        told.

    Returns
    -------
    pandas.DataFrame
        A row for each outage: the columns of `by`, then those of `tables.OUTAGES`; open ones first, then the longest.
        `attrs["prefect_nbviz"]` is that of `runs`, with `by`, `as_of`, and `runs`: how many there are.

    Raises
    ------
    FrameError
        `runs` lacks a column, or does not say when it was read.
    QueryError
        There is no such column, or `as_of` has no time zone.

    See Also
    --------
    recovery_table : adds them up.
    plot_outages : draws them.

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "flow_run_id": ["a", "b", "c"], "flow_name": "etl", "state_type": ["FAILED", "CRASHED", "COMPLETED"],
    ...     "end_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T07:00Z", "2026-01-01T08:30Z"]),
    ... })
    >>> found = outages(runs, as_of=datetime.fromisoformat("2026-01-02T00:00Z"))
    >>> found[["flow_name", "length", "failed_runs", "recovered_by"]].to_numpy().tolist()
    [['etl', Timedelta('0 days 02:30:00'), 2, 'c']]
    """
    ends = _Ends.of(runs, words(by), _as_of(runs, as_of))
    found = _rows(runs, ends)
    keys = ends.groups.keys.iloc[ends.group[ends.first]].reset_index(drop=True)
    table = pd.concat([keys, frames.typed(found, tables.OUTAGES)], axis=1)
    table = table.sort_values(["is_open", "length"], ascending=False, kind="stable", ignore_index=True)
    table.attrs[frames.ATTRS] = _about(runs, "outages", by, ends)
    return table


def recovery_table(
    runs: pd.DataFrame, *, by: str | Sequence[str] = "flow_name", as_of: datetime | None = None
) -> pd.DataFrame:
    """Give how long each flow took to work again after it failed, and how long it worked in between.

    An outage is that of `outages`. One that is open counts until `as_of`: the lengths are then what they are at least.

    Parameters
    ----------
    runs, by, as_of
        Those of `outages`.

    Returns
    -------
    pandas.DataFrame
        A row for each group: the columns of `by`, then those of `tables.RECOVERY`; those that are down first, then
        those that were down longest in all. Percentiles are those of `duration_table`. `attrs["prefect_nbviz"]` is that
        of `outages`.

    Raises
    ------
    FrameError, QueryError
        As `outages`.

    See Also
    --------
    outages : each of them.

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "flow_run_id": ["a", "b", "c"], "flow_name": "etl", "state_type": ["COMPLETED", "FAILED", "COMPLETED"],
    ...     "end_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T07:00Z", "2026-01-01T08:30Z"]),
    ... })
    >>> table = recovery_table(runs, as_of=datetime.fromisoformat("2026-01-01T12:00Z"))
    >>> table[["outages", "is_down", "median", "between_failures"]].to_numpy().tolist()
    [[1, False, Timedelta('0 days 01:30:00'), Timedelta('0 days 04:30:00')]]
    """
    ends = _Ends.of(runs, words(by), _as_of(runs, as_of))
    table = pd.concat([ends.groups.keys, frames.typed(_recovery(ends), tables.RECOVERY)], axis=1)
    table = table.sort_values(["is_down", "down"], ascending=False, kind="stable", ignore_index=True)
    table.attrs[frames.ATTRS] = _about(runs, "recovery", by, ends)
    return table


@dataclass(frozen=True)
class _Ends:
    """The ends of runs that completed or failed, group by group in the order of time, and where failures are in it."""

    groups: Groups
    """Which run is in which group."""

    run: Integers
    """The place of the run of each end in the frame."""

    group: Integers
    """The number of its group, ascending."""

    time: Integers
    """When it was, in microseconds since 1970."""

    first: Integers
    """Where rows of failures begin, each an outage."""

    after: Integers
    """Where what follows each of them is."""

    is_open: Flags
    """Whether that is another group, or nothing."""

    as_of: int
    """Up to when ends count."""

    @classmethod
    def of(cls, runs: pd.DataFrame, by: list[str], as_of: datetime) -> Self:
        frames.require(runs, [frames.id_column(runs), "state_type", "end_time"], made_by="read_flow_runs()")
        groups, until = Groups.of(runs, by=by), micros(pd.Series([as_of]))[0]
        time, failed = (
            micros(runs["end_time"])[groups.run],
            runs["state_type"].isin(FAILURE_TYPES).to_numpy(dtype=bool),
        )
        counts = (runs["state_type"].isin(_ENDED) & runs["end_time"].notna()).to_numpy(dtype=bool)[groups.run]
        order = np.lexsort((failed[groups.run], time, groups.number))
        order = order[(counts & (time <= until))[order]]
        run, group = groups.run[order], groups.number[order]
        bad = failed[run]
        changes = np.diff(group, prepend=-1) != 0
        first = np.flatnonzero(bad & (changes | ~np.append(False, bad[:-1])))
        after = np.flatnonzero(bad & np.append(changes[1:] | ~bad[1:], True)) + 1
        is_open = np.append(changes, True)[after]
        return cls(groups, run, group, time[order], first, after, is_open, int(until))

    @property
    def recovered(self) -> Integers:
        """When each outage ended, or up to when it is counted."""
        return np.where(self.is_open, self.as_of, np.append(self.time, 0)[self.after])


def _rows(runs: pd.DataFrame, ends: _Ends) -> dict[str, Any]:
    ids = runs[frames.id_column(runs)].to_numpy(dtype=object)
    began = ends.time[ends.first]
    return {
        "began": from_micros(began),
        "recovered": from_micros(ends.recovered),
        "length": (ends.recovered - began).astype("timedelta64[us]"),
        "is_open": ends.is_open,
        "failed_runs": ends.after - ends.first,
        "first_run_id": ids[ends.run[ends.first]],
        "recovered_by": np.where(ends.is_open, None, ids[np.append(ends.run, 0)[ends.after]]) if len(ids) else [],
    }


def _recovery(ends: _Ends) -> dict[str, Any]:
    count, group = len(ends.groups), ends.group[ends.first]
    lengths = ends.recovered - ends.time[ends.first]
    number = np.bincount(group, minlength=count)
    down, observed, since = (np.zeros(count, dtype=np.int64) for _ in range(3))
    np.add.at(down, group, lengths)
    begins = np.flatnonzero(np.diff(ends.group, prepend=-1))
    observed[ends.group[begins]] = ends.as_of - ends.time[begins]
    since[group[ends.is_open]] = ends.time[ends.first][ends.is_open]
    is_down = np.bincount(group[ends.is_open], minlength=count) > 0
    found = percentiles.of_groups(lengths, group, groups=count, percents=[*_PERCENTS.values()])
    between = (observed - down + number // 2) // np.maximum(number, 1)
    has_none = number == 0
    return {
        "runs": np.bincount(ends.group, minlength=count),
        "outages": number,
        "is_down": is_down,
        "down_since": from_micros(np.where(is_down, since, UNKNOWN)),
        **{word: _lengths(some, has_none) for word, some in zip(_PERCENTS, found.T, strict=True)},
        "down": down.astype("timedelta64[us]"),
        "observed": observed.astype("timedelta64[us]"),
        "between_failures": _lengths(between, has_none),
    }


def _about(runs: pd.DataFrame, kind: str, by: str | Sequence[str], ends: _Ends) -> dict[str, Any]:
    as_of = from_micros(np.array([ends.as_of]))[0].isoformat()
    about: dict[str, Any] = copy.deepcopy(runs.attrs.get(frames.ATTRS, {}))
    return about | {"kind": kind, "by": words(by), "as_of": as_of, "runs": len(runs)}


def _as_of(runs: pd.DataFrame, as_of: datetime | None) -> datetime:
    if as_of is not None:
        return utc("as_of", as_of)
    text = runs.attrs.get(frames.ATTRS, {}).get("as_of")
    if text is None:
        raise FrameError("The runs do not say when they were read: pass as_of=, such as datetime.now(UTC).")
    return utc("as_of", datetime.fromisoformat(text))


def _lengths(micros: Integers, is_missing: Flags) -> npt.NDArray[np.timedelta64]:
    return np.where(is_missing, UNKNOWN, micros).astype("timedelta64[us]")
