"""What the explorer shows below its controls: where things stand, the views, and the run that is chosen in them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.analysis.intervals import state_intervals
from prefect_nbviz.analysis.suspects import suspect_runs
from prefect_nbviz.errors import QueryError
from prefect_nbviz.gathering import with_histories
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.reading import Connection
from prefect_nbviz.reading.worker import Report
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.widgets.controls import FilterControls
from prefect_nbviz.widgets.details import RunDetails
from prefect_nbviz.widgets.empty import EmptyPanel, Way
from prefect_nbviz.widgets.live import LiveSwitch, change_text, changes
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.report import ReportButton
from prefect_nbviz.widgets.saved import picture_html
from prefect_nbviz.widgets.standing import Standing
from prefect_nbviz.widgets.status import ProgressLine, StatusLine, invitation
from prefect_nbviz.widgets.suspects import SuspectLine
from prefect_nbviz.widgets.views import RunViews

Query = FlowRunQuery | TaskRunQuery

MORE = 10_000
"""As many runs the button that loads more loads, where there are more."""


class Screen(ipw.VBox):
    """Shows what a `Loader` reads; from any thread.

    Parameters
    ----------
    controls
        What says the query; they show the counts, and offer what the runs have.
    page
        The page, whose theme the charts take.
    live
        The switch, which says how live it all is.
    connection
        Where the panel of a run reads, and a report; None for the server of the active Prefect profile.
    zone
        The time zone of what is shown.
    """

    def __init__(
        self,
        controls: FilterControls,
        page: Page,
        live: LiveSwitch,
        *,
        connection: Connection | None,
        zone: ZoneInfo,
    ) -> None:
        self.frame = frames.empty(schema.RUNS[controls.kind.value])
        self.run_counts = frames.empty(schema.RUN_COUNTS)
        self.states = frames.empty(schema.STATES)
        self.intervals = frames.empty(schema.INTERVALS)
        self.standing = Standing()
        self._controls = controls
        self._live = live
        self._zone = zone
        self._connection = connection
        self._lock = threading.RLock()
        self.progress = ProgressLine()
        self.status = StatusLine()
        self.empty = EmptyPanel()
        self.views = RunViews(page, zone=zone)
        self.suspects = SuspectLine()
        self.details = RunDetails(zone=zone, connection=connection)
        self.clear_button = ipw.Button(icon="times", tooltip="Select no runs")
        self.more_button = ipw.Button(tooltip="Read more of what matches")
        self.back_button = ipw.Button(description="Back", icon="arrow-left", tooltip="To the filters before")
        self.back_button.layout.display = "none"
        self.report_button = ReportButton(self._report_contents)
        buttons = _row("buttons", self.clear_button, self.more_button, self.back_button, self.report_button)
        status, body = _row("status", self.status, buttons), _row("body", self.views, self.details)
        super().__init__([status, self.progress, self.suspects, self.empty, body], _dom_classes=("nbviz-screen",))
        self.clear_button.on_click(lambda _: self.views.set_trait("selected", ()))
        self.suspects.button.on_click(lambda _: self.views.set_trait("selected", self.suspects.runs))
        self.views.observe(lambda _: self._show_chosen(), "selected")
        self._show_chosen()

    @property
    def selection(self) -> pd.DataFrame:
        """The runs that are chosen in the views."""
        return self.frame[self.frame[frames.id_column(self.frame)].isin(self.views.selected)]

    @property
    def next_limit(self) -> int | None:
        """The limit that shows more runs: ten thousand, or None for all that match."""
        matched = self.frame.attrs.get(frames.ATTRS, {}).get("matched")
        is_many = matched is None or matched > MORE
        return MORE if is_many and len(self.frame) < MORE else None

    def asked(self) -> Query | None:
        """Give what the controls say; None while that cannot be."""
        return self._said()[0]

    def refresh(self) -> None:
        """Say where things stand."""
        with self._lock:
            query, problem = self._said()
            standing, live = self.standing, self._live.text(self._zone)
            self.status.show([*standing.lines(self.frame, query, problem, live=live, zone=self._zone)])
            is_dim = query != standing.loaded or standing.is_busy
            (self.views.add_class if is_dim else self.views.remove_class)("nbviz-dim")
            show(self.more_button, self._is_cut())
            show(self.report_button, len(self.frame))
            self.more_button.description = f"Load {self.next_limit:,}" if self.next_limit else "Load all"
            is_counted = _counted(query) == _counted(standing.loaded)
            self._controls.show_counts(standing.counts if is_counted else {})
            self._show_empty(query)

    def show_runs(self, query: Query, runs: pd.DataFrame, *, quietly: bool) -> None:
        """Show runs; other runs than before have no counts and states yet."""
        with self._lock:
            ids = frames.id_column(runs)
            self.standing.change = change_text(changes(self.frame, runs, ids)) if quietly else ""
            self.frame = runs
            self._live.show_all()
            if not quietly:
                self.states, self.intervals = frames.empty(schema.STATES), frames.empty(schema.INTERVALS)
                self.standing.loaded = query
                self.empty.invite("")
                self.show_counts({})
                self.views.clear_intervals(of=query)
            self._look_for_suspects()
            self._controls.suggest_from(runs)
            self.views.show_query(query)
            self.views.show_runs(runs, of=query)
            there = {*runs[ids]}
            self.views.selected = tuple(one for one in self.views.selected if one in there)
            self.refresh()

    def show_together(self, shows: Iterable[Callable[[], None]]) -> None:
        """Show several things as one: each view is drawn once."""
        with self._lock, self.views.drawn_once():
            for one in shows:
                one()

    def show_waiting(self, runs: pd.DataFrame) -> None:
        """Say how many of the runs that there are by now differ from those that are shown, which stay."""
        with self._lock:
            self.standing.change = ""
            self._live.waiting = sum(changes(self.frame, runs, frames.id_column(runs)).values())
            self.refresh()

    def show_counts(self, counts: Mapping[str, int | None]) -> None:
        """Show how many runs are in each state type."""
        self.standing.counts = counts
        self.refresh()

    def show_run_counts(self, counts: pd.DataFrame) -> None:
        """Show how many runs were expected to start when."""
        self.run_counts = counts
        self.views.show_run_counts(counts)

    def show_ways(self, query: Query, ways: Sequence[Way]) -> None:
        """Show which filters leave nothing."""
        self.empty.show(query, ways)

    def show_states(self, states: pd.DataFrame) -> None:
        """Show the timeline, and with it the run that is chosen."""
        with self._lock:
            self.states = states
            self.intervals = state_intervals(states)
            self.views.show_intervals(self.intervals, self.frame, of=self.standing.loaded)
            self._look_for_suspects()
            self._show_chosen()

    def picture(self) -> str:
        """Give what is shown as HTML that needs no kernel."""
        with self._lock:
            lines = self.standing.lines(self.frame, self.standing.loaded, "", live="", zone=self._zone)
            return picture_html(self.frame, [text for _, text in lines], zone=self._zone)

    def _report_contents(self, progress: Report) -> Contents:
        """Gather what a report is made from: what is shown, and what is not read yet."""
        with self._lock:
            query, runs = self.standing.loaded, self.frame
            at_hand = {"over_time": self.run_counts} if len(self.run_counts) else {}
            if self.states["run_id"].nunique() == len(with_histories(runs)):
                at_hand["intervals"] = self.intervals
        return Contents.gathered(
            query,
            runs,
            zone=self._zone,
            title=None,
            connection=self._connection,
            progress=progress,
            at_hand=at_hand,
        )

    def _look_for_suspects(self) -> None:
        """Say which runs have data that cannot be right, as far as what is loaded tells."""
        ids = frames.id_column(self.frame)
        runs = {f"{ids.removesuffix('_id')}s": self.frame}
        self.suspects.show(suspect_runs(**runs, states=self.states), self.frame)

    def _show_chosen(self) -> None:
        """Show the run that was chosen last in the panel beside the views."""
        chosen = self.views.selected
        run = self.frame[self.frame[frames.id_column(self.frame)].isin(chosen[-1:])]
        states = self.states[self.states["run_id"].isin(chosen[-1:])]
        self.details.show(run, states if len(states) else None)
        show(self.details, len(run))
        show(self.clear_button, chosen)
        self.clear_button.description = f"{len(chosen):,} selected"

    def _show_empty(self, query: Query | None) -> None:
        """Show a sentence where there are no runs to show."""
        loaded = self.standing.loaded
        show(self.views, len(self.frame))
        if loaded is None:
            self.empty.invite(invitation(query, zone=self._zone) if query and not self.standing.is_busy else "")
        elif len(self.frame):
            self.empty.invite("")
        elif not self.empty.text:
            self.empty.show(loaded, None)

    def _is_cut(self) -> bool:
        """Say whether a higher limit would give more."""
        about, loaded = self.frame.attrs.get(frames.ATTRS, {}), self.standing.loaded
        return bool(about.get("truncated")) and len(self.frame) == getattr(loaded, "limit", None)

    def _said(self) -> tuple[Query | None, str]:
        """Give what the controls say, or why that cannot be."""
        try:
            query: Query = self._controls.value
        except QueryError as error:
            return None, str(error)
        return query, ""


def _counted(query: RunQuery | None) -> RunQuery | None:
    """Give that of a query which decides how many runs are in each state type."""
    return query and query.replace(state_type=None, sort="ID_DESC", limit=None)


def show(widget: ipw.DOMWidget, is_shown: object) -> None:
    """Show a widget, or do not."""
    widget.layout.display = None if is_shown else "none"


def _row(name: str, *children: ipw.DOMWidget) -> ipw.Box:
    row = ipw.Box(children)
    row.add_class(f"nbviz-{name}")
    return row
