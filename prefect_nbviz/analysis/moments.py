"""Moments: times of a frame as whole numbers, with those that are missing, and as text."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from prefect_nbviz.errors import FrameError

Integers = npt.NDArray[np.int64]

UNKNOWN = int(np.iinfo(np.int64).min)
"""What stands for a time that is missing."""


def micros(times: pd.Series[Any]) -> Integers:
    """Give times as microseconds since 1970, and `UNKNOWN` where they are missing.

    Raises
    ------
    FrameError
        They have no time zone.

    Examples
    --------
    >>> micros(pd.Series(pd.to_datetime(["1970-01-01T00:00:01Z", None]))).tolist() == [1_000_000, UNKNOWN]
    True
    """
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        raise FrameError(f"{times.name} has no time zone: use pd.to_datetime(…, utc=True) if it is UTC.")
    found: Integers = times.dt.tz_convert(None).to_numpy(dtype="datetime64[us]").astype(np.int64)
    return found


def moment_text(moment: int) -> str:
    """Give a moment in microseconds since 1970 as text, in UTC.

    Examples
    --------
    >>> moment_text(1_500_000)
    '1970-01-01 00:00:01.500000 UTC'
    """
    return f"{pd.Timestamp(moment, unit='us').isoformat(sep=' ', timespec='microseconds')} UTC"
