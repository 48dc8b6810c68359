"""The explorer: choose runs with controls, read them, and look at them."""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.analysis.intervals import state_intervals
from prefect_nbviz.charts.clock import zone_of
from prefect_nbviz.errors import PrefectNbvizError, PrefectNbvizWarning, QueryError, ReadInterrupted
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery, as_query
from prefect_nbviz.reading import Connection, read_flow_runs, read_state_type_counts, read_states, read_task_runs
from prefect_nbviz.widgets.controls import FilterControls
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.status import NOUNS, Counts, Line, ProgressLine, StatusLine, invitation, summary
from prefect_nbviz.widgets.views import RunViews, with_histories

Report = Callable[[int, int | None], None]

_COLUMNS = {"flow_run": schema.FLOW_RUNS, "task_run": schema.TASK_RUNS}


def explore(
    query: FlowRunQuery | TaskRunQuery | None = None,
    *,
    connection: Connection | None = None,
    tz: str = "UTC",
    **criteria: Any,
) -> RunExplorer:
    """Give a widget that reads runs on demand and shows them as table, counts and timeline.

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
    if query is None and not criteria:
        query = TaskRunQuery(since="1d")
    query_type: type[RunQuery] = type(query) if isinstance(query, RunQuery) else TaskRunQuery
    asked: Any = as_query(query_type, query, criteria)
    return RunExplorer(asked, connection=connection, tz=tz)


class RunExplorer(ipw.VBox):
    """Controls, a Load button, and views of what was loaded. `explore` makes one.

    Nothing is read before Load is pressed, or `load` is called.
    """

    def __init__(
        self, query: FlowRunQuery | TaskRunQuery, *, connection: Connection | None = None, tz: str = "UTC"
    ) -> None:
        self._zone = zone_of(tz)
        self.frame: pd.DataFrame = frames.empty(_COLUMNS[query.kind])
        """The runs of the last Load; before that, a frame without rows."""
        self.states: pd.DataFrame = frames.empty(schema.STATES)
        """The state histories of the runs of `frame` that are in the timeline, as `views.with_histories` gives them."""
        self.intervals: pd.DataFrame = frames.empty(schema.INTERVALS)
        """The stays in states that follow from `states`."""
        self._connection = connection
        self._loaded: RunQuery | None = None
        self._counts: Counts = {}
        self._stage = self._failure = ""
        self._notes: list[str] = []
        self._is_busy = False
        self._make(query)
        super().__init__(
            [self.page, self.controls, self.progress, self.status, self._panel, self.views], _dom_classes=("nbviz",)
        )
        self._refresh()
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

    def load(self) -> None:
        """Read what the controls say and show it: what the Load button does.

        A failure becomes a sentence in the status line, and what was loaded before stays.
        """
        try:
            query = self.query
        except QueryError:
            self._refresh()
            return
        with self._busy():
            self._load_runs(query)
            self._load_counts(query)
            self._load_states()

    def __repr__(self) -> str:
        """Show the query."""
        try:
            return f"RunExplorer({self.query!r})"
        except QueryError as error:
            return f"RunExplorer({error})"

    def _make(self, query: FlowRunQuery | TaskRunQuery) -> None:
        self.page = Page()
        self.controls = FilterControls(query, zone=self._zone)
        self.load_button = ipw.Button(
            description="Load", icon="refresh", tooltip="Read the runs", button_style="primary"
        )
        self.reset_button = ipw.Button(description="Reset", tooltip="Task or flow runs of the last 24 h")
        self.controls.actions.children = [self.load_button, self.reset_button]
        self.progress = ProgressLine()
        self.status = StatusLine()
        self.views = RunViews(self.page, zone=self._zone)
        self._panel = ipw.HTML()

    def _watch(self) -> None:
        self.load_button.on_click(lambda _: self.load())
        self.reset_button.on_click(lambda _: self._reset())
        self.controls.on_change(self._refresh)
        self.page.observe(lambda _: self._take_theme(), "theme")

    def _reset(self) -> None:
        self.controls.value = (TaskRunQuery if self.controls.kind.value == "task_run" else FlowRunQuery)(since="1d")

    def _take_theme(self) -> None:
        (self.add_class if self.page.theme == "dark" else self.remove_class)("nbviz-dark")

    def _load_runs(self, query: FlowRunQuery | TaskRunQuery) -> None:
        noun = NOUNS[query.kind]
        self._stage = f"The {noun} could not be read."
        try:
            with self._noted(f"Loading {noun}") as report:
                if isinstance(query, FlowRunQuery):
                    frame = read_flow_runs(query, connection=self._connection, progress=report)
                else:
                    frame = read_task_runs(query, connection=self._connection, progress=report)
        except ReadInterrupted as stop:
            self._stage = f"Not all {noun} were read."
            self._show_runs(query, stop.frame)
            raise
        self._show_runs(query, frame)

    def _show_runs(self, query: FlowRunQuery | TaskRunQuery, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.states, self.intervals = frames.empty(schema.STATES), frames.empty(schema.INTERVALS)
        self._loaded, self._counts = query, {}
        self.controls.show_counts({})
        self.controls.suggest_from(self.frame)
        self.views.show_runs(self.frame)
        self._refresh()

    def _load_counts(self, query: FlowRunQuery | TaskRunQuery) -> None:
        self._stage = "The numbers by state could not be read."
        with self._noted("Counting the states"):
            self._counts = read_state_type_counts(query, connection=self._connection)
        self.controls.show_counts(self._counts)
        self._refresh()

    def _load_states(self) -> None:
        self._stage = "The timeline could not be read."
        try:
            with self._noted("Reading the state histories by requests") as report:
                states = read_states(with_histories(self.frame), connection=self._connection, progress=report)
        except ReadInterrupted as stop:
            self._stage = "The timeline is not whole."
            self._show_states(stop.frame)
            raise
        self._show_states(states)

    def _show_states(self, states: pd.DataFrame) -> None:
        self.states = states
        self.intervals = state_intervals(self.states)
        self.views.show_intervals(self.intervals, self.frame)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Show that work is being done; put a failure into words."""
        self._failure, self._notes, self._is_busy = "", [], True
        self.load_button.disabled = True
        self._refresh()
        try:
            yield
        except PrefectNbvizError as error:
            self._failure = f"{self._stage} {error}"
        except ReadInterrupted:
            self._failure = f"{self._stage} It was interrupted."
            raise
        except BaseException as error:
            self._failure = f"{self._stage} {type(error).__name__}: {error}".removesuffix(": ")
            raise
        finally:
            self._is_busy = self.load_button.disabled = False
            self.progress.hide()
            self._refresh()

    @contextmanager
    def _noted(self, what: str) -> Iterator[Report]:
        """Show how far a read has got, and keep our warnings for the status; all others go their way."""

        def report(done: int, total: int | None, note: str = "") -> None:
            self.progress.say(what, done, total, note=note)

        self.progress.say(what)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", PrefectNbvizWarning)
            yield report
        for one in caught:
            if issubclass(one.category, PrefectNbvizWarning):
                self._note(str(one.message))
            else:
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)

    def _note(self, sentence: str) -> None:
        """Keep a sentence for the status, unless it says again what another said: the counts know what the read did."""
        if not any(sentence in note for note in self._notes):
            self._notes.append(sentence)

    def _refresh(self) -> None:
        """Say where things stand."""
        try:
            query: RunQuery | None = self.query
            problem = ""
        except QueryError as error:
            query, problem = None, str(error)
        is_stale = query != self._loaded
        self.status.show([*self._lines(problem, is_stale=is_stale)])
        (self.views.add_class if is_stale or self._is_busy else self.views.remove_class)("nbviz-dim")
        self._show_panel(query)

    def _lines(self, problem: str, *, is_stale: bool) -> Iterator[Line]:
        if problem:
            yield "error", problem
        elif is_stale and self._loaded is not None and not self._is_busy:
            yield "warn", "Filters changed: press Load"
        if self._failure:
            yield "error", self._failure
        if self._loaded is not None:
            yield summary(self.frame, self._loaded, self._counts, zone=self._zone)
            yield from (("warn", note) for note in self._notes if not self._is_plain_cut(note))

    def _is_plain_cut(self, note: str) -> bool:
        """Say whether a note says no more than the summary: that the limit left some out."""
        is_reason = note == self.frame.attrs[frames.ATTRS]["reason"] and len(self.frame) == getattr(
            self._loaded, "limit", None
        )
        return is_reason and not isinstance(getattr(self._loaded, "flow_runs", None), FlowRunQuery)

    def _show_panel(self, query: RunQuery | None) -> None:
        """Show a sentence where there are no runs to show."""
        text = invitation(query, zone=self._zone) if query and not self._is_busy else ""
        if self._loaded is not None:
            text = f"No {NOUNS[self._loaded.kind]} match."
        self._panel.value = f'<div class="nbviz-panel">{html.escape(text)}</div>'
        self._panel.layout.display = None if self.frame.empty and text else "none"
        self.views.layout.display = "none" if self.frame.empty else None
