"""Read the log lines of runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from prefect_nbviz import forms, frames, schema
from prefect_nbviz.errors import QueryError, RefusedError, ServerError
from prefect_nbviz.filters import IDS_PER_BODY, batched, merge
from prefect_nbviz.order import Body, Row, iso, moment
from prefect_nbviz.query import DEFAULT_LIMIT
from prefect_nbviz.reading.answer import Answer
from prefect_nbviz.reading.connection import Connection, Server, as_connection
from prefect_nbviz.reading.pages import PAGE, allowed_page
from prefect_nbviz.reading.patience import FEW
from prefect_nbviz.reading.subjects import subjects
from prefect_nbviz.reading.worker import Progress, Report, run

_MICRO = timedelta(microseconds=1)


def read_logs(
    runs: Any,
    *,
    with_task_runs: bool = True,
    level_min: int | str | None = None,
    limit: int | None = DEFAULT_LIMIT,
    connection: Connection | None = None,
    progress: bool | Report = True,
) -> pd.DataFrame:
    """Read the newest log lines of runs, past the server's 200 lines a page, oldest first.

    A run without lines may have logged nothing, or have been told not to send its lines
    (`PREFECT_LOGGING_TO_API_ENABLED`, `PREFECT_LOGGING_LEVEL`), or have sent them too lately.

    Parameters
    ----------
    runs
        What `read_states` takes: a frame of flow runs or task runs, one id or many of either kind, a row, run objects
        of Prefect's client, or futures.
    with_task_runs
        Whether the lines of a flow run are also those of its task runs.
    level_min
        Only lines of this level and above: a number of Python's `logging`, or its name, such as `"WARNING"`.
    limit
        How many lines at most, in all, the newest; None for all.
    connection
        As in `read_flow_runs`.
    progress
        As in `read_flow_runs`; it counts lines, of a number that the server does not tell.

    Returns
    -------
    pandas.DataFrame
        One row for each line in the order of time, with the columns of `schema.LOGS`; times are UTC.
        `attrs["prefect_nbviz"]` tells `runs_asked`, `read`, `matched` (None where lines were left out: the server does
        not count them), `requests`, `truncated` and `reason`.

    Raises
    ------
    QueryError
        There is no such level, or `limit` is no number from 1 up.
    FrameError
        `runs` is none of these.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be read at all.
    ReadInterrupted
        An interrupt, after some lines were read; its `frame` has them.

    Warns
    -----
    IncompleteWarning
        There are more lines than `limit`, or the server failed in the middle; what was read by then is kept.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/logs/read-logs

    Examples
    --------
    >>> errors = read_logs(read_flow_runs(state_type="FAILED"), level_min="ERROR")  # doctest: +SKIP
    """
    asked = _LogQuery.of(runs, with_task_runs=with_task_runs, level_min=level_min, limit=limit)
    of_runs: Mapping[str, Any] = getattr(runs, "attrs", {}).get(frames.ATTRS, {})

    async def work(state: Progress) -> Answer:
        async with as_connection(connection).open(state) as server:
            lines = _Lines(server, asked, state)
            await lines.read()
            return lines.answer(of_runs)

    return run(work, progress=progress, unit="log lines").warn(stacklevel=2)


@dataclass(frozen=True)
class _LogQuery:
    """Which lines to read."""

    flow_run_ids: Sequence[str]
    """Flow runs, or ids of runs of either kind."""

    task_run_ids: Sequence[str]
    """Task runs, or ids of runs of either kind."""

    with_task_runs: bool
    """Whether the lines of a flow run are also those of its task runs."""

    level_min: int | None
    """The lowest level, as a number."""

    limit: int | None
    """How many lines at most, the newest; None for all."""

    @classmethod
    def of(cls, runs: Any, *, with_task_runs: bool, level_min: int | str | None, limit: int | None) -> _LogQuery:
        """Give the query about some runs, in whatever form they come."""
        asked = subjects(runs)
        return cls(
            [one["run_id"] for one in asked if one["run_kind"] != "task_run"],
            [one["run_id"] for one in asked if one["run_kind"] != "flow_run"],
            with_task_runs,
            _level(level_min),
            forms.count_or_none("limit", limit),
        )

    @property
    def runs(self) -> int:
        """How many runs are asked about."""
        return len({*self.flow_run_ids, *self.task_run_ids})

    def bodies(self) -> Iterator[Body]:
        """Give the filters to ask with; a line may match several."""
        own: Body = {} if self.with_task_runs else {"task_run_id": {"is_null_": True}}
        level: Body = {} if self.level_min is None else {"level": {"ge_": self.level_min}}
        for ids in batched(self.flow_run_ids, IDS_PER_BODY):
            yield {"flow_run_id": {"any_": [*ids]}, **own, **level}
        for ids in batched(self.task_run_ids, IDS_PER_BODY):
            yield {"task_run_id": {"any_": [*ids]}, **level}


@dataclass
class _Lines:
    """The lines that a query asks for, on one server."""

    server: Server
    asked: _LogQuery
    progress: Progress
    page_size: int = PAGE
    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))
    found: dict[str, Row] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    async def read(self) -> None:
        """Read them; a failure ends it, and what was read is kept."""
        try:
            for body in self.asked.bodies():
                await self._read_back(body)
        except ServerError as error:
            if not self.found:
                raise
            self.reasons.append(f"Reading broke off after {len(self.found):,} lines. {error}")

    def answer(self, of_runs: Mapping[str, Any]) -> Answer:
        """Give the newest of them as a frame."""
        rows = sorted(self.found.values(), key=lambda row: (moment(row["timestamp"]), row["id"]))
        limit = self.asked.limit
        newest = rows if limit is None else rows[-limit:]
        if len(newest) < len(rows):
            self.reasons.append(
                f"Read the newest {len(newest):,} log lines of more: pass limit=None for all, or level_min."
            )
        reasons = [reason for reason in (of_runs.get("reason"), *self.reasons) if reason]
        frame = frames.typed(_columns(newest), schema.LOGS)
        frame.attrs[frames.ATTRS] = {
            "kind": "logs",
            "server": self.server.address,
            "as_of": self.as_of.isoformat(),
            "runs_asked": self.asked.runs,
            "matched": None if self.reasons else len(frame),
            "read": len(frame),
            "requests": self.server.requests,
            "truncated": bool(reasons),
            "reason": " ".join(reasons) or None,
        }
        return Answer(frame, self.reasons)

    async def _read_back(self, body: Body) -> None:
        """Read from the newest line back, page by page; each page begins with the last time of the one before.

        The server orders lines by time alone and can begin only at a time, so that lines of one time are met again.
        """
        start: Body = {}
        met: set[str] = set()
        while True:
            rows = await self._page(merge(body, start))
            self._take(rows)
            met.update(row["id"] for row in rows)
            is_enough = self.asked.limit is not None and len(met) > self.asked.limit
            if len(rows) < self.page_size or is_enough:
                return
            first, last = moment(rows[0]["timestamp"]), moment(rows[-1]["timestamp"])
            if first == last:  # lines of one time fill a page
                await self._read_time(merge(body, _between(last, last)), {row["id"] for row in rows})
            start = _between(None, last - _MICRO if first == last else last)

    async def _read_time(self, body: Body, met: set[str]) -> None:
        """Read all lines of one time, by offset: their order is the server's own, and may change between pages."""
        for _ in range(FEW):
            there = 0
            while True:
                rows = await self._page(body, offset=there)
                self._take(rows)
                met |= {row["id"] for row in rows}
                there += len(rows)
                if len(rows) < self.page_size:
                    break
            if len(met) >= there:
                return
        self.reasons.append(f"{there - len(met):,} of {there:,} lines of one moment were not met: read again.")

    def _take(self, rows: Sequence[Row]) -> None:
        self.found |= {row["id"]: row for row in rows}
        self.progress.done = len(self.found)

    async def _page(self, body: Body, *, offset: int = 0) -> list[Row]:
        request = {"logs": body, "sort": "TIMESTAMP_DESC", "offset": offset, "limit": self.page_size}
        try:
            rows: list[Row] = await self.server.request("POST", "/logs/filter", json=request)
        except RefusedError as error:
            size = allowed_page(error)
            if size is None:
                raise
            self.page_size = size
            return await self._page(body, offset=offset)
        return rows


def _between(after: datetime | None, before: datetime) -> Body:
    """Give a filter on the time of lines, both ends in."""
    return {"timestamp": {"before_": iso(before)} | ({} if after is None else {"after_": iso(after)})}


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    same = ("timestamp", "level", "message", "flow_run_id", "task_run_id")
    return {
        **{name: [row.get(name) for row in rows] for name in same},
        "level_name": [logging.getLevelName(row["level"]) for row in rows],
        "logger_name": [row["name"] for row in rows],
    }


def _level(level: int | str | None) -> int | None:
    if isinstance(level, str):
        known = logging.getLevelNamesMapping()
        return known[forms.one_of("level_min", level, tuple(known))]
    if level is None or (isinstance(level, int) and not isinstance(level, bool)):
        return level
    raise QueryError(f"level_min is a level of Python's logging, such as 30 or 'WARNING'; not {level!r}.")
