"""One read of one query: plan, count, pages, steps, order, cut, names, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.errors import ServerError, UnreachableError
from prefect_nbviz.order import Body, Order, Row, moment
from prefect_nbviz.plan import Plan, make_plan
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.reading.connection import Server
from prefect_nbviz.reading.counting import count
from prefect_nbviz.reading.names import names_by_id, rows_by_id, unknown_names
from prefect_nbviz.reading.pages import Pages
from prefect_nbviz.reading.rows import flow_run_frame, slim, task_run_frame
from prefect_nbviz.reading.worker import Progress


@dataclass(frozen=True)
class Answer:
    """What a read gives: the frame, and what there is to warn of."""

    frame: pd.DataFrame
    missing: str | None
    unknown: Sequence[str]


class Reader:
    """One read of one query from one server, as of its beginning."""

    def __init__(self, server: Server, query: RunQuery, progress: Progress, *, as_of: datetime | None = None) -> None:
        self.pages = Pages(server, query.kind)
        self._server = server
        self._query = query
        self._progress = progress
        self._as_of = as_of or datetime.now(UTC)
        self._rows: dict[str, Row] = {}
        self._reasons: list[str] = []
        self._broke_off = False
        self._plan: Plan | None = None

    async def plan(self) -> Plan:
        """Plan the query, once what must be read first has been; that is read no second time."""
        if self._plan is None:
            query, parents = await self._with_tree(), await self._parents()
            abilities = await self._server.abilities()
            self._plan = make_plan(query, now=self._as_of, parents=parents, abilities=abilities)
        return self._plan

    @property
    def missing(self) -> str | None:
        """What was left out so far, and why; what a plan leaves out is known once it is made."""
        return " ".join(self._reasons) or None

    async def read(self) -> Answer:
        """Read it, count what was left out, and say so."""
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
        frame.attrs[frames.ATTRS] = self.about() | {
            "matched": matched,
            "read": len(rows),
            "truncated": bool(self._reasons),
            "reason": self.missing,
            "done_here": plan.done_here(),
        }
        return Answer(frame, self.missing, await self._unknown_names(frame))

    async def _unknown_names(self, frame: pd.DataFrame) -> Sequence[str]:
        try:
            return [] if self._broke_off else await unknown_names(self._server, self.pages, self._query, frame)
        except ServerError:  # it is only a hint: what was read is not lost for want of it
            return []

    async def _read_parts(self, plan: Plan) -> bool:
        """Read as much of each part as the limit asks for; say whether nothing is left."""
        order = Order(plan.page_sort)
        try:
            is_whole = await self._read_some(plan, order, is_last=False)
            if is_whole and any(part.is_last for part in plan.parts):
                is_whole = await self._read_some(plan, Order("ID_DESC"), is_last=True)
                # Those that ended since the first look have left the last part: they are met now.
                is_whole &= await self._read_some(plan, order, is_last=False)
        except ServerError as error:
            if not self._rows:
                raise
            self._reasons.append(f"The read broke off after {len(self._rows):,} rows, which are kept. {error}")
            self._broke_off = True
            return False
        return is_whole

    async def _read_some(self, plan: Plan, order: Order, *, is_last: bool) -> bool:
        is_whole = True
        for part in (part for part in plan.parts if part.is_last is is_last):
            for body in plan.bodies(part):
                is_whole &= await self._read_body(plan, body, order)
        return is_whole

    async def _read_body(self, plan: Plan, body: Body, order: Order) -> bool:
        """Read one filter's runs until there are enough; say whether nothing is left."""
        taken = 0
        at_most = None if plan.steps or plan.reads_all else plan.limit
        async for group in self.pages.in_order(body, order, at_most=at_most):
            kept = [row for row in group if all(step.keeps(row) for step in plan.steps)]
            self._rows |= {row["id"]: slim(row, plan.kind) for row in kept}
            self._progress.done = len(self._rows)
            taken += len(kept)
            if self._is_enough(plan, taken):
                return False
        return True

    def _is_enough(self, plan: Plan, rows: int) -> bool:
        """Say whether one row more than the limit is there, so that a cut is known as one."""
        return plan.limit is not None and not plan.reads_all and rows > plan.limit

    def _left_out(self, read: int, matched: int | None) -> str:
        noun = self._query.kind.replace("_", " ") + "s"
        of = f"{matched:,}" if matched is not None else f"more than {read:,}"
        return f"Read the first {read:,} of {of} {noun} that match: pass limit=None for all, or narrow the query."

    async def _with_tree(self) -> RunQuery:
        """Give the query with the ids of the tree below its `ancestor`, which the server cannot follow."""
        query = self._query
        if not isinstance(query, FlowRunQuery) or query.ancestor is None:
            return query
        found: dict[str, None] = {}
        level: tuple[str, ...] = query.ancestor
        while level:
            children = await Reader(self._server, FlowRunQuery(parent=level, limit=None), Progress()).ids()
            level = tuple(child for child in children if child not in found)
            found |= dict.fromkeys(level)
        asked: Iterable[str] = found if query.ids is None else query.ids  # type: ignore[assignment]
        return query.replace(ancestor=None, ids=[one for one in asked if one in found])

    def about(self) -> dict[str, Any]:
        """Say what was asked of which server, as of when."""
        return {
            "kind": self._query.kind,
            "query": self._query.criteria(),
            "server": self._server.address,
            "as_of": self._as_of.isoformat(),
        }

    async def rows(self) -> list[Row]:
        """Read the rows of what matches, in order, or fail."""
        plan = await self.plan()
        await self._read_parts(plan)
        if self._broke_off:
            raise UnreachableError(" ".join(self._reasons))
        return Order(plan.sort).arrange(self._rows.values())[: plan.limit]

    async def ids(self) -> tuple[str, ...]:
        """Read the ids of what matches, in order, or fail."""
        return tuple(row["id"] for row in await self.rows())

    async def extreme(self, sort: str) -> datetime | None:
        """Give the first `expected_start_time` in an order, or None where nothing matches."""
        reader = Reader(self._server, self._query, Progress(), as_of=self._as_of)
        reader._plan = replace(await self.plan(), sort=sort, limit=1, reads_all=False)
        rows = await reader.rows()
        return moment(rows[0]["expected_start_time"]) if rows else None

    async def _parents(self) -> tuple[str, ...] | None:
        """Read the flow runs that task runs belong to, where filters alone would not give the same."""
        query = self._query
        if not isinstance(query, TaskRunQuery):
            return None
        ids = query.flow_runs
        if isinstance(query.flow_runs, FlowRunQuery):
            ids = await self._ids_of(query.flow_runs, may_ride=query.work_pool is None)
        if query.work_pool is not None:
            ids = await self._ids_of(FlowRunQuery(ids=ids, work_pool=query.work_pool, limit=None), may_ride=False)
        return ids if isinstance(query.flow_runs, FlowRunQuery) or query.work_pool is not None else None

    async def _ids_of(self, wanted: FlowRunQuery, *, may_ride: bool) -> tuple[str, ...] | None:
        """Read the ids of flow runs, or give None where their filters can ride along."""
        reader = Reader(self._server, wanted, Progress(), as_of=self._as_of)
        plan = await reader.plan()
        matched = await count(reader.pages, plan)
        is_cut = wanted.limit is not None and (matched is None or matched > wanted.limit)
        if may_ride and plan.rides_along and wanted.ancestor is None and not is_cut:
            return None
        ids = await reader.ids()
        if is_cut and len(ids) == wanted.limit:
            self._reasons.append(f"Of their flow runs: {reader._left_out(len(ids), matched)}")
        return ids

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
