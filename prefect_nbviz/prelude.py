"""What is read before a query can be asked: the flow runs whose ids its filters need."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from prefect_nbviz.abilities import Abilities
from prefect_nbviz.criteria import FlowRunCriteria, RunCriteria, TaskRunCriteria
from prefect_nbviz.filters import IDS_PER_BODY, merge
from prefect_nbviz.plan import First, Plan, make_plan

IDS = "ids from the first read"
"""What stands for ids that are not known yet."""


def make_whole_plan(query: RunCriteria, *, now: datetime, abilities: Abilities) -> Plan:
    """Plan a query with all that is read before it.

    Parameters
    ----------
    query
        What is asked.
    now
        The moment that relative times count from.
    abilities
        What the server can do.
    """
    plan = make_plan(query, now=now, abilities=abilities)
    if isinstance(query, FlowRunCriteria):
        if query.ancestor is None:
            return plan
        rest: RunCriteria = query.replace(ancestor=None, ids=None)
        return _with_ids(plan, rest, _tree(query, now, abilities), now, abilities)
    return _with_parents(plan, query, now, abilities)


def _with_parents(plan: Plan, query: Any, now: datetime, abilities: Abilities) -> Plan:
    """Add the flow runs that task runs belong to, where they are read first."""
    wanted = query.flow_runs if isinstance(query.flow_runs, FlowRunCriteria) else None
    parents = None if wanted is None else make_whole_plan(wanted, now=now, abilities=abilities)
    if plan.read_first:
        if query.work_pool is not None:
            parents = _of_pools(query, parents, now, abilities)
        rest = query.replace(flow_runs=None, work_pool=None)
        return plan if parents is None else _with_ids(plan, rest, First(parents), now, abilities)
    if wanted is None or parents is None or wanted.limit is None or not plan.parts:
        return plan
    first = First(
        parents,
        f"if more match than their limit of {wanted.limit:,}; their ids then stand in place of their filters below",
        f"flow_runs: they are read first if more match than their limit of {wanted.limit:,}",
        f"{parents.count_requests} to count, and if they are read {parents.requests(with_count=False)}",
    )
    return replace(plan, first=first)


def _of_pools(query: TaskRunCriteria, parents: Plan | None, now: datetime, abilities: Abilities) -> Plan:
    """Plan the read of those parents that are of some work pools."""
    asked = FlowRunCriteria(ids=None if parents is not None else query.flow_runs, work_pool=query.work_pool, limit=None)
    plan = make_plan(asked, now=now, abilities=abilities)
    return plan if parents is None else _with_ids(plan, asked, First(parents), now, abilities)


def _with_ids(plan: Plan, rest: RunCriteria, first: First, now: datetime, abilities: Abilities) -> Plan:
    """Ask the rest of a query of the ids that come from a first read."""
    ids = {"flow_runs": {"id": {"any_": [IDS]}}}
    asked = make_plan(rest, now=now, abilities=abilities)
    parts = tuple(replace(part, body=merge(part.body, ids)) for part in asked.parts)
    return replace(plan, parts=parts, first=first if parts else None)


def _tree(query: FlowRunCriteria, now: datetime, abilities: Abilities) -> First:
    below = make_plan(FlowRunCriteria(parent=query.ancestor, limit=None), now=now, abilities=abilities)
    return First(
        below,
        "a level at a time, each by the ids of the one above, until none is below",
        requests=f"1 for each level and 199 rows of it, which are asked for by at most {IDS_PER_BODY:,} ids at a time",
    )
