"""Read flow runs and task runs into frames that are complete or say what is missing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.errors import IncompleteWarning, ServerError, UnknownNameWarning
from prefect_nbviz.order import Order, Row
from prefect_nbviz.plan import Plan, make_plan
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery, as_query
from prefect_nbviz.reading.connection import Connection, Server
from prefect_nbviz.reading.counting import count, tally
from prefect_nbviz.reading.names import names_by_id, rows_by_id, unknown_names
from prefect_nbviz.reading.pages import Pages
from prefect_nbviz.reading.rows import flow_run_frame, slim, task_run_frame
from prefect_nbviz.reading.worker import Progress, Report, run
from prefect_nbviz.states import STATE_TYPES


def read_flow_runs(
    query: FlowRunQuery | None = None,
    *,
    connection: Connection | None = None,
    progress: bool | Report = True,
    **criteria: Any,
) -> pd.DataFrame:
    """Read the flow runs that match, past the server's 200 rows a page.

    Parameters
    ----------
    query
        What is asked; all criteria are also keywords (see `FlowRunQuery`), and keywords win.
    connection
        Another server than that of the active Prefect profile.
    progress
        True shows a bar when the read lasts; a function is called with rows read and rows that
        match (None: not known).
    **criteria
        The fields of `FlowRunQuery`: `flow="daily_ingest"`, `since="1d"`, `limit=None`, ….

    Returns
    -------
    pandas.DataFrame
        One row for each flow run in the order of `sort`, with the columns of `schema.FLOW_RUNS`;
        times are UTC, `duration` and `lateness` timedeltas. `frame.attrs["prefect_nbviz"]` is a
        plain dict: `kind`, `query`, `server` (without secrets), `as_of` (ISO text, UTC), `matched`
        (rows that match, None where only reading all would tell), `read`, `truncated`, `reason`
        (why, if it is), `done_here` (what the server cannot do and the reader did).

    Raises
    ------
    QueryError
        A criterion that cannot be.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be read at all.

    Warns
    -----
    IncompleteWarning
        More matches than was read: more than `limit`, or the server failed in the middle.
    UnknownNameWarning
        Nothing on the server has a flow, deployment, tag or state name that was asked for.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/read-flow-runs

    Examples
    --------
    >>> runs = read_flow_runs(flow="daily_ingest", tags_all=["prod"], since="1d")  # doctest: +SKIP
    """
    return _read(as_query(FlowRunQuery, query, criteria), connection, progress)


def read_task_runs(
    query: TaskRunQuery | None = None,
    *,
    connection: Connection | None = None,
    progress: bool | Report = True,
    **criteria: Any,
) -> pd.DataFrame:
    """Read the task runs that match, past the server's 200 rows a page.

    Parameters
    ----------
    query
        What is asked; all criteria are also keywords (see `TaskRunQuery`), and keywords win.
    connection, progress
        As in `read_flow_runs`.
    **criteria
        The fields of `TaskRunQuery`: `flow_runs=runs`, `tags_any=["etl", "billing"]`, ….

    Returns
    -------
    pandas.DataFrame
        One row for each task run in the order of `sort`, with the columns of `schema.TASK_RUNS`;
        times are UTC, `duration` a timedelta; `attrs` as in `read_flow_runs`.

    Raises
    ------
    QueryError, NotConnectedError, UnreachableError, AuthenticationError, RefusedError
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
    return _read(as_query(TaskRunQuery, query, criteria), connection, progress)


def read_state_type_counts(
    query: FlowRunQuery | TaskRunQuery, *, connection: Connection | None = None
) -> dict[str, int | None]:
    """Count by state type the runs that match a query but for its `state_type`, `sort` and `limit`.

    Returns
    -------
    dict
        For each state type, how many runs; None where only reading them all would tell
        (see `attrs["prefect_nbviz"]["done_here"]`).

    Raises
    ------
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be asked.
    """
    every_type = query.replace(sort="ID_DESC", state_type=None)

    async def work(_: Progress) -> dict[str, int | None]:
        async with (connection or Connection()).open() as server:
            reader = _Reader(server, every_type, Progress())
            counts = await tally(reader.pages.state_types, await reader.plan())
            return {kind: None if counts is None else counts[kind] for kind in STATE_TYPES}

    return run(work, progress=False, unit="counts")


def _read(query: RunQuery, connection: Connection | None, progress: bool | Report) -> pd.DataFrame:  # noqa: FBT001 - the caller's
    async def work(state: Progress) -> _Answer:
        async with (connection or Connection()).open() as server:
            return await _Reader(server, query, state).read()

    noun = query.kind.replace("_", " ") + "s"
    answer = run(work, progress=progress, unit=noun)
    for sentence in answer.unknown:
        warnings.warn(sentence, UnknownNameWarning, stacklevel=3)
    if answer.missing:
        warnings.warn(answer.missing, IncompleteWarning, stacklevel=3)
    return answer.frame


@dataclass(frozen=True)
class _Answer:
    """What a read gives: the frame, and what there is to warn of."""

    frame: pd.DataFrame
    missing: str | None
    unknown: Sequence[str]


class _Reader:
    """One read of one query from one server, as of its beginning."""

    def __init__(self, server: Server, query: RunQuery, progress: Progress) -> None:
        self.pages = Pages(server, query.kind)
        self._server = server
        self._query = query
        self._progress = progress
        self._as_of = datetime.now(UTC)
        self._rows: dict[str, Row] = {}
        self._reasons: list[str] = []
        self._broke_off = False

    async def plan(self) -> Plan:
        """Plan the query, once its parents are known."""
        return make_plan(self._query, now=self._as_of, parents=await self._parents())

    async def read(self) -> _Answer:
        plan = await self.plan()
        matched = self._progress.total = await count(self.pages, plan)
        is_whole = matched == 0 or await self._read_parts(plan)
        rows = Order(self._query.sort).arrange(self._rows.values())
        limit = self._query.limit
        is_cut = not is_whole or (limit is not None and len(rows) > limit)
        rows = rows[:limit]
        if not is_cut:
            matched = len(rows)
        else:
            matched = None if matched is None else max(matched, len(self._rows))
            if not self._broke_off:
                self._reasons.append(self._left_out(len(rows), matched))
        frame = await self._named_frame(rows)
        frame.attrs[frames.ATTRS] = {
            "kind": self._query.kind,
            "query": self._query.criteria(),
            "server": self._server.address,
            "as_of": self._as_of.isoformat(),
            "matched": matched,
            "read": len(rows),
            "truncated": bool(self._reasons),
            "reason": " ".join(self._reasons) or None,
            "done_here": plan.done_here(),
        }
        return _Answer(frame, " ".join(self._reasons) or None, await self._unknown_names(frame))

    async def _unknown_names(self, frame: pd.DataFrame) -> Sequence[str]:
        try:
            return [] if self._broke_off else await unknown_names(self._server, self.pages, self._query, frame)
        except ServerError:  # it is only a hint: what was read is not lost for want of it
            return []

    async def _read_parts(self, plan: Plan) -> bool:
        """Read as much of each part as the limit asks for; say whether nothing is left."""
        is_whole = True
        try:
            for is_last in (False, True):
                for part in (part for part in plan.parts if part.is_last is is_last):
                    if is_last and self._is_enough(len(self._rows)):
                        return False
                    for body in plan.bodies(part):
                        order = Order("ID_DESC") if is_last else Order(self._query.sort)
                        is_whole &= await self._read_body(plan, body, order)
        except ServerError as error:
            if not self._rows:
                raise
            self._reasons.append(f"The read broke off after {len(self._rows):,} rows, which are kept. {error}")
            self._broke_off = True
            return False
        return is_whole

    async def _read_body(self, plan: Plan, body: Any, order: Order) -> bool:
        """Read one filter's runs until there are enough; say whether nothing is left."""
        taken = 0
        at_most = None if plan.steps else self._query.limit
        async for group in self.pages.in_order(body, order, at_most=at_most):
            kept = [row for row in group if all(step.keeps(row) for step in plan.steps)]
            self._rows |= {row["id"]: slim(row, plan.kind) for row in kept}
            self._progress.done = len(self._rows)
            taken += len(kept)
            if self._is_enough(taken):
                return False
        return True

    def _is_enough(self, rows: int) -> bool:
        """Say whether one row more than the limit is there, so that a cut is known as one."""
        return self._query.limit is not None and rows > self._query.limit

    def _left_out(self, read: int, matched: int | None) -> str:
        noun = self._query.kind.replace("_", " ") + "s"
        of = f"{matched:,}" if matched is not None else f"more than {read:,}"
        return f"Read the first {read:,} of {of} {noun} that match: pass limit=None for all, or narrow the query."

    async def _parents(self) -> tuple[str, ...] | None:
        """Read the flow runs of a `flow_runs` query where filters alone would not give the same."""
        query = self._query
        if not isinstance(query, TaskRunQuery) or not isinstance(query.flow_runs, FlowRunQuery):
            return None
        reader = _Reader(self._server, query.flow_runs, Progress())
        plan = await reader.plan()
        limit = query.flow_runs.limit
        matched = await count(reader.pages, plan)
        if not plan.steps and (limit is None or (matched is not None and matched <= limit)):
            return None
        answer = await reader.read()
        if answer.missing:
            self._reasons.append(f"Of their flow runs: {answer.missing}")
        return tuple(answer.frame["flow_run_id"])

    async def _named_frame(self, rows: Sequence[Row]) -> pd.DataFrame:
        """Make the frame, with names behind ids; rows that were read are not lost for want of them."""
        try:
            return await self._frame(rows)
        except ServerError as error:
            self._reasons.append(f"The names of flows, deployments and flow runs are missing. {error}")
            self._broke_off = True
            return (
                flow_run_frame(rows, flows={}, deployments={}, as_of=self._as_of)
                if self._query.kind == "flow_run"
                else task_run_frame(rows, flow_runs={}, flows={})
            )

    async def _frame(self, rows: Sequence[Row]) -> pd.DataFrame:
        if self._query.kind == "flow_run":
            flows = await names_by_id(self._server, "flows", (row["flow_id"] for row in rows))
            deployments = await names_by_id(self._server, "deployments", (row["deployment_id"] for row in rows))
            return flow_run_frame(rows, flows=flows, deployments=deployments, as_of=self._as_of)
        parents = await rows_by_id(self._server, "flow_runs", (row["flow_run_id"] for row in rows))
        names = await names_by_id(self._server, "flows", (row["flow_id"] for row in parents))
        return task_run_frame(
            rows,
            flow_runs={row["id"]: row["name"] for row in parents},
            flows={row["id"]: names.get(row["flow_id"]) for row in parents},
        )
