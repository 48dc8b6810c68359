"""One form for each kind of criterion: what people write becomes a tuple, a number or a time, or a sentence says why not."""

from __future__ import annotations

import contextlib
import operator
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.states import STATE_TYPES

TextValues = str | Iterable[str] | None
IdValues = str | UUID | Iterable[str | UUID] | None
TimePoint = datetime | timedelta | str | None

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_RELATIVE = re.compile(r"(?P<ahead>\+?)(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>[smhdw])")


def text_values(word: str, value: object) -> tuple[str, ...] | None:
    """Take one text or many."""
    if value is None:
        return None
    values = _many(value)
    for one in values:
        if not isinstance(one, str) or not one:
            raise QueryError(f"{word} takes text or a list of text, not {_shown(one)}.")
    return tuple(dict.fromkeys(str.__str__(one) for one in values))  # numpy's and enums are text of other types


def _many(value: object) -> tuple[Any, ...]:
    """Take one value or many; a frame and a dict are one, since their columns and keys are not what is meant."""
    is_one = isinstance(value, str | Mapping) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) != 1
    if is_one:
        return (value,)
    values: Any = value  # those of a set come in the order of chance
    return tuple(sorted(values, key=str) if isinstance(value, set | frozenset) else values)


def _shown(value: object) -> str:
    """Give a value as a message shows it: in one line, and short."""
    return repr(value) if isinstance(value, str | int | float | bytes | None) else f"a {type(value).__name__}"


def id_values(word: str, value: object) -> tuple[str, ...] | None:
    """Take one id or many, as text or UUID."""
    if value is None:
        return None
    values = _many(value)
    try:
        return tuple(dict.fromkeys(str(UUID(str(one))) for one in values))
    except ValueError:
        bad = next(one for one in values if not is_id(one))
        raise QueryError(
            f"{word} takes run ids (UUIDs), not {_shown(bad)}; to ask by name, use name or name_like."
        ) from None


def is_id(value: object) -> bool:
    """Say whether a value is a UUID."""
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def state_type_values(word: str, value: object) -> tuple[str, ...] | None:
    """Take state types, upper or lower case."""
    texts = text_values(word, value)
    return texts if texts is None else tuple(dict.fromkeys(one_of(word, t, STATE_TYPES) for t in texts))


def one_of(word: str, value: object, known: tuple[str, ...]) -> str:
    """Take one of some known words, upper or lower case."""
    folded = {one.casefold(): one for one in known}
    if isinstance(value, str) and value.casefold() in folded:
        return folded[value.casefold()]
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    raise QueryError(f"{word} cannot be {_shown(value)}.{hint} It is one of: {', '.join(known)}.")


def count_or_none(word: str, value: object) -> int | None:
    """Take a number from 1 up, or None."""
    number = _number(value)
    if value is None or (number is not None and number >= 1):
        return number
    raise QueryError(f"{word} is a number from 1 up, or None for no bound; not {value!r}.")


def _number(value: Any) -> int | None:
    """Give a whole number of any type, numpy's too, as Python's; None for what is none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def text_or_none(word: str, value: object) -> str | None:
    """Take one piece of text, or None."""
    if value is None:
        return None
    if isinstance(value, str) and value:
        return str.__str__(value)
    raise QueryError(f"{word} takes one piece of text, not {_shown(value)}; leave it out for every one.")


def time_point(word: str, value: object) -> datetime | str | None:
    """Bring a point in time into one of two forms: aware datetime, or relative text."""
    match value:
        case None:
            return None
        case datetime() if value != value:  # noqa: PLR0124 - only NaT is not itself
            raise QueryError(f"{word} is no time (NaT), as the first or last of no rows: give a time, or leave it out.")
        case datetime():
            return aware(word, value)
        case timedelta():
            return _relative_text(word, value)
        case str() if relative := _RELATIVE.fullmatch(value.strip()):
            return f"{relative['ahead']}{relative['amount']}{relative['unit']}"
        case str():
            try:
                return aware(word, datetime.fromisoformat(value.strip()))
            except ValueError as error:
                if isinstance(error, QueryError):
                    raise
        case _:
            pass
    raise QueryError(
        f"{word} cannot be {_shown(value)}: give an aware datetime, ISO text such as '2026-01-31T06:00+01:00', "
        "a timedelta, or '3h', '1d', '2w' ('+1h' looks ahead)."
    )


def aware(word: str, moment: datetime) -> datetime:
    """Take a moment that has a time zone, as Python's own type."""
    if moment.utcoffset() is None:
        raise QueryError(
            f"{word} ({moment.isoformat()}) has no time zone: add one, such as "
            f"'{moment.isoformat(timespec='minutes')}+00:00' for UTC, or use .astimezone() for this machine's own."
        )
    return datetime.combine(moment.date(), moment.timetz())  # pandas' own has nanoseconds in its text


def _relative_text(word: str, delta: timedelta) -> str:
    if delta < timedelta(0):
        raise QueryError(f"{word} cannot be a negative timedelta: it counts back from now; for later use text, '+1h'.")
    seconds = delta.total_seconds()
    unit = next((unit for unit, size in _UNITS.items() if seconds >= size and seconds % size == 0), "s")
    return f"{seconds / _UNITS[unit]:.6f}".rstrip("0").rstrip(".") + unit


def moment_of(point: TimePoint, now: datetime) -> datetime | None:
    """Give the moment that a point in time, as `time_point` leaves it, is as seen at `now`."""
    try:
        return point.astimezone(UTC) if isinstance(point, datetime) else _relative_moment(point, now)
    except OverflowError:
        raise QueryError(
            f"{point} is beyond the years 1 to 9999, which are all that a time can have: leave that bound out."
        ) from None


def _relative_moment(point: timedelta | str | None, now: datetime) -> datetime | None:
    if point is None:
        return None
    match = _RELATIVE.fullmatch(str(point))
    if match is None:  # a query keeps only what time_point lets through
        raise QueryError(f"{point!r} is no relative time.")
    span = timedelta(seconds=float(match["amount"]) * _UNITS[match["unit"]])
    return now.astimezone(UTC) + (span if match["ahead"] else -span)


def zone(word: str, value: object) -> ZoneInfo:
    """Take a time zone, or its name."""
    name = str(value) if isinstance(value, tzinfo) else value
    if isinstance(name, str):
        with contextlib.suppress(KeyError, ValueError, OSError):
            return ZoneInfo(name)
    zones = sorted(available_timezones())
    near = [one for one in zones if one.casefold().startswith(str(name).casefold())][:3]
    hint = did_you_mean(str(name), near or zones)
    raise QueryError(f"{word} cannot be {name!r}.{hint} It is a name such as 'UTC' or 'Europe/Berlin'.")


class PartialIds(tuple[str, ...]):  # noqa: SLOT001 - a tuple can have no slots with something in them
    """Ids out of a frame that lacks some of what matched."""

    reason: str
    """What is missing, as a sentence."""


def flow_run_ids(word: str, value: Any) -> tuple[str, ...] | None:
    """Take the flow runs of a frame, or ids; what the frame lacks is kept."""
    return _ids_of_frame(word, value, "flow_run_id")


def task_run_ids(word: str, value: Any) -> tuple[str, ...] | None:
    """Take the task runs of a frame, or ids."""
    return _ids_of_frame(word, value, "task_run_id")


def _ids_of_frame(word: str, value: Any, column: str) -> tuple[str, ...] | None:
    columns = getattr(value, "columns", None)
    if columns is None:
        return id_values(word, value)
    if column not in columns:
        raise QueryError(f"{word} takes a frame with a column {column!r}; this one has {', '.join(map(str, columns))}.")
    ids = id_values(word, value[column].dropna().unique())
    reason = getattr(value, "attrs", {}).get("prefect_nbviz", {}).get("reason")
    if ids is not None and reason:
        ids = PartialIds(ids)
        ids.reason = reason
    return ids


def creator_values(word: str, value: object) -> tuple[str, ...] | None:
    """Take types of creators, and ids, as text or UUID."""
    values = None if value is None else [str(one) if isinstance(one, UUID) else one for one in _many(value)]
    texts = text_values(word, values)
    return texts if texts is None else tuple(str(UUID(one)) if is_id(one) else one for one in texts)


def yes_or_no(word: str, value: object) -> bool:
    """Take True or False."""
    if (one := _truth(value)) is not None:
        return one
    raise QueryError(f"{word} is True or False; not {_shown(value)}.")


def flag(word: str, value: object) -> bool | None:
    """Take True, False, or None for both."""
    if value is None or (one := _truth(value)) is not None:
        return None if value is None else one
    raise QueryError(f"{word} is True, False, or None for both; not {_shown(value)}.")


def _truth(value: object) -> bool | None:
    """Give a truth value, numpy's too, as Python's; None for what is none."""
    return bool(value) if isinstance(value, bool | np.bool_) else None
