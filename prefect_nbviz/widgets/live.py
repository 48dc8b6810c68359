"""The switch that keeps what is shown up to date, and how long it waits between two looks."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import ipywidgets as ipw
import pandas as pd

EVERY = 5.0
"""Seconds between two looks at a server that answers well."""

SHARE = 0.5
"""The part of the time that looks take at most: a slow server is looked at less often."""

LONGEST = 60.0
"""Seconds between two looks at a server that does not answer."""


class LiveSwitch(ipw.ToggleButton):
    """A switch, and the pause between two looks.

    Parameters
    ----------
    every
        Seconds between two looks.

    Examples
    --------
    >>> live = LiveSwitch()
    >>> live.took(0.2), live.pause
    (None, 5.0)
    >>> live.failed(), live.failed(), live.pause
    (None, None, 20.0)
    >>> live.took(8), live.pause
    (None, 16.0)
    """

    def __init__(self, *, every: float = EVERY) -> None:
        self.every = every
        self.pause = every
        self.failing_since: datetime | None = None
        super().__init__(description="Live", icon="circle", tooltip=f"Look again every {every:g} s")
        self.add_class("nbviz-live")

    def took(self, seconds: float) -> None:
        """Take note of a look that went well."""
        self.failing_since = None
        self.pause = max(self.every, seconds / SHARE)

    def failed(self) -> None:
        """Take note of a look that failed: the next ones come later and later."""
        self.failing_since = self.failing_since or datetime.now(UTC)
        self.pause = min(self.pause * 2, max(LONGEST, self.every))

    def text(self, zone: tzinfo) -> str:
        """Say how live what is shown is; nothing while the switch is off."""
        if not self.value:
            return ""
        if self.failing_since is not None:
            return f"No answer since {self.failing_since.astimezone(zone):%H:%M:%S}, trying again every {self.pause:.0f} s."
        return f"live, every {self.pause:.0f} s"


def change_text(before: pd.DataFrame, now: pd.DataFrame, ids: str) -> str:
    """Say how many runs are new, are in another state, or are gone.

    Examples
    --------
    >>> before = pd.DataFrame({"id": ["a", "b", "c"], "state_id": ["1", "2", "3"]})
    >>> now = pd.DataFrame({"id": ["d", "a", "b"], "state_id": ["5", "1", "4"]})
    >>> change_text(before, now, "id")
    '1 new, 1 changed, 1 gone'
    """
    states = [frame.set_index(ids)["state_id"] for frame in (before, now)]
    both = states[1][states[1].index.isin(states[0].index)]
    numbers = {
        "new": len(now) - len(both),
        "changed": int((both != states[0].reindex(both.index)).sum()),
        "gone": len(before) - len(both),
    }
    return ", ".join(f"{number:,} {word}" for word, number in numbers.items() if number)
