"""Groups: runs put together by the values of some columns, and by the hour in which they were to start."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from prefect_nbviz import forms, frames, schema
from prefect_nbviz.arrays import Integers
from prefect_nbviz.errors import QueryError, did_you_mean

HOURS = ("hour", "hour_of_day")
"""Words that stand for the hour of `expected_start_time`, where no column has that name."""


@dataclass(frozen=True)
class Groups:
    """Which runs are in which group; a run is in the group of each of its tags.

    Examples
    --------
    >>> runs = pd.DataFrame({"flow_name": ["etl", "ml", "etl"], "tags": [("a", "b"), (), ("a",)]})
    >>> groups = Groups.of(runs, by=["flow_name", "tags"])
    >>> groups.run.tolist(), groups.number.tolist(), groups.keys["tags"].tolist()
    ([0, 0, 1, 2], [0, 1, 2, 0], ['a', 'b', nan])
    """

    run: Integers
    """Places of runs; one that is in many groups stands here as often."""

    number: Integers
    """Beside each, the number of its group."""

    keys: pd.DataFrame
    """A row for each group, by number, with the columns that they were made by."""

    @classmethod
    def of(cls, runs: pd.DataFrame, *, by: Sequence[str], tz: str = "UTC") -> Self:
        """Put runs together, in the order in which the groups come first.

        Raises
        ------
        QueryError
            There is no such column or time zone.
        """
        zone = forms.zone("tz", tz)
        columns = {word: _column(runs, word, zone).reset_index(drop=True) for word in by}
        held = pd.DataFrame({**columns, "": np.arange(len(runs))})
        if "tags" in by:
            held = held.explode("tags").drop_duplicates(["", "tags"])
        number = np.zeros(len(held), dtype=np.int64)
        for word in by:
            code, distinct = pd.factorize(held[word], use_na_sentinel=False)
            number = pd.factorize(number * len(distinct) + code)[0].astype(np.int64)
        first = np.unique(number, return_index=True)[1]
        return cls(held[""].to_numpy(), number, held[[*by]].iloc[first].reset_index(drop=True))

    def __len__(self) -> int:
        """Give how many groups there are."""
        return len(self.keys)


def words(by: str | Iterable[str]) -> list[str]:
    """Give the columns that are meant, each once.

    Examples
    --------
    >>> words("tags"), words(["flow_name", "hour"])
    (['tags'], ['flow_name', 'hour'])
    """
    return [by] if isinstance(by, str) else [*dict.fromkeys(by)]


def _column(runs: pd.DataFrame, word: str, zone: ZoneInfo) -> pd.Series[Any]:
    if word in runs.columns:
        return runs[word]
    if word not in HOURS:
        hint = did_you_mean(str(word), [*map(str, runs.columns), *HOURS])
        raise QueryError(f"by cannot be {word!r}.{hint} It is a column of the runs, 'hour' or 'hour_of_day'.")
    frames.require(runs, ["expected_start_time"], made_by="read_flow_runs() or read_task_runs()")
    times = runs["expected_start_time"].dt.tz_convert("UTC").astype(schema.TIME)
    wall = times.dt.tz_convert(zone).dt.tz_localize(None)
    if word == "hour_of_day":
        hours: pd.Series[Any] = wall.dt.hour.astype("Int64")
        return hours
    # Not floored on the clock itself: where that goes back, an hour is there twice.
    hour: pd.Series[Any] = times - (wall - wall.dt.floor("h"))
    return hour
