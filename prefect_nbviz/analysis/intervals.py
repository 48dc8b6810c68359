"""Intervals: how long each run stayed in each of its states, and in which attempt."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.errors import FrameError, QueryError
from prefect_nbviz.frames import micros
from prefect_nbviz.states import STATE_TYPES, TERMINAL_STATE_TYPES

NEEDED = ("run_kind", "run_id", "run_name", "flow_run_id", "state_type", "state_name", "timestamp", "message")
"""The columns of `schema.STATES` that intervals are made of."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT = ("run_kind", "run_id", "run_name", "flow_run_id", "state_type", "state_name", "message")


def state_intervals(states: pd.DataFrame, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Give one row for each stay of a run in one state.

    A stay ends when the next state begins. A terminal state has no length, also when the run
    was started again later: the time in between belongs to no stay. The last state, if it is
    not terminal, is open and ends at `as_of`.

    An attempt begins when a run is scheduled, pending or running again after it ran or ended;
    a run that was paused and resumed is still in the same attempt.

    Parameters
    ----------
    states
        State histories with the columns of `schema.STATES`, in any order, as `read_states`
        gives them; `scheduled_time` and `source` may be missing. It is not changed.
    as_of
        The moment, with a time zone, up to which open stays last; unless told, the moment at
        which `states` was read.

    Returns
    -------
    pandas.DataFrame
        The columns of `schema.INTERVALS`, times in UTC, durations as timedeltas; runs in the
        order of their first state, the stays of each run in order of time.
        `attrs["prefect_nbviz"]` is that of `states`, with the `as_of` that was used.

    Raises
    ------
    FrameError
        `states` lacks a column, a run id or a timestamp, or does not know when it was read.
    QueryError
        `as_of` has no time zone.

    See Also
    --------
    https://docs.prefect.io/v3/concepts/states

    Examples
    --------
    >>> read = pd.DataFrame({
    ...     "run_kind": "task_run", "run_id": "a", "run_name": "load", "flow_run_id": "f", "message": None,
    ...     "state_type": ["PENDING", "RUNNING", "COMPLETED"], "state_name": ["Pending", "Running", "Completed"],
    ...     "timestamp": pd.to_datetime(["2026-01-01T06:00:00Z", "2026-01-01T06:00:01Z", "2026-01-01T06:00:31Z"]),
    ... })
    >>> spans = state_intervals(read, as_of=datetime(2026, 1, 1, 12, tzinfo=UTC))
    >>> [int(seconds) for seconds in spans["duration"].dt.total_seconds()]
    [1, 30, 0]
    """
    frames.require(states, NEEDED, made_by="read_states()")
    moment = _as_of(states, as_of)
    order, run = _order(states)
    history = states[[*NEEDED]].take(order)
    data = {name: history[name].array for name in _KEPT} | _stays(
        history, run, (moment - _EPOCH) // timedelta(microseconds=1)
    )
    spans = frames.typed(data, schema.INTERVALS)
    spans.attrs[frames.ATTRS] = {**copy.deepcopy(states.attrs.get(frames.ATTRS, {})), "as_of": moment.isoformat()}
    return spans


def _as_of(states: pd.DataFrame, as_of: datetime | None) -> datetime:
    if as_of is None:
        text = states.attrs.get(frames.ATTRS, {}).get("as_of")
        if text is None:
            raise FrameError("The states do not say when they were read: pass as_of=, such as datetime.now(UTC).")
        return utc("as_of", datetime.fromisoformat(text))
    return utc("as_of", as_of)


def utc(word: str, moment: datetime) -> datetime:
    """Take a moment with a time zone, to the microsecond.

    Raises
    ------
    QueryError
        It is none, or has no time zone.

    Examples
    --------
    >>> utc("as_of", datetime.fromisoformat("2026-01-01T07:00+01:00")).isoformat()
    '2026-01-01T06:00:00+00:00'
    """
    if not isinstance(moment, datetime) or pd.isna(moment):
        raise QueryError(f"{word} takes a datetime with a time zone, such as datetime.now(UTC); not {moment!r}.")
    if moment.utcoffset() is None:
        raise QueryError(
            f"{word} ({moment.isoformat()}) has no time zone: use .replace(tzinfo=UTC) if it is UTC, "
            "or .astimezone() for this machine's own."
        )
    return pd.Timestamp(moment).tz_convert("UTC").floor("us").to_pydatetime()


def _order(states: pd.DataFrame) -> tuple[Integers, Integers]:
    """Give the positions of the rows in the order of the result, whatever order they are in, and the run of each."""
    (run, ids), time = _runs(states["run_id"]), micros(states["timestamp"])
    if (run < 0).any() or states["timestamp"].isna().any():
        raise FrameError("Some states have no run_id or no timestamp: drop those rows, or read the states again.")
    first = np.full(len(ids), np.iinfo(np.int64).max)
    np.minimum.at(first, run, time)
    place = np.empty_like(first)
    place[_sorted((first,), lambda tied: (_ranks(ids[tied]),))] = np.arange(len(ids))

    def ties(tied: Integers) -> tuple[Integers, ...]:
        rows = states.take(tied)
        return _ranks(rows["message"]), _ranks(rows["state_name"]), _life(rows["state_type"])

    order = _sorted((time, place[run]), ties)
    return order, run[order]


def _runs(ids: pd.Series) -> tuple[Integers, pd.Index[str]]:
    """Give each row the number of its run, -1 where it is missing, and the ids by number."""
    texts = ids.astype("str").array
    # The rows of a run mostly stand together: to compare neighbours is cheaper than to look each id up.
    begins = np.append([True], np.asarray(texts[1:] != texts[:-1], dtype=bool))[: len(texts)]
    codes, distinct = pd.factorize(pd.Index(texts[begins]))
    run: Integers = codes[np.cumsum(begins) - 1]
    return run, distinct


def _sorted(keys: tuple[Integers, ...], ties: Callable[[Integers], tuple[Integers, ...]]) -> Integers:
    """Give positions in the order of keys, the last one first; `ties` gives more keys, of positions that need them."""
    order: Integers = np.lexsort(keys).astype(np.int64)
    as_before = np.logical_and.reduce([np.diff(key[order]) == 0 for key in keys])
    is_tied = np.append([False], as_before)[: len(order)] | np.append(as_before, [False])[: len(order)]
    tied, group = order[is_tied], np.cumsum(~np.append([False], as_before)[: len(order)])[is_tied]
    order[is_tied] = tied[np.lexsort((*ties(tied), group))]
    return order


def _ranks(texts: pd.Series | pd.Index[str]) -> Integers:
    """Give each text its place in the alphabet of all of them, and -1 where it is missing."""
    codes, distinct = pd.factorize(texts)
    place = np.full(len(distinct) + 1, -1, dtype=np.int64)
    place[pd.Index(distinct).astype("str").argsort()] = np.arange(len(distinct))
    return place[codes]


def _life(types: pd.Series) -> Integers:
    codes: Integers = pd.Categorical(types, dtype=frames.state_type_dtype()).codes.astype(np.int64)
    return codes


def _stays(history: pd.DataFrame, run: Integers, as_of: int) -> dict[str, npt.NDArray[np.generic]]:
    """Give what each row of an ordered history lasts; `as_of` is in microseconds since 1970."""
    first = np.diff(run, prepend=-1) != 0
    last = np.diff(run, append=-1) != 0
    start, life = micros(history["timestamp"]), _life(history["state_type"])
    terminal = _is(life, *TERMINAL_STATE_TYPES)
    end = np.where(last, np.maximum(start, as_of), np.append(start[1:], as_of))
    end = np.where(terminal, start, end)
    retrying = (history["state_name"] == "Retrying").to_numpy(dtype=bool)
    return {
        "attempt": _attempts(first, life, terminal, retrying),
        "start_time": start.astype("datetime64[us]"),
        "end_time": end.astype("datetime64[us]"),
        "duration": (end - start).astype("timedelta64[us]"),
        "is_open": last & ~terminal,
    }


def _is(life: Integers, *types: str) -> Flags:
    return np.isin(life, [STATE_TYPES.index(one) for one in types])


def _attempts(first: Flags, life: Integers, terminal: Flags, retrying: Flags) -> Integers:
    """Give the number of the attempt that each row belongs to, from 1 for each run."""
    running, waiting = _is(life, "RUNNING"), _is(life, "SCHEDULED", "PENDING")
    after_running, after_end = _after(running), _after(terminal)
    begins = (waiting & (after_running | after_end)) | (running & (after_end | (retrying & after_running)))
    total: Integers = np.cumsum(begins, dtype=np.int64)
    # What begins at the first row of a run is taken off again, and with it what the run before left behind.
    before: Integers = np.maximum.accumulate(np.where(first, total, 0))
    return total - before + 1


def _after(flags: Flags) -> Flags:
    """Tell of each row whether the row before it has the flag."""
    return np.append([False], flags[:-1])[: len(flags)]
