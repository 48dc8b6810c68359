"""Lateness: counts and percentiles are those of a plain loop, and every gap of a schedule is found."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from by_hand import percentile
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import frames, lateness_table, plot_lateness, schedule_gaps, schema, tables
from prefect_nbviz.errors import FrameError, QueryError

EVIL = "<img src=x onerror=alert(1)>%{x}$y$"
BEGIN = datetime(2026, 10, 24, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MICRO = timedelta(microseconds=1)
LATE = st.none() | st.sampled_from([0, 1, 14_999_999, 15_000_000, 15_000_001]) | st.integers(0, 10**10)
RUN = st.tuples(
    st.sampled_from(["x", "y", None]),
    st.sampled_from([(), ("a",), ("b", "a")]),
    st.integers(0, 3_000),  # minutes, over the night in which the clocks go back
    LATE,
    st.booleans(),
)


def frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Give flow runs of flow, tags, minute of the expected start, lateness in microseconds, whether they started."""
    expected = [BEGIN + timedelta(minutes=minute) for _, _, minute, _, _ in rows]
    starts = [
        at + late * MICRO if started and late is not None else None
        for at, (_, _, _, late, started) in zip(expected, rows, strict=True)
    ]
    return pd.DataFrame(
        {
            "flow_run_id": [f"run-{place}" for place in range(len(rows))],
            "flow_name": pd.Series([row[0] for row in rows], dtype="str"),
            "tags": pd.Series([row[1] for row in rows], dtype="object"),
            "expected_start_time": pd.Series(expected, dtype=schema.TIME),
            "start_time": pd.Series(starts, dtype=schema.TIME),
            "lateness": pd.Series(pd.to_timedelta([row[3] for row in rows], unit="us")).astype("timedelta64[us]"),
        }
    )


def keys(row: tuple[Any, ...], by: tuple[str, ...]) -> list[tuple[Any, ...]]:
    flow, tags, minute, _, _ = row
    at = BEGIN + timedelta(minutes=minute)
    shown = at.astimezone(BERLIN)
    begins = pd.Timestamp(at - timedelta(minutes=shown.minute))
    found: list[tuple[Any, ...]] = [()]
    for word in by:
        values = {"flow_name": [flow], "tags": tags or [None], "hour": [begins], "hour_of_day": [shown.hour]}[word]
        found = [(*key, value) for key in found for value in values]
    return found


@settings(max_examples=40)
@given(
    st.lists(RUN, max_size=25),
    st.sampled_from([("flow_name", "hour_of_day"), ("hour",), ("tags",), ("flow_name", "tags"), ()]),
)
def test_the_table_is_that_of_a_plain_loop(rows: list[Any], by: tuple[str, ...]) -> None:
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        for key in keys(row, by):
            groups.setdefault(key, []).append(row)
    table = lateness_table(frame(rows), by=by, tz="Europe/Berlin")
    assert len(table) == len(groups)
    for line in table.to_dict("records"):
        held = groups[tuple(None if pd.isna(line[word]) else line[word] for word in by)]
        lengths = [row[3] for row in held if row[3] is not None]
        late = sum(length > 15_000_000 for length in lengths)
        assert (line["runs"], line["late"]) == (len(lengths), late)
        assert line["without_lateness"] == len(held) - len(lengths)
        assert line["waiting"] == sum(row[3] is not None and not row[4] for row in held)
        if lengths:
            assert line["late_share"] == late / len(lengths)
            found = [line[word] // MICRO for word in ("p50", "p95", "max")]
            assert found == [percentile(lengths, percent) for percent in (50, 95, 100)]
        else:
            assert all(line[word] is pd.NaT for word in ("p50", "p95", "max"))
            assert math.isnan(line["late_share"])
    assert table["late"].is_monotonic_decreasing
    assert plot_lateness(table).layout.title.subtitle.text


def test_the_threshold_is_set_by_the_person() -> None:
    runs = frame([("x", (), 0, seconds * 1_000_000, True) for seconds in (0, 1, 60, 61, 3_600)])
    found = [
        int(lateness_table(runs, threshold=threshold, by=())["late"].iloc[0])
        for threshold in ("0s", "1min", timedelta(hours=1))
    ]
    assert found == [4, 2, 0]
    assert "late: more than 1 min" in subtitle(lateness_table(runs, threshold="1min"))
    for wrong in ("soon", "-1s", None, 15):
        with pytest.raises(QueryError, match="threshold is a timedelta or text"):
            lateness_table(runs, threshold=wrong)


def subtitle(table: pd.DataFrame) -> str:
    return str(plot_lateness(table).layout.title.subtitle.text)


def test_the_night_in_which_the_clocks_go_back_has_an_hour_twice() -> None:
    runs = frame([("x", (), minute, 0, True) for minute in (24 * 60 + 15, 25 * 60 + 15)])
    assert len(lateness_table(runs, by="hour", tz="Europe/Berlin")) == 2
    assert lateness_table(runs, by="hour_of_day", tz="Europe/Berlin")["hour_of_day"].tolist() == [2]
    labels = plot_lateness(lateness_table(runs, by="hour", tz="Europe/Berlin")).data[0].y
    assert {*labels} == {"2026-10-25 02:00 CEST", "2026-10-25 02:00 CET"}


@pytest.mark.parametrize("by", [("flow_name", "hour_of_day"), ("hour",), ("tags",), ()])
def test_nothing_is_an_empty_table_and_a_chart_that_says_so(by: tuple[str, ...]) -> None:
    table = lateness_table(frame([]), by=by)
    dtypes = frames.empty(tables.LATENESS).dtypes
    assert [*table.columns] == [*by, *dtypes.index]
    assert table[[*dtypes.index]].dtypes.equals(dtypes)
    assert plot_lateness(table).layout.annotations[0].text == "No runs that have started or are due"


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(QueryError, match="Did you mean 'flow_name'"):
        lateness_table(frame([]), by="flowname")
    with pytest.raises(FrameError, match="lacks 'lateness'"):
        lateness_table(frame([]).drop(columns="lateness"))


def test_the_chart_says_what_it_leaves_out_and_shows_names_letter_by_letter() -> None:
    runs = frame([(f"{place:03} {EVIL * 6}", (), 0, 20_000_000, True) for place in range(1_000)])
    runs.attrs[frames.ATTRS] = {"matched": 5_000, "truncated": True}
    fig = plot_lateness(lateness_table(runs, by="flow_name"))
    text = json.dumps(json.loads(fig.to_json()))
    assert "<img" not in text
    assert "$y$" not in text
    assert len(text) < 100_000
    said = str(fig.layout.title.subtitle.text)
    assert said.startswith("30 runs drawn, of 5,000 that match; late: more than 15 s; 970 more rows are not drawn")
    assert "with 970 of 1,000 late runs" in said
    assert fig.data[2].text[0] == " 100% · p95 20 s"


def scheduled(starts: list[tuple[str | None, int, bool]]) -> pd.DataFrame:
    """Give flow runs of deployment, expected start in minutes, whether a schedule made them."""
    deployments = [one for one, _, _ in starts]
    return pd.DataFrame(
        {
            "deployment_id": pd.Series(deployments, dtype="str"),
            "deployment_name": pd.Series(deployments, dtype="str"),
            "flow_name": "etl",
            "auto_scheduled": pd.Series([made for _, _, made in starts], dtype="bool"),
            "expected_start_time": pd.Series([BEGIN + timedelta(minutes=at) for _, at, _ in starts], dtype=schema.TIME),
        }
    )


START = st.tuples(st.sampled_from(["d", "e", None]), st.integers(0, 200), st.booleans())


@settings(max_examples=40)
@given(st.lists(START, max_size=30), st.sampled_from([1.5, 2.0, 3.25]), st.none() | st.integers(0, 400))
def test_the_gaps_are_those_of_a_plain_loop(starts: list[Any], factor: float, until: int | None) -> None:
    expected = []
    for deployment in ("d", "e"):
        minutes = sorted({at for one, at, made in starts if one == deployment and made})
        spacings = [after - before for before, after in pairwise(minutes)]
        if len(spacings) < 2:
            continue
        ordered, count = sorted(spacings), len(spacings)
        median = Fraction(ordered[(count - 1) // 2] + ordered[count // 2], 2)
        for before, length in zip(minutes, spacings, strict=False):
            if length > factor * median:
                missing = math.floor(length / median + Fraction(1, 2)) - 1
                expected.append((deployment, before, before + length, missing, False))
        if until is not None and until - minutes[-1] > factor * median:
            expected.append((deployment, minutes[-1], until, math.floor((until - minutes[-1]) / median), True))
    moment = None if until is None else BEGIN + timedelta(minutes=until)
    gaps = schedule_gaps(scheduled(starts), factor=factor, until=moment)
    found = gaps[["deployment_id", "gap_start", "gap_end", "missing_runs", "is_open"]].to_numpy().tolist()
    assert sorted(found) == sorted(
        [one, BEGIN + timedelta(minutes=begin), BEGIN + timedelta(minutes=end), missing, is_open]
        for one, begin, end, missing, is_open in expected
    )
    assert (gaps["missing_runs"] >= 1).all()
    assert (gaps["gap_end"] - gaps["gap_start"] == gaps["length"]).all()
    assert gaps["length"].is_monotonic_decreasing


def test_a_schedule_without_gaps_has_none_and_says_how_many_were_looked_at() -> None:
    gaps = schedule_gaps(scheduled([(one, at, True) for one in "de" for at in range(0, 600, 60)]))
    assert gaps.dtypes.equals(frames.empty(tables.SCHEDULE_GAPS).dtypes)
    assert len(gaps) == 0
    assert gaps.attrs[frames.ATTRS] == {"kind": "schedule_gaps", "factor": 1.5, "deployments": 2}
    assert schedule_gaps(scheduled([])).dtypes.equals(gaps.dtypes)


def test_gaps_in_which_none_is_missing_and_naive_ends_are_refused() -> None:
    for factor in (1.4, math.nan):
        with pytest.raises(QueryError, match=r"factor is 1.5 or more"):
            schedule_gaps(scheduled([]), factor=factor)
    with pytest.raises(QueryError, match=r"until .* has no time zone"):
        schedule_gaps(scheduled([]), until=datetime(2026, 1, 1))
