"""Frames as large as one likes, as the readers give them, made with numpy: the same ones every time.

The lives are those of `seed_history.py`: most runs go Pending, Running, Completed; some are scheduled
first or late, some retry or fail, the last ones still run.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.states import STATE_NAMES

LIVES = (
    ("Pending", "Running", "Completed"),
    ("Scheduled", "Pending", "Running", "Completed"),
    ("Scheduled", "Late", "Pending", "Running", "Completed"),
    ("Pending", "Running", "AwaitingRetry", "Retrying", "Completed"),
    ("Pending", "Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying", "Failed"),
    ("Pending", "Running", "Failed"),
    ("Pending", "Running", "Crashed"),
    ("Pending", "Running"),
)
_SHARES = (0.5, 0.1, 0.08, 0.15, 0.05, 0.06, 0.03, 0.03)
_MESSAGES = {
    "AwaitingRetry": "Task run encountered an exception ValueError: transient",
    "Failed": "Task run encountered an exception RuntimeError: boom",
    "Crashed": "Flow run infrastructure exited with non-zero status code 137.",
}
_TASKS = ("extract", "transform", "load", "validate", "notify", "score")
_TASKS_PER_FLOW_RUN = 200
_END = np.datetime64("2026-06-01T00:00:00", "us").astype(np.int64)
_DAYS = 30 * 86_400_000_000

Integers = npt.NDArray[np.int64]


def states(count: int) -> pd.DataFrame:
    """As many states of task runs as `read_states` gives them: newest run first, oldest state first."""
    rng = np.random.default_rng(7)
    life = rng.choice(len(LIVES), size=count // 3 + 1, p=_SHARES)
    length = np.array([len(names) for names in LIVES])[life]
    run = np.repeat(np.arange(len(life)), length)[:count]
    step = np.arange(count) - (np.cumsum(length) - length)[run]
    vocabulary = np.array([*STATE_NAMES], dtype=object)
    table = np.array([[[*STATE_NAMES].index(name) for name in (names * 7)[:7]] for names in LIVES])
    name = vocabulary[table[life[run], step]]
    data = _of_runs(rng, run) | {
        "state_type": [STATE_NAMES[one] for one in name],
        "state_name": name,
        "timestamp": _times(_starts(rng, len(life))[run] + step * 5_000_000 + rng.integers(0, 5_000_000, count)),
        "message": np.array([_MESSAGES.get(one) for one in name], dtype=object),
        "scheduled_time": _times(np.full(count, np.iinfo(np.int64).min)),
        "source": np.full(count, "server", dtype=object),
    }
    frame = frames.typed(data, schema.STATES)
    frame.attrs[frames.ATTRS] = {"kind": "states", "as_of": "2026-06-02T00:00:00+00:00", "truncated": False}
    return frame


def task_runs(count: int) -> pd.DataFrame:
    """As many task runs as `read_task_runs` gives them, newest first."""
    rng = np.random.default_rng(7)
    start = _starts(rng, count)
    name = np.array([names[-1] for names in LIVES], dtype=object)[rng.choice(len(LIVES), size=count, p=_SHARES)]
    ended = name != "Running"
    length = rng.integers(1_000_000, 60_000_000, count)
    key = np.array(_TASKS, dtype=object)[rng.integers(0, len(_TASKS), count)]
    group = np.arange(count) // _TASKS_PER_FLOW_RUN
    flow = np.array([f"flow_{n}" for n in range(6)], dtype=object)[group % 6]
    tags = np.empty(6, dtype=object)
    tags[:] = [("prod",), ("dev",), ("prod", "etl"), (), ("etl", "billing"), ("nightly", "ml")]
    none = np.empty(1, dtype=object)
    none[:] = [()]
    data = {
        "task_run_id": _ids(rng, count),
        "flow_run_id": _ids(rng, int(group[-1]) + 1)[group],
        "flow_run_name": np.array([f"fine-otter-{n}" for n in range(int(group[-1]) + 1)], dtype=object)[group],
        "flow_name": flow,
        "name": _names(key, np.arange(count)),
        "task_key": key,
        "state_type": [STATE_NAMES[one] for one in name],
        "state_name": name,
        "expected_start_time": _times(start),
        "start_time": _times(start + 200_000),
        "end_time": _times(np.where(ended, start + 200_000 + length, np.iinfo(np.int64).min)),
        "duration": np.where(ended, length, np.iinfo(np.int64).min).astype("timedelta64[us]"),
        "run_count": np.ones(count, dtype=np.int64),
        "tags": tags[rng.integers(0, 6, count)],
        "state_message": np.where(name == "Failed", "Task run encountered an exception ValueError: boom", None),
        "upstream_task_run_ids": none[np.zeros(count, dtype=np.int64)],
        "state_id": _ids(rng, count),
    }
    frame = frames.typed(data, schema.TASK_RUNS)
    frame.attrs[frames.ATTRS] = {"kind": "task_runs", "matched": count, "truncated": False}
    return frame


def _of_runs(rng: np.random.Generator, run: Integers) -> dict[str, npt.NDArray[np.object_]]:
    count = int(run[-1]) + 1
    key = np.array(_TASKS, dtype=object)[rng.integers(0, len(_TASKS), count)]
    group = np.arange(count) // _TASKS_PER_FLOW_RUN
    return {
        "run_kind": np.full(len(run), "task_run", dtype=object),
        "run_id": _ids(rng, count)[run],
        "run_name": _names(key, np.arange(count))[run],
        "flow_run_id": _ids(rng, int(group[-1]) + 1)[group][run],
    }


def _starts(rng: np.random.Generator, count: int) -> Integers:
    """Microseconds since 1970, newest first, over thirty days."""
    return np.sort(_END - rng.integers(60_000_000, _DAYS, count))[::-1]


def _times(micros: Integers) -> pd.Series[pd.Timestamp]:
    return pd.Series(micros.astype("datetime64[us]")).dt.tz_localize("UTC")


def _names(key: npt.NDArray[np.object_], numbers: Integers) -> npt.NDArray[np.object_]:
    return np.array([f"{one}-{number % 1000:03x}" for one, number in zip(key, numbers, strict=True)], dtype=object)


def _ids(rng: np.random.Generator, count: int) -> npt.NDArray[np.object_]:
    text = rng.bytes(16 * count).hex()
    digits = (text[at : at + 32] for at in range(0, len(text), 32))
    ids = [f"{one[:8]}-{one[8:12]}-4{one[13:16]}-a{one[17:20]}-{one[20:]}" for one in digits]
    return np.array(ids, dtype=object)
