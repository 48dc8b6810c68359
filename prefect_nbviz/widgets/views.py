"""The views of loaded runs, a tab each; what is chosen in one is marked in all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import ipywidgets as ipw
import pandas as pd
import traitlets

from prefect_nbviz import frames, schema
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
from prefect_nbviz.widgets.chart_view import UTC
from prefect_nbviz.widgets.code import CodeView
from prefect_nbviz.widgets.counts import CountsView
from prefect_nbviz.widgets.durations import DurationsView
from prefect_nbviz.widgets.errors import ErrorsView
from prefect_nbviz.widgets.grid import GridView
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.spent import TimeView
from prefect_nbviz.widgets.stays import StaysView
from prefect_nbviz.widgets.table import RunTable


class RunViews(ipw.Tab):
    """Table, counts, timeline, time, grid, durations, errors and code; only the tab in front is drawn.

    Parameters
    ----------
    page
        The page, whose theme the charts take.
    zone
        The time zone of what they show.
    """

    selected = traitlets.Tuple()
    """The ids of the runs that are chosen."""

    def __init__(self, page: Page, *, zone: ZoneInfo = UTC) -> None:
        self.table = RunTable(zone=zone)
        self.counts = CountsView(page, zone=zone)
        self.timeline = StaysView(page, zone=zone)
        self.time = TimeView(page, zone=zone)
        self.grid = GridView(page, zone=zone)
        self.durations = DurationsView(page=page, zone=zone)
        self.errors = ErrorsView(zone=zone)
        self.code = CodeView()
        self._tabs: Mapping[str, Any] = {
            "Table": self.table,
            "Counts": self.counts,
            "Timeline": self.timeline,
            "Time": self.time,
            "Grid": self.grid,
            "Durations": self.durations,
            "Errors": self.errors,
            "Code": self.code,
        }
        self._waiting: dict[str, Callable[[], None]] = {}
        self._is_held = False
        super().__init__([*self._tabs.values()], titles=[*self._tabs], selected_index=0)
        self.add_class("nbviz-views")
        for view in self._tabs.values():
            if view.has_trait("selected"):
                traitlets.link((self, "selected"), (view, "selected"))
        self.observe(lambda _: self._draw_front(), "selected_index")

    def show_query(self, query: FlowRunQuery | TaskRunQuery) -> None:
        """Show the code of a query."""
        self._draw("Code", lambda: self.code.show(query))

    def show_runs(self, runs: pd.DataFrame, *, of: Any) -> None:
        """Show runs; counts over time and the timeline keep what they have until they are told.

        Parameters
        ----------
        runs
            Flow runs or task runs.
        of
            What they are: while that stays the same, a zoom stays too.
        """
        self._draw("Table", lambda: self.table.show(runs))
        self._draw("Counts", lambda: self.counts.show_runs(runs, of=of))
        self._draw("Grid", lambda: self.grid.show_runs(runs, of=of))
        self._draw("Durations", lambda: self.durations.show_runs(runs, of=of))
        self._draw("Errors", lambda: self.errors.show_runs(runs))

    def show_run_counts(self, counts: pd.DataFrame) -> None:
        """Show how many runs were expected to start when."""
        self.counts.run_counts = counts
        self._draw("Counts", self._waiting.get("Counts", self.counts.draw))

    def show_intervals(self, intervals: pd.DataFrame, runs: pd.DataFrame, *, of: Any) -> None:
        """Show the stays of the first of some runs in their states, and where their time went."""
        self._draw("Timeline", lambda: self.timeline.show(intervals, runs, of=of))
        self._draw("Time", lambda: self.time.show(intervals, runs, of=of))

    def clear_intervals(self, of: Any) -> None:
        """Show no stays, as long as there are none of the runs that are shown."""
        self.show_intervals(frames.empty(schema.INTERVALS), frames.empty(schema.TASK_RUNS), of=of)

    @contextmanager
    def drawn_once(self) -> Iterator[None]:
        """Draw what is in front at the end only."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            self._draw_front()

    def _draw(self, title: str, draw: Callable[[], None]) -> None:
        self._waiting[title] = draw
        self._draw_front()

    def _draw_front(self) -> None:
        if self._is_held:
            return
        draw = self._waiting.pop([*self._tabs][self.selected_index or 0], None)
        if draw is not None:
            draw()
