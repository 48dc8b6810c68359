"""Runs come and go while we read: none that was there throughout is lost, none is met twice."""

from __future__ import annotations

import itertools
import warnings

from fake_server import FakeServer, task_run
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import read_task_runs
from prefect_nbviz.query import TaskRunQuery

SORTS = [sort for sort in TaskRunQuery.sorts if "NEXT" not in sort]
MOMENTS = st.integers(0, 9).map(lambda second: f"2026-01-01T00:00:0{second}Z")
CHANGES = st.lists(st.tuples(st.sampled_from(["delete", "create"]), st.integers(0, 59), MOMENTS), max_size=8)


@settings(max_examples=300, deadline=None)
@given(
    times=st.lists(MOMENTS, min_size=5, max_size=40),
    changes=CHANGES,
    sort=st.sampled_from(SORTS),
    limit=st.none() | st.integers(1, 30),
    page_limit=st.integers(2, 7),
)
def test_pages_that_shift(times, changes, sort, limit, page_limit) -> None:
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
        frame = read_task_runs(connection=server.connection, sort=sort, limit=limit, progress=False)

    got = frame["task_run_id"].tolist()
    assert len(got) == len(set(got)), "a run is there twice"
    steady = [run_id for run_id in ordered(rows, sort) if run_id not in touched]
    reached = [run_id for run_id in got if run_id not in touched]
    assert reached == steady[: len(reached)], "one that was there throughout was passed over"
    if limit is None:
        assert reached == steady


def ordered(rows: list[dict], sort: str) -> list[str]:
    column, _, direction = sort.rpartition("_")
    rows = sorted(rows, key=lambda row: row["id"], reverse=True)
    if column != "DURATION":  # all of length zero here
        rows.sort(key=lambda row: row[column.lower()], reverse=direction == "DESC")
    return [row["id"] for row in rows]
