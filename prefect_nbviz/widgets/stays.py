"""The view of stays: the timeline, what its rows are, and which runs it shows."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.states import FAILURE_TYPES
from prefect_nbviz.widgets.chart_view import UTC, ChartView
from prefect_nbviz.widgets.column_choice import ColumnChoice
from prefect_nbviz.widgets.histories import part_lines
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.status import StatusLine
from prefect_nbviz.widgets.timeline import TimelineChart

_RUN = "run"
_ROWS = {
    "Run": _RUN,
    "Name": "name",
    "Task": "task_key",
    "Flow run": "flow_run_name",
    "Flow": "flow_name",
    "Deployment": "deployment_name",
    "First tag": "tags",
}


class StaysView(ChartView):
    """The timeline of the first of some runs.

    Parameters
    ----------
    page
        The page, whose theme the chart takes.
    zone
        The time zone of its axis.
    """

    def __init__(self, page: Page, *, zone: ZoneInfo = UTC) -> None:
        self._intervals = frames.empty(schema.INTERVALS)
        self.rows = ColumnChoice("A row for each", _ROWS)
        self.failed_only = ipw.Checkbox(description="Failed and crashed only", indent=False)
        self.caption = StatusLine()
        choices, chart = [self.rows, self.failed_only], TimelineChart(page=page)
        row = ipw.HBox(choices, _dom_classes=("nbviz-row",))
        drawing = ipw.Box([chart], _dom_classes=("nbviz-timeline",))
        super().__init__([row, self.caption, drawing], chart=chart, choices=choices, zone=zone)

    def show(self, intervals: pd.DataFrame, runs: pd.DataFrame, *, of: Any) -> None:
        """Show the stays of the first of some runs; while they are of the same, a zoom stays."""
        self._intervals, self._runs, self._of = intervals, runs, of
        self.caption.show(part_lines(runs))
        self.rows.offer(runs)
        self.draw()

    def draw(self) -> None:
        """Draw what is chosen; the chart itself sees to the theme."""
        shown, by = self._shown(), self.rows.value
        group_by = None if by == _RUN else by
        if group_by is not None:
            shown = self._with_column(shown, group_by)
        of = (self._of, by, self.failed_only.value)
        self.chart.show_intervals(shown, of=of, group_by=group_by, tz=self._zone.key)

    def _shown(self) -> pd.DataFrame:
        if not self.failed_only.value:
            return self._intervals
        ids = self._runs[frames.id_column(self._runs)][self._runs["state_type"].isin(FAILURE_TYPES)]
        return self._intervals[self._intervals["run_id"].isin(ids)]

    def _with_column(self, intervals: pd.DataFrame, column: str) -> pd.DataFrame:
        """Give each stay what its run has in a column."""
        values = (
            self._runs["tags"].map(lambda tags: tags[0] if tags else None) if column == "tags" else self._runs[column]
        )
        of_run = dict(zip(self._runs[frames.id_column(self._runs)], values, strict=True))
        return intervals.assign(**{column: intervals["run_id"].map(of_run)})
