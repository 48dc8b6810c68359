"""Bins: whatever the time zone does, they follow each other, hold every run, and days begin with the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prefect_nbviz import bins
from prefect_nbviz.errors import QueryError

ZONES = sorted(available_timezones() - {"localtime"})
FREQS = ["1s", "90s", "37min", "1h", "6h", "25h", "1D", "2D", "B", "W", "W-WED", "SMS", "MS", "2MS", "ME", "QS", "YS"]
MIDNIGHT_CHANGES = [
    ("Africa/Cairo", "2026-04-24"),
    ("America/Santiago", "2026-04-05"),
    ("America/Santiago", "2026-09-06"),
    ("Asia/Beirut", "2026-03-29"),
    ("Asia/Beirut", "2026-10-25"),
    ("America/Havana", "2026-03-08"),
    ("America/Havana", "2026-11-01"),
    ("America/St_Johns", "2010-11-07"),
    ("Pacific/Apia", "2011-12-31"),
]
"""Zones, and days that begin in the change of their clocks or right after it."""

moments = st.datetimes(datetime(1995, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
CAIRO = datetime(2026, 4, 23, 12, tzinfo=UTC)


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    """Give what a zone's clock shows."""
    return moment.astimezone(zone).replace(tzinfo=None)


@settings(max_examples=200)
@example("B", "UTC", datetime(2026, 7, 3, tzinfo=UTC), timedelta(0))
@example("1D", "Africa/Cairo", CAIRO, timedelta(days=1))
@example("1h", "Africa/Cairo", CAIRO + timedelta(days=1), timedelta(hours=3))
@given(st.sampled_from(FREQS), st.sampled_from(ZONES), moments, st.timedeltas(timedelta(0), timedelta(days=120)))
def test_bins_follow_each_other_and_hold_all(freq: str, tz: str, first: datetime, span: timedelta) -> None:
    span = min(span, timedelta(hours=5)) if freq.endswith("s") else span
    edges = bins.edges(pd.Timestamp(first), pd.Timestamp(first + span), freq, tz)
    assert edges.is_monotonic_increasing
    assert edges.is_unique
    assert edges[0] <= first < edges[1]
    assert edges[-2] <= first + span < edges[-1]


@pytest.mark.parametrize(("tz", "day"), MIDNIGHT_CHANGES)
@pytest.mark.parametrize("freq", FREQS)
def test_bins_where_clocks_change_at_midnight(freq: str, tz: str, day: str) -> None:
    begin = pd.Timestamp(day).tz_localize("UTC")
    span = pd.Timedelta(hours=1 if freq.endswith("s") else 60)
    edges = bins.edges(begin - span, begin + span, freq, tz)
    assert edges.is_monotonic_increasing
    assert edges.is_unique
    assert edges[0] <= begin - span
    assert edges[-2] <= begin + span < edges[-1]


@settings(max_examples=200)
@example("Africa/Cairo", CAIRO)
@example("Pacific/Apia", datetime(2011, 12, 28, tzinfo=UTC))
@given(st.sampled_from(ZONES), moments)
def test_bins_of_a_day_begin_with_it(tz: str, first: datetime) -> None:
    begin_of_days(tz, first)


@pytest.mark.parametrize(("tz", "day"), MIDNIGHT_CHANGES)
def test_bins_of_a_day_begin_with_it_where_clocks_change_at_midnight(tz: str, day: str) -> None:
    begin_of_days(tz, datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=2))


def begin_of_days(tz: str, first: datetime) -> None:
    zone = ZoneInfo(tz)
    edges = [
        edge.to_pydatetime()
        for edge in bins.edges(pd.Timestamp(first), pd.Timestamp(first + timedelta(days=4)), "1D", tz)
    ]
    days = [shown(edge, zone).date() for edge in edges]
    assert days == sorted(set(days))
    assert all(
        shown(edge - timedelta(microseconds=1), zone).date() < day for edge, day in zip(edges, days, strict=True)
    )


def test_short_bins_are_those_of_the_runs_and_not_of_their_day() -> None:
    noon = pd.Timestamp("2026-01-01T12:00Z")
    assert len(bins.edges(noon, noon + pd.Timedelta(seconds=5), "1s", "UTC")) == 7


def test_too_many_bins_are_refused_and_as_many_as_may_be_are_not() -> None:
    first = pd.Timestamp("2026-01-01T00:00Z")
    for freq, length in (("1h", pd.Timedelta(hours=1)), ("1D", pd.Timedelta(days=1))):
        last = first + (bins.MOST_BINS - 1) * length
        assert len(bins.edges(first, last, freq, "UTC")) == bins.MOST_BINS + 1
        with pytest.raises(QueryError, match="makes more than 20,000 bins"):
            bins.edges(first, last + length, freq, "UTC")


@pytest.mark.parametrize(
    ("freq", "text"),
    [
        ("1h", "1h"),
        (timedelta(minutes=15), "15min"),
        (pd.Timedelta("1h"), "h"),
        (pd.offsets.MonthBegin(2), "2MS"),
        (pd.offsets.Week(weekday=2), "W-WED"),
    ],
)
def test_a_frequency_becomes_text(freq: object, text: str) -> None:
    assert bins.check(freq, "UTC") == (text, "UTC")


@pytest.mark.parametrize(("tz", "text"), [(ZoneInfo("Europe/Berlin"), "Europe/Berlin"), (UTC, "UTC")])
def test_a_time_zone_becomes_text(tz: object, text: str) -> None:
    assert bins.check("1h", tz) == ("1h", text)


@pytest.mark.parametrize(
    "freq", [None, 5, "x", "", "H", True, [], pd.DateOffset(days=1), pd.offsets.CDay(holidays=["2026-01-01"])]
)
def test_what_is_no_frequency_is_refused(freq: object) -> None:
    with pytest.raises(QueryError, match=r"^freq=.* makes no bins: .* such as '15min'"):
        bins.check(freq, "UTC")


@pytest.mark.parametrize("freq", ["0.5s", "-1h", "-1D", "1000000001ns"])
def test_bins_that_the_server_has_not_are_refused(freq: str) -> None:
    with pytest.raises(QueryError, match=r"^freq cannot be .*: bins last a second at least"):
        bins.check(freq, "UTC")


@pytest.mark.parametrize("tz", [None, 5, "Berlin", "", "../UTC", timedelta(0)])
def test_what_is_no_time_zone_is_refused(tz: object) -> None:
    with pytest.raises(QueryError, match=r"^tz cannot be .* It is a name such as 'UTC' or 'Europe/Berlin'\."):
        bins.check("1h", tz)
