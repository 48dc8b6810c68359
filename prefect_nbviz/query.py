"""Queries: what is asked of runs, as values that can be kept, compared, changed and explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from prefect_nbviz import forms
from prefect_nbviz.abilities import Abilities
from prefect_nbviz.criteria import DEFAULT_LIMIT, FlowRunCriteria, RunCriteria, RunKind, TaskRunCriteria
from prefect_nbviz.curl_code import curl_code
from prefect_nbviz.errors import QueryError
from prefect_nbviz.json_code import criteria_of, json_code, kind_of, without_kind
from prefect_nbviz.meanings import with_meanings
from prefect_nbviz.plan import Plan
from prefect_nbviz.prelude import make_whole_plan
from prefect_nbviz.python_code import python_code

__all__ = [
    "DEFAULT_LIMIT",
    "QUERY_TYPES",
    "FlowRunQuery",
    "RunKind",
    "RunQuery",
    "TaskRunQuery",
    "as_query",
    "query_from_json",
    "query_of_either",
    "query_to_show",
]


def _present(now: object) -> datetime:
    """Give the moment that relative times count from."""
    if now is None:
        return datetime.now(UTC)
    if isinstance(now, datetime):
        return forms.aware("now", now)
    raise QueryError(f"now is a datetime with a time zone, not {type(now).__name__}.")


@dataclass(frozen=True, kw_only=True, repr=False)
class RunQuery(RunCriteria):
    """What all queries can do. Use `FlowRunQuery` or `TaskRunQuery`."""

    def plan(self, *, now: datetime | None = None, server_version: str | None = None) -> Plan:
        """Explain the query: what goes to the server, what is done here, how many requests.

        Parameters
        ----------
        now
            The moment that relative times count from; unless told, the present.
        server_version
            Version of the server, such as `"3.4.25"`; unless told, the newest. Older ones can do less.

        Examples
        --------
        >>> print(TaskRunQuery(tags_none="dev", state_type="FAILED").plan())
        Asked of the server:
          POST /task_runs/filter {"task_runs": {"state": {"type": {"any_": ["FAILED"]}}}}
        Done here:
          tags_none
        Requests: 2 to count, 1 for 199 rows of each filter (all its rows), and a few for names behind ids.
        """
        if not isinstance(server_version, str | None):
            raise QueryError(f"server_version is text, such as '3.4.25', not {type(server_version).__name__}.")
        return make_whole_plan(self, now=_present(now), abilities=Abilities.of(server_version))

    def to_python(self) -> str:
        """Give Python that does the same with nothing but Prefect's own client, for the newest server and client.

        It reads all that matches, whatever the limit, and leaves a list `runs` of Prefect's `FlowRun` or `TaskRun`
        objects: the same runs in the same order. Relative times stay relative; the server is that of the profile
        in use, so that no address and no key is in it.

        See Also
        --------
        prefect.client.orchestration.get_client

        Examples
        --------
        >>> print(FlowRunQuery(state_type="FAILED", sort="ID_DESC", limit=10).to_python())
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
        from prefect.client.schemas.sorting import FlowRunSort
        <BLANKLINE>
        with get_client(sync_client=True) as client:
            runs = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(
                    state=FlowRunFilterState(type=FlowRunFilterStateType(any_=['FAILED'])),
                ),
                sort=FlowRunSort.ID_DESC,
                limit=10,
            )
        """
        return python_code(self)

    def to_curl(self, *, now: datetime | None = None) -> str:
        r"""Give a shell script of curl and jq that prints the same runs in the same order, as one JSON array.

        It takes the server from `PREFECT_API_URL`, and who asks from `PREFECT_API_KEY` (Prefect Cloud) or
        `PREFECT_API_AUTH_STRING` (`user:password` of a server of your own), of which the key goes first; none of
        them is in it. One page by id takes one curl and no jq; else all that matches is read, whatever the limit.

        Parameters
        ----------
        now
            The moment that relative times count from; unless told, the present.

        See Also
        --------
        https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/read-flow-runs

        Examples
        --------
        >>> print(TaskRunQuery(state_type="FAILED", sort="ID_DESC", limit=10).to_curl())
        curl -fsS "$PREFECT_API_URL/task_runs/filter" \
          ${PREFECT_API_AUTH_STRING:+-u "$PREFECT_API_AUTH_STRING"} \
          ${PREFECT_API_KEY:+-H "Authorization: Bearer $PREFECT_API_KEY"} \
          -H 'Content-Type: application/json' \
          -d '{"task_runs": {"state": {"type": {"any_": ["FAILED"]}}}, "sort": "ID_DESC", "limit": 10}'
        """
        return curl_code(self, now=_present(now))

    def to_json(self) -> str:
        """Give the query as JSON text that `from_json` reads: its kind, and the criteria that are set.

        Raises
        ------
        QueryError
            A value of `parameters` is one that JSON cannot hold.

        Examples
        --------
        >>> print(FlowRunQuery(tags_all="prod", since="1d").to_json())
        {
          "kind": "flow_run",
          "tags_all": [
            "prod"
          ],
          "since": "1d"
        }
        """
        return json_code(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a query from JSON text, such as `to_json` gives.

        Raises
        ------
        QueryError
            The text is no JSON, or a query of the other kind, or has a criterion that cannot be.

        Examples
        --------
        >>> FlowRunQuery.from_json('{"tags_all": "prod", "since": "1d"}')
        FlowRunQuery(tags_all=['prod'], since='1d')
        """
        criteria = criteria_of(text, cls.kind)
        if isinstance(parents := criteria.get("flow_runs"), dict):
            criteria["flow_runs"] = FlowRunQuery(**without_kind(parents, "flow_run"))
        return cls(**criteria)


@with_meanings
@dataclass(frozen=True, kw_only=True, repr=False)
class FlowRunQuery(FlowRunCriteria, RunQuery):
    """Which flow runs to read.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/read-flow-runs

    Examples
    --------
    >>> FlowRunQuery(flow="daily_ingest", tags_all=["prod"], since="1d", state_type="failed")
    FlowRunQuery(flow=['daily_ingest'], tags_all=['prod'], state_type=['FAILED'], since='1d')
    """


@with_meanings
@dataclass(frozen=True, kw_only=True, repr=False)
class TaskRunQuery(TaskRunCriteria, RunQuery):
    """Which task runs to read.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/task-runs/read-task-runs

    Examples
    --------
    >>> TaskRunQuery(state_type="FAILED", flow_runs=FlowRunQuery(tags_all="prod", since="1d"))
    TaskRunQuery(state_type=['FAILED'], flow_runs=FlowRunQuery(tags_all=['prod'], since='1d'))
    """


Q = TypeVar("Q", bound=RunQuery)

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


def query_of_either(query: object, criteria: Mapping[str, Any]) -> RunQuery:
    """Give the query of either kind of run that a query and keywords make together; keywords win.

    Raises
    ------
    QueryError
        There is no query, so that keywords could be about either kind; or a criterion cannot be.

    Examples
    --------
    >>> query_of_either(FlowRunQuery(flow="a"), {"name": "x"})
    FlowRunQuery(name=['x'], flow=['a'])
    >>> query_of_either(None, {"flow": "a"})
    Traceback (most recent call last):
    prefect_nbviz.errors.QueryError: Say which runs: FlowRunQuery(flow='a') or TaskRunQuery(flow='a').
    """
    if isinstance(query, FlowRunQuery | TaskRunQuery):
        return query.replace(**criteria)
    words = ", ".join(f"{word}={value!r}" for word, value in criteria.items()) or "since='1d'"
    came = "" if query is None else f", not {type(query).__name__}"
    raise QueryError(f"Say which runs: FlowRunQuery({words}) or TaskRunQuery({words}){came}.")


def query_to_show(query: Any, criteria: Mapping[str, Any]) -> FlowRunQuery | TaskRunQuery:
    """Give the query of what is to be shown: of task runs unless told, of the last day where nothing is.

    Raises
    ------
    QueryError
        A criterion that cannot be.

    Examples
    --------
    >>> query_to_show(None, {}), query_to_show(None, {"state_type": "FAILED"})
    (TaskRunQuery(since='1d'), TaskRunQuery(state_type=['FAILED']))
    """
    if query is None and not criteria:
        return TaskRunQuery(since="1d")
    query_type: type[RunQuery] = type(query) if isinstance(query, RunQuery) else TaskRunQuery
    asked: FlowRunQuery | TaskRunQuery = as_query(query_type, query, criteria)
    return asked


def query_from_json(text: str | bytes) -> FlowRunQuery | TaskRunQuery:
    """Read a query of either kind of run from JSON text that says which, as `to_json` gives it.

    Raises
    ------
    QueryError
        The text is no JSON, or does not say the kind, or has a criterion that cannot be.

    Examples
    --------
    >>> query_from_json('{"kind": "task_run", "state_type": "FAILED", "since": "1d"}')
    TaskRunQuery(state_type=['FAILED'], since='1d')
    """
    return FlowRunQuery.from_json(text) if kind_of(text) == "flow_run" else TaskRunQuery.from_json(text)
