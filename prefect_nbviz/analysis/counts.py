"""Counts over time: how many runs of a frame were expected to start when, by state."""

from __future__ import annotations

import copy
from datetime import timedelta, tzinfo

import pandas as pd

from prefect_nbviz import bins, frames, schema
from prefect_nbviz.errors import FrameError, IncompleteWarning, warn


def run_counts(runs: pd.DataFrame, *, freq: str | timedelta = "1h", tz: str | tzinfo = "UTC") -> pd.DataFrame:
    """Count the runs of a frame over time, by state type and state name: what `read_run_counts` asks of a server.

    Parameters
    ----------
    runs
        Flow runs or task runs with at least `expected_start_time`, `state_type` and `state_name`.
    freq
        Length of a bin, as pandas writes it: `"15min"`, `"1h"`, `"1D"`, `"MS"`; a second at least.
    tz
        Time zone whose days the bins follow: bins of a day begin at its midnight, also when its clocks change,
        shorter ones are laid from the midnight before the first run.

    Returns
    -------
    pandas.DataFrame
        One row for each bin, state type and state name that has runs, with the columns of `schema.RUN_COUNTS`,
        in this order. A run is in the bin of its `expected_start_time`; bins hold their beginning and not their
        end. `attrs["prefect_nbviz"]` is that of `runs`, so that it tells whether they are all that match, with
        `freq` and `tz`.

    Raises
    ------
    FrameError
        `runs` lacks a column, or its times have no time zone.
    QueryError
        `freq` or `tz` cannot be, or there would be more than `bins.MOST_BINS` bins.

    Warns
    -----
    IncompleteWarning
        Runs without an expected start are in no bin.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/flow-run-history

    Examples
    --------
    >>> read = pd.DataFrame({
    ...     "expected_start_time": pd.to_datetime(["2026-01-01T06:01Z", "2026-01-01T06:59Z", "2026-01-01T07:00Z"]),
    ...     "state_type": "FAILED", "state_name": "TimedOut",
    ... })
    >>> run_counts(read)["runs"].tolist()
    [2, 1]
    """
    frames.require(runs, schema.names(bins.COUNTED), made_by="read_flow_runs() or read_task_runs()")
    if not isinstance(runs["expected_start_time"].dtype, pd.DatetimeTZDtype):
        raise FrameError("The expected starts have no time zone: use pd.to_datetime(…, utc=True) if they are UTC.")
    freq, tz = bins.check(freq, tz)
    counts = bins.counts(runs, freq, tz)
    about = copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | {"kind": "run_counts", "freq": freq, "tz": tz}
    counts.attrs[frames.ATTRS] = about | _left_out(len(runs), int(counts["runs"].sum()), about.get("reason"))
    return counts


def _left_out(held: int, counted: int, reason: str | None) -> dict[str, object]:
    """Say which runs no bin holds, if there are such."""
    if counted == held:
        return {}
    sentence = f"{held - counted:,} of {held:,} runs have no expected start: they are in no bin."
    warn(sentence, IncompleteWarning, stacklevel=3)
    return {"truncated": True, "reason": f"{reason} {sentence}" if reason else sentence}
