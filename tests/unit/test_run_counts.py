"""Counts over time of a frame against plain loops, in time zones whose clocks change."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import frames, plot_run_counts, run_counts, schema
from prefect_nbviz.bins import COUNTED
from prefect_nbviz.errors import FrameError, IncompleteWarning, QueryError
from prefect_nbviz.states import STATE_NAMES

CHANGES = {
    "UTC": [datetime(2024, 2, 29)],
    "Europe/Berlin": [datetime(2024, 3, 31, 1), datetime(2024, 10, 27, 1)],
    "Asia/Kolkata": [datetime(2024, 1, 1)],
    "Australia/Lord_Howe": [datetime(2024, 4, 6, 15), datetime(2024, 10, 5, 15, 30)],  # by half an hour
    "Africa/Cairo": [datetime(2024, 4, 25, 22)],  # leaps over midnight
    "America/Santiago": [datetime(2024, 9, 8, 4), datetime(2024, 4, 7, 3)],  # likewise; back from midnight to 23:00
    "America/Havana": [datetime(2024, 11, 3, 5)],  # has midnight twice
}
"""Moments in UTC at which the clocks change, for each time zone."""

FREQS = {"37min": timedelta(minutes=37), "1h": timedelta(hours=1), "6h": timedelta(hours=6)}

Run = tuple[datetime, str | None]


@st.composite
def zoned_runs(draw: st.DrawFn) -> tuple[str, list[Run]]:
    zone = draw(st.sampled_from([*CHANGES]))
    change = draw(st.sampled_from(CHANGES[zone])).replace(tzinfo=UTC)
    near = st.timedeltas(min_value=timedelta(hours=-3), max_value=timedelta(hours=3))
    far = st.timedeltas(min_value=timedelta(days=-40), max_value=timedelta(days=40))
    exact = st.integers(-100, 100).map(lambda quarters: timedelta(minutes=15 * quarters))
    name = st.sampled_from(["Completed", "Cached", "Failed", "Late", "mine", None])
    runs = st.lists(st.tuples(st.one_of(near, far, exact).map(lambda after: change + after), name), max_size=15)
    return zone, draw(runs)


def frame_of(runs: list[Run]) -> pd.DataFrame:
    data = {
        "expected_start_time": [start.isoformat() for start, _ in runs],
        "state_type": [STATE_NAMES.get(name, "COMPLETED") if name else None for _, name in runs],
        "state_name": [name for _, name in runs],
    }
    return frames.typed(data, COUNTED)


def midnight(day: date, zone: str) -> datetime:
    """Give the first moment of a day; where the clocks leap over its midnight, that of the leap."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def days_of_bin(day: date, freq: str) -> tuple[date, date]:
    if freq == "W":
        sunday = day - timedelta(days=(day.weekday() + 1) % 7)
        return sunday, sunday + timedelta(days=7)
    if freq == "MS":
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    return day, day + timedelta(days=1)


def counts_by_loop(runs: list[Run], freq: str, zone: str) -> Counter[Any]:
    counts: Counter[Any] = Counter()
    anchor = midnight(min(start for start, _ in runs).astimezone(ZoneInfo(zone)).date(), zone) if runs else None
    for start, name in runs:
        if freq in FREQS:
            begin = anchor + (start - anchor) // FREQS[freq] * FREQS[freq]
            end = begin + FREQS[freq]
        else:
            days = days_of_bin(start.astimezone(ZoneInfo(zone)).date(), freq)
            begin, end = (midnight(day, zone) for day in days)
        counts[begin, end, STATE_NAMES.get(name, "COMPLETED") if name else None, name] += 1
    return counts


@settings(max_examples=60)
@given(zoned_runs(), st.sampled_from([*FREQS, "1D", "W", "MS"]))
def test_they_are_those_of_a_plain_loop(zoned: tuple[str, list[Run]], freq: str) -> None:
    zone, runs = zoned
    counts = run_counts(frame_of(runs), freq=freq, tz=zone)
    assert counts.dtypes.astype(str).to_dict() == frames.empty(schema.RUN_COUNTS).dtypes.astype(str).to_dict()
    found = {
        tuple(None if pd.isna(value) else value for value in row[:4]): row[4]
        for row in counts.itertuples(index=False, name=None)
    }
    assert found == counts_by_loop(runs, freq, zone)
    assert len(counts) == len(found)
    order = ["bin_start", "state_type", "state_name"]
    pd.testing.assert_frame_equal(counts, counts.sort_values(order, ignore_index=True))


def test_the_frame_says_what_the_runs_say() -> None:
    runs = frame_of([(datetime(2026, 1, 1, tzinfo=UTC), "Failed")] * 3)
    runs.attrs["prefect_nbviz"] = {"matched": 7, "truncated": True, "query": {"tags_all": ["prod"]}}
    counts = run_counts(runs.head(2), freq="1D", tz="Asia/Kolkata")
    about = counts.attrs["prefect_nbviz"]
    assert about == runs.attrs["prefect_nbviz"] | {"kind": "run_counts", "freq": "1D", "tz": "Asia/Kolkata"}
    about["query"]["tags_all"].append("x")
    assert runs.attrs["prefect_nbviz"]["query"] == {"tags_all": ["prod"]}
    assert plot_run_counts(counts).layout.title.subtitle.text == "2 runs drawn, of 7 that match"


def test_no_runs_give_every_column() -> None:
    pd.testing.assert_frame_equal(run_counts(frame_of([])), frames.empty(schema.RUN_COUNTS), check_flags=False)


def test_runs_without_a_time_are_in_no_bin_and_said() -> None:
    runs = frame_of([(datetime(2026, 1, 1, tzinfo=UTC), "Failed")] * 3)
    runs.loc[1, "expected_start_time"] = pd.NaT
    with pytest.warns(IncompleteWarning, match="1 of 3 runs have no expected start"):
        counts = run_counts(runs)
    assert counts["runs"].tolist() == [2]
    assert counts.attrs["prefect_nbviz"]["truncated"]
    assert plot_run_counts(counts).layout.title.subtitle.text == "2 runs drawn, of more that match"


def test_texts_that_are_not_categorical_are_counted_alike() -> None:
    runs = frame_of([(datetime(2026, 1, 1, hour, tzinfo=UTC), name) for hour in (1, 2) for name in ("Late", None)])
    plain = runs.astype({"state_type": "object", "state_name": "str"})
    pd.testing.assert_frame_equal(run_counts(plain), run_counts(runs))


def test_bad_input_is_said() -> None:
    runs = frame_of([(datetime(2026, 1, 1, tzinfo=UTC), "Failed"), (datetime(2027, 1, 1, tzinfo=UTC), "Failed")])
    with pytest.raises(FrameError, match=r"lacks 'state_name'.*read_task_runs\(\)"):
        run_counts(runs.drop(columns="state_name"))
    with pytest.raises(FrameError, match="no time zone"):
        run_counts(runs.assign(expected_start_time=pd.Timestamp("2026-01-01")))
    for freq, tz, said in (
        ("1x", "UTC", "no bins"),
        ("1h", "Mars", "tz cannot be"),
        ("1ms", "UTC", "a second at least"),
    ):
        with pytest.raises(QueryError, match=said):
            run_counts(runs, freq=freq, tz=tz)
    with pytest.raises(QueryError, match="more than 20,000 bins"):
        run_counts(runs, freq="1min")
