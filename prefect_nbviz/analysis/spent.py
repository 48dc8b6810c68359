"""Time spent: what runs did all the time, from their first state to their last."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.analysis.groups import HOURS, Groups, words
from prefect_nbviz.arrays import UNKNOWN, Flags, Integers
from prefect_nbviz.errors import FrameError
from prefect_nbviz.frames import micros

PARTS = tuple(column.name for column in tables.TIME_SPENT if column.dtype == schema.DURATION)[:-2]
"""What the time of a run is divided into; the last one is what the others leave."""

_NOT_SPENT = ("scheduled", "not_ready")
_NEEDED = ("run_kind", "run_id", "run_name", "state_type", "state_name", "start_time", "end_time", "is_open")
_SCHEDULED = {
    "Scheduled": "scheduled",
    "Late": "late",
    "AwaitingRetry": "awaiting_retry",
    "AwaitingConcurrencySlot": "awaiting_slot",
}


def time_spent(
    intervals: pd.DataFrame,
    *,
    by: str | Sequence[str] = "run_id",
    runs: pd.DataFrame | None = None,
    tz: str = "UTC",
) -> pd.DataFrame:
    """Give where the time of runs went: how long they were late, pending, running, paused, waiting for a retry.

    The time of a run is that from its first state to the end of its last stay: its end, or `as_of` of the intervals
    if it has none. Each stay is in one part, so that the parts of each row add up to `total`, to the microsecond:

    - `scheduled`, `late`, `awaiting_slot`, `awaiting_retry`: the type SCHEDULED with the names Scheduled, Late,
      AwaitingConcurrencySlot and AwaitingRetry. Late is what the server marks so, some seconds after the expected
      start; `lateness_table` counts from that start on.
    - `not_ready`: the type PENDING with the name NotReady, in which Prefect leaves a task run for good where an
      upstream run failed.
    - `pending`, `running`, `paused`, `cancelling`: these types with any other name.
    - `other`: what is left. The type SCHEDULED with other names, such as Resuming; the time between the end of a run
      and its next start; what no stay covers.

    Parameters
    ----------
    intervals
        What `state_intervals` gives, whole: a stay that is missing counts as `other`.
    by
        What puts runs together: columns of `runs` or of `intervals`, of which the first row of a run counts, such
        as `"flow_name"`, `"task_key"`, `"deployment_name"` or `"tags"`, where a run is in the group of each of its
        tags. `"hour"` is the beginning of the hour in which a run was expected to start, `"hour_of_day"` its number
        from 0 to 23. Unless told, each run is a row of its own.
    runs
        Flow runs or task runs, whose columns are meant by `by`; a run that is not among them has a missing value.
    tz
        Name of the time zone whose clocks show the hours, such as `"Europe/Berlin"`.

    Returns
    -------
    pandas.DataFrame
        A row for each group, the largest `spent` first, which is `total` - `scheduled` - `not_ready`: `run_kind`, the
        columns of `by`, then those of `tables.TIME_SPENT`, durations as timedelta64[us]. Where runs are rows, `run_name` follows `run_id`. Flow
        runs and task runs are never in one row, since the one waits while the other runs; a flow run waits for its
        subflow runs likewise, and both count.

        `attrs["prefect_nbviz"]` is that of `intervals`, with `by`, `tz`, `runs`: how many runs there are, and
        `runs_without_intervals`: how many of `runs` have none, and are in no row.

    Raises
    ------
    FrameError
        A frame lacks a column or a time, or the stays of a run overlap: its time would count twice.
    QueryError
        There is no such column or time zone.

    See Also
    --------
    plot_time_spent : draws it.
    https://docs.prefect.io/v3/concepts/states

    Examples
    --------
    >>> times = pd.to_datetime(["2026-01-01T06:00:00Z", "2026-01-01T06:00:02Z", "2026-01-01T06:00:32Z"])
    >>> spans = pd.DataFrame({
    ...     "run_kind": "task_run", "run_id": "a", "run_name": "load", "is_open": False,
    ...     "state_type": ["PENDING", "RUNNING"], "state_name": ["Pending", "Running"],
    ...     "start_time": times[:2], "end_time": times[1:],
    ... })
    >>> time_spent(spans)[["pending", "running", "total"]].iloc[0].dt.total_seconds().tolist()
    [2.0, 30.0, 32.0]
    """
    table, _, first, without = _grouped(intervals, words(by), runs, tz)
    table = table.reset_index(drop=True)
    if words(by) == ["run_id"]:
        names = dict(zip(first["run_id"], first["run_name"], strict=True))
        table.insert(2, "run_name", table["run_id"].map(names))
    about = {"kind": "time_spent", "by": words(by), "tz": tz, "runs": len(first), "runs_without_intervals": without}
    table.attrs[frames.ATTRS] = copy.deepcopy(intervals.attrs.get(frames.ATTRS, {})) | about
    return table


def runs_of_rows(
    intervals: pd.DataFrame,
    *,
    by: str | Sequence[str] = "run_id",
    runs: pd.DataFrame | None = None,
    tz: str = "UTC",
) -> pd.DataFrame:
    """Give which runs each row of `time_spent` is of: `row`, its place from 0, and `run_id`, row by row.

    Parameters
    ----------
    intervals, by, runs, tz
        Those of `time_spent`.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-01-01T06:00:00Z", "2026-01-01T06:00:02Z"])
    >>> spans = pd.DataFrame({
    ...     "run_kind": "task_run", "run_id": ["a", "b"], "run_name": "load", "is_open": False,
    ...     "state_type": "RUNNING", "state_name": "Running", "start_time": times, "end_time": times[1],
    ... })
    >>> runs_of_rows(spans, by="run_name").to_numpy().tolist()
    [[0, 'a'], [0, 'b']]
    """
    table, groups, first, _ = _grouped(intervals, words(by), runs, tz)
    row_of = np.empty(len(table), dtype=np.int64)
    row_of[table.index] = np.arange(len(table))
    found = pd.DataFrame({"row": row_of[groups.number], "run_id": first["run_id"].to_numpy()[groups.run]})
    return found.sort_values("row", kind="stable", ignore_index=True)


def _grouped(
    intervals: pd.DataFrame, by: list[str], runs: pd.DataFrame | None, tz: str
) -> tuple[pd.DataFrame, Groups, pd.DataFrame, int]:
    """Give the table with the numbers of groups as its index, the groups, a stay of each run, and runs without any."""
    frames.require(intervals, _NEEDED, made_by="state_intervals()")
    run, ids = pd.factorize(intervals["run_id"])
    if intervals[["run_id", "start_time", "end_time"]].isna().to_numpy().any():
        raise FrameError("Some stays have no run_id, start_time or end_time: drop those rows, or make them again.")
    lengths, is_open = _lengths(intervals, run, len(ids))
    first = intervals.iloc[np.unique(run, return_index=True)[1]]
    of_runs, without = (first, 0) if runs is None else _joined(first, runs, by)
    groups = Groups.of(of_runs, by=[*dict.fromkeys(["run_kind", *by])], tz=tz)
    table = _table(groups, lengths, is_open).sort_values(["spent", "total"], ascending=False, kind="stable")
    return table, groups, first, without


def part_of(state_type: str, state_name: str) -> str:
    """Give the part of a run's time that a stay in a state is in.

    Examples
    --------
    >>> part_of("SCHEDULED", "Late"), part_of("SCHEDULED", "my own"), part_of("RUNNING", "Retrying")
    ('late', 'other', 'running')
    """
    if state_type == "SCHEDULED":
        return _SCHEDULED.get(state_name, "other")
    if (state_type, state_name) == ("PENDING", "NotReady"):
        return "not_ready"
    return state_type.lower() if state_type in {"PENDING", "RUNNING", "PAUSED", "CANCELLING"} else "other"


def _lengths(intervals: pd.DataFrame, run: Integers, runs: int) -> tuple[Integers, Flags]:
    """Give the microseconds of each run in each of `PARTS`, and whether it is still in its last state."""
    start, end = (micros(intervals[column]) for column in ("start_time", "end_time"))
    _check(run, start, end)
    begin, finish = np.full(runs, np.iinfo(np.int64).max), np.full(runs, UNKNOWN)
    np.minimum.at(begin, run, start)
    np.maximum.at(finish, run, end)
    lengths = np.zeros((runs, len(PARTS)), dtype=np.int64)
    np.add.at(lengths, (run, _parts(intervals)), end - start)
    lengths[:, -1] = finish - begin - lengths[:, :-1].sum(axis=1)
    is_open = np.zeros(runs, dtype=bool)
    is_open[run[intervals["is_open"].to_numpy(dtype=bool)]] = True
    return lengths, is_open


def _check(run: Integers, start: Integers, end: Integers) -> None:
    """Refuse stays of a run that overlap."""
    order = np.lexsort((end, start, run))
    follows = run[order][1:] == run[order][:-1]
    if (end < start).any() or (follows & (start[order][1:] < end[order][:-1])).any():
        raise FrameError("Some stays of a run overlap, or end before they begin: is a run in the intervals twice?")


def _parts(intervals: pd.DataFrame) -> Integers:
    """Give the place in `PARTS` of each stay."""
    kind, kinds = pd.factorize(intervals["state_type"], use_na_sentinel=False)
    name, names = pd.factorize(intervals["state_name"], use_na_sentinel=False)
    places = [[PARTS.index(part_of(str(one), str(other))) for other in names] for one in kinds]
    return np.array(places, dtype=np.int64).reshape(len(kinds), len(names))[kind, name]


def _joined(first: pd.DataFrame, runs: pd.DataFrame, by: list[str]) -> tuple[pd.DataFrame, int]:
    """Give the rows of intervals with the columns that are meant, and how many runs have no intervals."""
    ids = frames.id_column(runs)
    frames.require(runs, [ids], made_by="read_flow_runs() or read_task_runs()")
    wanted = [*by, *(["expected_start_time"] if {*by} & {*HOURS} else [])]
    columns = [name for name in dict.fromkeys(wanted) if name in runs.columns and name not in {"run_id", "run_kind"}]
    code, distinct = pd.factorize(pd.concat([first["run_id"].astype("str"), runs[ids].astype("str")]))
    of_runs = code[len(first) :]
    known = np.flatnonzero((of_runs >= 0) & (of_runs < len(first)))
    place = np.full(len(first), -1, dtype=np.int64)
    place[of_runs[known]] = known
    found = runs[columns].reset_index(drop=True).reindex(place)
    return first.assign(**{name: found[name].array for name in columns}), len(distinct) - len(first)


def _table(groups: Groups, lengths: Integers, is_open: Flags) -> pd.DataFrame:
    sums = np.zeros((len(groups), len(PARTS)), dtype=np.int64)
    np.add.at(sums, groups.number, lengths[groups.run])
    parts = dict(zip(PARTS, sums.T.astype("timedelta64[us]"), strict=True))
    data = {
        "runs": np.bincount(groups.number, minlength=len(groups)),
        "open_runs": np.bincount(groups.number[is_open[groups.run]], minlength=len(groups)),
        **parts,
        "spent": sums[:, ~np.isin(PARTS, _NOT_SPENT)].sum(axis=1).astype("timedelta64[us]"),
        "total": sums.sum(axis=1).astype("timedelta64[us]"),
    }
    return pd.concat([groups.keys, frames.typed(data, tables.TIME_SPENT)], axis=1)
