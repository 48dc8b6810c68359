"""How many requests the gate lets through, told how long answers took by a made server."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

import httpx
import pytest

from prefect_nbviz.reading.gate import MOST, Gate

ANSWERS = 200
GOOD, TOO_MANY = httpx.Response(200), httpx.Response(429)


class MadeServer:
    """One with so many hands, each busy for `work` seconds with a request that takes `way` seconds besides."""

    def __init__(self, *, work: float, way: float = 0.0, hands: int = 1) -> None:
        self.work, self.way = work, way
        self._free = [0.0] * hands

    def answer(self, asked: float) -> float:
        """Give when a request is answered that is asked at a time."""
        end = max(heapq.heappop(self._free), asked + self.way / 2) + self.work
        heapq.heappush(self._free, end)
        return end + self.way / 2


async def _opened() -> Gate:
    gate = Gate()
    async with gate:
        await gate.see(GOOD)
    return gate


async def _widths(server: MadeServer, *, before: Callable[[Gate], None] = lambda _: None) -> list[int]:
    """Ask as often as the gate lets us, and give its width after each answer."""
    gate = await _opened()
    before(gate)
    now, under_way, widths, turns = 0.0, [], [], count()
    while len(widths) < ANSWERS:
        while gate.under_way < gate.width:
            await gate.__aenter__()
            heapq.heappush(under_way, (server.answer(now), next(turns), now))
        now, _, asked = heapq.heappop(under_way)
        gate.time(now - asked, alike="page")
        await gate.see(GOOD)
        await gate.__aexit__()
        widths.append(gate.width)
    return widths


@pytest.mark.parametrize(
    ("server", "fewest", "most"),
    [
        pytest.param(MadeServer(work=0.04), 2, 2, id="on this machine"),
        pytest.param(MadeServer(work=0.04, hands=2), 3, 5, id="two hands"),
        pytest.param(MadeServer(work=0.04, way=0.1), 4, 7, id="one hand, far away"),
        pytest.param(MadeServer(work=0.02, way=0.1, hands=100), MOST, MOST, id="far away"),
    ],
)
def test_as_many_go_through_as_bring_answers_sooner(server: MadeServer, fewest: int, most: int) -> None:
    widths = asyncio.run(_widths(server))
    assert {*widths[ANSWERS // 4 :]} <= {*range(fewest, most + 1)}


def test_one_goes_through_until_the_server_has_answered_well() -> None:
    async def refused() -> Gate:
        gate = Gate()
        await gate.see(httpx.Response(401))
        gate.time(0.01, alike="page")
        return gate

    assert asyncio.run(refused()).width == 1
    assert asyncio.run(_opened()).width == MOST // 2


def test_few_that_are_quick_do_not_narrow_it() -> None:
    async def one_after_the_other() -> int:
        gate = await _opened()
        for _ in range(ANSWERS):
            async with gate:
                gate.time(0.1, alike="page")
        return gate.width

    assert asyncio.run(one_after_the_other()) == MOST // 2


def test_answers_are_compared_with_their_like() -> None:
    async def small_then_large() -> int:
        gate = await _opened()
        for seconds, alike in [(0.001, "a row"), (0.1, "a page")] * ANSWERS:
            async with gate:
                gate.time(seconds, alike=alike)
        return gate.width

    assert asyncio.run(small_then_large()) == MOST // 2


def test_a_server_that_is_asked_too_much_is_asked_less_for_a_while() -> None:
    async def widths() -> tuple[int, int, int]:
        gate = await _opened()
        await gate.see(TOO_MANY)
        await gate.see(TOO_MANY)
        halved = gate.width
        await gate.see(GOOD)
        await gate.see(GOOD)
        wider = gate.width
        for _ in range(ANSWERS):
            await gate.see(GOOD)
        return halved, wider, gate.width

    assert asyncio.run(widths()) == (2, 3, MOST // 2)
