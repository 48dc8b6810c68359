"""A fake server that has log lines too, those of one time in any order."""

from __future__ import annotations

from typing import Any

import httpx
from fake_server import FakeServer, Row, _fits

RUN = "0000abcd-0000-4000-8000-000000000000"


class LogServer(FakeServer):
    """A server with log lines."""

    def __init__(self, lines: list[Row], rows: list[Row] | None = None, **options: Any) -> None:
        super().__init__(rows or [], **options)
        self.lines = lines

    def _answer(self, url: httpx.URL, body: dict[str, Any]) -> httpx.Response:
        if not url.path.endswith("/logs/filter"):
            return super()._answer(url, body)
        return self._refusal(body) or httpx.Response(200, json=self._lines(body))

    def _lines(self, body: dict[str, Any]) -> list[Row]:
        fits = [row for row in self.lines if all(_fits_line(row[word], one) for word, one in body["logs"].items())]
        self._random.shuffle(fits)
        fits.sort(key=lambda row: row["timestamp"], reverse=body["sort"] == "TIMESTAMP_DESC")
        return fits[body["offset"] : body["offset"] + body["limit"]]


def _fits_line(value: Any, wanted: dict[str, Any]) -> bool:
    return value >= wanted["ge_"] if "ge_" in wanted else _fits(value, wanted)


def line(number: int, second: int = 0, **fields: Any) -> Row:
    row = {
        "id": f"{number:08x}-0000-4000-8000-000000000000",
        "name": "prefect.flow_runs",
        "level": 20,
        "message": f"line {number}",
        "timestamp": f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z",
        "flow_run_id": RUN,
        "task_run_id": None,
    }
    return row | fields
