"""A transport that answers as a Prefect server can, but does not on demand: ties in any order, refusals, deaths."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx

from prefect_nbviz import Connection

Row = dict[str, Any]


def task_run(number: int, **fields: Any) -> Row:
    """A row of the server's answer, with what a frame needs."""
    row = {
        "id": f"{number:08x}-0000-4000-8000-000000000000",
        "name": f"task-{number}",
        "tags": [],
        "state_type": "COMPLETED",
        "state_name": "Completed",
        "expected_start_time": "2026-01-01T00:00:00Z",
        "start_time": "2026-01-01T00:00:01Z",
        "end_time": "2026-01-01T00:00:02Z",
        "run_count": 1,
        "flow_run_id": None,
        "task_key": "task-0",
        "task_inputs": {},
    }
    return row | fields


def flow_run(number: int, **fields: Any) -> Row:
    """A row of the server's answer, with what a frame needs."""
    return task_run(number, flow_id="a flow", deployment_id=None, parameters={}, **fields)


class FakeServer(httpx.AsyncBaseTransport):
    """Task runs and flow runs in memory, with filters on what they have, and ties shuffled anew for each page."""

    def __init__(self, rows: list[Row], *, page_limit: int = 200, seed: int = 0) -> None:
        self.rows = rows
        self.flow_runs: list[Row] = []
        self.histories: dict[str, list[Row]] = {}
        self.headers: dict[str, str] = {}
        self.page_limit = page_limit
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.version = "3.8.8"
        self.refuses = "nothing"
        self.before_answer: Callable[[int], httpx.Response | None] = lambda _: None
        self.sums_up_whole_seconds = False
        self.collate: Callable[[Any], Any] = lambda value: value
        self._random = random.Random(seed)

    @property
    def connection(self) -> Connection:
        return Connection("http://fake.invalid/api", transport=self, patience=6)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"{}")
        self.requests.append((request.method, request.url.path, body))
        answer = self.before_answer(len(self.requests))
        answer = answer or self._answer(request.url, body)
        answer.headers.update(self.headers)
        return answer

    def _answer(self, url: httpx.URL, body: dict[str, Any]) -> httpx.Response:
        path = url.path
        if path.endswith(self.refuses):
            return httpx.Response(500, json={})
        if "csrf" in path:
            return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
        if path.endswith("/task_run_states/"):
            return httpx.Response(200, json=self.histories.get(url.params["task_run_id"], []))
        if path.endswith("_runs/filter"):
            return self._refusal(body) or self._page(path, body)
        known = {
            "/admin/version": lambda: self.version,
            "_runs/count": lambda: len(self._matching(path, body)),
            "_runs/history": lambda: self._history(path, body),
        }
        answer = next((value() for end, value in known.items() if path.endswith(end)), [])
        return httpx.Response(200, json=answer)

    def _refusal(self, body: dict[str, Any]) -> httpx.Response | None:
        if (body.get("limit") or 0) <= self.page_limit:
            return None
        detail = f"Invalid limit: must be less than or equal to {self.page_limit}."
        return httpx.Response(422, json={"detail": detail})

    def _page(self, path: str, body: dict[str, Any]) -> httpx.Response:
        limit, offset = body.get("limit") or self.page_limit, body.get("offset") or 0
        column, _, direction = (body.get("sort") or "ID_DESC").rpartition("_")
        rows = self._matching(path, body)
        self._random.shuffle(rows)
        keys = {row["id"]: _field(row, path, column.lower()) for row in rows}
        has = sorted(
            (row for row in rows if keys[row["id"]] is not None),
            key=lambda row: self.collate(keys[row["id"]]),
            reverse=direction == "DESC",
        )
        lacks = [row for row in rows if keys[row["id"]] is None]
        return httpx.Response(200, json=[*has, *lacks][offset : offset + limit])

    def _history(self, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        start, end = (datetime.fromisoformat(body[f"history_{word}"]) for word in ("start", "end"))
        length = timedelta(seconds=body["history_interval_seconds"])
        bins: dict[int, dict[tuple[str, str], list[Row]]] = {place: {} for place in range(-(-(end - start) // length))}
        for row in self._matching(path, body):
            place = (datetime.fromisoformat(row["expected_start_time"]) - start) // length
            if place in bins:
                bins[place].setdefault((row["state_type"], row["state_name"]), []).append(row)
        return [
            {
                "interval_start": (start + place * length).isoformat(),
                "states": [self._figures(rows, *state) for state, rows in states.items()],
            }
            for place, states in bins.items()
        ]

    def _figures(self, rows: list[Row], state_type: str, state_name: str) -> dict[str, Any]:
        run_times, late = [row.get("estimated_run_time") or 0.0 for row in rows], [_lateness(row) for row in rows]
        if self.sums_up_whole_seconds:
            run_times, late = [int(round(one, 3)) for one in run_times], [int(round(one, 3)) for one in late]
        return {
            "state_type": state_type,
            "state_name": state_name,
            "count_runs": len(rows),
            "sum_estimated_run_time": sum(run_times),
            "sum_estimated_lateness": sum(late),
        }

    def _matching(self, path: str, body: dict[str, Any]) -> list[Row]:
        table = "task_runs" if "task_runs" in path else "flow_runs"
        filters, rows = dict(body.get(table, {})), self.rows if table == "task_runs" else self.flow_runs
        filters |= {f"state_{word}": wanted for word, wanted in filters.pop("state", {}).items()}
        return [row for row in rows if all(_fits(_field(row, path, field), one) for field, one in filters.items())]


def _field(row: Row, path: str, field: str) -> Any:
    """Give what the server filters and sorts by: of a flow run that has not started, its expected start."""
    if field == "start_time" and "flow_runs" in path:
        return row["start_time"] or row["expected_start_time"]
    return row[field]


def _lateness(row: Row) -> float:
    if row["start_time"] is None:
        return 0.0
    start, expected = (datetime.fromisoformat(row[field]) for field in ("start_time", "expected_start_time"))
    return max((start - expected).total_seconds(), 0.0)


def _fits(value: Any, wanted: dict[str, Any]) -> bool:
    checks: dict[str, Callable[[Any], bool]] = {
        "any_": lambda given: value in given,
        "not_any_": lambda given: value is not None and value not in given,
        "all_": lambda given: set(given) <= set(value),
        "after_": lambda given: value is not None and datetime.fromisoformat(value) >= datetime.fromisoformat(given),
        "before_": lambda given: value is not None and datetime.fromisoformat(value) <= datetime.fromisoformat(given),
        "is_null_": lambda given: (value is None) is given,
        "like_": lambda given: all(piece.lower() in value.lower() for piece in given.split("%")),
    }
    return all(checks[word](given) for word, given in wanted.items())
