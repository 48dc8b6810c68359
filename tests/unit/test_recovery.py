"""Recovery: the outages are those of a plain loop over the ends of runs, and the table adds them up."""

from __future__ import annotations

import statistics
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import frames, outages, plot_outages, recovery_table, schema, tables
from prefect_nbviz.errors import FrameError, QueryError

BEGIN = datetime.fromisoformat("2026-03-01T00:00Z")
MINUTE = timedelta(minutes=1)
FAILED = {"FAILED", "CRASHED"}
KINDS = ["FAILED", "COMPLETED"]
RUN = st.tuples(
    st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "CRASHED", "CANCELLED", "RUNNING"]),
    st.sampled_from(["etl", "train"]),
    st.none() | st.integers(0, 30),
)


def made(rows: list[Any]) -> pd.DataFrame:
    kinds, flows, ends = zip(*rows, strict=True) if rows else ((),) * 3
    data = {
        "flow_run_id": [str(place) for place in range(len(rows))],
        "flow_name": flows,
        "state_type": kinds,
        "end_time": [None if end is None else (BEGIN + end * MINUTE).isoformat() for end in ends],
    }
    columns = {column.name: column for column in schema.FLOW_RUNS}
    return frames.typed(data, tuple(columns[name] for name in data))


def by_loop(rows: list[Any], until: int) -> dict[str, list[list[Any]]]:
    found: dict[str, list[list[Any]]] = {flow: [] for _, flow, _ in rows}
    for flow, own in found.items():
        ends = [
            (end, kind in FAILED, str(place))
            for place, (kind, one, end) in enumerate(rows)
            if one == flow and kind in {"COMPLETED", *FAILED} and end is not None and end <= until
        ]
        is_down = False
        for end, is_bad, run in sorted(ends, key=lambda one: one[:2]):
            if is_bad and not is_down:
                own.append([end, until, True, 0, run, None])
            if is_bad:
                own[-1][3] += 1
            elif is_down:
                own[-1][1:3] = [end, False]
                own[-1][5] = run
            is_down = is_bad
    return found


@settings(max_examples=60)
@given(st.lists(RUN, max_size=25), st.integers(20, 40))
def test_outages_and_their_sums_are_those_of_a_plain_loop(rows: list[Any], until: int) -> None:
    runs, as_of = made(rows), BEGIN + until * MINUTE
    expected = by_loop(rows, until)
    table = outages(runs, as_of=as_of)
    assert [*table.columns] == ["flow_name", *[column.name for column in tables.OUTAGES]]
    for flow, own in expected.items():
        found = [
            [(begin - BEGIN) / MINUTE, (end - BEGIN) / MINUTE, is_open, failed, run, None if pd.isna(by) else by]
            for begin, end, _, is_open, failed, run, by in table[table["flow_name"] == flow].iloc[:, 1:].to_numpy()
        ]
        assert sorted(found) == own
    sums = recovery_table(runs, as_of=as_of)
    assert {*sums["flow_name"]} == {*expected}
    for row in sums.itertuples():
        own = expected[row.flow_name]
        lengths = [(end - begin) * MINUTE for begin, end, *_ in own]
        ends = [end for kind, flow, end in rows if flow == row.flow_name and kind in {"COMPLETED", *FAILED}]
        ends = [end for end in ends if end is not None and end <= until]
        assert (row.runs, row.outages, row.is_down) == (len(ends), len(own), any(one[2] for one in own))
        observed = (until - min(ends)) * MINUTE if ends else timedelta(0)
        assert (row.down, row.observed) == (sum(lengths, timedelta(0)), observed)
        if own:
            seconds = [one.total_seconds() for one in lengths]
            assert row.median.total_seconds() == statistics.median(seconds)
            assert row.p95.total_seconds() == pytest.approx(np.percentile(seconds, 95), abs=1e-6)
            assert row.longest == max(lengths)
            assert row.between_failures.total_seconds() == pytest.approx(
                (observed - row.down).total_seconds() / len(own), abs=1e-6
            )
        else:
            assert pd.isna([row.median, row.p95, row.longest, row.between_failures, row.down_since]).all()
        assert not row.is_down or row.down_since == BEGIN + own[-1][0] * MINUTE


def test_of_one_moment_what_completed_comes_first() -> None:
    (outage,) = outages(made([("FAILED", "etl", 5), ("COMPLETED", "etl", 5)]), as_of=BEGIN + 9 * MINUTE).itertuples()
    assert (outage.is_open, outage.length) == (True, 4 * MINUTE)


def test_what_is_down_comes_first_and_attrs_say_until_when_it_is_counted() -> None:
    rows = [("FAILED", "etl", 0), ("COMPLETED", "etl", 20), ("CRASHED", "train", 19)]
    runs = made(rows)
    runs.attrs[frames.ATTRS] = {"truncated": True, "as_of": (BEGIN + 25 * MINUTE).isoformat()}
    table = recovery_table(runs)
    assert table["flow_name"].tolist() == ["train", "etl"]
    about = {
        "truncated": True,
        "kind": "recovery",
        "by": ["flow_name"],
        "runs": 3,
        "as_of": "2026-03-01T00:25:00+00:00",
    }
    assert table.attrs[frames.ATTRS] == about
    assert outages(runs).attrs[frames.ATTRS] == about | {"kind": "outages"}


def test_empty_tables_have_every_column_and_what_cannot_be_is_refused() -> None:
    runs = made([("RUNNING", "etl", None)])
    assert outages(runs, by=(), as_of=BEGIN).dtypes.equals(frames.empty(tables.OUTAGES).dtypes)
    nothing = recovery_table(made([]), by=(), as_of=BEGIN)
    assert nothing.dtypes.equals(frames.empty(tables.RECOVERY).dtypes)
    with pytest.raises(FrameError, match="do not say when they were read"):
        outages(runs)
    with pytest.raises(FrameError, match="lacks 'end_time'"):
        recovery_table(runs.drop(columns="end_time"), as_of=BEGIN)
    with pytest.raises(QueryError, match=r"as_of .* has no time zone"):
        outages(runs, as_of=datetime(2026, 1, 1))
    with pytest.raises(QueryError, match="by cannot be 'flow'"):
        outages(runs, by="flow", as_of=BEGIN)


EVIL = "<img src=x onerror=alert(1)>%{x}$y$"


def test_the_chart_has_a_bar_for_each_outage_on_the_clock_of_a_zone() -> None:
    runs = made([("FAILED", EVIL, 0), ("COMPLETED", EVIL, 20), ("CRASHED", "etl", 19)])
    runs.attrs[frames.ATTRS] = {"matched": 9, "truncated": True}
    fig = plot_outages(outages(runs, as_of=BEGIN + 25 * MINUTE), tz="Asia/Kolkata")
    down, still, ends = fig.data
    assert [(*bars.base, *bars.x, *bars.customdata) for bars in (down, still)] == [
        ("2026-03-01T05:30:00.000000", 20 * 60_000, "0"),
        ("2026-03-01T05:49:00.000000", 6 * 60_000, "2"),
    ]
    assert [text.strip() for text in ends.text] == ["1 in 6 min", "1 in 20 min"]
    assert fig.layout.yaxis.categoryarray[0] == still.y[0] == "etl"
    assert fig.layout.title.subtitle.text == "3 runs drawn, of 9 that match"
    assert "Asia/Kolkata" in fig.layout.xaxis.title.text
    assert "<img" not in fig.to_json().encode().decode("unicode-escape")


def test_what_is_too_much_to_draw_is_said() -> None:
    rows = [(kind, f"flow {n}", 2 * k + (kind != "FAILED")) for n in range(40) for k in range(60) for kind in KINDS]
    fig = plot_outages(outages(made(rows), as_of=BEGIN + 200 * MINUTE))
    assert len(fig.data[0].x) == 1_500
    said = fig.layout.title.subtitle.text
    assert said == "4,800 runs; 10 more rows are not drawn; the longest 1,500 of 2,400 outages drawn"
    assert {text.strip() for text in fig.data[-1].text} == {"60 in 1 h"}, "those that are not drawn are counted too"


def test_without_failures_the_chart_says_so() -> None:
    fig = plot_outages(outages(made([("COMPLETED", "etl", 1)]), by=(), as_of=BEGIN))
    assert fig.layout.annotations[0].text == "No run failed"
    assert len(plot_outages(outages(made([("FAILED", "etl", 1)]), by=(), as_of=BEGIN + MINUTE), theme="dark").data) == 3
