"""What the views of charts have in common: a chart of runs, and the choices that say what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import ipywidgets as ipw
import traitlets

from prefect_nbviz import frames, schema
from prefect_nbviz.widgets.chart import Chart

UTC = ZoneInfo("UTC")


class ChartView(ipw.VBox):
    """A chart of runs, drawn anew when a choice changes.

    Parameters
    ----------
    parts
        What it shows, from the top: the choices and the chart are among them.
    chart
        The chart that it draws.
    choices
        The controls whose values say what the chart shows.
    zone
        The time zone of what it shows.
    """

    selected = traitlets.Tuple()
    """The ids of the runs that are chosen: set when a person picks some; what does not hold them is dimmed."""

    def __init__(
        self, parts: Sequence[ipw.Widget], *, chart: Chart, choices: Sequence[ipw.Widget], zone: ZoneInfo
    ) -> None:
        self.chart = chart
        self._zone = zone
        self._runs = frames.empty(schema.TASK_RUNS)
        self._of: Any = None
        super().__init__([*parts])
        traitlets.link((self, "selected"), (chart, "selected"))
        for choice in choices:
            choice.observe(lambda _: self.draw(), "value")

    def draw(self) -> None:
        """Draw what is chosen."""
        raise NotImplementedError
