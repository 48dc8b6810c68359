"""A server that fails while it is read: tried again for a while, and then what there is, marked as a part."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import pytest
from fake_server import FakeServer, Row, task_run
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, PREFECT_CLIENT_RETRY_EXTRA_CODES, temporary_settings

from prefect_nbviz import Connection, explore, read_futures, read_states, read_task_runs
from prefect_nbviz.errors import IncompleteWarning, QueryError, ReadInterrupted, RefusedError, UnreachableError
from prefect_nbviz.reading import memory
from prefect_nbviz.reading.worker import Progress, _Reporting

ROWS = 300
AT_ONCE = {"retry-after": "0"}


def answered(status: int, detail: str = "not now") -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, json={"detail": detail}, headers=AT_ONCE)


def broken(kind: type[httpx.TransportError]) -> Callable[[httpx.Request], httpx.Response]:
    def fail(request: httpx.Request) -> httpx.Response:
        raise kind("as if", request=request)

    return fail


def cut_off(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b'[{"id": "0000', headers={"content-type": "application/json"})


async def hanging(_: httpx.Request) -> httpx.Response:
    return await asyncio.sleep(math.inf)


FAULTS = {
    **{str(status): answered(status) for status in (408, 429, 500, 502, 503, 504)},
    **{kind.__name__: broken(kind) for kind in (httpx.ConnectError, httpx.ReadError, httpx.ReadTimeout)},
    "cut off": cut_off,
    "a token that is over": answered(403, "Invalid CSRF token"),
}


class Faulty(FakeServer):
    """A server with page after page, some of whose requests go wrong."""

    def __init__(self, fault: Callable[[httpx.Request], Any], goes_wrong: Callable[[int], bool] = bool) -> None:
        super().__init__(
            [task_run(n, expected_start_time=f"2026-01-01T00:00:00.{n:06d}Z") for n in range(ROWS)], page_limit=20
        )
        self._fault = fault
        self._goes_wrong = goes_wrong
        self.arrived = 0
        self._asked: Counter[bytes] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.arrived += 1
        if not self._goes_wrong(self.arrived):
            return await super().handle_async_request(request)
        answer = self._fault(request)
        return await answer if asyncio.iscoroutine(answer) else answer

    def hurried(self, patience: float = 0.4) -> Connection:
        return Connection("http://fake.invalid/api", transport=self, patience=patience)


class Often(Faulty):
    """A server that does every third thing only when it is asked for the third time."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._asked[request.content] += 1
        is_third = [*self._asked].index(request.content) % 3 == 2
        self._goes_wrong = lambda _: is_third and self._asked[request.content] < 3
        return await super().handle_async_request(request)


def read(connection: Connection, **more: Any) -> pd.DataFrame:
    return read_task_runs(limit=None, connection=connection, **({"progress": False} | more))


def assert_is_part(frame: pd.DataFrame, server: FakeServer) -> None:
    attrs = frame.attrs["prefect_nbviz"]
    assert 0 < len(frame) == attrs["read"] < attrs["matched"] == ROWS
    assert attrs["truncated"]
    assert frame["task_run_id"].is_unique
    assert {*frame["task_run_id"]} < {row["id"] for row in server.rows}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_is_not_noticed(fault: str) -> None:
    server = Often(FAULTS[fault])
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 1}):
        frame = read(server.connection)
    assert len(frame) == frame["task_run_id"].nunique() == ROWS == frame.attrs["prefect_nbviz"]["matched"]
    assert not frame.attrs["prefect_nbviz"]["truncated"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (FAULTS["429"], r"gave no good answer for 0\.4 s \(the server asks to wait, 429\): see whether .*patience=…\)"),
        (FAULTS["502"], r"gave no good answer for 0\.4 s \(the server fails, 502\)"),
        (FAULTS["ConnectError"], r"gave no good answer for 0\.4 s \(nothing answers\)"),
        (FAULTS["ReadError"], r"gave no good answer for 0\.4 s \(the connection broke, ReadError\)"),
        (hanging, r"gave no good answer for 0\.4 s \(no answer yet\)"),
        (FAULTS["500"], r"refused the request \(500\)"),
        (cut_off, r"gave an answer that is cut off: see whether"),
        (answered(401), r"refused the key \(401\): run `prefect cloud login`"),
    ],
)
def test_what_stays_leaves_a_part_that_says_so(fault: Any, says: str) -> None:
    server = Faulty(fault, lambda number: number > 10)
    with pytest.warns(IncompleteWarning, match=rf"^The read broke off after \d+ rows, which are kept.*{says}"):
        frame = read(server.hurried())
    assert_is_part(frame, server)


@pytest.mark.parametrize(("status", "tries"), [(401, 1), (500, 4)])
def test_what_another_try_would_not_change_is_not_tried_for_long(status: int, tries: int) -> None:
    server = Faulty(answered(status))
    with pytest.raises(Exception, match=rf"\({status}\)"):
        read(server.connection)
    assert server.arrived == tries


def test_further_statuses_that_the_person_wants_tried_again() -> None:
    server = Faulty(answered(418), lambda number: 5 < number < 10)
    with temporary_settings({PREFECT_CLIENT_RETRY_EXTRA_CODES: {418}}):
        assert len(read(server.connection)) == ROWS


def test_an_address_that_never_answered_is_not_tried_for_long() -> None:
    server = Faulty(FAULTS["ConnectError"])
    with pytest.raises(UnreachableError, match="Nothing answers at"):
        read(server.connection)
    assert server.arrived == 1


def test_the_count_after_the_read_does_not_lose_the_rows() -> None:
    server = FakeServer([task_run(n) for n in range(5)])

    def answer(number: int) -> httpx.Response | None:
        counts = sum(path.endswith("/count") for _, path, _ in server.requests)
        is_count = server.requests[-1][1].endswith("/count")
        return httpx.Response(200 if counts == 1 else 400, json=6) if is_count else None

    server.before_answer = answer
    with pytest.warns(IncompleteWarning, match=r"^The read broke off after 5 rows, which are kept.* \(400\)"):
        frame = read(server.connection)
    assert frame.attrs["prefect_nbviz"]["matched"] == 6


def test_all_that_waits_ends_together() -> None:
    server = Faulty(hanging, lambda number: number > 60)
    ids = [row["id"] for row in server.rows]
    server.histories = {run_id: [a_state()] for run_id in ids}
    with pytest.warns(IncompleteWarning, match=r"^Reading broke off after \d+ of 300 histories\. .* no good answer"):
        states = read_states(ids, exact=True, connection=server.hurried(), progress=False)
    attrs = states.attrs["prefect_nbviz"]
    assert 0 < len(states) == attrs["runs_read"] < ROWS
    assert server.arrived <= 60 + 8


def a_state() -> Row:
    return {"type": "RUNNING", "name": "Running", "timestamp": "2026-01-01T00:00:00Z", "message": None}


def test_what_is_waited_for_is_said() -> None:
    notes: list[str] = []
    server = Faulty(FAULTS["429"], lambda number: 5 < number < 10)

    def report(done: int, total: int | None, note: str = "") -> None:
        notes.append(note)

    assert len(read(server.hurried(4), progress=report)) == ROWS
    assert "the server asks to wait, 429" in notes
    assert notes[-1] == ""


def test_a_server_that_works_long_is_said() -> None:
    notes: set[str] = set()

    async def slow(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.2)
        return httpx.Response(503, json={}, headers=AT_ONCE)

    def report(done: int, total: int | None, note: str = "") -> None:
        notes.add(note)

    read(Faulty(slow, lambda number: number == 6).hurried(1), progress=report)
    assert notes >= {"", "no answer yet"}


def test_the_bar_says_what_is_waited_for(capsys) -> None:
    state = Progress()
    reporting = _Reporting(progress=True, unit="rows")
    reporting._begin -= 10
    with reporting as show:
        state.note = "nothing answers"
        show(state)
        state.note = ""
        show(state)
    said = capsys.readouterr().err
    assert "nothing answers" in said
    assert "0 rows" in said.rpartition("nothing answers")[2]


def test_the_explorer_says_what_is_waited_for() -> None:
    server = Faulty(FAULTS["429"], lambda number: 5 < number < 10)
    explorer = explore(limit=None, connection=server.hurried(4))
    said: list[str] = []
    explorer.screen.progress.label.observe(lambda change: said.append(change["new"]), "value")
    explorer.load()
    assert any("(the server asks to wait, 429)" in text for text in said)


def stopping(at: int) -> Callable[[int, int | None], None]:
    def stop(done: int, _: int | None) -> None:
        if done >= at:
            raise KeyboardInterrupt

    return stop


def test_an_interrupt_keeps_what_was_read() -> None:
    server = Faulty(hanging, lambda number: number > 10)
    with pytest.raises(
        ReadInterrupted, match=r"It was interrupted\. What there is: import sys; frame = sys\.last_"
    ) as stop:
        read(server.connection, progress=stopping(at=20))
    assert_is_part(stop.value.frame, server)
    assert stop.value.frame.attrs["prefect_nbviz"]["reason"].endswith("It was interrupted.")


def test_the_reason_is_said_once() -> None:
    server = Faulty(hanging, lambda number: number > 10)
    for row in server.rows:
        row["flow_run_id"] = server.rows[0]["id"]
    with pytest.raises(ReadInterrupted) as stop:
        read(server.connection, progress=stopping(at=20))
    reason = stop.value.frame.attrs["prefect_nbviz"]["reason"]
    assert reason.count("It was interrupted.") == 1
    assert reason.endswith("The names of flows, deployments and flow runs are missing.")


def test_an_interrupt_before_anything_was_read_is_a_plain_one() -> None:
    server = Faulty(hanging, lambda number: number > 1)
    with pytest.raises(KeyboardInterrupt) as stop:
        read(server.connection, progress=stopping(at=0))
    assert stop.type is KeyboardInterrupt


def test_an_interrupt_keeps_histories_and_futures() -> None:
    server = Faulty(hanging, lambda number: number > 60)
    ids = [row["id"] for row in server.rows]
    server.histories = {run_id: [a_state()] for run_id in ids}
    with pytest.raises(ReadInterrupted) as stop:
        read_states(ids, exact=True, connection=server.connection, progress=stopping(at=40))
    assert 0 < len(stop.value.frame) < ROWS
    running = FakeServer([task_run(0, state_type="RUNNING"), task_run(1)])
    ids = [row["id"] for row in running.rows]
    with pytest.raises(ReadInterrupted, match=r"^The wait broke off") as stop:
        read_futures(ids, wait=True, connection=running.connection, progress=stopping(at=1))
    assert stop.value.frame["state_type"].tolist() == ["RUNNING", "COMPLETED"]


def test_the_explorer_keeps_what_was_read_when_it_is_interrupted(monkeypatch) -> None:
    server = Faulty(hanging, lambda number: number > 10)
    explorer = explore(limit=None, connection=server.connection)
    monkeypatch.setattr(
        explorer.screen.progress, "say", lambda _, done=0, total=None, **__: stopping(at=20)(done, total)
    )
    with pytest.raises(ReadInterrupted):
        explorer.load()
    assert_is_part(explorer.frame, server)
    assert "Not all task runs were read. It was interrupted." in explorer.screen.status.value


def test_the_explorer_keeps_what_was_read_when_it_is_stopped(monkeypatch) -> None:
    server = Faulty(hanging, lambda number: number > 10)
    explorer = explore(limit=None, connection=server.connection)

    def stop(_: str, done: int = 0, *__: object, **___: object) -> None:
        if done >= 20:
            explorer.stop_button.click()

    monkeypatch.setattr(explorer.screen.progress, "say", stop)
    explorer.load_button.click()
    explorer.join()
    assert_is_part(explorer.frame, server)
    assert "Not all task runs were read. It was stopped." in explorer.screen.status.value


@pytest.mark.parametrize("patience", [0, -1, math.nan])
def test_a_patience_that_cannot_be(patience: float) -> None:
    with pytest.raises(QueryError, match=r"^patience is a number of seconds above 0, not"):
        Connection(patience=patience)


def test_more_than_fits_is_refused_at_the_first_page() -> None:
    server = FakeServer([task_run(0)])
    much = 10**15
    server.before_answer = lambda _: (
        httpx.Response(200, json=much) if server.requests[-1][1].endswith("count") else None
    )
    if memory.free() is None:
        pytest.skip("this system does not tell how much memory is free")
    with pytest.raises(
        QueryError, match=r"takes about 3,000,000,000\.0 GB of memory, of which [\d.,]+ GB are free.*limit=1"
    ):
        read(server.connection)
    pages = [body for _, path, body in server.requests if path.endswith("/filter") and body["limit"] > 1]
    assert len(pages) <= 1
    with pytest.warns(IncompleteWarning):
        assert len(read_task_runs(limit=much - 1, connection=server.connection, progress=False)) == 1


def test_a_failure_can_be_an_error() -> None:
    server = Faulty(answered(400), lambda number: number > 10)
    with pytest.raises(IncompleteWarning):  # warnings are errors in these tests
        read(server.connection)
    with pytest.raises(RefusedError):
        read(Faulty(answered(400)).connection)
