"""The criteria of a query that code gave and that no control can say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import traitlets

from prefect_nbviz.query import QUERY_TYPES, RunKind, RunQuery


class KeptCriteria(traitlets.HasTraits):
    """Criteria that stay until they are removed, or a control says another.

    Examples
    --------
    >>> from prefect_nbviz.query import FlowRunQuery
    >>> kept = KeptCriteria()
    >>> kept.value = {"flow_runs": FlowRunQuery(tags_all="prod")}
    >>> kept.texts("task_run")
    {'flow_runs': "tags_all=['prod']"}
    >>> kept.drop(["flow_runs"])
    >>> kept.value
    {}
    """

    value = traitlets.Dict()
    """The criteria, by their words."""

    def of(self, kind: RunKind) -> dict[str, Any]:
        """Give the criteria that a kind of run has."""
        return {word: value for word, value in self.value.items() if hasattr(QUERY_TYPES[kind], word)}

    def texts(self, kind: RunKind) -> dict[str, str]:
        """Say the criteria that a kind of run has, by their words."""
        return {word: _text(value) for word, value in self.of(kind).items()}

    def drop(self, words: Iterable[str]) -> None:
        """Keep some no longer."""
        gone = {*words}
        self.value = {word: value for word, value in self.value.items() if word not in gone}


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
