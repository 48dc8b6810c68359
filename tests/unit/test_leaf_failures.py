"""Leaf failures: every run that failed is one, or is brought down by one, as plain loops over the records find too."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import frames, leaf_failures, schema, tables
from prefect_nbviz.errors import FrameError
from prefect_nbviz.states import STATE_NAMES

BEGIN = pd.Timestamp("2026-03-01", tz="UTC")
FLOW, TASK = "Flow run encountered an exception: ", "Task run encountered an exception "
CANCELLED = "Execution was cancelled by the runtime environment."
Run = dict[str, Any]


def flow(key: str, **said: Any) -> Run:
    return {"flow_run_id": key, "name": f"run of {key}", "flow_name": key, "parent_task_run_id": None} | told(said)


def task(key: str, within: str | None, *, up: tuple[str, ...] = (), **said: Any) -> Run:
    own = {"task_run_id": key, "flow_run_id": within, "name": key, "flow_name": within, "task_key": f"{key}-0a1b2c3d"}
    return own | {"upstream_task_run_ids": up} | told(said)


def told(said: Run) -> Run:
    return {"state_name": "Failed", "state_message": None, "start": 0, "end": 9, "run_count": 1} | said


def made(flows: list[Run], tasks: list[Run]) -> tuple[pd.DataFrame, pd.DataFrame]:
    return tuple(typed(runs, columns) for runs, columns in ((flows, schema.FLOW_RUNS), (tasks, schema.TASK_RUNS)))


def typed(runs: list[Run], columns: tuple[schema.Column, ...]) -> pd.DataFrame:
    rows = [
        run
        | {f"{word}_time": moment(run[word]) for word in ("start", "end")}
        | {"expected_start_time": BEGIN.isoformat(), "state_type": STATE_NAMES[run["state_name"]]}
        for run in runs
    ]
    defaults = {schema.COUNT: 0, schema.FLAG: False, schema.TUPLE: ()}
    return frames.typed(
        {column.name: [row.get(column.name, defaults.get(column.dtype)) for row in rows] for column in columns}, columns
    )


def moment(minutes: int | None) -> str | None:
    return None if minutes is None else (BEGIN + pd.Timedelta(minutes=minutes)).isoformat()


def found(flows: list[Run], tasks: list[Run]) -> dict[str, Any]:
    return {row.run_id: row for row in leaf_failures(*made(flows, tasks)).itertuples()}


def test_of_a_failure_three_flows_deep_the_task_run_is_shown_once_with_its_path() -> None:
    flows = [flow("etl"), flow("load", parent_task_run_id="load-0"), flow("copy", parent_task_run_id="copy-0")]
    flows = [run | {"state_message": f"{FLOW}ValueError: no row 7"} for run in flows]
    tasks = [
        task("load-0", "etl", state_message=f"{FLOW}ValueError: no row 7"),
        task("copy-0", "load", state_message=f"{FLOW}ValueError: no row 7"),
        task("read-1", "copy", state_message=f"{TASK}ValueError: no row 7", run_count=3, end=4),
        task("read-2", "copy", state_name="Completed"),
    ]
    (leaf,) = found(flows, tasks).values()
    assert (leaf.run_kind, leaf.run_id, leaf.path) == ("task_run", "read-1", ("etl", "load", "copy", "read-1"))
    assert (leaf.root_flow_run_id, leaf.root_flow_run_name, leaf.root_state_type) == ("etl", "run of etl", "FAILED")
    assert (leaf.brought_down, set(leaf.brought_down_ids)) == (5, {"etl", "load", "copy", "load-0", "copy-0"})
    assert (leaf.run_count, leaf.held_back, leaf.other_messages) == (3, 0, ())
    assert (leaf.pattern, leaf.failed_time) == (f"{TASK}ValueError: no row <n>", pd.Timestamp(moment(4)))
    assert leaf.is_whole_path
    assert leaf.is_deepest


def test_a_failure_that_was_put_up_with_brought_nothing_down() -> None:
    (leaf,) = found([flow("etl", state_name="Completed")], [task("read", "etl")]).values()
    assert (leaf.brought_down, leaf.root_state_type) == (0, "COMPLETED")


def test_of_a_call_in_a_call_the_inner_is_the_leaf_and_what_others_say_is_kept() -> None:
    tasks = [
        task("outer", "etl", state_message=f"{TASK}KeyError: 'x'", start=0, end=9),
        task("inner", "etl", state_message=f"{TASK}ValueError: 7", start=1, end=2, up=("outer",)),
    ]
    (leaf,) = found([flow("etl", state_message=f"{FLOW}KeyError: 'x'")], tasks).values()
    assert (leaf.run_id, leaf.path, leaf.brought_down) == ("inner", ("etl", "outer", "inner"), 2)
    assert leaf.other_messages == (f"{FLOW}KeyError: 'x'", f"{TASK}KeyError: 'x'")
    tasks[0]["state_name"] = "Completed"
    (leaf,) = found([flow("etl", state_name="Completed")], tasks).values()
    assert (leaf.path, leaf.brought_down) == (("etl", "outer", "inner"), 0)


def test_a_call_in_the_same_moment_is_one_and_what_started_when_the_other_had_ended_is_none() -> None:
    tasks = [task("outer", "etl", start=0, end=9), task("inner", "etl", start=0, end=2, up=("outer",))]
    assert {*found([flow("etl")], tasks)} == {"inner"}
    tasks[1] |= {"start": 9, "end": 10}
    assert {*found([flow("etl")], tasks)} == {"outer"}


def test_what_depends_on_it_fails_with_it_or_never_begins() -> None:
    waits = {"state_name": "NotReady", "start": None, "end": None, "run_count": 0}
    flows = [flow("etl", state_message="1/1 states are not final."), flow("load", parent_task_run_id="load-0", **waits)]
    tasks = [
        task("read", "etl", start=0, end=1),
        task("check", "etl", start=2, up=("read",), state_message=f"{TASK}TypeError: no"),
        task("load-0", "etl", up=("read",), **waits),
        task("later", "etl", up=("load-0",), **waits),
    ]
    (leaf,) = found(flows, tasks).values()
    assert (leaf.run_id, leaf.brought_down, leaf.held_back) == ("read", 2, 3)
    assert leaf.other_messages == (f"{TASK}TypeError: no",)


def test_of_many_the_one_whose_error_the_flow_run_says_brought_it_down() -> None:
    tasks = [task(key, "etl", state_message=f"{TASK}ValueError: {key}") for key in "abc"]
    leaves = found([flow("etl", state_message=f"{FLOW}ValueError: b")], tasks)
    assert {key: leaf.brought_down for key, leaf in leaves.items()} == {"a": 0, "b": 1, "c": 0}
    leaves = found([flow("etl", state_message="3/3 states failed.")], tasks)
    assert {key: leaf.brought_down for key, leaf in leaves.items()} == {"a": 1, "b": 1, "c": 1}


def test_a_timeout_brings_down_what_it_interrupts() -> None:
    flows = [
        flow("etl", state_name="TimedOut", state_message="Flow run exceeded timeout of 3.0 second(s)"),
        flow("load", state_name="Crashed", state_message=CANCELLED, parent_task_run_id="load-0"),
    ]
    tasks = [
        task("load-0", "etl", state_name="Crashed", state_message=CANCELLED),
        task("copy", "load", state_name="Crashed", state_message=CANCELLED),
        task("read", "etl", state_message=f"{TASK}ValueError: put up with"),
    ]
    leaves = found(flows, tasks)
    assert {key: leaf.brought_down for key, leaf in leaves.items()} == {"etl": 3, "read": 0}
    flows[0] |= {"state_name": "Crashed", "state_message": "The process was killed."}
    assert {key: leaf.brought_down for key, leaf in found(flows, tasks).items()} == {"copy": 3, "read": 0}


def test_the_timeout_of_a_subflow_is_not_that_of_what_is_around_it() -> None:
    said = "Flow run exceeded timeout of 3.0 second(s)"
    flows = [
        flow("etl", state_name="TimedOut", state_message="Flow run exceeded timeout of None second(s)"),
        flow("load", state_name="TimedOut", state_message=said, parent_task_run_id="load-0"),
    ]
    leaves = found(flows, [task("load-0", "etl", state_name="TimedOut", state_message=said)])
    assert {key: leaf.brought_down for key, leaf in leaves.items()} == {"load": 2}


def test_what_is_not_in_the_frames_is_not_hidden() -> None:
    flows = [flow("etl", state_message="1/2 states failed."), flow("sub", parent_task_run_id="elsewhere")]
    tasks = [task("stands-0", "etl", state_name="Completed"), task("other-0", "unread", state_message=f"{FLOW}no")]
    leaves = found(flows, tasks)
    assert {key: (leaf.is_deepest, leaf.is_whole_path) for key, leaf in leaves.items()} == {
        "etl": (False, True),
        "sub": (True, False),
        "other-0": (False, False),
    }
    assert pd.isna(leaves["sub"].root_flow_run_id)
    assert leaves["sub"].path == ("sub",)


def test_a_path_that_may_lack_a_call_says_so_and_still_has_its_root() -> None:
    (leaf,) = found([flow("etl")], [task("inner", "etl", up=("unread",))]).values()
    assert (leaf.path, leaf.is_whole_path, leaf.root_flow_run_id) == (("etl", "inner"), False, "etl")


@pytest.mark.parametrize(
    ("about", "deepest"),
    [
        ({"truncated": False, "query": {"limit": None, "state_type": ["FAILED", "CRASHED"]}}, True),
        ({"truncated": False, "query": {"limit": None, "flow_runs": ["etl", "nap"]}}, True),
        ({"truncated": False, "query": {"limit": None, "flow_runs": ["other"]}}, False),
        ({"truncated": False, "query": {"limit": None, "flow_runs": {"flow": ["etl"]}}}, False),
        ({"truncated": True, "query": {}}, False),
        ({"truncated": False, "query": {"state_type": ["FAILED"]}}, False),
        ({"truncated": False, "query": {"tags_any": ["prod"]}}, False),
    ],
)
def test_a_read_that_may_lack_the_cause_says_so(about: dict[str, Any], *, deepest: bool) -> None:
    slow = {"state_name": "TimedOut", "state_message": "Flow run exceeded timeout of 3 second(s)"}
    flow_runs, task_runs = made([flow("etl", state_message=f"{FLOW}KeyError: 1"), flow("nap", **slow)], [])
    flow_runs.attrs[frames.ATTRS] = {"truncated": False, "as_of": "2026-03-02"}
    task_runs.attrs[frames.ATTRS] = about
    table = leaf_failures(flow_runs, task_runs).set_index("run_id")
    assert table["is_deepest"].to_dict() == {"etl": deepest, "nap": True}
    said = {"kind": "leaf_failures", "failed": 2, "as_of": "2026-03-02", "truncated": about["truncated"]}
    assert table.attrs[frames.ATTRS] == said


def test_an_empty_table_has_every_column_and_a_frame_that_will_not_do_is_refused() -> None:
    flow_runs, task_runs = made([flow("etl", state_name="Completed")], [])
    assert leaf_failures(flow_runs, task_runs).dtypes.equals(frames.empty(tables.LEAF_FAILURES).dtypes)
    with pytest.raises(FrameError, match="lacks 'parent_task_run_id'"):
        leaf_failures(flow_runs.drop(columns="parent_task_run_id"), task_runs)
    with pytest.raises(FrameError, match="hold a run twice"):
        leaf_failures(pd.concat([flow_runs, flow_runs]), task_runs)


MESSAGES = [None, f"{FLOW}a", f"{TASK}a", f"{TASK}b", CANCELLED, "Flow run exceeded timeout of 1 second(s)"]
NAMES = ["Completed", "Failed", "Failed", "Failed", "Crashed", "Crashed", "NotReady"]
SAID = st.fixed_dictionaries({
    "state_name": st.sampled_from(NAMES),
    "state_message": st.sampled_from([*MESSAGES, "Task run exceeded timeout of 1 second(s)"]),
    "start": st.none() | st.integers(0, 3),
    "end": st.none() | st.integers(1, 5),
})  # fmt: skip
IDS = st.sampled_from(["t0", "t1", "t2", "t3", "t4", "t5", "gone"])
FLOWS = st.lists(st.tuples(SAID, st.none() | IDS), max_size=4)
TASKS = st.lists(st.tuples(SAID, st.sampled_from(["f0", "f1", "f2", "f3", None]), st.sets(IDS, max_size=2)), max_size=6)


@settings(max_examples=40)
@given(FLOWS, TASKS)
def test_the_leaves_are_those_of_plain_loops_even_where_runs_hang_together_as_they_never_do(
    flows: list[Any], tasks: list[Any]
) -> None:
    flow_runs = [flow(f"f{n}", **said) | {"parent_task_run_id": up} for n, (said, up) in enumerate(flows)]
    task_runs = [task(f"t{n}", within, up=(*sorted(up),), **said) for n, (said, within, up) in enumerate(tasks)]
    runs = {run.get("task_run_id", run["flow_run_id"]): run for run in [*flow_runs, *task_runs]}
    expected, failed = by_loops(runs)
    leaves = found(flow_runs, task_runs)
    assert {key: (set(one.brought_down_ids), one.held_back) for key, one in leaves.items()} == expected
    assert set().union(leaves, *(one.brought_down_ids for one in leaves.values())) == failed


def by_loops(runs: dict[str, Run]) -> tuple[dict[str, tuple[set[str], int]], set[str]]:
    failed = {key for key, run in runs.items() if kind(run) in {"FAILED", "CRASHED"}}
    causes = causes_within(runs, failed)
    for key, run in runs.items():
        some = causes[key] | causes_before(key, runs, failed)
        causes[key] = {one for one in some if error(run) is not None and error(runs[one]) == error(run)} or some
    below = {key: reach(key, causes) for key in failed}
    leaves = {key for key in failed if not causes[key]}
    leaves |= failed - leaves - set().union(*(below[key] for key in leaves))  # in a circle, or behind one
    return {key: (below[key] & failed, len(below[key] - failed)) for key in leaves}, failed


def causes_within(runs: dict[str, Run], failed: set[str]) -> dict[str, set[str]]:
    within = {key: outer(key, runs) for key in runs}
    own = {key for key in failed if timed_out(key, runs)}
    stopped = set(own)
    for _ in runs:
        stopped |= {key for key in failed if within[key] in stopped and runs[key]["state_message"] == CANCELLED}
    causes: dict[str, set[str]] = {key: set() for key in runs}
    for key in failed & {key for key, above in within.items() if above in failed}:
        above = str(within[key])
        if above in stopped and key in stopped - own:
            causes[key].add(above)
        elif above not in stopped and (kind(runs[key]) == "CRASHED" or kind(runs[above]) != "CRASHED"):
            causes[above].add(key)
    return causes


def causes_before(key: str, runs: dict[str, Run], failed: set[str]) -> set[str]:
    """Those that it depends on, and of a subflow run that never began, the task run that stands for it."""
    ups = {up for up in runs[key].get("upstream_task_run_ids", ()) if up in runs and not calls(up, key, runs)} - {key}
    waits = {one for one, run in runs.items() if run["state_name"] == "NotReady"}
    if key in failed:
        return ups & failed
    return (ups & (failed | waits)) | ({runs[key].get("parent_task_run_id")} & waits) if key in waits else set()


def kind(run: Run) -> str:
    return STATE_NAMES[run["state_name"]]


def outer(key: str, runs: dict[str, Run]) -> str | None:
    run = runs[key]
    if "task_run_id" not in run:
        return run["parent_task_run_id"] if run["parent_task_run_id"] in runs else None
    callers = [up for up in run["upstream_task_run_ids"] if up in runs and up != key and calls(up, key, runs)]
    if callers:
        return max(callers, key=lambda up: (runs[up]["start"], up))
    return run["flow_run_id"] if run["flow_run_id"] in runs else None


def calls(up: str, key: str, runs: dict[str, Run]) -> bool:
    start, (begin, end) = runs[key]["start"], (runs[up]["start"], runs[up]["end"])
    return start is not None and begin is not None and begin <= start and (end is None or start < end)


def timed_out(key: str, runs: dict[str, Run]) -> bool:
    noun = "Task" if "task_run_id" in runs[key] else "Flow"
    return str(runs[key]["state_message"]).startswith(f"{noun} run exceeded")


def error(run: Run) -> str | None:
    said = run["state_message"]
    return said and re.sub(r"^(Flow|Task) run encountered an exception:? ", "", said)


def reach(key: str, causes: dict[str, set[str]]) -> set[str]:
    seen = {key}
    for _ in causes:
        seen |= {one for one, some in causes.items() if some & seen}
    return seen - {key}
