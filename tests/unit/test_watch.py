"""Watching tasks: what is asked again, what is said, and what happens when the server fails."""

from __future__ import annotations

import html
import io
import threading
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pandas as pd
import pytest
from fake_server import FakeServer, flow_run, task_run
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.futures import PrefectConcurrentFuture

from prefect_nbviz import frames, schema, watch
from prefect_nbviz.errors import FrameError, NotConnectedError, QueryError
from prefect_nbviz.reading.lookout import Lookout, _Local
from prefect_nbviz.states import STATE_NAMES, TERMINAL_STATE_TYPES
from prefect_nbviz.widgets.news import News
from prefect_nbviz.widgets.pace import Pace
from prefect_nbviz.widgets.watch_panel import MOST_FAILURES, WatchPanel, failures_html, head_html
from prefect_nbviz.widgets.watch_text import WatchText

LONGEST = 30
UTC = ZoneInfo("UTC")
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\r\n"
PATIENCE = 60
STATES = frames.empty(schema.STATES)


def running(number: int, **fields: Any) -> dict[str, Any]:
    return task_run(number, state_type="RUNNING", state_name="Running", state_id=f"r{number}", end_time=None, **fields)


def ended(number: int, state_type: str = "COMPLETED", **fields: Any) -> dict[str, Any]:
    return task_run(number, state_type=state_type, state_name=state_type.capitalize(), state_id=f"e{number}", **fields)


def serve(rows: list[dict[str, Any]]) -> FakeServer:
    server = FakeServer(rows)
    server.histories = {
        row["id"]: [
            {"type": row["state_type"], "name": row["state_name"], "timestamp": row["start_time"], "message": None}
        ]
        for row in rows
    }
    return server


def asked(server: FakeServer) -> list[list[str]]:
    """Give the ids that each page of task runs was asked for."""
    bodies = [body for _, path, body in server.requests if path.endswith("/task_runs/filter") and "sort" in body]
    return [body["task_runs"]["id"]["any_"] for body in bodies]


def tasks_of(rows: list[dict[str, Any]], **attrs: Any) -> pd.DataFrame:
    """Give a frame of tasks from what differs from one that has failed."""
    base: dict[str, Any] = dict.fromkeys(schema.names(schema.FUTURES))
    base |= {"state_type": "FAILED", "state_name": "Failed", "run_count": 1, "tags": (), "upstream_task_run_ids": ()}
    filled = [
        base | {"task_run_id": str(number), "name": "load", "is_known": True} | row for number, row in enumerate(rows)
    ]
    data = {column.name: [row[column.name] for row in filled] for column in schema.FUTURES}
    frame = frames.typed(data, schema.FUTURES)
    frame.attrs[frames.ATTRS] = attrs
    return frame


def test_only_what_has_not_ended_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    server = serve([running(0), ended(1), ended(2, "FAILED", state={"message": HOSTILE}), running(3)])
    ids = [row["id"] for row in server.rows]

    def go_on(_: int) -> None:
        if len(asked(server)) == 2:
            server.rows[0] = ended(0)
        if len(asked(server)) == 4:
            server.rows[3] = ended(3, "CRASHED")

    server.before_answer = go_on
    panel = watch(ids, connection=server.connection)
    frame = panel.wait(PATIENCE)
    assert frame["task_run_id"].tolist() == ids
    assert frame["state_type"].tolist() == ["COMPLETED", "COMPLETED", "FAILED", "CRASHED"]
    assert panel.frame is frame
    assert not frame.attrs["prefect_nbviz"]["truncated"]
    assert set(panel.states["run_id"]) == {*ids}
    [first, *later] = asked(server)
    assert {*first} == {*ids}
    assert {*later[0]} == {ids[0], ids[3]}
    assert {*later[-1]} == {ids[3]}
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "4 tasks"
    assert said.count("task-2 failed: <img src=x onerror=alert(1)> [2J") == 1
    assert said[-1] == "4 of 4 done · 1 failed · 1 crashed · 0:02"
    assert repr(panel) == f"TaskWatch({said[-1]})"


def test_it_gives_back_at_once_and_can_be_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    server = serve([running(0)])
    is_asked, gate = threading.Event(), threading.Event()

    def hold(_: int) -> None:
        is_asked.set()
        gate.wait(PATIENCE)

    server.before_answer = hold
    panel = watch(server.rows[0]["id"], connection=server.connection)
    assert panel.frame["is_known"].isna().all()
    assert panel.wait(timeout=0.01) is panel.frame
    assert is_asked.wait(PATIENCE)
    panel.stop()
    gate.set()
    frame = panel.wait(PATIENCE)
    assert frame["state_type"].tolist() == ["RUNNING"]
    assert capsys.readouterr().err.splitlines()[-1].startswith("0 of 1 done · 1 running")


def test_a_server_that_was_away_is_said_and_looked_at_again(capsys: pytest.CaptureFixture[str]) -> None:
    server = serve([running(0)])

    refusals = [httpx.Response(400, json={"detail": "no <b>more</b>"})]

    def answer(_: int) -> httpx.Response | None:
        if len(asked(server)) < 2:
            return None
        server.rows[0] = ended(0)
        return refusals.pop() if refusals else None

    server.before_answer = answer
    frame = watch(server.rows[0]["id"], connection=server.connection).wait(PATIENCE)
    assert frame["state_type"].tolist() == ["COMPLETED"]
    said = capsys.readouterr().err.splitlines()
    assert any("refused the request (400): no <b>more</b> Trying again in 1 s." in line for line in said)
    assert said[-1].startswith("1 of 1 done")


def test_what_cannot_be_watched_is_raised() -> None:
    server = FakeServer([task_run(0)])
    server.flow_runs = [flow_run(1)]
    with pytest.raises(FrameError, match="is a flow run, and these are the states of tasks"):
        watch(server.flow_runs[0]["id"], connection=server.connection).wait(PATIENCE)
    with pytest.raises(NotConnectedError, match="No Prefect API URL is set"):
        watch(server.rows[0]["id"]).wait(PATIENCE)
    with pytest.raises(FrameError, match=r"^Runs are a frame"):
        watch([7], connection=server.connection)
    with pytest.raises(QueryError, match="Europe/Berlin"):
        watch(server.rows[0]["id"], tz="Europe/Berlim", connection=server.connection)


def test_anything_that_stands_for_tasks_is_taken() -> None:
    run_id = task_run(0)["id"]
    future = PrefectConcurrentFuture(UUID(run_id), Future())
    frame = tasks_of([{"task_run_id": run_id}])
    for futures in (run_id, UUID(run_id), [run_id], iter([run_id]), future, [future], (future, run_id), frame):
        assert Lookout(futures).ids == [run_id]
    with pytest.raises(FrameError):
        Lookout([[future]])


def test_an_end_that_the_server_does_not_record_is_not_waited_for_without_end() -> None:
    futures = [SimpleNamespace(task_run_id=word, wrapped_future=Future()) for word in "ab"]
    local = _Local([*futures, "an id", SimpleNamespace(task_run_id="c")])
    assert local.ended() == set()
    futures[0].wrapped_future.set_result(None)
    assert local.ended() == {"a"}
    for now, said in ((0.0, 0), (4.0, 0), (6.0, 1), (59.0, 1)):
        local.miss({"a"}, now=now)
        assert (len([*local.reasons()]), local.lost) == (said, set())
    local.miss({"a"}, now=60.0)
    assert local.lost == {"a"}
    assert "1 tasks have ended here, and the server has not recorded it in 60 s" in next(local.reasons())
    local.miss(set(), now=61.0)
    assert local.lost == set()
    assert not [*local.reasons()]


ROWS = st.builds(
    lambda name, is_known: {"state_type": STATE_NAMES[name], "state_name": name, "is_known": is_known},
    st.sampled_from([*STATE_NAMES]),
    st.sampled_from([True, False]),
)


@settings(max_examples=40)
@given(st.lists(ROWS, max_size=8), st.integers(0, 2))
def test_every_task_is_counted_once(rows: list[dict[str, Any]], unread: int) -> None:
    nothing = {"state_type": None, "state_name": None, "is_known": None}
    news = News(tasks_of([*rows, *([nothing] * unread)]), STATES, "live")
    counts = {(one.state_type, one.word): one.tasks for one in news.counts()}
    assert sum(counts.values()) == len(rows) + unread
    done = sum(number for (kind, _), number in counts.items() if kind in TERMINAL_STATE_TYPES)
    assert done == sum(row["state_type"] in TERMINAL_STATE_TYPES for row in rows)
    assert news.headline().startswith(f"{done} of {len(rows) + unread} done")
    assert counts.get(("", "unread"), 0) == unread
    shown = head_html(news, UTC)
    assert shown.count("flex-grow") == len(counts)


def test_the_words_of_states() -> None:
    rows = [
        *({"state_type": "RUNNING", "state_name": "Running"},) * 3,
        {"state_type": "SCHEDULED", "state_name": "AwaitingRetry"},
        {"state_type": "PENDING", "state_name": "NotReady"},
        {"state_type": "PENDING", "state_name": "Pending", "is_known": False},
        {"state_type": "COMPLETED", "state_name": HOSTILE, "end_time": "2026-01-01T00:00:03Z"},
        {"expected_start_time": "2026-01-01T00:00:01Z", "state_name": "TimedOut"},
    ]
    tasks = tasks_of(rows, as_of="2026-01-01T00:01:43Z")
    expected = "2 of 8 done · 3 running · 1 timed out · 1 awaiting retry · 1 not ready · 1 waiting"
    assert News(tasks, STATES, "live").headline() == f"{expected} · 1:42"
    assert News(tasks, STATES, "over").headline() == f"{expected} · 0:02"


def test_failures_are_escaped_newest_first_and_capped() -> None:
    rows = [
        {
            "name": f"{number} {HOSTILE}",
            "state_message": f"Task run encountered an exception {HOSTILE}",
            "end_time": f"2026-01-01T00:00:{number:02}Z",
        }
        for number in range(MOST_FAILURES + 3)
    ]
    news = News(tasks_of([*rows, {"state_type": "COMPLETED", "state_name": "Completed"}]), STATES, "live")
    shown = failures_html(news)
    assert "<img" not in shown
    assert shown.count("<li>") == MOST_FAILURES
    assert shown.index(f"<b>{MOST_FAILURES + 2} ") < shown.index(f"<b>{MOST_FAILURES + 1} ")
    assert "and 3 that failed before them" in shown
    assert html.escape("<img src=x onerror=alert(1)>") in shown
    assert "Task run encountered" not in shown
    assert failures_html(News(tasks_of([{"state_type": "RUNNING"}]), STATES, "live")) == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@settings(max_examples=40)
@given(st.text(), st.text(), st.booleans())
def test_a_stranger_cannot_move_the_cursor(name: str, message: str, is_terminal: bool) -> None:
    stream = Terminal() if is_terminal else io.StringIO()
    screen = WatchText(stream)
    news = News(tasks_of([{"name": name, "state_message": message}]), STATES, "live", [message])
    screen.show(news)
    screen.show(news)
    said = stream.getvalue()
    assert all(letter.isprintable() for letter in said.replace("\r\x1b[2K", "").replace("\n", "").replace("\r", ""))


def test_a_stream_that_was_closed_is_told_nothing_more() -> None:
    stream = io.StringIO()
    screen = WatchText(stream)
    stream.close()
    screen.show(News(tasks_of([{}]), STATES, "live"))


def test_the_panel_stops_when_it_is_closed() -> None:
    closed = []
    panel = WatchPanel(UTC, on_close=lambda: closed.append(True))
    for phase, said in (
        ("starting", "Looking for the tasks"),
        ("stale", "Nothing has been read"),
        ("broken", "Stopped"),
    ):
        panel.show(News(tasks_of([{}]), STATES, phase, [HOSTILE]))
        assert said in panel.head.value
        assert "<img" not in panel.head.value
    assert closed == []
    panel.close()
    assert closed == [True]


@settings(max_examples=40)
@given(st.lists(st.none() | st.floats(0, 100), min_size=1, max_size=30))
def test_the_pace_stays_between_its_ends(looks: list[float | None]) -> None:
    pace = Pace(first=0.25, usual=1, longest=LONGEST)
    for seconds in looks:
        pause = pace.after_failure() if seconds is None else pace.after(seconds)
        assert 0.25 < pause <= LONGEST
    assert [pace.after(0) for _ in range(20)][-1] == 1
