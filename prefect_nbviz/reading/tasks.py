"""What was seen of some task runs, look after look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from prefect_nbviz import frames, schema
from prefect_nbviz.errors import FrameError
from prefect_nbviz.order import Row
from prefect_nbviz.query import TaskRunQuery
from prefect_nbviz.reading.answer import Answer
from prefect_nbviz.reading.connection import Server
from prefect_nbviz.reading.names import rows_by_id
from prefect_nbviz.reading.reader import Reader
from prefect_nbviz.reading.worker import Progress
from prefect_nbviz.states import TERMINAL_STATE_TYPES

NOT_READY = "NotReady"
"""The name of the state in which a task stays for good whose upstream did not complete; its type is PENDING."""

_LOOKS_UNTIL_GONE = 4
"""A task that the server knew and then did not know at so many looks in a row is waited for no longer."""


def is_settled(row: Row) -> bool:
    """Say whether a task run stays in the state that its row tells.

    Examples
    --------
    >>> is_settled({"state_type": "FAILED", "state_name": "TimedOut"})
    True
    >>> is_settled({"state_type": "PENDING", "state_name": "Pending"})
    False
    """
    return row["state_type"] in TERMINAL_STATE_TYPES or row["state_name"] == NOT_READY


class Tasks:
    """What was seen of some task runs; a look asks only for those that have not settled.

    Parameters
    ----------
    ids
        Their ids.
    progress
        Told how many have settled.
    """

    def __init__(self, ids: Sequence[str], progress: Progress) -> None:
        self.is_whole = False
        """Whether the last look saw all that it asked for."""
        self.seen: dict[str, Row] = {}
        """The newest row of each that was ever known."""
        self._ids = ids
        self._progress = progress
        self._known: set[str] = set()
        self._looks_without: Counter[str] = Counter()
        self._missing: Sequence[str] = ()
        self._about: dict[str, Any] = {}

    @property
    def open(self) -> list[str]:
        """Those that may still change: neither settled nor gone."""
        return [
            run_id
            for run_id in self._ids
            if not (run_id in self.seen and is_settled(self.seen[run_id]))
            and self._looks_without[run_id] < _LOOKS_UNTIL_GONE
        ]

    async def look(self, server: Server) -> None:
        """Read the states that the open ones are in now."""
        asked = self.open
        answer = await Reader(server, TaskRunQuery(ids=asked, limit=None), Progress()).read()
        about = answer.frame.attrs[frames.ATTRS]
        self._about = about | {"query": self._about.get("query", about["query"])}
        self._missing = answer.missing
        self.is_whole = about["read"] == about["matched"]
        found = {row["task_run_id"]: row for row in answer.frame.to_dict("records")}
        self._known = (self._known - {*asked}) | {*found}
        self.seen |= found
        gone = [run_id for run_id in self._gone() if self.is_whole]
        self._looks_without = Counter({run_id: self._looks_without[run_id] + 1 for run_id in gone})
        self._progress.done = len(self._ids) - len(self.open)

    async def refuse_flow_runs(self, server: Server) -> None:
        """Refuse what the server does not know as a task run but as a flow run: it would be waited for without end."""
        unknown = [run_id for run_id in self._ids if run_id not in self._known and self.is_whole]
        for row in await rows_by_id(server, "flow_runs", unknown):
            raise FrameError(
                f"{row['id']} is a flow run, and these are the states of tasks: read it with "
                "read_flow_runs(ids=…) or read_states(…), or its tasks with read_task_runs(flow_runs=…)."
            )

    def break_off(self, reason: str) -> None:
        """Take it that there will be no further look, and why."""
        self._missing = [reason]

    def answer(self) -> Answer:
        """Give a row for each, as it was last seen."""
        rows = [self.seen.get(run_id) or self._blank(run_id) for run_id in self._ids]
        data = {column.name: [row[column.name] for row in rows] for column in schema.TASK_RUNS}
        not_there = False if self.is_whole else None
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
        return [run_id for run_id in self.seen if run_id not in self._known]

    def _reasons(self) -> Iterator[str]:
        if not self.is_whole:
            unread = len(self._ids) - len(self._known)
            yield f"{unread:,} of {len(self._ids):,} tasks could not be read: their rows are as last seen, or blank."
        elif gone := self._gone():
            yield f"The server no longer knows {len(gone):,} tasks (deleted?): their rows are as they were last seen."
        yield from self._missing

    def _blank(self, run_id: str) -> Row:
        row: dict[str, Any] = dict.fromkeys(column.name for column in schema.TASK_RUNS)
        row |= {"task_run_id": run_id, "run_count": 0, "tags": (), "upstream_task_run_ids": ()}
        return row | ({"state_type": "PENDING", "state_name": "Pending"} if self.is_whole else {})
