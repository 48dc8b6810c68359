"""Failure rates: how many of the runs that ended failed, and how sure that is."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.analysis.groups import Groups, words
from prefect_nbviz.arrays import Integers, Numbers
from prefect_nbviz.states import FAILURE_TYPES, TERMINAL_STATE_TYPES

CONFIDENCE = 0.95
"""How often an interval holds the rate, were the same done again and again."""

_COUNTED = {"completed": "COMPLETED", "failed": "FAILED", "crashed": "CRASHED", "cancelled": "CANCELLED"}


def failure_rates(runs: pd.DataFrame, *, by: str | Sequence[str] = "flow_name", tz: str = "UTC") -> pd.DataFrame:
    """Give the share of runs that failed, for each value of any columns, and how sure it is.

    Only runs that are COMPLETED, FAILED or CRASHED count. Those that were cancelled, and those that have not ended,
    are counted apart: nobody knows whether they would have failed.

    The interval is Wilson's at 95 %: of n runs of which k failed, with z = 1.95996, its middle is
    (k + z² / 2) / (n + z²), and it reaches z / (n + z²) * sqrt(k (n - k) / n + z² / 4) to both sides. It assumes that
    runs fail independently of each other, with one probability: where one cause brings down many runs, the interval is
    too narrow.

    Parameters
    ----------
    runs
        Flow runs or task runs of any state: were only those that failed read, the share would be 1.
    by
        Columns of `runs` that put runs together, such as `"flow_name"`, `"task_key"`, `"deployment_name"`,
        `"work_pool_name"` or `"tags"`, where a run is in the group of each of its tags; `()` puts all in one. `"hour"`
        is the beginning of the hour in which a run was expected to start, `"hour_of_day"` its number from 0 to 23.
    tz
        Name of the time zone whose clocks show the hours, such as `"Europe/Berlin"`.

    Returns
    -------
    pandas.DataFrame
        A row for each group: the columns of `by`, then those of `tables.FAILURE_RATES`. First comes what surely fails
        most: the group whose `low` is the highest. `attrs["prefect_nbviz"]` is that of `runs`, with `by`, `tz`,
        `confidence`, and `runs`: how many there are.

    Raises
    ------
    FrameError
        `runs` lacks a column.
    QueryError
        There is no such column or time zone.

    See Also
    --------
    plot_failure_rates : draws it.
    https://docs.prefect.io/v3/concepts/states

    Examples
    --------
    >>> runs = pd.DataFrame({"flow_name": "etl", "state_type": ["FAILED", "COMPLETED", "COMPLETED", "CANCELLED"]})
    >>> table = failure_rates(runs)
    >>> table[["runs", "ended", "failed", "failed_share", "low", "high"]].iloc[0].round(3).tolist()
    [4.0, 3.0, 1.0, 0.333, 0.061, 0.792]
    """
    frames.require(runs, ["state_type"], made_by="read_flow_runs() or read_task_runs()")
    by = words(by)
    groups = Groups.of(runs, by=by, tz=tz)
    table = pd.concat([groups.keys, _table(groups, runs["state_type"])], axis=1)
    table = table.sort_values(["low", "failed_share", "ended"], ascending=False, kind="stable", ignore_index=True)
    about = {"kind": "failure_rates", "by": by, "tz": tz, "confidence": CONFIDENCE, "runs": len(runs)}
    table.attrs[frames.ATTRS] = copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | about
    return table


def _table(groups: Groups, state_type: pd.Series[Any]) -> pd.DataFrame:
    def count(*types: str) -> Integers:
        is_one = state_type.isin(types).to_numpy(dtype=bool)
        return np.bincount(groups.number[is_one[groups.run]], minlength=len(groups))

    counts = {word: count(kind) for word, kind in _COUNTED.items()}
    runs, failed = np.bincount(groups.number, minlength=len(groups)), count(*FAILURE_TYPES)
    ended = counts["completed"] + failed
    low, high = wilson(failed, ended)
    data = {
        **counts,
        "runs": runs,
        "ended": ended,
        "not_ended": runs - count(*TERMINAL_STATE_TYPES),
        "failed_share": _shares(failed, ended),
        "low": low,
        "high": high,
    }
    return frames.typed({name: data[name] for name in schema.names(tables.FAILURE_RATES)}, tables.FAILURE_RATES)


def wilson(failed: Integers, ended: Integers) -> tuple[Numbers, Numbers]:
    """Give the ends of the interval for each pair of numbers; missing where none ended.

    Examples
    --------
    >>> low, high = wilson(np.array([0, 5]), np.array([10, 5]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.566], [0.278, 1.0])
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = (failed + z * z / 2) / (ended + z * z)
    reach = z / (ended + z * z) * np.sqrt(_shares(failed, ended) * (ended - failed) + z * z / 4)
    low, high = np.where(failed == 0, 0.0, middle - reach), np.where(failed == ended, 1.0, middle + reach)
    return np.where(ended == 0, np.nan, low), np.where(ended == 0, np.nan, high)


def _shares(part: Integers, whole: Integers) -> Numbers:
    return np.where(whole == 0, np.nan, part / np.maximum(whole, 1))
