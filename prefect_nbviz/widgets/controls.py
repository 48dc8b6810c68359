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

from prefect_nbviz.errors import QueryError
from prefect_nbviz.query import QUERY_TYPES, FlowRunQuery, RunKind, RunQuery, TaskRunQuery
from prefect_nbviz.reading import Connection
from prefect_nbviz.widgets.bar import FilterBar
from prefect_nbviz.widgets.fields import GROUPS, IN_SIGHT, Field, chip_label, make_fields
from prefect_nbviz.widgets.kept import KeptCriteria
from prefect_nbviz.widgets.offering import Offering
from prefect_nbviz.widgets.preset_menu import PresetMenu
from prefect_nbviz.widgets.presets import PresetStore
from prefect_nbviz.widgets.window import WindowField

_KINDS = {"Task runs": "task_run", "Flow runs": "flow_run"}


class FilterControls(ipw.VBox):
    """A bar with a chip for each criterion that is set, and a field for each that can be; their `value` is the query.

    Parameters
    ----------
    query
        What the controls say at first.
    zone
        The time zone of the moments that are typed.
    connection
        The server that the fields ask what they can offer, once one of them is opened; None for that of the active
        Prefect profile.
    presets
        Where filters are saved; unless told, in the person's folder for Jupyter's settings.

    Examples
    --------
    >>> controls = FilterControls(TaskRunQuery(since="1d"))
    >>> controls.fields["tags_any"].widget.value = ["prod", "etl"]
    >>> controls.value
    TaskRunQuery(tags_any=['prod', 'etl'], since='1d')
    >>> controls.remove("tags_any")
    >>> controls.value
    TaskRunQuery(since='1d')
    """

    def __init__(
        self,
        query: FlowRunQuery | TaskRunQuery,
        *,
        zone: tzinfo = UTC,
        connection: Connection | None = None,
        presets: PresetStore | None = None,
    ) -> None:
        self.kind = ipw.ToggleButtons(options=[*_KINDS.items()], tooltips=["Look at task runs", "Look at flow runs"])
        self.window = WindowField(zone=zone)
        self.kept = KeptCriteria()
        self.fields = make_fields()
        self.bar = FilterBar()
        self.actions = ipw.HBox()
        self.actions.add_class("nbviz-actions")
        self.offering = Offering(self.fields, query=self._value_or_none, connection=connection, zone=zone)
        self.presets = PresetMenu(self.bar, self, presets or PresetStore())
        self._callbacks: list[Callable[[], None]] = []
        self._is_held = False
        super().__init__(self._layout())
        self.add_class("nbviz-controls")
        self.value = query
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
        """Offer also the texts that some runs have; any other can still be typed."""
        self.offering.take_rows(runs)
        self.offering.open(self.bar.edited)

    def remove(self, word: str) -> None:
        """Ask no longer by a criterion."""
        self._remove([word])

    def clear(self) -> None:
        """Ask no longer by any criterion; the window, the order and the limit stay."""
        self._remove([*chain(*GROUPS.values()), "name_like", *self.kept.value])

    def _remove(self, words: Iterable[str]) -> None:
        with self._held():
            self.kept.drop(words)
            for word in words:
                if word in self.fields:
                    self.fields[word].clear()

    @property
    def _kind(self) -> RunKind:
        kind: RunKind = self.kind.value
        return kind

    def _value_or_none(self) -> RunQuery | None:
        try:
            query: RunQuery = self.value
        except QueryError:
            return None
        return query

    def _fields(self) -> dict[str, Field]:
        """Give the controls of the criteria that the chosen kind of run has."""
        return {word: field for word, field in self.fields.items() if hasattr(QUERY_TYPES[self._kind], word)}

    def _layout(self) -> list[Any]:
        first = _row("first", self.kind, self.window, self._widget("name_like"), self.actions)
        order = _row("order", self._widget("sort"), self._widget("limit"))
        second = _row("second", self.bar, order)
        done = ipw.Button(description="Done", tooltip="Close (Escape)")
        done.on_click(lambda _: self.bar.set_trait("edited", ""))
        edited = [word for word in chain(*GROUPS.values()) if word != "state_type"]
        editor = _row("editor", *map(self._widget, edited), done)
        return [first, second, editor, self._widget("state_type")]

    def _widget(self, word: str) -> Any:
        return self.fields[word].widget

    def _watch(self) -> None:
        self.kind.observe(self._changed, "value")
        self.window.on_change(self._changed)
        self.kept.observe(self._changed, "value")
        for field in self.fields.values():
            field.widget.observe(self._changed, "value")
        self.bar.on_action("remove", lambda told: self.remove(str(told["word"])))
        self.bar.on_action("clear", lambda _: self.clear())
        self.bar.observe(lambda change: self.offering.open(change["new"]), "edited")

    def _changed(self, _change: object = None) -> None:
        if self._is_held:
            return
        with self._quiet():
            self.kept.drop([word for word, field in self._fields().items() if field.is_set])
        self._show()
        self.offering.query_changed(self.bar.edited)
        for callback in self._callbacks:
            callback()

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Take several changes as one."""
        with self._quiet():
            yield
        self._changed()

    def _show(self) -> None:
        """Show a chip for what is set, and in the menu what the chosen kind of run has."""
        fields = self._fields()
        with self.bar.hold_sync():
            if self.bar.edited not in fields:
                self.bar.edited = ""
            self.bar.chips = [*self._chips(fields)]
            self.bar.can_clear = bool(self.bar.chips) or fields["name_like"].is_set
            self.bar.menu = [
                [title, [self._entry(word) for word in words if word in fields]] for title, words in GROUPS.items()
            ]

    def _chips(self, fields: Mapping[str, Field]) -> Iterator[dict[str, Any]]:
        texts = {word: field.text for word, field in fields.items() if field.is_set and word not in IN_SIGHT}
        for word, text in (texts | self.kept.texts(self._kind)).items():
            yield {"word": word, "label": chip_label(word), "text": text, "can_edit": word in fields}

    def _entry(self, word: str) -> dict[str, Any]:
        field = self.fields[word]
        return {"word": word, "label": field.label, "hint": word, "is_set": field.is_set}


def _without_window(query: RunQuery) -> dict[str, Any]:
    words = (field.name for field in dataclasses.fields(query))
    return {word: getattr(query, word) for word in words if word not in {"since", "until"}}


def _row(name: str, *children: Any) -> ipw.Box:
    row = ipw.Box(children)
    row.add_class("nbviz-row").add_class(f"nbviz-{name}")
    return row
