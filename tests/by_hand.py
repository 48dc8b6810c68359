"""Numbers computed by their definitions, apart from the package and without floats."""

from __future__ import annotations

import math
from fractions import Fraction


def percentile(lengths: list[int], percent: int) -> int:
    """Give a percentile, to the whole number."""
    place = Fraction((len(lengths) - 1) * percent, 100)
    low, ordered = math.floor(place), sorted(lengths)
    exact = ordered[low] + (ordered[math.ceil(place)] - ordered[low]) * (place - low)
    return math.floor(exact + Fraction(1, 2))
