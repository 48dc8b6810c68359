"""The switch that keeps what is shown up to date, how long it waits between two looks, and a pause in what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz.widgets.pace import Pace

EVERY, LONGEST = 5.0, 60.0
"""Seconds between two looks, and between two at a server that is slow or away, at most."""


class LiveSwitch(ipw.ToggleButton):
    """A switch, and the pace of the looks while it is on.

    While it is on there is a second one beside it, `pause_button`, which keeps what is shown as it is: it is looked on,
    and said how many runs differ by now.

    Examples
    --------
    >>> live = LiveSwitch()
    >>> live.took(0.2), live.pace.pause
    (None, 5.0)
    >>> live.failed(), live.failed(), live.pace.pause
    (None, None, 20.0)
    """

    def __init__(self) -> None:
        self.pace = Pace(first=EVERY, usual=EVERY, longest=LONGEST)
        self.failing_since: datetime | None = None
        super().__init__(description="Live", icon="circle", tooltip=f"Look again every {EVERY:g} s")
        self.add_class("nbviz-live")
        self.pause_button = ipw.ToggleButton(description="Pause", icon="pause", tooltip="Keep what is shown as it is")
        self.pause_button.layout.display = "none"
        self.pause_button.add_class("nbviz-pause")
        self.pause_button.observe(lambda _: self._show_pause(), "value")
        self.observe(lambda _: self._show_pause_button(), "value")
        self.show_all()

    @property
    def is_paused(self) -> bool:
        """Whether what is shown is to stay as it is."""
        return bool(self.pause_button.value)

    def show_all(self) -> None:
        """Take note that what is shown is all that there is by now."""
        self.shown_at = datetime.now(UTC)
        self.waiting = 0

    def took(self, seconds: float) -> None:
        """Take note of a look that went well."""
        self.failing_since = None
        self.pace.after(seconds)

    def failed(self) -> None:
        """Take note of a look that failed: the next ones come later and later."""
        self.failing_since = self.failing_since or datetime.now(UTC)
        self.pace.after_failure()

    def text(self, zone: tzinfo) -> str:
        """Say how live what is shown is; nothing while the switch is off."""
        if not self.value:
            return ""
        if self.failing_since is not None:
            return f"No answer since {self.failing_since.astimezone(zone):%H:%M:%S}, trying again every {self.pace.pause:.0f} s."
        if self.is_paused:
            number = f"{self.waiting:,}" if self.waiting else "no"
            return f"Paused at {self.shown_at.astimezone(zone):%H:%M:%S}, {number} change{'s'[: self.waiting != 1]} waiting"
        return f"● live, every {self.pace.pause:.0f} s"

    def _show_pause_button(self) -> None:
        """Offer to pause while there is something to pause; what is not live is not paused either."""
        self.pause_button.layout.display = None if self.value else "none"
        if not self.value:
            self.pause_button.value = False

    def _show_pause(self) -> None:
        self.show_all()
        is_paused = self.is_paused
        self.pause_button.description, self.pause_button.icon = ("Resume", "play") if is_paused else ("Pause", "pause")
        self.pause_button.tooltip = "Show what has changed, and go on" if is_paused else "Keep what is shown as it is"


def changes(before: pd.DataFrame, now: pd.DataFrame, ids: str) -> dict[str, int]:
    """Count the runs that are new, are in another state, or are gone.

    Examples
    --------
    >>> before = pd.DataFrame({"id": ["a", "b", "c"], "state_id": ["1", "2", "3"]})
    >>> now = pd.DataFrame({"id": ["d", "a", "b"], "state_id": ["5", "1", "4"]})
    >>> changes(before, now, "id")
    {'new': 1, 'changed': 1, 'gone': 1}
    """
    states = [frame.set_index(ids)["state_id"] for frame in (before, now)]
    both = states[1][states[1].index.isin(states[0].index)]
    return {
        "new": len(now) - len(both),
        "changed": int((both != states[0].reindex(both.index)).sum()),
        "gone": len(before) - len(both),
    }


def change_text(numbers: Mapping[str, int]) -> str:
    """Say how many runs are new, are in another state, or are gone.

    Examples
    --------
    >>> change_text({"new": 1, "changed": 1200, "gone": 0})
    '1 new, 1,200 changed'
    """
    return ", ".join(f"{number:,} {word}" for word, number in numbers.items() if number)
