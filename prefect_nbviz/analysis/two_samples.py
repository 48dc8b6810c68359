"""Two samples: how two sets of numbers differ, and whether that can be chance."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from prefect_nbviz.arrays import Integers, Numbers
from prefect_nbviz.errors import MissingPackageError

ALPHA = 0.05
"""The p-value up to which a difference is not taken for chance."""

_MOST_EXACT = 1_000  # pairs: the exact distribution of more takes seconds, and the normal one is as good
_SURE = 4  # of each: 1 of 70 orders has all of one side first
_TAILS = 2
_EQUAL = 1e-7
_TAIL = 0.025


def failure_p_value(ended: Sequence[int], failed: Sequence[int]) -> float:
    """Give the p-value of Fisher's exact test, two-sided; nan where as many failures could never reach `ALPHA`.

    Parameters
    ----------
    ended
        How many ended, before and after.
    failed
        How many of them failed.

    See Also
    --------
    https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.fisher_exact.html

    Examples
    --------
    >>> failure_p_value((6, 6), (0, 6))  # 2 of 924 ways to choose which failed
    0.0021645021645021645
    """
    many = sum(failed)
    if many in {0, sum(ended)}:
        return math.nan
    if _least_p_value(ended, many) > ALPHA * (1 + _EQUAL):
        return math.nan
    passed = [one - other for one, other in zip(ended, failed, strict=True)]
    return float(scipy_stats().fisher_exact([[*failed], passed]).pvalue)


def _least_p_value(ended: Sequence[int], failed: int) -> float:
    """Give the p-value of the least likely of all tables with these sums: as many failed on one side as can."""
    most, least = min(failed, ended[0]), max(failed - ended[1], 0)
    every = _log_ways(sum(ended), failed)
    ways = (_log_ways(ended[0], one) + _log_ways(ended[1], failed - one) for one in (most, least))
    one, other = (math.exp(many - every) for many in ways)
    return one + other if math.isclose(one, other, rel_tol=_EQUAL) else min(one, other)


def _log_ways(among: int, chosen: int) -> float:
    return math.lgamma(among + 1) - math.lgamma(chosen + 1) - math.lgamma(among - chosen + 1)


def longer_share(before: Integers, after: Integers) -> float:
    """Give the share of pairs in which that of `after` is the larger, equal ones half; nan without a pair.

    Examples
    --------
    >>> longer_share(np.array([1, 3]), np.array([2, 3]))
    0.625
    """
    if not len(before) or not len(after):
        return math.nan
    ordered = np.sort(before)
    below = np.searchsorted(ordered, after, "left") + np.searchsorted(ordered, after, "right")
    return float(below.sum() / (2 * len(before) * len(after)))


def can_differ(before: int, after: int) -> bool:
    """Tell whether the most extreme order of as many numbers has a p-value of `ALPHA` at most, two-sided.

    Examples
    --------
    >>> can_differ(3, 3), can_differ(4, 4), can_differ(2, 8), can_differ(1, 30)
    (False, True, True, False)
    """
    least, most = sorted((before, after))
    return least >= _SURE or _TAILS / math.comb(least + most, least) <= ALPHA


def order_p_value(before: Integers, after: Integers) -> float:
    """Give the p-value of the Mann-Whitney U test, two-sided; nan where so few could never reach `ALPHA`.

    It is exact up to 1,000 pairs without equal numbers; else it is that of the normal distribution, corrected for
    continuity and for equal numbers.

    See Also
    --------
    https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.mannwhitneyu.html

    Examples
    --------
    >>> order_p_value(np.array([1, 2, 3, 4]), np.array([5, 6, 7, 8]))  # 2 of 70 orders
    0.02857142857142857
    """
    if not can_differ(len(before), len(after)):
        return math.nan
    both = np.concatenate([before, after])
    distinct = len(np.unique(both))
    if distinct == 1:
        return 1.0
    is_exact = len(before) * len(after) <= _MOST_EXACT and distinct == len(both)
    test = scipy_stats().mannwhitneyu
    return float(test(before, after, method="exact" if is_exact else "asymptotic").pvalue)


def median_change(before: Integers, after: Integers) -> tuple[int, int] | None:
    """Give an interval that holds the change of the median with about 95%, whatever the distributions.

    Each median has an interval that holds it with 95% at least: from the k-th smallest to the k-th largest of n
    numbers, with the largest k for which fewer than k heads in n throws of a coin have a chance below 2.5%. That of
    the change ends as far from it as the root of the sum of the squares of how far the two that it depends on are
    from their medians ("MOVER"). None where there is no such k: for fewer than 6.

    See Also
    --------
    https://doi.org/10.1002/sim.3095 : Zou and Donner, Construction of confidence limits about effect measures

    Examples
    --------
    >>> median_change(np.array([0, 1, 2, 3, 4, 5, 6]), np.array([10, 12, 14, 16, 18, 20, 22]))
    (6, 20)
    """
    ends, after_ends = _median_ends(before), _median_ends(after)
    if ends is None or after_ends is None:
        return None
    (low, middle, high), (after_low, after_middle, after_high) = ends, after_ends
    change = after_middle - middle
    down, up = math.hypot(after_middle - after_low, high - middle), math.hypot(after_high - after_middle, middle - low)
    return round(change - down), round(change + up)


def _median_ends(numbers: Integers) -> tuple[float, float, float] | None:
    """Give the median, between the ends of its interval."""
    place = int(scipy_stats().binom.ppf(_TAIL, len(numbers), 0.5)) if len(numbers) >= _SURE else 0
    if not place:
        return None
    ordered = np.sort(numbers)
    return float(ordered[place - 1]), float(np.median(ordered)), float(ordered[-place])


def holm(p_values: Numbers) -> Numbers:
    """Correct p-values for how many there are; nan stands for a test that was not made.

    The smallest is multiplied by how many there are, the next by one less, and so on; none becomes smaller than the
    one before, nor larger than 1. The chance that any of them is `ALPHA` at most, though nothing differs, is then
    `ALPHA` at most.

    Examples
    --------
    >>> holm(np.array([0.04, np.nan, 0.01, 0.03])).tolist()
    [0.06, nan, 0.03, 0.06]
    """
    corrected = np.full(len(p_values), np.nan)
    made = np.flatnonzero(~np.isnan(p_values))
    order = made[np.argsort(p_values[made], kind="stable")]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def scipy_stats() -> Any:
    """Give scipy's tests, which are imported when the first one is made: that takes a second, and few need them.

    Raises
    ------
    MissingPackageError
        scipy is not installed.
    """
    try:
        return importlib.import_module("scipy.stats")
    except ImportError as error:
        raise MissingPackageError(
            "The tests need scipy: install it (pip install scipy), or pass tests=False for the numbers without tests."
        ) from error
