"""What is asked: `FlowRunQuery` and `TaskRunQuery`, frozen values that can be kept and compared.

Every criterion has the same word in keywords, controls and magics. Criteria combine with *and*;
the values of one criterion combine with *or*, except in `tags_all` and `tags_none`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args
from uuid import UUID

from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.states import STATE_TYPES

TimeField = Literal["start_time", "end_time", "expected_start_time"]
RunKind = Literal["flow_run", "task_run"]
TextValues = str | Iterable[str] | None
IdValues = str | UUID | Iterable[str | UUID] | None
TimePoint = datetime | timedelta | str | None

Q = TypeVar("Q", bound="RunQuery")

DEFAULT_LIMIT = 1_000
_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_RELATIVE = re.compile(r"(?P<ahead>\+?)(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>[smhdw])")


@dataclass(frozen=True)
class Window:
    """A span of time, both ends included; an end that is None is open."""

    since: datetime | None
    """First moment, UTC."""

    until: datetime | None
    """Last moment, UTC."""


@dataclass(frozen=True, kw_only=True)
class RunQuery:
    """The criteria that flow runs and task runs share. Use `FlowRunQuery` or `TaskRunQuery`."""

    kind: ClassVar[RunKind]
    sorts: ClassVar[tuple[str, ...]]

    ids: IdValues = None
    """Ids of the runs, text or UUID. An empty list matches nothing."""

    name: TextValues = None
    """Exact names of the runs."""

    name_like: str | None = None
    """Text that the name contains, upper and lower case alike; `%` and `_` stand for themselves."""

    flow: TextValues = None
    """Names of flows; of task runs, the flow of their flow run."""

    deployment: TextValues = None
    """Names of deployments, plain (`nightly`) or with their flow (`daily_ingest/nightly`)."""

    tags_all: TextValues = None
    """Tags that the run must all have."""

    tags_any: TextValues = None
    """Tags of which the run must have one or more. Task runs: the union of one read for each tag."""

    tags_none: TextValues = None
    """Tags of which the run must have none. The server lacks this: it is done while reading."""

    state_type: TextValues = None
    """State types (see `states.STATE_TYPES`), upper or lower case: that of the run itself."""

    state_name: TextValues = None
    """State names, such as `Late` or `TimedOut`, exact: that of the run itself."""

    since: TimePoint = None
    """First moment: an aware datetime, ISO text with an offset, a timedelta back from now, or text: `3h`, `1d`."""

    until: TimePoint = None
    """Last moment, likewise; `+1h` looks ahead. With `since` and without `until`, the moment of the read."""

    time_field: TimeField = "start_time"
    """The time that `since` and `until` are about. A run without a `start_time` counts at its `expected_start_time`."""

    sort: str = "EXPECTED_START_TIME_DESC"
    """An order of Prefect's (`FlowRunSort`, `TaskRunSort`). Ties: by id, descending; without that time: last."""

    limit: int | None = DEFAULT_LIMIT
    """How many runs at most, the first in the order of `sort`; None for all."""

    def __new__(cls, **criteria: object) -> Self:
        """Refuse a criterion that does not exist, with the nearest that does."""
        known = [f.name for f in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
        for word in criteria:
            if word not in known:
                raise QueryError(
                    f"{cls.__name__} has no criterion {word!r}.{did_you_mean(word, known)} "
                    f"It knows: {', '.join(known)}."
                )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Bring every criterion into its one form, or say what is wrong with it."""
        put = object.__setattr__
        put(self, "ids", _ids("ids", self.ids))
        for word in ("name", "flow", "deployment", "tags_all", "tags_any", "tags_none", "state_name"):
            put(self, word, _texts(word, getattr(self, word)))
        put(self, "state_type", _state_types(self.state_type))
        if self.name_like is not None and (not isinstance(self.name_like, str) or not self.name_like):
            raise QueryError(f"name_like takes one piece of text, not {self.name_like!r}; leave it out for every name.")
        put(self, "since", _time_point("since", self.since))
        put(self, "until", _time_point("until", self.until))
        _one_of("time_field", self.time_field, get_args(TimeField))
        put(self, "sort", _one_of("sort", self.sort, self.sorts))
        _check_limit(self.limit)
        self.window(datetime.now(UTC))

    def window(self, now: datetime) -> Window:
        """Give the span of time that the query asks for, as seen at `now`.

        Parameters
        ----------
        now
            The moment of the read, with a time zone.

        Raises
        ------
        QueryError
            `since` is after `until`.

        Examples
        --------
        >>> query = FlowRunQuery(since="1d", until="1h")
        >>> query.window(datetime(2026, 1, 2, tzinfo=UTC)).since
        datetime.datetime(2026, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
        """
        since, until = (_moment(point, now) for point in (self.since, self.until))
        if since is not None and until is None:
            until = now
        if since is not None and until is not None and since > until:
            raise QueryError(
                f"since ({self.since}) is after until ({self.until or 'now'}): "
                "swap them, or leave out until for everything up to now."
            )
        return Window(since, until)

    def criteria(self) -> dict[str, Any]:
        """Give the criteria that differ from their defaults, as plain values that JSON can hold.

        Examples
        --------
        >>> TaskRunQuery(state_type="failed", since=timedelta(days=1)).criteria()
        {'state_type': ['FAILED'], 'since': '1d'}
        """
        return {word: _plain(value) for word, value in self._changed().items()}

    def _changed(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}

    def replace(self, **criteria: Any) -> Self:
        """Give a new query with some criteria changed.

        Examples
        --------
        >>> FlowRunQuery(tags_all="prod").replace(limit=10).criteria()
        {'tags_all': ['prod'], 'limit': 10}
        """
        merged = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)} | criteria
        return type(self)(**merged)

    def __repr__(self) -> str:
        """Show the criteria that are set, as they would be written."""
        shown = {k: v if isinstance(v, RunQuery) else _plain(v) for k, v in self._changed().items()}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


@dataclass(frozen=True, kw_only=True, repr=False)
class FlowRunQuery(RunQuery):
    """Which flow runs to read.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/read-flow-runs

    Examples
    --------
    >>> FlowRunQuery(flow="daily_ingest", tags_all=["prod"], since="1d", state_type="failed")
    FlowRunQuery(flow=['daily_ingest'], tags_all=['prod'], state_type=['FAILED'], since='1d')
    """

    kind: ClassVar[RunKind] = "flow_run"
    sorts: ClassVar[tuple[str, ...]] = (
        "EXPECTED_START_TIME_DESC",
        "EXPECTED_START_TIME_ASC",
        "START_TIME_DESC",
        "START_TIME_ASC",
        "END_TIME_DESC",
        "NAME_ASC",
        "NAME_DESC",
        "ID_DESC",
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class TaskRunQuery(RunQuery):
    """Which task runs to read.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/task-runs/read-task-runs

    Examples
    --------
    >>> TaskRunQuery(state_type="FAILED", flow_runs=FlowRunQuery(tags_all="prod", since="1d"))
    TaskRunQuery(state_type=['FAILED'], flow_runs=FlowRunQuery(tags_all=['prod'], since='1d'))
    """

    kind: ClassVar[RunKind] = "task_run"
    sorts: ClassVar[tuple[str, ...]] = (
        "EXPECTED_START_TIME_DESC",
        "EXPECTED_START_TIME_ASC",
        "END_TIME_DESC",
        "NAME_ASC",
        "NAME_DESC",
        "ID_DESC",
    )

    flow_runs: Any = None
    """The flow runs that they belong to: a `FlowRunQuery`, a frame with `flow_run_id`, or ids."""

    def __post_init__(self) -> None:
        """Bring the parents into one form too: a query, or ids."""
        super().__post_init__()
        object.__setattr__(self, "flow_runs", _parents(self.flow_runs))


def _plain(value: object) -> Any:
    match value:
        case RunQuery():
            return value.criteria()
        case tuple():
            return [*value]
        case datetime():
            return value.isoformat()
        case _:
            return value


def _parents(value: object) -> FlowRunQuery | tuple[str, ...] | None:
    if value is None or isinstance(value, FlowRunQuery):
        return value
    columns = getattr(value, "columns", None)
    if columns is None:
        return _ids("flow_runs", value)
    if "flow_run_id" not in columns:
        raise QueryError(
            f"flow_runs takes a frame with a column 'flow_run_id'; this one has {', '.join(map(str, columns))}."
        )
    return _ids("flow_runs", value["flow_run_id"].dropna().unique())  # type: ignore[index]


def _texts(word: str, value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    values = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    for one in values:
        if not isinstance(one, str) or not one:
            raise QueryError(f"{word} takes text or a list of text, not {one!r}.")
    return tuple(dict.fromkeys(values))


def _ids(word: str, value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    values = (value,) if isinstance(value, str | UUID) or not isinstance(value, Iterable) else tuple(value)
    try:
        return tuple(dict.fromkeys(str(UUID(str(one))) for one in values))
    except ValueError:
        bad = next(one for one in values if not _is_id(one))
        raise QueryError(f"{word} takes run ids (UUIDs), not {bad!r}; to ask by name, use name or name_like.") from None


def _is_id(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def _state_types(value: TextValues) -> tuple[str, ...] | None:
    texts = _texts("state_type", value)
    return texts if texts is None else tuple(dict.fromkeys(_one_of("state_type", t, STATE_TYPES) for t in texts))


def _one_of(word: str, value: object, known: tuple[str, ...]) -> str:
    folded = {one.casefold(): one for one in known}
    if isinstance(value, str) and value.casefold() in folded:
        return folded[value.casefold()]
    raise QueryError(f"{word} cannot be {value!r}.{did_you_mean(str(value), known)} It is one of: {', '.join(known)}.")


def _check_limit(limit: object) -> None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise QueryError(f"limit is a number from 1 up, or None for all that match; not {limit!r}.")


def _time_point(word: str, value: object) -> datetime | str | None:
    """Bring a point in time into one of two forms: aware datetime, or relative text."""
    match value:
        case None:
            return None
        case datetime():
            return _aware(word, value)
        case timedelta():
            return _relative_text(word, value)
        case str() if relative := _RELATIVE.fullmatch(value.strip()):
            return f"{relative['ahead']}{relative['amount']}{relative['unit']}"
        case str():
            try:
                return _aware(word, datetime.fromisoformat(value.strip()))
            except ValueError as error:
                if isinstance(error, QueryError):
                    raise
        case _:
            pass
    raise QueryError(
        f"{word} cannot be {value!r}: give an aware datetime, ISO text such as '2026-01-31T06:00+01:00', "
        "a timedelta, or '3h', '1d', '2w' ('+1h' looks ahead)."
    )


def _aware(word: str, moment: datetime) -> datetime:
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


def _moment(point: TimePoint, now: datetime) -> datetime | None:
    if point is None:
        return None
    if isinstance(point, datetime):
        return point.astimezone(UTC)
    match = _RELATIVE.fullmatch(str(point))
    if match is None:  # a query keeps only what _time_point lets through
        raise QueryError(f"{point!r} is no relative time.")
    span = timedelta(seconds=float(match["amount"]) * _UNITS[match["unit"]])
    return now.astimezone(UTC) + (span if match["ahead"] else -span)


QUERY_TYPES: Mapping[RunKind, type[RunQuery]] = {"flow_run": FlowRunQuery, "task_run": TaskRunQuery}
"""The query of each kind of run."""


def as_query(query_type: type[Q], query: Q | None, criteria: Mapping[str, Any]) -> Q:
    """Give the query that a query and keywords make together; keywords win.

    Raises
    ------
    QueryError
        `query` is of another type, or a criterion cannot be.
    """
    if query is None:
        return query_type(**criteria)
    if not isinstance(query, query_type):
        raise QueryError(
            f"This reads with a {query_type.__name__}, not {type(query).__name__}; criteria are keywords, as in name='x'."
        )
    return query.replace(**criteria)
