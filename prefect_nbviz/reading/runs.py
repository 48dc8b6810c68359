"""Read flow runs and task runs into frames that are complete or say what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from prefect_nbviz.errors import IncompleteWarning, warn
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery, as_query, query_of_either
from prefect_nbviz.reading.answer import Answer
from prefect_nbviz.reading.columns import chosen
from prefect_nbviz.reading.connection import Connection, as_connection
from prefect_nbviz.reading.counting import tally
from prefect_nbviz.reading.past_reads import PastReads, key_of
from prefect_nbviz.reading.reader import Reader
from prefect_nbviz.reading.worker import Progress, Report, run
from prefect_nbviz.states import STATE_TYPES

_PAST_READS = PastReads()
"""The reads of this process that can be read again."""


def read_flow_runs(
    query: FlowRunQuery | None = None,
    *,
    connection: Connection | None = None,
    progress: bool | Report = True,
    fresh: bool = False,
    columns: str | Iterable[str] | None = None,
    **criteria: Any,
) -> pd.DataFrame:
    """Read the flow runs that match, past the server's 200 rows a page.

    Where thousands of runs are read again in the same process, all or the first by expected start, only what can have
    changed is asked for: runs that had not ended, runs that ended since, and stretches of time for which the server
    gives other counts, or other sums of run times, by state than the rows that are kept. What this cannot see is a
    change to a run that had ended, if its end and those figures stay as they were: above all a new name or other tags;
    also the same state set once more by hand, or a run deleted while another of its state and times, with an end of
    long ago, was written. Pass `fresh=True` where that matters.

    Parameters
    ----------
    query
        What is asked; all criteria are also keywords (see `FlowRunQuery`), and keywords win.
    connection
        Another server than that of the active Prefect profile.
    progress
        True shows a bar when the read lasts; a function is called with rows read and rows that
        match (None: not known), and, if it has a parameter `note`, with what is waited for.
    fresh
        Whether to read all anew, whatever was read before.
    columns
        The name of one column of the frame, or of many in their order; all unless told. What other columns alone
        need is neither parsed nor kept, and names of flows and deployments are looked up only for their columns.
    **criteria
        The fields of `FlowRunQuery`: `flow="daily_ingest"`, `since="1d"`, `limit=None`, ….

    Returns
    -------
    pandas.DataFrame
        One row for each flow run in the order of `sort`, with the columns of `schema.FLOW_RUNS`, or those asked for;
        times are UTC, `duration` and `lateness` timedeltas. `frame.attrs["prefect_nbviz"]` is a
        plain dict: `kind`, `query`, `server` (without secrets), `as_of` (ISO text, UTC), `matched`
        (rows that match, None where only reading all would tell), `read`, `kept` (of these, rows from an
        earlier read that were not asked for again), `truncated`, `reason` (why, if it is), `done_here` (what
        the server cannot do and the reader did).

    Raises
    ------
    QueryError
        A criterion that cannot be, or no such column; or, without a limit, more matches than fits into memory.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be read at all.
    ReadInterrupted
        An interrupt (the kernel's stop button, Ctrl-C), after some rows were read; its `frame` has them.

    Warns
    -----
    IncompleteWarning
        More matches than was read: more than `limit`, or the server failed in the middle, for longer than
        `Connection.patience`.
    UnknownNameWarning
        Nothing on the server has a flow, deployment, tag or state name that was asked for.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/read-flow-runs

    Examples
    --------
    >>> runs = read_flow_runs(flow="daily_ingest", tags_all=["prod"], since="1d")  # doctest: +SKIP
    """
    return read_runs(
        as_query(FlowRunQuery, query, criteria), connection, progress=progress, fresh=fresh, columns=columns
    )


def read_task_runs(
    query: TaskRunQuery | None = None,
    *,
    connection: Connection | None = None,
    progress: bool | Report = True,
    fresh: bool = False,
    columns: str | Iterable[str] | None = None,
    **criteria: Any,
) -> pd.DataFrame:
    """Read the task runs that match, past the server's 200 rows a page.

    Reading thousands of runs again asks only for what can have changed, as `read_flow_runs` says. Servers before
    3.6.29 cannot tell which task runs ended since; from those all are read.

    Parameters
    ----------
    query
        What is asked; all criteria are also keywords (see `TaskRunQuery`), and keywords win.
    connection, progress, fresh, columns
        As in `read_flow_runs`.
    **criteria
        The fields of `TaskRunQuery`: `flow_runs=runs`, `tags_any=["etl", "billing"]`, ….

    Returns
    -------
    pandas.DataFrame
        One row for each task run in the order of `sort`, with the columns of `schema.TASK_RUNS`, or those asked for;
        times are UTC, `duration` a timedelta; `attrs` as in `read_flow_runs`.

    Raises
    ------
    QueryError, NotConnectedError, UnreachableError, AuthenticationError, RefusedError, ReadInterrupted
        As in `read_flow_runs`.

    Warns
    -----
    IncompleteWarning, UnknownNameWarning
        As in `read_flow_runs`; also where `flow_runs` is a query of which `limit` left out some.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/task-runs/read-task-runs

    Examples
    --------
    >>> failed = read_task_runs(state_type="FAILED", flow_runs=FlowRunQuery(since="1d"))  # doctest: +SKIP
    """
    return read_runs(
        as_query(TaskRunQuery, query, criteria), connection, progress=progress, fresh=fresh, columns=columns
    )


def read_state_type_counts(
    query: FlowRunQuery | TaskRunQuery | None = None,
    *,
    connection: Connection | None = None,
    progress: bool | Report = True,
    **criteria: Any,
) -> dict[str, int | None]:
    """Count by state type the runs that match a query but for its `state_type`, `sort` and `limit`.

    Parameters
    ----------
    query, **criteria
        As in `count_runs`.
    connection, progress
        As in `read_flow_runs`.

    Returns
    -------
    dict
        For each state type, how many runs; None where only reading them all would tell
        (see `attrs["prefect_nbviz"]["done_here"]`).

    Raises
    ------
    QueryError, NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        As in `count_runs`.

    Warns
    -----
    IncompleteWarning
        As in `count_runs`.

    Examples
    --------
    >>> read_state_type_counts(TaskRunQuery(since="1d"))["FAILED"]  # doctest: +SKIP
    17
    """
    every_type = query_of_either(query, criteria).replace(sort="ID_DESC", state_type=None)

    async def work(state: Progress) -> tuple[dict[str, int | None], str | None]:
        async with as_connection(connection).open(state) as server:
            reader = Reader(server, every_type, Progress())
            counts = await tally(reader.pages.state_types, await reader.plan())
            return {kind: None if counts is None else counts[kind] for kind in STATE_TYPES}, reader.missing

    counts, missing = run(work, progress=progress, unit="counts")
    if missing:
        warn(missing, IncompleteWarning, stacklevel=2)
    return counts


def read_runs(
    query: RunQuery,
    connection: Connection | None,
    *,
    progress: bool | Report = True,
    fresh: bool = False,
    columns: str | Iterable[str] | None = None,
    past_reads: PastReads = _PAST_READS,
) -> pd.DataFrame:
    """Read the runs that match, as `read_flow_runs` and `read_task_runs` do, with a memory of earlier reads.

    What is read every few seconds has one of its own, `PastReads(at_least=PAYS_FROM)`: it is worth it for smaller reads
    then, and what reading again cannot see is seen when the person asks with `fresh`.
    """
    server_of, asked = as_connection(connection), chosen(query.kind, columns)

    async def work(state: Progress) -> Answer:
        async with server_of.open(state) as server:
            key = key_of(server_of, query), asked
            answer = await Reader(server, query, state, columns=asked).read(None if fresh else past_reads.get(key))
            if answer.kept is not None:
                past_reads.put(key, answer.kept)
            return answer

    return run(work, progress=progress, unit=f"{query.noun}s").warn(stacklevel=3)
