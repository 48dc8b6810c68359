"""Durations as a widget: how long runs took, over time and as numbers, by a column that a person chooses."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz.analysis.durations import duration_table
from prefect_nbviz.analysis.outliers import duration_outliers
from prefect_nbviz.charts.durations import duration_picks, plot_durations
from prefect_nbviz.charts.words import NONE, duration_text
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.chart_view import UTC, ChartView
from prefect_nbviz.widgets.column_choice import ColumnChoice
from prefect_nbviz.widgets.page import Page

MAX_GROUPS_LISTED = 50
"""As many values have a line in the table, those of the largest p95."""

_ALL = ""
_BY = {
    "All runs": _ALL,
    "Flow": "flow_name",
    "Task": "task_key",
    "Deployment": "deployment_name",
    "Flow run": "flow_run_name",
    "State": "state_name",
    "Tag": "tags",
    "Work pool": "work_pool_name",
}
_LENGTHS = ("p50", "p90", "p95", "p99", "max")


class DurationsView(ChartView):
    """A chart of how long runs took, and a table of their percentiles.

    Parameters
    ----------
    page
        The page, whose theme the chart takes.
    zone
        The time zone of what it shows.

    Examples
    --------
    >>> view = DurationsView(Page())
    >>> view.by.value = "task_key"
    >>> view.selected
    ()
    """

    def __init__(self, page: Page, *, zone: ZoneInfo = UTC) -> None:
        self.by = ColumnChoice("By", _BY)
        self.table = ipw.HTML()
        chart = Chart(page=page, description="How long runs took, by when they started")
        super().__init__([self.by, chart, self.table], chart=chart, choices=[self.by], zone=zone)
        self.add_class("nbviz-durations")
        page.observe(lambda _: self.draw(), "theme")

    def show_runs(self, runs: pd.DataFrame, *, of: Any) -> None:
        """Show how long runs took; while they are of the same, a zoom stays, as does the column if they have it."""
        self._runs, self._of = runs, of
        self.by.offer(runs)
        self.draw()

    def draw(self) -> None:
        """Draw what is chosen, and its table."""
        runs, by, theme = self._runs, self.by.value or None, self.chart.page.theme
        kind = "task_key" if "task_key" in runs else "flow_name"
        outliers = duration_outliers(runs, by=by or kind)
        figure = plot_durations(runs, by=by, tz=self._zone.key, outliers=outliers, theme=theme)
        self.chart.show(figure, of=(by, self._of), picks=lambda: duration_picks(runs, by=by))
        self.table.value = _table(duration_table(runs, by=by)) if by and len(runs) else ""


def _table(table: pd.DataFrame) -> str:
    by = str(table.columns[0])
    title = next(text for text, word in _BY.items() if word == by)
    heads = "".join(f"<th>{text}</th>" for text in ("Runs", "No duration", *_LENGTHS))
    rows = "".join(_rows(table.head(MAX_GROUPS_LISTED), by))
    left = len(table) - MAX_GROUPS_LISTED
    more = f"<p>{left:,} more values are not listed; duration_table gives them all.</p>" if left > 0 else ""
    head = f"<thead><tr><th>{title}</th>{heads}</tr></thead>"
    return f'<div class="nbviz-durations-table"><table>{head}<tbody>{rows}</tbody></table>{more}</div>'


def _rows(table: pd.DataFrame, by: str) -> Iterator[str]:
    for row in table.to_dict("records"):
        name = html.escape(NONE if pd.isna(row[by]) else str(row[by]))
        numbers = [f"{row['count']:,}", f"{row['without_duration']:,}" if row["without_duration"] else ""]
        numbers += ["" if pd.isna(row[one]) else duration_text(row[one]) for one in _LENGTHS]
        cells = "".join(f"<td>{number}</td>" for number in numbers)
        yield f'<tr><td><span class="nbviz-cut" title="{name}">{name}</span></td>{cells}</tr>'
