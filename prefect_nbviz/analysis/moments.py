"""Moments: times as text, to the microsecond."""

from __future__ import annotations

import pandas as pd


def moment_text(moment: int) -> str:
    """Give a moment in microseconds since 1970 as text, in UTC.

    Examples
    --------
    >>> moment_text(1_500_000)
    '1970-01-01 00:00:01.500000 UTC'
    """
    return f"{pd.Timestamp(moment, unit='us').isoformat(sep=' ', timespec='microseconds')} UTC"
