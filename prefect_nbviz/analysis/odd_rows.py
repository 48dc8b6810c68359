"""Odd rows: runs whose times and states contradict each other, and runs that stand beside others that deny them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.analysis.moments import moment_text
from prefect_nbviz.arrays import UNKNOWN, Flags, Integers
from prefect_nbviz.frames import micros
from prefect_nbviz.query import RunKind
from prefect_nbviz.states import TERMINAL_STATE_TYPES

Finding = tuple[str, RunKind, pd.DataFrame, list[str]]
"""A problem, what kind of run has it, `run_id`, `run_name` and `flow_name` of these, and a sentence for each."""

LEEWAY = timedelta(minutes=1)
"""What two clocks may differ by, and how long a record may take until it is in."""

MICROS_OF_LEEWAY = LEEWAY // timedelta(microseconds=1)

_NEEDED = ("name", "state_type", "state_name", "expected_start_time", "start_time", "end_time", "run_count")
_FREE = {"limit", "sort"}
"""Criteria that leave no run out."""


@dataclass(frozen=True)
class Rows:
    """The rows of the runs of one kind."""

    runs: pd.DataFrame
    """The frame."""

    kind: RunKind
    """What they are."""

    ids: pd.Index
    """Their ids."""

    times: Mapping[str, Integers]
    """Their times, by column, in microseconds since 1970; `UNKNOWN` where they are missing."""

    is_ended: Flags
    """Whether their state is terminal."""

    as_of: int
    """When they were read, in microseconds since 1970; where the frame does not say, the latest time that is known."""

    @classmethod
    def of(cls, runs: pd.DataFrame, kind: RunKind) -> Rows:
        """Take a frame of runs."""
        wanted = [f"{kind}_id", *_NEEDED, *(["flow_run_id"] if kind == "task_run" else [])]
        frames.require(runs, dict.fromkeys(wanted), made_by=f"read_{kind}s()")
        columns = [name for name in ("expected_start_time", "start_time", "end_time", "created") if name in runs]
        times = {name: micros(runs[name]) for name in columns}
        is_ended = runs["state_type"].isin(TERMINAL_STATE_TYPES).to_numpy(dtype=bool)
        known = [times[name] for name in times if name != "expected_start_time"]  # which may be ahead
        return cls(runs, kind, pd.Index(runs[f"{kind}_id"]), times, is_ended, as_of(runs, *known))

    def findings(self) -> Iterator[Finding]:
        """Give what the rows of one kind alone tell."""
        times, state = self.times, self.runs["state_name"].astype("object").to_numpy()
        expected, start, end = (times[name] for name in ("expected_start_time", "start_time", "end_time"))

        def started(to: str, other: Integers) -> Callable[[int], str]:
            return lambda one: f"It started at {moment_text(start[one])}, and {to} at {moment_text(other[one])}."

        yield self.found("ends_before_start", _is_before(end, start), started("ended", end))
        if "created" in times and self.kind == "flow_run":
            made = times["created"]
            yield self.found(
                "starts_before_made", _is_before(start, made, by=MICROS_OF_LEEWAY), started("was made", made)
            )
        if self.kind == "task_run":
            is_early = _is_before(start, expected, by=MICROS_OF_LEEWAY)
            yield self.found("starts_too_early", is_early, started("was expected to", expected))
        has_run = (start != UNKNOWN) | (self.runs["run_count"].to_numpy(dtype=np.int64, na_value=0) > 0)
        is_endless = self.is_ended & has_run & (end == UNKNOWN)
        yield self.found("end_missing", is_endless, lambda one: f"It is {state[one]}, and has no end_time.")
        is_open = ~self.is_ended & self.runs["state_type"].notna().to_numpy() & (end != UNKNOWN)
        yield self.found(
            "end_unexpected", is_open, lambda one: f"It is {state[one]}, and has an end, {moment_text(end[one])}."
        )

    def found(self, problem: str, has_it: Flags, text: Callable[[int], str]) -> Finding:
        """Give the rows that have a problem, with a sentence for each."""
        places = np.flatnonzero(has_it)
        return problem, self.kind, self.named(places), [text(place) for place in places.tolist()]

    def named(self, places: Integers) -> pd.DataFrame:
        """Give id, name and flow of some rows."""
        some = self.runs.iloc[places]
        flows = some["flow_name"].astype("object").to_numpy() if "flow_name" in some else None
        return pd.DataFrame({"run_id": self.ids[places], "run_name": some["name"].to_numpy(), "flow_name": flows})

    def lacks(self, ids: pd.Series[Any], made: Integers) -> Flags:
        """Say which ids would be here, if there were such runs; `made` is when what names them was made."""
        about = self.runs.attrs.get(frames.ATTRS, {})
        is_whole = about.get("truncated") is False and {*about.get("query", {"": ""})} <= _FREE
        if not is_whole:
            return np.zeros(len(ids), dtype=bool)
        is_old: Flags = made < self.as_of - MICROS_OF_LEEWAY
        return (ids.notna() & ~ids.isin(self.ids)).to_numpy(dtype=bool) & is_old


def as_of(frame: pd.DataFrame, *known: Integers) -> int:
    """Give when a frame was read, in microseconds since 1970; if it does not say, the latest of the times known of it."""
    text = frame.attrs.get(frames.ATTRS, {}).get("as_of")
    if text is None:
        return max((int(times.max(initial=0)) for times in known), default=0)
    return int(micros(pd.Series(pd.to_datetime([text], utc=True, format="ISO8601")))[0])


def _is_before(one: Integers, other: Integers, *, by: int = 0) -> Flags:
    is_known: Flags = (one != UNKNOWN) & (other != UNKNOWN)
    return is_known & (np.where(is_known, other, 0) - np.where(is_known, one, 0) > by)


def between(flows: Rows | None, tasks: Rows | None) -> Iterator[Finding]:
    """Give what the rows of both kinds tell together, and orphans."""
    if tasks is not None:
        ids = tasks.runs["flow_run_id"]
        is_gone = np.zeros(len(ids), dtype=bool)
        if "flow_run_name" in tasks.runs:
            is_gone |= (ids.notna() & tasks.runs["flow_run_name"].isna()).to_numpy(dtype=bool)
        if flows is not None:
            is_gone |= flows.lacks(ids, tasks.times["expected_start_time"])
            yield _left_active(flows, tasks)
        texts = ids.to_numpy()
        yield tasks.found("flow_run_gone", is_gone, lambda one: f"The server has no flow run {texts[one]}.")
    if flows is not None and tasks is not None and "parent_task_run_id" in flows.runs:
        parents = flows.runs["parent_task_run_id"]
        is_gone = tasks.lacks(parents, flows.times.get("created", flows.times["expected_start_time"]))
        yield flows.found("parent_gone", is_gone, lambda one: f"The server has no task run {parents.iloc[one]}.")


def _left_active(flows: Rows, tasks: Rows) -> Finding:
    place = flows.ids.get_indexer(pd.Index(tasks.runs["flow_run_id"]))
    ended = np.where((place >= 0) & flows.is_ended[place], flows.times["end_time"][place], UNKNOWN)
    began = np.where(
        tasks.times["start_time"] != UNKNOWN, tasks.times["start_time"], tasks.times["expected_start_time"]
    )
    is_active = tasks.runs["state_type"].isin(["RUNNING", "PENDING"]) & (tasks.runs["state_name"] != "NotReady")
    has_had_time = _is_before(began, ended)
    has_had_time &= ended < tasks.as_of - MICROS_OF_LEEWAY
    states, ends = (one.runs["state_name"].astype("object").to_numpy() for one in (tasks, flows))

    def text(one: int) -> str:
        return f"It is {states[one]}, and its flow run is {ends[place[one]]} since {moment_text(ended[one])}."

    return tasks.found("left_active", is_active.to_numpy(dtype=bool) & has_had_time, text)
