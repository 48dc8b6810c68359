"""Prefect's states: their types and names, in the order of a run's life, and how they look.

The types are those of `prefect.client.schemas.objects.StateType`; the colours are the ones
that Prefect's own UI ships, so that a person who knows it can read our charts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

StateType = Literal[
    "SCHEDULED",
    "PENDING",
    "RUNNING",
    "PAUSED",
    "CANCELLING",
    "COMPLETED",
    "FAILED",
    "CRASHED",
    "CANCELLED",
]
"""A state type of Prefect."""

STATE_TYPES: tuple[str, ...] = get_args(StateType)
"""Every state type, in the order of a run's life."""

TERMINAL_STATE_TYPES = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
"""The types in which a run has ended."""

FAILURE_TYPES = ("FAILED", "CRASHED")
"""The types in which a run has failed; TimedOut is a name of the first."""

STATE_NAMES: dict[str, str] = {
    "Scheduled": "SCHEDULED",
    "Late": "SCHEDULED",
    "AwaitingRetry": "SCHEDULED",
    "AwaitingConcurrencySlot": "SCHEDULED",
    "Resuming": "SCHEDULED",
    "Pending": "PENDING",
    "NotReady": "PENDING",
    "Submitting": "PENDING",
    "InfrastructurePending": "PENDING",
    "Running": "RUNNING",
    "Retrying": "RUNNING",
    "Paused": "PAUSED",
    "Suspended": "PAUSED",
    "Cancelling": "CANCELLING",
    "Completed": "COMPLETED",
    "Cached": "COMPLETED",
    "RolledBack": "COMPLETED",
    "Failed": "FAILED",
    "TimedOut": "FAILED",
    "Crashed": "CRASHED",
    "Cancelled": "CANCELLED",
}
"""The state names that Prefect itself gives, each with its type. Users may add their own."""

Theme = Literal["light", "dark"]
"""The background that a chart or a widget is drawn on."""


@dataclass(frozen=True)
class StateStyle:
    """How a state is drawn."""

    color: str
    """A CSS colour, `#rrggbb`."""

    pattern: str = ""
    """A plotly fill pattern (`""` is solid); it tells names apart that share a colour."""


_BAR_COLORS: dict[Theme, dict[str, str]] = {
    "light": {
        "SCHEDULED": "#e08504",
        "PENDING": "#a99fad",
        "RUNNING": "#1860f2",
        "PAUSED": "#554b58",
        "CANCELLING": "#3d5677",
        "COMPLETED": "#219d4b",
        "FAILED": "#de0529",
        "CRASHED": "#f97316",
        "CANCELLED": "#333333",
    },
    "dark": {
        "SCHEDULED": "#cdb051",
        "PENDING": "#8f849a",
        "RUNNING": "#517acd",
        "PAUSED": "#bdb3c4",
        "CANCELLING": "#768ba7",
        "COMPLETED": "#5cc18a",
        "FAILED": "#c75757",
        "CRASHED": "#cd8551",
        "CANCELLED": "#a0a0a0",
    },
}

_PATTERNS = {
    "Late": "x",
    "AwaitingRetry": "/",
    "AwaitingConcurrencySlot": "|",
    "Retrying": "\\",
    "Cached": ".",
    "TimedOut": "-",
    "NotReady": "-",
    "Suspended": "|",
}


def state_style(state_type: str, state_name: str | None = None, *, theme: Theme = "light") -> StateStyle:
    """Give the colour of a state type, and the pattern that sets apart a state name.

    Parameters
    ----------
    state_type
        A Prefect state type; anything else is drawn in grey.
    state_name
        A state name. Late, AwaitingRetry, Retrying, Cached and TimedOut share the colour of
        their type and have a pattern of their own; most others have none.
    theme
        The background to be read on.

    Examples
    --------
    >>> state_style("FAILED").color
    '#de0529'
    >>> state_style("SCHEDULED", "AwaitingRetry").pattern
    '/'
    """
    return StateStyle(_BAR_COLORS[theme].get(state_type, "#808080"), _PATTERNS.get(state_name or "", ""))
