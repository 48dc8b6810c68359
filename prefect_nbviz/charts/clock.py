"""Axes of time: the zones that they name, and how their ticks are written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

import pandas as pd

from prefect_nbviz import forms
from prefect_nbviz.charts.words import safe

_DATE = "\n%b %-d, %Y"
TICKS = [
    {"dtickrange": [None, 0.5], "value": "%H:%M:%S.%6f" + _DATE},
    {"dtickrange": [1, 500], "value": "%H:%M:%S.%L" + _DATE},
    {"dtickrange": [1_000, 30_000], "value": "%H:%M:%S" + _DATE},
    {"dtickrange": [60_000, 43_200_000], "value": "%H:%M" + _DATE},
    {"dtickrange": [86_400_000, 1_209_600_000], "value": "%b %-d\n%Y"},
    {"dtickrange": ["M1", "M6"], "value": "%b\n%Y"},
    {"dtickrange": ["M12", None], "value": "%Y"},
]
"""How plotly writes a time, by how far its ticks are apart, in milliseconds."""


def zone_of(tz: str) -> ZoneInfo:
    """Give a time zone by its name.

    Raises
    ------
    QueryError
        There is no such time zone.

    Examples
    --------
    >>> zone_of("Europe/Berlin").key
    'Europe/Berlin'
    """
    return forms.zone("tz", tz)


@dataclass(frozen=True)
class WallClock:
    """The clock of an axis. Plotly knows no time zones: it gets what a clock on the wall shows.

    Examples
    --------
    >>> hours = pd.Series(pd.date_range("2026-10-25", periods=2, freq="1h", tz="UTC"))
    >>> clock = WallClock.over(hours, ZoneInfo("Europe/Berlin"))
    >>> clock.name, clock.times(hours).dt.hour.tolist()
    ('Europe/Berlin, UTC+01:00 throughout', [1, 2])
    """

    zone: ZoneInfo

    steady: datetime | None
    """A moment, in the zone, whose offset from UTC it keeps throughout; None: it shows what the zone's clocks do."""

    @classmethod
    def over(cls, moments: pd.Series[Any], zone: ZoneInfo) -> Self:
        """Give the zone's own clock, unless it shows two of some moments alike, or a later one as earlier."""
        distinct = moments.drop_duplicates().sort_values()
        tells_apart = cls(zone, None).times(distinct).diff().iloc[1:] > pd.Timedelta(0)
        return cls(zone, None if tells_apart.all() else distinct.iloc[-1].tz_convert(zone).to_pydatetime())

    def times(self, moments: pd.Series[Any]) -> pd.Series[Any]:
        """Give what it shows at some moments, as times without a time zone."""
        shown: pd.Series[Any] = (
            moments.dt.tz_convert(self.zone).dt.tz_localize(None)
            if self.steady is None
            else moments.dt.tz_convert(None) + (self.steady.utcoffset() or timedelta(0))
        )
        return shown

    @property
    def name(self) -> str:
        """What the title of its axis says."""
        if self.steady is None:
            return safe(self.zone.key)
        sign = f"{self.steady:%z}"
        return f"{safe(self.zone.key)}, UTC{sign[:3]}:{sign[3:5]} throughout"
