"""Axes of time: the zones that they name, how their ticks are written, and what part of time they show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import forms
from prefect_nbviz.arrays import Flags, Integers
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

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_SAMPLES = 1_000  # at most, and one a day
_DAY = 86_400_000_000
_MILLI = 1_000
_TO_SECOND = len("1970-01-01 00:00:00")
_MOST_OPEN = 1
_LEAST_MARGIN = 500_000


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


def moment(at: int, zone: ZoneInfo) -> datetime:
    """Give the time at some microseconds since 1970 on the clocks of a zone.

    Examples
    --------
    >>> moment(0, ZoneInfo("Europe/Berlin")).isoformat()
    '1970-01-01T01:00:00+01:00'
    """
    return (_EPOCH + int(at) * _MICRO).astimezone(zone)


def read_wall(text: str, offset: int) -> int:
    """Give the time that plotly writes as the end of a range, on an axis that is `offset` ahead of UTC.

    Examples
    --------
    >>> read_wall("1970-01-01 05:30:00.25", 19_800_000_000)
    250000
    """
    return int(np.datetime64(text, "us").astype(np.int64)) - offset


def clock_text(at: int, zone: ZoneInfo) -> str:
    """Write the time at some microseconds since 1970 as the clocks of a zone show it.

    Examples
    --------
    >>> clock_text(40_000, ZoneInfo("Europe/Berlin"))
    '1970-01-01 01:00:00.040 CET'
    """
    shown = moment(at, zone)
    part = shown.microsecond
    fraction = f".{part:06d}" if part % _MILLI else f".{part // _MILLI:03d}" if part else ""
    return f"{str(shown)[:_TO_SECOND]}{fraction} {shown.tzname()}"  # strftime takes twice as long


def span_text(begin: int, end: int, zone: ZoneInfo) -> str:
    """Write a stretch of time, with what is the same at both ends said once.

    Examples
    --------
    >>> span_text(0, 90_000_000, ZoneInfo("Europe/Berlin"))
    '1970-01-01 01:00:00 to 01:01:30 CET'
    """
    (day, clock, name), (last_day, last_clock, last_name) = (clock_text(at, zone).split(" ") for at in (begin, end))
    first = f"{day} {clock}" if name == last_name else f"{day} {clock} {name}"
    return f"{first} to {last_clock if day == last_day else f'{last_day} {last_clock}'} {last_name}"


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


@dataclass(frozen=True)
class TimeAxis:
    """The axis of time. Plotly knows no time zones: it gets wall-clock times of one offset.

    Examples
    --------
    >>> axis = TimeAxis(ZoneInfo("Asia/Kolkata"), 0, 1_000_000, last=1_000_000)
    >>> axis.layout()["range"]
    ['1970-01-01T05:30:00.000000', '1970-01-01T05:30:01.000000']
    """

    zone: ZoneInfo

    start: int
    """Where the view begins, in microseconds since 1970."""

    end: int
    """Where it ends."""

    last: int
    """The moment whose offset from UTC the axis keeps throughout."""

    tail: str = ""
    """What its title says after the zone."""

    @classmethod
    def over(cls, zone: ZoneInfo, start: Integers, end: Integers, is_open: Flags, *, is_whole: bool = False) -> Self:
        """Give the axis of bars, of which there is one at least, that ends after the last change.

        Those that are open for long would squash all that happened: they go beyond it, unless it is to be `is_whole`.

        Examples
        --------
        >>> start, end, is_open = np.array([0, 0]), np.array([1_000_000, 60_000_000]), np.array([False, True])
        >>> TimeAxis.over(ZoneInfo("UTC"), start, end, is_open).layout()["range"][1]
        '1970-01-01T00:00:01.122000'
        """
        first, last = int(start.min()), int(end.max())
        settled = max(int(start.max()), int(end[~is_open].max(initial=first)))
        is_squashed = not is_whole and settled > first and last - settled > _MOST_OPEN * (settled - first)
        shown = settled + (settled - first) // 10 if is_squashed else last
        tail = f"<br>what is still open goes on to {moment(last, zone):%Y-%m-%d %H:%M:%S}" if shown != last else ""
        margin = (shown - first) // 50 or _LEAST_MARGIN
        return cls(zone, first - margin, shown + margin, last, tail)

    @property
    def offset(self) -> int:
        """Microseconds that its clock is ahead of UTC."""
        return (moment(self.last, self.zone).utcoffset() or timedelta(0)) // _MICRO

    def wall(self, times: Integers) -> npt.NDArray[np.str_]:
        """Give times as the text that plotly reads without loss: ISO with microseconds."""
        texts: npt.NDArray[np.str_] = np.datetime_as_string((times + self.offset).astype("datetime64[us]"), unit="us")
        return texts

    def layout(self) -> dict[str, Any]:
        """Give the settings of plotly's axis."""
        clock = WallClock(self.zone, None if self._is_steady() else moment(self.last, self.zone))
        return {
            "type": "date",
            "title": f"time ({clock.name}){self.tail}",
            "range": [*map(str, self.wall(np.array([self.start, self.end])))],
            "tickformatstops": TICKS,
        }

    def _is_steady(self) -> bool:
        """Tell whether the zone has one offset throughout."""
        last = max(self.end, self.last)
        samples = min((last - self.start) // _DAY + 2, _SAMPLES)
        moments = np.linspace(self.start, last, samples).astype(np.int64)
        return len({moment(at, self.zone).utcoffset() for at in moments}) == 1
