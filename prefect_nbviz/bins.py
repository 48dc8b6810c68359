"""Bins of time: where they begin in a time zone, and how many runs of which state each holds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.errors import QueryError

MOST_BINS = 20_000
"""Bins of one answer."""

COUNTED = tuple(
    column for column in schema.TASK_RUNS if column.name in {"expected_start_time", "state_type", "state_name"}
)
"""The columns that runs of either kind are counted by."""


def check(freq: str, tz: str) -> None:
    """Refuse bins that cannot be.

    Raises
    ------
    QueryError
        There is no such frequency or time zone, or the bins are shorter than a second.

    Examples
    --------
    >>> check("1D", "Europe/Berlin")
    """
    try:
        first, second = pd.date_range("2026-01-01", periods=2, freq=freq, tz=tz)
    except Exception as error:
        raise QueryError(
            f"freq={freq!r} and tz={tz!r} make no bins: use them as in freq='15min', '1h' or '1D' and tz='Europe/Berlin'."
        ) from error
    if second - first < pd.Timedelta(seconds=1):
        raise QueryError(f"freq cannot be {freq!r}: bins last a second at least.")


def edges(first: pd.Timestamp, last: pd.Timestamp, freq: str, tz: str) -> pd.DatetimeIndex:
    """Give the beginnings of the bins that hold all from `first` to `last`, and the end of the last, in UTC.

    Bins of days and longer begin at the clock's midnights, shorter ones follow each other from the midnight
    before `first`. A midnight that the clocks leap over is the moment after the leap; of two, the first counts.

    Raises
    ------
    QueryError
        There would be more than `MOST_BINS` bins.

    Examples
    --------
    >>> noon = pd.Timestamp("2026-03-29T10:00Z")
    >>> [f"{edge:%d. %H:%M}" for edge in edges(noon, noon, "1D", "Europe/Berlin")]
    ['28. 23:00', '29. 22:00']
    """
    offset = pd.tseries.frequencies.to_offset(freq)
    begin, end = (time.tz_convert(tz).tz_localize(None) for time in (first, last))
    anchor = offset.rollback(begin.normalize())
    one, two = pd.date_range(anchor, periods=2, freq=offset)
    if (end - anchor) / (two - one) > MOST_BINS:
        raise QueryError(
            f"freq={freq!r} makes more than {MOST_BINS:,} bins of these runs: use a longer one, or a shorter window."
        )
    if isinstance(offset, pd.offsets.Tick):
        start = _in_utc(pd.DatetimeIndex([anchor]), tz)[0]
        found = pd.date_range(start, last.tz_convert("UTC") + 2 * (two - one), freq=offset)
    else:
        found = _in_utc(pd.date_range(anchor, end + 2 * (two - one), freq=offset), tz)
    return found[found.searchsorted(first, side="right") - 1 : found.searchsorted(last, side="right") + 1]


def _in_utc(clock: pd.DatetimeIndex, tz: str) -> pd.DatetimeIndex:
    local = clock.tz_localize(tz, nonexistent="shift_forward", ambiguous=np.ones(len(clock), dtype=bool))
    return local.tz_convert("UTC").unique()


def counts(runs: pd.DataFrame, freq: str, tz: str) -> pd.DataFrame:
    """Count runs by the bin of their expected start, state type and state name; one without that time is in none.

    Parameters
    ----------
    runs
        Flow runs or task runs with the columns in `COUNTED`.
    freq, tz
        As `check` lets pass.

    Returns
    -------
    pandas.DataFrame
        The columns of `schema.RUN_COUNTS`, in the order of bins and states.

    Raises
    ------
    QueryError
        There would be more than `MOST_BINS` bins.

    Examples
    --------
    >>> data = {"expected_start_time": ["2026-01-01T06:01Z"], "state_type": ["FAILED"], "state_name": ["TimedOut"]}
    >>> counts(frames.typed(data, COUNTED), "1h", "UTC")["bin_end"][0]
    Timestamp('2026-01-01 07:00:00+0000', tz='UTC')
    """
    times = runs["expected_start_time"].dt.as_unit("us")
    has_time = times.notna().to_numpy()
    if not has_time.any():
        return frames.empty(schema.RUN_COUNTS)
    found = edges(times.min(), times.max(), freq, tz).as_unit("us")
    place = found.asi8.searchsorted(times.to_numpy(dtype="datetime64[us]").astype(np.int64), side="right") - 1
    kinds = pd.Categorical(runs["state_type"], dtype=frames.state_type_dtype())
    names = pd.Categorical(runs["state_name"])
    # A number for each cell of the table of bins, types and names, whose columns begin with the missing ones.
    types_held, names_held = len(kinds.categories) + 1, len(names.categories) + 1
    cell = (place * types_held + kinds.codes + 1) * names_held + names.codes + 1
    number, cells = pd.factorize(cell[has_time])
    rest, name = np.divmod(cells, names_held)
    place, kind = np.divmod(rest, types_held)
    data = {
        "bin_start": found[place],
        "bin_end": found[place + 1],
        "state_type": pd.Categorical.from_codes(kind - 1, dtype=kinds.dtype),
        "state_name": pd.Categorical.from_codes(name - 1, dtype=names.dtype),
        "runs": np.bincount(number),
    }
    order = ["bin_start", "state_type", "state_name"]
    return frames.typed(data, schema.RUN_COUNTS).sort_values(order, ignore_index=True)
