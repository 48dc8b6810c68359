"""Comparison: two sets of runs, task by task, with what can be told from chance."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import frames, tables
from prefect_nbviz.analysis.groups import HOURS, Groups, words
from prefect_nbviz.analysis.two_samples import (
    ALPHA,
    failure_p_value,
    holm,
    longer_share,
    median_change,
    order_p_value,
)
from prefect_nbviz.analysis.units import Outcomes, Units
from prefect_nbviz.arrays import Integers, Numbers
from prefect_nbviz.errors import FrameError, QueryError, did_you_mean
from prefect_nbviz.task_keys import code_hash, task_name

_TASK_KEY = "task_key"
_SIDE = " side"  # no column of runs has such a name
_KEY = " key"
_SIDES = ("before", "after")
_EVEN = 0.5
_NEEDED = ["flow_run_id", "state_type", "state_name", "duration"]


def compare_runs(
    before: pd.DataFrame, after: pd.DataFrame, *, by: str | Iterable[str] = _TASK_KEY, tests: bool = True
) -> pd.DataFrame:
    """Compare two runs, or two sets of runs such as those before and after a version: how long, and how often failed.

    What is compared are *units*. Of task runs a unit is the runs of a task in one flow run: its duration is the
    median of theirs, and it failed if one of them did, since the many runs of a mapped task share the luck of their
    flow run and would make chance look certain. A task run outside of a flow is a unit, and so is each flow run.

    Parameters
    ----------
    before, after
        Two frames of flow runs, or two of task runs, none of them in both.
    by
        What is compared apart: `"task_key"`, which stands for the name of the task without the hash of its code; any
        other column, such as `"flow_name"`, `"deployment_name"` or `"tags"`; or many of them.
    tests
        Whether to test what differs, which needs scipy. Without, its columns are there, with nothing in them.

    Returns
    -------
    pandas.DataFrame
        A row for each task, or whatever `by` says, in one of the sets or both: `task`, or the columns of `by`, then
        those of `tables.COMPARISON`. Those that differ most surely come first, then those that changed most; what is
        only after or only before comes last.

        - Durations are of runs that COMPLETED, not from a cache, and have one; `left_out_*` counts the others.
        - Medians are those of `duration_table`, of units. The interval of the change is made of one for each median
          by order statistics ("MOVER"), and assumes nothing but that units do not depend on each other. It is missing
          for fewer than 6 units on a side, and not corrected for many rows.
        - Durations are tested by their order (Mann-Whitney U, two-sided; exact up to 1,000 pairs of units without
          equal ones, else by the normal distribution with corrections for continuity and equal ones), failures by
          Fisher's exact test, two-sided. A test is made, and has a p-value, only where the most extreme outcome of
          as many units, and as many failures, could reach 0.05: for durations, from 4 and 4, 3 and 5, or 2 and 8 on.
        - All p-values of the table are corrected together, by Holm: the chance that any of them is 0.05 or less
          though nothing changed is 0.05 at most.
        - `finding` is `new` or `gone`, or says what has a corrected p-value of 0.05 or less: `slower` where
          `longer_share` is above 0.5, `faster`, `fails more`, `fails less`, joined with ", "; missing where nothing
          has, which does not say that nothing changed.

        `attrs["prefect_nbviz"]` has `by`, `unit`, `tests`: how many tests were made, and `before` and `after`: those
        of the two frames, with `runs`; `truncated` says whether one of them is not all that matches.

    Raises
    ------
    FrameError
        A frame lacks a column, the two are of different kinds, or a run is in both.
    QueryError
        There is no such column.
    MissingPackageError
        A test is to be made and scipy is not installed.

    See Also
    --------
    plot_comparison : draws it.
    parameter_differences : what the runs were given.

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "task_run_id": [*"abcdefgh"], "flow_run_id": [*"abcdefgh"], "task_key": "load-0a1b2c3d",
    ...     "state_type": "COMPLETED", "state_name": "Completed",
    ...     "duration": pd.to_timedelta([1, 2, 3, 4, 15, 16, 17, 18], unit="s"),
    ... })
    >>> table = compare_runs(runs[:4], runs[4:])
    >>> table[["task", "ratio", "longer_share", "finding"]].to_numpy().tolist()
    [['load', 6.6, 1.0, 'slower']]
    """
    by, ids = words(by), _id_column(before, after)
    held = pd.concat([_rows(runs, by, side) for side, runs in enumerate((before, after))], ignore_index=True)
    groups = Groups.of(held, by=by)
    cell = groups.number * 2 + held[_SIDE].to_numpy()[groups.run]
    outcomes = Outcomes.of(pd.concat([_plain(runs, ids) for runs in (before, after)]), ids)
    numbers = _numbers(outcomes, groups.run, cell, len(groups)) | _codes(held, groups.run, cell, len(groups))
    numbers |= _tested(numbers.pop("units")) if tests else _untested(len(groups))
    table = frames.typed(numbers | {"finding": _findings(numbers)}, tables.COMPARISON)
    table = _in_order(pd.concat([groups.keys.rename(columns={_TASK_KEY: "task"}), table], axis=1))
    made = int(table[["p_duration", "p_failure"]].notna().to_numpy().sum())
    table.attrs[frames.ATTRS] = _about(before, after) | {
        "by": by,
        "unit": "flow run" if ids == "task_run_id" else "run",
        "tests": made,
    }
    return table


def _about(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, Any]:
    """Give what the two frames say of themselves."""
    sides = [copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | {"runs": len(runs)} for runs in (before, after)]
    is_cut = any(bool(side.get("truncated")) for side in sides)
    return {"kind": "comparison", "truncated": is_cut, **dict(zip(_SIDES, sides, strict=True))}


def _id_column(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """Give the column with the ids of the runs of both, which are different ones."""
    for runs in (before, after):
        frames.require(runs, _NEEDED, made_by="read_flow_runs() or read_task_runs()")
    ids = frames.id_column(before)
    if ids != frames.id_column(after):
        raise FrameError("One of the frames has flow runs and the other task runs: compare two of a kind.")
    if both := int(before[ids].isin(after[ids]).sum()):
        raise FrameError(f"{both:,} of the runs are in both frames: each run is either before or after.")
    return ids


def _plain(runs: pd.DataFrame, ids: str) -> pd.DataFrame:
    return runs[[*dict.fromkeys([ids, *_NEEDED])]].astype({"state_type": object, "state_name": object})


def _rows(runs: pd.DataFrame, by: list[str], side: int) -> pd.DataFrame:
    """Give the columns that runs are put together by, with their side and the keys of their tasks."""
    for word in by:
        if word not in runs.columns and word not in HOURS:
            hint = did_you_mean(str(word), map(str, runs.columns))
            hint = " Of flow runs, by='flow_name' compares flows." if word == _TASK_KEY else hint
            raise QueryError(f"by cannot be {word!r}.{hint} It is a column of the runs, 'hour' or 'hour_of_day'.")
    wanted = [*by, *(["expected_start_time"] if {*by} & {*HOURS} else [])]
    rows = {word: runs[word].reset_index(drop=True) for word in wanted if word in runs.columns}
    rows |= {word: column.astype(object) for word, column in rows.items() if column.dtype == "category"}
    keys = runs[_TASK_KEY].astype(object) if _TASK_KEY in runs else pd.Series(None, index=runs.index, dtype=object)
    if _TASK_KEY in by:
        number, distinct = pd.factorize(keys)
        names = np.array([*(task_name(str(key)) for key in distinct), None], dtype=object)
        rows[_TASK_KEY] = pd.Series(names[number])
    rows |= {_SIDE: pd.Series(side, index=range(len(runs))), _KEY: keys.reset_index(drop=True)}
    return pd.DataFrame(rows)


def _numbers(outcomes: Outcomes, run: Integers, cell: Integers, groups: int) -> dict[str, Any]:
    """Give what needs no test, and the units that do."""
    units = Units.of(outcomes, run, cell, cells=2 * groups)
    runs, counted = (np.bincount(cell[one], minlength=2 * groups) for one in (slice(None), outcomes.is_timed[run]))
    p50 = units.medians()
    of_sides = {
        "runs": runs,
        "left_out": runs - counted,
        "timed": np.array([len(one) for one in units.samples], dtype=np.int64),
        "p50": p50,
        "ended": units.ended,
        "failed": units.failed,
    }
    before, after = p50[::2], p50[1::2]
    is_any = before > np.timedelta64(0)
    share = [longer_share(*pair) for pair in zip(units.samples[::2], units.samples[1::2], strict=True)]
    ratio = np.divide(after, before, where=is_any, out=np.full(groups, np.nan))
    return _both(of_sides) | {"change": after - before, "ratio": ratio, "longer_share": share, "units": units}


def _both(of_cells: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    return {f"{name}_{side}": one[place::2] for name, one in of_cells.items() for place, side in enumerate(_SIDES)}


def _codes(held: pd.DataFrame, run: Integers, cell: Integers, groups: int) -> dict[str, Any]:
    """Give the keys of the tasks on each side, and whether they differ by their code."""
    found: list[set[str]] = [set() for _ in range(2 * groups)]
    pairs = pd.DataFrame({"cell": cell, "key": held[_KEY].to_numpy()[run]}).dropna().drop_duplicates()
    for place, key in zip(pairs["cell"], pairs["key"], strict=True):
        found[place].add(str(key))
    before, after = ([tuple(sorted(keys)) for keys in found[side::2]] for side in range(2))
    changed = [_is_changed(*pair) for pair in zip(before, after, strict=True)]
    return {"task_keys_before": before, "task_keys_after": after, "code_changed": changed}


def _is_changed(before: tuple[str, ...], after: tuple[str, ...]) -> bool | None:
    tells = before and after and all(code_hash(key) for key in (*before, *after))
    return before != after if tells else None


def _tested(units: Units) -> dict[str, Any]:
    """Give the tests of each group."""
    pairs = [*zip(units.samples[::2], units.samples[1::2], strict=True)]
    changes = [median_change(*pair) or (None, None) for pair in pairs]
    ends = [
        pd.Series([one[end] for one in changes], dtype="Int64").to_numpy("float64", na_value=np.nan) for end in (0, 1)
    ]
    of_pairs = zip(units.ended.reshape(-1, 2).tolist(), units.failed.reshape(-1, 2).tolist(), strict=True)
    duration = np.array([order_p_value(*pair) for pair in pairs], dtype=np.float64)
    failure = np.array([failure_p_value(*pair) for pair in of_pairs], dtype=np.float64)
    duration_holm, failure_holm = np.split(holm(np.concatenate([duration, failure])), 2)
    return {
        "change_low": pd.to_timedelta(ends[0], unit="us"),
        "change_high": pd.to_timedelta(ends[1], unit="us"),
        "p_duration": duration,
        "p_duration_holm": duration_holm,
        "p_failure": failure,
        "p_failure_holm": failure_holm,
    }


def _untested(groups: int) -> dict[str, Any]:
    none = np.full(groups, np.nan)
    ends = {name: np.full(groups, np.timedelta64("NaT", "us")) for name in ("change_low", "change_high")}
    return ends | dict.fromkeys(("p_duration", "p_duration_holm", "p_failure", "p_failure_holm"), none)


def _findings(numbers: Mapping[str, Any]) -> list[str | None]:
    rates = {side: _rate(numbers[f"ended_{side}"], numbers[f"failed_{side}"]) for side in _SIDES}
    took = np.where(np.array(numbers["longer_share"]) > _EVEN, "slower", "faster")
    fails = np.where(rates["after"] > rates["before"], "fails more", "fails less")
    told = zip(took, numbers["p_duration_holm"] <= ALPHA, fails, numbers["p_failure_holm"] <= ALPHA, strict=True)
    found = [", ".join([one for one, holds in (row[:2], row[2:]) if holds]) or None for row in told]
    for word, side in (("new", "before"), ("gone", "after")):
        found = [word if runs == 0 else one for one, runs in zip(found, numbers[f"runs_{side}"], strict=True)]
    return found


def _rate(ended: Integers, failed: Integers) -> Numbers:
    rates: Numbers = failed / np.maximum(ended, 1)
    return rates


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Put what differs most surely first, then what changed most, and what is on one side only last."""
    order = pd.DataFrame(
        {
            "one side": table["finding"].isin(["new", "gone"]),
            "p": table[["p_duration_holm", "p_failure_holm"]].min(axis=1),
            "change": -table["change"].abs(),
        }
    )
    return table.loc[order.sort_values([*order], kind="stable", na_position="last").index].reset_index(drop=True)
