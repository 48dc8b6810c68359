"""Time spent: the parts of every run add up to its length, and every sum is that of a plain loop."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import frames, plot_time_spent, schema, state_intervals, tables, time_spent
from prefect_nbviz.analysis.spent import PARTS, runs_of_rows
from prefect_nbviz.charts.groups import MAX_GROUPS_DRAWN
from prefect_nbviz.errors import FrameError, QueryError
from prefect_nbviz.states import STATE_NAMES, TERMINAL_STATE_TYPES
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.spent import TimeView

EVIL = "<img src=x onerror=alert(1)>%{x}$y$"
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
AS_OF = BEGIN + timedelta(days=2)
MICRO = timedelta(microseconds=1)
TAGS = [(), ("a",), ("b", "a")]
STEP = st.tuples(st.sampled_from([*STATE_NAMES]), st.integers(0, 10**10))
RUN = st.tuples(st.sampled_from(["x", "y", None]), st.sampled_from(TAGS), st.lists(STEP, min_size=1, max_size=8))
NAMED = {
    ("SCHEDULED", "Scheduled"): "scheduled",
    ("PENDING", "NotReady"): "not_ready",
    ("SCHEDULED", "Late"): "late",
    ("SCHEDULED", "AwaitingRetry"): "awaiting_retry",
    ("SCHEDULED", "AwaitingConcurrencySlot"): "awaiting_slot",
}


def history(runs: list[tuple[Any, ...]], *, kind: str = "task_run") -> pd.DataFrame:
    rows = [
        (f"run-{place}", name, BEGIN + MICRO * sum(step[1] for step in steps[: at + 1]))
        for place, (_, _, steps) in enumerate(runs)
        for at, (name, _) in enumerate(steps)
    ]
    ids, names, times = zip(*rows, strict=True) if rows else ((),) * 3
    data = {
        "run_kind": [kind] * len(rows),
        "run_id": [*ids],
        "run_name": [f"name of {one}" for one in ids],
        "flow_run_id": ["f"] * len(rows),
        "state_type": [STATE_NAMES[name] for name in names],
        "state_name": [*names],
        "timestamp": pd.Series([*times], dtype=schema.TIME),
        "message": [None] * len(rows),
        "scheduled_time": [None] * len(rows),
        "source": ["server"] * len(rows),
    }
    return frames.typed(data, schema.STATES)


def rows_of(runs: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "task_run_id": [f"run-{place}" for place in range(len(runs))],
            "flow_name": pd.Series([run[0] for run in runs], dtype="str"),
            "tags": pd.Series([run[1] for run in runs], dtype="object"),
            "expected_start_time": pd.Series(
                [BEGIN + timedelta(minutes=40 * place) for place in range(len(runs))], dtype=schema.TIME
            ),
        }
    )


def by_loop(states: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Walk over the states of each run, and count microseconds."""
    spent: dict[str, dict[str, int]] = {}
    for run, group in states.groupby("run_id", sort=False):
        found = dict.fromkeys([*PARTS, "spent", "total"], 0)
        moments = [moment.to_pydatetime() for moment in group["timestamp"]]
        ends = [*moments[1:], max(moments[-1], AS_OF)]
        if group["state_type"].iloc[-1] in TERMINAL_STATE_TYPES:
            ends[-1] = moments[-1]
        for kind, name, begin, end in zip(group["state_type"], group["state_name"], moments, ends, strict=True):
            plain = "other" if kind in {*TERMINAL_STATE_TYPES, "SCHEDULED"} else kind.lower()
            found[NAMED.get((kind, name), plain)] += (end - begin) // MICRO
        found["spent"] = sum(found[part] for part in PARTS if part not in {"scheduled", "not_ready"})
        found["total"] = (ends[-1] - moments[0]) // MICRO
        spent[str(run)] = found
    return spent


def micros(row: dict[str, Any]) -> dict[str, int]:
    return {part: row[part] // MICRO for part in [*PARTS, "spent", "total"]}


def in_order(states: pd.DataFrame) -> pd.DataFrame:
    """Put states of one moment in the order in which the intervals have them."""
    spans = state_intervals(states, as_of=AS_OF)
    return spans.rename(columns={"start_time": "timestamp"})


@settings(max_examples=30)
@given(st.lists(RUN, max_size=8))
def test_the_parts_of_a_run_are_those_of_a_plain_loop_and_add_up(runs: list[Any]) -> None:
    states = history(runs)
    expected = by_loop(in_order(states))
    table = time_spent(state_intervals(states, as_of=AS_OF).sample(frac=1, random_state=1))
    assert {row["run_id"]: micros(row) for row in table.to_dict("records")} == expected
    assert (table[[*PARTS]].sum(axis=1) == table["total"]).all()
    assert table["spent"].is_monotonic_decreasing
    assert (table["run_name"] == "name of " + table["run_id"]).all()
    is_open = {run for run, group in states.groupby("run_id") if by_last(in_order(group)) not in TERMINAL_STATE_TYPES}
    assert set(table.loc[table["open_runs"] == 1, "run_id"]) == is_open


def by_last(states: pd.DataFrame) -> str:
    return str(states["state_type"].iloc[-1])


@settings(max_examples=25)
@given(st.lists(RUN, max_size=8), st.sampled_from(["flow_name", "tags", "hour", "hour_of_day"]))
def test_a_group_is_the_sum_of_its_runs(runs: list[Any], by: str) -> None:
    states = history(runs)
    spent = by_loop(in_order(states))
    groups: dict[Any, list[str]] = {}
    for place, (flow, tags, _) in enumerate(runs):
        expected = (BEGIN + timedelta(minutes=40 * place + 330)).replace(tzinfo=None)  # on the clocks of Kolkata
        hour = pd.Timestamp(expected.replace(minute=0)).tz_localize("Asia/Kolkata")
        values = {"flow_name": [flow], "tags": tags or [None], "hour": [hour], "hour_of_day": [expected.hour]}[by]
        for value in values:
            groups.setdefault(value, []).append(f"run-{place}")
    spans = state_intervals(states, as_of=AS_OF)
    table = time_spent(spans, by=by, runs=rows_of(runs), tz="Asia/Kolkata")
    assert len(table) == len(groups)
    for row in table.to_dict("records"):
        ids = groups[None if pd.isna(row[by]) else row[by]]
        assert row["runs"] == len(ids)
        assert micros(row) == {part: sum(spent[one][part] for one in ids) for part in [*PARTS, "spent", "total"]}
    assert table.attrs[frames.ATTRS]["runs"] == len(runs)


def test_a_known_life() -> None:
    steps = [("Scheduled", 0), ("Late", 15), ("Pending", 5), ("Running", 2), ("AwaitingRetry", 30), ("Retrying", 10)]
    steps += [("Suspended", 3), ("Resuming", 100), ("Running", 1), ("Failed", 4), ("Pending", 50), ("Running", 1)]
    seconds = [(name, length * 1_000_000) for name, length in [*steps, ("Cancelling", 6), ("Cancelled", 2)]]
    table = time_spent(state_intervals(history([("x", (), seconds)]), as_of=AS_OF))
    found = {part: table[part].iloc[0].total_seconds() for part in [*PARTS, "spent", "total"]}
    assert found == {
        "scheduled": 15,
        "not_ready": 0,
        "late": 5,
        "awaiting_slot": 0,
        "awaiting_retry": 10,
        "pending": 3,
        "running": 43,
        "paused": 100,
        "cancelling": 2,
        "other": 51,
        "spent": 214,
        "total": 229,
    }


def test_flow_runs_and_task_runs_are_never_in_one_row() -> None:
    one = [("x", (), [("Running", 0), ("Completed", 5)])]
    flows = history(one, kind="flow_run").assign(run_id="f")
    spans = state_intervals(pd.concat([flows, history(one)]), as_of=AS_OF)
    table = time_spent(spans.assign(place="here"), by="place")
    assert sorted(table["run_kind"]) == ["flow_run", "task_run"]
    assert {*plot_time_spent(table).data[0].y} == {"flow_run · here", "task_run · here"}


def test_what_would_count_twice_or_is_not_there_is_refused() -> None:
    spans = state_intervals(history([("x", (), [("Pending", 0), ("Running", 9)])]), as_of=AS_OF)
    with pytest.raises(FrameError, match="in the intervals twice"):
        time_spent(pd.concat([spans, spans]))
    with pytest.raises(FrameError, match="no run_id, start_time or end_time"):
        time_spent(spans.assign(end_time=pd.NaT))
    with pytest.raises(FrameError, match="lacks 'is_open'"):
        time_spent(spans.drop(columns="is_open"))
    with pytest.raises(QueryError, match="Did you mean 'flow_run_id'"):
        time_spent(spans, by="flow_run_ids")
    with pytest.raises(FrameError, match="lacks 'expected_start_time'"):
        time_spent(spans, by="hour")
    with pytest.raises(QueryError, match="tz cannot be"):
        time_spent(spans, tz="Europe/Berlim")


@pytest.mark.parametrize("by", ["run_id", "flow_name", "tags", "hour"])
def test_nothing_is_an_empty_table_and_a_chart_that_says_so(by: str) -> None:
    table = time_spent(state_intervals(history([]), as_of=AS_OF), by=by, runs=rows_of([]))
    dtypes = frames.empty(tables.TIME_SPENT).dtypes
    assert table[[*dtypes.index]].dtypes.equals(dtypes)
    assert by in table
    assert plot_time_spent(table).layout.annotations[0].text == "No stays to add up"


def test_runs_without_a_history_are_said() -> None:
    runs = [("x", (), [("Pending", 0), ("Running", 9)])] * 3
    spans = state_intervals(history(runs[:2]), as_of=AS_OF)
    table = time_spent(spans, by="flow_name", runs=rows_of(runs))
    assert table.attrs[frames.ATTRS]["runs_without_intervals"] == 1
    assert subtitle(table) == "2 runs; 2 not ended yet; 1 more have no history here"


def test_the_chart_leaves_out_what_was_not_due_and_says_so() -> None:
    steps = [("Scheduled", 0), ("Pending", 90_000_000), ("Running", 1_000_000), ("Completed", 2_000_000)]
    table = time_spent(state_intervals(history([("x", (), steps)]), as_of=AS_OF))
    fig = plot_time_spent(table)
    assert [trace.meta for trace in fig.data] == ["pending", "running", None]
    assert fig.data[2].text == (" 3 s",)
    assert subtitle(table) == "1 run; without 1 min 30 s in Scheduled"
    only = time_spent(state_intervals(history([("x", (), steps[:1])]), as_of=AS_OF))
    assert subtitle(only) == "1 run; 1 not ended yet; without 2 d in Scheduled"
    assert plot_time_spent(only).data[0].text == (" 0 s",)


def subtitle(table: pd.DataFrame) -> str:
    return str(plot_time_spent(table).layout.title.subtitle.text)


def many(runs: int) -> pd.DataFrame:
    lives = [("x", (), [("Pending", 0), ("Running", 1_000_000), ("Failed", place)]) for place in range(runs)]
    return state_intervals(history(lives), as_of=AS_OF)


def test_the_chart_draws_the_largest_and_says_what_it_leaves_out() -> None:
    spans = many(1_000)
    table = time_spent(spans)
    fig = plot_time_spent(table)
    (running,) = (trace for trace in fig.data if trace.meta == "running")
    drawn = {trace.meta: np.asarray(trace.x) for trace in fig.data if trace.meta}
    assert len(running.y) == len({*running.y}) == MAX_GROUPS_DRAWN
    assert (drawn["running"] * 1_000).round().tolist() == [*range(999, 969, -1)]
    assert subtitle(table).startswith("30 runs drawn, of 1,000; 970 more rows are not drawn, with 16 min 10 s of")
    assert len(fig.to_json()) < 100_000


def test_names_of_strangers_are_shown_letter_by_letter_and_short() -> None:
    spans = many(3).assign(run_name=EVIL * 6)
    fig = plot_time_spent(time_spent(spans))
    text = json.dumps(json.loads(fig.to_json()))
    assert "<img" not in text
    assert "$y$" not in text
    assert len({*fig.data[0].y}) == 3
    assert max(map(len, fig.data[0].y)) < 120


def test_the_runs_of_every_row_are_those_of_its_group() -> None:
    runs = [
        (place % 3, TAGS[place % 3], [("Running", 10**6), ("Completed", 10**6 * (place + 1))]) for place in range(9)
    ]
    spans, rows = state_intervals(history(runs), as_of=AS_OF), rows_of(runs)
    for by in ("run_id", "tags", "hour", ["flow_name", "tags"]):
        table = time_spent(spans, by=by, runs=rows)
        members = runs_of_rows(spans, by=by, runs=rows)
        assert members.groupby("row").size().tolist() == table["runs"].tolist()
        total = spans.groupby("run_id")["duration"].sum()
        assert total[members["run_id"]].groupby(members["row"].to_numpy()).sum().tolist() == table["total"].tolist()


def test_the_view_of_time_adds_up_by_what_is_chosen_and_its_bars_are_picked() -> None:
    runs = [("xy"[place % 2], (), [("Late", 10**6), ("Running", 10**6), ("Completed", 10**7)]) for place in range(6)]
    spans, rows = state_intervals(history(runs), as_of=AS_OF), rows_of(runs)
    view = TimeView(Page(), zone=ZoneInfo("UTC"))
    view.show(spans, rows, of=1)
    assert [one for _, one in view.by.options] == ["flow_name", "run_id", "tags", "hour", "hour_of_day"]
    view.by.value = "flow_name"
    about = view.chart.about
    view.show(frames.empty(schema.INTERVALS), frames.empty(schema.FLOW_RUNS), of=2)
    assert "No stays to add up" in view.chart.figure
    view.show(spans, rows, of=1)
    assert (view.by.value, view.chart.about) == ("flow_name", about)
    assert json.loads(view.chart.figure)["layout"]["title"]["subtitle"]["text"] == "6 runs"
    drawn = json.loads(view.chart.figure)["data"]
    assert [trace.get("name") for trace in drawn[:2]] == ["Late", "Running"]
    for trace in (0, 1):
        view.chart.picked = {"figure": view.chart.number, "count": trace + 1, "points": [[trace, 1]], "is_more": False}
        assert view.selected == ("run-1", "run-3", "run-5")
    view.selected = ("run-0",)
    assert view.chart.marks["points"] == [[0], [0], None]
    view.by.value = "run_id"
    assert len(view.chart.marks["points"][0]) == 1
