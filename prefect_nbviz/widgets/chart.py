"""A plotly figure that is redrawn in place, in which runs are picked and marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import plotly.graph_objects as go
import traitlets
from ipywidgets import widget_serialization

from prefect_nbviz.charts.picks import Picks
from prefect_nbviz.widgets.page import Page, script


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

    _esm = script("fit.js", "cursor.js", "chart.js")

    selected = traitlets.Tuple()
    """The ids of the runs that are picked: set when a person picks; what does not hold them is dimmed."""

    figure = traitlets.Unicode().tag(sync=True)
    """The figure, as plotly's JSON."""

    number = traitlets.Int().tag(sync=True)
    """The number of the figure: what is picked in an older one no longer says which runs are meant."""

    about = traitlets.Unicode().tag(sync=True)
    """What the figure is about: while that stays the same, a zoom stays too."""

    is_pickable = traitlets.Bool().tag(sync=True)
    """Whether runs can be picked in it."""

    picked = traitlets.Dict().tag(sync=True)
    """What the page says when a person picks.

    `figure`, its number; `count`, so that the same is said twice; `is_more`, whether what was picked before stays;
    `points`, pairs of trace and point; `x` and `y`, in a picture, the ranges of the axes.
    """

    marks = traitlets.Dict().tag(sync=True)
    """What marks the runs that are selected, as `Picks.marks` gives it; empty if none are."""

    description = traitlets.Unicode().tag(sync=True)
    """What it shows, for those who cannot see it."""

    page = traitlets.Instance(Page).tag(sync=True, **widget_serialization)
    """The page, which has plotly.js."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._find: Callable[[], Picks] | None = None
        self._picks: Picks | None = None
        self.observe(lambda change: self._pick(change["new"]), "picked")
        self.observe(lambda _: self._mark(), "selected")

    def show(self, figure: go.Figure, *, of: Any, picks: Callable[[], Picks] | None = None) -> None:
        """Draw a figure.

        Parameters
        ----------
        figure
            What to draw.
        of
            What it is about.
        picks
            Gives which runs its points stand for; it is asked when that is first needed. None: none can be picked.
        """
        with self.hold_sync():
            self._find, self._picks = picks, None
            self.number += 1
            self.about = str(of)
            self.is_pickable = picks is not None
            self._mark()
            self.figure = figure.to_json()

    def _pick(self, picked: dict[str, Any]) -> None:
        picks = self._known() if picked["figure"] == self.number else None
        if picks:
            runs = picks.runs(picked)
            self.selected = with_more(self.selected, runs) if picked["is_more"] else runs

    def _mark(self) -> None:
        picks = self._known() if self.selected else None
        self.marks = picks.marks(self.selected) if picks else {}

    def _known(self) -> Picks | None:
        if self._picks is None and self._find:
            self._picks = self._find()
        return self._picks


def with_more(before: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Add runs to those that are selected, or take them away if all of them are.

    Examples
    --------
    >>> with_more(("a",), ("b", "a")), with_more(("a", "b"), ("a",))
    (('a', 'b'), ('b',))
    """
    if {*more} <= {*before}:
        taken = {*more}
        return tuple(run for run in before if run not in taken)
    return (*dict.fromkeys((*before, *more)),)
