"""Intervals against plain loops, and against histories that were worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_nbviz import frames, schema
from prefect_nbviz.analysis.intervals import state_intervals
from prefect_nbviz.errors import FrameError, QueryError
from prefect_nbviz.states import STATE_NAMES, STATE_TYPES

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
AS_OF = START + timedelta(hours=1)
TERMINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

NAMES = ["Scheduled", "AwaitingRetry", "Pending", "Running", "Retrying", "Paused", "Cancelling", "Completed", "Failed"]

History = list[tuple[str, str, int]]
"""Run id, state name, microseconds after START."""


def states(history: History) -> pd.DataFrame:
    count = len(history)
    return frames.typed(
        {
            "run_kind": ["task_run"] * count,
            "run_id": [run for run, _, _ in history],
            "run_name": [f"name of {run}" for run, _, _ in history],
            "flow_run_id": [None] * count,
            "state_type": [STATE_NAMES[name] for _, name, _ in history],
            "state_name": [name for _, name, _ in history],
            "timestamp": [(START + timedelta(microseconds=at)).isoformat() for _, _, at in history],
            "message": [f"{name}!" for _, name, _ in history],
            "scheduled_time": [None] * count,
            "source": ["server"] * count,
        },
        schema.STATES,
    )


def story(*names: str, run: str = "a", step: int = 10) -> pd.DataFrame:
    return states([(run, name, place * step * 1_000_000) for place, name in enumerate(names)])


def seconds(spans: pd.DataFrame) -> list[float]:
    return spans["duration"].dt.total_seconds().tolist()


histories = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(NAMES), st.integers(0, 50)),
    max_size=25,
    unique_by=lambda row: (row[0], row[2]),
)
tied_histories = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(NAMES), st.integers(0, 4)), max_size=25)


def by_run(history: History) -> dict[str, list[tuple[str, int]]]:
    runs: dict[str, list[tuple[str, int]]] = {}
    for run, name, at in sorted(history, key=lambda row: row[2]):
        runs.setdefault(run, []).append((name, at))
    return runs


def attempts_by_loop(names: list[str]) -> list[int]:
    attempt, numbers = 1, []
    for place, name in enumerate(names):
        before = names[place - 1] if place else None
        ran = before is not None and STATE_NAMES[before] == "RUNNING"
        ended = before is not None and STATE_NAMES[before] in TERMINAL
        kind = STATE_NAMES[name]
        if kind in {"SCHEDULED", "PENDING"}:
            new = ran or ended
        elif kind == "RUNNING":
            new = ended or (ran and name == "Retrying")
        else:
            new = False
        attempt += new
        numbers.append(attempt)
    return numbers


@given(histories)
def test_stays_of_a_run_never_overlap(history: History) -> None:
    for _, spans in state_intervals(states(history), as_of=AS_OF).groupby("run_id"):
        assert (spans["end_time"] >= spans["start_time"]).all()
        assert (spans["end_time"].iloc[:-1].to_numpy() <= spans["start_time"].iloc[1:].to_numpy()).all()


@given(histories)
def test_lengths_add_up_to_the_whole_less_the_time_after_ends(history: History) -> None:
    spans = state_intervals(states(history), as_of=AS_OF)
    for run, steps in by_run(history).items():
        last = steps[-1][1] if STATE_NAMES[steps[-1][0]] in TERMINAL else 3_600_000_000
        ended = sum(later - at for (name, at), (_, later) in pairwise(steps) if STATE_NAMES[name] in TERMINAL)
        total = spans[spans["run_id"] == run]["duration"].sum()
        assert total == timedelta(microseconds=last - steps[0][1] - ended)


@given(histories)
def test_every_state_is_one_stay_and_runs_come_in_order_of_their_first(history: History) -> None:
    spans = state_intervals(states(history), as_of=AS_OF)
    runs = sorted(by_run(history).items(), key=lambda item: (item[1][0][1], item[0]))
    assert [*zip(spans["run_id"], spans["state_name"], strict=True)] == [
        (run, name) for run, steps in runs for name, _ in steps
    ]


@given(histories)
def test_attempts_are_those_of_a_plain_loop(history: History) -> None:
    spans = state_intervals(states(history), as_of=AS_OF)
    for run, steps in by_run(history).items():
        expected = attempts_by_loop([name for name, _ in steps])
        assert spans[spans["run_id"] == run]["attempt"].tolist() == expected


@given(tied_histories, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(history: History, random: Any) -> None:
    shuffled = random.sample(history, len(history))
    one, other = (state_intervals(states(rows), as_of=AS_OF) for rows in (history, shuffled))
    pd.testing.assert_frame_equal(one, other)


@given(tied_histories)
def test_the_input_is_not_changed(history: History) -> None:
    given_states = states(history)
    given_states.attrs["prefect_nbviz"] = {"as_of": AS_OF.isoformat(), "query": {"tags_all": ["prod"]}}
    before = given_states.copy(deep=True)
    state_intervals(given_states).attrs["prefect_nbviz"]["query"]["tags_all"].append("x")
    pd.testing.assert_frame_equal(given_states, before)
    assert given_states.attrs == {
        "prefect_nbviz": {"as_of": AS_OF.isoformat(), "query": {"tags_all": ["prod"]}},
    }


@given(histories)
def test_columns_and_dtypes_are_those_of_the_schema(history: History) -> None:
    spans = state_intervals(states(history), as_of=AS_OF)
    assert spans.dtypes.astype(str).to_dict() == frames.empty(schema.INTERVALS).dtypes.astype(str).to_dict()
    assert [*spans.columns] == schema.names(schema.INTERVALS)
    assert spans["state_type"].cat.categories.tolist() == [*STATE_TYPES]


def test_states_of_one_moment_stand_in_the_order_of_a_runs_life() -> None:
    spans = state_intervals(states([("a", "Completed", 5), ("a", "Running", 5), ("a", "Pending", 5)]), as_of=AS_OF)
    assert spans["state_name"].tolist() == ["Pending", "Running", "Completed"]


def test_an_empty_history_gives_an_empty_frame_with_every_dtype() -> None:
    spans = state_intervals(frames.empty(schema.STATES), as_of=AS_OF)
    pd.testing.assert_frame_equal(spans, frames.empty(schema.INTERVALS))


def test_a_retry_and_the_wait_for_it_are_the_second_attempt() -> None:
    spans = state_intervals(story("Pending", "Running", "AwaitingRetry", "Retrying", "Completed"), as_of=AS_OF)
    assert spans["attempt"].tolist() == [1, 1, 2, 2, 2]
    assert seconds(spans) == [10, 10, 10, 10, 0]
    assert not spans["is_open"].any()
    assert spans["message"].tolist() == ["Pending!", "Running!", "AwaitingRetry!", "Retrying!", "Completed!"]


def test_a_retry_without_a_wait_is_the_second_attempt() -> None:
    spans = state_intervals(story("Pending", "Running", "Retrying", "Completed"), as_of=AS_OF)
    assert spans["attempt"].tolist() == [1, 1, 2, 2]


def test_running_twice_is_one_attempt_unless_it_retries() -> None:
    assert state_intervals(story("Pending", "Running", "Running"), as_of=AS_OF)["attempt"].tolist() == [1, 1, 1]


def test_a_paused_and_resumed_run_is_in_the_same_attempt() -> None:
    names = ("Pending", "Running", "Paused", "Resuming", "Pending", "Running", "Completed")
    spans = state_intervals(story(*names), as_of=AS_OF)
    assert spans["attempt"].tolist() == [1] * 7
    assert seconds(spans) == [10] * 6 + [0]


@pytest.mark.parametrize("again", [("Scheduled", "Pending", "Running"), ("Running",), ("Retrying",)])
def test_a_run_started_again_after_it_failed_leaves_a_gap(again: tuple[str, ...]) -> None:
    spans = state_intervals(story("Pending", "Running", "Failed", *again, "Completed"), as_of=AS_OF)
    assert seconds(spans) == [10, 10, 0] + [10] * len(again) + [0]
    assert spans["attempt"].tolist() == [1, 1, 1] + [2] * len(again) + [2]
    assert spans["start_time"].iloc[3] - spans["end_time"].iloc[2] == timedelta(seconds=10)


def test_the_last_stay_is_open_until_as_of() -> None:
    spans = state_intervals(story("Pending", "Running"), as_of=AS_OF)
    assert spans["is_open"].tolist() == [False, True]
    assert spans["end_time"].iloc[-1] == AS_OF
    assert seconds(spans) == [10, 3590]


def test_a_stay_that_begins_after_as_of_has_no_length() -> None:
    spans = state_intervals(story("Pending", "Running"), as_of=START)
    assert seconds(spans) == [10, 0]
    assert spans["is_open"].tolist() == [False, True]


def test_as_of_keeps_its_microseconds() -> None:
    as_of = START.replace(microsecond=999_999)
    assert state_intervals(story("Running"), as_of=as_of)["end_time"].iloc[0] == as_of


def test_as_of_comes_from_the_states_and_goes_into_the_result() -> None:
    read = story("Running")
    read.attrs["prefect_nbviz"] = {"as_of": AS_OF.isoformat(), "matched": 7}
    spans = state_intervals(read)
    assert spans.attrs["prefect_nbviz"] == {"as_of": AS_OF.isoformat(), "matched": 7}
    later = AS_OF + timedelta(days=1)
    assert state_intervals(read, as_of=later).attrs["prefect_nbviz"]["as_of"] == later.isoformat()


def test_an_unknown_as_of_is_asked_for() -> None:
    with pytest.raises(FrameError, match="pass as_of="):
        state_intervals(story("Running"))


def test_a_naive_as_of_is_refused() -> None:
    with pytest.raises(QueryError, match=r"no time zone: use \.replace\(tzinfo=UTC\)"):
        state_intervals(story("Running"), as_of=datetime(2026, 3, 1))
    with pytest.raises(QueryError, match="as_of takes a datetime"):
        state_intervals(story("Running"), as_of="2026-03-01")


@pytest.mark.parametrize("column", ["run_id", "state_type", "timestamp", "run_kind", "message"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(FrameError, match=rf"'{column}'.*read_states\(\)"):
        state_intervals(story("Running").drop(columns=column), as_of=AS_OF)


def test_a_state_without_a_time_is_refused() -> None:
    read = story("Pending", "Running")
    read.loc[0, "timestamp"] = pd.NaT
    with pytest.raises(FrameError, match="no timestamp"):
        state_intervals(read, as_of=AS_OF)
    naive = story("Running").assign(timestamp=pd.to_datetime(["2026-03-01"]))
    with pytest.raises(FrameError, match="no time zone"):
        state_intervals(naive, as_of=AS_OF)


def test_times_of_another_zone_and_unit_are_brought_to_utc() -> None:
    read = story("Pending", "Completed")
    read["timestamp"] = read["timestamp"].dt.tz_convert("Asia/Kolkata").astype("datetime64[ns, Asia/Kolkata]")
    pd.testing.assert_frame_equal(
        state_intervals(read, as_of=AS_OF), state_intervals(story("Pending", "Completed"), as_of=AS_OF)
    )
