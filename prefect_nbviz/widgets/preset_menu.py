"""What the menu of presets does: load, save, delete, and a filter as JSON there and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from prefect_nbviz.errors import PrefectNbvizError
from prefect_nbviz.query import RunQuery, query_from_json
from prefect_nbviz.widgets.bar import FilterBar
from prefect_nbviz.widgets.presets import PresetStore, built_in_presets


class _Controls(Protocol):
    value: Any
    kind: Any


Told = Mapping[str, Any]


class PresetMenu:
    """The menu of presets of a bar.

    Parameters
    ----------
    bar
        Shows it.
    controls
        Their `value` is what is saved, and what is loaded goes there.
    store
        Where a person's own are.
    """

    def __init__(self, bar: FilterBar, controls: _Controls, store: PresetStore) -> None:
        self._bar = bar
        self._controls = controls
        self.store = store
        """Where a person's own are."""
        bar.on_action("presets", self._told(lambda _: None))
        bar.on_action("load", self._told(lambda told: self.load(told["name"], is_own=told["is_own"])))
        bar.on_action("save", self._told(lambda told: self.save(told["name"])))
        bar.on_action("delete", self._told(lambda told: self.delete(told["name"])))
        bar.on_action("apply", self._told(lambda told: self.apply(told["text"])))

    def load(self, name: str, *, is_own: bool = True) -> None:
        """Make the controls say a preset, a person's own or one that is built in."""
        self._controls.value = self.store.load(name) if is_own else self._built_in()[name]
        self._bar.say(f"Loaded “{name}”.")

    def save(self, name: str) -> None:
        """Keep what the controls say under a name."""
        is_new = name.strip() not in self.store.names()
        name = self.store.save(name, self._controls.value)
        self._bar.say(f"Saved “{name}”." if is_new else f"Saved “{name}” in the place of the one before.")

    def delete(self, name: str) -> None:
        """Forget one of a person's own."""
        self.store.delete(name)
        self._bar.say(f"Deleted “{name}”.")

    def apply(self, text: str) -> None:
        """Make the controls say the query that JSON text holds."""
        self._controls.value = query_from_json(text)
        self._bar.say("Loaded the filter from JSON.")

    def _built_in(self) -> dict[str, RunQuery]:
        return built_in_presets(self._controls.kind.value)

    def _told(self, do: Callable[[Told], None]) -> Callable[[Told], None]:
        """Do it, and show what there is then, or what went wrong."""

        def act(told: Told) -> None:
            self._bar.say("")
            try:
                do(told)
            except PrefectNbvizError as error:
                self._bar.say(str(error), is_wrong=True)
            self._show()

        return act

    def _show(self) -> None:
        shown = [{"name": name, "about": repr(query), "is_own": False} for name, query in self._built_in().items()]
        try:
            shown += [{"name": name, "about": self._about_own(name), "is_own": True} for name in self.store.names()]
            self._bar.json = self._controls.value.to_json()
        except PrefectNbvizError as error:
            if not self._bar.message:
                self._bar.say(str(error), is_wrong=True)
        self._bar.presets = shown

    def _about_own(self, name: str) -> str:
        try:
            return repr(self.store.load(name))
        except PrefectNbvizError as error:
            return str(error)
