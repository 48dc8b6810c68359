"""The view of the grid: the tasks of a flow by its last runs."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz.analysis.grid import LAST, run_grid
from prefect_nbviz.charts.grid import plot_run_grid, run_grid_picks
from prefect_nbviz.charts.grid_cells import flow_names
from prefect_nbviz.charts.words import cut
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.chart_view import UTC, ChartView
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.status import StatusLine

_COLORS = (("State", "state_type"), ("Duration", "duration"))
_LASTS = (10, 25, LAST, 100)
_NO_TASK_RUNS = "The grid is of task runs: choose Tasks above, and load them."


class GridView(ChartView):
    """Which task did what in which of the last runs of a flow.

    Parameters
    ----------
    page
        The page, whose theme the chart takes.
    zone
        The time zone of its axis.

    Examples
    --------
    >>> from prefect_nbviz import frames, schema
    >>> view = GridView(Page())
    >>> view.show_runs(frames.empty(schema.FLOW_RUNS), of="a query")
    >>> "choose Tasks above" in view.caption.value
    True
    """

    def __init__(self, page: Page, *, zone: ZoneInfo = UTC) -> None:
        self._is_offering = False
        self.flow = ipw.Dropdown(description="Flow")
        self.color = ipw.Dropdown(description="Colour", options=_COLORS)
        self.last = ipw.Dropdown(description="Runs", options=_LASTS, value=LAST)
        self.caption = StatusLine()
        chart = Chart(page=page, description="What each task did in each of the last runs of a flow")
        self._choices = ipw.HBox([self.flow, self.color, self.last], _dom_classes=("nbviz-row",))
        self._drawing = ipw.Box([chart], _dom_classes=("nbviz-timeline",))
        parts, choices = [self._choices, self.caption, self._drawing], [self.flow, self.color]
        super().__init__(parts, chart=chart, choices=choices, zone=zone)
        for choice in self._choices.children:
            choice.add_class("nbviz-field")
        self.last.observe(lambda _: self._make(), "value")
        page.observe(lambda _: self.draw(), "theme")
        self._grid = run_grid(self._runs)
        self._show_parts()

    def show_runs(self, runs: pd.DataFrame, *, of: Any) -> None:
        """Show task runs; while they are of the same, a zoom stays. Of flow runs, say that they have no tasks."""
        self._runs, self._of = runs, of
        self._show_parts()
        if "task_run_id" in runs:
            self._make()

    def _show_parts(self) -> None:
        has_tasks = "task_run_id" in self._runs
        self.caption.show([] if has_tasks else [("quiet", _NO_TASK_RUNS)])
        for part in (self._choices, self._drawing):
            part.layout.display = None if has_tasks else "none"

    def _make(self) -> None:
        self._grid = run_grid(self._runs, last=self.last.value)
        self._is_offering = True
        self._offer(flow_names(self._grid))
        self._is_offering = False
        self.draw()

    def _offer(self, flows: list[str]) -> None:
        """Offer flows to choose from; the chosen one stays if it is among them."""
        before, options = self.flow.value, [(cut(name), name) for name in flows]
        if options != [*self.flow.options]:
            self.flow.options = options
            self.flow.value = before if before in flows else next(iter(flows), None)
        self.flow.layout.display = None if len(flows) > 1 else "none"

    def draw(self) -> None:
        """Draw the flow that is chosen."""
        if self._is_offering:  # a flow that is chosen for a moment would take the zoom away
            return
        grid, flow, color = self._grid, self.flow.value, self.color.value
        of = (self._of, flow, color, self.last.value)
        figure = plot_run_grid(grid, flow=flow, color=color, tz=self._zone.key, theme=self.chart.page.theme)
        self.chart.show(figure, of=of, picks=lambda: run_grid_picks(grid, flow=flow, color=color))
