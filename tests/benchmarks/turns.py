"""Turns: calls are timed one after the other, round by round, so that a noisy machine slows them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def medians(*calls: Callable[[], object], rounds: int) -> list[float]:
    """Give the median of the seconds that each call takes."""
    times = []
    for _ in range(rounds):
        for call in calls:
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
    return [statistics.median(times[place :: len(calls)]) for place in range(len(calls))]
