"""Submitted tasks, looked at again and again: their states, what these say, and how they came to be in them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.order import Row
from prefect_nbviz.reading.connection import Server
from prefect_nbviz.reading.histories import Histories
from prefect_nbviz.reading.rows import state_frame
from prefect_nbviz.reading.subjects import each_of, resolved, subjects
from prefect_nbviz.reading.tasks import Tasks, is_settled
from prefect_nbviz.reading.worker import Progress

MOST_REQUESTS = 50
"""As many histories that cost a request each are read in one look; the others wait for the next."""

_SECONDS_UNTIL_SAID = 5.0
_SECONDS_UNTIL_LOST = 60.0
"""A task that has ended here is waited for so long until the server has recorded its end; 1 or 2 are usual."""


@dataclass(frozen=True)
class Sight:
    """What was seen of submitted tasks by now."""

    tasks: pd.DataFrame
    """A row for each, in their order, with the columns of `schema.FUTURES`."""

    states: pd.DataFrame
    """The histories of those that the server knows, with the columns of `schema.STATES`."""

    missing: Sequence[str]
    """What they lack, in sentences."""

    is_over: bool
    """Whether nothing more is to come."""


class Lookout:
    """Looks at submitted tasks, and asks only for what can have changed since the last look.

    Parameters
    ----------
    futures
        What `read_futures` takes, or a frame of task runs.

    Raises
    ------
    FrameError
        Something in it is no future, id or run of a task.
    """

    def __init__(self, futures: Any) -> None:
        is_frame = isinstance(futures, pd.DataFrame)
        given = futures if is_frame else each_of(futures)
        self.ids = [run["run_id"] for run in subjects(given)]
        self._local = _Local([] if is_frame else given)
        self._tasks = Tasks(self.ids, Progress())
        self._runs: dict[str, Row] = {}
        self._histories: dict[str, Sequence[Row]] = {}
        self._told: dict[str, str] = {}
        self._is_first = True

    async def look(self, server: Server) -> Sight:
        """Look once.

        Raises
        ------
        FrameError
            One of them is a flow run.
        ServerError
            The server could not be read; what was seen before is kept for the next look.
        """
        has_ended_here = self._local.ended()  # before the look: what ended after it can be on the server
        await self._tasks.look(server)
        if self._is_first:
            await self._tasks.refuse_flow_runs(server)
            self._is_first = False
        self._local.miss(has_ended_here & {*self._tasks.open}, now=asyncio.get_running_loop().time())
        await self._read_histories(server)
        return self._sight(server)

    @property
    def blank(self) -> Sight:
        """What is seen before the first look: nothing, of all of them."""
        return Sight(self._tasks.answer().frame, frames.empty(schema.STATES), [], is_over=False)

    async def _read_histories(self, server: Server) -> None:
        """Read the histories of those whose rows tell of a change: of one that ran once in one request for many."""
        changed = [*self._untold()]
        cheap = [run_id for run_id in changed if _is_told_by_row(self._tasks.seen[run_id])]
        costly = [run_id for run_id in changed if run_id not in {*cheap}][:MOST_REQUESTS]
        if not cheap and not costly:
            return
        histories = Histories(server, Progress())
        await histories.read(await resolved(server, subjects([*cheap, *costly])), exact=False)
        for run in histories.asked:
            run_id = run["run_id"]
            if run_id in histories.found or run_id in histories.without_states:
                self._runs[run_id], self._histories[run_id] = run, histories.found.get(run_id, ())
                self._told[run_id] = self._tasks.seen[run_id]["state_id"]
        if histories.failure is not None:
            raise histories.failure

    def _sight(self, server: Server) -> Sight:
        answer = self._tasks.answer()
        reasons = [*answer.missing, *self._local.reasons()]
        about = answer.frame.attrs[frames.ATTRS]
        answer.frame.attrs[frames.ATTRS] = about | {
            "truncated": bool(reasons),
            "reason": " ".join(reasons) or None,
        }
        return Sight(answer.frame, self._states(server), reasons, self._is_over())

    def _is_over(self) -> bool:
        is_told = not any(self._untold())
        return is_told and self._tasks.is_whole and self._local.lost.issuperset(self._tasks.open)

    def _untold(self) -> Iterator[str]:
        """Give those that are in another state than when their histories were read: these only grow."""
        return (one for one, row in self._tasks.seen.items() if self._told.get(one, "") != row["state_id"])

    def _states(self, server: Server) -> pd.DataFrame:
        states = state_frame([(self._runs[one], self._histories[one]) for one in self.ids if one in self._histories])
        lacks = [f"{len(self.ids) - len(self._histories):,} of {len(self.ids):,} tasks have no history yet."]
        is_part = len(self._histories) < len(self.ids)
        states.attrs[frames.ATTRS] = {
            "kind": "states",
            "server": server.address,
            "as_of": datetime.now(UTC).isoformat(),
            "matched": len(self.ids),
            "runs_asked": len(self.ids),
            "runs_read": len(self._histories),
            "truncated": is_part,
            "reason": lacks[0] if is_part else None,
        }
        return states


class _Local:
    """What the futures themselves know: a task that runs in this process has ended before the server has recorded it."""

    def __init__(self, futures: Sequence[Any]) -> None:
        self._futures = {
            str(one.task_run_id): one.wrapped_future
            for one in futures
            if hasattr(getattr(one, "wrapped_future", None), "done")
        }
        self._since: dict[str, float] = {}
        self._now = 0.0

    def ended(self) -> set[str]:
        """Give those that have ended here."""
        return {run_id for run_id, one in self._futures.items() if one.done()}

    def miss(self, ids: set[str], *, now: float) -> None:
        """Take it that these have ended here and not on the server, at a time in seconds."""
        self._now = now
        self._since = {run_id: self._since.get(run_id, now) for run_id in ids}

    @property
    def lost(self) -> set[str]:
        """Those whose end is no longer waited for."""
        return self._missed(_SECONDS_UNTIL_LOST)

    def reasons(self) -> Iterator[str]:
        """Say what the server lacks."""
        if lost := self.lost:
            yield (
                f"{len(lost):,} tasks have ended here, and the server has not recorded it in {_SECONDS_UNTIL_LOST:.0f} s: "
                "their rows are as it has them, and future.state tells how they ended."
            )
        elif late := self._missed(_SECONDS_UNTIL_SAID):
            yield f"{len(late):,} tasks have ended here, and the server has not recorded it yet."

    def _missed(self, seconds: float) -> set[str]:
        return {run_id for run_id, since in self._since.items() if self._now - since >= seconds}


def _is_told_by_row(row: Row) -> bool:
    return is_settled(row) and row["run_count"] == 1
