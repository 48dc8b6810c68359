"""The bar of chips: what is set, one chip each, and the menus to add a filter and to keep one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anywidget
import traitlets

from prefect_nbviz.widgets.page import script


class FilterBar(anywidget.AnyWidget):
    """Chips for what is set, a menu of what can be set, and a menu of presets.

    It only shows, and tells what a person does there: see `on_action`. The field of the criterion that is `edited` is
    shown by the page at once, so that a busy kernel does not hold it.

    Examples
    --------
    >>> bar = FilterBar(chips=[{"word": "flow", "label": "flow", "text": "daily_ingest", "can_edit": True}])
    >>> bar.on_action("remove", lambda told: print("remove", told["word"]))
    >>> bar.tell({"do": "remove", "word": "flow"})
    remove flow
    """

    _esm = script("list.js", "bar.js")

    chips = traitlets.List(traitlets.Dict()).tag(sync=True)
    """What is set: `word`, `label` (with its operator), `text` (the values), `can_edit`."""

    menu = traitlets.List(traitlets.List()).tag(sync=True)
    """What can be set: title of a group, and its criteria, each with `word`, `label`, `hint` and `is_set`."""

    can_clear = traitlets.Bool().tag(sync=True)
    """Whether there is something to clear."""

    edited = traitlets.Unicode().tag(sync=True)
    """The criterion whose field is shown under the bar; empty for none."""

    presets = traitlets.List(traitlets.Dict()).tag(sync=True)
    """The presets: `name`, `about`, `is_own` (saved by a person, and can be deleted)."""

    json = traitlets.Unicode().tag(sync=True)
    """The present filter, as JSON; said when the menu of presets is opened."""

    message = traitlets.Unicode().tag(sync=True)
    """What came of the last thing done there, as a sentence."""

    is_wrong = traitlets.Bool().tag(sync=True)
    """Whether the message says that something failed."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._actions: dict[str, Callable[[Mapping[str, Any]], None]] = {}
        self.on_msg(lambda _, content, __: self.tell(content))

    def on_action(self, name: str, do: Callable[[Mapping[str, Any]], None]) -> None:
        """Call when a person does something: `remove`, `clear`, and those of the menu of presets."""
        self._actions[name] = do

    def tell(self, content: Mapping[str, Any]) -> None:
        """Do what a person did on the page; what is not known is passed over."""
        if (do := self._actions.get(str(content.get("do")))) is not None:
            do(content)

    def say(self, message: str, *, is_wrong: bool = False) -> None:
        """Show a sentence in the menu of presets."""
        with self.hold_sync():
            self.message, self.is_wrong = message, is_wrong
