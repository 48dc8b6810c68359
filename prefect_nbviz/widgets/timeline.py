"""The timeline as a widget: zoomed or moved, it is drawn anew from all stays."""

from __future__ import annotations

from typing import Any

import ipywidgets as ipw
import pandas as pd
import traitlets

from prefect_nbviz.charts.stays import View
from prefect_nbviz.charts.timeline import Timeline
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.page import Page


class TimelineChart(Chart):
    """A timeline on a page, which draws the part that a person moves to.

    Examples
    --------
    >>> from prefect_nbviz import frames, schema
    >>> chart = TimelineChart(page=Page())
    >>> chart.show_intervals(frames.empty(schema.INTERVALS))
    >>> "No states to draw" in chart.figure
    True
    """

    description = traitlets.Unicode("Which run was in which state when").tag(sync=True)

    moved = traitlets.Dict().tag(sync=True)
    """What the page asks for: `seen`, what `Timeline.view` takes, or None for all; `number`, to know the answer by."""

    def __init__(self, *, page: Page) -> None:
        super().__init__(page=page)
        self._timeline: Timeline | None = None
        self._about: Any = None
        self._view: View | None = None
        self._number = 0
        self.observe(self._move, "moved")
        page.observe(lambda _: self._draw(), "theme")

    def show_intervals(self, intervals: pd.DataFrame, *, of: Any = None, **options: Any) -> None:
        """Draw all of some intervals.

        Parameters
        ----------
        intervals
            What `state_intervals` gives.
        of
            What they are about: while that stays the same, and is not None, a zoom stays too.
        **options
            Those of `Timeline`.
        """
        if of is None or of != self._about:
            self._view = None
        self._timeline, self._about = Timeline(intervals, **options), of
        self._draw()

    def _move(self, change: Any) -> None:
        asked = change["new"]
        if self._timeline is None:
            return
        self._view = self._timeline.view(asked["seen"]) if asked["seen"] else None
        self._number = asked["number"]
        self._draw()

    def _draw(self) -> None:
        if self._timeline is None:
            return
        timeline, view, theme = self._timeline, self._view, self.page.theme
        figure = timeline.figure(view, theme=theme)
        if figure.layout.meta:
            # The axes are where they were moved to; all else that a person chose stays.
            figure.update_layout(meta={**figure.layout.meta, "number": self._number})
            figure.update_xaxes(uirevision=self._number).update_yaxes(uirevision=self._number)
        self.show(figure, of=self._about, picks=lambda: timeline.picks(figure, view, theme=theme))


class StateTimeline(ipw.VBox):
    """What `plot_state_timeline` draws, as a widget that draws anew the part that you zoom in or move to.

    Of a million stays it shows pixels first; each zoom bins the stays in view again, until they are few
    enough to be bars. A double click, or the button with the house, shows all.

    Parameters
    ----------
    intervals, group_by, tz
        Those of `plot_state_timeline`. The theme is that of the page.

    Raises
    ------
    FrameError
        `intervals` lacks a column, or its times are missing or have no time zone.
    QueryError
        There is no such column or time zone.

    Examples
    --------
    >>> from prefect_nbviz import frames, schema
    >>> StateTimeline(frames.empty(schema.INTERVALS), tz="Europe/Berlin")
    StateTimeline(0 stays)
    """

    def __init__(self, intervals: pd.DataFrame, *, group_by: str | None = None, tz: str = "UTC") -> None:
        page = Page()
        self.chart = TimelineChart(page=page)
        self.chart.show_intervals(intervals, group_by=group_by, tz=tz)
        self._stays = len(intervals)
        super().__init__([page, self.chart], _dom_classes=("nbviz",))

    def __repr__(self) -> str:
        """Say how much it holds."""
        return f"StateTimeline({self._stays:,} stays)"
