"""Typed frames: columns of plain values become a DataFrame with the dtypes of `schema`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from prefect_nbviz import schema
from prefect_nbviz.arrays import Integers
from prefect_nbviz.errors import FrameError
from prefect_nbviz.states import STATE_TYPES

ATTRS = "prefect_nbviz"
"""The key of `frame.attrs` under which a frame says where it comes from and whether it is whole."""

_PLACES = {state_type: place for place, state_type in enumerate(STATE_TYPES)}


def state_type_dtype() -> pd.CategoricalDtype:
    """Give the ordered categorical of state types, in the order of a run's life.

    Examples
    --------
    >>> state_type_dtype().ordered
    True
    """
    return pd.CategoricalDtype([*STATE_TYPES], ordered=True)


def typed(data: Mapping[str, Any], columns: tuple[schema.Column, ...]) -> pd.DataFrame:
    """Make a frame of columns of values: ISO text for times, None for what is missing.

    Parameters
    ----------
    data
        One list or array for each of `columns`, all of one length.
    columns
        The schema; the frame has its columns, dtypes and order.

    Examples
    --------
    >>> typed({"a": ["x", None]}, (schema.Column("a", schema.REPEATED_TEXT, ""),))["a"].dtype.name
    'category'
    """
    return pd.DataFrame({column.name: _series(data[column.name], column.dtype) for column in columns})


def empty(columns: tuple[schema.Column, ...]) -> pd.DataFrame:
    """Make a frame without rows that has every column, with its dtype.

    Examples
    --------
    >>> empty(schema.STATES).shape
    (0, 10)
    """
    return typed({column.name: [] for column in columns}, columns)


def micros(values: pd.Series[Any]) -> Integers:
    """Give times as microseconds since 1970, or lengths of time as microseconds; `UNKNOWN` where it is missing.

    Raises
    ------
    FrameError
        Times without a time zone.

    Examples
    --------
    >>> micros(pd.Series(pd.to_datetime(["1970-01-01T01:00:01+01:00"]))).tolist()
    [1000000]
    >>> micros(pd.Series(pd.to_timedelta([2], unit="ms"))).tolist()
    [2000]
    """
    if pd.api.types.is_timedelta64_dtype(values.dtype):
        return values.to_numpy(dtype="timedelta64[us]").astype(np.int64)
    if not isinstance(values.dtype, pd.DatetimeTZDtype) and values.notna().any():
        raise FrameError(f"{values.name or 'A time'} has no time zone: use pd.to_datetime(…, utc=True) if it is UTC.")
    return pd.to_datetime(values, utc=True).dt.tz_convert(None).to_numpy(dtype="datetime64[us]").astype(np.int64)


def from_micros(values: Integers) -> pd.DatetimeIndex:
    """Give the times, in UTC, that are so many microseconds since 1970; missing where it is `UNKNOWN`.

    Examples
    --------
    >>> from_micros(micros(pd.Series(pd.to_datetime(["1970-01-01T01:00:01+01:00", None], utc=True)))).to_list()
    [Timestamp('1970-01-01 00:00:01+0000', tz='UTC'), NaT]
    """
    return pd.DatetimeIndex(values.astype("datetime64[us]"), tz="UTC")


def joined(upper: pd.DataFrame, lower: pd.DataFrame) -> pd.DataFrame:
    """Put one typed frame under another of the same schema.

    Examples
    --------
    >>> b, a = [typed({"a": [text]}, (schema.Column("a", schema.REPEATED_TEXT, ""),)) for text in "ba"]
    >>> joined(b, a)["a"].cat.categories.tolist()
    ['a', 'b']
    """
    return pd.DataFrame({name: _joined(upper[name], lower[name]) for name in upper})


def id_column(runs: pd.DataFrame) -> str:
    """Give the column with the ids of the runs of a frame: task runs have also that of their flow run.

    Examples
    --------
    >>> id_column(pd.DataFrame({"flow_run_id": ["a"], "task_run_id": ["b"]}))
    'task_run_id'
    """
    return "task_run_id" if "task_run_id" in runs.columns else "flow_run_id"


def require(frame: pd.DataFrame, columns: Iterable[str], *, made_by: str) -> None:
    """Refuse a frame that lacks columns, with a sentence that says where to get it.

    Parameters
    ----------
    frame
        What was handed in.
    columns
        The names that are needed.
    made_by
        The call that gives such a frame, as it would be written.

    Raises
    ------
    FrameError
        Something else than a frame, or one that lacks a column.
    """
    if not isinstance(frame, pd.DataFrame):
        raise FrameError(f"A DataFrame as {made_by} gives it is needed, not {type(frame).__name__}.")
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise FrameError(
            f"The frame lacks {', '.join(map(repr, missing))}: pass one as {made_by} gives it, with its columns kept."
        )


def _series(values: Any, dtype: str) -> pd.Series[Any]:
    match dtype:
        case schema.TIME:
            return _times(values)
        case schema.DURATION:
            return pd.Series(values, dtype="timedelta64[us]")
        case schema.STATE_TYPE:
            return _state_types(values)
        case schema.REPEATED_TEXT:
            return _repeated(values)
        case schema.TUPLE:
            return pd.Series(_objects(values), dtype="object")
        case _:
            return pd.Series(values, dtype=dtype)


def _state_types(values: Any) -> pd.Series[Any]:
    if not isinstance(values, list):
        return pd.Series(pd.Categorical(values).set_categories([*STATE_TYPES], ordered=True))
    codes = np.fromiter(map(_PLACES.get, values, repeat(-1)), dtype=np.int8, count=len(values))
    return pd.Series(pd.Categorical.from_codes(codes, dtype=state_type_dtype()))


def _repeated(values: Any) -> pd.Series[Any]:
    """Give text as a categorical of what it holds, in the order of the alphabet."""
    if isinstance(values, pd.Categorical) and values.categories.dtype == "str":
        held = values.remove_unused_categories()  # made text, it would be looked up again row by row
        return pd.Series(held.set_categories(held.categories.sort_values(), ordered=False))
    return pd.Series(values, dtype="str").astype("category")


def _joined(upper: pd.Series[Any], lower: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(upper.dtype, pd.CategoricalDtype) and not upper.dtype.ordered:
        return _repeated(union_categoricals([upper, lower]))
    return pd.concat([upper, lower], ignore_index=True)


def _times(values: Any) -> pd.Series[Any]:
    if not isinstance(values, pd.Series):
        values = pd.Series(
            pd.to_datetime(values, utc=True, format="ISO8601")
        )  # a Series of text takes four times as long
    elif not isinstance(values.dtype, pd.DatetimeTZDtype):
        values = pd.to_datetime(values, utc=True, format="ISO8601")
    moments: pd.Series[Any] = values.dt.tz_convert("UTC").astype(schema.TIME)
    return moments


def _objects(values: Any) -> np.ndarray[Any, np.dtype[np.object_]]:
    objects = np.empty(len(values), dtype=object)
    objects[:] = values if len(values) else []
    return objects
