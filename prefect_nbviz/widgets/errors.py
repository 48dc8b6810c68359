"""Errors: why runs failed, the same messages put together, to pick the runs of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from prefect_nbviz.analysis.failures import failure_patterns, failure_table
from prefect_nbviz.charts.picks import Members, PointPicks, run_ids
from prefect_nbviz.charts.words import cut
from prefect_nbviz.states import FAILURE_TYPES, STATE_NAMES
from prefect_nbviz.task_keys import task_name
from prefect_nbviz.widgets.chart import with_more
from prefect_nbviz.widgets.page import STATIC

MAX_GROUPS_SHOWN = 200
"""As many messages are listed, those of most runs."""

_MOST_NAMES = 5
_LONGEST = 2_000  # letters of a message that is shown whole


class ErrorsView(anywidget.AnyWidget):
    """A list of what failed runs say: how many say it, of which flows and tasks, and when it was last seen.

    Examples
    --------
    >>> from prefect_nbviz import frames, schema
    >>> view = ErrorsView()
    >>> view.show_runs(frames.empty(schema.TASK_RUNS))
    >>> view.said
    'No runs.'
    """

    _esm = STATIC / "errors.js"

    selected = traitlets.Tuple()
    """The ids of the runs that are picked: set when a person picks a message, whose runs they are."""

    groups = traitlets.List(traitlets.Dict()).tag(sync=True)
    """What is listed of each message, as text."""

    said = traitlets.Unicode().tag(sync=True)
    """How many runs failed, and what is not listed."""

    number = traitlets.Int().tag(sync=True)
    """The number of the list: what is picked in an older one no longer says which runs are meant."""

    picked = traitlets.Dict().tag(sync=True)
    """What the page says when a person picks: `list`, its number; `count`; `groups`, their places; `is_more`."""

    marked = traitlets.List(traitlets.Int()).tag(sync=True)
    """The places of those that hold a run that is selected."""

    def __init__(self, *, zone: tzinfo = UTC) -> None:
        super().__init__()
        self._zone = zone
        self._picks = PointPicks(pd.Index([]), [])
        self.observe(lambda change: self._pick(change["new"]), "picked")
        self.observe(lambda _: self._mark(), "selected")

    def show_runs(self, runs: pd.DataFrame) -> None:
        """List what the failed ones of some runs say; the runs have a `state_message`."""
        table, patterns = failure_table(runs), failure_patterns(runs)
        failed = runs[runs["state_type"].isin(FAILURE_TYPES)]
        place = {_key(pattern): number for number, pattern in enumerate(table["pattern"])}
        group = np.array([place[_key(pattern)] for pattern in patterns], dtype=np.int64)
        self._picks = PointPicks(run_ids(failed), [Members(group, np.arange(len(failed)))])
        with self.hold_sync():
            self.number += 1
            self.said = _said(len(failed), len(runs), table)
            self.groups = [_shown(row, self._zone) for row in table.head(MAX_GROUPS_SHOWN).to_dict("records")]
            self._mark()

    def _pick(self, picked: dict[str, Any]) -> None:
        if picked["list"] == self.number:
            runs = self._picks.runs({"points": [[0, group] for group in picked["groups"]]})
            self.selected = with_more(self.selected, runs) if picked["is_more"] else runs

    def _mark(self) -> None:
        self.marked = self._picks.marks(self.selected)["points"][0] if self.selected and self.number else []


def _key(pattern: Any) -> str | None:
    return None if pd.isna(pattern) else str(pattern)


def _said(failed: int, runs: int, table: pd.DataFrame) -> str:
    if not failed:
        return "None of these runs has failed." if runs else "No runs."
    messages = "one message" if len(table) == 1 else f"{len(table):,} messages"
    more = f"; the {MAX_GROUPS_SHOWN} of most runs are listed" if len(table) > MAX_GROUPS_SHOWN else ""
    return f"{failed:,} of {runs:,} runs failed or crashed, with {messages}{more}."


def _shown(row: Mapping[Any, Any], zone: tzinfo) -> dict[str, Any]:
    """Give what is read of a message; the page sets it as text."""
    names = row["state_names"]
    where = [_listed("flow", row["flow_names"]), _listed("task", [task_name(key) for key in row["task_keys"]])]
    return {
        "runs": f"{row['runs']:,}",
        "pattern": _key(row["pattern"]) or "(no message)",
        "message": (_key(row["example_message"]) or "")[:_LONGEST],
        "states": [[name, STATE_NAMES.get(name, "FAILED").lower()] for name in names[:_MOST_NAMES]],
        "where": " · ".join(filter(None, where)),
        "seen": _seen(row["first_seen"], row["last_seen"], zone),
    }


def _listed(kind: str, names: Sequence[str]) -> str:
    """Name the first of some flows or tasks, and say how many more there are."""
    distinct = [cut(name) for name in dict.fromkeys(names)]
    more = f" and {len(distinct) - _MOST_NAMES:,} more" if len(distinct) > _MOST_NAMES else ""
    return f"{kind} {', '.join(distinct[:_MOST_NAMES])}{more}" if distinct else ""


def _seen(first: pd.Timestamp, last: pd.Timestamp, zone: tzinfo) -> str:
    if pd.isna(last):
        return ""
    begin, end = (f"{moment.tz_convert(zone):%Y-%m-%d %H:%M:%S}" for moment in (first, last))
    return f"last {end}" if begin == end else f"last {end}, first {begin}"
