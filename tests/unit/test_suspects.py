"""Suspects: each problem is found where it is planted, and nothing is said of runs as Prefect makes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import Connection, explore, frames, schema, suspect_runs, tables
from prefect_nbviz.analysis.problems import PROBLEMS
from prefect_nbviz.errors import FrameError
from prefect_nbviz.query import TaskRunQuery
from prefect_nbviz.states import STATE_NAMES, TERMINAL_STATE_TYPES
from prefect_nbviz.widgets.suspects import SuspectLine

BEGIN = pd.Timestamp("2026-01-01T06:00", tz="UTC")
WHOLE = {"query": {"limit": None}, "truncated": False, "as_of": "2026-01-02T00:00:00+00:00"}
PASSING = ("Pending", "Running", "Completed")
Change = Callable[[dict[str, pd.DataFrame]], None]

HEALTHY = (
    PASSING,
    ("Pending", "NotReady"),
    ("Pending", "Running", "Cached"),
    ("Pending", "Running", "Completed", "RolledBack"),
    ("Pending", "Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying", "Completed"),
    ("Pending", "Running", "Retrying", "Retrying", "Failed"),
    ("Pending", "Running", "Paused", "Completed"),
    ("Pending", "Pending", "Running", "Failed", "Pending", "Running", "Completed"),
    ("Scheduled", "Pending", "Running", "Crashed"),
    ("Scheduled", "Late", "AwaitingConcurrencySlot", "Pending", "Submitting", "Running", "Cancelling", "Cancelled"),
    ("Scheduled", "Late", "Pending", "Running", "Suspended", "Resuming", "Pending", "Running", "Completed"),
    ("Scheduled", "Pending", "Running", "Failed", "AwaitingRetry", "Pending", "Running", "Completed"),
    ("Pending", "Running", "Completed", "Failed"),
    ("Scheduled", "Cancelled"),
    ("Scheduled", "Late"),
    ("Pending", "Running"),
)
"""Histories that real servers gave to runs that were well."""


def states_of(run: str, kind: str, names: tuple[str, ...], *, begin: int = 0) -> list[dict[str, Any]]:
    about = {"run_kind": kind, "run_id": run, "run_name": f"name {run}", "flow_run_id": "f"}
    times = [BEGIN + pd.Timedelta(10 * place + begin, "s") for place in range(len(names))]
    return [
        {**about, "state_type": STATE_NAMES[name], "state_name": name, "timestamp": time}
        for name, time in zip(names, times, strict=True)
    ]


def state_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    empty = {"message": None, "scheduled_time": None, "source": "server"}
    return frames.typed(
        {name: [(empty | row)[name] for row in rows] for name in schema.names(schema.STATES)}, schema.STATES
    )


def row_of(run: str, kind: str, names: tuple[str, ...], *, resumed_counts: bool = False) -> dict[str, Any]:
    """Give the row that a server keeps of a history: what it writes at each transition, in a plain loop."""
    start = end = None
    count, is_resuming = 0, False
    for state in states_of(run, kind, names):
        state_type, at = state["state_type"], state["timestamp"]
        if state_type == "RUNNING":
            start = start or at
            count += not (is_resuming and not resumed_counts)
        is_resuming = (is_resuming or state_type == "PAUSED") and state_type in {"PAUSED", "SCHEDULED", "PENDING"}
        if state_type in TERMINAL_STATE_TYPES:
            start, end = start or at, end or at
        else:
            end = None
    first = BEGIN
    row = {f"{kind}_id": run, "name": f"name {run}", "flow_name": "etl", "state_type": STATE_NAMES[names[-1]]}
    row |= {"state_name": names[-1], "start_time": start, "end_time": end, "run_count": count}
    row |= {"expected_start_time": first, "created": first, "tags": (), "parameters": "{}", "auto_scheduled": False}
    return row | {"flow_run_id": "f", "flow_run_name": "fine-otter"} if kind == "task_run" else row


def run_frame(kind: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns = schema.RUNS[kind]
    frame = frames.typed({one.name: [row.get(one.name) for row in rows] for one in columns}, columns)
    frame.attrs[frames.ATTRS] = dict(WHOLE)
    return frame


def three(*, task: tuple[str, ...] = PASSING) -> dict[str, pd.DataFrame]:
    """Give a flow run with a task run, and their states."""
    states = state_frame([*states_of("f", "flow_run", PASSING), *states_of("t", "task_run", task)])
    states.attrs[frames.ATTRS] = dict(WHOLE)
    flows = run_frame("flow_run", [row_of("f", "flow_run", PASSING)])
    return {"flow_runs": flows, "task_runs": run_frame("task_run", [row_of("t", "task_run", task)]), "states": states}


def put(frame: str, column: str, value: Any) -> Change:
    def change(given: dict[str, pd.DataFrame]) -> None:
        runs = given[frame]
        is_category = runs[column].dtype == "category"
        runs[column] = pd.Series([value] * len(runs), dtype=None if is_category else runs[column].dtype)

    return change


def history(*names: str) -> Change:
    def change(given: dict[str, pd.DataFrame]) -> None:
        attrs = given["states"].attrs
        given["states"] = state_frame([*states_of("f", "flow_run", PASSING), *states_of("t", "task_run", names)])
        given["states"].attrs = attrs

    return change


def unended(given: dict[str, pd.DataFrame]) -> None:
    given.update(three(task=("Pending", "Running")))


PLANTED: dict[str, list[tuple[str, Change]]] = {
    "left_active": [("t", unended)],
    "ends_before_start": [
        ("t", put("task_runs", "end_time", BEGIN + pd.Timedelta(9_999_999, "us"))),
        ("f", put("flow_runs", "end_time", BEGIN)),
    ],
    "starts_before_made": [("f", put("flow_runs", "created", BEGIN + pd.Timedelta("71s")))],
    "starts_too_early": [("t", put("task_runs", "expected_start_time", BEGIN + pd.Timedelta("71s")))],
    "end_missing": [("t", put("task_runs", "end_time", pd.NaT)), ("f", put("flow_runs", "end_time", pd.NaT))],
    "out_of_order": [
        ("t", history("Completed", *PASSING)),
        ("t", history("Pending", "Running", "Pending", "Completed")),
        ("t", history("Pending", "Failed", "Running", "Completed")),
        ("t", history(*PASSING, "Paused", "Completed")),
    ],
    "run_count": [
        ("t", put("task_runs", "run_count", 2)),
        ("t", put("task_runs", "run_count", 0)),
        ("t", history("Pending", "Running", "AwaitingRetry", "Retrying", "Completed")),
    ],
    "states_missing": [("t", history("Pending", "Completed"))],
    "state_differs": [("t", history("Pending", "Running", "Failed")), ("t", history("Pending", "Running"))],
    "flow_run_gone": [("t", put("task_runs", "flow_run_name", None)), ("t", put("task_runs", "flow_run_id", "x"))],
    "parent_gone": [("f", put("flow_runs", "parent_task_run_id", "x"))],
}


@pytest.mark.parametrize(
    ("problem", "run", "change"), [(word, *case) for word, cases in PLANTED.items() for case in cases]
)
def test_a_planted_problem_is_found(problem: str, run: str, change: Change) -> None:
    given = three()
    assert suspect_runs(**given).empty
    change(given)
    found = suspect_runs(**given)
    assert [*zip(found["run_id"], found["problem"], strict=True)] == [(run, problem)]
    assert found["run_name"].tolist() == [f"name {run}"]
    assert found["flow_name"].tolist() == ["etl"]
    assert found["found"][0].endswith(".")
    assert found["usual_cause"][0] == PROBLEMS[problem].usual_cause


def test_an_end_of_a_run_that_goes_on_is_found() -> None:
    given = three(task=("Pending", "NotReady"))
    assert suspect_runs(**given).empty
    put("task_runs", "end_time", BEGIN)(given)
    assert suspect_runs(**given)["problem"].tolist() == ["end_unexpected"]


@pytest.mark.parametrize(
    "change",
    [
        put("flow_runs", "created", BEGIN + pd.Timedelta("70s")),
        put("task_runs", "expected_start_time", BEGIN + pd.Timedelta("70s")),
        put("flow_runs", "expected_start_time", BEGIN + pd.Timedelta("2h")),
        put("task_runs", "end_time", BEGIN + pd.Timedelta("10s")),
    ],
)
def test_what_is_just_possible_is_not_told(change: Change) -> None:
    given = three()
    change(given)
    assert suspect_runs(**given).empty


def test_a_run_that_never_started_needs_no_end() -> None:
    given = three(task=("Scheduled", "Cancelled"))
    for column in ("start_time", "end_time"):
        put("task_runs", column, pd.NaT)(given)
    assert suspect_runs(**given).empty
    put("task_runs", "run_count", 1)(given)
    assert suspect_runs(task_runs=given["task_runs"])["problem"].tolist() == ["end_missing"]


def test_every_problem_is_planted_here() -> None:
    assert {*PLANTED, "end_unexpected"} == {*PROBLEMS}


@pytest.mark.parametrize("kind", ["flow_run", "task_run"])
@pytest.mark.parametrize("resumed_counts", [False, True])
def test_nothing_is_said_of_runs_as_prefect_makes_them(kind: str, *, resumed_counts: bool) -> None:
    lives = {f"{place}": names for place, names in enumerate(HEALTHY)}
    rows = [row_of(run, kind, names, resumed_counts=resumed_counts) for run, names in lives.items()]
    states = state_frame([state for run, names in lives.items() for state in states_of(run, kind, names)])
    for attrs in (dict(WHOLE), {}):
        runs = run_frame(kind, rows)
        runs.attrs[frames.ATTRS] = states.attrs[frames.ATTRS] = attrs
        assert suspect_runs(**{f"{kind}s": runs}, states=states).empty


NAMES = st.lists(st.sampled_from([*STATE_NAMES]), min_size=1, max_size=7)


@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, st.integers(0, 4), st.sampled_from(["flow_run", "task_run"])), min_size=1, max_size=4))
def test_histories_are_judged_as_by_a_plain_loop(lives: list[tuple[list[str], int, str]]) -> None:
    states = [states_of(str(place), kind, (*names,), begin=place) for place, (names, _, kind) in enumerate(lives)]
    shuffled = state_frame([state for rows in zip_longest(states) for state in rows])
    for kind in ("flow_run", "task_run"):
        own = [(str(place), names, count) for place, (names, count, one) in enumerate(lives) if one == kind]
        rows = [row_of(run, kind, (*names,)) | {"run_count": count} for run, names, count in own]
        runs = run_frame(kind, rows)
        shuffled.attrs[frames.ATTRS] = dict(WHOLE)
        found = suspect_runs(**{f"{kind}s": runs}, states=shuffled)
        found = found[found["problem"].isin(["out_of_order", "run_count", "states_missing", "state_differs"])]
        expected = {(run, word) for run, names, count in own for word in judged(names, count, kind)}
        others = {
            (str(place), word)
            for place, (names, _, one) in enumerate(lives)
            if one != kind
            for word in ordered(names, one)
        }
        assert {*zip(found["run_id"], found["problem"], strict=True)} == expected | others
        assert len(found) == len(expected | others)


def zip_longest(many: list[list[Any]]) -> list[list[Any]]:
    return [[rows[at] for rows in many if at < len(rows)] for at in range(max(map(len, many)))]


def ordered(names: list[str], kind: str) -> set[str]:
    types = [STATE_NAMES[name] for name in names]
    for place, (before, after) in enumerate(itertools.pairwise(types)):
        is_end = before in TERMINAL_STATE_TYPES
        if is_end and (after in {"PAUSED", "CANCELLING"} or (after == "RUNNING" and kind == "task_run")):
            return {"out_of_order"}
        if (before, after) == ("RUNNING", "PENDING"):
            return {"out_of_order"}
        if is_end and place == 0 and after not in TERMINAL_STATE_TYPES:
            return {"out_of_order"}
    return set()


def judged(names: list[str], count: int, kind: str) -> set[str]:
    """Judge one history by the words of the docstring."""
    types = [STATE_NAMES[name] for name in names]
    most = types.count("RUNNING")
    least, last = 0, ""
    for before, after in zip(["", *types], types, strict=False):
        if before in TERMINAL_STATE_TYPES and after not in TERMINAL_STATE_TYPES:
            least = 0
        if after == "RUNNING" and last != "PAUSED":
            least += 1
        if after not in {"SCHEDULED", "PENDING"}:
            last = after
    found = ordered(names, kind)
    if count and not most:
        return found | {"states_missing"}
    return found | (set() if least <= count <= most else {"run_count"})


def test_what_was_read_apart_is_not_compared() -> None:
    given = three()
    put("task_runs", "state_name", "Cached")(given)
    assert suspect_runs(**given)["problem"].tolist() == ["state_differs"]
    given["states"].attrs[frames.ATTRS] = WHOLE | {"as_of": "2026-01-01T23:59:59+00:00"}
    assert suspect_runs(**given).empty, "the states are older than the rows"
    given = three()
    put("task_runs", "state_name", "Cached")(given)
    given["task_runs"].attrs[frames.ATTRS] = WHOLE | {"as_of": "2026-01-01T06:01:19+00:00"}
    assert suspect_runs(**given).empty, "the last state came less than a minute before"


def test_what_does_not_say_when_it_was_read_is_told_only_where_it_must_be() -> None:
    given = three()
    put("task_runs", "state_name", "Cached")(given)
    for frame in given.values():
        frame.attrs.clear()
    assert suspect_runs(**given).empty, "the last state may be newer than the row"
    late = run_frame("task_run", [row_of("u", "task_run", PASSING) | {"end_time": BEGIN + pd.Timedelta("2h")}])
    later = state_frame(states_of("u", "task_run", PASSING, begin=7200))
    given["task_runs"] = pd.concat([given["task_runs"], late], ignore_index=True)
    given["states"] = pd.concat([given["states"], later], ignore_index=True)
    table = suspect_runs(**given)
    assert [*zip(table["run_id"], table["problem"], strict=True)] == [("t", "state_differs")]
    assert table.attrs[frames.ATTRS]["compared"] == 1


def test_a_task_run_may_end_soon_after_its_flow_run_or_begin_after_it() -> None:
    given = three(task=("Pending", "Running"))
    given["task_runs"].attrs[frames.ATTRS] = WHOLE | {"as_of": "2026-01-01T06:01:20+00:00"}
    assert suspect_runs(**given).empty
    given["task_runs"].attrs[frames.ATTRS] = WHOLE | {"as_of": "2026-01-01T06:01:21+00:00"}
    assert suspect_runs(**given)["problem"].tolist() == ["left_active"]
    put("task_runs", "start_time", BEGIN + pd.Timedelta("1h"))(given)
    assert suspect_runs(**given).empty


@pytest.mark.parametrize(
    "about", [{"truncated": True}, {"query": {"state_type": ["FAILED"], "limit": None}}, {"as_of": None}]
)
def test_a_partial_frame_makes_no_orphans(about: dict[str, Any]) -> None:
    given = three()
    put("flow_runs", "parent_task_run_id", "x")(given)
    put("task_runs", "flow_run_id", "y")(given)
    assert {*suspect_runs(**given)["problem"]} == {"parent_gone", "flow_run_gone"}
    for runs in (given["flow_runs"], given["task_runs"]):
        runs.attrs[frames.ATTRS] = WHOLE | about
    table = suspect_runs(**given)
    assert table.empty
    assert table.attrs[frames.ATTRS]["truncated"] is bool(about.get("truncated"))


def test_one_kind_is_judged_alone() -> None:
    given = three(task=("Pending", "Running"))
    assert suspect_runs(task_runs=given["task_runs"]).empty
    history("Pending", "Running", "Pending")(given)
    found = suspect_runs(states=given["states"])
    assert found["problem"].tolist() == ["out_of_order"]
    assert found["flow_name"].isna().all()
    about = suspect_runs(**given).attrs[frames.ATTRS]
    assert [about[word] for word in ("flow_runs", "task_runs", "histories", "compared")] == [1, 1, 2, 2]


def test_it_works_on_nothing() -> None:
    empty = {f"{kind}s": frames.empty(columns) for kind, columns in schema.RUNS.items()}
    pd.testing.assert_frame_equal(
        suspect_runs(**empty, states=frames.empty(schema.STATES)), frames.empty(tables.SUSPECTS)
    )
    assert len(suspect_runs(**{**three(task=("Pending", "Running")), "flow_runs": empty["flow_runs"]})) == 0


def test_it_says_what_is_missing() -> None:
    with pytest.raises(FrameError, match="needs a frame"):
        suspect_runs()
    with pytest.raises(FrameError, match="lacks 'run_count'"):
        suspect_runs(task_runs=three()["task_runs"].drop(columns="run_count"))
    naive = three()["task_runs"]
    naive["start_time"] = naive["start_time"].dt.tz_localize(None)
    with pytest.raises(FrameError, match="start_time has no time zone"):
        suspect_runs(task_runs=naive)


EVIL = "<img src=x onerror=alert(1)>"


def test_the_explorer_says_it_and_selects_the_runs() -> None:
    line = SuspectLine()
    given = three(task=(*PASSING[:2], "Completed"))
    line.show(suspect_runs(**given), given["task_runs"])
    assert (line.runs, line.said.value, line.layout.display) == ((), "", "none")
    history("Completed", *PASSING)(given)
    given["states"]["run_name"] = EVIL
    line.show(suspect_runs(**given), pd.concat([given["task_runs"]] * 3))
    assert line.runs == ("t",)
    assert "1 run has data that cannot be right (with the states of 2 of 3 runs): 1 with states" in line.said.value
    assert "<img" not in line.said.value
    assert "Usual cause: the run gave back a state" in line.said.value
    assert (line.button.description, line.layout.display) == ("Select 1", None)


def test_the_screen_is_quiet_until_something_is_odd() -> None:
    given = three()
    explorer = explore(connection=Connection("http://127.0.0.1:9/api"))
    screen, query = explorer.screen, TaskRunQuery()
    given["task_runs"].attrs[frames.ATTRS] |= {"matched": 1, "read": 1, "reason": None, "done_here": []}
    screen.show_runs(query, given["task_runs"], quietly=False)
    screen.show_states(given["states"].iloc[3:])
    assert screen.suspects.layout.display == "none"
    put("task_runs", "end_time", BEGIN)(given)
    screen.show_runs(query, given["task_runs"], quietly=True)
    assert "1 run has data that cannot be right: 1 ended before the start" in screen.suspects.said.value
    screen.suspects.button.click()
    assert screen.views.selected == ("t",)
    assert screen.selection["task_run_id"].tolist() == ["t"]
