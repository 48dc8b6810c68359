"""Runs at once: as a plain loop over every moment counts them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import concurrency_steps, concurrency_table, frames, plot_concurrency, tables
from prefect_nbviz.charts.concurrency import MAX_GROUPS_DRAWN, MAX_STEPS_DRAWN
from prefect_nbviz.errors import FrameError, QueryError

BEGIN = pd.Timestamp("2026-03-01", tz="UTC")
SECOND = pd.Timedelta(1, unit="s")
TAGS = [(), ("a",), ("b", "a"), ("a", "a")]
STAY = st.tuples(
    st.integers(0, 9),
    st.integers(0, 4),
    st.sampled_from(["RUNNING", "RUNNING", "PENDING"]),
    st.booleans(),
    st.sampled_from(TAGS),
)
LAST = 13
EVIL = "<img src=x onerror=alert(1)>%{x}$y$"


def frame(rows: list[Any]) -> pd.DataFrame:
    """Make stays of start, length, state type, whether it is open, and the tags of the run."""
    start = [BEGIN + row[0] * SECOND for row in rows]
    end = [BEGIN + (LAST if row[3] else row[0] + row[1]) * SECOND for row in rows]
    return pd.DataFrame(
        {
            "run_id": pd.Series([f"run-{place}" for place in range(len(rows))], dtype="str"),
            "state_type": [row[2] for row in rows],
            "is_open": pd.Series([row[3] for row in rows], dtype="bool"),
            "start_time": pd.Series(start, dtype="datetime64[us, UTC]"),
            "end_time": pd.Series(end, dtype="datetime64[us, UTC]"),
        }
    )


def tagged(rows: list[Any]) -> pd.DataFrame:
    tags = pd.Series([row[4] for row in rows], dtype="object")
    return pd.DataFrame({"task_run_id": [f"run-{place}" for place in range(len(rows))], "tags": tags})


def at_once(rows: list[Any], second: int, tag: str | None, *, by: str | None) -> int:
    held = [row for row in rows if row[2] == "RUNNING"]
    if by:
        held = [row for row in held if (tag in row[4] if tag else not row[4])]
    return sum(row[0] <= second and (row[3] or second < row[0] + row[1]) for row in held)


def number_at(steps: pd.DataFrame, second: int) -> int:
    past = steps[steps["time"] <= BEGIN + second * SECOND]
    return int(past["running"].iloc[-1]) if len(past) else 0


@settings(max_examples=60)
@given(st.lists(STAY, max_size=8), st.sampled_from([None, "tags"]))
def test_every_moment_is_that_of_a_plain_loop(rows: list[Any], by: str | None) -> None:
    steps = concurrency_steps(frame(rows), by=by, runs=tagged(rows))
    table = concurrency_table(steps).set_index("group")
    running = [row for row in rows if row[2] == "RUNNING"]
    until = max((LAST if row[3] else row[0] + row[1] for row in running), default=0)
    begin = min((row[0] for row in running), default=0)
    for tag in (None, "a", "b") if by else (None,):
        part = steps[steps["group"].isna() if tag is None else steps["group"] == tag]
        counted = [at_once(rows, second, tag, by=by) for second in range(LAST + 1)]
        assert [number_at(part, second) for second in range(LAST + 1)] == counted
        assert part["running"].diff().ne(0).all()
        assert part["time"].is_monotonic_increasing
        if len(part):
            row = table[table.index.isna()].iloc[0] if tag is None else table.loc[tag]
            assert row["most"] == max(counted)
            assert row["most_since"] == BEGIN + counted.index(max(counted)) * SECOND
            assert row["mean"] == pytest.approx(sum(counted[begin:until]) / max(until - begin, 1))
    assert table["most"].is_monotonic_decreasing


def test_groups_are_columns_of_the_intervals_or_of_runs() -> None:
    spans = frame([(0, 3, "RUNNING", False, ()), (1, 3, "RUNNING", False, ())]).assign(
        pool=pd.Categorical(["x", "y"]), flow_run_id=["f", "g"]
    )
    assert concurrency_steps(spans, by="pool")["group"].tolist() == ["x", "x", "y", "y"]
    runs = pd.DataFrame({"flow_run_id": ["g"], "work_pool_name": pd.Categorical(["z"])})
    steps = concurrency_steps(spans, by="work_pool_name", runs=runs)
    assert steps["group"].astype("object").where(steps["group"].notna(), None).tolist() == ["z", "z", None, None]
    assert steps["running"].tolist() == [1, 0, 1, 0]
    with pytest.raises(QueryError, match="runs=… takes a frame"):
        concurrency_steps(spans, by="work_pool_name")
    with pytest.raises(QueryError, match="Did you mean 'work_pool_name'"):
        concurrency_steps(spans, by="work_pool", runs=runs)


def test_nothing_gives_every_column_and_what_cannot_be_is_refused() -> None:
    for rows in ([], [(0, 3, "PENDING", False, ())], [(0, 0, "RUNNING", False, ())]):
        steps = concurrency_steps(frame(rows))
        assert steps.dtypes.map(str).to_dict() == frames.empty(tables.CONCURRENCY).dtypes.map(str).to_dict()
        table = concurrency_table(steps)
        assert table.dtypes.map(str).to_dict() == frames.empty(tables.CONCURRENCY_TABLE).dtypes.map(str).to_dict()
        assert table.empty
    with pytest.raises(FrameError, match="how far they go"):
        concurrency_table(frames.empty(tables.CONCURRENCY))
    with pytest.raises(FrameError, match="no time zone"):
        concurrency_steps(frame([(0, 1, "RUNNING", False, ())]).assign(start_time=pd.Timestamp("2026-01-01")))
    with pytest.raises(FrameError, match="no start_time or end_time"):
        concurrency_steps(frame([(0, 1, "RUNNING", False, ())]).assign(end_time=pd.NaT))
    with pytest.raises(FrameError, match="lacks 'is_open'"):
        concurrency_steps(frame([]).drop(columns="is_open"))


def seconds(times: Any) -> list[int]:
    return [round(one / 1_000 - BEGIN.timestamp()) for one in times]


def test_the_line_is_the_steps_and_the_heading_the_table() -> None:
    rows = [(0, 3, "RUNNING", False, ("a",)), (1, 4, "RUNNING", False, ("a",)), (7, 0, "RUNNING", True, ("b",))]
    fig = plot_concurrency(concurrency_steps(frame(rows)))
    assert seconds(fig.data[0].x) == [0, 0, 1, 3, 5, 7, LAST]
    assert fig.data[0].y.tolist() == [0, 1, 2, 1, 0, 1, 1]
    assert fig.data[0].line.shape == "hv"
    assert fig.layout.annotations[0].text == "at most 2 · mean 1 · first 2026-03-01 00:00:01 UTC"
    by_tag = plot_concurrency(concurrency_steps(frame(rows), by="tags", runs=tagged(rows)), tz="Asia/Kolkata")
    texts = [one.text for one in by_tag.layout.annotations]
    assert texts[0] == "<b>a</b><br>at most 2 · mean 0.538 · first 2026-03-01 05:30:01 IST"
    assert texts[1].startswith("<b>b</b><br>at most 1 · mean 0.462")
    assert by_tag.layout.yaxis.range == by_tag.layout.yaxis2.range


@pytest.mark.parametrize("by", [None, "group"])
def test_of_many_steps_no_peak_and_no_low_is_lost(by: str | None) -> None:
    rng = np.random.default_rng(7)
    spans = frame([(0, 1, "RUNNING", False, ())]).take(np.zeros(20_000, dtype=int)).reset_index(drop=True)
    spans["run_id"] = [f"run-{place}" for place in range(20_000)]
    spans["start_time"] += pd.to_timedelta(rng.integers(0, 10**12, 20_000), unit="us")
    spans["end_time"] = spans["start_time"] + pd.to_timedelta(rng.integers(1, 10**9, 20_000), unit="us")
    spans["group"] = [f"{place % 8}" for place in range(20_000)]
    steps = concurrency_steps(spans, by=by)
    fig, lines = plot_concurrency(steps), [*steps.groupby("group", dropna=False, sort=False, observed=True)]
    subtitle = fig.layout.title.subtitle.text
    assert "line: the most, dark: the least in" in subtitle
    assert ("2 more values are not drawn" in subtitle) == (by is not None)
    assert len(fig.to_json()) < 1_000_000
    assert sum(len(trace.x) for trace in fig.data) <= MAX_STEPS_DRAWN + 2 * len(fig.data)
    for number, (_, own) in enumerate(lines[:MAX_GROUPS_DRAWN]):
        least, most = fig.data[2 * number : 2 * number + 2]
        edges = np.round(np.asarray(most.x) * 1_000).astype(np.int64)
        time = own["time"].dt.tz_convert(None).to_numpy(dtype="datetime64[us]").astype(np.int64)
        running = np.append(0, own["running"].to_numpy())
        for place in range(0, len(edges) - 1, 37):
            inside = np.flatnonzero((time >= edges[place]) & (time < edges[place + 1])) + 1
            held = [running[np.searchsorted(time, edges[place], side="right")], *running[inside]]
            assert (least.y[place], most.y[place]) == (min(held), max(held))
        assert most.y.max() == own["running"].max()


def test_nothing_to_draw_says_so_and_names_stay_text() -> None:
    empty = plot_concurrency(concurrency_steps(frame([])))
    assert empty.layout.annotations[0].text == "No runs that ran to draw"
    spans = frame([(0, 1, "RUNNING", False, ())]).assign(pool=EVIL)
    spans.attrs[frames.ATTRS] = {"matched": 3, "truncated": True}
    fig = plot_concurrency(concurrency_steps(spans, by="pool"))
    assert "<img" not in json.dumps(json.loads(fig.to_json()))
    assert fig.layout.title.subtitle.text == "1 run drawn, of 3 that match"
    with pytest.raises(FrameError, match="how far they go"):
        plot_concurrency(frames.empty(tables.CONCURRENCY))
