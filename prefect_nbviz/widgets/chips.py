"""Fields of chips: free texts, and state types with their numbers."""

from __future__ import annotations

from collections.abc import Callable

import anywidget
import traitlets

from prefect_nbviz.states import STATE_TYPES
from prefect_nbviz.widgets.page import STATIC, script


class TagField(anywidget.AnyWidget):
    """A labelled field that holds any number of free texts.

    ipywidgets' `TagsInput` has no label, cannot be reached with the keyboard once it holds a
    text, and either offers words or takes free text, not both.

    Examples
    --------
    >>> TagField(label="Tags", value=["prod", "etl"]).value
    ['prod', 'etl']
    """

    _esm = script("list.js", "tags.js")

    label = traitlets.Unicode().tag(sync=True)
    """What stands over it."""

    value = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """The texts."""

    placeholder = traitlets.Unicode().tag(sync=True)
    """What stands in it while it is empty."""

    suggestions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Texts that it offers, in order; any other can be typed."""

    counts = traitlets.Dict(value_trait=traitlets.Int()).tag(sync=True)
    """Numbers that stand beside some of them."""

    note = traitlets.Unicode().tag(sync=True)
    """What stands under them: what they lack, and what the numbers count."""

    can_ask = traitlets.Bool().tag(sync=True)
    """Whether a button asks the server again."""

    def on_ask(self, ask: Callable[[], None]) -> None:
        """Call when a person wants the server to be asked again."""
        self.on_msg(lambda _, content, __: ask() if content.get("do") == "ask" else None)


class StateField(anywidget.AnyWidget):
    """A toggle for each state type, in its colour, with the number of runs in it.

    Examples
    --------
    >>> StateField(value=["FAILED"], counts={"FAILED": 12}).value
    ['FAILED']
    """

    _esm = STATIC / "states.js"

    label = traitlets.Unicode("State type").tag(sync=True)
    """What it is, for those who cannot see it."""

    options = traitlets.List([[kind, kind.capitalize()] for kind in STATE_TYPES]).tag(sync=True)
    """Each state type, and what it is called."""

    value = traitlets.List(traitlets.Enum([*STATE_TYPES])).tag(sync=True)
    """The state types that are chosen."""

    counts = traitlets.Dict().tag(sync=True)
    """How many runs are in a state type; one that is missing or None shows no number."""
