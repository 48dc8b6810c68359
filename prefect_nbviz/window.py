"""The span of time that a query is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from prefect_nbviz.errors import QueryError
from prefect_nbviz.forms import TimePoint, moment_of


@dataclass(frozen=True)
class Window:
    """A span of time, both ends included; an end that is None is open."""

    since: datetime | None
    """First moment, UTC."""

    until: datetime | None
    """Last moment, UTC."""

    @classmethod
    def between(cls, since: TimePoint, until: TimePoint, now: datetime) -> Self:
        """Give the span between two points in time, as `forms.time_point` leaves them, as seen at `now`."""
        first, last = (moment_of(point, now) for point in (since, until))
        if first is not None and last is None:
            last = now
        if first is not None and last is not None and first > last:
            raise QueryError(
                f"since ({since}) is after until ({until or 'now'}): "
                "swap them, or leave out until for everything up to now."
            )
        return cls(first, last)
