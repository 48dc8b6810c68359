"""How often to look: as often as the server bears."""

from __future__ import annotations


class Pace:
    """The pause before the next look, in seconds: short at first, and longer where looks take longer.

    Parameters
    ----------
    first, usual, longest
        The pause before the second look, the one that it grows to, and the one that it does not exceed.

    Examples
    --------
    >>> pace = Pace(first=0.25, usual=1, longest=30)
    >>> [pace.after(0.1) for _ in range(4)]
    [0.375, 0.5625, 0.84375, 1]
    >>> pace.after(1.5), pace.after(1.5), pace.after(0.1)
    (2, 1.0, 1)
    >>> pace.after_failure(), pace.after_failure(), pace.pause
    (2, 4, 4)
    """

    def __init__(self, *, first: float, usual: float, longest: float) -> None:
        self.pause = first
        self._usual = usual
        self._longest = longest

    def after(self, seconds: float) -> float:
        """Give the pause after a look that took so long: twice as long as before if that is longer than it was."""
        if seconds > self.pause:
            self.pause = min(2 * self.pause, self._longest)
        elif self.pause < self._usual:
            self.pause = min(1.5 * self.pause, self._usual)
        else:
            self.pause = max(self.pause / 2, self._usual)
        return self.pause

    def after_failure(self) -> float:
        """Give the pause after a look that failed."""
        self.pause = min(max(2 * self.pause, self._usual), self._longest)
        return self.pause
