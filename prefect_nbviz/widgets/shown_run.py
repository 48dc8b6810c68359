"""The run that a panel shows, as far as it is known by now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.analysis.intervals import state_intervals
from prefect_nbviz.query import RunKind
from prefect_nbviz.reading.record import RunRecord
from prefect_nbviz.states import TERMINAL_STATE_TYPES
from prefect_nbviz.widgets.markup import value_of

_MAY_CHANGE = ("state_id", "state_type", "state_name", "start_time", "end_time", "run_count", "name", "tags")


@dataclass(frozen=True)
class Shown:
    """A run, as far as it is known by now."""

    kind: RunKind
    """What kind of run it is."""

    run_id: str
    """Its id."""

    row: pd.Series[Any]
    """It, as a row of a frame of such runs."""

    states: pd.DataFrame | None = None
    """Its state history; None while that is not known."""

    record: RunRecord | None = None
    """All that the server tells of it; None before that was read."""

    @classmethod
    def of(cls, run: pd.DataFrame, states: pd.DataFrame | None) -> Self:
        """Give the one run of a frame, with its history if that is among some."""
        kind: RunKind = "task_run" if "task_run_id" in run.columns else "flow_run"
        frames.require(run, [f"{kind}_id"], made_by="read_task_runs() or read_flow_runs()")
        row = run.iloc[0]
        run_id = str(row[f"{kind}_id"])
        own = None if states is None else states[states["run_id"] == run_id]
        return cls(kind, run_id, row, None if own is None or own.empty else own)

    def with_record(self, record: RunRecord) -> Self:
        """Give it as the server tells it; a run that is gone stays as it was."""
        if record.run.empty:
            return replace(self, record=record, states=record.states if self.states is None else self.states)
        return replace(self, record=record, row=record.run.iloc[0], states=record.states)

    @property
    def is_gone(self) -> bool:
        """Whether the server has it no longer."""
        return self.record is not None and self.record.run.empty

    @property
    def stays(self) -> pd.DataFrame:
        """Its stays in states; none while its history is not known."""
        if self.states is None:
            return frames.empty(schema.INTERVALS)
        knows_when = "as_of" in self.states.attrs.get(frames.ATTRS, {})
        return state_intervals(self.states, as_of=None if knows_when else datetime.now(UTC))

    def is_still(self, later: Shown) -> bool:
        """Say whether a later look at it, which was read before, can tell nothing new: it has ended, and is the same."""
        has_ended = value_of(self.row, "state_type") in TERMINAL_STATE_TYPES
        words = [word for word in _MAY_CHANGE if word in later.row.index]
        is_same = all(value_of(self.row, word) == value_of(later.row, word) for word in words)
        return self.record is not None and has_ended and is_same
