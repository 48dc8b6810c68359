"""Where the explorer stands: what it has loaded, what it does now, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.widgets.status import Line, summary

STALE = "Filters changed: press Load"


@dataclass
class Standing:
    """What the status line is made from."""

    loaded: FlowRunQuery | TaskRunQuery | None = None
    """The query of what is shown."""

    counts: Mapping[str, int | None] = field(default_factory=dict)
    """How many runs are in each state type, of those that match but for their state type."""

    stage: str = ""
    """What a failure at this moment would mean, as a sentence."""

    failure: str = ""
    """What went wrong, in sentences."""

    notes: list[str] = field(default_factory=list)
    """What reads warned of, in sentences."""

    change: str = ""
    """How the last look differs from the one before."""

    is_busy: bool = False
    """Whether the person waits for a read."""

    callbacks: list[Callable[[], None]] = field(default_factory=list)
    """Called when a read begins or ends."""

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back when a read begins or ends."""
        self.callbacks.append(callback)

    def end(self, notes: Iterable[str], *, quietly: bool) -> None:
        """Take note of the end of a read, and of what it warned of: one that says no more than another is left out."""
        if not (quietly and self.failure):
            self.notes = []
            for sentence in notes:
                if not any(sentence in note for note in self.notes):
                    self.notes.append(sentence)
        self.is_busy = False
        self._tell()

    def _tell(self) -> None:
        for callback in self.callbacks:
            callback()

    def begin(self, *, quietly: bool) -> None:
        """Take note of the beginning of a read; of a quiet one, what was said before stays until it has ended."""
        if not quietly:
            self.failure, self.change, self.notes, self.is_busy = "", "", [], True
            self._tell()

    def fail(self, error: BaseException, *, ours: bool) -> None:
        """Put a failure into words: our own errors are sentences."""
        text = str(error) if ours else f"{type(error).__name__}: {error}".removesuffix(": ")
        self.failure = f"{self.stage} {text}"

    def lines(
        self, runs: pd.DataFrame, query: RunQuery | None, problem: str, *, live: str, zone: tzinfo
    ) -> Iterator[Line]:
        """Say all of it, the worst first.

        Parameters
        ----------
        runs
            What is shown.
        query, problem
            What the controls say, or why that cannot be.
        live
            How live it is; empty if it is not.
        zone
            The time zone of the moments.
        """
        if problem:
            yield "error", problem
        elif query != self.loaded and self.loaded is not None and not self.is_busy:
            yield "warn", STALE
        if self.failure:
            yield ("warn" if live else "error"), f"{self.failure} {live}".strip()
        if self.loaded is not None:
            tone, text = summary(runs, self.loaded, self.counts, zone=zone)
            before = [live] if live and not self.failure else []
            yield tone, " · ".join([*before, text, *([self.change] if self.change else [])])
            yield from (("warn", note) for note in self.notes if not self._is_plain_cut(note, runs))

    def _is_plain_cut(self, note: str, runs: pd.DataFrame) -> bool:
        """Say whether a note says no more than the summary: that the limit left some out."""
        is_reason = note == runs.attrs[frames.ATTRS]["reason"] and len(runs) == getattr(self.loaded, "limit", None)
        return is_reason and not isinstance(getattr(self.loaded, "flow_runs", None), FlowRunQuery)
