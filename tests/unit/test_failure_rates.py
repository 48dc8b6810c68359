"""Failure rates: the counts are those of plain loops, and the intervals those of scipy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from prefect_nbviz import failure_rates, frames, plot_failure_rates, schema, tables
from prefect_nbviz.analysis.failure_rates import wilson
from prefect_nbviz.errors import FrameError, QueryError
from prefect_nbviz.states import STATE_TYPES


@settings(max_examples=60)
@given(st.integers(1, 100_000), st.data())
def test_the_interval_is_that_of_scipy(ended: int, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, ended) | st.sampled_from([0, 1, ended - 1, ended]))
    low, high = wilson(np.array([failed]), np.array([ended]))
    theirs = binomtest(failed, ended).proportion_ci(confidence_level=0.95, method="wilson")
    assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high), rel=1e-9, abs=1e-12)
    assert 0 <= low[0] <= failed / ended <= high[0] <= 1


RUN = st.tuples(st.sampled_from(STATE_TYPES), st.sampled_from(["etl", "train", None]), st.sets(st.sampled_from("ab")))


def made(rows: list[Any]) -> pd.DataFrame:
    kinds, flows, tags = zip(*rows, strict=True) if rows else ((),) * 3
    data = {"state_type": kinds, "flow_name": flows, "tags": [tuple(sorted(one)) for one in tags]}
    columns = {column.name: column for column in schema.FLOW_RUNS}
    return frames.typed(data, tuple(columns[name] for name in data))


@settings(max_examples=30)
@given(st.lists(RUN, max_size=30))
def test_every_run_is_counted_once_in_its_group(rows: list[Any]) -> None:
    table = failure_rates(made(rows))
    assert [*table.columns] == ["flow_name", *schema.names(tables.FAILURE_RATES)]
    assert {None if pd.isna(row.flow_name) else row.flow_name for row in table.itertuples()} == {row[1] for row in rows}
    for row in table.itertuples():
        kinds = Counter(
            kind for kind, flow, _ in rows if flow == row.flow_name or (flow is None and pd.isna(row.flow_name))
        )
        passed, bad = kinds["COMPLETED"], kinds["FAILED"] + kinds["CRASHED"]
        assert (row.runs, row.ended, row.completed) == (kinds.total(), passed + bad, passed)
        assert (row.failed, row.crashed, row.cancelled) == tuple(kinds[k] for k in ("FAILED", "CRASHED", "CANCELLED"))
        assert row.not_ended == row.runs - row.ended - row.cancelled
        assert (
            (row.failed_share == bad / row.ended) if row.ended else pd.isna([row.failed_share, row.low, row.high]).all()
        )
    assert table["low"].dropna().is_monotonic_decreasing


def test_by_tag_a_run_counts_under_each() -> None:
    table = failure_rates(made([("FAILED", "etl", {"a", "b"}), ("COMPLETED", "etl", {"a"})]), by="tags")
    assert table[["tags", "ended", "failed_share"]].to_numpy().tolist() == [["b", 1, 1.0], ["a", 2, 0.5]]


def test_what_cannot_be_is_refused_and_an_empty_table_has_every_column() -> None:
    runs = made([])
    runs.attrs[frames.ATTRS] = {"truncated": True}
    table = failure_rates(runs, by=())
    assert table.dtypes.equals(frames.empty(tables.FAILURE_RATES).dtypes)
    about = {"kind": "failure_rates", "by": [], "tz": "UTC", "confidence": 0.95, "runs": 0, "truncated": True}
    assert table.attrs[frames.ATTRS] == about
    with pytest.raises(QueryError, match="Did you mean 'flow_name'"):
        failure_rates(runs, by="flow_nam")
    with pytest.raises(FrameError, match="lacks 'state_type'"):
        failure_rates(runs.drop(columns="state_type"))


EVIL = "<img src=x onerror=alert(1)>%{x}$y$"


def test_the_chart_has_a_dot_and_whiskers_for_each_group_and_says_of_how_many_it_is() -> None:
    rows = [("FAILED", EVIL, ()), ("COMPLETED", EVIL, ()), ("COMPLETED", "etl", ()), ("CANCELLED", "none", ())]
    runs = made(rows)
    runs.attrs[frames.ATTRS] = {"matched": 9, "truncated": True, "query": {"state_type": ["FAILED"]}}
    table = failure_rates(runs)
    fig = plot_failure_rates(table)
    dots, ends = fig.data
    assert dots.x.tolist()[:2] == [0.5, 0.0]
    assert (dots.x + dots.error_x.array)[:2].tolist() == pytest.approx(table["high"][:2].tolist())
    assert (dots.x - dots.error_x.arrayminus)[:2].tolist() == pytest.approx(table["low"][:2].tolist())
    assert [text.strip() for text in ends.text] == ["1 of 2", "0 of 1", "none ended"]
    assert "<img" not in fig.to_json().encode().decode("unicode-escape")
    said = fig.layout.title.subtitle.text
    assert said.startswith("3 runs drawn, of 9 that match; 1 cancelled or not ended; read by state")


def test_of_many_groups_those_that_are_not_drawn_are_counted() -> None:
    table = failure_rates(made([("FAILED", f"flow {n}", ()) for n in range(40)]))
    said = plot_failure_rates(table, theme="dark").layout.title.subtitle.text
    assert said == "30 runs drawn, of 40; 10 more rows are not drawn, with 10 of 40 failures"


@pytest.mark.parametrize("rows", [[], [("RUNNING", "etl", ())]])
def test_where_nothing_ended_the_chart_says_so(rows: list[Any]) -> None:
    fig = plot_failure_rates(failure_rates(made(rows)))
    assert fig.layout.annotations[0].text == "No runs that completed, failed or crashed"
