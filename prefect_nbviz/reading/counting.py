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

    The server filters runs that have all of some tags. With any of A and none of N, these are
    |any of A or N| - |any of N|, and each of the two is a sum over the subsets of its tags.
    """
    if plan.count_requests is None:
        return None
    total: Counter[Key] = Counter()
    for part in plan.parts:
        either = tuple(dict.fromkeys([*plan.any_tags, *plan.none_tags]))
        total.update(await _any(measure, plan, part.body, either) if plan.any_tags else await measure(part.body))
        total.subtract(await _any(measure, plan, part.body, plan.none_tags))
    return total


async def _any(measure: Measure[Key], plan: Plan, body: Body, tags: Sequence[str]) -> Counter[Key]:
    """Measure the runs with one or more of some tags, by inclusion and exclusion."""
    total: Counter[Key] = Counter()
    for size in range(1, len(tags) + 1):
        for subset in itertools.combinations(tags, size):
            having = await measure(merge(body, {plan.table: {"tags": {"all_": [*subset]}}}))
            total.update(having) if size % 2 else total.subtract(having)
    return total
