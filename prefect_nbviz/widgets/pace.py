"""How often to look: as often as the server bears."""

from __future__ import annotations

FIRST = 0.25
USUAL = 1.0
LONGEST = 30.0


class Pace:
    """The pause before the next look, in seconds: short at first, and as long as looks take.

    Examples
    --------
    >>> pace = Pace()
    >>> [pace.after(0.1) for _ in range(4)]
    [0.375, 0.5625, 0.84375, 1.0]
    >>> pace.after(1.5), pace.after(1.5), pace.after(0.1)
    (2.0, 1.0, 1.0)
    >>> pace.after_failure(), pace.after_failure()
    (2.0, 4.0)
    """

    def __init__(self) -> None:
        self._pause = FIRST

    def after(self, seconds: float) -> float:
        """Give the pause after a look that took so long: twice as long as before if that is longer than it was."""
        if seconds > self._pause:
            self._pause = min(2 * self._pause, LONGEST)
        elif self._pause < USUAL:
            self._pause = min(1.5 * self._pause, USUAL)
        else:
            self._pause = max(self._pause / 2, USUAL)
        return self._pause

    def after_failure(self) -> float:
        """Give the pause after a look that failed."""
        self._pause = min(max(2 * self._pause, USUAL), LONGEST)
        return self._pause
