"""How many requests the gate lets through, told how long answers took by a made server."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from functools import partial
from itertools import count

import httpx
import pytest

from prefect_nbviz.reading.gate import MOST, Gate

ANSWERS = 200
GOOD, TOO_MANY = httpx.Response(200), httpx.Response(429)


class MadeServer:
    """One with so many hands, each busy for `work` seconds with a request that takes `way` seconds besides.

    Each other request that it has, up to three, makes it work longer by a part of that: by `slowing`. If it has
    `stops`, it does nothing for half a second before so many answers and then before every sixtieth.
    """

    def __init__(
        self, *, work: float, way: float = 0.0, hands: int = 1, slowing: float = 0.0, stops: int | None = None
    ) -> None:
        self.work, self.way, self.slowing = work, way, slowing
        self._free = [0.0] * hands
        self._stops = None if stops is None else count(-stops)

    def answer(self, asked: float, *, beside: int) -> float:
        """Give when a request is answered that is asked at a time."""
        work = self.work * (1 + self.slowing * min(beside - 1, 3))
        if self._stops and next(self._stops) % 60 == 0:
            work += 0.5
        end = max(heapq.heappop(self._free), asked + self.way / 2) + work
        heapq.heappush(self._free, end)
        return end + self.way / 2


async def _opened(*, useful: int = MOST) -> Gate:
    gate = Gate()
    gate.useful = useful
    async with gate:
        await gate.see(GOOD)
    return gate


async def _asked(server: MadeServer, gate: Gate, *, learns: bool = True) -> tuple[float, list[int]]:
    """Ask as often as the gate lets us; give how long that took, and the gate's width after each answer."""
    now = server.answer(0.0, beside=1)
    gate.time(now, beside=1, alike="page")
    under_way: list[tuple[float, int, float, int]] = []
    widths: list[int] = []
    turns = count()
    while len(widths) < ANSWERS:
        while gate.under_way < gate.width:
            await gate.__aenter__()
            answered = server.answer(now, beside=gate.under_way)
            heapq.heappush(under_way, (answered, next(turns), now, gate.under_way))
        now, _, asked, beside = heapq.heappop(under_way)
        if learns:
            gate.time(now - asked, beside=beside, alike="page")
        await gate.__aexit__()
        widths.append(gate.width)
    return now, widths


@pytest.mark.parametrize("first", [MOST // 2, MOST])
@pytest.mark.parametrize(
    ("server", "best"),
    [
        pytest.param(partial(MadeServer, work=0.04), 1, id="near"),
        pytest.param(partial(MadeServer, work=0.04, slowing=0.15), 1, id="near and slowed"),
        pytest.param(partial(MadeServer, work=0.04, hands=2), 2, id="near with two hands"),
        pytest.param(partial(MadeServer, work=0.04, way=0.1), 4, id="far away with one hand"),
        pytest.param(partial(MadeServer, work=0.02, way=0.1, hands=100), MOST, id="far away"),
    ],
)
def test_as_many_go_through_as_bring_answers_soonest(server: Callable[[], MadeServer], best: int, first: int) -> None:
    async def at_first(useful: int, *, learns: bool = True) -> tuple[float, list[int]]:
        return await _asked(server(), await _opened(useful=useful), learns=learns)

    seconds, widths = asyncio.run(at_first(first))
    assert {*widths[ANSWERS // 4 :]} == {best}
    soonest = min(asyncio.run(at_first(width, learns=False))[0] for width in (1, 2, 4, 8))
    assert seconds < 1.1 * soonest


@pytest.mark.parametrize("stops", range(0, 60, 3))
@pytest.mark.parametrize("way", [0.0, 0.1], ids=["near", "far away"])
def test_a_server_that_stops_for_a_while_is_not_taken_to_be_slow(way: float, stops: int) -> None:
    async def at(width: int, *, learns: bool) -> float:
        server = MadeServer(work=0.05, way=way, slowing=0.05, stops=stops)
        return (await _asked(server, await _opened(useful=width), learns=learns))[0]

    soonest = min(asyncio.run(at(width, learns=False)) for width in (1, 2, 4, 8))
    assert asyncio.run(at(2, learns=True)) < 1.1 * soonest


def test_one_goes_through_until_the_server_has_answered_well() -> None:
    async def refused() -> Gate:
        gate = Gate()
        await gate.see(httpx.Response(401))
        return gate

    assert asyncio.run(refused()).width == 1
    assert asyncio.run(_opened()).width == MOST


async def _answered(gate: Gate, seconds: float, *, alike: str, beside: int | None = None) -> None:
    """Let as many through as may be, or so many, and one of them be answered."""
    while gate.under_way < (beside or gate.width):
        await gate.__aenter__()
    gate.time(seconds, beside=gate.under_way, alike=alike)
    await gate.__aexit__()


def test_few_that_are_quick_do_not_widen_it() -> None:
    async def one_after_the_other() -> int:
        gate = await _opened(useful=2)
        for _ in range(ANSWERS):
            await _answered(gate, 0.1, alike="page", beside=1)
        return gate.width

    assert asyncio.run(one_after_the_other()) == 2


def test_answers_are_compared_with_their_like() -> None:
    async def small_then_large() -> int:
        gate = await _opened(useful=2)
        for seconds, alike in [(0.001, "a row"), *[(0.1, "a page")] * 6]:
            await _answered(gate, seconds, alike=alike)
        return gate.width

    assert asyncio.run(small_then_large()) == 4


def test_a_few_of_another_kind_do_not_change_it() -> None:
    async def pages_and_a_few_rows() -> int:
        gate = await _opened()
        for _ in range(ANSWERS):
            await _answered(gate, 0.1, alike="a page")
        for seconds in (0.001, *[0.02] * 10):
            await _answered(gate, seconds, alike="a row")
        return gate.width

    assert asyncio.run(pages_and_a_few_rows()) == MOST


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

    assert asyncio.run(widths()) == (2, 3, MOST)
