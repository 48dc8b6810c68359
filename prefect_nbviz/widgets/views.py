"""The views of loaded runs: table, counts, timeline."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.charts.counts import plot_state_counts
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.status import StatusLine
from prefect_nbviz.widgets.table import RunTable
from prefect_nbviz.widgets.timeline import TimelineChart

MAX_HISTORIES = {"task_run_id": 1_000, "flow_run_id": 200}
"""As many runs are in the timeline, the first of the frame: each flow run's history costs a request, few task runs' do."""

_UTC = ZoneInfo("UTC")
_BY = {
    "State": "state_name",
    "State type": "state_type",
    "Flow": "flow_name",
    "Flow run": "flow_run_name",
    "Deployment": "deployment_name",
    "Tag": "tags",
}


def with_histories(runs: pd.DataFrame) -> pd.DataFrame:
    """Give the runs that are in the timeline: the first `MAX_HISTORIES`."""
    return runs.head(next(most for column, most in MAX_HISTORIES.items() if column in runs.columns))


class RunViews(ipw.Tab):
    """A tab each for the table, the counts and the timeline of runs.

    Parameters
    ----------
    page
        The page, whose theme the charts take.
    zone
        The time zone of what they show.
    """

    def __init__(self, page: Page, *, zone: ZoneInfo = _UTC) -> None:
        self._page = page
        self._zone = zone
        self._runs: pd.DataFrame = frames.empty(schema.TASK_RUNS)
        self.table = RunTable(zone=zone)
        self.by = ipw.Dropdown(description="Count by", options=[*_BY.items()])
        self.by.add_class("nbviz-field")
        self.counts = Chart(page=page, description="How many runs are in which state")
        self.caption = StatusLine()
        self.timeline = TimelineChart(page=page)
        tabs = [self.table, ipw.VBox([self.by, self.counts]), ipw.VBox([self.caption, self.timeline])]
        super().__init__(tabs, titles=["Table", "Counts", "Timeline"])
        self.add_class("nbviz-views")
        self.by.observe(lambda _: self._draw_counts(), "value")
        page.observe(lambda _: self._draw_counts(), "theme")

    def show_runs(self, runs: pd.DataFrame) -> None:
        """Show runs in the table and count them; the timeline is empty until it has intervals."""
        self._runs = runs
        self._offer_columns()
        self.table.show(runs)
        self._draw_counts()
        self.show_intervals(frames.empty(schema.INTERVALS), runs.head(0))

    def show_intervals(self, intervals: pd.DataFrame, runs: pd.DataFrame) -> None:
        """Show the stays of the first of some runs in their states."""
        drawn = len(with_histories(runs))
        text = f"The first {drawn:,} of {len(runs):,} runs: state histories cost requests."
        self.caption.show([("warn", text)] if drawn < len(runs) else [])
        self.timeline.show_intervals(intervals, of=self._as_of(), tz=self._zone.key)

    def _offer_columns(self) -> None:
        """Offer the columns that the runs have to count by, and keep the chosen one if it is among them."""
        options = [(text, word) for text, word in _BY.items() if word in self._runs.columns]
        if options != [*self.by.options]:
            before: Any = self.by.value
            self.by.options = options
            self.by.value = before if before in dict(options).values() else options[0][1]

    def _draw_counts(self) -> None:
        figure = plot_state_counts(self._runs, by=self.by.value, theme=self._page.theme)
        self.counts.show(figure, of=(self.by.value, self._as_of()))

    def _as_of(self) -> Any:
        return self._runs.attrs.get(frames.ATTRS, {}).get("as_of")
