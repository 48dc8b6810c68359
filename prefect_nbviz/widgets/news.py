"""What a watch has to say: how many tasks are in which state, which failed, and how new that is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.states import FAILURE_TYPES, STATE_NAMES, TERMINAL_STATE_TYPES

Phase = Literal["starting", "live", "stale", "over", "stopped", "broken"]
"""Before the first look; looking; the last look failed; all have ended; told to stop; it cannot go on."""

WAITING, UNREAD = "waiting", "unread"
"""What is said of tasks that the server has no record of yet, and of those that could not be read."""

_ORDER = ("RUNNING", "FAILED", "CRASHED", "CANCELLED", "CANCELLING", "COMPLETED", "SCHEDULED", "PAUSED", "PENDING", "")
"""The types of states in the order in which they are said."""

_PREAMBLE = "Task run encountered an exception "
"""What Prefect puts before each exception: it tells nothing that `failed` does not."""

_HOUR, _MINUTE = 3_600, 60


@dataclass(frozen=True)
class Count:
    """How many tasks are in one state."""

    state_type: str
    """Its type; `""` where the server has no record."""

    word: str
    """What it is called."""

    tasks: int
    """How many."""


@dataclass(frozen=True)
class Failure:
    """A task that failed or crashed; its texts are a stranger's."""

    run_id: str
    """The id of the task run."""

    name: str
    """Its name."""

    word: str
    """What its state is called."""

    message: str
    """What the state says; `""` for nothing."""


@dataclass(frozen=True)
class News:
    """What was seen by now, and whether it is still looked."""

    tasks: pd.DataFrame
    """A row for each task, with the columns of `schema.FUTURES`."""

    states: pd.DataFrame
    """Their histories, with the columns of `schema.STATES`."""

    phase: Phase
    """Whether it is still looked."""

    notes: Sequence[str] = ()
    """What there is to warn of, in sentences."""

    @property
    def as_of(self) -> datetime | None:
        """The moment of the last look that was answered."""
        text = self.tasks.attrs.get(frames.ATTRS, {}).get("as_of")
        return datetime.fromisoformat(text) if text else None

    def counts(self) -> list[Count]:
        """Count the tasks by state."""
        columns = (self.tasks[name] for name in ("state_type", "state_name", "is_known"))
        found = Counter(_state(*row) for row in zip(*columns, strict=True))
        counts = [Count(state_type, word, number) for (state_type, word), number in found.items()]
        return sorted(counts, key=lambda one: (_ORDER.index(one.state_type), one.word))

    def headline(self) -> str:
        """Say in one line how far they are."""
        if self.phase == "starting":
            return "1 task" if len(self.tasks) == 1 else f"{len(self.tasks):,} tasks"
        counts = self.counts()
        done = sum(one.tasks for one in counts if one.state_type in TERMINAL_STATE_TYPES)
        others = [f"{one.tasks:,} {one.word}" for one in counts if one.word != "completed"]
        return " · ".join([f"{done:,} of {len(self.tasks):,} done", *others, *self._elapsed()])

    def failures(self) -> list[Failure]:
        """Give those that failed or crashed, newest first."""
        failed = self.tasks[self.tasks["state_type"].isin(FAILURE_TYPES)]
        failed = failed.sort_values("end_time", ascending=False, kind="stable")
        columns = (failed[name] for name in ("task_run_id", "name", "state_type", "state_name", "state_message"))
        return [
            Failure(run_id, name, _word(state_type, state_name), _text(message))
            for run_id, name, state_type, state_name, message in zip(*columns, strict=True)
        ]

    def moment(self, zone: tzinfo = UTC) -> str:
        """Give the time of day of the last look that was answered."""
        return "" if self.as_of is None else f"{self.as_of.astimezone(zone):%H:%M:%S %Z}"

    def _elapsed(self) -> list[str]:
        """Give how long it has been since the first of them began, until now or the last end."""
        begin, end = self.tasks["expected_start_time"].min(), self.as_of
        if self.phase == "over":
            end = self.tasks["end_time"].max()
        if pd.isna(begin) or pd.isna(end):
            return []
        return [clock_text(max(end - begin, pd.Timedelta(0)).total_seconds())]


def clock_text(seconds: float) -> str:
    """Give a length of time as a clock shows it.

    Examples
    --------
    >>> clock_text(42.7), clock_text(754), clock_text(45_296)
    ('0:42', '12:34', '12:34:56')
    """
    hours, rest = divmod(int(seconds), _HOUR)
    minutes, seconds = divmod(rest, _MINUTE)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _text(message: object) -> str:
    return message.removeprefix(_PREAMBLE) if isinstance(message, str) else ""


def _state(state_type: object, state_name: object, is_known: Any) -> tuple[str, str]:
    if not isinstance(state_type, str):
        return "", UNREAD
    if state_type == "PENDING" and not pd.isna(is_known) and not is_known:
        return "", WAITING
    return state_type, _word(state_type, state_name)


def _word(state_type: str, state_name: object) -> str:
    """Give what a state is called: by its own name if that is one of Prefect's, since other names come from strangers."""
    name = state_name if state_name in STATE_NAMES else state_type.capitalize()
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name)).lower()
