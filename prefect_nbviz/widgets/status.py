"""What the explorer says about itself: what is loaded, what is wrong, how far a read has got."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.query import RunQuery
from prefect_nbviz.query_text import criteria_text

Tone = Literal["good", "quiet", "warn", "error"]
Line = tuple[Tone, str]
"""One sentence and how it is meant."""

Counts = Mapping[str, int | None]


class StatusLine(ipw.HTML):
    """Sentences, each in the colour of what it means.

    Examples
    --------
    >>> status = StatusLine()
    >>> status.show([("error", "Nothing answers at http://127.0.0.1:1/api.")])
    >>> "nbviz-error" in status.value
    True
    """

    def show(self, lines: Sequence[Line]) -> None:
        """Show these sentences instead of those before."""
        shown = "".join(f'<div class="nbviz-line nbviz-{tone}">{html.escape(text)}</div>' for tone, text in lines)
        self.value = f'<div role="status" aria-live="polite">{shown}</div>'
        self.layout.display = None if lines else "none"


class ProgressLine(ipw.HBox):
    """How far a read has got, in words and as a bar."""

    def __init__(self) -> None:
        self.label = ipw.Label()
        self.bar = ipw.IntProgress(max=1)
        super().__init__([self.label, self.bar])
        self.add_class("nbviz-progress")
        self.hide()

    def say(self, what: str, done: int = 0, total: int | None = None, *, note: str = "") -> None:
        """Show what is done: `done` of `total`, or of a number not known; `note` is what is waited for."""
        numbers = "" if not done and total is None else f" {done:,}" if total is None else f" {done:,} of {total:,}"
        self.label.value = f"{what}…{numbers}" + (f" ({note})" if note else "")
        self.bar.max = total or 1
        self.bar.value = done if total else 0
        self.layout.display = None

    def hide(self) -> None:
        """Show nothing: the work is done."""
        self.layout.display = "none"


def invitation(query: RunQuery, *, zone: tzinfo = UTC) -> str:
    """Say what the button would do, moments in a time zone.

    Examples
    --------
    >>> from prefect_nbviz.query import FlowRunQuery
    >>> invitation(FlowRunQuery(since="1d", state_type="FAILED"))
    'Press Load to read flow runs: FAILED · last 24 h'
    >>> invitation(FlowRunQuery(since="1d"))
    'Press Load to read flow runs of the last 24 h'
    """
    noun, words = f"{query.noun}s", criteria_text(query, zone=zone)
    if words.startswith("last "):
        return f"Press Load to read {noun} of the {words}"
    return f"Press Load to read {noun}: {words}"


def summary(runs: pd.DataFrame, query: RunQuery, counts: Counts, *, zone: tzinfo = UTC) -> Line:
    """Say what a frame of runs holds, of how much, and whether that is all.

    Parameters
    ----------
    runs
        What was read.
    query
        What was asked.
    counts
        How many runs are in each state type, of those that match but for their state type.
    zone
        The time zone of the moments.
    """
    attrs, noun = runs.attrs[frames.ATTRS], f"{query.noun}s"
    as_of = f"as of {datetime.fromisoformat(attrs['as_of']).astimezone(zone):%H:%M:%S} {zone}"
    tail = [criteria_text(query, zone=zone), as_of, "not complete" if attrs["truncated"] else "complete"]
    head = _how_many(len(runs), attrs, noun, query, counts)
    tone: Tone = "warn" if attrs["truncated"] else "good" if len(runs) else "quiet"
    return tone, f"{head}{' ' if head.endswith('.') else ' · '}{' · '.join(tail)}"


def _how_many(read: int, attrs: Mapping[str, Any], noun: str, query: RunQuery, counts: Counts) -> str:
    if attrs["truncated"]:
        matched = attrs["matched"]
        return f"Showing the first {read:,} of {f'{matched:,}' if matched is not None else 'more'} {noun}"
    total = all_states(counts) if query.state_type else None
    if not read:
        others = f" {total:,} match in other states." if total else ""
        return f"No {noun} match.{others}"
    noun = noun.removesuffix("s") if (total or read) == 1 else noun
    return f"{read:,} {noun}" if total is None else f"{read:,} of {total:,} {noun}"


def all_states(counts: Counts) -> int | None:
    """Give how many runs are in any state; None where that is not known.

    Examples
    --------
    >>> all_states({"FAILED": 2, "COMPLETED": 5}), all_states({"FAILED": None}), all_states({})
    (7, None, None)
    """
    numbers: Iterable[int | None] = counts.values()
    known = [number for number in numbers if number is not None]
    return sum(known) if known and len(known) == len(counts) else None
