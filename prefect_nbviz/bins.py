"""Bins of time: how long they are, where they begin in a time zone, and how many runs of which state each holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from prefect_nbviz import forms, frames, schema
from prefect_nbviz.errors import QueryError

MOST_BINS = 20_000
"""Bins of one answer."""

COUNTED = tuple(
    column for column in schema.TASK_RUNS if column.name in {"expected_start_time", "state_type", "state_name"}
)
"""The columns that runs of either kind are counted by."""

_SECOND = timedelta(seconds=1)
_LENGTHS = ("1s", "5s", "15s", "1min", "5min", "15min", "1h", "3h", "6h", "12h", "1D", "7D", "28D")


def check(freq: object, tz: object) -> tuple[str, str]:
    """Give a frequency and a time zone as text, or refuse bins that cannot be.

    Raises
    ------
    QueryError
        There is no such frequency or time zone, or the bins are shorter than a second.

    Examples
    --------
    >>> check(timedelta(minutes=15), ZoneInfo("Europe/Berlin"))
    ('15min', 'Europe/Berlin')
    """
    text = freq if isinstance(freq, str) else _text_of(freq)
    try:
        first, second = pd.date_range("2026-01-01", periods=2, freq=text)
    except Exception as error:
        raise _no_bins(freq) from error
    if second - first < pd.Timedelta(seconds=1) or (second - first).nanoseconds:
        raise QueryError(f"freq cannot be {freq!r}: bins last a second at least, and whole microseconds.")
    return text, forms.zone("tz", tz).key


def freq_for(span: timedelta, *, at_most: int = 80) -> str:
    """Give the length of the shortest bins of which a span holds no more than so many; of bins of weeks, more.

    Examples
    --------
    >>> freq_for(timedelta(hours=1)), freq_for(timedelta(days=1)), freq_for(timedelta(days=30))
    ('1min', '1h', '12h')
    """
    return next((freq for freq in _LENGTHS if span <= at_most * pd.Timedelta(freq)), _LENGTHS[-1])


def _text_of(freq: object) -> str:
    """Write a timedelta or an offset of pandas as text that means the same."""
    try:
        offset = pd.tseries.frequencies.to_offset(freq)  # type: ignore[call-overload]
        text = str(offset.freqstr)
        if pd.tseries.frequencies.to_offset(text) == offset:
            return text
    except Exception as error:
        raise _no_bins(freq) from error
    raise _no_bins(freq)


def _no_bins(freq: object) -> QueryError:
    return QueryError(
        f"freq={freq!r} makes no bins: it is a length as pandas writes it, such as '15min', '1h' or '1D'."
    )


def edges(first: pd.Timestamp, last: pd.Timestamp, freq: str, tz: str) -> pd.DatetimeIndex:
    """Give the beginnings of the bins that hold all from `first` to `last`, and the end of the last, in UTC.

    Bins of days and longer begin when the clock first shows their midnight, or what follows it where the clock
    leaps over it; shorter ones follow each other from the beginning of the day of `first`.

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
    offset, zone = pd.tseries.frequencies.to_offset(freq), ZoneInfo(tz)
    midnight = first.tz_convert(zone).tz_localize(None).normalize()
    if isinstance(offset, pd.offsets.Tick):
        found = _fixed(midnight, offset, first, last, zone)
    else:
        found = _by_calendar(midnight, offset, last, zone)
    if len(found) > MOST_BINS + 1:
        raise QueryError(
            f"freq={freq!r} makes more than {MOST_BINS:,} bins of these runs: use a longer one, or a shorter window."
        )
    return found[found.searchsorted(first, side="right") - 1 :]


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


def _fixed(
    midnight: pd.Timestamp, offset: pd.offsets.Tick, first: pd.Timestamp, last: pd.Timestamp, zone: ZoneInfo
) -> pd.DatetimeIndex:
    length = pd.Timedelta(offset)
    start = pd.Timestamp(_first_moment(midnight.to_pydatetime(), zone))
    start += (first - start) // length * length
    bins = min((last - start) // length + 1, MOST_BINS + 1)
    return pd.date_range(start, periods=bins + 1, freq=length)


def _by_calendar(
    midnight: pd.Timestamp, offset: pd.offsets.BaseOffset, last: pd.Timestamp, zone: ZoneInfo
) -> pd.DatetimeIndex:
    wall = offset.rollback(midnight)
    found = [_first_moment(wall.to_pydatetime(), zone)]
    while found[-1] <= last and len(found) <= MOST_BINS + 1:
        wall += offset
        # A zone may leave out a whole day, whose bin would be empty: Pacific/Apia did on 2011-12-30.
        found += [moment for moment in [_first_moment(wall.to_pydatetime(), zone)] if moment > found[-1]]
    return pd.DatetimeIndex(found)


def _first_moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Give the moment at which a zone's clock first shows a time, or a later one where it leaps over it, in UTC.

    Examples
    --------
    >>> _first_moment(datetime(2026, 4, 24), ZoneInfo("Africa/Cairo")).isoformat()
    '2026-04-23T22:00:00+00:00'
    """
    early, late = sorted(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(zone).replace(tzinfo=None) == wall:
        return early
    while late - early > _SECOND:  # the leap is between the two
        middle = early + (late - early) // 2 // _SECOND * _SECOND
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            early = middle
        else:
            late = middle
    return late
