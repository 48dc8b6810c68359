"""Counts that a fake server gives: they add up or say so, and what cannot be counted is a sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pandas as pd
import pytest
from fake_server import FakeServer, task_run

from prefect_nbviz import FlowRunQuery, TaskRunQuery, count_runs, read_run_counts, read_state_type_counts
from prefect_nbviz.errors import IncompleteWarning, QueryError

COUNTERS = [count_runs, read_run_counts, read_state_type_counts]


class CountingServer(FakeServer):
    """A fake server that has a history too, in which it may forget some runs."""

    forgets = 0

    def _answer(self, url: httpx.URL, body: dict[str, Any]) -> httpx.Response:
        if not url.path.endswith("/task_runs/history"):
            return super()._answer(url, body)
        states = [{"state_type": "COMPLETED", "state_name": "Completed", "count_runs": len(self.rows) - self.forgets}]
        return httpx.Response(200, json=[{"interval_start": body["history_start"], "states": states}])


def run_counts(server: FakeServer, **options: Any) -> pd.DataFrame:
    return read_run_counts(TaskRunQuery(), connection=server.connection, progress=False, **options)


def test_bins_that_add_up_say_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attrs = run_counts(CountingServer([task_run(1), task_run(2)])).attrs["prefect_nbviz"]
    assert (attrs["matched"], attrs["read"], attrs["truncated"], attrs["reason"]) == (2, 2, False, None)


@pytest.mark.parametrize("forgets", [1, -1])
def test_bins_that_do_not_add_up_say_so(forgets: int) -> None:
    server = CountingServer([task_run(1), task_run(2), task_run(3)])
    server.forgets = forgets
    held = 3 - forgets
    with pytest.warns(IncompleteWarning, match=rf"^The bins hold {held} runs where 3 match: .* Count again\.$"):
        counts = run_counts(server)
    attrs = counts.attrs["prefect_nbviz"]
    assert (attrs["matched"], attrs["read"], attrs["truncated"]) == (3, held, True)
    assert counts["runs"].sum() == held


def test_a_run_that_comes_while_they_are_counted_is_counted_or_not() -> None:
    server = CountingServer([task_run(1), task_run(2)])

    def come(_: int) -> None:
        if server.requests[-1][1].endswith("/history"):
            server.rows = [*server.rows, task_run(3)]

    server.before_answer = come
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counts = run_counts(server)
    assert counts["runs"].sum() == counts.attrs["prefect_nbviz"]["matched"] == 3


def test_rows_without_an_expected_start_are_in_no_bin_and_said() -> None:
    server = FakeServer([task_run(1), task_run(2)])
    rows = [row | {"expected_start_time": None} if "1" in row["name"] else row for row in server.rows]
    server.before_answer = lambda _: (
        httpx.Response(200, json=rows) if server.requests[-1][1].endswith("/task_runs/filter") else None
    )
    query = TaskRunQuery(run_count_min=1)  # what the reader does, so that rows are counted
    with pytest.warns(IncompleteWarning, match="^The bins hold 1 runs where 2 match: "):
        read_run_counts(query, connection=server.connection, progress=False)


@pytest.mark.parametrize("count", COUNTERS)
@pytest.mark.parametrize(
    ("given", "criteria", "says"),
    [
        ((), {}, r"FlowRunQuery\(since='1d'\) or TaskRunQuery\(since='1d'\)\.$"),
        ((None,), {}, r"FlowRunQuery\(since='1d'\) or TaskRunQuery\(since='1d'\)\.$"),
        ((), {"flow": "x"}, r"^Say which runs: FlowRunQuery\(flow='x'\) or TaskRunQuery\(flow='x'\)\.$"),
        (("x",), {}, r"not str\.$"),
        ((pd.DataFrame({"flow_run_id": []}),), {}, r"not DataFrame\.$"),
        ((FlowRunQuery(),), {"flwo": "x"}, r"no criterion 'flwo'\. Did you mean 'flow'"),
    ],
)
def test_what_is_no_query_is_refused(count: Callable[..., Any], given: Any, criteria: Any, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        count(*given, connection=FakeServer([]).connection, **criteria)


def test_keywords_change_a_query() -> None:
    server = FakeServer([task_run(1), task_run(2)])
    query = TaskRunQuery(name="task-1")
    assert count_runs(query, connection=server.connection, progress=False) == 1
    assert count_runs(query, name=["task-1", "task-2"], connection=server.connection, progress=False) == 2


def test_a_length_and_a_time_zone_of_any_type_are_kept_as_text(tmp_path: Path) -> None:
    counts = run_counts(CountingServer([task_run(1)]), freq=timedelta(minutes=15), tz=ZoneInfo("Europe/Berlin"))
    counts.to_parquet(tmp_path / "counts.parquet")
    attrs = pd.read_parquet(tmp_path / "counts.parquet").attrs["prefect_nbviz"]
    assert (attrs["freq"], attrs["tz"]) == ("15min", "Europe/Berlin")
