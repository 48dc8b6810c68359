"""Odd histories: orders of states that Prefect does not make, and histories that do not fit the rows of their runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.analysis.moments import moment_text
from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.frames import micros
from prefect_nbviz.states import STATE_TYPES, TERMINAL_STATE_TYPES

Odd = tuple[str, Integers, Callable[[int], str]]
"""A problem, the numbers of the runs that have it, and what gives the sentence for a number."""

_TYPES = {name: place for place, name in enumerate(STATE_TYPES)}
_ENDS = [_TYPES[name] for name in TERMINAL_STATE_TYPES]


@dataclass(frozen=True)
class Histories:
    """The states of many runs, in order of time within each run; those of one moment in the order of a run's life."""

    ids: pd.Index
    """The ids of the runs, by number."""

    first_row: Integers
    """A row of the frame of states for each run, by number."""

    run: Integers
    """The number of the run of each state, ascending."""

    life: Integers
    """The place of its type in `STATE_TYPES`."""

    time: Integers
    """When the run entered it, in microseconds since 1970."""

    name: npt.NDArray[np.object_]
    """Its name."""

    is_task: Flags
    """Whether the run is a task run."""

    @classmethod
    def of(cls, states: pd.DataFrame) -> Self:
        """Take the columns of a frame of states."""
        code, ids = pd.factorize(states["run_id"])
        life = pd.Categorical(states["state_type"], dtype=frames.state_type_dtype()).codes.astype(np.int64)
        time = micros(states["timestamp"])
        order = np.lexsort((life, time, code))
        name = states["state_name"].astype("object").to_numpy()
        is_task = (states["run_kind"] == "task_run").to_numpy(dtype=bool)
        first = np.unique(code, return_index=True)[1]
        return cls(pd.Index(ids), first, code[order], life[order], time[order], name[order], is_task[order])

    def out_of_order(self) -> Iterator[Odd]:
        """Give the runs in which a state follows another that it cannot follow, or an end is the first of many."""
        follows = ~self._first
        before = np.append(-1, self.life[:-1])
        after_end = follows & np.isin(before, _ENDS)
        goes_on = self._is("PAUSED", "CANCELLING") | (self._is("RUNNING") & self.is_task)
        again = follows & (before == _TYPES["RUNNING"]) & self._is("PENDING")
        begins = np.append(False, self._first[:-1]) & after_end & ~np.isin(self.life, _ENDS)
        places = np.flatnonzero((after_end & goes_on) | again | begins)
        runs, at = np.unique(self.run[places], return_index=True)
        place_of = dict(zip(runs.tolist(), places[at].tolist(), strict=True))

        def text(run: int) -> str:
            place = place_of[run]
            return f"{self._state_text(place)} follows {self._state_text(place - 1)}."

        yield "out_of_order", runs, text

    def against(self, rows: pd.DataFrame) -> Iterator[Odd]:
        """Give the runs whose history does not fit their row.

        Parameters
        ----------
        rows
            `state_type`, `state_name` and `run_count` of each run, by number, and `is_told`: whether both were read
            so that they tell of the same states.
        """
        count, is_told = rows["run_count"].to_numpy(), rows["is_told"].to_numpy()
        running = self._each(self._is("RUNNING"))
        is_none = (running == 0) & (count > 0) & is_told
        yield (
            "states_missing",
            np.flatnonzero(is_none),
            lambda run: f"It ran, run_count is {count[run]}, and its history has no RUNNING state.",
        )
        is_wrong = ((count < self._least_runs()) | (count > running)) & is_told & ~is_none
        yield "run_count", np.flatnonzero(is_wrong), lambda run: _count_text(int(count[run]), int(running[run]))
        yield self._other_end(rows, is_told)

    @cached_property
    def last_time(self) -> Integers:
        """When each run entered its last state, by number."""
        times: Integers = self.time[np.append(self._first[1:], True)[: len(self.run)]]
        return times

    @cached_property
    def _first(self) -> Flags:
        first: Flags = np.diff(self.run, prepend=-1) != 0
        return first

    def _is(self, *types: str) -> Flags:
        found: Flags = np.isin(self.life, [_TYPES[one] for one in types])
        return found

    def _each(self, flags: Flags) -> Integers:
        """Count the states of each run that have a flag."""
        counts: Integers = np.bincount(self.run[flags], minlength=len(self.ids)).astype(np.int64)
        return counts

    def _least_runs(self) -> Integers:
        """Count the RUNNING states of each run that `run_count` holds at least.

        A server does not count a run that was resumed, unless its process waited, and may begin anew after an end.
        """
        place = np.arange(len(self.run))
        ended = np.append(False, self._is(*TERMINAL_STATE_TYPES)[:-1])[: len(place)] & ~self._is(*TERMINAL_STATE_TYPES)
        came_back = np.maximum.accumulate(np.where(self._first | ended, place, 0)) if len(place) else place
        newest = np.zeros(len(self.ids), dtype=np.int64)
        newest[self.run] = came_back
        said = np.maximum.accumulate(np.where(self._first | ~self._is("SCHEDULED", "PENDING"), place, 0))
        is_resumed = self._is("PAUSED")[np.append(0, said[:-1])[: len(place)]] & ~self._first
        return self._each(self._is("RUNNING") & (place >= newest[self.run]) & ~is_resumed)

    def _other_end(self, rows: pd.DataFrame, is_told: Flags) -> Odd:
        kinds = pd.Categorical(rows["state_type"], dtype=frames.state_type_dtype()).codes.astype(np.int64)
        names = rows["state_name"].astype("object").to_numpy()
        is_last = self.time == self.last_time[self.run]
        run = self.run[is_last]
        fits = (self.life[is_last] == kinds[run]) & (self.name[is_last] == names[run])
        is_other = (np.bincount(run[fits], minlength=len(self.ids)) == 0) & is_told
        last = np.flatnonzero(np.append(self._first[1:], True)[: len(self.run)])
        return (
            "state_differs",
            np.flatnonzero(is_other),
            lambda one: f"Its row says {names[one]}, its history ends with {self._state_text(int(last[one]))}.",
        )

    def _state_text(self, place: int) -> str:
        return f"{self.name[place]} at {moment_text(self.time[place])}"


def _count_text(count: int, running: int) -> str:
    states = "RUNNING state" if running == 1 else "RUNNING states"
    return f"run_count is {count}, and its history has {running} {states}."
