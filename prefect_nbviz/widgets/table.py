"""The table of runs: 200 rows at once that can be sorted, searched, selected and saved."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from prefect_nbviz import frames, schema
from prefect_nbviz.charts.words import coverage
from prefect_nbviz.errors import PrefectNbvizError
from prefect_nbviz.widgets.cells import STATE, STATE_COLUMNS, packed, sent_columns
from prefect_nbviz.widgets.files import WRITERS, file_name
from prefect_nbviz.widgets.page import script

MAX_ROWS_SHOWN = 10_000
"""As many rows go to the browser; the frame holds all."""

_WHAT_HAPPENED = ("start_time", "duration", "state_message", "run_count")

FIRST_COLUMNS = {
    "flow_run": (STATE, "flow_name", "name", *_WHAT_HAPPENED, "deployment_name", "tags"),
    "task_run": (STATE, "name", "flow_run_name", *_WHAT_HAPPENED, "flow_name", "tags"),
}
"""The columns that are shown until a person chooses others; one that a frame lacks is not missed."""


class RunTable(anywidget.AnyWidget):
    """A table of flow runs or task runs, searched and sorted in the browser, so that a busy kernel does not hold it.

    Parameters
    ----------
    zone
        The time zone of its times.

    Examples
    --------
    >>> table = RunTable()
    >>> table.show(frames.empty(schema.TASK_RUNS))
    >>> table.columns[:3]
    ('state', 'name', 'flow_run_name')
    """

    _esm = script("files.js", "cells.js", "choices.js", "table.js")

    content = traitlets.Dict().tag(sync=True)
    """What is shown: `kind`, `number`, which each new content adds one to, `ids`, `columns`, `zone`, `note`, `held`."""

    columns = traitlets.Tuple().tag(sync=True)
    """The names of the columns that are shown, of the kind of run that is shown."""

    selected = traitlets.Tuple().tag(sync=True)
    """The ids of the selected runs; one that the table does not hold is kept."""

    def __init__(self, *, zone: tzinfo = UTC) -> None:
        super().__init__()
        self._zone = zone
        self._kind = ""
        self._chosen: dict[str, tuple[str, ...]] = {**FIRST_COLUMNS}
        self.show(frames.empty(schema.TASK_RUNS))
        self.observe(self._remember, "columns")
        self.on_msg(self._answer)

    def show(self, runs: pd.DataFrame) -> None:
        """Show runs, in their order; what a person chose, searched, sorted and selected stays.

        Parameters
        ----------
        runs
            Flow runs or task runs. The same ones again are not sent again.
        """
        held = runs.head(MAX_ROWS_SHOWN)
        self._kind = "task_run" if "task_run_id" in runs.columns else "flow_run"
        content = {
            "kind": self._kind,
            "ids": packed(held[f"{self._kind}_id"]),
            "columns": sent_columns(held, zone=self._zone),
            "zone": str(self._zone),
            "held": coverage(len(held), runs, held=len(runs)) if runs.attrs.get(frames.ATTRS) else "",
            "note": _note(len(held), len(runs)),
        }
        number = self.content.get("number", 0)
        is_new = self.content != content | {"number": number}
        self._held = (number + is_new, runs)  # both at once: a file may be asked for in another thread
        if is_new:
            with self.hold_sync():
                self.content = content | {"number": number + 1}
                self.columns = self._chosen[self._kind]

    def _remember(self, change: Any) -> None:
        self._chosen[self._kind] = change["new"]

    def _answer(self, _: Any, asked: dict[str, Any], buffers: list[Any]) -> None:
        """Send a file that was asked for, to the one view that asked."""
        answer = {"to": asked["from"]}
        number, runs = self._held
        if asked["number"] != number:
            self.send(answer | {"problem": "The rows changed meanwhile: press once more."})
            return
        try:
            name, content = self._file(runs, np.frombuffer(buffers[0], dtype=np.int32), asked)
        except PrefectNbvizError as error:
            self.send(answer | {"problem": str(error)})
        except Exception as error:
            self.send(answer | {"problem": f"The file could not be made. {type(error).__name__}: {error}"})
            raise
        else:
            self.send(answer | {"name": name}, buffers=[content])

    def _file(self, runs: pd.DataFrame, rows: Any, asked: dict[str, Any]) -> tuple[str, bytes]:
        """Give the name and the content of a file of some rows, with the columns that are shown.

        Its attrs say what it is of: how many rows the frame has, and the search and the sort that chose these.
        """
        names = [name for column in self.columns for name in (STATE_COLUMNS if column == STATE else (column,))]
        part = runs.iloc[rows][[name for name in names if name in runs.columns]].reset_index(drop=True)
        attrs = runs.attrs.get(frames.ATTRS, {})
        part.attrs = {frames.ATTRS: attrs | {"table": asked["shown"] | {"rows": len(part), "of": len(runs)}}}
        return file_name(runs, asked["suffix"], zone=self._zone), WRITERS[asked["suffix"]](part)


def _note(held: int, rows: int) -> str:
    if held == rows:
        return ""
    return f"The table, its search and its files hold the first {held:,} of {rows:,} rows; the frame holds all."
