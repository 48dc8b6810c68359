"""Count runs without reading them, in all and over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta, tzinfo
from itertools import groupby, pairwise
from typing import Any

import pandas as pd

from prefect_nbviz import bins, frames, schema
from prefect_nbviz.errors import IncompleteWarning, warn
from prefect_nbviz.order import Body, Row, iso
from prefect_nbviz.plan import Plan
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery, query_of_either
from prefect_nbviz.reading.connection import Connection, as_connection
from prefect_nbviz.reading.counting import count, tally
from prefect_nbviz.reading.reader import Reader
from prefect_nbviz.reading.worker import Progress, Report, run

_BINS_PER_REQUEST = 500
"""What the server gives with one."""

_Key = tuple[str, str | None, str | None]
"""Beginning of a bin, state type, state name."""


def count_runs(
    query: FlowRunQuery | TaskRunQuery | None = None,
    *,
    connection: Connection | None = None,
    progress: bool | Report = True,
    **criteria: Any,
) -> int:
    """Count the runs that match, whatever the query's `limit`.

    The server counts them (`POST /…/count`), with one request for most queries. Where a criterion is done by
    the reader (see `query.plan()`), all rows are read to count them.

    Parameters
    ----------
    query
        Which runs, of the kind that it is of.
    connection, progress
        As in `read_flow_runs`.
    **criteria
        Criteria of the query to change; without a query they could be about either kind of run.

    Raises
    ------
    QueryError
        There is no query, or a criterion cannot be.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be asked, or broke off.

    Warns
    -----
    IncompleteWarning
        `flow_runs` of task runs is a query of which its own `limit` left out some: it is part of what is asked,
        as in `read_task_runs`.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/task-runs/count-task-runs

    Examples
    --------
    >>> count_runs(TaskRunQuery(state_type="FAILED", since="1d"))  # doctest: +SKIP
    17
    """
    everything = query_of_either(query, criteria).replace(limit=None, sort="ID_DESC")

    async def work(state: Progress) -> tuple[int, str | None]:
        async with as_connection(connection).open(state) as server:
            reader = Reader(server, everything, state)
            counted = await count(reader.pages, await reader.plan())
            return len(await reader.ids()) if counted is None else counted, reader.missing

    counted, missing = run(work, progress=progress, unit="runs")
    if missing:
        warn(missing, IncompleteWarning, stacklevel=2)
    return counted


def read_run_counts(
    query: FlowRunQuery | TaskRunQuery | None = None,
    *,
    freq: str | timedelta = "1h",
    tz: str | tzinfo = "UTC",
    connection: Connection | None = None,
    progress: bool | Report = True,
    **criteria: Any,
) -> pd.DataFrame:
    """Count the runs that match over time, by state type and state name, whatever the query's `limit`.

    The server counts them (`POST /…/history`), so that a month of a big server takes a request or two, and no
    rows. Where a criterion is done by the reader, the rows are read to count them.

    Parameters
    ----------
    query, **criteria
        As in `count_runs`.
    freq
        Length of a bin, as pandas writes it: `"15min"`, `"1h"`, `"1D"`, `"B"`, `"MS"`; a second at least.
    tz
        Time zone whose days the bins follow: bins of a day begin at its midnight, also when its clocks change (at
        the first of two, or after the leap over it), shorter ones are laid from the midnight before the first run.
    connection, progress
        As in `read_flow_runs`.

    Returns
    -------
    pandas.DataFrame
        One row for each bin, state type and state name that has runs, with the columns of `schema.RUN_COUNTS`.
        A run is in the bin of its `expected_start_time`, as on the server; bins hold their beginning and not
        their end. `attrs["prefect_nbviz"]` tells `query`, `server`, `as_of`, `matched` (how many runs the server
        counts in all), `read` (the sum of `runs`), `truncated`, `reason` (why, if it is), `freq`, `tz`.

    Raises
    ------
    QueryError
        There is no query, a criterion, `freq` or `tz` cannot be, or there would be more than `bins.MOST_BINS` bins.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be asked, or broke off.

    Warns
    -----
    IncompleteWarning
        As in `count_runs`; also where the bins do not add up to the runs that match.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/flow-run-history

    Examples
    --------
    >>> counts = read_run_counts(TaskRunQuery(since="4w"), freq="1D", tz="Europe/Berlin")  # doctest: +SKIP
    """
    freq, tz = bins.check(freq, tz)
    everything = query_of_either(query, criteria).replace(limit=None, sort="EXPECTED_START_TIME_ASC")

    async def work(state: Progress) -> pd.DataFrame:
        async with as_connection(connection).open(state) as server:
            reader = Reader(server, everything, state)
            plan = await reader.plan()
            counted = await count(reader.pages, plan)
            if counted is None:
                rows = await reader.rows()
                counted, frame = len(rows), _of_rows(rows, freq, tz)
            else:
                frame = await _of_history(reader, plan, freq, tz)
            frame.attrs[frames.ATTRS] = reader.about() | {
                "kind": "run_counts",
                **await _held(frame, reader, plan, counted),
                "freq": freq,
                "tz": tz,
            }
            return frame

    frame = run(work, progress=progress, unit="runs")
    if reason := frame.attrs[frames.ATTRS]["reason"]:
        warn(reason, IncompleteWarning, stacklevel=2)
    return frame


async def _held(frame: pd.DataFrame, reader: Reader, plan: Plan, counted: int) -> dict[str, Any]:
    """Say how many runs the bins hold of how many; the server counted some before they were."""
    held = int(frame["runs"].sum())
    again = counted if held == counted else await count(reader.pages, plan)
    matched = counted if again is None else again
    reasons = [] if reader.missing is None else [reader.missing]
    if min(counted, matched) <= held <= max(counted, matched):
        matched = held  # the number went past it while they were counted
    else:
        reasons.append(
            f"The bins hold {held:,} runs where {matched:,} match: some came or went meanwhile, "
            "or have no expected start. Count again."
        )
    reason = " ".join(reasons) or None
    return {"matched": matched, "read": held, "truncated": bool(reasons), "reason": reason}


async def _of_history(reader: Reader, plan: Plan, freq: str, tz: str) -> pd.DataFrame:
    first, last = [await reader.extreme(sort) for sort in ("EXPECTED_START_TIME_ASC", "EXPECTED_START_TIME_DESC")]
    if first is None or last is None:
        return frames.empty(schema.RUN_COUNTS)
    edges = bins.edges(pd.Timestamp(first), pd.Timestamp(last), freq, tz)
    counts: Counter[_Key] = Counter()
    for start, end, seconds in _stretches(edges):

        async def measure(body: Body, start: str = start, end: str = end, seconds: float = seconds) -> Counter[_Key]:
            return await reader.pages.history(body, start=start, end=end, seconds=seconds)

        counts.update(await tally(measure, plan) or {})
    return _frame(counts, edges)


def _stretches(edges: pd.DatetimeIndex) -> Iterator[tuple[str, str, float]]:
    """Cut the bins into stretches of one length, short enough for a request: beginning, end, seconds of a bin."""
    lengths = [end - start for start, end in pairwise(edges)]
    for length, group in groupby(range(len(lengths)), key=lengths.__getitem__):
        places = [*group]
        for place in range(places[0], places[-1] + 1, _BINS_PER_REQUEST):
            end = edges[min(place + _BINS_PER_REQUEST, places[-1] + 1)]
            yield iso(edges[place].to_pydatetime()), iso(end.to_pydatetime()), length.total_seconds()


def _of_rows(rows: Sequence[Row], freq: str, tz: str) -> pd.DataFrame:
    data = {column.name: [row[column.name] for row in rows] for column in bins.COUNTED}
    return bins.counts(frames.typed(data, bins.COUNTED), freq, tz)


def _frame(counts: Counter[_Key], edges: pd.DatetimeIndex) -> pd.DataFrame:
    ends = {iso(start.to_pydatetime()): end for start, end in pairwise(edges)}
    rows = [(start, kind, name, runs) for (start, kind, name), runs in counts.items() if runs and start in ends]
    data = {
        "bin_start": [start for start, *_ in rows],
        "bin_end": [iso(ends[start].to_pydatetime()) for start, *_ in rows],
        "state_type": [kind for _, kind, _, _ in rows],
        "state_name": [name for _, _, name, _ in rows],
        "runs": [runs for *_, runs in rows],
    }
    order = ["bin_start", "state_type", "state_name"]
    return frames.typed(data, schema.RUN_COUNTS).sort_values(order, ignore_index=True)
