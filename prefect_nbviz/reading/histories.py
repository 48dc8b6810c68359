"""Read the state histories of runs."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.errors import IncompleteWarning, ServerError
from prefect_nbviz.order import Row
from prefect_nbviz.reading.connection import Connection, Server
from prefect_nbviz.reading.rows import state_frame
from prefect_nbviz.reading.subjects import resolved, subjects
from prefect_nbviz.reading.worker import Progress, Report, run

AT_A_TIME = 8
"""Requests under way at once: Prefect's client keeps as many connections alive."""


def read_states(runs: Any, *, connection: Connection | None = None, progress: bool | Report = True) -> pd.DataFrame:
    """Read the state history of runs; a request for each run.

    Parameters
    ----------
    runs
        A frame as `read_flow_runs` or `read_task_runs` gives it (with a column `task_run_id` they are task
        runs; only ids and names are used, so that a selection of rows and columns will do), one id or many of
        either kind, a row of a frame, run objects of Prefect's client, or futures.
    connection, progress
        As in `read_flow_runs`.

    Returns
    -------
    pandas.DataFrame
        One row for each state, runs in the order of `runs`, oldest state first, with the columns
        of `schema.STATES`; times are UTC. `attrs["prefect_nbviz"]` tells `runs_asked`,
        `runs_read`, `runs_without_states` (ids), and of the frame of runs `matched`, `truncated`.

    Raises
    ------
    FrameError
        `runs` is none of these; a frame has neither `task_run_id` nor `flow_run_id`.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be read at all.

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

    async def work(state: Progress) -> _Histories:
        async with (connection or Connection()).open() as server:
            return await _Histories(server, state).read(await resolved(server, asked))

    answer = run(work, progress=progress, unit="histories")
    frame = state_frame([(one, answer.found[one["run_id"]]) for one in answer.asked if one["run_id"] in answer.found])
    of_runs: Mapping[str, Any] = getattr(runs, "attrs", {}).get(frames.ATTRS, {})
    reasons = [reason for reason in (of_runs.get("reason"), *answer.reasons()) if reason]
    frame.attrs[frames.ATTRS] = {
        **{word: of_runs[word] for word in ("query", "matched") if word in of_runs},
        "kind": "states",
        "server": answer.server.address,
        "as_of": answer.as_of.isoformat(),
        "runs_asked": len(answer.asked),
        "runs_read": len(answer.found),
        "runs_without_states": answer.without_states,
        "truncated": bool(reasons),
        "reason": " ".join(reasons) or None,
    }
    for sentence in answer.reasons():
        warnings.warn(sentence, IncompleteWarning, stacklevel=2)
    return frame


class _Histories:
    """The histories of some runs on one server."""

    def __init__(self, server: Server, progress: Progress) -> None:
        self.server = server
        self.as_of = datetime.now(UTC)
        self.found: dict[str, list[Row]] = {}
        self.without_states: list[str] = []
        self._progress = progress
        self._failure: ServerError | None = None
        self.asked: Sequence[Row] = ()

    async def read(self, runs: Sequence[Row]) -> _Histories:
        """Read them all, few at a time; a failure ends it, and what was read is kept."""
        self.asked, self._progress.total = runs, len(runs)
        waiting = iter(runs)

        async def take() -> None:
            for one in waiting:
                if self._failure is not None:
                    return
                await self._read_one(one["run_kind"], one["run_id"])

        await asyncio.gather(*(take() for _ in range(AT_A_TIME)))
        if self._failure is not None and not self.found:
            raise self._failure
        return self

    def reasons(self) -> list[str]:
        """Say what is missing, in sentences."""
        said = []
        if self.without_states:
            said.append(
                f"{len(self.without_states):,} of {len(self.asked):,} runs have no states on the server (deleted meanwhile?): "
                "their ids are in attrs['prefect_nbviz']['runs_without_states']."
            )
        if self._failure is not None:
            said.append(
                f"Reading broke off after {len(self.found):,} of {len(self.asked):,} histories. {self._failure}"
            )
        return said

    async def _read_one(self, kind: str, run_id: str) -> None:
        try:
            history = await self.server.request("GET", f"/{kind}_states/", params={f"{kind}_id": run_id})
        except ServerError as error:
            self._failure = error
            return
        if history:
            self.found[run_id] = history
        else:
            self.without_states.append(run_id)
        self._progress.done += 1
