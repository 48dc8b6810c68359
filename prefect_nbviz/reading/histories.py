"""Read the state histories of runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.errors import QueryError, ServerError
from prefect_nbviz.filters import batched
from prefect_nbviz.order import Row
from prefect_nbviz.reading.answer import Answer
from prefect_nbviz.reading.connection import Connection, Server, as_connection
from prefect_nbviz.reading.gate import MOST
from prefect_nbviz.reading.names import rows_by_id
from prefect_nbviz.reading.pages import PAGE
from prefect_nbviz.reading.rebuilt import rebuilt
from prefect_nbviz.reading.rows import state_frame
from prefect_nbviz.reading.subjects import resolved, subjects
from prefect_nbviz.reading.worker import Progress, Report, run

T = TypeVar("T")

MANY = 500
"""Requests that are announced before they are sent: they take a server on this machine some seconds."""


def read_states(
    runs: Any, *, exact: bool = False, connection: Connection | None = None, progress: bool | Report = True
) -> pd.DataFrame:
    """Read the state history of runs; for most task runs without a request for each.

    The rows of task runs are read anew, 200 at a time. Most task runs ran once, and then the row tells the whole
    history, which is rebuilt from it (`prefect_nbviz.reading.rebuilt` says when). Each flow run and each other task
    run costs a request.

    Parameters
    ----------
    runs
        A frame as `read_flow_runs` or `read_task_runs` gives it (with a column `task_run_id` they are task
        runs; only ids and names are used, so that a selection of rows and columns will do), one id or many of
        either kind, a row of a frame, run objects of Prefect's client, or futures.
    exact
        Ask the server for every history. One that is rebuilt has the same states but for two rare cases: it lacks
        a state that was forced through the API while the task ran, and it has a state that Prefect lost on the way
        to its database.
    connection
        As in `read_flow_runs`. Its `most_requests` bounds how many this may take.
    progress
        As in `read_flow_runs`; it counts requests, whose number is known as soon as the rows are read. Where they are
        more than 500, the bar, or the `note`, says so before the first history is read: "about 1,200 requests".

    Returns
    -------
    pandas.DataFrame
        One row for each state, runs in the order of `runs`, oldest state first, with the columns
        of `schema.STATES`; times are UTC; `source` says which histories are rebuilt. `attrs["prefect_nbviz"]` tells
        `runs_asked`, `runs_read`, `runs_rebuilt`, `runs_without_states` (ids), `requests`, and of the frame of runs
        `matched`, `truncated`.

    Raises
    ------
    FrameError
        `runs` is none of these; a frame has neither `task_run_id` nor `flow_run_id`.
    QueryError
        It would take more than `Connection.most_requests`; no history was read.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be read at all.
    ReadInterrupted
        An interrupt, after some histories were read; its `frame` has them.

    Warns
    -----
    IncompleteWarning
        A run has no states on the server (it was deleted meanwhile), or the server failed in the
        middle; what was read by then is kept.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/task-run-states/read-task-run-states
    https://docs.prefect.io/v3/api-ref/rest-api/server/flow-run-states/read-flow-run-states

    Examples
    --------
    >>> states = read_states(read_task_runs(state_type="FAILED"))  # doctest: +SKIP
    """
    asked = subjects(runs)

    of_runs: Mapping[str, Any] = getattr(runs, "attrs", {}).get(frames.ATTRS, {})

    server_of = as_connection(connection)

    async def work(state: Progress) -> Answer:
        async with server_of.open(state) as server:
            histories = Histories(server, state, most_requests=server_of.most_requests)
            await histories.read(await resolved(server, asked), exact=exact)
            return histories.answer(of_runs)

    return run(work, progress=progress, unit="requests").warn(stacklevel=2)


class Histories:
    """The histories of some runs on one server."""

    def __init__(self, server: Server, progress: Progress, *, most_requests: int | None = None) -> None:
        self.server = server
        self.as_of = datetime.now(UTC)
        self.found: dict[str, list[Row]] = {}
        self.rebuilt = 0
        self.without_states: list[str] = []
        self._progress = progress
        self._most_requests = most_requests
        self.failure: ServerError | None = None
        self.asked: Sequence[Row] = ()

    async def read(self, runs: Sequence[Row], *, exact: bool) -> None:
        """Read them all, few at a time; a failure ends it, and what was read is kept."""
        self.asked = runs
        if not exact:
            await self._rebuild()
        single = [one for one in runs if one["run_id"] not in self.found]
        self._announce(self.server.requests + len(single), len(single))
        await self._side_by_side(self._read_one, single)
        if self.failure is not None and not self.found:
            raise self.failure

    def _announce(self, requests: int, histories: int) -> None:
        """Say how many requests it takes, or refuse those that are more than may be; tries again come on top."""
        self._progress.total = requests
        about = f"about {requests:,} requests"
        if self._most_requests is not None and requests > self._most_requests:
            raise QueryError(
                f"Reading {histories:,} histories takes {about}, more than the {self._most_requests:,} of "
                f"Connection(most_requests=…): take fewer runs, or allow so many (most_requests={requests})."
            )
        self._progress.estimate = about if requests > MANY else ""

    def answer(self, of_runs: Mapping[str, Any]) -> Answer:
        """Give the frame, with what it says of the frame of runs that was handed in."""
        frame = state_frame([(one, self.found[one["run_id"]]) for one in self.asked if one["run_id"] in self.found])
        missing = self._reasons()
        reasons = [reason for reason in (of_runs.get("reason"), *missing) if reason]
        frame.attrs[frames.ATTRS] = {
            **{word: of_runs[word] for word in ("query", "matched") if word in of_runs},
            "kind": "states",
            "server": self.server.address,
            "as_of": self.as_of.isoformat(),
            "runs_asked": len(self.asked),
            "runs_read": len(self.found),
            "runs_rebuilt": self.rebuilt,
            "runs_without_states": self.without_states,
            "requests": self.server.requests,
            "truncated": bool(reasons),
            "reason": " ".join(reasons) or None,
        }
        return Answer(frame, missing)

    def _reasons(self) -> list[str]:
        """Say what is missing, in sentences."""
        said = []
        if self.without_states:
            said.append(
                f"{len(self.without_states):,} of {len(self.asked):,} runs have no states on the server (deleted meanwhile?): "
                "their ids are in attrs['prefect_nbviz']['runs_without_states']."
            )
        if self.failure is not None:
            said.append(f"Reading broke off after {len(self.found):,} of {len(self.asked):,} histories. {self.failure}")
        return said

    async def _side_by_side(self, read: Callable[[T], Awaitable[None]], things: Iterable[T]) -> None:
        """Read things, few at a time, until one fails."""
        waiting = iter(things)

        async def take() -> None:
            for one in waiting:
                if self.failure is not None:
                    return
                try:
                    await read(one)
                except ServerError as error:
                    self.failure = error
                self._progress.done = self.server.requests

        await asyncio.gather(*(take() for _ in range(MOST)))

    async def _rebuild(self) -> None:
        """Find the histories that rows tell; the rows of runs that came as ids have been read."""
        task_runs = [one for one in self.asked if one["run_kind"] == "task_run"]
        self._take_rows(one["row"] for one in task_runs if one["row"] is not None)
        unread = (one["run_id"] for one in task_runs if one["row"] is None)
        await self._side_by_side(self._read_rows, batched(unread, PAGE))
        self.rebuilt = len(self.found)

    async def _read_rows(self, ids: Sequence[str]) -> None:
        self._take_rows(await rows_by_id(self.server, "task_runs", ids))

    def _take_rows(self, rows: Iterable[Row]) -> None:
        histories = ((row["id"], rebuilt(row)) for row in rows)
        self.found |= {run_id: history for run_id, history in histories if history is not None}

    async def _read_one(self, run: Row) -> None:
        kind, run_id = run["run_kind"], run["run_id"]
        history = await self.server.request("GET", f"/{kind}_states/", params={f"{kind}_id": run_id})
        if history:
            self.found[run_id] = history
        else:
            self.without_states.append(run_id)
