"""Failures: runs that failed or crashed, put together by what their states say."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.states import FAILURE_TYPES

_NEEDED = ("state_type", "state_name", "state_message", "flow_name", "expected_start_time", "start_time", "end_time")
_LENGTH = 2_000  # letters of a message that are looked at: more are a traceback, or data
_MASKS = (
    ("url", r"\b[a-z][a-z0-9+.]*://[^\s'\"<>]+"),
    ("uuid", r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"),
    ("time", r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d\b)?)?"),
    ("time", r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?"),
    ("path", r"(?<!\w')(?<=')[^'\n]*[/\\][^'\n]*(?=')"),
    ("path", r'(?<!\w")(?<=")[^"\n]*[/\\][^"\n]*(?=")'),
    ("path", r"\b[a-z]:\\[^\s'\"<>]+|(?<![\w<])~?(?:/[\w.\-]+){2,}/?"),
    ("hex", r"\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,}\b"),
    ("n", r"(?:(?<![\w\-])-)?\d+(?:[.,]\d+)*"),
)
"""What varies from run to run, by its look: where several fit, it is the first."""

_MASK = re.compile("|".join(f"(?P<{name}{place}>{look})" for place, (name, look) in enumerate(_MASKS)), re.IGNORECASE)


def message_pattern(message: str) -> str:
    """Give a message with what varies from run to run masked: numbers, ids, times, addresses and paths.

    Examples
    --------
    >>> message_pattern("KeyError: no row 17 in '/data/2026/part-3.csv' of 0f9c2f5e-7a8b-4a52-8e52-7a4f7e6f0001")
    "KeyError: no row <n> in '<path>' of <uuid>"
    """
    shown = " ".join(message[:_LENGTH].split())
    return _MASK.sub(lambda found: f"<{str(found.lastgroup).rstrip('0123456789')}>", shown)


def failure_patterns(runs: pd.DataFrame) -> pd.Series:
    """Give the pattern of the message of each run that failed or crashed: the groups of `failure_table`.

    Parameters
    ----------
    runs
        That of `failure_table`.

    Returns
    -------
    pandas.Series
        A categorical on the index of `runs`, without the runs that did not fail; missing where the state says nothing.

    Examples
    --------
    >>> runs = pd.DataFrame({"state_type": ["FAILED", "COMPLETED"], "state_message": ["no row 7", "All done"]})
    >>> failure_patterns(runs).tolist()
    ['no row <n>']
    """
    frames.require(runs, ["state_type", "state_message"], made_by="read_flow_runs() or read_task_runs()")
    failed = runs.loc[runs["state_type"].isin(FAILURE_TYPES), "state_message"]
    number, messages = pd.factorize(failed)
    patterns = pd.Series([message_pattern(str(message)) or None for message in messages], dtype="str")
    code, distinct = pd.factorize(patterns)
    codes = np.append(code, -1)[number]
    return pd.Series(pd.Categorical.from_codes(codes, categories=distinct), index=failed.index, name="pattern")


def failure_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Put the runs that failed or crashed together by what their states say, the message of most runs first.

    Parameters
    ----------
    runs
        Flow runs or task runs, with their ids, states and times; also such as did not fail, which are left out.

    Returns
    -------
    pandas.DataFrame
        A row for each message, with the columns of `tables.FAILURES`. Messages are the same when they are so with
        their numbers, ids, times, addresses and paths masked, which stand in `pattern` as `<n>`, `<uuid>`, `<hex>`,
        `<time>`, `<url>` and `<path>`; white space is one space, and no more than the first 2,000 letters count.
        Runs whose state says nothing are a row of their own. `attrs["prefect_nbviz"]` is that of `runs`, so that it
        tells whether they are all that match.

    Raises
    ------
    FrameError
        `runs` lacks a column.

    See Also
    --------
    https://docs.prefect.io/v3/concepts/states

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "task_run_id": ["a", "b"], "state_type": "FAILED", "state_name": "Failed", "flow_name": "etl",
    ...     "task_key": "load", "state_message": ["KeyError: 17", "KeyError: 18"], "expected_start_time": pd.NaT,
    ...     "start_time": pd.NaT, "end_time": pd.to_datetime(["2026-01-01T06:00Z", "2026-01-01T07:00Z"]),
    ... })
    >>> failure_table(runs)[["pattern", "runs", "example_run_id"]].to_numpy().tolist()
    [['KeyError: <n>', 2, 'b']]
    """
    ids = frames.id_column(runs)
    frames.require(runs, [ids, *_NEEDED], made_by="read_flow_runs() or read_task_runs()")
    patterns = failure_patterns(runs)
    failed = runs[runs["state_type"].isin(FAILURE_TYPES)].reset_index(drop=True)
    failed = failed.assign(pattern=patterns.to_numpy(dtype=object), seen=failed_times(failed), run_id=failed[ids])
    failed = failed.sort_values("seen", kind="stable", na_position="first", ignore_index=True)
    rows = [_row(pattern, group) for pattern, group in failed.groupby("pattern", sort=False, dropna=False)]
    rows.sort(key=lambda row: row["runs"], reverse=True)
    data = {name: [row[name] for row in rows] for name in schema.names(tables.FAILURES)}
    table = frames.typed(data, tables.FAILURES)
    table.attrs[frames.ATTRS] = copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | {"kind": "failures"}
    return table


def failed_times(failed: pd.DataFrame) -> pd.Series:
    """Give when each run failed: when it ended, or started, or was to start if it has no such time.

    Examples
    --------
    >>> started = pd.DataFrame({"end_time": [None], "start_time": ["2026-01-01T06:00Z"], "expected_start_time": [None]})
    >>> failed_times(started)[0].isoformat()
    '2026-01-01T06:00:00+00:00'
    """
    columns = ("end_time", "start_time", "expected_start_time")
    ended, started, expected = (pd.to_datetime(failed[column], utc=True).dt.as_unit("us") for column in columns)
    seen: pd.Series = ended.fillna(started).fillna(expected)
    return seen


def _row(pattern: Any, group: pd.DataFrame) -> dict[str, Any]:
    last = group.iloc[-1]
    return {
        "pattern": None if pd.isna(pattern) else pattern,
        "runs": len(group),
        "state_names": _distinct(group["state_name"]),
        "flow_names": _distinct(group["flow_name"]),
        "task_keys": _distinct(group["task_key"]) if "task_key" in group else (),
        "first_seen": group["seen"].min(),
        "last_seen": group["seen"].max(),
        "example_run_id": last["run_id"],
        "example_message": None if pd.isna(last["state_message"]) else last["state_message"],
    }


def _distinct(texts: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({str(text) for text in texts if not pd.isna(text)}))
