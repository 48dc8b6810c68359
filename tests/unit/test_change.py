"""Runs come and go while we read: none that was there throughout is lost, none is met twice."""

from __future__ import annotations

import itertools
import warnings

import pytest
from fake_server import FakeServer, flow_run, task_run
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import read_flow_runs, read_task_runs
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery

SORTS = [sort for sort in TaskRunQuery.sorts if "NEXT" not in sort]
MOMENTS = st.integers(0, 9).map(lambda second: f"2026-01-01T00:00:0{second}Z")
NOW = "2026-01-01T00:00:10Z"
ONE_FLOW_RUN = "00000001-0000-4000-8000-000000000000"
CHANGES = st.lists(st.tuples(st.sampled_from(["delete", "create"]), st.integers(0, 59), MOMENTS), max_size=8)


@settings(max_examples=80)
@given(
    times=st.lists(MOMENTS, min_size=5, max_size=40),
    changes=CHANGES,
    sort=st.sampled_from(SORTS),
    limit=st.none() | st.integers(1, 30),
    page_limit=st.integers(2, 7),
    more=st.sampled_from([{}, {"flow_runs": ONE_FLOW_RUN}]),
)
def test_pages_that_shift(times, changes, sort, limit, page_limit, more) -> None:
    rows = [
        task_run(number, expected_start_time=when, name="abcde"[number % 5], start_time=when, end_time=when)
        for number, when in enumerate(times)
    ]
    server = FakeServer(list(rows), page_limit=page_limit, seed=len(times))
    pending = list(changes)
    touched: set[str] = set()
    numbers = itertools.count(1_000)

    def change_now_and_then(number: int) -> None:
        if not pending or number < 4 or number % 2:
            return
        what, place, when = pending.pop()
        if what == "create":
            fields = {"expected_start_time": when, "start_time": when, "end_time": when}
            server.rows.append(task_run(next(numbers), name="abcde"[place % 5], **fields))
            touched.add(server.rows[-1]["id"])
        elif server.rows:
            touched.add(server.rows.pop(place % len(server.rows))["id"])

    server.before_answer = change_now_and_then
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = read_task_runs(connection=server.connection, sort=sort, limit=limit, progress=False, **more)

    got = frame["task_run_id"].tolist()
    assert len(got) == len(set(got)), "a run is there twice"
    steady = [run_id for run_id in ordered(rows, sort) if run_id not in touched]
    reached = [run_id for run_id in got if run_id not in touched]
    assert reached == steady[: len(reached)], "one that was there throughout was passed over"
    if limit is None:
        assert reached == steady
    assert limit is None or len(got) == limit or len(reached) == len(steady), "fewer than the limit, though more match"


LIVES = ("start", "end", "reschedule", "rename")


def change(row: dict, what: str, place: int) -> None:
    match what:
        case "start":
            row["start_time"] = NOW
        case "end":
            row |= {"start_time": "2026-01-01T00:00:00Z", "end_time": NOW}
        case "reschedule":
            row["expected_start_time"] = f"2026-01-01T00:00:{place:02d}Z"
        case "rename":
            row["name"] = "edcba"[place % 5]


@settings(max_examples=60)
@given(
    times=st.lists(MOMENTS, min_size=5, max_size=40),
    changes=st.lists(st.tuples(st.sampled_from(LIVES), st.integers(0, 59), st.integers(1, 30)), max_size=8),
    sort=st.sampled_from([sort for sort in FlowRunQuery.sorts if "NEXT" not in sort]),
    limit=st.sampled_from([None, 1_000]),
    page_limit=st.integers(2, 7),
)
def test_runs_that_start_end_and_move(times, changes, sort, limit, page_limit) -> None:
    rows = [
        flow_run(number, expected_start_time=when, name="abcde"[number % 5], start_time=None, end_time=None)
        for number, when in enumerate(times)
    ]
    server = FakeServer([], page_limit=page_limit, seed=len(times))
    server.flow_runs = rows
    at_request = {number: (what, place) for what, place, number in changes}

    def change_one(number: int) -> None:
        if number in at_request:
            what, place = at_request[number]
            change(rows[place % len(rows)], what, place)

    server.before_answer = change_one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = read_flow_runs(connection=server.connection, sort=sort, limit=limit, progress=False)
    assert frame["flow_run_id"].is_unique
    assert len(frame) == len(rows) or frame.attrs["prefect_nbviz"]["truncated"], "one was passed over in silence"


@pytest.mark.parametrize("limit", [15, 1_000])
@pytest.mark.parametrize("request_number", range(3, 12))
def test_a_run_that_starts_while_those_that_started_last_are_read(limit: int, request_number: int) -> None:
    rows = [
        flow_run(number, expected_start_time=f"2026-01-01T00:00:{number:02d}Z", start_time=None) for number in range(20)
    ]
    for row in rows[5:]:
        row["start_time"] = row["expected_start_time"]
    server = FakeServer([], page_limit=5)
    server.flow_runs = rows

    def start_one(number: int) -> None:
        if number == request_number:
            rows[2]["start_time"] = "2026-01-01T00:01:00Z"

    server.before_answer = start_one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = read_flow_runs(connection=server.connection, sort="START_TIME_DESC", limit=limit, progress=False)
    assert frame["flow_run_id"].is_unique
    if len(server.requests) >= request_number + 2:  # the last of them may come too late: names follow
        assert rows[2]["id"] in frame["flow_run_id"].tolist()


def ordered(rows: list[dict], sort: str) -> list[str]:
    column, _, direction = sort.rpartition("_")
    rows = sorted(rows, key=lambda row: row["id"], reverse=True)
    if column != "DURATION":  # all of length zero here
        rows.sort(key=lambda row: row[column.lower()], reverse=direction == "DESC")
    return [row["id"] for row in rows]
