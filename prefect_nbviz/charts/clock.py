"""Axes of time: the zones that they name, and how their ticks are written."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from prefect_nbviz.errors import QueryError, did_you_mean

_DATE = "\n%b %-d, %Y"
TICKS = [
    {"dtickrange": [None, 0.5], "value": "%H:%M:%S.%6f" + _DATE},
    {"dtickrange": [1, 500], "value": "%H:%M:%S.%L" + _DATE},
    {"dtickrange": [1_000, 30_000], "value": "%H:%M:%S" + _DATE},
    {"dtickrange": [60_000, 43_200_000], "value": "%H:%M" + _DATE},
    {"dtickrange": [86_400_000, 1_209_600_000], "value": "%b %-d\n%Y"},
    {"dtickrange": ["M1", "M6"], "value": "%b\n%Y"},
    {"dtickrange": ["M12", None], "value": "%Y"},
]
"""How plotly writes a time, by how far its ticks are apart, in milliseconds."""


def zone_of(tz: str) -> ZoneInfo:
    """Give a time zone by its name.

    Raises
    ------
    QueryError
        There is no such time zone.

    Examples
    --------
    >>> zone_of("Europe/Berlin").key
    'Europe/Berlin'
    """
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError, TypeError, AttributeError) as error:
        zones = sorted(available_timezones())
        near = [zone for zone in zones if zone.casefold().startswith(str(tz).casefold())][:3]
        hint = did_you_mean(str(tz), near or zones)
        raise QueryError(f"tz cannot be {tz!r}.{hint} It is a name such as 'UTC' or 'Europe/Berlin'.") from error
