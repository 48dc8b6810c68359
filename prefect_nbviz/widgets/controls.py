"""The controls of the explorer: together they say one query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz.query import QUERY_TYPES, FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.states import STATE_NAMES
from prefect_nbviz.widgets.chips import StateField, TagField
from prefect_nbviz.widgets.kept import KeptCriteria
from prefect_nbviz.widgets.window import WindowField

LIMITS = {"100": 100, "1,000": 1_000, "10,000": 10_000, "All": None}
"""How many runs can be chosen to be read at most."""

_SORTS = {
    "EXPECTED_START_TIME_DESC": "Expected start, newest first",
    "EXPECTED_START_TIME_ASC": "Expected start, oldest first",
    "START_TIME_DESC": "Start, newest first",
    "START_TIME_ASC": "Start, oldest first",
    "END_TIME_DESC": "End, newest first",
    "NAME_ASC": "Name, A to Z",
    "NAME_DESC": "Name, Z to A",
    "ID_DESC": "Id",
}
_SUGGESTED = {
    "tags_any": "tags",
    "tags_all": "tags",
    "tags_none": "tags",
    "flow": "flow_name",
    "deployment": "deployment_name",
    "name": "name",
}
_MAX_SUGGESTED = 200
_TIME_FIELDS = {"Start": "start_time", "End": "end_time", "Expected start": "expected_start_time"}
_KINDS = {"Task runs": "task_run", "Flow runs": "flow_run"}


@dataclass(frozen=True)
class Field:
    """The control of one criterion."""

    widget: Any
    """An ipywidget with a `value`."""

    @property
    def criterion(self) -> Any:
        """What the control says; None where it says nothing."""
        value = self.widget.value
        return tuple(value) or None if isinstance(value, list) else None if value == "" else value

    def take(self, value: Any) -> None:
        """Make the control say a criterion."""
        match self.widget:
            case TagField() | StateField():
                self.widget.value = [*(value or ())]
            case ipw.Text():
                self.widget.value = value or ""
            case _:
                self.widget.value = value


class FilterControls(ipw.VBox):
    """One control for each criterion of `FlowRunQuery` and `TaskRunQuery`; their `value` is the query.

    Parameters
    ----------
    query
        What the controls say at first.

    Examples
    --------
    >>> controls = FilterControls(TaskRunQuery(since="1d"))
    >>> controls.fields["tags_any"].widget.value = ["prod", "etl"]
    >>> controls.value
    TaskRunQuery(tags_any=['prod', 'etl'], since='1d')
    """

    def __init__(self, query: FlowRunQuery | TaskRunQuery) -> None:
        self.kind = ipw.ToggleButtons(options=[*_KINDS.items()], tooltips=["Look at task runs", "Look at flow runs"])
        self.window = WindowField()
        self.kept = KeptCriteria()
        self.fields = {word: Field(widget) for word, widget in _widgets().items()}
        self.actions = ipw.HBox()
        self.actions.add_class("nbviz-actions")
        self.more = ipw.Accordion([_row(*(self.fields[word].widget for word in _MORE))])
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
        said = {word: field.criterion for word, field in self.fields.items()}
        kept = {word: value for word, value in self.kept.of(self.kind.value).items() if said.get(word) is None}
        return QUERY_TYPES[self.kind.value](**said | kept, since=since, until=until)

    @value.setter
    def value(self, query: RunQuery) -> None:
        with self._held():
            self.kind.value = query.kind
            self._offer_sorts()
            self._offer_limit(query.limit)
            self.window.value = query.since, query.until
            for word, field in self.fields.items():
                field.take(getattr(query, word))
            self.kept.value = _without_control(query)

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
                texts = runs[column].explode().dropna().unique()
                self.fields[word].widget.suggestions = sorted(map(str, texts))[:_MAX_SUGGESTED]

    def _layout(self) -> list[Any]:
        first = _row(self.kind, self.window, self.fields["limit"].widget, self.actions)
        first.add_class("nbviz-first")
        return [
            first,
            self.fields["state_type"].widget,
            _row(*(self.fields[word].widget for word in _ESSENTIAL)),
            self.kept,
            self.more,
        ]

    def _watch(self) -> None:
        self.kind.observe(self._changed, "value")
        self.window.on_change(self._changed)
        self.kept.observe(self._changed, "value")
        for field in self.fields.values():
            field.widget.observe(self._changed, "value")
        self._say_more()

    def _changed(self, change: Any = None) -> None:
        if self._is_held:
            return
        if change is not None and change["owner"] is self.kind:
            with self._held():
                self._offer_sorts()
            return
        self.kept.drop([word for word, field in self.fields.items() if field.criterion is not None])
        self._say_more()
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

    def _offer_sorts(self) -> None:
        """Offer the orders that the kind of run has, and keep the chosen one if it is among them."""
        widget, query_type = self.fields["sort"].widget, QUERY_TYPES[self.kind.value]
        before = widget.value
        widget.options = [(_SORTS[sort], sort) for sort in query_type.sorts]
        widget.value = before if before in query_type.sorts else query_type.sorts[0]
        self.kept.show(self.kind.value)

    def _offer_limit(self, limit: int | None) -> None:
        """Make a choice of a limit that code gave."""
        choices = LIMITS if limit in LIMITS.values() else {f"{limit:,}": limit, **LIMITS}
        self.fields["limit"].widget.options = [*choices.items()]

    def _set_in_more(self) -> int:
        """Count the criteria in the folded part that are set."""
        plain = {"sort": QUERY_TYPES[self.kind.value].sorts[0], "time_field": "start_time"}
        return sum(self.fields[word].criterion != plain.get(word) for word in _MORE)

    def _say_more(self) -> None:
        number = self._set_in_more()
        self.more.set_title(0, f"More filters ({number} set)" if number else "More filters")


_ESSENTIAL = ("tags_any", "name_like", "flow")
_MORE = (
    "tags_all", "tags_none", "deployment", "state_name", "name", "ids", "time_field", "sort",
)  # fmt: skip


def _widgets() -> dict[str, Any]:
    """Give the control of each criterion but the window, by its word."""
    widgets = {
        "state_type": StateField(),
        "tags_any": TagField(label="Tags: any of", placeholder="prod"),
        "name_like": ipw.Text(description="Name contains", placeholder="transform", continuous_update=False),
        "flow": TagField(label="Flow", placeholder="daily_ingest"),
        "tags_all": TagField(label="Tags: all of"),
        "tags_none": TagField(label="Tags: none of"),
        "deployment": TagField(label="Deployment", placeholder="flow/deployment"),
        "state_name": TagField(label="State name", placeholder="TimedOut", suggestions=[*STATE_NAMES]),
        "name": TagField(label="Name is"),
        "ids": TagField(label="Run ids", placeholder="paste any number"),
        "time_field": ipw.Dropdown(description="Time is of", options=[*_TIME_FIELDS.items()]),
        "sort": ipw.Dropdown(description="Order", options=[*_SORTS]),
        "limit": ipw.Dropdown(description="At most", options=[*LIMITS.items()]),
    }
    for widget in widgets.values():
        widget.add_class("nbviz-field")
    return widgets


def _without_control(query: RunQuery) -> dict[str, Any]:
    """Give the criteria that only code can set: parents, and lists without a value, which match nothing."""
    parents = getattr(query, "flow_runs", None)
    empty = {word: () for word in query.criteria() if getattr(query, word) == ()}
    return empty | ({} if parents is None else {"flow_runs": parents})


def _row(*children: Any) -> ipw.Box:
    row = ipw.Box(children)
    row.add_class("nbviz-row")
    return row
