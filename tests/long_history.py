"""A history of many runs as `state_intervals` gives it, made of numbers alone: for timelines that are large."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.states import STATE_NAMES, STATE_TYPES

DAYS = 7
BEGIN = np.datetime64("2026-03-01T00:00", "us").astype(np.int64)
SECOND = 1_000_000
NAMES = ("Pending", "Running", "AwaitingRetry", "Retrying", "Completed", "Failed", "TimedOut", "Crashed")
STEPS = 5
"""Stays of each run: pending, running, waiting for a retry, running again, its end."""


def long_history(runs: int = 200_000, seed: int = 0) -> pd.DataFrame:
    """Give five intervals for each of some runs, which begin evenly over a week from 2026-03-01 on, in UTC.

    One of thirty fails; of those that begin from 05:00 to 06:00 each second one does. The name of a
    run says the day of the month and the hour in which it begins: `d02-h05-28573`.
    """
    rng = np.random.default_rng(seed)
    begin = np.sort(rng.integers(0, DAYS * 86_400 * SECOND, runs))
    day, hour = begin // (86_400 * SECOND), begin // (3_600 * SECOND) % 24
    lengths = [rng.exponential(mean * SECOND, runs) for mean in (3, 120, 0, 60)]
    lengths[2] = np.full(runs, 30 * SECOND)
    length = np.stack([*lengths, np.zeros(runs)], axis=1).astype(np.int64)
    end = BEGIN + begin[:, None] + np.cumsum(length, axis=1)
    fails = rng.random(runs) < np.where(hour == 5, 0.5, 1 / 30)
    names = np.tile(np.arange(STEPS), (runs, 1))
    names[:, -1] = np.where(fails, rng.choice([5, 6, 7], runs, p=[0.7, 0.2, 0.1]), 4)
    of_run = np.repeat(np.arange(runs), STEPS)
    labels = [f"d{d + 1:02}-h{h:02}-{number}" for number, (d, h) in enumerate(zip(day, hour, strict=True))]
    flow_runs = [f"{number:08}-0000-4000-8000-{number * 7_919:012}" for number in range(runs // 1_000 + 1)]
    data = {
        "run_kind": pd.Categorical.from_codes(np.zeros(len(of_run), dtype=np.int64), ["task_run"]),
        "run_id": _texts([f"{number:08x}-0000-7000-8000-{number * 7_919:012x}" for number in range(runs)], of_run),
        "run_name": _texts(labels, of_run),
        "flow_run_id": _texts(flow_runs, of_run // 1_000),
        "state_type": _types(names.ravel()),
        "state_name": pd.Categorical.from_codes(names.ravel(), [*NAMES]),
        "attempt": np.tile([1, 1, 2, 2, 2], runs),
        "start_time": pd.to_datetime((end - length).ravel(), unit="us", utc=True),
        "end_time": pd.to_datetime(end.ravel(), unit="us", utc=True),
        "duration": length.ravel().astype("timedelta64[us]"),
        "is_open": np.zeros(len(of_run), dtype=bool),
        "message": pd.array([None], dtype="str").take(np.zeros(len(of_run), dtype=np.int64)),
    }
    assert [*data] == schema.names(schema.INTERVALS)
    return pd.DataFrame(data)


def _texts(texts: list[str], which: npt.NDArray[np.int64]) -> object:
    return pd.array(texts, dtype="str").take(which)


def _types(names: npt.NDArray[np.int64]) -> pd.Categorical:
    code_of = np.array([STATE_TYPES.index(STATE_NAMES[name]) for name in NAMES])
    return pd.Categorical.from_codes(code_of[names], dtype=frames.state_type_dtype())
