"""Dependencies: which task runs waited for which, and what moves when one of them takes longer or no time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat
from typing import Self

import numpy as np

from prefect_nbviz.arrays import UNKNOWN, Flags, Integers


@dataclass(frozen=True)
class Dependencies:
    """Task runs in the order of their start, and the links between them that count."""

    start: Integers
    """When each started, in microseconds, ascending."""

    end: Integers
    """When each ended, not before it started."""

    upstream: Integers
    """Of each link, the place of the task run that the other depends on."""

    run: Integers
    """Of each link, the place of the task run that depends on it."""

    @classmethod
    def of(cls, start: Integers, end: Integers, ids: Iterable[str], upstream_ids: Sequence[Sequence[str]]) -> Self:
        """Find the links: upstream task runs that ended by the start of the other, or ran around it."""
        number = {one: place for place, one in enumerate(ids)}
        upstream = np.fromiter(map(number.get, chain.from_iterable(upstream_ids), repeat(-1)), dtype=np.int64)
        sizes = np.fromiter(map(len, upstream_ids), dtype=np.int64)
        run = np.repeat(np.arange(len(start)), sizes)
        # In one microsecond two that took no time may name each other: then the order of the frame decides.
        counts = (upstream >= 0) & (upstream < run)
        counts &= (end[upstream] <= start[run]) | (start[upstream] < start[run])
        return cls(start, end, upstream[counts], run[counts])

    @cached_property
    def is_around(self) -> Flags:
        """Of each link, whether the upstream task run was running when the other started."""
        return self.end[self.upstream] > self.start[self.run]

    @cached_property
    def ready(self) -> Integers:
        """Of each link, when it allowed the task run to start."""
        return np.where(self.is_around, self.start[self.upstream], self.end[self.upstream])

    @cached_property
    def last_links(self) -> Integers:
        """For each task run its link that allowed it to start last, -1 if it has none; of equal ones the first."""
        latest = np.full(len(self.start), UNKNOWN)
        np.maximum.at(latest, self.run, self.ready)
        last = np.flatnonzero(self.ready == latest[self.run])
        order = last[np.lexsort((self.upstream[last], self.run[last]))]
        first = order[np.diff(self.run[order], prepend=-1) != 0]
        found = np.full(len(self.start), -1, dtype=np.int64)
        found[self.run[first]] = first
        return found

    def slack_and_saving(self) -> tuple[Integers, Integers]:
        """Give how much longer each could have taken, and how much earlier the end had been, had it taken no time."""
        edges = self._edges()
        count, length = 2 * len(self.start), self.end - self.start
        begin, last = self.start.min(), self.end.max() - self.start.min()
        tail = edges.tails(count)
        starts, ends = self._events()
        through = self.end - begin + tail[ends]
        dist = np.zeros(count + 1, dtype=np.int64)
        dist[starts], dist[ends] = self.start - begin, self.end - begin
        around = edges.longest_across(dist, tail)[starts]
        return last - through, last - np.maximum(around, through - length)

    def _edges(self) -> Edges:
        """Give how the moments at which task runs start and end depend on each other.

        The source is -1, at which the first started; the sink is behind all.
        """
        starts, ends = self._events()
        sink, link = np.full(len(starts), 2 * len(starts)), self.last_links
        has_none = link < 0
        wait = self.start - np.where(has_none, self.start.min(), np.append(self.ready, 0)[link])
        is_around = self.is_around
        holds = is_around & (self.end[self.run] <= self.end[self.upstream])
        begins = np.where(is_around, starts[self.upstream], ends[self.upstream])
        zeros = np.zeros(len(starts), dtype=np.int64)
        parts = [
            (starts, ends, self.end - self.start),
            (begins, starts[self.run], wait[self.run]),
            (ends[self.run[holds]], ends[self.upstream[holds]], zeros[self.run[holds]]),
            (zeros[has_none] - 1, starts[has_none], wait[has_none]),
            (ends, sink, zeros),
        ]
        origin, target, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        return Edges(origin, target, weight, np.arange(len(origin)) < len(starts))

    def _events(self) -> tuple[Integers, Integers]:
        """Give the places of the starts and of the ends in an order in which no edge runs back.

        At one moment: ends, that of the one that is around others last; then those that took no time; then starts.
        """
        place, instant = np.arange(len(self.start)), self.start == self.end
        time = np.append(self.start, self.end)
        kind = np.append(np.where(instant, 1, 2), np.where(instant, 1, 0))
        within = np.append(2 * place, np.where(instant, 2 * place + 1, -place))
        at = np.empty(len(time), dtype=np.int64)
        at[np.lexsort((within, kind, time))] = np.arange(len(time))
        return at[: len(place)], at[len(place) :]


@dataclass(frozen=True)
class Edges:
    """Edges between events, which are numbered so that none runs back."""

    origin: Integers
    """Where each begins."""

    target: Integers
    """Where it ends, behind its origin."""

    weight: Integers
    """How much later the target is at least."""

    is_run: Flags
    """Whether it is a task run itself."""

    def tails(self, count: int) -> Integers:
        """Give the longest way from each event to the sink, whose number is `count`."""
        tail = [0] * (count + 1)
        inner = np.flatnonzero((self.origin >= 0) & (self.target < count))
        order = inner[np.argsort(self.origin[inner])[::-1]]
        columns = (column[order].tolist() for column in (self.origin, self.target, self.weight))
        for origin, target, weight in zip(*columns, strict=True):
            way = weight + tail[target]
            if way > tail[origin]:  # noqa: PLR1730 - half the time of max()
                tail[origin] = way
        return np.array(tail, dtype=np.int64)

    def longest_across(self, dist: Integers, tail: Integers) -> Integers:
        """Give for the start of each task run the longest way from source to sink that does not use the task run.

        Such a way crosses the gap behind its start by another edge, and every way over an edge that crosses it goes
        elsewhere. So it is the most of the edges that span the gap; the ways over each are known from both ends.
        """
        ways = np.where(self.origin < 0, 0, dist[self.origin]) + self.weight + tail[self.target]
        low = np.maximum(self.origin, 0) + self.is_run
        spans = low < self.target
        return _most_over(low[spans], self.target[spans], ways[spans], count=len(tail))


def _most_over(low: Integers, high: Integers, value: Integers, *, count: int) -> Integers:
    """Give for each place the most of the values whose stretch, from `low` up to before `high`, holds it; 0 if none.

    Each stretch is covered by two of a length that is a power of two, and these are halved until they are places.
    """
    level = np.frexp((high - low).astype(np.float64))[1].astype(np.int64) - 1
    levels = int(level.max(initial=0)) + 1
    most = np.zeros((levels, count), dtype=np.int64)
    np.maximum.at(most, (level, low), value)
    np.maximum.at(most, (level, high - (1 << level)), value)
    for upper in range(levels - 1, 0, -1):
        half = 1 << (upper - 1)
        np.maximum(most[upper - 1], most[upper], out=most[upper - 1])
        np.maximum(most[upper - 1, half:], most[upper, :-half], out=most[upper - 1, half:])
    found: Integers = most[0]
    return found
