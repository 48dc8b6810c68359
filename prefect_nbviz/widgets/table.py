"""The table of runs, with columns for people: lengths of time in words, states in colour."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from typing import Any

import ipywidgets as ipw
import numpy as np
import pandas as pd
from itables.widget import ITable

from prefect_nbviz.charts.words import duration_text
from prefect_nbviz.states import STATE_NAMES

MAX_ROWS_SHOWN = 10_000
"""As many rows go to the browser; the frame holds all."""

NO_TIME = "never"
"""What stands for the time of a run that has none."""

_SORT_COLUMN = "micros"
_TEXTS = {"name": "Name", "flow_run_name": "Flow run", "flow_name": "Flow", "deployment_name": "Deployment"}
_LAYOUT = {"topStart": "info", "topEnd": "search", "bottomStart": "pageLength", "bottomEnd": "paging"}
_LANGUAGE = {
    "info": "Rows _START_ to _END_ of _TOTAL_",
    "infoEmpty": "No rows",
    "infoFiltered": "(searched in _MAX_)",
    "lengthMenu": "_MENU_ rows a page",
    "search": "Search in these rows",
    "zeroRecords": "No row has that text",
}


_OPTIONS: dict[str, Any] = {
    "allow_html": True,  # every cell is made by table_cells, which escapes
    "classes": "nbviz-grid hover nowrap",
    "style": "width:100%;margin:0",
    "showIndex": False,
    "maxBytes": 0,  # itables would drop rows above 64 KB
    "maxColumns": 0,
    "autoWidth": False,
    "text_in_header_can_be_selected": False,
    "pageLength": 10,
    "lengthMenu": [10, 25, 100],
    "layout": _LAYOUT,
    "language": _LANGUAGE,
}


class RunTable(ipw.VBox):
    """A paged, searchable table of flow runs or task runs.

    Parameters
    ----------
    zone
        The time zone of its times.
    """

    def __init__(self, *, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self.note = ipw.HTML()
        self.grid = ITable(pd.DataFrame({"State": []}), **_OPTIONS)
        super().__init__([self.note, self.grid])
        self.add_class("nbviz-table")
        self._say("")

    def show(self, runs: pd.DataFrame) -> None:
        """Show runs, in their order."""
        cells = table_cells(runs.head(MAX_ROWS_SHOWN), zone=self._zone)
        self.grid.update(cells, columnDefs=_column_options(cells), **_OPTIONS)
        left_out = len(runs) - len(cells)
        self._say(
            f"The table holds the first {len(cells):,} of {len(runs):,} rows; .frame holds all." if left_out else ""
        )

    def _say(self, text: str) -> None:
        self.note.value = f'<div class="nbviz-line nbviz-warn">{html.escape(text)}</div>'
        self.note.layout.display = None if text else "none"


def table_cells(runs: pd.DataFrame, *, zone: tzinfo = UTC) -> pd.DataFrame:
    """Give what a person reads about runs: a frame of HTML, in which strangers' texts are escaped.

    Parameters
    ----------
    runs
        Flow runs or task runs.
    zone
        The time zone of the times.

    Returns
    -------
    pandas.DataFrame
        One row for each run, in their order. Times are to the second; a run without a start
        shows when it was expected, in grey. The last column, `micros`, is the duration in microseconds,
        by which the column of durations is sorted; -1 where there is none.

    Examples
    --------
    >>> from prefect_nbviz import frames, schema
    >>> [*table_cells(frames.empty(schema.TASK_RUNS))][:3]
    ['State', 'Name', 'Flow']
    """
    texts = [word for word in ("name", "flow_name", "deployment_name", "flow_run_name") if word in runs.columns]
    micros = np.maximum(runs["duration"].to_numpy(dtype="timedelta64[us]").astype("int64"), -1)  # NaT is negative
    columns: dict[str, Any] = {
        "State": [_state(*pair) for pair in zip(runs["state_type"], runs["state_name"], strict=True)],
        **{_TEXTS[word]: [_text(value) for value in runs[word]] for word in texts},
        f"Start ({zone})": [*_starts(runs, zone)],
        "Duration": [*_durations(runs, micros.tolist())],
        "Runs": runs["run_count"].to_numpy(),
        "Tags": [_tags(tags) for tags in runs["tags"]],
        _SORT_COLUMN: micros,
    }
    return pd.DataFrame(columns)


def _column_options(cells: pd.DataFrame) -> list[dict[str, Any]]:
    place = {name: number for number, name in enumerate(cells)}
    start = next(number for name, number in place.items() if str(name).startswith("Start ("))
    return [
        {"targets": [place["State"], place["Name"], place["Tags"], start], "type": "html"},
        {"targets": place["Duration"], "orderData": place[_SORT_COLUMN], "className": "dt-right"},
        {"targets": place["Runs"], "className": "dt-right"},
        {"targets": place[_SORT_COLUMN], "visible": False, "searchable": False},
    ]


def _state(kind: Any, name: Any) -> str:
    label = str(name) if STATE_NAMES.get(name) == kind else f"{name} ({kind})"
    return f'<span class="nbviz-state nbviz-is-{html.escape(str(kind).lower())}">{html.escape(label)}</span>'


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    shown = html.escape(value)
    return f'<span class="nbviz-cut" title="{shown}">{shown}</span>'


def _tags(tags: Iterable[str]) -> str:
    return " ".join(f'<span class="nbviz-tag-text">{html.escape(tag)}</span>' for tag in tags)


def _starts(runs: pd.DataFrame, zone: tzinfo) -> Iterator[str]:
    begun = runs["start_time"].notna()
    moments = runs["start_time"].where(begun, runs["expected_start_time"])
    for moment, has_begun in zip(_to_the_second(moments, zone), begun, strict=True):
        yield moment if has_begun else f'<span class="nbviz-quiet" title="expected; it has not started">{moment}</span>'


def _durations(runs: pd.DataFrame, micros: Sequence[int]) -> Iterator[str]:
    for length, has_begun in zip(micros, runs["start_time"].notna(), strict=True):
        if length >= 0:
            yield duration_text(length)
        else:
            yield f'<span class="nbviz-quiet">{"not ended" if has_begun else "not started"}</span>'


def _to_the_second(moments: pd.Series[Any], zone: tzinfo) -> Sequence[str]:
    naive = moments.dt.tz_convert(zone).dt.tz_localize(None).to_numpy(dtype="datetime64[s]")
    return [NO_TIME if text == "NaT" else text.replace("T", " ") for text in np.datetime_as_string(naive)]
