"""One read of one query: plan, count, pages, steps, order, cut, names, and what is missing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.abilities import NEWEST, OLDEST
from prefect_nbviz.errors import ServerError
from prefect_nbviz.forms import PartialIds
from prefect_nbviz.order import Row, moment
from prefect_nbviz.plan import Plan, make_plan
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.reading import memory
from prefect_nbviz.reading.again import Again, can_be_read_again
from prefect_nbviz.reading.answer import Answer
from prefect_nbviz.reading.columns import chosen, fields, ids_behind, inside
from prefect_nbviz.reading.connection import Server
from prefect_nbviz.reading.counting import count
from prefect_nbviz.reading.harvest import Harvest
from prefect_nbviz.reading.names import columns_of_names, unknown_names
from prefect_nbviz.reading.pages import Pages
from prefect_nbviz.reading.past_reads import Kept
from prefect_nbviz.reading.rows import Names, run_frame, with_names
from prefect_nbviz.reading.shapes import rows_of
from prefect_nbviz.reading.worker import Progress, together


class Reader:
    """One read of one query from one server, as of its beginning."""

    def __init__(
        self,
        server: Server,
        query: RunQuery,
        progress: Progress,
        *,
        columns: Sequence[str] | None = None,
        as_of: datetime | None = None,
    ) -> None:
        self.pages = Pages(server, query.kind)
        self._server = server
        self._query = query
        self._asked = chosen(query.kind, columns)
        self._columns = inside(query.kind, self._asked, query.sort)
        self._behind = ids_behind(query.kind, self._asked)
        self._progress = progress
        self._as_of = as_of or datetime.now(UTC)
        self._reasons: list[str] = []
        self._broke_off = False
        self._is_cut = False
        self._plan: Plan | None = None

    async def plan(self) -> Plan:
        """Plan the query, once what must be read first has been; that is read no second time."""
        if self._plan is None:
            handed_in = [getattr(self._query, word, None) for word in ("flow_runs", "parent", "ancestor")]
            self._reasons += [f"Of the flow runs: {ids.reason}" for ids in handed_in if isinstance(ids, PartialIds)]
            plan = partial(make_plan, await self._with_tree(), now=self._as_of, parents=await self._parents())
            is_asked_alike = plan(abilities=OLDEST) == plan(abilities=NEWEST)  # then no version is worth a request
            self._plan = plan(abilities=NEWEST if is_asked_alike else await self._server.abilities())
            self.pages.shape = rows_of(fields(self._columns, self._plan))
        return self._plan

    @property
    def missing(self) -> str | None:
        """What was left out so far, and why; what a plan leaves out is known once it is made."""
        return " ".join(self._reasons) or None

    async def read(self, kept: Kept | None = None) -> Answer:
        """Read it, or what can have changed since it was kept; count what was left out, and say so."""
        plan = await self.plan()
        again = None if kept is None else await self._again(plan, kept)
        if again is None:
            harvest, matched = await self._whole(plan)
            frame = await self._framed(harvest)
        else:
            matched = again.matched
            ids = {field: again.frame[field].dropna().unique() for field in self._behind.values()}
            frame = with_names(again.frame, **await self._names(ids))
            if matched > len(frame):
                self._cut(len(frame), matched)
        is_to_keep = len(self._reasons) == self._is_cut and can_be_read_again(plan, frame, NEWEST, is_cut=self._is_cut)
        unknown = await self._unknown_names(frame)
        held, frame = Kept(frame, self._as_of, is_cut=self._is_cut), frame[[*self._asked]]
        frame.attrs[frames.ATTRS] = self.about() | {
            "matched": matched,
            "read": len(frame),
            "kept": 0 if again is None else again.kept,
            "truncated": bool(self._reasons),
            "reason": self.missing,
            "done_here": plan.done_here(),
        }
        missing = [self.missing] if self.missing else []
        return Answer(frame, missing, unknown, held if is_to_keep else None)

    async def _again(self, plan: Plan, kept: Kept) -> Again | None:
        """Read what can have changed, or give None where all must be read."""
        again = Again(self.pages, plan, kept, columns=self._columns, as_of=self._as_of)
        try:
            if not can_be_read_again(plan, kept.frame, await self._server.abilities(), is_cut=kept.is_cut):
                return None
            return again if await again.read(self._progress) else None
        except ServerError:  # reading all tells how far it gets
            return None

    async def _whole(self, plan: Plan) -> tuple[Harvest, int | None]:
        """Read all of it, as far as its limit goes; give also how many match."""
        harvest = Harvest(self.pages, plan, self._progress)
        if is_whole := await self._gather(harvest, harvest.begin()):
            matched: int | None = len(harvest.rows)
        else:
            matched, is_whole = await together(self._count(plan), self._gather(harvest, harvest.read()))
        if is_whole and matched is not None and len(harvest.rows) < matched:
            is_whole = await self._gather(harvest, self._read_again(harvest, plan))
        limit, met = self._query.limit, len(harvest.rows)
        is_cut = not is_whole or (limit is not None and met > limit)
        if not is_cut:
            matched = met
        else:
            matched = None if matched is None else max(matched, met)
            if not self._broke_off:
                self._cut(met if limit is None else min(met, limit), matched)
        return harvest, matched

    async def _unknown_names(self, frame: pd.DataFrame) -> Sequence[str]:
        try:
            return [] if self._broke_off else await unknown_names(self._server, self.pages, self._query, frame)
        except ServerError:  # it is only a hint: what was read is not lost for want of it
            return []

    async def _count(self, plan: Plan) -> int | None:
        """Count what matches, as the total of the progress; None where the server cannot tell, or would not."""
        with contextlib.suppress(ServerError):  # rows that are read meanwhile are not lost for want of a number
            self._progress.total = await count(self.pages, plan)
        matched = self._progress.total
        if matched is not None and self._query.limit is None:
            memory.refuse_too_many(matched, f"{self._query.noun}s")
        return matched

    async def _gather(self, harvest: Harvest, reading: Awaitable[bool]) -> bool:
        """Read the rows, as far as the server lets us; say whether nothing is left."""
        try:
            return await reading
        except ServerError as error:
            if not harvest.rows:
                raise
            self._reasons.append(
                f"The read broke off after {len(harvest.rows):,} rows, which are kept but need not be the first. {error}"
            )
            self._broke_off = True
            return False

    async def _read_again(self, harvest: Harvest, plan: Plan) -> bool:
        """Read again where fewer were met than match: some had the time or name that is read by changed meanwhile."""
        if (await count(self.pages, plan) or 0) <= len(harvest.rows):
            return True  # those that are missing were deleted, or no longer match
        is_whole = await harvest.read()
        there = await count(self.pages, plan) or 0
        if is_whole and there > len(harvest.rows):
            self._reasons.append(
                f"{there - len(harvest.rows):,} of {there:,} that match were not met, since runs changed while they were "
                "read: read again."
            )
        return is_whole

    def _cut(self, read: int, matched: int | None) -> None:
        """Keep account of what the limit left out."""
        self._is_cut = True
        self._reasons.append(self._left_out(read, matched))

    def _left_out(self, read: int, matched: int | None) -> str:
        of = f"{matched:,}" if matched is not None else f"more than {read:,}"
        return f"Read the first {read:,} of {of} {self._query.noun}s that match: pass limit=None for all, or narrow the query."

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
        harvest = Harvest(self.pages, plan, self._progress)
        await harvest.read()
        return harvest.arranged()[: plan.limit]

    async def ids(self) -> tuple[str, ...]:
        """Read the ids of what matches, in order, or fail."""
        return tuple(row["id"] for row in await self.rows())

    async def extreme(self, sort: str) -> datetime | None:
        """Give the first `expected_start_time` in an order, or None where nothing matches."""
        reader = Reader(self._server, self._query, Progress(), as_of=self._as_of)
        reader._plan, reader.pages = replace(await self.plan(), sort=sort, limit=1, reads_all=False), self.pages
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
            self._reasons.append(f"Of the flow runs: {reader._left_out(len(ids), matched)}")
        return ids

    async def _framed(self, harvest: Harvest) -> pd.DataFrame:
        """Make the frame in a thread of its own while the names are on their way."""
        limit = self._query.limit
        rows = harvest.rows.values() if limit is None else harvest.arranged()[:limit]
        ids = {field: dict.fromkeys(row[field] for row in rows) for field in self._behind.values()}
        names, frame = await together(self._names(ids), asyncio.to_thread(self._frame, harvest))
        return with_names(frame, **names)

    def _frame(self, harvest: Harvest) -> pd.DataFrame:
        return run_frame(harvest.arranged()[: self._query.limit], self._query.kind, self._as_of, self._columns)

    async def _names(self, ids: Mapping[str, Iterable[str | None]]) -> dict[str, tuple[str, Names]]:
        """Give the columns of names of some ids, or none: rows that were read are not lost for want of them."""
        try:
            return await columns_of_names(self._server, ids, self._behind)
        except ServerError as error:
            why = "" if self._broke_off else f" {error}"
            self._reasons.append(f"The names of flows, deployments and flow runs are missing.{why}")
            self._broke_off = True
            return {}
