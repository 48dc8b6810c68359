"""How many runs match, asked of the server without reading them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from prefect_nbviz.order import Body
from prefect_nbviz.plan import Plan, merge
from prefect_nbviz.reading.pages import Pages

MOST_TAGS = 4
"""Tags that are counted by inclusion and exclusion: n of them take 2^n - 1 requests."""


async def count(pages: Pages, plan: Plan) -> int | None:
    """Count the runs that a plan gives, or None where only reading them all would tell.

    The server counts runs that have all of some tags. With any of A and none of N, these are
    |any of A or N| - |any of N|, and each of the two is a sum over the subsets of its tags.
    """
    if not plan.counts_on_server or len({*plan.any_tags, *plan.none_tags}) > MOST_TAGS:
        return None
    return sum([await _count_part(pages, plan, part.body) for part in plan.parts])


async def _count_part(pages: Pages, plan: Plan, body: Body) -> int:
    unwanted = await _count_any(pages, plan.table, body, plan.none_tags)
    if not plan.any_tags:
        return await pages.count(body) - unwanted
    either = tuple(dict.fromkeys([*plan.any_tags, *plan.none_tags]))
    return await _count_any(pages, plan.table, body, either) - unwanted


async def _count_any(pages: Pages, table: str, body: Body, tags: Sequence[str]) -> int:
    """Count the runs with one or more of some tags, by inclusion and exclusion."""
    total = 0
    for size in range(1, len(tags) + 1):
        for subset in itertools.combinations(tags, size):
            having = await pages.count(merge(body, {table: {"tags": {"all_": [*subset]}}}))
            total += having if size % 2 else -having
    return total
