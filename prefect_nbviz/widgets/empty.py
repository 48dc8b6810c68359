"""What stands in the place of runs where there are none: what to do, or which filter leaves nothing."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as ipw

from prefect_nbviz.query import QUERY_TYPES, FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.query_text import criterion_text
from prefect_nbviz.reading import Connection, count_runs
from prefect_nbviz.reading.worker import Report

MOST_TRIED = 8
"""Filters that are left out one at a time, each for a request, to see which of them leaves nothing."""

_NO_FILTERS = ("sort", "limit", "time_field", "start_time_fallback")


@dataclass(frozen=True)
class Way:
    """A query that asks for more than one that found nothing."""

    text: str
    """What it leaves out, for a button."""

    runs: int
    """How many runs match it."""

    query: RunQuery
    """The query."""


def ways_out(query: FlowRunQuery | TaskRunQuery, connection: Connection | None, *, progress: Report) -> list[Way]:
    """Give the queries without one of the filters that match some runs; last the one without any, if it does.

    Raises
    ------
    PrefectNbvizError
        As `count_runs`.
    """
    asked = query.criteria()
    tried = [word for word in asked if word not in _NO_FILTERS and asked[word] is not None][:MOST_TRIED]
    ways: list[tuple[str, Any]] = [
        (f"without {criterion_text(word, asked[word])}", query.replace(**{word: None})) for word in tried
    ]
    if len(tried) != 1:
        ways.append(("without any filter", QUERY_TYPES[query.kind](limit=query.limit)))
    found = (Way(text, count_runs(wider, connection=connection, progress=progress) or 0, wider) for text, wider in ways)
    return [way for way in found if way.runs]


class EmptyPanel(ipw.VBox):
    """A sentence, and a button for each way on.

    Examples
    --------
    >>> panel = EmptyPanel()
    >>> panel.invite("Press Load to read task runs of the last 24 h")
    >>> panel.text
    'Press Load to read task runs of the last 24 h'
    """

    def __init__(self) -> None:
        self.text = ""
        self._html = ipw.HTML()
        self._ways = ipw.HBox()
        self._ways.add_class("nbviz-ways")
        self._callbacks: list[Callable[[RunQuery], None]] = []
        super().__init__([self._html, self._ways])
        self.add_class("nbviz-panel")

    def on_choose(self, callback: Callable[[RunQuery], None]) -> None:
        """Call back with the query of the button that is pressed."""
        self._callbacks.append(callback)

    def invite(self, text: str) -> None:
        """Show a sentence alone; nothing if it is empty."""
        self._say(text, [])

    def show(self, query: RunQuery, ways: Sequence[Way] | None) -> None:
        """Say that nothing matches a query, and which ways on there are; None where that is not known."""
        noun, filters = f"{query.noun}s", sum(word not in _NO_FILTERS for word in query.criteria())
        if ways is not None and not ways:
            self._say(f"There are no {noun} on this server yet.", [])
            return
        many = "" if not filters else " this filter" if filters == 1 else f" these {filters} filters"
        self._say(f"No {noun} match{many}.", ways or [])

    def _say(self, text: str, ways: Sequence[Way]) -> None:
        self.text = text
        self._html.value = f"<div>{html.escape(text)}</div>"
        self._ways.children = [self._button(way) for way in ways]
        self._ways.layout.display = None if ways else "none"
        self.layout.display = None if text else "none"

    def _button(self, way: Way) -> ipw.Button:
        button = ipw.Button(description=f"{way.runs:,} {way.text}", tooltip=f"Show them: {way.text}")
        button.on_click(lambda _: [callback(way.query) for callback in self._callbacks])
        return button
