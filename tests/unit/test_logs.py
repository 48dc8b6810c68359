"""Log lines are read back in time, whole or said to be a part, whatever order the server gives lines of one time in."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import httpx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_server import RUN, LogServer, line

from prefect_nbviz import read_logs, schema
from prefect_nbviz.errors import IncompleteWarning, QueryError, ReadInterrupted, UnreachableError

TASK_RUN = "0000eeee-0000-4000-8000-000000000000"


class HangingServer(LogServer):
    """One that stops answering."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if len(self.requests) > 8:
            await asyncio.sleep(60)
        return await super().handle_async_request(request)


def read(server: LogServer, **options: Any) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteWarning)
        return read_logs(RUN, connection=server.connection, progress=False, **options)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 9), max_size=40), st.integers(2, 7), st.none() | st.integers(1, 45), st.integers(0, 99))
def test_it_is_the_newest_or_says_what_it_lacks(seconds: list[int], page: int, limit: int | None, seed: int) -> None:
    server = LogServer([line(number, second) for number, second in enumerate(seconds)], page_limit=page, seed=seed)
    logs = read(server, limit=limit)
    about = logs.attrs["prefect_nbviz"]
    assert logs["timestamp"].is_monotonic_increasing
    assert logs["message"].is_unique
    if "of one moment" not in (about["reason"] or ""):
        wanted = sorted(seconds)[-(limit or len(seconds) or 1) :]
        assert logs["timestamp"].dt.second.tolist() == wanted
        assert about["truncated"] == (len(logs) < len(seconds))
    assert about["truncated"] or len(logs) == len(seconds)
    assert about["matched"] == (None if about["truncated"] else len(seconds))


def test_what_was_left_out_is_warned_of() -> None:
    server = LogServer([line(number, number) for number in range(5)])
    with pytest.warns(IncompleteWarning, match="Read the newest 2 log lines of more: pass limit=None"):
        logs = read_logs(RUN, limit=2, connection=server.connection)
    assert logs["message"].tolist() == ["line 3", "line 4"]


def test_those_of_task_runs_can_be_left_out() -> None:
    server = LogServer([line(1), line(2, 1, task_run_id=TASK_RUN, level=35)])
    assert read(server)["message"].tolist() == ["line 1", "line 2"]
    assert read(server)["level_name"].tolist() == ["INFO", "Level 35"]
    assert read(server, with_task_runs=False)["message"].tolist() == ["line 1"]
    of_task_run = read_logs(pd.DataFrame({"task_run_id": [TASK_RUN]}), connection=server.connection)
    assert of_task_run["message"].tolist() == ["line 2"]
    assert [body["logs"] for _, path, body in server.requests if path.endswith("/logs/filter")][-1] == {
        "task_run_id": {"any_": [TASK_RUN]}
    }


def test_a_least_level() -> None:
    server = LogServer([line(level, level=level) for level in (10, 20, 30, 40)])
    assert sorted(read(server, level_min="warning")["level"]) == [30, 40]
    assert sorted(read(server, level_min=20)["level"]) == [20, 30, 40]


@pytest.mark.parametrize("options", [{"level_min": "LOUD"}, {"level_min": 2.5}, {"level_min": True}, {"limit": 0}])
def test_what_cannot_be(options: Any) -> None:
    with pytest.raises(QueryError):
        read(LogServer([]), **options)


def test_no_lines_have_every_column() -> None:
    logs = read(LogServer([]))
    assert [*logs] == schema.names(schema.LOGS)
    assert logs["timestamp"].dtype == schema.TIME
    assert not logs.attrs["prefect_nbviz"]["truncated"]


def test_what_was_read_outlives_a_failure() -> None:
    server = LogServer([line(number, number) for number in range(30)], page_limit=10)
    server.before_answer = lambda request: httpx.Response(500, json={"detail": "ill"}) if request > 3 else None
    logs = read(server)
    assert 10 <= len(logs) < 30
    assert logs.attrs["prefect_nbviz"]["reason"].startswith(f"Reading broke off after {len(logs)} lines.")


def test_an_interrupt_keeps_what_was_read() -> None:
    server = HangingServer([line(number, number) for number in range(40)], page_limit=5)

    def stop(done: int, _: int | None) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(ReadInterrupted) as stopped:
        read_logs(RUN, connection=server.connection, progress=stop)
    assert 20 <= len(stopped.value.frame) < 40
    assert stopped.value.frame.attrs["prefect_nbviz"]["reason"].endswith("It was interrupted.")


def test_a_server_that_cannot_be_read_at_all() -> None:
    def gone(_: int) -> None:
        raise httpx.ConnectError("as if")

    server = LogServer([line(1)])
    server.before_answer = gone
    with pytest.raises(UnreachableError):
        read(server)
