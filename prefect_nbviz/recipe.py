"""What code must do to answer a query, in whatever language: what is read first, the filters, what is done after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prefect_nbviz.criteria import FlowRunCriteria, RunCriteria, RunKind, TaskRunCriteria
from prefect_nbviz.order import Body
from prefect_nbviz.plan import make_plan
from prefect_nbviz.steps import Step

PAGE = 200
"""Rows that a server gives at most in one answer, unless it is set up otherwise."""


MAY_LACK = ("end_time", "next_scheduled_start_time", "duration")
"""What is sorted by and a run may lack; it then comes last."""

Condition = Callable[[Step], str]
"""What gives a step in the language of the code."""


@dataclass(frozen=True)
class Tree:
    """The flow runs below some others, at any depth."""

    roots: tuple[str, ...]
    """Ids of those others; they are in it only where they are below each other."""

    among: tuple[str, ...] | None
    """Ids that are asked for: the others of the tree are left out; None for all."""


@dataclass(frozen=True)
class Parents:
    """The flow runs that task runs belong to, where they are read first."""

    recipe: Recipe
    work_pool: tuple[str, ...] | None
    """Of what the recipe gives, cut to its limit, only those of these work pools; None for all."""


@dataclass(frozen=True)
class Recipe:
    """All that answers one query."""

    kind: RunKind
    bodies: tuple[Body, ...]
    """The filters whose union is read; they lack the ids that are read first."""

    conditions: tuple[str, ...]
    """What a row must be beside, before the cut: expressions of the language."""

    sort: str
    """The order of the answer."""

    limit: int | None
    first: Tree | Parents | None
    """What is read first: the ids of these flow runs are a further filter."""

    @property
    def table(self) -> str:
        """The name of the runs in the server's paths and bodies."""
        return f"{self.kind}s"

    @property
    def is_cut_by_page(self) -> bool:
        """Whether the first page, cut to the limit, is the answer."""
        is_plain = len(self.bodies) == 1 and not self.first and not self.conditions
        return is_plain and self.sort == "ID_DESC" and self.limit is not None and self.limit <= PAGE

    @property
    def is_small(self) -> bool:
        """Whether one page surely holds all that is read."""
        if len(self.bodies) != 1 or self.first:
            return False
        ids = self.bodies[0].get(self.table, {}).get("id", {}).get("any_")
        return self.is_cut_by_page or (ids is not None and len(ids) <= PAGE)

    @property
    def page(self) -> int:
        """How many rows to ask for where one page is enough; a server that gives fewer at most refuses."""
        return self.limit if self.limit is not None and self.is_cut_by_page else PAGE


def make_recipe(query: RunCriteria, condition: Condition, *, now: datetime) -> Recipe:
    """Say what code must do to answer a query; the server is taken to be of the newest version.

    Only `ID_DESC` is a total order on the server, so that code pages by it and sorts after; what the
    reader does with fewer rows, by time, takes more than a person wants to read.

    Parameters
    ----------
    query
        What is asked.
    condition
        Gives a step in the language.
    now
        The moment that relative times count from.
    """
    asked, first = _read_first(query, condition, now)
    plan = make_plan(asked.replace(sort="ID_DESC"), now=now)
    return Recipe(
        kind=query.kind,
        bodies=tuple(body for part in plan.parts for body in plan.bodies(part)),
        conditions=tuple(condition(step) for step in plan.steps),
        sort=query.sort,
        limit=query.limit,
        first=first if plan.parts else None,
    )


def nested(query: RunCriteria) -> FlowRunCriteria | None:
    """Give the query of flow runs inside a query of task runs, if there is one."""
    inside = query.flow_runs if isinstance(query, TaskRunCriteria) else None
    return inside if isinstance(inside, FlowRunCriteria) else None


def _read_first(query: RunCriteria, condition: Condition, now: datetime) -> tuple[RunCriteria, Tree | Parents | None]:
    """Part a query into what is asked once the ids are known, and where these come from."""
    if isinstance(query, FlowRunCriteria) and query.ancestor is not None:
        return query.replace(ancestor=None, ids=None), Tree(query.ancestor, _ids(query.ids))
    if isinstance(query, TaskRunCriteria) and (parents := _parents(query, condition, now)) is not None:
        return query.replace(flow_runs=None, work_pool=None), parents
    return query, None


def _parents(query: TaskRunCriteria, condition: Condition, now: datetime) -> Parents | None:
    """Give the flow runs that must be read first; none where their filters do, or their ids are known."""
    wanted, pools = nested(query), _ids(query.work_pool)
    if wanted is None:
        if pools is None:
            return None
        wanted = FlowRunCriteria(ids=query.flow_runs, limit=None)
    is_whole = wanted.limit is None or (wanted.ids is not None and len(_ids(wanted.ids) or ()) <= wanted.limit)
    if is_whole and pools is None and make_plan(wanted, now=now).rides_along:
        return None
    if is_whole and pools is not None:
        both = [pool for pool in pools if wanted.work_pool is None or pool in wanted.work_pool]
        wanted, pools = wanted.replace(work_pool=both), None
    return Parents(make_recipe(wanted, condition, now=now), pools)


def _ids(values: Any) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
