"""A server that speaks HTTP, for code that runs outside of this package: no filters, small pages, breaks on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Rest:
    """A REST server with task runs in memory, seven to a page, that does no filtering but keeps what it was asked."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = sorted(rows, key=lambda row: row["id"], reverse=True)
        self.asked: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.breaks_at = -1

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if not path.endswith("/filter"):
            return 404, {}
        self.asked.append(body)
        if len(self.asked) == self.breaks_at:
            return 500, {"detail": "broken"}
        offset = body.get("offset") or 0
        return 200, self.rows[offset : offset + min(body.get("limit") or 7, 7)]


@contextmanager
def serving(rest: Rest) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.give(200 if "version" in self.path else 404, "3.8.8")

        def do_POST(self) -> None:
            rest.authorizations.append(self.headers["Authorization"])
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.give(*rest.answer(self.path, json.loads(body)))

        def give(self, status: int, value: Any) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api"
        finally:
            server.shutdown()
            thread.join()


def flow_run(number: int) -> dict[str, Any]:
    return task_run(number) | {"flow_id": "00000000-0000-4000-8000-000000000000"}


def task_run(number: int) -> dict[str, Any]:
    time = f"2026-01-01T00:00:{number // 5:02}{'.5' * (number % 2)}Z"
    return {
        "id": f"{(number * 7919) % 997:08x}-0000-4000-8000-000000000000",
        "name": f"task-{number % 4}",
        "task_key": "task",
        "dynamic_key": str(number),
        "tags": ["odd"] if number % 2 else [],
        "state_type": "COMPLETED",
        "state_name": "Completed",
        "run_count": 1,
        "expected_start_time": time,
        "start_time": time if number % 3 else None,
        "end_time": time.replace("01T", "02T") if number % 3 == 1 else None,
    }
