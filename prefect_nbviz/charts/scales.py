"""Scales of lengths of time: linear in a unit that people say, or logarithmic where lengths differ much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from prefect_nbviz.arrays import Integers, Numbers
from prefect_nbviz.charts.words import duration_text

_MILLI, _SECOND = 1_000, 1_000_000
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3_600 * _SECOND, 86_400 * _SECOND
_UNITS = (("µs", 1), ("ms", _MILLI), ("s", _SECOND), ("min", _MINUTE), ("h", _HOUR), ("d", _DAY))
_AT_LEAST = 2  # of a unit, so that the axis has more than one number
_MUCH = 20  # times the lower quartile: what is so much shorter than the longest lies on the ground of a linear axis
_WIDE = 100  # times the shortest: room for three ticks in each power of ten no more
_TICKS = tuple(
    (step, count == 1 or (count == 10 and size > _SECOND))  # noqa: PLR2004
    for size, counts in (
        *((10**power, (1, 2, 5)) for power in range(7)),
        (10 * _SECOND, (1, 2, 3)),
        (_MINUTE, (1, 2, 5, 10, 20, 30)),
        (_HOUR, (1, 2, 5, 10)),
        (_DAY, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    )
    for count in counts
    for step in (size * count,)
)
"""Lengths that have a tick on a logarithmic axis, and whether they have one on a wide one too."""


@dataclass(frozen=True)
class Scale:
    """An axis of lengths of time.

    Examples
    --------
    >>> scale = Scale.of(np.array([420_000, 580_000]))
    >>> scale.is_log, scale.values(np.array([420_000])).tolist(), scale.layout()["ticksuffix"]
    (False, [420.0], ' ms')
    """

    is_log: bool
    """Whether it is logarithmic; it counts seconds then."""

    low: int
    """The shortest length that it shows, in microseconds: 0 when it is linear."""

    high: int
    """The longest."""

    @classmethod
    def of(cls, lengths: Integers, *, log: bool | None = None) -> Self:
        """Choose the scale for some lengths in microseconds.

        Parameters
        ----------
        lengths
            At least one.
        log
            Whether it is logarithmic; None: where they differ much.
        """
        some = lengths[lengths > 0]
        high = int(lengths.max())
        if not len(some):
            return cls(is_log=False, low=0, high=high)
        is_log = bool(high >= _MUCH * np.percentile(some, 25)) if log is None else log
        return cls(is_log, int(some.min()) if is_log else 0, high)

    @property
    def unit(self) -> tuple[str, int]:
        """The unit of a linear scale, and its microseconds."""
        fitting = [unit for unit in _UNITS if self.high >= _AT_LEAST * unit[1]]
        return fitting[-1] if fitting else _UNITS[0]

    def values(self, lengths: Integers) -> Numbers:
        """Give where lengths are on the axis, in its unit."""
        shown: Numbers = np.maximum(lengths, self.low) / (_SECOND if self.is_log else self.unit[1])
        return shown

    def parts(self, lengths: Integers) -> Numbers:
        """Give where lengths are between 0, the lower end of the axis, and 1."""
        low, high = max(self.low, 1), max(self.high, 2)
        if not self.is_log:
            return lengths / high
        parts: Numbers = np.log(np.maximum(lengths, low) / low) / max(np.log(high / low), 1e-9)
        return parts

    def layout(self) -> dict[str, Any]:
        """Give the settings of plotly's axis."""
        if not self.is_log:
            name, size = self.unit
            return {"ticksuffix": f" {name}", "range": [0, max(self.high, 1) / size * 1.08], "nticks": 6}
        is_wide = self.high > _WIDE * self.low
        ticks = [length for length, is_round in _TICKS if is_round or not is_wide]
        ends = np.log10(np.array([self.low / 1.3, self.high * 1.3]) / _SECOND).tolist()
        return {
            "type": "log",
            "range": ends,
            "tickvals": [length / _SECOND for length in ticks],
            "ticktext": [duration_text(length) for length in ticks],
        }
