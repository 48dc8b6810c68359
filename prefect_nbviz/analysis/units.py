"""Units: what two sets of runs are compared by, so that what shares its luck counts once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import percentiles
from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.states import FAILURE_TYPES

_CACHED = "Cached"


@dataclass(frozen=True)
class Outcomes:
    """What counts of each run."""

    unit: npt.NDArray[np.object_]
    """The id of its flow run; its own where it has none."""

    micros: Integers
    """How long it took, in microseconds."""

    is_timed: Flags
    """Whether that counts: it completed, not from a cache, and has a duration."""

    is_ended: Flags
    """Whether it completed, failed or crashed."""

    is_failed: Flags
    """Whether it failed or crashed."""

    @classmethod
    def of(cls, runs: pd.DataFrame, ids: str) -> Self:
        """Look at runs, whose ids are in a column."""
        kind, took = runs["state_type"].astype(object), runs["duration"]
        is_done, is_failed = (kind == "COMPLETED").to_numpy(bool), kind.isin(FAILURE_TYPES).to_numpy(bool)
        unit = runs["flow_run_id"].astype(object).where(runs["flow_run_id"].notna(), runs[ids].astype(object))
        is_cached = (runs["state_name"].astype(object) == _CACHED).to_numpy(bool)
        micros = took.to_numpy(dtype="timedelta64[us]").astype(np.int64)
        is_timed = is_done & ~is_cached & took.notna().to_numpy()
        return cls(unit.to_numpy(), micros, is_timed, is_done | is_failed, is_failed)


@dataclass(frozen=True)
class Units:
    """The units of some cells, which hold the runs of a group on a side."""

    samples: list[Integers]
    """The durations of the units of each cell that have one: the median of those of their runs, in microseconds."""

    ended: Integers
    """How many units of each cell have a run that ended."""

    failed: Integers
    """In how many of these a run failed."""

    @classmethod
    def of(cls, outcomes: Outcomes, run: Integers, cell: Integers, *, cells: int) -> Self:
        """Put runs into units; a run may be in many cells.

        Parameters
        ----------
        outcomes
            What counts of each run.
        run, cell
            Places of runs, and beside each the number of a cell that it is in.
        cells
            How many cells there are.
        """
        unit, ids = pd.factorize(outcomes.unit[run])
        code, number = np.unique(cell * max(len(ids), 1) + unit, return_inverse=True)
        of_unit = code // max(len(ids), 1)

        def has(flags: Flags) -> Flags:
            return np.bincount(number[flags[run]], minlength=len(code)) > 0

        timed = outcomes.is_timed[run]
        micros = outcomes.micros[run][timed]
        medians = percentiles.of_groups(micros, number[timed], groups=len(code), percents=[50])[:, 0]
        is_timed = has(outcomes.is_timed)
        sizes = np.bincount(of_unit[is_timed], minlength=cells)
        samples = np.split(medians[is_timed], np.cumsum(sizes)[:-1])
        counted = (np.bincount(of_unit[has(one)], minlength=cells) for one in (outcomes.is_ended, outcomes.is_failed))
        return cls(samples if cells else [], *counted)

    def medians(self) -> npt.NDArray[Any]:
        """Give the median of the durations of each cell, NaT where there is none."""
        sizes = np.array([len(one) for one in self.samples], dtype=np.int64)
        cell = np.repeat(np.arange(len(sizes)), sizes)
        values = np.concatenate([*self.samples, np.array([], dtype=np.int64)])
        found = percentiles.of_groups(values, cell, groups=len(sizes), percents=[50])[:, 0].astype("timedelta64[us]")
        found[sizes == 0] = np.timedelta64("NaT")
        return found
