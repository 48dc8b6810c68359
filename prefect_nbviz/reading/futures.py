"""The present states of submitted tasks, as a frame."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.errors import FrameError, ServerError
from prefect_nbviz.order import Row
from prefect_nbviz.query import TaskRunQuery
from prefect_nbviz.reading.answer import Answer
from prefect_nbviz.reading.connection import Connection, Server, as_connection
from prefect_nbviz.reading.names import rows_by_id
from prefect_nbviz.reading.reader import Reader
from prefect_nbviz.reading.subjects import run_ids
from prefect_nbviz.reading.worker import Progress, Report, run
from prefect_nbviz.states import TERMINAL_STATE_TYPES

_SECONDS_BETWEEN_LOOKS = 0.5

_LOOKS_UNTIL_GONE = 4
"""A task that the server knew and then did not know at so many looks in a row is waited for no longer."""


def read_futures(
    futures: Any,
    *,
    wait: bool = False,
    timeout: float | None = None,
    connection: Connection | None = None,
    progress: bool | Report = True,
) -> pd.DataFrame:
    """Read the present states of submitted tasks, without waiting for them.

    Prefect's own `future.state` asks the server for one task at a time, and
    `prefect.futures.resolve_futures_to_states` waits for all; this asks for all at once.

    Parameters
    ----------
    futures
        What `task.submit` or `task.map` gives, a `PrefectFutureList`, or any number of futures.
    wait
        Wait until all have ended, with a bar; an interrupt leaves the tasks running, and its `frame` has their states
        (`ReadInterrupted`).
    timeout
        How many seconds to wait at most; None for as long as it takes. What has not ended by then
        is given as it is.
    connection, progress
        As in `read_flow_runs`.

    Returns
    -------
    pandas.DataFrame
        One row for each future in their order, with the columns of `schema.FUTURES`: those of task runs and
        `is_known`. A task that the server does not know yet (it records them in the background) has
        `is_known` False, state PENDING and no times; one that could not be read has no `is_known` and no state.
        `attrs["prefect_nbviz"]` tells `matched` (futures), `read` (those that the server knows), `truncated` and
        `reason`.

    Raises
    ------
    FrameError
        Something that is no future of a task.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be read at all.

    Warns
    -----
    IncompleteWarning
        The server failed in the middle, or no longer knows (four looks in a row) a task that it knew. Such rows are as they were last seen,
        and neither is waited for; a task that has never been known may still begin, and is waited for.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/python/prefect-futures

    Examples
    --------
    >>> read_futures(transform.map(range(40)), wait=True)  # doctest: +SKIP
    """
    ids = run_ids(futures)

    async def work(state: Progress) -> Answer:
        state.total = len(ids)
        async with as_connection(connection).open(state) as server:
            tasks = _Tasks(server, ids, state)
            await tasks.look()
            await tasks.refuse_flow_runs()
            if wait:
                await tasks.wait(timeout)
            return tasks.answer()

    return run(work, progress=progress, unit="tasks").warn(stacklevel=2)


class _Tasks:
    """What was seen of some task runs, look after look."""

    def __init__(self, server: Server, ids: Sequence[str], progress: Progress) -> None:
        self._server = server
        self._ids = ids
        self._progress = progress
        self._seen: dict[str, Row] = {}
        self._known: set[str] = set()
        self._is_whole = True
        self._looks_without: Counter[str] = Counter()
        self._missing: Sequence[str] = ()
        self._about: dict[str, Any] = {}

    async def look(self) -> None:
        """Read the states that they are in now."""
        answer = await Reader(self._server, TaskRunQuery(ids=self._ids, limit=None), Progress()).read()
        self._about = answer.frame.attrs[frames.ATTRS]
        self._missing = answer.missing
        self._is_whole = self._about["read"] == self._about["matched"]
        found = {row["task_run_id"]: row for row in answer.frame.to_dict("records")}
        self._known = {*found}
        self._seen |= found
        gone = [run_id for run_id in self._gone() if self._is_whole]
        self._looks_without = Counter({run_id: self._looks_without[run_id] + 1 for run_id in gone})
        self._progress.done = len(self._ids) - len(self._waited_for())

    async def refuse_flow_runs(self) -> None:
        """Refuse what the server does not know as a task run but as a flow run: it would be waited for without end."""
        unknown = [run_id for run_id in self._ids if run_id not in self._known and self._is_whole]
        for row in await rows_by_id(self._server, "flow_runs", unknown):
            raise FrameError(
                f"{row['id']} is a flow run, and these are the states of tasks: read it with "
                "read_flow_runs(ids=…) or read_states(…)."
            )

    async def wait(self, timeout: float | None) -> None:  # noqa: ASYNC109 - what is left is given as it is
        """Look again until all have ended, or the time is over, or the server fails."""
        loop = asyncio.get_running_loop()
        deadline = math.inf if timeout is None else loop.time() + timeout
        while self._waited_for() and loop.time() < deadline and self._is_whole:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            try:
                await self.look()
            except ServerError as error:
                self._missing = [f"The wait broke off, and the states are those of the last look before it. {error}"]
                return

    def answer(self) -> Answer:
        """Give a row for each, as it was last seen."""
        rows = [self._seen.get(run_id) or self._blank(run_id) for run_id in self._ids]
        data = {column.name: [row[column.name] for row in rows] for column in schema.TASK_RUNS}
        not_there = False if self._is_whole else None
        data["is_known"] = [True if run_id in self._known else not_there for run_id in self._ids]
        frame = frames.typed(data, schema.FUTURES)
        reasons = [*self._reasons()]
        frame.attrs[frames.ATTRS] = self._about | {
            "matched": len(self._ids),
            "read": len(self._known),
            "truncated": bool(reasons),
            "reason": " ".join(reasons) or None,
        }
        return Answer(frame, [" ".join(reasons)] if reasons else [])

    def _gone(self) -> list[str]:
        return [run_id for run_id in self._seen if run_id not in self._known]

    def _waited_for(self) -> list[str]:
        """Give those that may still end."""
        ended = {run_id for run_id, row in self._seen.items() if row["state_type"] in TERMINAL_STATE_TYPES}
        return [
            run_id for run_id in self._ids if run_id not in ended and self._looks_without[run_id] < _LOOKS_UNTIL_GONE
        ]

    def _reasons(self) -> Iterator[str]:
        if not self._is_whole:
            unread = len(self._ids) - len(self._known)
            yield f"{unread:,} of {len(self._ids):,} tasks could not be read: their rows are as last seen, or blank."
        elif gone := self._gone():
            yield f"The server no longer knows {len(gone):,} tasks (deleted?): their rows are as they were last seen."
        yield from self._missing

    def _blank(self, run_id: str) -> Row:
        row: dict[str, Any] = dict.fromkeys(column.name for column in schema.TASK_RUNS)
        row |= {"task_run_id": run_id, "run_count": 0, "tags": (), "upstream_task_run_ids": ()}
        return row | ({"state_type": "PENDING", "state_name": "Pending"} if self._is_whole else {})
