"""The explorer: choose runs with controls, read them, look at them, and keep looking."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz import bins, frames, schema
from prefect_nbviz.analysis.counts import run_counts
from prefect_nbviz.analysis.intervals import state_intervals
from prefect_nbviz.charts.clock import zone_of
from prefect_nbviz.errors import PrefectNbvizError, QueryError, ReadInterrupted, heard
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery, as_query
from prefect_nbviz.reading import (
    Connection,
    read_run_counts,
    read_state_type_counts,
)
from prefect_nbviz.reading.runs import read_runs
from prefect_nbviz.widgets.background import Background, Turn
from prefect_nbviz.widgets.controls import FilterControls
from prefect_nbviz.widgets.details import RunDetails
from prefect_nbviz.widgets.empty import EmptyPanel, ways_out
from prefect_nbviz.widgets.histories import Histories, id_column
from prefect_nbviz.widgets.live import LiveSwitch, change_text
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.standing import Standing
from prefect_nbviz.widgets.status import NOUNS, Counts, ProgressLine, StatusLine, invitation
from prefect_nbviz.widgets.views import RunViews

Report = Callable[[int, int | None], None]

MORE = 10_000
"""As many runs the button that loads more loads."""

_COLUMNS = {"flow_run": schema.FLOW_RUNS, "task_run": schema.TASK_RUNS}


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
    if query is None and not criteria:
        query = TaskRunQuery(since="1d")
    query_type: type[RunQuery] = type(query) if isinstance(query, RunQuery) else TaskRunQuery
    asked: Any = as_query(query_type, query, criteria)
    return RunExplorer(asked, connection=connection, tz=tz)


class RunExplorer(ipw.VBox):
    """Controls, a Load button, a switch that keeps loading, and views of what was loaded. `explore` makes one.

    Nothing is read before Load is pressed, Live is switched on, or `load` is called. The buttons read in a thread of
    their own, so that a cell that runs does not hold them up.
    """

    def __init__(
        self, query: FlowRunQuery | TaskRunQuery, *, connection: Connection | None = None, tz: str = "UTC"
    ) -> None:
        self._zone = zone_of(tz)
        self.frame: pd.DataFrame = frames.empty(_COLUMNS[query.kind])
        """The runs of the last read; before that, a frame without rows."""
        self.run_counts: pd.DataFrame = frames.empty(schema.RUN_COUNTS)
        """How many runs were expected to start when: all that match, where the server can count them."""
        self.states: pd.DataFrame = frames.empty(schema.STATES)
        """The state histories of the runs that are in the timeline, as `histories.with_histories` gives them."""
        self.intervals: pd.DataFrame = frames.empty(schema.INTERVALS)
        """The stays in states that follow from `states`."""
        self._connection = connection
        self._histories = Histories(connection)
        self._standing = Standing()
        self._past: list[RunQuery] = []
        self._background = Background()
        self._lock = threading.RLock()
        self._make(query)
        status = ipw.HBox([self.status, self.buttons])
        status.add_class("nbviz-status")
        body = ipw.Box([self.views, self.details])
        body.add_class("nbviz-body")
        super().__init__([self.page, self.controls, status, self.progress, self.empty, body], _dom_classes=("nbviz",))
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

    @property
    def selection(self) -> pd.DataFrame:
        """The runs that are chosen in the views, as rows of `frame`; without a choice, no rows."""
        return self.frame[self.frame[id_column(self.frame)].isin(self.views.selected)]

    def load(self) -> None:
        """Read what the controls say and show it: what the Load button does, but the caller waits.

        A failure becomes a sentence in the status line, and what was loaded before stays.
        """
        self._background.stop()
        self._background.join()
        self._read(Turn())
        if self.live.value:
            self._background.start(self._look_again)

    def close(self) -> None:
        """End what goes on in the background, and the widget."""
        self._background.stop()
        self.live.value = False
        super().close()

    def __repr__(self) -> str:
        """Show the query."""
        try:
            return f"RunExplorer({self.query!r})"
        except QueryError as error:
            return f"RunExplorer({error})"

    def _make(self, query: FlowRunQuery | TaskRunQuery) -> None:
        self.page = Page()
        self.controls = FilterControls(query, zone=self._zone, connection=self._connection)
        self.load_button = ipw.Button(
            description="Load", icon="refresh", tooltip="Read the runs", button_style="primary"
        )
        self.stop_button = ipw.Button(description="Stop", icon="stop", tooltip="Keep what was read by now")
        self.live = LiveSwitch()
        self.controls.actions.children = [self.load_button, self.stop_button, self.live]
        self.back_button = ipw.Button(description="Back", icon="arrow-left", tooltip="To the filters before")
        self.more_button = ipw.Button(description="Load more")
        self.clear_button = ipw.Button(icon="times", tooltip="Choose no runs")
        self.buttons = ipw.HBox([self.clear_button, self.more_button, self.back_button])
        self.buttons.add_class("nbviz-buttons")
        self.progress = ProgressLine()
        self.status = StatusLine()
        self.empty = EmptyPanel()
        self.views = RunViews(self.page, zone=self._zone)
        self.details = RunDetails(zone=self._zone, connection=self._connection)

    def _watch(self) -> None:
        self.load_button.on_click(lambda _: self._start())
        self.stop_button.on_click(lambda _: self._background.stop())
        self.more_button.on_click(lambda _: self._go(self.query.replace(limit=self._more()), remember=False))
        self.back_button.on_click(lambda _: self._go(self._past.pop(), remember=False))
        self.clear_button.on_click(lambda _: self.views.set_trait("selected", ()))
        self.live.observe(lambda change: self._start() if change["new"] else self._end_live(), "value")
        self.empty.on_choose(self._go)
        self.details.on_follow(self._go)
        self.controls.on_change(self._changed)
        self.views.observe(lambda _: self._show_selection(), "selected")
        self.page.observe(lambda _: self._take_theme(), "theme")
        self.page.observe(lambda change: change["new"] or self.live.set_trait("value", False), "is_shown")

    def _take_theme(self) -> None:
        (self.add_class if self.page.theme == "dark" else self.remove_class)("nbviz-dark")

    def _changed(self) -> None:
        """Take note of other filters: what is kept up to date follows them at once."""
        if (
            self.live.value
            and self._standing.loaded is not None
            and self._asked()[0] not in {None, self._standing.loaded}
        ):
            self._start()
        self._refresh()

    def _go(self, query: RunQuery, *, remember: bool = True) -> None:
        """Load another query, and remember the one before."""
        if remember and self._standing.loaded is not None:
            self._past.append(self._standing.loaded)
        self.controls.value = query
        self._start()

    def _end_live(self) -> None:
        """End the looks; a read that the person waits for goes on."""
        if not self._standing.is_busy:
            self._background.stop()
        self._refresh()

    def _start(self) -> None:
        self._background.start(self._load_and_look_again)

    def _load_and_look_again(self, turn: Turn) -> None:
        with suppress(ReadInterrupted, KeyboardInterrupt):
            self._read(turn)
            self._look_again(turn)

    def _look_again(self, turn: Turn) -> None:
        with suppress(ReadInterrupted, KeyboardInterrupt):
            while self.live.value and not turn.wait(self.live.pause):
                self._read(turn, quietly=True)

    def _read(self, turn: Turn, *, quietly: bool = False) -> None:
        """Read what the controls say and show each step; quietly, while the person looks at what there is, all at once."""
        query, _ = self._asked()
        if query is None:
            self._refresh()
            return
        began = time.monotonic()
        with self._told(turn, quietly=quietly):
            shown = [*self._steps(query, turn, quietly=quietly)] if quietly else self._steps(query, turn, quietly=False)
            for show in shown:
                show()
            self.live.took(time.monotonic() - began)
            self._standing.failure = ""

    def _steps(self, query: RunQuery, turn: Turn, *, quietly: bool) -> Iterator[Callable[[], None]]:
        """Read step by step, and give what shows each."""
        connection, standing, noun = self._connection, self._standing, NOUNS[query.kind]
        standing.stage = f"The {noun} could not be read."
        report = self._reporter(f"Loading {noun}", turn, quietly=quietly)
        try:
            runs = read_runs(query, connection, progress=report)
        except ReadInterrupted as stop:
            standing.stage = f"Not all {noun} were read."
            if not quietly:
                self._show_runs(query, stop.frame, quietly=False)
            raise
        yield lambda: self._show_runs(query, runs, quietly=quietly)
        turn.look()
        standing.stage = "The numbers by state could not be read."
        counts = read_state_type_counts(query, connection=connection)
        yield lambda: self._show_counts(counts)
        turn.look()
        standing.stage = "The counts over time could not be read."
        over_time = self._counts_over_time(query, runs)
        yield lambda: self._show_run_counts(over_time)
        if runs.empty and not quietly:
            standing.stage = "Which filter leaves nothing could not be read."
            ways = ways_out(query, connection)
            yield lambda: self.empty.show(query, ways)
        standing.stage = "The timeline could not be read."
        report = self._reporter("Reading the state histories by requests", turn, quietly=quietly)
        try:
            states = self._histories.read(runs, progress=report)
        except ReadInterrupted as stop:
            standing.stage = "The timeline is not whole."
            if not quietly:
                self._show_states(stop.frame)
            raise
        yield lambda: self._show_states(states)

    def _show_runs(self, query: RunQuery, runs: pd.DataFrame, *, quietly: bool) -> None:
        standing, before = self._standing, self.frame
        with self._lock:
            ids = id_column(runs)
            standing.change = change_text(before, runs, ids) if quietly else ""
            self.frame = runs
            if not quietly:
                self.states, self.intervals = frames.empty(schema.STATES), frames.empty(schema.INTERVALS)
                standing.loaded = query
                self._show_counts({})
                self.views.clear_intervals(of=query)
            self.controls.suggest_from(runs)
            self.views.show_query(query)
            self.views.show_runs(runs, of=query)
            there = {*runs[ids]}
            self.views.selected = tuple(one for one in self.views.selected if one in there)
            self._refresh()

    def _show_counts(self, counts: Counts) -> None:
        self._standing.counts = counts
        self.controls.show_counts(counts)
        self._refresh()

    def _counts_over_time(self, query: RunQuery, runs: pd.DataFrame) -> pd.DataFrame:
        """Count what matches by time: from the rows if they are all, or only reading all would tell; else the server."""
        about, starts = runs.attrs[frames.ATTRS], runs["expected_start_time"].dropna()
        span = starts.max() - starts.min() if len(starts) else pd.Timedelta(0)
        if not about["truncated"] or about["done_here"]:
            return run_counts(runs, freq=bins.freq_for(span), tz=self._zone.key)
        window = query.window(datetime.fromisoformat(about["as_of"]))
        freq = bins.freq_for(window.until - window.since) if window.since and window.until else "1D"
        return read_run_counts(query, freq=freq, tz=self._zone.key, connection=self._connection, progress=False)

    def _show_run_counts(self, counts: pd.DataFrame) -> None:
        self.run_counts = counts
        self.views.show_run_counts(counts)

    def _show_states(self, states: pd.DataFrame) -> None:
        with self._lock:
            self.states = states
            self.intervals = state_intervals(states)
            self.views.show_intervals(self.intervals, self.frame, of=self._standing.loaded)
            self._show_selection()

    def _show_selection(self) -> None:
        """Show the run that was chosen last in the panel beside the views."""
        chosen = self.views.selected[-1:]
        ids = self.frame[id_column(self.frame)]
        run = self.frame[ids.isin(chosen)]
        states = self.states[self.states["run_id"].isin(chosen)]
        self.details.show(run, states=states if len(states) else None)
        self.details.layout.display = None if len(run) else "none"
        self._show_buttons()

    def _reporter(self, what: str, turn: Turn, *, quietly: bool) -> Report:
        def report(done: int, total: int | None, note: str = "") -> None:
            turn.look()
            if not quietly or note:
                self.progress.say(what, done, total, note=note)

        if not quietly:
            self.progress.say(what)
        return report

    @contextmanager
    def _told(self, turn: Turn, *, quietly: bool) -> Iterator[None]:
        """Show that work is being done, what it warns of, and how it failed."""
        standing = self._standing
        standing.begin(quietly=quietly)
        self._refresh()
        with heard() as notes:
            try:
                yield
            except PrefectNbvizError as error:
                standing.fail(error, ours=True)
                self.live.failed()
            except KeyboardInterrupt:
                if not quietly:
                    standing.failure = f"{standing.stage} It was {'stopped' if turn.is_stopped else 'interrupted'}."
                raise
            except BaseException as error:
                standing.fail(error, ours=False)
                raise
            finally:
                for sentence in notes:
                    standing.note(sentence)
                standing.is_busy = False
                self.progress.hide()
                self._refresh()

    def _asked(self) -> tuple[RunQuery | None, str]:
        """Give what the controls say, or why that cannot be."""
        try:
            return self.query, ""
        except QueryError as error:
            return None, str(error)

    def _refresh(self) -> None:
        """Say where things stand."""
        with self._lock:
            query, problem = self._asked()
            standing, live = self._standing, self.live.text(self._zone)
            self.status.show([*standing.lines(self.frame, query, problem, live=live, zone=self._zone)])
            is_dim = query != standing.loaded or standing.is_busy
            (self.views.add_class if is_dim else self.views.remove_class)("nbviz-dim")
            self._show_buttons()
            self._show_empty(query)

    def _show_buttons(self) -> None:
        chosen, is_busy = len(self.views.selected), self._standing.is_busy
        _show(self.load_button, not is_busy)
        _show(self.stop_button, is_busy)
        self.clear_button.description = f"{chosen:,} chosen"
        _show(self.clear_button, chosen)
        _show(self.back_button, self._past)
        more = self._more()
        self.more_button.description = f"Load {more:,}" if more else "Load all"
        _show(self.more_button, self._is_cut())
        _show(self.details, chosen)

    def _is_cut(self) -> bool:
        """Say whether a higher limit would give more."""
        about, loaded = self.frame.attrs.get(frames.ATTRS, {}), self._standing.loaded
        return bool(about.get("truncated")) and len(self.frame) == getattr(loaded, "limit", None)

    def _more(self) -> int | None:
        matched = self.frame.attrs.get(frames.ATTRS, {}).get("matched") or MORE + 1
        return None if len(self.frame) >= MORE or matched <= MORE else MORE

    def _show_empty(self, query: RunQuery | None) -> None:
        """Show a sentence where there are no runs to show."""
        loaded = self._standing.loaded
        if loaded is None:
            self.empty.invite(invitation(query, zone=self._zone) if query and not self._standing.is_busy else "")
        elif len(self.frame):
            self.empty.invite("")
        elif not self.empty.text.startswith(("No ", "There are no ")):
            self.empty.show(loaded, None)
        _show(self.views, len(self.frame))


def _show(widget: ipw.Widget, is_shown: object) -> None:
    widget.layout.display = None if is_shown else "none"
