"""Figures of runs by bin of time and state, as the server gives them and as rows make them, and whether the two fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz.order import Body, iso, moment
from prefect_nbviz.plan import Plan
from prefect_nbviz.reading.counting import tally
from prefect_nbviz.reading.pages import Pages
from prefect_nbviz.reading.rows import RUN_TIME
from prefect_nbviz.states import TERMINAL_STATE_TYPES

Group = tuple[int, str, str]
"""Place of a bin, state type, state name."""

Figure = tuple[int, str, str, str]
"""The same, and what of its runs is told, in the server's words."""

_RUNS = "count_runs"
_SUMS = ("sum_estimated_run_time", "sum_estimated_lateness")
_NOTHING = Counter[str]()
_SLACK = 0.001
"""Seconds by which times may differ: SQLite reckons in milliseconds."""


@dataclass(frozen=True)
class Bins:
    """Equal lengths of time, one after the other."""

    start: datetime
    """The beginning of the first, a full second."""

    seconds: int
    """The length of each."""

    number: int
    """How many there are."""

    @classmethod
    def over(cls, first: datetime, last: datetime, *, at_most: int) -> Bins:
        """Give bins that hold two times and what is between them.

        Examples
        --------
        >>> Bins.over(datetime(2026, 1, 1, 0, 0, 0, 9), datetime(2026, 1, 1, 1), at_most=500)
        Bins(start=datetime.datetime(2026, 1, 1, 0, 0), seconds=8, number=451)
        """
        start = first.replace(microsecond=0)
        length = int((last - start).total_seconds())
        seconds = length // at_most + 1
        return cls(start, seconds, length // seconds + 1)

    def edge(self, place: int) -> datetime:
        """Give the beginning of a bin, by its place from 0; of the one after the last, its end."""
        return self.start + timedelta(seconds=self.seconds) * place

    def place(self, edge: datetime) -> int:
        """Give the place of the bin with a beginning."""
        return round((edge - self.start).total_seconds() / self.seconds)

    def places(self, times: pd.Series[pd.Timestamp]) -> pd.Series[int]:
        """Give the places of the bins that hold some times."""
        places: pd.Series[int] = (times - pd.Timestamp(self.start)) // pd.Timedelta(seconds=self.seconds)
        return places

    def spans(self, places: Collection[int]) -> Iterator[tuple[datetime, datetime]]:
        """Give the times of some bins, joined where they touch, and what the server may take for a part of them."""
        slack, ordered = timedelta(seconds=_SLACK), sorted(places)
        breaks = [at for at, (one, other) in enumerate(pairwise(ordered), 1) if other > one + 1]
        for begin, end in pairwise([0, *breaks, len(ordered)] if ordered else []):
            yield self.edge(ordered[begin]) - slack, self.edge(ordered[end - 1] + 1) + slack


async def of_server(pages: Pages, plan: Plan, bins: Bins) -> Counter[Figure]:
    """Ask for the figures of what matches (`POST /…/history`)."""
    start, end = iso(bins.start), iso(bins.edge(bins.number))

    async def measure(body: Body) -> Counter[Figure]:
        states = await pages.history_states(body, start=start, end=end, seconds=bins.seconds)
        return Counter(
            {
                (bins.place(moment(begin)), state["state_type"], state["state_name"], what): state[what]
                for begin, state in states
                for what in (_RUNS, *_SUMS)
            }
        )

    return await tally(measure, plan) or Counter()


def misfits(frame: pd.DataFrame, bins: Bins, theirs: Counter[Figure]) -> set[int]:
    """Give the bins of which the server's figures do not fit a frame that has `rows.RUN_TIME`."""
    ours = _of_frame(frame, bins)
    groups = {*ours, *((place, state_type, name) for place, state_type, name, _ in theirs)}
    return {group[0] for group in groups if not _fits(group, ours.get(group, _NOTHING), theirs)}


def _of_frame(frame: pd.DataFrame, bins: Bins) -> dict[Group, Mapping[str, float]]:
    """Reckon the figures of a frame, with the least and most that a server may make of them.

    SQLite sums up whole seconds of what it has rounded to milliseconds.
    """
    late = frame["start_time"] - frame["expected_start_time"]
    data: dict[str, Any] = {"bin": bins.places(frame["expected_start_time"]), _RUNS: 1}
    for what, spans in zip(_SUMS, (frame[RUN_TIME.name], late), strict=True):
        seconds = spans.dt.total_seconds().fillna(0).clip(lower=0)
        least, most = np.floor((seconds - _SLACK).clip(lower=0)), np.floor(seconds + _SLACK)
        data |= {what: seconds, f"least {what}": least, f"most {what}": most}
    groups = (
        frame[["state_type", "state_name"]].assign(**data).groupby(["bin", "state_type", "state_name"], observed=True)
    )
    return groups.sum().to_dict("index")  # type: ignore[return-value]


def _fits(group: Group, ours: Mapping[str, float], theirs: Counter[Figure]) -> bool:
    """Say whether figures fit; of unfinished runs only their number must, as the rest grows."""
    if ours[_RUNS] != theirs[*group, _RUNS]:
        return False
    return group[1] not in TERMINAL_STATE_TYPES or all(
        abs(theirs[*group, what] - ours[what]) <= _SLACK
        or ours[f"least {what}"] - _SLACK <= theirs[*group, what] <= ours[f"most {what}"] + _SLACK
        for what in _SUMS
    )
