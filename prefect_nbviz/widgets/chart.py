"""A plotly figure that is redrawn in place."""

from __future__ import annotations

from typing import Any

import anywidget
import plotly.graph_objects as go
import traitlets
from ipywidgets import widget_serialization

from prefect_nbviz.widgets.page import STATIC, Page


class Chart(anywidget.AnyWidget):
    """A figure on a page; a new one takes its place without a blank moment.

    Plotly's own `FigureWidget` removes and adds traces one message at a time, so that the old
    and the new figure mix while it does.

    Examples
    --------
    >>> chart = Chart(page=Page(), description="Runs by state")
    >>> chart.show(go.Figure(layout={"title": {"text": "47 runs"}}), of="first read")
    >>> "47 runs" in chart.figure
    True
    """

    _esm = STATIC / "chart.js"

    figure = traitlets.Unicode().tag(sync=True)
    """The figure, as plotly's JSON."""

    about = traitlets.Unicode().tag(sync=True)
    """What the figure is about: while that stays the same, a zoom stays too."""

    description = traitlets.Unicode().tag(sync=True)
    """What it shows, for those who cannot see it."""

    page = traitlets.Instance(Page).tag(sync=True, **widget_serialization)
    """The page, which has plotly.js."""

    def show(self, figure: go.Figure, *, of: Any) -> None:
        """Draw a figure.

        Parameters
        ----------
        figure
            What to draw.
        of
            What it is about.
        """
        with self.hold_sync():
            self.about = str(of)
            self.figure = figure.to_json()
