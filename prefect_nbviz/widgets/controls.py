"""The controls of the explorer: together they say one query."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, tzinfo
from itertools import chain
from typing import Any

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz.query import QUERY_TYPES, FlowRunQuery, RunKind, RunQuery, TaskRunQuery
from prefect_nbviz.widgets.fields import ESSENTIAL, GROUPS, Field, make_fields
from prefect_nbviz.widgets.kept import KeptCriteria
from prefect_nbviz.widgets.window import WindowField

_SUGGESTED = {
    "tags_any": "tags",
    "tags_all": "tags",
    "tags_none": "tags",
    "flow": "flow_name",
    "deployment": "deployment_name",
    "name": "name",
    "name_not": "name",
    "work_pool": "work_pool_name",
    "work_queue": "work_queue_name",
    "flow_version": "flow_version",
}
"""The columns whose texts a field offers."""

_MAX_SUGGESTED = 200
_KINDS = {"Task runs": "task_run", "Flow runs": "flow_run"}


class FilterControls(ipw.VBox):
    """One control for each criterion of `FlowRunQuery` and `TaskRunQuery`; their `value` is the query.

    Parameters
    ----------
    query
        What the controls say at first.
    zone
        The time zone of the moments that are typed.

    Examples
    --------
    >>> controls = FilterControls(TaskRunQuery(since="1d"))
    >>> controls.fields["tags_any"].widget.value = ["prod", "etl"]
    >>> controls.value
    TaskRunQuery(tags_any=['prod', 'etl'], since='1d')
    """

    def __init__(self, query: FlowRunQuery | TaskRunQuery, *, zone: tzinfo = UTC) -> None:
        self.kind = ipw.ToggleButtons(options=[*_KINDS.items()], tooltips=["Look at task runs", "Look at flow runs"])
        self.window = WindowField(zone=zone)
        self.kept = KeptCriteria()
        self.fields = make_fields()
        self.actions = ipw.HBox()
        self.actions.add_class("nbviz-actions")
        self.groups = {title: _group(title, self._row(words)) for title, words in GROUPS.items()}
        self.more = ipw.Accordion([ipw.VBox([*self.groups.values()])])
        self._callbacks: list[Callable[[], None]] = []
        self._is_held = False
        super().__init__(self._layout())
        self.add_class("nbviz-controls")
        self.value = query
        self.more.selected_index = 0 if self._set_in_more() else None
        self._watch()

    @property
    def value(self) -> Any:
        """The query that the controls say now, a `FlowRunQuery` or a `TaskRunQuery`.

        Raises
        ------
        QueryError
            They say something that cannot be.
        """
        since, until = self.window.value
        said = {word: field.criterion for word, field in self._fields().items()}
        kept = {word: value for word, value in self.kept.of(self._kind).items() if said.get(word) is None}
        return QUERY_TYPES[self._kind](**said | kept, since=since, until=until)

    @value.setter
    def value(self, query: RunQuery) -> None:
        with self._held():
            self.kind.value = query.kind
            self.window.value = query.since, query.until
            asked = _without_window(query)
            said = {word for word, field in self.fields.items() if field.take(asked.get(word))}
            self.kept.value = {word: value for word, value in asked.items() if value is not None and word not in said}

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back when what the controls say may have changed."""
        self._callbacks.append(callback)

    def show_counts(self, counts: Mapping[str, int | None]) -> None:
        """Show how many runs are in each state type."""
        self.fields["state_type"].widget.counts = dict(counts)

    def suggest_from(self, runs: pd.DataFrame) -> None:
        """Offer the texts that some runs have; any other can still be typed."""
        for word, column in _SUGGESTED.items():
            if column in runs.columns:
                self.fields[word].widget.suggestions = _texts(runs[column])
        keys = runs["tags"].explode().dropna().astype(str)
        self.fields["tag_keys"].widget.suggestions = _texts(keys[keys.str.contains(":")].str.split(":").str[0])

    @property
    def _kind(self) -> RunKind:
        kind: RunKind = self.kind.value
        return kind

    def _fields(self) -> dict[str, Field]:
        """Give the controls of the criteria that the chosen kind of run has."""
        return {word: field for word, field in self.fields.items() if hasattr(QUERY_TYPES[self._kind], word)}

    def _layout(self) -> list[Any]:
        first = _row(self.kind, self.window, self.fields["limit"].widget, self.actions)
        first.add_class("nbviz-first")
        return [
            first,
            self.fields["state_type"].widget,
            self._row(ESSENTIAL),
            self.kept,
            self.more,
        ]

    def _row(self, words: Iterable[str]) -> ipw.Box:
        return _row(*(self.fields[word].widget for word in words))

    def _watch(self) -> None:
        self.kind.observe(self._changed, "value")
        self.window.on_change(self._changed)
        self.kept.observe(self._changed, "value")
        for field in self.fields.values():
            field.widget.observe(self._changed, "value")
        self._show_kind()

    def _changed(self, _change: object = None) -> None:
        if self._is_held:
            return
        self.kept.drop([word for word, field in self._fields().items() if field.is_set])
        self._show_kind()
        for callback in self._callbacks:
            callback()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Take several changes as one."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        self._changed()

    def _show_kind(self) -> None:
        """Show what the chosen kind of run has, and how much of the folded part is set."""
        fields = self._fields()
        self.kept.show(self._kind)
        for title, words in GROUPS.items():
            self.groups[title].layout.display = None if {*words} & {*fields} else "none"
        number = self._set_in_more()
        self.more.set_title(0, f"More filters ({number} set)" if number else "More filters")

    def _set_in_more(self) -> int:
        """Count the criteria in the folded part that are set."""
        return sum(field.is_set for word, field in self._fields().items() if word in chain(*GROUPS.values()))


def _without_window(query: RunQuery) -> dict[str, Any]:
    words = (field.name for field in dataclasses.fields(query))
    return {word: getattr(query, word) for word in words if word not in {"since", "until"}}


def _texts(values: pd.Series[Any]) -> list[str]:
    return sorted(map(str, values.explode().dropna().unique()))[:_MAX_SUGGESTED]


def _group(title: str, row: ipw.Box) -> ipw.VBox:
    heading = ipw.Label(title)
    heading.add_class("nbviz-heading")
    group = ipw.VBox([heading, row])
    group.add_class("nbviz-group")
    return group


def _row(*children: Any) -> ipw.Box:
    row = ipw.Box(children)
    row.add_class("nbviz-row")
    return row
