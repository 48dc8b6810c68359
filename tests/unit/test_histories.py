"""Rebuilt histories against the server's bookkeeping, and what they cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import httpx
import pandas as pd
import pytest
from fake_server import FakeServer, Row, task_run
from hypothesis import given
from hypothesis import strategies as st

from prefect_nbviz import read_states, read_task_runs
from prefect_nbviz.errors import IncompleteWarning, QueryError
from prefect_nbviz.reading.histories import MANY
from prefect_nbviz.reading.rebuilt import rebuilt
from prefect_nbviz.states import STATE_NAMES, TERMINAL_STATE_TYPES

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ONCE = ("Pending", "Running", "Completed")
RETRIED = ("Pending", "Running", "AwaitingRetry", "Retrying", "Failed")


def history(run_id: str, names: Sequence[str], gaps: Sequence[int] = ()) -> list[Row]:
    """Give the states of a run, a second or other milliseconds apart."""
    moments = [BEGIN + timedelta(milliseconds=sum(gaps[:n]) if gaps else 1_000 * n) for n in range(len(names))]
    return [
        {
            "type": STATE_NAMES[name],
            "name": name,
            "timestamp": at.isoformat(),
            "message": name,
            "state_details": {"task_run_id": run_id},
        }
        for name, at in zip(names, moments, strict=True)
    ]


def row_of(run: Row, states: Sequence[Row]) -> Row:
    """Keep the books of a run as Prefect's engine and server do."""
    row = run | {"run_count": 0, "start_time": None, "end_time": None, "total_run_time": 0.0}
    row |= {"expected_start_time": states[0]["timestamp"], "flow_run_run_count": 1, "dynamic_key": row["id"]}
    for before, state in zip([None, *states], states, strict=False):
        if before is not None and before["type"] == "RUNNING":
            row["total_run_time"] += (at(state) - at(before)).total_seconds()
        if state["type"] == "RUNNING":
            row |= {"run_count": row["run_count"] + 1, "start_time": row["start_time"] or state["timestamp"]}
        is_end = state["type"] in TERMINAL_STATE_TYPES
        row["end_time"] = (row["end_time"] or state["timestamp"]) if is_end else None
    return row | {"state": states[-1], "state_type": states[-1]["type"], "state_name": states[-1]["name"]}


def at(state: Row) -> datetime:
    return datetime.fromisoformat(state["timestamp"])


def server_of(*runs: Sequence[str]) -> FakeServer:
    server = FakeServer([task_run(n) for n in range(len(runs))])
    server.histories = {row["id"]: history(row["id"], names) for row, names in zip(server.rows, runs, strict=True)}
    for state in (state for states in server.histories.values() for state in states[:2]):
        state["message"] = None
    server.rows = [row_of(row, server.histories[row["id"]]) for row in server.rows]
    return server


@given(
    st.lists(st.sampled_from([*STATE_NAMES]), max_size=5),
    st.lists(st.integers(1, 10**8), min_size=7, max_size=7),
)
def test_what_is_rebuilt_is_what_was(after: list[str], gaps: list[int]) -> None:
    """Whatever follows, the end of one run without a break is all that is rebuilt."""
    run = task_run(1)
    states = history(run["id"], ["Pending", "Running", *after], gaps)
    found = rebuilt(row_of(run, states))
    is_plain = len(after) == 1 and STATE_NAMES[after[0]] in TERMINAL_STATE_TYPES
    assert (found is not None) is is_plain
    if found is not None:
        words = ("type", "name", "timestamp")
        assert [[state[word] for word in words] for state in found] == [[one[word] for word in words] for one in states]
        assert found[-1]["message"] == states[-1]["message"]


@pytest.mark.parametrize(
    "other",
    [
        {"run_count": 2},
        {"run_count": 0},
        {"flow_run_run_count": 0},
        {"dynamic_key": "0"},
        {"expected_start_time": None},
        {"expected_start_time": "2026-01-01T00:00:01Z"},
        {"start_time": None},
        {"end_time": None},
        {"end_time": "2026-01-01T00:00:03Z", "total_run_time": 2.0},
        {"total_run_time": 0.999},
        {"id": "00000000-0000-4000-8000-00000000000b"},
        {"state": None},
        {"state": {"type": "RUNNING", "name": "Running", "timestamp": "2026-01-01T00:00:02Z", "state_details": None}},
    ],
    ids=repr,
)
def test_a_row_that_may_not_tell_all(other: dict[str, Any]) -> None:
    row = row_of(run := task_run(1), history(run["id"], ONCE))
    assert rebuilt(row) is not None
    assert rebuilt(row | other) is None
    if "id" not in other:
        assert rebuilt({word: value for word, value in row.items() if word not in other}) is None


def test_what_rows_tell_costs_a_request_a_page() -> None:
    server = server_of(*[ONCE] * 430, *[RETRIED] * 20, *[("Pending", "Running")] * 10)
    seen: list[tuple[int, int | None]] = []
    frame = read_task_runs(connection=server.connection, limit=None, progress=False)
    before = len(server.requests)
    states = read_states(frame, connection=server.connection, progress=lambda *pair: seen.append(pair))
    attrs = states.attrs["prefect_nbviz"]
    sent = [path for _, path, _ in server.requests[before:] if "csrf" not in path]
    assert (attrs["requests"], attrs["runs_rebuilt"], attrs["runs_read"]) == (len(sent), 430, 460)
    assert len(sent) == 3 + 30
    assert seen[-1] == (33, 33)
    exact = read_states(frame, exact=True, connection=server.connection, progress=False)
    assert exact.attrs["prefect_nbviz"]["requests"] == 460
    pd.testing.assert_frame_equal(states.drop(columns="source"), exact.drop(columns="source"))
    assert states.groupby("source", observed=True)["run_id"].nunique().to_dict() == {"row": 430, "server": 30}


def test_many_requests_are_announced_before_the_first_history() -> None:
    server = server_of(*[RETRIED] * MANY, *[ONCE] * 3)
    frame = read_task_runs(connection=server.connection, limit=None, progress=False)
    notes, announced, heard = set[str](), Event(), list[bool]()

    def report(_: int, total: int | None, note: str) -> None:
        notes.add(note)
        if note.startswith("about "):
            announced.set()

    def hold_the_first_history(_: int) -> None:
        if paths(server).count("/api/task_run_states/") == 1 and not heard:
            heard.append(announced.wait(20))

    read_states(frame.tail(MANY - 3), connection=server.connection, progress=report)
    assert not any("about" in note for note in notes)
    server.before_answer = hold_the_first_history
    server.requests.clear()
    read_states(frame, connection=server.connection, progress=report)
    assert heard == [True]
    assert f"about {MANY + 3} requests" in notes


def test_more_requests_than_may_be_are_refused_before_the_first_history() -> None:
    server = server_of(*[RETRIED] * 20, *[ONCE] * 30)
    frame = read_task_runs(connection=server.connection, progress=False)
    bounded = replace(server.connection, most_requests=20)
    sentence = (
        r"^Reading 20 histories takes about 21 requests, more than the 20 of Connection\(most_requests=…\): .*=21\)\.$"
    )
    with pytest.raises(QueryError, match=sentence):
        read_states(frame, connection=bounded, progress=False)
    assert "/api/task_run_states/" not in paths(server)
    allowed = replace(bounded, most_requests=21)
    assert read_states(frame, connection=allowed, progress=False).attrs["prefect_nbviz"]["requests"] == 21
    with pytest.raises(QueryError, match="most_requests is a number from 1 up, or None"):
        replace(bounded, most_requests=0)


def paths(server: FakeServer) -> list[str]:
    return [path for _, path, _ in server.requests]


def test_ids_cost_no_second_page() -> None:
    server = server_of(ONCE, ONCE, RETRIED)
    frame = read_task_runs(connection=server.connection, progress=False)
    states = read_states(frame["task_run_id"], connection=server.connection, progress=False)
    assert states.attrs["prefect_nbviz"]["requests"] == 2
    pd.testing.assert_frame_equal(states, read_states(frame, connection=server.connection, progress=False))


def test_runs_that_change_or_vanish_meanwhile() -> None:
    server = server_of(ONCE, ("Pending", "Running"), ONCE, ONCE)
    frame = read_task_runs(connection=server.connection, sort="ID_DESC", progress=False)
    ended, gone = server.rows[1]["id"], server.rows[2]["id"]
    server.histories[ended] = history(ended, ONCE)
    del server.histories[gone]
    server.rows = [row_of(row, server.histories[row["id"]]) for row in server.rows if row["id"] != gone]
    with pytest.warns(IncompleteWarning, match=r"^1 of 4 runs have no states on the server \(deleted meanwhile\?\)"):
        states = read_states(frame, connection=server.connection, progress=False)
    assert states.attrs["prefect_nbviz"]["runs_without_states"] == [gone]
    assert states[states["run_id"] == ended]["state_name"].tolist() == [*ONCE]
    assert states["run_id"].unique().tolist() == [run_id for run_id in frame["task_run_id"] if run_id != gone]


def test_rebuilt_histories_outlive_a_failure() -> None:
    server = server_of(ONCE, ONCE, RETRIED)
    frame = read_task_runs(connection=server.connection, progress=False)
    server.refuses = "/task_run_states/"
    with pytest.warns(IncompleteWarning, match=r"^Reading broke off after 2 of 3 histories\. .* \(500\)"):
        states = read_states(frame, connection=server.connection, progress=False)
    assert states["source"].unique().tolist() == ["row"]


class SlowServer(FakeServer):
    """A server that takes its time, and notes how many requests wait for it at once."""

    waiting = most = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await asyncio.sleep(0.001)
        self.waiting -= 1
        return await super().handle_async_request(request)


def test_few_requests_at_a_time() -> None:
    plain = server_of(*[RETRIED] * 30)
    server = SlowServer(plain.rows)
    server.histories = plain.histories
    assert len(read_states([row["id"] for row in plain.rows], connection=server.connection, progress=False)) == 150
    assert server.most == 8
