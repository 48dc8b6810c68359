"""The panel that shows one run: its history, what it says, what is around it, its logs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, tzinfo

import anywidget
import pandas as pd
import traitlets

from prefect_nbviz.errors import PrefectNbvizError
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
from prefect_nbviz.reading import Connection
from prefect_nbviz.reading.record import read_record
from prefect_nbviz.widgets.background import Background, Turn
from prefect_nbviz.widgets.facts import facts_html, head_html
from prefect_nbviz.widgets.markup import button, markup
from prefect_nbviz.widgets.page import STATIC
from prefect_nbviz.widgets.relations import Relation, relations, relations_html
from prefect_nbviz.widgets.run_logs import RunLogs
from prefect_nbviz.widgets.shown_run import Shown
from prefect_nbviz.widgets.strip import history_html

NO_RUN = "Click a row, a bar or a segment to see a run."
READING = '<p class="nbviz-quiet" aria-busy="true">Reading…</p>'
GONE = '<div class="nbviz-line nbviz-warn">The server has this run no longer: it shows what was read before.</div>'

Follow = Callable[[FlowRunQuery | TaskRunQuery], None]


class RunDetails(anywidget.AnyWidget):
    """One run: what its row says at once, and what the server tells more as soon as it is read.

    Parameters
    ----------
    zone
        The time zone of its times.
    connection
        Another server than that of the active Prefect profile.

    Examples
    --------
    >>> details = RunDetails()
    >>> "Click a row" in details.head
    True
    """

    _esm = STATIC / "details.js"

    head = traitlets.Unicode().tag(sync=True)
    """HTML: its name, its state and what that says; or how to see a run."""

    note = traitlets.Unicode().tag(sync=True)
    """HTML: what went wrong."""

    history = traitlets.Unicode().tag(sync=True)
    """HTML: its states."""

    related = traitlets.Unicode().tag(sync=True)
    """HTML: buttons that lead to the runs around it."""

    logs = traitlets.Unicode().tag(sync=True)
    """HTML: its log lines, or a button that reads them."""

    facts = traitlets.Unicode().tag(sync=True)
    """HTML: times, tags, parameters, ids."""

    def __init__(self, *, zone: tzinfo = UTC, connection: Connection | None = None) -> None:
        super().__init__()
        self.add_class("nbviz-run")
        self._zone = zone
        self._connection = connection
        self._shown: Shown | None = None
        self._relations: list[Relation] = []
        self._followers: list[Follow] = []
        self._reading = Background()
        self._telling = threading.RLock()
        self.log_lines = RunLogs(zone=zone, connection=connection, on_change=self._tell_logs)
        self.on_msg(lambda _widget, content, _buffers: self.heed(str(content.get("do"))))
        self._invite(0)

    @property
    def run_id(self) -> str | None:
        """The id of the run that is shown."""
        return None if self._shown is None else self._shown.run_id

    def show(self, run: pd.DataFrame, states: pd.DataFrame | None = None) -> None:
        """Show a run, and read in the background what its row does not say.

        Parameters
        ----------
        run
            A row of a frame of flow runs or task runs. Without rows, or with several, it says how to see a run.
        states
            State histories, the one of this run among them, to show until its own is read.
        """
        shown = Shown.of(run, states) if len(run) == 1 else None
        if shown is not None and self._shown is not None and shown.run_id == self.run_id:
            if not self._shown.is_still(shown):
                self._read_anew()
            return
        self.log_lines.about(None if shown is None else shown.run_id)
        with self._telling:
            self._reading.stop()
            self._shown = shown
            if shown is None:
                self._invite(len(run))
            else:
                self._tell(shown)
        self._read_anew()

    def on_follow(self, callback: Follow) -> None:
        """Call a function with the query that leads to the runs around this one, when a person asks for them."""
        self._followers.append(callback)

    def heed(self, word: str) -> None:
        """Do what a button says: `retry`, `logs:show`, `follow:0`, …."""
        what, _, which = word.partition(":")
        if self._shown is None:
            return
        if what == "retry":
            self._tell(self._shown)
            self._read_anew()
        elif what == "logs":
            self.log_lines.heed(which)
        elif what == "follow" and which.isdigit() and int(which) < len(self._relations):
            query = self._relations[int(which)].query
            for follow in self._followers:
                follow(query)

    def join(self) -> None:
        """Wait until what is being read is shown."""
        self._reading.join()
        self.log_lines.join()

    def close(self) -> None:
        """End what is being read, and be gone."""
        self._reading.stop()
        self.log_lines.about(None)
        super().close()

    def _read_anew(self) -> None:
        self._reading.stop()  # it ends by itself, and shows nothing: to wait for it would hold the kernel
        self._reading = Background()
        if (shown := self._shown) is not None:
            self._reading.start(lambda turn: self._read(shown, turn))

    def _read(self, shown: Shown, turn: Turn) -> None:
        try:
            record = read_record(shown.kind, shown.run_id, connection=self._connection, progress=lambda *_: turn.look())
        except KeyboardInterrupt:
            return
        except PrefectNbvizError as error:
            self._fail(turn, str(error))
        except Exception as error:  # noqa: BLE001 - a thread that dies would leave the panel waiting for ever
            self._fail(turn, f"{type(error).__name__}: {error}")
        else:
            self._take(turn, shown.with_record(record))

    def _take(self, turn: Turn, shown: Shown) -> None:
        """Show what was read, unless another run is shown by now."""
        with self._telling:
            if not turn.is_stopped:
                self._shown = shown
                self._tell(shown)

    def _fail(self, turn: Turn, sentence: str) -> None:
        with self._telling:
            if not turn.is_stopped:
                self._tell_failure(sentence)

    def _tell_failure(self, sentence: str) -> None:
        unread = {} if self._shown is None or self._shown.states is not None else {"history": ""}
        line = f'<div class="nbviz-line nbviz-error">The run could not be read. {markup(sentence)}</div>'
        self._say(note=f'{line}<div class="nbviz-buttons">{button("Retry", "retry")}</div>', **unread)

    def _invite(self, runs: int) -> None:
        """Say how to see a run."""
        self._relations = []
        text = f"{runs:,} runs are selected: click one of them to see it." if runs else NO_RUN
        nothing = dict.fromkeys(("note", "history", "related", "logs", "facts"), "")
        self._say(head=f'<p class="nbviz-invitation">{text}</p>', **nothing)

    def _tell(self, shown: Shown) -> None:
        stays = shown.stays
        self._relations = relations(shown.kind, shown.row, shown.record)
        self._say(
            head=head_html(shown.kind, shown.row, shown.record, stays, self._zone),
            note=GONE if shown.is_gone else "",
            history=f"<h4>State history</h4>{READING if shown.states is None else history_html(stays, zone=self._zone)}",
            related=relations_html(self._relations),
            logs=self.log_lines.html(),
            facts=facts_html(shown.kind, shown.row, shown.record, self._zone),
        )

    def _tell_logs(self) -> None:
        with self._telling:  # else what was made first could be shown last
            self._say(logs=self.log_lines.html())

    def _say(self, **parts: str) -> None:
        """Show parts, all at once; the logs and the run are read in threads of their own."""
        with self._telling, self.hold_sync():
            for name, shown in parts.items():
                setattr(self, name, shown)
