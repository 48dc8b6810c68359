"""Picks: which runs the points of a figure stand for, and which points stand for some runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.arrays import Integers


class Picks(Protocol):
    """What a chart asks where a person picks in it, and where it is to mark runs."""

    def runs(self, picked: Mapping[str, Any]) -> tuple[str, ...]:
        """Give the ids of the runs that a person picked."""

    def marks(self, runs: Collection[str]) -> dict[str, Any]:
        """Give what marks some runs: `points`, those of each trace that are not dimmed, or `veil`, a picture."""


@dataclass(frozen=True)
class Members:
    """The runs of the points of a trace: a run may be of many points, and a point of many runs."""

    point: Integers
    """Numbers of points."""

    run: Integers
    """Beside each the number of a run that it stands for."""


@dataclass(frozen=True)
class PointPicks:
    """The runs of the points of a figure.

    Examples
    --------
    >>> picks = PointPicks.of_points([["a", "b", "a"], ["c"]])
    >>> picks.runs({"points": [[0, 2], [1, 0]]})
    ('a', 'c')
    >>> picks.marks(["a"])
    {'points': [[0, 2], []]}
    """

    ids: pd.Index
    """The ids of the runs, by number."""

    traces: Sequence[Members | None]
    """The runs of the points of each trace; None for one that is never dimmed."""

    @classmethod
    def of_points(cls, traces: Iterable[Sequence[str] | None]) -> Self:
        """Take figures whose points stand for one run each, whose ids are given trace by trace."""
        held = [*traces]
        each = np.array([one for ids in held if ids is not None for one in ids], dtype=object)
        number, ids = pd.factorize(each)
        numbers = iter(np.split(number, np.cumsum([len(ids) for ids in held if ids is not None])))
        return cls(
            pd.Index(ids, dtype="object"),
            [None if ids is None else Members(np.arange(len(ids)), next(numbers)) for ids in held],
        )

    def runs(self, picked: Mapping[str, Any]) -> tuple[str, ...]:
        """Give the ids of the runs of `points`, pairs of trace and point, in the order of the numbers of runs."""
        chosen: dict[int, list[int]] = {}
        for trace, point in picked["points"]:
            chosen.setdefault(trace, []).append(point)
        found = [
            members.run[np.isin(members.point, points)]
            for members, points in ((self._members(trace), points) for trace, points in chosen.items())
            if members is not None
        ]
        numbers = np.unique(np.concatenate([*found, np.array([], dtype=np.int64)]))
        return tuple(map(str, self.ids[numbers]))

    def marks(self, runs: Collection[str]) -> dict[str, Any]:
        """Give the points of each trace that stand for one of some runs, among others perhaps."""
        is_marked = np.append(self.ids.isin([*runs]), False)
        points = [one and np.unique(one.point[is_marked[one.run]]).tolist() for one in self.traces]
        return {"points": points}

    def _members(self, trace: int) -> Members | None:
        return self.traces[trace] if trace < len(self.traces) else None


def run_ids(runs: pd.DataFrame) -> pd.Index:
    """Give the ids of the runs of a frame: those of task runs, or else of flow runs.

    Examples
    --------
    >>> run_ids(pd.DataFrame({"task_run_id": ["b"], "flow_run_id": ["a"]})).tolist()
    ['b']
    """
    ids: pd.Index = pd.Index(runs[frames.id_column(runs)], dtype="object")
    return ids
