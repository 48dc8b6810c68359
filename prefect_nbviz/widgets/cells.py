"""What the browser draws of a frame: each column in a form that sorts by value and is read as people say it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import tzinfo
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.style import in_order_of_life
from prefect_nbviz.charts.words import duration_text
from prefect_nbviz.states import STATE_NAMES, STATE_TYPES

STATE = "state"
"""The column of states, which stands for two of a frame."""

STATE_COLUMNS = ("state_type", "state_name")

MAX_LETTERS = 1_000
"""As many letters of a text go to the browser; the frame holds all."""

_LABELS = {
    "name": "Name",
    "flow_name": "Flow",
    "flow_run_name": "Flow run",
    "deployment_name": "Deployment",
    "state_message": "Message",
    "expected_start_time": "Expected start",
    "start_time": "Start",
    "end_time": "End",
    "run_count": "Attempts",
    "work_pool_name": "Work pool",
    "work_queue_name": "Work queue",
    "auto_scheduled": "By a schedule",
    "upstream_task_run_ids": "Upstream ids",
}

Sent = dict[str, Any]


def sent_columns(runs: pd.DataFrame, *, zone: tzinfo) -> dict[str, Sent]:
    """Give the columns of a frame as the browser takes them, in the order in which they are offered.

    Parameters
    ----------
    runs
        Flow runs or task runs; columns of other names are taken as their dtype says.
    zone
        The time zone of the times.

    Returns
    -------
    dict
        By name; `state` stands for `state_type` and `state_name`. Of each column: its `label` and `form`; `codes`,
        an int32 for each row, which orders as the values do, and is -1 where one is missing; `texts`, what the codes
        stand for, as JSON; of durations `micros`, a float64 for each code, and of states `types`. Of times,
        instead: `micros` since 1970, a float64 for each row, and `offsets`, the seconds that the zone is ahead.

    Examples
    --------
    >>> from datetime import UTC
    >>> runs = pd.DataFrame({"state_type": ["FAILED"], "state_name": ["Failed"], "run_count": [3]})
    >>> columns = sent_columns(runs, zone=UTC)
    >>> [(name, column["label"], column["texts"]) for name, column in columns.items()]
    [('state', 'State', '["Failed"]'), ('run_count', 'Attempts', '["3"]')]
    """
    columns: dict[str, Sent] = {}
    if {*STATE_COLUMNS} <= {*runs.columns}:
        columns[STATE] = {"label": "State"} | _states(runs)
    for name in runs.columns:
        if name not in STATE_COLUMNS:
            label = _LABELS.get(name, str(name).replace("_", " ").capitalize())
            columns[str(name)] = {"label": label} | _values(runs[name], zone)
    return columns


def packed(values: Iterable[Any]) -> str:
    """Give values as JSON: the browser reads it only when it needs them, and a widget takes it in one piece.

    Examples
    --------
    >>> packed(["a", None])
    '["a",null]'
    """
    return json.dumps([*values], separators=(",", ":"))


def _values(column: pd.Series[Any], zone: tzinfo) -> Sent:
    match column.dtype:
        case pd.DatetimeTZDtype():
            return _times(column, zone)
        case np.dtype(kind="m"):
            return _durations(column)
        case np.dtype(kind="O"):
            return _tuples(column)
        case dtype if pd.api.types.is_bool_dtype(dtype):
            return _coded("text", column, text=lambda value: "yes" if value else "no")
        case dtype if pd.api.types.is_numeric_dtype(dtype):
            return _coded("number", column)
        case _:
            return _coded("text", column, key=lambda value: (str(value).casefold(), str(value)))


def _states(runs: pd.DataFrame) -> Sent:
    pairs = np.empty(len(runs), dtype=object)
    pairs[:] = [*zip(runs["state_type"], runs["state_name"], strict=True)]
    codes, distinct = pd.factorize(pairs)
    states = in_order_of_life([(str(kind), str(name)) for kind, name in distinct])
    place = {state: number for number, state in enumerate(states)}
    order = np.array([place[str(kind), str(name)] for kind, name in distinct], dtype=np.int32)
    texts = [name if STATE_NAMES.get(name) == kind else f"{name} ({kind})" for kind, name in states]
    types = [kind.lower() if kind in STATE_TYPES else "" for kind, _ in states]
    return {"form": "state", "codes": order[codes].tobytes(), "texts": packed(map(_cut, texts)), "types": types}


def _times(column: pd.Series[Any], zone: tzinfo) -> Sent:
    utc = _micros(column.dt.tz_convert("UTC").dt.tz_localize(None))
    local = _micros(column.dt.tz_convert(zone).dt.tz_localize(None))
    ahead = np.where(column.isna(), 0, (local - utc) // 1_000_000).astype(np.int32)
    micros = np.where(column.isna(), np.nan, utc.astype(np.float64))
    return {"form": "time", "micros": micros.tobytes(), "offsets": ahead.tobytes()}


def _micros(column: pd.Series[Any]) -> Integers:
    return column.to_numpy(dtype="datetime64[us]").astype(np.int64)


def _durations(column: pd.Series[Any]) -> Sent:
    lengths = column.to_numpy(dtype="timedelta64[us]").astype(np.int64)
    held = pd.Series(lengths).where(column.notna().to_numpy())
    distinct = np.unique(lengths[column.notna().to_numpy()])
    return _coded("duration", held, text=lambda micros: duration_text(int(micros))) | {
        "micros": distinct.astype(np.float64).tobytes()
    }


def _tuples(column: pd.Series[Any]) -> Sent:
    """Give lists of texts, such as tags; what else an object is becomes the one text of such a list."""
    tuples = np.empty(len(column), dtype=object)
    tuples[:] = [_texts(value) for value in column]
    return _coded("tags", tuples, text=lambda texts: [*map(_cut, texts)])


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return tuple(map(str, value))
    return () if pd.isna(value) else (str(value),)


def _coded(
    form: str, values: Any, *, text: Callable[[Any], Any] = str, key: Callable[[Any], Any] | None = None
) -> Sent:
    """Give each row the number of its value in the order of the values."""
    codes, distinct = pd.factorize(values)
    held = [*distinct]
    order = sorted(range(len(held)), key=lambda place: key(held[place]) if key else held[place])
    rank = np.full(len(held) + 1, -1, dtype=np.int32)  # the last one is what is missing, whose code is -1
    rank[order] = np.arange(len(held), dtype=np.int32)
    shown = (text(held[place]) for place in order)
    texts = packed(_cut(one) if isinstance(one, str) else one for one in shown)
    return {"form": form, "codes": rank[codes].tobytes(), "texts": texts}


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LETTERS else f"{text[:MAX_LETTERS]}…"
