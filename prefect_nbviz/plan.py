"""How a query is answered: what is sent to the server, and what is done here.

The bodies are those of `POST /flow_runs/filter` and `POST /task_runs/filter`; they carry only the
fields that are set, and only fields that the server is known to have (a client's model would
silently drop an unknown one and so give all rows). What the server cannot do becomes a union of
several bodies, or a step that is done here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from textwrap import indent

from prefect_nbviz.abilities import Abilities
from prefect_nbviz.criteria import SORTS_BY_START, FlowRunCriteria, RunCriteria, RunKind, TaskRunCriteria
from prefect_nbviz.filters import (
    deployment_filters,
    flow_run_filters,
    id_filters,
    merge,
    plain_filters,
    tag_filters,
    window_filters,
)
from prefect_nbviz.order import Body, is_done_here
from prefect_nbviz.steps import Step, steps

FILTERS_OF_TASK_RUNS = frozenset({"task_runs", "flow_runs", "flows", "deployments"})
"""What the paths of task runs take; others they would ignore, and so give all rows."""


MOST_FILTERS_COUNTED = 4
"""Filters that are counted by inclusion and exclusion: n of them take 2^n - 1 requests."""

_COUNTED_BY_UNWANTED = frozenset({"tags_none", "name_not", "state_name_not"})
"""Steps whose counts need no rows: the server can count what they throw out."""


@dataclass(frozen=True)
class Part:
    """Some of the runs that match: those of one filter, with no run in two parts."""

    body: Body
    """The filters, without sort, limit and offset."""

    is_last: bool = False
    """Whether its rows come after those of all other parts: they lack the time that is sorted by."""


@dataclass(frozen=True)
class Plan:
    """The whole answer to a query: the union of its parts, thinned by its steps."""

    kind: RunKind
    parts: tuple[Part, ...]
    sort: str
    """The order of the answer."""

    limit: int | None
    any_tags: tuple[str, ...]
    """Tags of which one is enough, where the server lacks that: each part is read once for each."""

    unwanted: tuple[Body, ...]
    """Filters of what a run must not be; steps throw it out, and the counts need to know."""

    steps: tuple[Step, ...]
    read_first: tuple[str, ...]
    """What takes a read of its own, before this one: a criterion, and why."""

    reads_all: bool
    """Whether all that matches is read, and the order made here: without a limit too, since pages that begin at a
    time are not shifted by what comes and goes."""

    first: First | None = None
    """The read that gives ids which the filters lack; None where they are known."""

    @property
    def table(self) -> str:
        """The name of the runs in the server's paths and bodies."""
        return f"{self.kind}s"

    @property
    def page_sort(self) -> str:
        """The order that pages are read in."""
        return "EXPECTED_START_TIME_DESC" if self.reads_all else self.sort

    @property
    def is_in_order(self) -> bool:
        """Whether the rows come in the order of the answer: by name, in the order of the server's database.

        Databases differ in how they compare text, so that it is left as it comes.
        """
        return self.sort.startswith("NAME_") and not self.reads_all

    @property
    def rides_along(self) -> bool:
        """Whether, of flow runs, its filters are enough to ask for their task runs too."""
        takes_filters = all(part.body.keys() <= FILTERS_OF_TASK_RUNS for part in self.parts)
        return takes_filters and not self.steps and not self.any_tags and not self.read_first

    def bodies(self, part: Part) -> list[Body]:
        """Give the filters whose union is a part; runs may be in several."""
        return [merge(part.body, one) for one in self.wanted] if self.any_tags else [part.body]

    @property
    def wanted(self) -> tuple[Body, ...]:
        """The filters of `any_tags`."""
        return tuple(_having(self.kind, tag) for tag in self.any_tags)

    def narrowed(self, choices: Sequence[Body]) -> Plan:
        """Give the plan for those of its runs that fit one of some filters on them, without limit."""
        parts = (Part(merge(part.body, {self.table: choice})) for choice in choices for part in self.parts)
        return replace(self, parts=tuple(parts), limit=None, reads_all=True)

    def done_here(self) -> list[str]:
        """Say in words what the server does not do."""
        first = [self.first.words] if self.first and self.first.words else []
        union = ["tags_any: one read for each tag, united"] if self.any_tags else []
        is_worth_saying = self.reads_all and self.limit is not None
        sort = [f"sort: all that match are read, then put in order by {self.sort}"] if is_worth_saying else []
        return [*self.read_first, *first, *union] + [step.criterion for step in self.steps] + sort

    @property
    def count_requests(self) -> int | None:
        """How many requests count what matches, or None where only reading it all would tell.

        The server counts runs that have all of some tags, or one of some names; with one or none of n such
        filters it takes a count for each of their subsets, which ends being worth it.
        """
        if any(step.criterion not in _COUNTED_BY_UNWANTED for step in self.steps):
            return None
        either, unwanted = len(self.wanted_or_not) if self.any_tags else 0, len(self.unwanted)
        if max(either, unwanted) > MOST_FILTERS_COUNTED:
            return None
        return len(self.parts) * (((1 << either) - 1 if either else 1) + (1 << unwanted) - 1)

    @property
    def wanted_or_not(self) -> tuple[Body, ...]:
        """The filters of which a run may meet any, each once."""
        return (*self.wanted, *(one for one in self.unwanted if one not in self.wanted))

    def requests(self, *, with_count: bool = True) -> str:
        """Say how many requests it takes, as far as that can be known, beside those of what is read first."""
        counts = f"{self.count_requests} to count, " if self.count_requests and with_count else ""
        is_cut = self.limit is not None and not self.reads_all and not self.steps
        rows = f"{self.limit:,} rows at most" if is_cut else "all its rows"
        return f"{counts}1 for 199 rows of each filter ({rows})"

    def __str__(self) -> str:
        """Say what goes to the server, what is done here, and how many requests it takes."""
        requests = f"Requests: {self.requests()}, and a few for names behind ids{_requests_before(self)}."
        return "\n".join([*_asked(self), *_done_here(self), requests])


@dataclass(frozen=True)
class First:
    """A read of flow runs that comes before, for their ids."""

    plan: Plan
    when: str = "for their ids"
    """Under what conditions, and how."""

    words: str = ""
    """The criterion that it is for, where the plan that it goes before does not say so."""

    requests: str = ""
    """How many, unless as many as its plan takes."""


def _asked(plan: Plan) -> Iterable[str]:
    """Say what goes to the server, and what before it."""
    bodies = [body for part in plan.parts for body in plan.bodies(part)]
    if plan.first:
        yield f"Read first, {plan.first.when}:"
        yield indent("\n".join([*_asked(plan.first.plan), *_done_here(plan.first.plan)]), "  ")
    yield "Asked of the server:" if bodies else "Nothing is asked: an empty choice matches nothing."
    yield from (f"  POST /{plan.table}/filter {json.dumps(body)}" for body in bodies)


def _done_here(plan: Plan) -> list[str]:
    here = plan.done_here()
    return ["Done here:", *(f"  {words}" for words in here)] if here else ["Nothing is done here."]


def _requests_before(plan: Plan) -> str:
    if plan.first is None:
        return ""
    first = plan.first.plan
    return f"; before them {plan.first.requests or first.requests()}{_requests_before(first)}"


def make_plan(
    query: RunCriteria, *, now: datetime, parents: tuple[str, ...] | None = None, abilities: Abilities | None = None
) -> Plan:
    """Plan a query.

    Parameters
    ----------
    query
        What is asked. A query as `flow_runs` rides along as filters on the flow runs; its own
        `limit` is the reader's business, as are `ancestor` and the work pool of task runs.
    now
        The moment that relative times count from.
    parents
        Ids of flow runs to take instead of `query.flow_runs`, where those had to be read first.
    abilities
        What the server can do; unless told, all that the newest can.
    """
    abilities = abilities or Abilities()
    is_union = query.tags_any is not None and (query.kind == "task_run" or not abilities.filters_flow_runs_by_any_tag)
    any_tags = tuple(query.tags_any or ())
    window = query.window(now)
    alternatives = [
        [plain_filters(query, abilities)],
        [tag_filters(query, is_union=is_union)],
        id_filters(f"{query.kind}s", query.ids),
        deployment_filters(query.deployment),
        window_filters(query, window, abilities),
        *flow_run_filters(query),
        _parent_filters(query, parents, now, abilities),
    ]
    bodies = [merge(*choice) for choice in itertools.product(*alternatives)]
    if is_union and not any_tags:
        bodies = []
    ends_unknown = query.sort == "END_TIME_DESC" and not abilities.filters_by_end_time(query.kind)
    starts_unknown = query.sort in SORTS_BY_START and not abilities.takes_unstarted_at_expected_start
    reads = len(bodies) * len(any_tags if is_union else "1")
    reads_all = (
        query.limit is None
        or ends_unknown
        or starts_unknown
        or is_done_here(query.sort, query.kind)
        or (query.sort.startswith("NAME_") and reads > 1)  # databases differ in how they compare text
    )
    return Plan(
        kind=query.kind,
        parts=tuple(part for body in bodies for part in _by_order(body, query, reads_all=reads_all)),
        sort=query.sort,
        limit=query.limit,
        any_tags=any_tags if is_union and len(any_tags) > 1 else (),
        unwanted=tuple(_unwanted(query)),
        steps=tuple(steps(query, window, abilities)),
        read_first=tuple(_read_first(query, now, abilities)),
        reads_all=reads_all,
    )


def _having(kind: RunKind, tag: str) -> Body:
    return {f"{kind}s": {"tags": {"all_": [tag]}}}


def _unwanted(query: RunCriteria) -> Iterable[Body]:
    for tag in query.tags_none or ():
        yield _having(query.kind, tag)
    if query.name_not:
        yield {f"{query.kind}s": {"name": {"any_": [*query.name_not]}}}
    if query.kind == "task_run" and query.state_name_not and query.state_name is None:
        yield {"task_runs": {"state": {"name": {"any_": [*query.state_name_not]}}}}


def _read_first(query: RunCriteria, now: datetime, abilities: Abilities) -> Iterable[str]:
    if isinstance(query, FlowRunCriteria) and query.ancestor is not None:
        yield "ancestor: the tree below is read first, a level at a time"
    if isinstance(query, TaskRunCriteria) and query.work_pool is not None:
        yield "work_pool: the flow runs are read first, and their task runs asked for by id"
    elif (
        isinstance(query, TaskRunCriteria)
        and isinstance(query.flow_runs, FlowRunCriteria)
        and not make_plan(query.flow_runs, now=now, abilities=abilities).rides_along
    ):
        yield "flow_runs: they are read first, and their task runs asked for by id"


def _by_order(body: Body, query: RunCriteria, *, reads_all: bool) -> list[Part]:
    """Part the runs that lack the time to sort by: databases differ in where they put them."""
    if query.sort != "END_TIME_DESC" or reads_all:
        return [Part(body)]
    return [
        Part(merge(body, {f"{query.kind}s": {"end_time": {"is_null_": is_null}}}), is_last=is_null)
        for is_null in (False, True)
    ]


def _parent_filters(
    query: RunCriteria, parents: tuple[str, ...] | None, now: datetime, abilities: Abilities
) -> list[Body]:
    if not isinstance(query, TaskRunCriteria):
        return [{}]
    if parents is None and isinstance(query.flow_runs, FlowRunCriteria):
        plan = make_plan(query.flow_runs.replace(sort="ID_DESC"), now=now, abilities=abilities)
        some: Body = {"task_runs": {"flow_run_id": {"is_null_": False}}}  # else those of no flow run would be given
        return [] if query.has_flow_run is False else [part.body or some for part in plan.parts]
    return id_filters("flow_runs", query.flow_runs if parents is None else parents)
