"""What a server has that a query can name: offered while a person types, never relied on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args

from prefect_nbviz import forms
from prefect_nbviz.order import Row
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.reading.connection import Connection, Server, as_connection
from prefect_nbviz.reading.counting import tally
from prefect_nbviz.reading.names import names_by_id
from prefect_nbviz.reading.reader import Reader
from prefect_nbviz.reading.worker import Progress, Report, run, together
from prefect_nbviz.states import STATE_NAMES

Topic = Literal["flow", "deployment", "tags", "work_pool", "work_queue", "state_name"]
"""What can be offered."""

MOST = 2_000
"""How many names of a kind are read at most."""

_SORTED = {"flows": {"sort": "NAME_ASC"}, "deployments": {"sort": "NAME_ASC"}}
"""What the server can put in order; the others come as they are."""


@dataclass(frozen=True)
class Offers:
    """Texts that a criterion can take."""

    texts: Mapping[str, int | None]
    """Each text, and how many runs have it; None where the server cannot count that with a request or two."""

    note: str = ""
    """What the texts lack, as a sentence; empty where they are all that there are."""

    as_of: datetime = field(default_factory=lambda: datetime.now(UTC), compare=False)
    """When the server was asked, UTC."""


def read_offers(
    topic: Topic,
    query: FlowRunQuery | TaskRunQuery | None = None,
    *,
    connection: Connection | None = None,
    progress: bool | Report = False,
) -> Offers:
    """Read what the server has of a topic, 2,000 names at most.

    Parameters
    ----------
    topic
        `"flow"`, `"deployment"` (as `flow/deployment`), `"tags"` (those of flows and deployments: the server has no
        list of what runs have), `"work_pool"`, `"work_queue"` or `"state_name"`.
    query
        For state names: the runs that are counted, but for the state names that it asks for; all task runs where
        none is given.
    connection, progress
        As in `read_flow_runs`; a `progress` that raises stops it.

    Raises
    ------
    QueryError, NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        As in `count_runs`.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/flows/read-flows

    Examples
    --------
    >>> read_offers("flow").texts  # doctest: +SKIP
    {'daily_ingest': None, 'train_model': None}
    """
    forms.one_of("topic", topic, get_args(Topic))

    async def work(state: Progress) -> Offers:
        async with as_connection(connection).open(state) as server:
            if topic == "state_name":
                return await _state_names(server, query or TaskRunQuery(), state)
            if topic == "tags":
                return await _tags(server)
            return await _names(server, topic)

    return run(work, progress=progress, unit="names")


async def _names(server: Server, topic: Topic) -> Offers:
    rows, is_whole = await _rows(server, f"{topic}s")
    if topic == "deployment":
        flows = await names_by_id(server, "flows", {row["flow_id"] for row in rows})
        names = [f"{flows.get(row['flow_id'], '?')}/{row['name']}" for row in rows]
    else:
        names = [row["name"] for row in rows]
    return Offers(_uncounted(names), "" if is_whole else _capped(topic))


async def _tags(server: Server) -> Offers:
    (flows, has_flows), (deployments, has_deployments) = await together(
        _rows(server, "flows"), _rows(server, "deployments")
    )
    lists = "The server lists the tags of flows and deployments, not those of runs."
    cut = "" if has_flows and has_deployments else f" Of each, the first {MOST:,} were looked at."
    return Offers(_uncounted(tag for row in [*flows, *deployments] for tag in row["tags"]), lists + cut)


async def _rows(server: Server, table: str) -> tuple[list[Row], bool]:
    """Read the rows of a table (`POST /…/filter`), and say whether those are all."""
    rows: list[Row] = []
    size = 0
    while len(rows) <= MOST:
        page = await server.request("POST", f"/{table}/filter", json=_SORTED.get(table, {}) | {"offset": len(rows)})
        rows += page
        if not page or len(page) < size:  # how many are on a page is the server's to say
            return rows[:MOST], len(rows) <= MOST
        size = len(page)
    return rows[:MOST], False


async def _state_names(server: Server, query: RunQuery, state: Progress) -> Offers:
    """Count the runs of a query by state name, in one stretch of all time (`POST /…/history`)."""
    counted = query.replace(state_name=None, state_name_not=None, sort="ID_DESC", limit=None)
    reader = Reader(server, counted, state)
    counts = await tally(reader.pages.state_names, await reader.plan())
    if counts is None:
        note = "The server cannot count what only reading all runs tells, so that no numbers stand here."
        return Offers(dict.fromkeys(STATE_NAMES), note)
    return Offers({name: counts[name] for name in dict.fromkeys([*STATE_NAMES, *counts])}, reader.missing or "")


def _uncounted(texts: Iterable[str]) -> dict[str, int | None]:
    return dict.fromkeys(sorted({*texts}, key=str.casefold))


def _capped(topic: Topic) -> str:
    return f"These are the first {MOST:,} {topic.replace('_', ' ')}s of the server; any other can be typed."
