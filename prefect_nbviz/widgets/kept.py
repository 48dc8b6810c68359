"""The criteria of a query that code gave and that no control can say: each is shown, and can be removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ipywidgets as ipw
import traitlets

from prefect_nbviz.query import QUERY_TYPES, RunKind, RunQuery


class KeptCriteria(ipw.HBox):
    """A removable chip for each criterion.

    Examples
    --------
    >>> from prefect_nbviz.query import FlowRunQuery
    >>> kept = KeptCriteria()
    >>> kept.value = {"flow_runs": FlowRunQuery(tags_all="prod")}
    >>> kept.children[0].description
    "flow runs: tags_all=['prod']"
    >>> kept.children[0].click()
    >>> kept.value
    {}
    """

    value = traitlets.Dict()
    """The criteria, by their words."""

    def __init__(self) -> None:
        super().__init__()
        self._kind: RunKind = "task_run"
        self.add_class("nbviz-row")
        self.observe(lambda _: self._draw(), "value")
        self._draw()

    def of(self, kind: RunKind) -> dict[str, Any]:
        """Give the criteria that a kind of run has."""
        return {word: value for word, value in self.value.items() if hasattr(QUERY_TYPES[kind], word)}

    def show(self, kind: RunKind) -> None:
        """Show the chips of the criteria that a kind of run has."""
        self._kind = kind
        self._draw()

    def drop(self, words: Iterable[str]) -> None:
        """Keep no longer what a control says by now."""
        gone = {*words}
        self.value = {word: value for word, value in self.value.items() if word not in gone}

    def _draw(self) -> None:
        self.children = [self._chip(word, value) for word, value in self.of(self._kind).items()]
        self.layout.display = None if self.children else "none"

    def _chip(self, word: str, value: Any) -> ipw.Button:
        chip = ipw.Button(description=f"{word.replace('_', ' ')}: {_text(value)}", icon="times")
        chip.tooltip = f"Remove: {chip.description}"
        chip.add_class("nbviz-kept")
        chip.on_click(lambda _: self.drop([word]))
        return chip


def _text(value: Any) -> str:
    if isinstance(value, RunQuery):
        criteria: Mapping[str, Any] = value.criteria()
        return ", ".join(f"{word}={one!r}" for word, one in criteria.items()) or "all"
    if isinstance(value, dict):
        return repr(value)
    if not value:
        return "none, which matches nothing"
    if not isinstance(value, tuple):
        return str(value)
    return f"{len(value):,} {'id' if len(value) == 1 else 'ids'}"
