"""The switch that keeps what is shown up to date, and how long it waits between two looks."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz.widgets.pace import Pace

EVERY, LONGEST = 5.0, 60.0
"""Seconds between two looks, and between two at a server that is slow or away, at most."""


class LiveSwitch(ipw.ToggleButton):
    """A switch, and the pace of the looks while it is on.

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
        return f"live, every {self.pace.pause:.0f} s"


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
