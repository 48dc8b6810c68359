"""The view of counts: over time, or by a column."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.charts.counts import plot_state_counts, state_count_picks
from prefect_nbviz.charts.history import plot_run_counts, run_count_picks
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.chart_view import UTC, ChartView
from prefect_nbviz.widgets.column_choice import ColumnChoice
from prefect_nbviz.widgets.page import Page

OVER_TIME = "time"
"""The choice that shows counts over time; the others are columns."""

_BY = {
    "Time": OVER_TIME,
    "State": "state_name",
    "State type": "state_type",
    "Flow": "flow_name",
    "Flow run": "flow_run_name",
    "Deployment": "deployment_name",
    "Tag": "tags",
    "Name": "name",
}


class CountsView(ChartView):
    """How many runs are in which state, over time or by a column.

    Parameters
    ----------
    page
        The page, whose theme the chart takes.
    zone
        The time zone of its axis.
    """

    def __init__(self, page: Page, *, zone: ZoneInfo = UTC) -> None:
        self.run_counts: pd.DataFrame = frames.empty(schema.RUN_COUNTS)
        """What counts over time are drawn from: all that matches, where the server can tell."""
        self.by = ColumnChoice("Count by", _BY)
        chart = Chart(page=page, description="How many runs are in which state")
        super().__init__([self.by, chart], chart=chart, choices=[self.by], zone=zone)
        page.observe(lambda _: self.draw(), "theme")

    def show_runs(self, runs: pd.DataFrame, *, of: Any) -> None:
        """Count runs; while they are of the same, a zoom stays."""
        self._runs, self._of = runs, of
        self.by.offer(runs)
        self.draw()

    def draw(self) -> None:
        """Draw what is chosen."""
        by, of, theme = self.by.value, (self.by.value, self._of), self.chart.page.theme
        runs, counts = self._runs, self.run_counts
        if by == OVER_TIME:
            figure = plot_run_counts(counts, tz=self._zone.key, theme=theme)
            self.chart.show(figure, of=of, picks=lambda: run_count_picks(counts, runs))
        else:
            figure = plot_state_counts(runs, by=by, theme=theme)
            self.chart.show(figure, of=of, picks=lambda: state_count_picks(runs, by=by))
