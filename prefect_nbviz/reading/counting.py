"""How many runs match, asked of the server without reading them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from prefect_nbviz.filters import merge
from prefect_nbviz.order import Body
from prefect_nbviz.plan import Plan
from prefect_nbviz.reading.pages import Pages

Key = TypeVar("Key")
Measure = Callable[[Body], Awaitable[Counter[Key]]]
"""Asks the server for numbers of the runs that match a filter; the numbers of disjoint filters add up."""


async def count(pages: Pages, plan: Plan) -> int | None:
    """Count the runs that a plan gives, or None where only reading them all would tell."""

    async def total(body: Body) -> Counter[str]:
        return Counter({"runs": await pages.count(body)})

    counts = await tally(total, plan)
    return None if counts is None else counts["runs"]


async def tally(measure: Measure[Key], plan: Plan) -> Counter[Key] | None:
    """Add up a measure over the runs that a plan gives, or None where only reading them all would tell.

    The server tells what meets all of some filters. What meets one of A and none of N is
    |one of A or N| - |one of N|, and each of the two is a sum over the subsets of its filters.
    """
    if plan.count_requests is None:
        return None
    total: Counter[Key] = Counter()
    for part in plan.parts:
        total.update(await _any(measure, part.body, plan.wanted_or_not) if plan.any_tags else await measure(part.body))
        total.subtract(await _any(measure, part.body, plan.unwanted))
    return total


async def _any(measure: Measure[Key], body: Body, filters: Sequence[Body]) -> Counter[Key]:
    """Measure the runs that meet one or more of some filters, by inclusion and exclusion."""
    total: Counter[Key] = Counter()
    for size in range(1, len(filters) + 1):
        for subset in itertools.combinations(filters, size):
            having = await measure(merge(body, *subset))
            total.update(having) if size % 2 else total.subtract(having)
    return total
