"""The log lines of one run, read when a person asks for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.errors import PrefectNbvizError, heard
from prefect_nbviz.reading import Connection, read_logs
from prefect_nbviz.widgets.background import Background, Turn
from prefect_nbviz.widgets.markup import button, markup

FEW, MANY = 200, 5_000
"""Lines that are shown at first, and at most: each press of the button shows five times as many."""

_TIMES_MORE = 5


class RunLogs:
    """The lines of one run: hidden, being read, shown, or not to be had.

    Parameters
    ----------
    zone
        The time zone of their times.
    connection
        Another server than that of the active Prefect profile.
    on_change
        Called, in whatever thread, when there is something else to show.
    """

    def __init__(
        self, *, zone: tzinfo = UTC, connection: Connection | None = None, on_change: Callable[[], None]
    ) -> None:
        self._zone = zone
        self._connection = connection
        self._on_change = on_change
        self._background = Background()
        self._run_id: str | None = None
        self._limit = FEW
        self._forget()

    def about(self, run_id: str | None) -> None:
        """Be about a run: about another one than before, its lines are hidden until they are asked for."""
        if run_id != self._run_id:
            self._end()
            self._run_id, self._limit = run_id, FEW
            self._forget()

    def heed(self, word: str) -> None:
        """Do what a button says: show, more, refresh, hide."""
        self._end()
        if word == "hide":
            self._forget()
            self._limit = FEW
        else:
            self._limit = min(self._limit * _TIMES_MORE, MANY) if word == "more" else self._limit
            self._is_reading, self._failure = True, ""
            self._background.start(self._read)
        self._on_change()

    def join(self) -> None:
        """Wait for the end of a read."""
        self._background.join()

    def html(self) -> str:
        """Give them, with the buttons for what can be done."""
        if self._run_id is None:
            return ""
        return f"<h4>Logs</h4>{''.join(self._parts())}"

    def _end(self) -> None:
        self._background.stop()
        self._background.join()

    def _forget(self) -> None:
        self._lines: pd.DataFrame | None = None
        self._failure = ""
        self._is_reading = False

    def _read(self, turn: Turn) -> None:
        try:
            with heard():  # what they lack stands in their attrs
                lines = read_logs(
                    self._run_id, limit=self._limit, connection=self._connection, progress=lambda *_: turn.look()
                )
        except KeyboardInterrupt:
            return
        except PrefectNbvizError as error:
            self._failure = str(error)
        except Exception as error:  # noqa: BLE001 - a thread that dies would leave the panel waiting for ever
            self._failure = f"{type(error).__name__}: {error}"
        else:
            self._lines = lines
        if not turn.is_stopped:
            self._is_reading = False
            self._on_change()

    def _parts(self) -> Iterator[str]:
        if self._failure:
            yield f'<p class="nbviz-line nbviz-error">The logs could not be read. {markup(self._failure)}</p>'
        if self._lines is None:
            label = "Reading…" if self._is_reading else "Try again" if self._failure else "Show logs"
            yield f'<div class="nbviz-buttons">{button(label, "logs:show")}</div>'
            return
        yield f'<p class="nbviz-quiet">{_said(self._lines, self._zone)}</p>'
        yield lines_html(self._lines, zone=self._zone)
        yield f'<div class="nbviz-buttons">{"".join(self._buttons(self._lines))}</div>'

    def _buttons(self, lines: pd.DataFrame) -> Iterator[str]:
        more = min(self._limit * _TIMES_MORE, MANY)
        if lines.attrs[frames.ATTRS]["truncated"] and more > self._limit:
            yield button(f"Show {more:,} lines", "logs:more")
        yield button("Reading…" if self._is_reading else "Refresh", "logs:refresh")
        yield button("Hide", "logs:hide")


def _said(lines: pd.DataFrame, zone: tzinfo) -> str:
    """Say how many lines there are, and whether that is all."""
    attrs, count = lines.attrs[frames.ATTRS], len(lines)
    as_of = f"as of {datetime.fromisoformat(attrs['as_of']).astimezone(zone):%H:%M:%S}"
    if not attrs["truncated"]:
        noun = "line" if count == 1 else "lines"
        return f"{count:,} {noun}: all there are, {as_of}" if count else f"No lines on the server, {as_of}"
    last = "" if count < MANY else " read_logs(run_id, limit=None) gives all."
    return f"The newest {count:,} lines, {as_of}: there are more.{last}" if count >= FEW else markup(attrs["reason"])


def lines_html(lines: pd.DataFrame, *, zone: tzinfo) -> str:
    """Give lines as HTML, the newest last; all that is not INFO says its level."""
    if lines.empty:
        return ""
    moments = lines["timestamp"].dt.tz_convert(zone)
    has_days = moments.iloc[0].date() != moments.iloc[-1].date()
    shown, day = [], None
    for moment, level, name, logger, message in zip(
        moments, lines["level"], lines["level_name"], lines["logger_name"], lines["message"], strict=True
    ):
        if has_days and moment.date() != day:
            day = moment.date()
            shown.append(f'<li class="nbviz-day">{day}</li>')
        shown.append(_line(moment, level, name, logger, message))
    return f'<ol class="nbviz-log" tabindex="0" aria-label="Log lines, the newest last">{"".join(shown)}</ol>'


def _line(moment: Any, level: int, name: str, logger: str, message: str) -> str:
    title = f"{moment} · {markup(name)} · {markup(logger)}"
    said = "" if level == logging.INFO else f"<b>{markup(name)}</b> "
    return (
        f'<li class="{_level_class(level)}"><time title="{title}">{moment:%H:%M:%S}</time>'
        f"<span>{said}{markup(message)}</span></li>"
    )


def _level_class(level: int) -> str:
    for least, name in ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info")):
        if level >= least:
            return f"nbviz-log-{name}"
    return "nbviz-log-debug"
