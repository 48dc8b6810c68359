"""The state histories of the runs that are shown; those that cannot have changed are not read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.gathering import with_histories
from prefect_nbviz.reading import Connection, read_states
from prefect_nbviz.reading.worker import Report
from prefect_nbviz.widgets.status import Line


def part_lines(runs: pd.DataFrame) -> list[Line]:
    """Say that not all runs are in the timeline, if so.

    Examples
    --------
    >>> part_lines(pd.DataFrame({"flow_run_id": ["a"] * 201}))
    [('warn', 'The first 200 of 201 runs: state histories cost requests.')]
    """
    shown = len(with_histories(runs))
    text = f"The first {shown:,} of {len(runs):,} runs: state histories cost requests."
    return [("warn", text)] if shown < len(runs) else []


class Histories:
    """Reads the histories of runs, and keeps them: a history only grows, so that one with the same last state stands.

    Parameters
    ----------
    connection
        Another server than that of the active Prefect profile.
    """

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection
        self._states = frames.empty(schema.STATES)
        self._last: dict[str, str] = {}  # the id of the last state of each run in _states

    def read(self, runs: pd.DataFrame, *, progress: Report) -> pd.DataFrame:
        """Read the histories of the first runs of a frame: what `read_states` gives of them.

        Raises
        ------
        PrefectNbvizError, ReadInterrupted
            As `read_states`; the frame of an interrupted read lacks what was kept from before.
        """
        shown = with_histories(runs)
        ids = shown[frames.id_column(shown)]
        last = dict(zip(ids, shown["state_id"], strict=True))
        is_known = pd.Series(
            [self._last.get(one) == state for one, state in last.items()], index=shown.index, dtype=bool
        )
        states = read_states(shown[~is_known], connection=self._connection, progress=progress)
        kept = self._states[self._states["run_id"].isin(ids[is_known])]
        if len(kept):
            states = _in_order_of(frames.joined(states, kept), ids, attrs=states.attrs)
        self._keep(states, last)
        return states

    def _keep(self, states: pd.DataFrame, last: dict[str, str]) -> None:
        have = {*states["run_id"]}
        self._states = states
        self._last = {one: state for one, state in last.items() if one in have and isinstance(state, str)}


def _in_order_of(states: pd.DataFrame, ids: pd.Series[str], *, attrs: Mapping[Any, Any]) -> pd.DataFrame:
    """Put the states in the order of their runs, and say of how many runs they are."""
    place = dict(zip(ids, range(len(ids)), strict=True))
    states = states.iloc[states["run_id"].map(place).argsort(kind="stable")].reset_index(drop=True)
    about = dict(attrs[frames.ATTRS])
    about |= {"runs_asked": len(ids), "runs_read": states["run_id"].nunique()}
    states.attrs[frames.ATTRS] = about
    return states
