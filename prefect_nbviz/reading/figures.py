"""Figures of runs by bin of time and state, as the server gives them and as rows make them, and whether the two fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
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

RUNS = "count_runs"
"""The column of how many runs there are; these names are the server's."""

_SUMS = ("sum_estimated_run_time", "sum_estimated_lateness")
_GROUP = ["bin", "state_type", "state_name"]
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


async def of_server(pages: Pages, plan: Plan, bins: Bins) -> pd.DataFrame:
    """Ask for the figures of what matches (`POST /…/history`): a row for each bin and state that has runs."""
    start, end = iso(bins.start), iso(bins.edge(bins.number))

    async def measure(body: Body) -> Counter[tuple[int, str, str, str]]:
        states = await pages.history_states(body, start=start, end=end, seconds=bins.seconds)
        return Counter(
            {
                (
                    round((moment(begin) - bins.start).total_seconds() / bins.seconds),
                    state["state_type"],
                    state["state_name"],
                    what,
                ): state[what]
                for begin, state in states
                for what in (RUNS, *_SUMS)
            }
        )

    told = await tally(measure, plan) or Counter()
    table = pd.DataFrame([(*key, value) for key, value in told.items()], columns=[*_GROUP, "what", "value"])
    return table.pivot_table(index=_GROUP, columns="what", values="value").reindex(columns=[RUNS, *_SUMS])


def of_frame(frame: pd.DataFrame, bins: Bins) -> pd.DataFrame:
    """Reckon the figures of a frame that has `rows.RUN_TIME`, with the least and most that a server may make of them.

    SQLite sums up whole seconds of what it has rounded to milliseconds.
    """
    late = frame["start_time"] - frame["expected_start_time"]
    data: dict[str, Any] = {"bin": bins.places(frame["expected_start_time"]), RUNS: 1}
    for what, spans in zip(_SUMS, (frame[RUN_TIME.name], late), strict=True):
        seconds = spans.dt.total_seconds().fillna(0).clip(lower=0)
        data |= {
            what: seconds,
            f"least {what}": np.floor((seconds - _SLACK).clip(lower=0)),
            f"most {what}": np.floor(seconds + _SLACK),
        }
    figures = frame[["state_type", "state_name"]].assign(**data).groupby(_GROUP, observed=True).sum().reset_index()
    return figures.astype({"state_type": "str", "state_name": "str"}).set_index(_GROUP)


def misfits(ours: pd.DataFrame, theirs: pd.DataFrame) -> set[int]:
    """Give the bins in which the two do not fit; of unfinished runs only their number must, as the rest grows."""
    both = ours.join(theirs.add_suffix(" there"), how="outer").fillna(0)
    differs = both[RUNS] != both[f"{RUNS} there"]
    has_ended = both.index.get_level_values("state_type").isin(TERMINAL_STATE_TYPES)
    for what in _SUMS:
        there = both[f"{what} there"]
        is_sum = (there - both[what]).abs() <= _SLACK
        is_sum_of_seconds = there.between(both[f"least {what}"] - _SLACK, both[f"most {what}"] + _SLACK)
        differs |= has_ended & ~(is_sum | is_sum_of_seconds)
    return {*both.index[differs].get_level_values("bin")}
