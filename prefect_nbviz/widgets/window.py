"""The control for a span of time: back from now, or from one moment to another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

import ipywidgets as ipw

from prefect_nbviz.forms import TimePoint
from prefect_nbviz.query import TaskRunQuery

Span = tuple[TimePoint, TimePoint]
"""`since` and `until` of a query."""

CUSTOM = "custom"
"""The choice that shows the fields for two moments."""

_QUICK: dict[str, Any] = {
    "Last 15 min": ("15m", None),
    "Last hour": ("1h", None),
    "Last 6 h": ("6h", None),
    "Last 24 h": ("1d", None),
    "Last 7 days": ("7d", None),
    "Last 30 days": ("30d", None),
    "Any time": (None, None),
    "From … to …": CUSTOM,
}
_UNITS = {"s": "s", "m": "min", "h": "h", "d": "days", "w": "weeks"}


class WindowField(ipw.Box):
    """A choice of spans, and two fields for the ends of any other, in one time zone.

    Parameters
    ----------
    span
        `since` and `until` of a query.
    zone
        The time zone of the two fields.

    Examples
    --------
    >>> field = WindowField(("1d", None))
    >>> field.choice.value = ("1h", None)
    >>> field.value
    ('1h', None)
    """

    def __init__(self, span: Span = (None, None), *, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self.choice = ipw.Dropdown(description="Time", options=[*_QUICK.items()])
        self.since = ipw.NaiveDatetimePicker(description=f"From ({zone})")
        self.until = ipw.NaiveDatetimePicker(description=f"To ({zone})")
        super().__init__([self.choice, self.since, self.until])
        self.add_class("nbviz-row")
        for field in self.children:
            field.add_class("nbviz-field")
        self.value = span
        self.choice.observe(self._choose, "value")

    @property
    def value(self) -> Span:
        """`since` and `until`; moments are aware."""
        if self.choice.value != CUSTOM:
            since, until = self.choice.value
            return since, until
        return self._aware(self.since.value), self._aware(self.until.value)

    @value.setter
    def value(self, span: Span) -> None:
        moments = [end for end in span if isinstance(end, datetime)]
        if moments and not any(isinstance(end, str) for end in span):
            self.since.value, self.until.value = map(self._naive, span)
            self.choice.value = CUSTOM
        else:
            self._offer(span)
            self.choice.value = span
        self._show_ends()

    def on_change(self, callback: Callable[[Any], None]) -> None:
        """Call back when the span may have changed."""
        for field in self.children:
            field.observe(callback, "value")

    def _offer(self, span: Span) -> None:
        """Make a choice of a span that code gave."""
        if span not in [value for _, value in self.choice.options]:
            self.choice.options = [(_begin_large(span_text(span, zone=self._zone)), span), *_QUICK.items()]

    def _choose(self, change: Any) -> None:
        if change["new"] == CUSTOM and self.since.value is None and self.until.value is None:
            since, until = change["old"]
            before = TaskRunQuery(since=since, until=until).window(datetime.now(UTC))
            self.since.value, self.until.value = (
                _to_the_minute(self._naive(end)) for end in (before.since, before.until)
            )
        self._show_ends()

    def _aware(self, moment: datetime | None) -> datetime | None:
        return None if moment is None else moment.replace(tzinfo=self._zone)

    def _naive(self, moment: Any) -> datetime | None:
        return moment.astimezone(self._zone).replace(tzinfo=None) if isinstance(moment, datetime) else None

    def _show_ends(self) -> None:
        for field in (self.since, self.until):
            field.layout.display = None if self.choice.value == CUSTOM else "none"


def span_text(span: Span, *, zone: tzinfo = UTC) -> str:
    """Say a span of time as people do, moments in a time zone.

    Examples
    --------
    >>> [span_text(span) for span in (("1d", None), ("3h", None), (None, None), ("1d", "1h"))]
    ['last 24 h', 'last 3 h', 'any time', 'from 24 h ago to 1 h ago']
    >>> span_text((datetime(2026, 1, 31, 5, tzinfo=UTC), None))
    'from 2026-01-31 05:00 UTC to now'
    """
    since, until = span
    if since is None and until is None:
        return "any time"
    if until is None and isinstance(since, str) and not since.startswith("+"):
        return f"last {_length(since)}"
    return " ".join(([f"from {_end_text(since, zone)}"] if since else []) + [f"to {_end_text(until, zone)}"])


def _begin_large(text: str) -> str:
    return text[:1].upper() + text[1:]


def _end_text(end: TimePoint, zone: tzinfo) -> str:
    if end is None:
        return "now"
    if isinstance(end, datetime):
        moment = end.astimezone(zone).replace(tzinfo=None)
        return f"{moment.isoformat(' ', 'seconds').removesuffix(':00')} {zone}"
    text = str(end)
    return f"{_length(text[1:])} from now" if text.startswith("+") else f"{_length(text)} ago"


def _length(text: str) -> str:
    if text == "1d":
        return "24 h"
    amount, unit = text[:-1], _UNITS[text[-1]]
    return f"{amount} {unit.removesuffix('s') if amount == '1' and len(unit) > 1 else unit}"


def _to_the_minute(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(second=0, microsecond=0)
