"""One form for each kind of criterion: what people write becomes a tuple, a number or a time, or a sentence says why not."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

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
    values = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    for one in values:
        if not isinstance(one, str) or not one:
            raise QueryError(f"{word} takes text or a list of text, not {one!r}.")
    return tuple(dict.fromkeys(values))


def id_values(word: str, value: object) -> tuple[str, ...] | None:
    """Take one id or many, as text or UUID."""
    if value is None:
        return None
    values = (value,) if isinstance(value, str | UUID) or not isinstance(value, Iterable) else tuple(value)
    try:
        return tuple(dict.fromkeys(str(UUID(str(one))) for one in values))
    except ValueError:
        bad = next(one for one in values if not is_id(one))
        raise QueryError(f"{word} takes run ids (UUIDs), not {bad!r}; to ask by name, use name or name_like.") from None


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
    raise QueryError(f"{word} cannot be {value!r}.{did_you_mean(str(value), known)} It is one of: {', '.join(known)}.")


def count_or_none(word: str, value: object) -> int | None:
    """Take a number from 1 up, or None."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise QueryError(f"{word} is a number from 1 up, or None for no bound; not {value!r}.")


def text_or_none(word: str, value: object) -> str | None:
    """Take one piece of text, or None."""
    if value is None or (isinstance(value, str) and value):
        return value
    raise QueryError(f"{word} takes one piece of text, not {value!r}; leave it out for every one.")


def time_point(word: str, value: object) -> datetime | str | None:
    """Bring a point in time into one of two forms: aware datetime, or relative text."""
    match value:
        case None:
            return None
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
        f"{word} cannot be {value!r}: give an aware datetime, ISO text such as '2026-01-31T06:00+01:00', "
        "a timedelta, or '3h', '1d', '2w' ('+1h' looks ahead)."
    )


def aware(word: str, moment: datetime) -> datetime:
    """Take a moment that has a time zone."""
    if moment.utcoffset() is None:
        raise QueryError(
            f"{word} ({moment.isoformat()}) has no time zone: add one, such as "
            f"'{moment.isoformat(timespec='minutes')}+00:00' for UTC, or use .astimezone() for this machine's own."
        )
    return moment


def _relative_text(word: str, delta: timedelta) -> str:
    if delta < timedelta(0):
        raise QueryError(f"{word} cannot be a negative timedelta: it counts back from now; for later use text, '+1h'.")
    seconds = delta.total_seconds()
    unit = next((unit for unit, size in _UNITS.items() if seconds >= size and seconds % size == 0), "s")
    return f"{seconds / _UNITS[unit]:.6f}".rstrip("0").rstrip(".") + unit


def moment_of(point: TimePoint, now: datetime) -> datetime | None:
    """Give the moment that a point in time, as `time_point` leaves it, is as seen at `now`."""
    if point is None:
        return None
    if isinstance(point, datetime):
        return point.astimezone(UTC)
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
    columns = getattr(value, "columns", None)
    if columns is None:
        return id_values(word, value)
    if "flow_run_id" not in columns:
        raise QueryError(
            f"{word} takes a frame with a column 'flow_run_id'; this one has {', '.join(map(str, columns))}."
        )
    ids = id_values(word, value["flow_run_id"].dropna().unique())
    reason = getattr(value, "attrs", {}).get("prefect_nbviz", {}).get("reason")
    if ids is not None and reason:
        ids = PartialIds(ids)
        ids.reason = reason
    return ids


def yes_or_no(word: str, value: object) -> bool:
    """Take True or False."""
    if isinstance(value, bool):
        return value
    raise QueryError(f"{word} is True or False; not {value!r}.")


def flag(word: str, value: object) -> bool | None:
    """Take True, False, or None for both."""
    if value is None or isinstance(value, bool):
        return value
    raise QueryError(f"{word} is True, False, or None for both; not {value!r}.")


def parameter_values(word: str, texts: Iterable[str]) -> dict[str, Any]:
    """Take values by name out of texts such as `region=eu`; what is JSON after the `=` is read as JSON.

    Raises
    ------
    QueryError
        A text is no name with a value, or a name comes twice.

    Examples
    --------
    >>> parameter_values("parameters", ["region=eu", "rows=12", 'code="12"', "full=true"])
    {'region': 'eu', 'rows': 12, 'code': '12', 'full': True}
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not name or not equals:
            raise QueryError(f"{word} takes a name and a value, such as region=eu; not {text!r}.")
        if name in values:
            raise QueryError(f"{word} has two values for {name!r}, and a run has one: leave one out.")
        values[name] = _json_or_text(value)
    return values


def parameter_texts(values: Mapping[str, Any]) -> list[str]:
    """Give the texts that `parameter_values` reads as these values.

    Examples
    --------
    >>> parameter_texts({"region": "eu", "rows": 12, "code": "12", "full": True})
    ['region=eu', 'rows=12', 'code="12"', 'full=true']
    """
    return [f"{name}={_text_of(value)}" for name, value in values.items()]


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")  # so that NaN and Infinity, which Python would take, stay text


def _text_of(value: Any) -> str:
    is_plain = isinstance(value, str) and _json_or_text(value) == value == value.strip()
    return value if is_plain else json.dumps(value, ensure_ascii=False)
