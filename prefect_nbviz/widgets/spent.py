"""The view of time: where the time of runs went, by a column or by the hour."""

from __future__ import annotations

from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.analysis.groups import HOURS
from prefect_nbviz.analysis.spent import runs_of_rows, time_spent
from prefect_nbviz.charts.spent import plot_time_spent, time_spent_picks
from prefect_nbviz.gathering import with_histories
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.chart_view import UTC, ChartView
from prefect_nbviz.widgets.column_choice import ColumnChoice
from prefect_nbviz.widgets.histories import part_lines
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.status import StatusLine

_BY = {
    "Flow": "flow_name",
    "Task": "task_key",
    "Run": "run_id",
    "Flow run": "flow_run_name",
    "Deployment": "deployment_name",
    "Tag": "tags",
    "Work pool": "work_pool_name",
    "Hour": "hour",
    "Hour of day": "hour_of_day",
}


class TimeView(ChartView):
    """How long the first of some runs were late, pending, running, waiting for a retry, paused.

    Parameters
    ----------
    page
        The page, whose theme the chart takes.
    zone
        The time zone of its hours.

    Examples
    --------
    >>> view = TimeView(Page())
    >>> view.by.value
    'flow_name'
    """

    def __init__(self, page: Page, *, zone: ZoneInfo = UTC) -> None:
        self._intervals = frames.empty(schema.INTERVALS)
        self.by = ColumnChoice("Add up by", _BY)
        self.caption = StatusLine()
        chart = Chart(page=page, description="Where the time of runs went")
        super().__init__([self.by, self.caption, chart], chart=chart, choices=[self.by], zone=zone)
        page.observe(lambda _: self.draw(), "theme")

    def show(self, intervals: pd.DataFrame, runs: pd.DataFrame, *, of: Any) -> None:
        """Show where the time of the first of some runs went; while they are of the same, a zoom stays."""
        self._intervals, self._runs, self._of = intervals, with_histories(runs), of
        self.caption.show(part_lines(runs))
        if len(runs):  # none are there while others are read: the choice stays
            self.by.offer(runs.assign(**dict.fromkeys(("run_id", *HOURS))))  # no columns, and always there
        self.draw()

    def draw(self) -> None:
        """Draw what is chosen."""
        spans, runs, tz = self._intervals, self._runs, self._zone.key
        by = self.by.value if len(spans) else "run_id"
        table = time_spent(spans, by=by, runs=runs, tz=tz)
        figure = plot_time_spent(table, theme=self.chart.page.theme)
        picks = partial(runs_of_rows, spans, by=by, runs=runs, tz=tz)
        self.chart.show(figure, of=(by, self._of), picks=lambda: time_spent_picks(table, picks()))
