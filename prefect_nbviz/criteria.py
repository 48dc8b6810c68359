"""What can be asked of runs: frozen values, each criterion in one form.

Every criterion has the same word in keywords, controls and magics. Criteria combine with *and*;
the values of one criterion combine with *or*, except in `tags_all`, `tags_none`, `tag_keys`,
`parameters` and those that end in `_not`. An empty list of values to be one of matches nothing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self, get_args

from prefect_nbviz import forms
from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.forms import IdValues, TextValues, TimePoint
from prefect_nbviz.parameters import parameters_or_none
from prefect_nbviz.window import Window

TimeField = Literal["start_time", "end_time", "expected_start_time", "next_scheduled_start_time"]
RunKind = Literal["flow_run", "task_run"]

DEFAULT_LIMIT = 1_000
TOP_LEVEL, SUBFLOW = "top_level", "subflow"

SORTS_OF_BOTH = (
    "EXPECTED_START_TIME_DESC",
    "EXPECTED_START_TIME_ASC",
    "END_TIME_DESC",
    "NAME_ASC",
    "NAME_DESC",
    "ID_DESC",
)
TIMES_OF_BOTH = ("start_time", "end_time", "expected_start_time")
SORTS_BY_START = ("START_TIME_DESC", "START_TIME_ASC")
SORTS_HERE = ("END_TIME_ASC", "NEXT_SCHEDULED_START_TIME_ASC", "DURATION_DESC", "DURATION_ASC")
"""Orders that take reading all that matches: the server lacks them, or cannot page through them without loss."""


@dataclass(frozen=True, kw_only=True, repr=False)
class RunCriteria:
    """The criteria that flow runs and task runs share."""

    kind: ClassVar[RunKind]
    noun: ClassVar[str]
    sorts: ClassVar[tuple[str, ...]]
    time_fields: ClassVar[tuple[str, ...]]

    ids: IdValues = None
    """Ids of the runs, text or UUID. Done by the server."""

    ids_not: IdValues = None
    """Ids that the run must not have. Done by the server for flow runs up to 5,000 ids, else by the reader."""

    name: TextValues = None
    """Exact names of the runs. Done by the server."""

    name_like: str | None = None
    """Text that the name contains, upper and lower case alike; `%` and `_` stand for themselves. Done by the
    server; characters that mean something to SQL, and letters beyond ASCII, by the reader."""

    name_not: TextValues = None
    """Exact names that the run must not have. Done by the reader."""

    flow: TextValues = None
    """Names of flows; of task runs, the flow of their flow run. Done by the server."""

    deployment: TextValues = None
    """Names of deployments, plain (`nightly`) or with their flow (`daily_ingest/nightly`). Done by the server."""

    work_pool: TextValues = None
    """Names of work pools; of task runs, that of their flow run, which is then read first. Done by the server."""

    work_queue: TextValues = None
    """Names of work queues; of task runs, that of their flow run. Done by the server."""

    tags_all: TextValues = None
    """Tags that the run must all have. Done by the server."""

    tags_any: TextValues = None
    """Tags of which the run must have one or more. Done by the server; task runs (and flow runs on servers before
    3.1.15): the union of one read for each tag."""

    tags_none: TextValues = None
    """Tags of which the run must have none. Done by the reader."""

    tag_keys: TextValues = None
    """Keys that must each be in a tag `key:value`, such as `project_id`. Done by the reader."""

    untagged: bool | None = None
    """True for runs without tags, False for runs with some. Done by the server."""

    state_type: TextValues = None
    """State types (see `states.STATE_TYPES`), upper or lower case: that of the run itself. Done by the server."""

    state_type_not: TextValues = None
    """State types that the run must not be in; a run without a state does not match. Done by the server."""

    state_name: TextValues = None
    """State names, such as `Late` or `TimedOut`, exact: that of the run itself. Done by the server."""

    state_name_not: TextValues = None
    """State names that the run must not be in; a run without a state does not match. Done by the server for flow
    runs, by the reader for task runs."""

    run_count_min: int | None = None
    """How many times at least the run entered a running state; 2 for those that were retried. Done by the reader."""

    since: TimePoint = None
    """First moment: an aware datetime, ISO text with an offset, a timedelta back from now, or text: `3h`, `1d`.
    Done by the server."""

    until: TimePoint = None
    """Last moment, likewise; `+1h` looks ahead. With `since` and without `until`, the moment of the read. Done by the
    server."""

    time_field: TimeField = "start_time"
    """The time that `since` and `until` are about; `next_scheduled_start_time`, which only runs have that are yet to
    start, of flow runs only. Done by the server; `end_time` of task runs before 3.6.29 by the reader."""

    start_time_fallback: bool = True
    """Whether a run without a `start_time` counts at its `expected_start_time`, as in Prefect's own filter of flow
    runs. False: a window of `start_time` holds only runs that started. Done by the server."""

    sort: str = "EXPECTED_START_TIME_DESC"
    """An order. Ties: by id, descending; runs without that time: last, but for START_TIME, where a run that did not
    start counts at its `expected_start_time`, as Prefect has it, whatever `start_time_fallback`. Prefect's own
    (`FlowRunSort`, `TaskRunSort`) are done by the server; START_TIME of task runs, END_TIME_ASC,
    NEXT_SCHEDULED_START_TIME_ASC and DURATION by the reader, which then reads all that match."""

    limit: int | None = DEFAULT_LIMIT
    """How many runs at most, the first in the order of `sort`; None for all. Done by the reader, which asks the server
    for no more than it needs."""

    def __new__(cls, /, *unnamed: object, **criteria: object) -> Self:
        """Refuse what has no name, and a criterion that does not exist, with the nearest that does."""
        if unnamed:
            came = type(unnamed[0]).__name__
            raise QueryError(
                f"{cls.__name__} takes criteria by name, as in {cls.__name__}(name='x'), not {came} alone."
            )
        known = [f.name for f in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
        for word in criteria:
            if word not in known:
                hint = did_you_mean(word, known) or f" It knows: {', '.join(known)}."
                raise QueryError(f"{cls.__name__} has no criterion {word!r}.{hint}")
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Bring every criterion into its one form, or say what is wrong with it."""
        for field in dataclasses.fields(self):
            if form := _FORMS.get(field.name):
                object.__setattr__(self, field.name, form(field.name, getattr(self, field.name)))
        object.__setattr__(self, "time_field", forms.one_of("time_field", self.time_field, self.time_fields))
        object.__setattr__(self, "sort", forms.one_of("sort", self.sort, self.sorts))
        self.window(datetime.now(UTC))

    def window(self, now: datetime) -> Window:
        """Give the span of time that is asked for, as seen at `now`.

        Parameters
        ----------
        now
            The moment of the read, with a time zone.

        Raises
        ------
        QueryError
            `since` is after `until`, or one of them beyond what a time can be.
        """
        return Window.between(self.since, self.until, now)

    def criteria(self) -> dict[str, Any]:
        """Give the criteria that differ from their defaults, as plain values that JSON can hold."""
        return {word: _plain(value) for word, value in self._changed().items()}

    def _changed(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}

    def replace(self, **criteria: Any) -> Self:
        """Give a new query with some criteria changed."""
        merged = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)} | criteria
        return type(self)(**merged)

    def __repr__(self) -> str:
        """Show the criteria that are set, as they would be written."""
        shown = {k: v if isinstance(v, RunCriteria) else _plain(v) for k, v in self._changed().items()}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


@dataclass(frozen=True, kw_only=True, repr=False)
class FlowRunCriteria(RunCriteria):
    """The criteria of flow runs."""

    kind: ClassVar[RunKind] = "flow_run"
    noun: ClassVar[str] = "flow run"
    sorts: ClassVar[tuple[str, ...]] = (*SORTS_OF_BOTH, *SORTS_BY_START, *SORTS_HERE)
    time_fields: ClassVar[tuple[str, ...]] = get_args(TimeField)

    parent: Any = None
    """`"top_level"` for runs that no flow run started, `"subflow"` for those that one did, or a frame or ids of flow
    runs whose children to give. Done by the server."""

    parent_task_run: Any = None
    """A frame or ids of task runs: the subflow runs that they stand for. Done by the server."""

    ancestor: Any = None
    """A frame or ids of flow runs: the whole tree of subflow runs below them, themselves left out. Done by the
    reader, a level at a time."""

    created_by: IdValues = None
    """Who created the run, by type (`DEPLOYMENT`, `AUTOMATION`, `USER`, …) or by id, such as that of an automation.
    Done by the server, before 3.6.29 by the reader."""

    has_deployment: bool | None = None
    """True for runs of a deployment, False for those without one, as of a flow that a script called. Done by the
    server."""

    has_work_queue: bool | None = None
    """True for runs that wait in a work queue or came out of one, False for others. Done by the server."""

    idempotency_key: TextValues = None
    """Keys that the runs were created with, so that each makes one run at most. Done by the server."""

    flow_version: TextValues = None
    """Versions of the flow. Done by the server."""

    auto_scheduled: bool | None = None
    """True for runs that a schedule made, False for others. Done by the reader."""

    parameters: Any = None
    """Values that parameters must have, such as `{"region": "eu"}`; others are free. Done by the reader."""


@dataclass(frozen=True, kw_only=True, repr=False)
class TaskRunCriteria(RunCriteria):
    """The criteria of task runs."""

    kind: ClassVar[RunKind] = "task_run"
    noun: ClassVar[str] = "task run"
    sorts: ClassVar[tuple[str, ...]] = (*SORTS_OF_BOTH, *SORTS_BY_START, *SORTS_HERE)
    time_fields: ClassVar[tuple[str, ...]] = TIMES_OF_BOTH

    has_flow_run: bool | None = None
    """True for task runs of a flow run, False for those that ran on their own. Done by the server."""

    has_subflow_run: bool | None = None
    """True for task runs that stand for a subflow run in its parent, False for others. Done by the server."""

    flow_runs: Any = None
    """The flow runs that they belong to: a `FlowRunQuery`, a frame with `flow_run_id`, or ids. Done by the server;
    a query with criteria that the reader does, or of which `limit` leaves out some, is read first."""


def _plain(value: object) -> Any:
    match value:
        case RunCriteria():
            return value.criteria()
        case tuple():
            return [*value]
        case datetime():
            return value.isoformat()
        case _:
            return value


def _parents(word: str, value: object) -> Any:
    return value if isinstance(value, FlowRunCriteria) else forms.flow_run_ids(word, value)


def _parent(word: str, value: object) -> Any:
    if isinstance(value, str) and not forms.is_id(value):
        return forms.one_of(word, value, (TOP_LEVEL, SUBFLOW))
    return forms.flow_run_ids(word, value)


_FORMS: dict[str, Any] = {
    **dict.fromkeys(
        (
            *("name", "name_not", "flow", "deployment", "work_pool", "work_queue", "tags_all", "tags_any", "tags_none"),
            *("tag_keys", "state_name", "state_name_not", "flow_version", "idempotency_key"),
        ),
        forms.text_values,
    ),
    **dict.fromkeys(("state_type", "state_type_not"), forms.state_type_values),
    **dict.fromkeys(("since", "until"), forms.time_point),
    **dict.fromkeys(
        ("untagged", "auto_scheduled", "has_deployment", "has_work_queue", "has_flow_run", "has_subflow_run"),
        forms.flag,
    ),
    "start_time_fallback": forms.yes_or_no,
    **dict.fromkeys(("limit", "run_count_min"), forms.count_or_none),
    **dict.fromkeys(("ids", "ids_not"), forms.id_values),
    "created_by": forms.creator_values,
    "name_like": forms.text_or_none,
    "flow_runs": _parents,
    "ancestor": forms.flow_run_ids,
    "parent_task_run": forms.task_run_ids,
    "parent": _parent,
    "parameters": parameters_or_none,
}
"""The form of each criterion."""
