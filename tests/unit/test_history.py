"""Counts over time as a chart: every count is a bar, where its bin is."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import frames, plot_run_counts, schema
from prefect_nbviz.errors import FrameError, QueryError


def run_counts(*rows: tuple[str, str, str, str, int]) -> pd.DataFrame:
    columns = zip(schema.names(schema.RUN_COUNTS), zip(*rows, strict=True), strict=True)
    return frames.typed({name: list(values) for name, values in columns}, schema.RUN_COUNTS)


COUNTS = run_counts(
    ("2026-03-28T23:00Z", "2026-03-29T22:00Z", "COMPLETED", "Completed", 7),
    ("2026-03-28T23:00Z", "2026-03-29T22:00Z", "FAILED", "TimedOut", 1),
    ("2026-03-29T22:00Z", "2026-03-30T22:00Z", "COMPLETED", "<b>mine</b>", 2),
)


COUNTS.attrs["prefect_nbviz"] = {"matched": 10}


def test_each_count_is_a_bar_as_wide_as_its_bin() -> None:
    fig = plot_run_counts(COUNTS, tz="Europe/Berlin")
    bars = {bar.name: bar for bar in fig.data}
    assert ([*bars["Completed"].x], [*bars["Completed"].y]) == (["2026-03-29T00:00:00"], [7])
    assert bars["Completed"].width[0] == 23 * 3_600_000
    assert sum(sum(bar.y) for bar in fig.data) == COUNTS["runs"].sum()
    assert fig.layout.title.subtitle.text == "all 10 runs that match"
    assert plot_run_counts(COUNTS.head(1)).layout.title.subtitle.text == "7 runs drawn, of 10 that match"
    assert fig.layout.xaxis.title.text == "expected start (Europe/Berlin)"


def test_a_bar_says_its_state_its_runs_and_its_bin() -> None:
    bars = {bar.name: bar for bar in plot_run_counts(COUNTS, tz="Europe/Berlin").data}
    assert [*bars["TimedOut"].hovertext] == ["2026-03-29 00:00:00 CET to 2026-03-30 00:00:00 CEST"]
    assert [*bars["TimedOut"].meta] == ["FAILED", "TimedOut"]
    assert {bar.hovertemplate for bar in bars.values()} == {
        "<b>%{fullData.name}: %{y:,}</b><br>%{hovertext}<extra></extra>"
    }


def test_hours_that_the_clock_shows_twice_are_two_bars() -> None:
    hours = pd.date_range("2026-10-24T22:00Z", periods=6, freq="1h").strftime("%Y-%m-%dT%H:%MZ").tolist()
    counts = run_counts(*((start, end, "COMPLETED", "Completed", 15) for start, end in pairwise(hours)))
    fig = plot_run_counts(counts, tz="Europe/Berlin")
    (bars,) = fig.data
    assert [*bars.x] == [f"2026-10-{day}:00:00" for day in ("24T23", "25T00", "25T01", "25T02", "25T03")]
    assert [*bars.width] == [3_600_000] * 5
    assert fig.layout.xaxis.title.text == "expected start (Europe/Berlin, UTC+01:00 throughout)"
    assert bars.hovertext[2] == "2026-10-25 02:00:00 CEST to 2026-10-25 02:00:00 CET"
    assert bars.hovertext[3] == "2026-10-25 02:00:00 CET to 2026-10-25 03:00:00 CET"


CHANGES = [
    ("Europe/Berlin", "2026-10-25T01:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00Z"),
    ("America/Havana", "2026-11-01T05:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
]
"""Zones, and moments at which their clocks change."""


@settings(max_examples=50)
@given(
    st.sampled_from(CHANGES),
    st.sampled_from([7, 37, 60, 360, 1_440]),
    st.integers(-39, -1),
    st.sets(st.integers(-40, 40), max_size=20),
)
def test_no_two_bins_are_drawn_on_each_other(
    change: tuple[str, str], minutes: int, first: int, empty: set[int]
) -> None:
    tz, moment = change
    length = pd.Timedelta(minutes=minutes)
    starts = [pd.Timestamp(moment) + place * length for place in range(first, first + 40) if place not in empty]
    counts = run_counts(*((str(start), str(start + length), "COMPLETED", "Completed", 1) for start in starts))
    (bars,) = plot_run_counts(counts, tz=tz).data
    begins = pd.to_datetime([*bars.x])
    stops = begins + pd.to_timedelta([*bars.width], unit="ms")
    assert (stops > begins).all()
    assert (begins[1:] >= stops[:-1]).all()


def test_days_begin_at_midnight_on_the_clock_also_where_one_has_25_hours() -> None:
    days = ["2026-10-23T22:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z", "2026-10-26T23:00Z"]
    counts = run_counts(*((start, end, "FAILED", "Failed", 2) for start, end in pairwise(days)))
    fig = plot_run_counts(counts, tz="Europe/Berlin")
    assert [*fig.data[0].x] == [f"2026-10-{day}T00:00:00" for day in (24, 25, 26)]
    assert [*fig.data[0].width] == [24 * 3_600_000] * 3
    assert fig.layout.xaxis.title.text == "expected start (Europe/Berlin)"


def test_names_are_escaped() -> None:
    fig = plot_run_counts(COUNTS)
    assert not any("<b>mine" in bar.name for bar in fig.data)
    assert any("&lt;b&gt;mine" in bar.name for bar in fig.data)


def test_nothing_to_draw() -> None:
    fig = plot_run_counts(frames.empty(schema.RUN_COUNTS), theme="dark")
    assert fig.layout.annotations[0].text == "No runs to count"


def test_bad_input_is_said() -> None:
    with pytest.raises(FrameError, match=r"lacks 'bin_start', .* as read_run_counts\(\) gives it"):
        plot_run_counts(pd.DataFrame({"runs": [1]}))
    with pytest.raises(QueryError, match=r"tz cannot be 'Berlin'"):
        plot_run_counts(COUNTS, tz="Berlin")
