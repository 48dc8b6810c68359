"""A stand-in for a Prefect server that is far away: real rows of a real server, handed out after a while.

It runs in the process that reads, so that neither a network nor a second process is measured, and answers
what a read asks for: pages of task runs by offset or by expected start, counts, and names behind ids.
"""

from __future__ import annotations

import asyncio
import bisect
import json
from datetime import datetime
from typing import Any

import httpx
import msgspec

Row = dict[str, Any]


class StandIn(httpx.AsyncBaseTransport):
    """Answers after `latency` seconds, however many ask at once; keeps account of the requests."""

    def __init__(self, task_runs: list[Row], flow_runs: list[Row], flows: list[Row], *, latency: float) -> None:
        oldest_first = sorted(task_runs, key=_time)
        self._times = [_time(row) for row in oldest_first]
        self._rows = [msgspec.json.encode(row) for row in oldest_first]
        self._by_id = {"flow_runs": {row["id"]: row for row in flow_runs}, "flows": {row["id"]: row for row in flows}}
        self._latency = latency
        self._under_way = 0
        self.requests = 0
        self.most_at_once = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            await asyncio.sleep(self._latency)
            if request.url.path.endswith("/csrf-token"):
                return httpx.Response(422, json={"detail": "CSRF protection is disabled."})
            return httpx.Response(200, content=self._answer(request.url.path, json.loads(request.content or b"{}")))
        finally:
            self._under_way -= 1

    def _answer(self, path: str, body: Row) -> bytes:
        if path.endswith("/admin/version"):
            return b'"3.8.8"'
        table = path.split("/")[-2]
        if table != "task_runs":
            known = self._by_id[table]
            if table not in body:  # the flows of some flow runs: those of all will do
                return msgspec.json.encode([*known.values()])
            return msgspec.json.encode([known[one] for one in body[table]["id"]["any_"] if one in known])
        first, end = self._span(body.get("task_runs") or {})
        if path.endswith("/count"):
            return b"%d" % (end - first)
        limit, offset = body.get("limit") or 200, body.get("offset") or 0
        if body.get("sort") == "EXPECTED_START_TIME_ASC":
            rows = self._rows[first:end][offset : offset + limit]
        else:
            rows = self._rows[max(end - offset - limit, first) : max(end - offset, first)][::-1]
        return b"[" + b",".join(rows) + b"]"

    def _span(self, filters: Row) -> tuple[int, int]:
        time = filters.get("expected_start_time") or {}
        after, before = time.get("after_"), time.get("before_")
        first = 0 if after is None else bisect.bisect_left(self._times, datetime.fromisoformat(after))
        end = len(self._times) if before is None else bisect.bisect_right(self._times, datetime.fromisoformat(before))
        return first, end


def _time(row: Row) -> datetime:
    return datetime.fromisoformat(row["expected_start_time"])
