"""The control for a span of time: back from now, or from one moment to another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

import ipywidgets as ipw

from prefect_nbviz.query import TaskRunQuery
from prefect_nbviz.query_text import Span, span_text

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


def _begin_large(text: str) -> str:
    return text[:1].upper() + text[1:]


def _to_the_minute(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(second=0, microsecond=0)
