"""The explorer: choose runs with controls, read them, look at them, and keep looking."""

from __future__ import annotations

from typing import Any

import ipywidgets as ipw
import pandas as pd
from IPython.display import display

from prefect_nbviz.charts.clock import zone_of
from prefect_nbviz.errors import QueryError
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery, query_to_show
from prefect_nbviz.reading import Connection
from prefect_nbviz.widgets.controls import FilterControls
from prefect_nbviz.widgets.live import LiveSwitch
from prefect_nbviz.widgets.loader import Loader
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.saved import SavedPicture
from prefect_nbviz.widgets.screen import Screen, show


def explore(
    query: FlowRunQuery | TaskRunQuery | None = None,
    *,
    connection: Connection | None = None,
    tz: str = "UTC",
    **criteria: Any,
) -> RunExplorer:
    """Give a widget that reads runs on demand, shows them in linked views, and keeps them up to date if told to.

    Parameters
    ----------
    query
        What its controls say at first: a `TaskRunQuery`, or a `FlowRunQuery` to begin with flow
        runs. Without any settings: the task runs of the last 24 hours.
    connection
        Another server than that of the active Prefect profile.
    tz
        Name of the time zone in which times are shown and typed, such as `"Europe/Berlin"`; frames stay in UTC.
    **criteria
        The fields of the query; of `TaskRunQuery` where none is given.

    Raises
    ------
    QueryError
        A criterion that cannot be, or there is no such time zone.

    Examples
    --------
    >>> explore(state_type="FAILED", tags_any=["prod", "etl"]).query
    TaskRunQuery(tags_any=['prod', 'etl'], state_type=['FAILED'])
    >>> explore().query
    TaskRunQuery(since='1d')
    """
    return RunExplorer(query_to_show(query, criteria), connection=connection, tz=tz)


class RunExplorer(ipw.VBox):
    """Controls, a Load button, a switch that keeps loading, and views of what was loaded. `explore` makes one.

    Nothing is read before Load is pressed, Live is switched on, or `load` is called. The buttons read in a thread of
    their own, so that a cell that runs does not hold them up.
    """

    _loader: Any = None

    def __init__(
        self, query: FlowRunQuery | TaskRunQuery, *, connection: Connection | None = None, tz: str = "UTC"
    ) -> None:
        zone = zone_of(tz)
        self._saved = SavedPicture()
        self._is_picture_old = False
        self.page = Page(hidden=self._saved.name)
        self.controls = FilterControls(query, zone=zone, connection=connection)
        self.live = LiveSwitch()
        self.screen = Screen(self.controls, self.page, self.live, connection=connection, zone=zone)
        self.load_button = ipw.Button(
            description="Load", icon="refresh", tooltip="Read the runs", button_style="primary"
        )
        self.stop_button = ipw.Button(description="Stop", icon="stop", tooltip="Keep what was read by now")
        self.controls.actions.children = [self.load_button, self.stop_button, self.live, self.live.pause_button]
        self._loader = Loader(self.screen, self.live, connection=connection, zone=zone)
        self._past: list[RunQuery] = []
        super().__init__([self.page, self.controls, self.screen], _dom_classes=("nbviz",))
        self.screen.refresh()
        self._show_busy()
        self._watch()

    @property
    def query(self) -> FlowRunQuery | TaskRunQuery:
        """What the controls say now.

        Raises
        ------
        QueryError
            They say something that cannot be.
        """
        query: FlowRunQuery | TaskRunQuery = self.controls.value
        return query

    @property
    def frame(self) -> pd.DataFrame:
        """The runs of the last read; before that, a frame without rows."""
        return self.screen.frame

    @property
    def selection(self) -> pd.DataFrame:
        """The runs that are chosen in the views, as rows of `frame`; without a choice, no rows."""
        return self.screen.selection

    @property
    def run_counts(self) -> pd.DataFrame:
        """How many runs were expected to start when: all that match, where the server can count them."""
        return self.screen.run_counts

    @property
    def states(self) -> pd.DataFrame:
        """The state histories of the runs that are in the timeline, the first of `frame`, as `read_states` gives them."""
        return self.screen.states

    @property
    def intervals(self) -> pd.DataFrame:
        """The stays in states that follow from `states`."""
        return self.screen.intervals

    def load(self) -> None:
        """Read what the controls say and show it: what the Load button does, but the caller waits.

        A failure becomes a sentence in the status line, and what was loaded before stays.
        """
        self._loader.load()

    def join(self, timeout: float | None = None) -> None:
        """Wait until what a button began has ended, at most some seconds."""
        self._loader.join(timeout)

    def close(self) -> None:
        """End what goes on in the background, and the widget."""
        if self._loader is not None:  # one whose making failed is closed too
            self._loader.stop()
            self.live.value = False
            self.screen.report_button.close()
        super().close()

    def __repr__(self) -> str:
        """Show the query."""
        try:
            return f"RunExplorer({self.query!r})"
        except QueryError as error:
            return f"RunExplorer({error})"

    def _ipython_display_(self) -> None:
        """Display the widget, and what a notebook without a kernel shows instead."""
        display(self._repr_mimebundle_(), raw=True)  # type: ignore[no-untyped-call]
        self._saved.display()

    def _watch(self) -> None:
        self.load_button.on_click(lambda _: self._loader.start())
        self.stop_button.on_click(lambda _: self._loader.stop())
        self.screen.more_button.on_click(lambda _: self._load(self.query.replace(limit=self.screen.next_limit)))
        self.screen.back_button.on_click(lambda _: self._go_back())
        self.screen.empty.on_choose(self._follow)
        self.screen.details.on_follow(self._follow)
        self.screen.standing.on_change(self._show_busy)
        self.screen.standing.on_change(self._save_picture)
        self.live.observe(lambda _: self._switch_live(), "value")
        self.live.pause_button.observe(lambda _: self._loader.look(), "value")
        self.controls.on_change(self._take_filters)
        self.page.observe(lambda _: self._take_theme(), "theme")
        self.page.observe(lambda _: self._take_presence(), "is_shown")

    def _take_theme(self) -> None:
        (self.add_class if self.page.theme == "dark" else self.remove_class)("nbviz-dark")

    def _take_presence(self) -> None:
        """Look no longer at what nobody can see: the widget was taken from its page."""
        if not self.page.is_shown:
            self.live.value = False

    def _take_filters(self) -> None:
        """Take note of other filters: what is live follows them at once."""
        asked, loaded = self.screen.asked(), self.screen.standing.loaded
        if self.live.value and asked is not None and loaded is not None and asked != loaded:
            self._loader.start()
        self.screen.refresh()

    def _switch_live(self) -> None:
        """Begin to look again, or end it; a read that the person waits for goes on."""
        if self.live.value:
            self._loader.start()
        elif not self.screen.standing.is_busy:
            self._loader.stop()
        self.screen.refresh()

    def _follow(self, query: RunQuery) -> None:
        """Load another query, to which the one before can be come back."""
        if self.screen.standing.loaded is not None:
            self._past.append(self.screen.standing.loaded)
        self._load(query)

    def _go_back(self) -> None:
        self._load(self._past.pop())

    def _load(self, query: RunQuery) -> None:
        show(self.screen.back_button, self._past)
        self.controls.value = query
        self._loader.start()

    def _save_picture(self) -> None:
        """Keep what was read where a notebook is saved; a look that changed nothing leaves it as it is."""
        standing = self.screen.standing
        if standing.is_busy:
            self._is_picture_old = True
        elif standing.loaded is not None and (self._is_picture_old or standing.change):
            self._is_picture_old = False
            self._saved.show(self.screen.picture())

    def _show_busy(self) -> None:
        """Offer to stop while a person waits, and to load otherwise."""
        is_busy = self.screen.standing.is_busy
        show(self.load_button, not is_busy)
        show(self.stop_button, is_busy)
