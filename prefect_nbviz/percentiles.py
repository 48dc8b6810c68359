"""Percentiles of whole numbers, group by group, exact."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prefect_nbviz.arrays import Integers

_PARTS = 100


def of_groups(values: Integers, group: Integers, *, groups: int, percents: Sequence[int]) -> Integers:
    """Give percentiles of the values of each group.

    The one at p percent of n values in ascending order is at place (n - 1) * p / 100, counted from 0, and between
    two places in proportion, as numpy and pandas have it by default; then rounded to a whole number, halves up.

    Parameters
    ----------
    values
        Numbers below 2**55.
    group
        The number of the group of each, below `groups`.
    percents
        Whole percents, 0 and 100 among them if the least and the greatest are wanted.

    Returns
    -------
    numpy.ndarray
        A row for each group, a column for each of `percents`; 0 for groups that have no values.

    Examples
    --------
    >>> of_groups(np.array([5, 1, 2]), np.array([0, 0, 2]), groups=3, percents=[50, 100]).tolist()
    [[3, 5], [0, 0], [2, 2]]
    """
    ordered = values[np.lexsort((values, group))]
    sizes = np.bincount(group, minlength=groups)
    starts = np.cumsum(sizes) - sizes
    found = np.zeros((groups, len(percents)), dtype=np.int64)
    has_any = sizes > 0
    for column, percent in enumerate(percents):
        whole, part = np.divmod((sizes[has_any] - 1) * percent, _PARTS)
        low = starts[has_any] + whole
        below, above = ordered[low], ordered[low + (part > 0)]
        found[has_any, column] = below + ((above - below) * part * 2 + _PARTS) // (2 * _PARTS)
    return found
