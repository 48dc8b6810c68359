"""Names behind ids, and names that nothing on the server has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from prefect_nbviz import schema
from prefect_nbviz.errors import did_you_mean
from prefect_nbviz.filters import IDS_PER_BODY, batched
from prefect_nbviz.frames import empty
from prefect_nbviz.order import Body, Row
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.reading.connection import Server
from prefect_nbviz.reading.pages import PAGE, Pages
from prefect_nbviz.reading.rows import Names
from prefect_nbviz.reading.worker import together
from prefect_nbviz.states import STATE_NAMES


async def rows_by_id(server: Server, table: str, ids: Iterable[str | None]) -> list[Row]:
    """Read the flows, deployments or flow runs of some ids (`POST /…/filter`)."""
    wanted = dict.fromkeys(one for one in ids if one is not None)
    found = await together(*(_chunk_by_id(server, table, chunk) for chunk in batched(wanted, PAGE)))
    return [row for rows in found for row in rows]


async def _chunk_by_id(server: Server, table: str, ids: Iterable[str]) -> list[Row]:
    rows: list[Row] = []
    rest = [*ids]
    while rest:  # a server may give less than a chunk at a time, and ids may be gone
        found = await server.request("POST", f"/{table}/filter", json={table: {"id": {"any_": rest}}})
        rows += found
        known = {row["id"] for row in found}
        left = [one for one in rest if one not in known]
        rest = left if len(left) < len(rest) else []
    return rows


async def names_by_id(server: Server, table: str, ids: Iterable[str | None]) -> Names:
    """Read the names of some flows, deployments or flow runs."""
    return {row["id"]: row["name"] for row in await rows_by_id(server, table, ids)}


async def flow_runs_and_flows(
    server: Server, flow_run_ids: Iterable[str | None], *, with_flows: bool = True
) -> tuple[Names, Names]:
    """Read the names of some flow runs and, if asked, of their flows, both by the id of the flow run."""
    ids = [*dict.fromkeys(one for one in flow_run_ids if one is not None)]
    if not ids:
        return {}, {}
    if not with_flows:
        return await names_by_id(server, "flow_runs", ids), {}
    of_these = {"flow_runs": {"id": {"any_": ids[:IDS_PER_BODY]}}}
    flow_runs, flows = await together(
        rows_by_id(server, "flow_runs", ids), server.request("POST", "/flows/filter", json=of_these)
    )
    names = {row["id"]: row["name"] for row in flows}  # a page of them: the others are asked for by id
    names |= await names_by_id(server, "flows", {row["flow_id"] for row in flow_runs} - names.keys())
    return {row["id"]: row["name"] for row in flow_runs}, {row["id"]: names.get(row["flow_id"]) for row in flow_runs}


async def columns_of_names(
    server: Server, ids: Mapping[str, Iterable[str | None]], behind: Mapping[str, str]
) -> dict[str, tuple[str, Names]]:
    """Look up columns of names, as `rows.with_names` takes them.

    Parameters
    ----------
    server
        Where they are.
    ids
        The columns of ids that the names are behind, in the order of `behind`, and what is in them.
    behind
        For each column of names, that of ids, as `columns.ids_behind` gives it.
    """
    if "flow_run_id" in ids:
        names, flows = await flow_runs_and_flows(server, ids["flow_run_id"], with_flows="flow_name" in behind)
        found = {"flow_run_name": names, "flow_name": flows}
    else:
        tables = (f"{column.removesuffix('_id')}s" for column in ids)
        looked_up = (names_by_id(server, table, ids[column]) for table, column in zip(tables, ids, strict=True))
        found = dict(zip(behind, await together(*looked_up), strict=True))
    return {name: (column, found[name]) for name, column in behind.items()}


async def unknown_names(server: Server, pages: Pages, query: RunQuery, frame: pd.DataFrame) -> list[str]:
    """Say which names of a query nothing on the server has, one sentence each.

    Only a name that no row of the answer shows is asked for, so that most reads ask nothing; where the answer is
    empty, also what rows do not show, and the names in the query of the flow runs.
    """
    said = [
        *await _unknown(server, "flow", query.flow or (), _seen(frame, "flow_name")),
        *await _unknown(server, "deployment", query.deployment or (), _seen(frame, "deployment_name")),
        *await _unknown_tags(pages, query, frame),
        *await _unknown_state_names(pages, query),
    ]
    if frame.empty:
        said += await _unknown(server, "work pool", query.work_pool or (), set())
        said += await _unknown_of_flow_runs(Pages(server, "flow_run"), query)
        nested = query.flow_runs if isinstance(query, TaskRunQuery) else None
        if isinstance(nested, FlowRunQuery):
            said += await unknown_names(server, Pages(server, "flow_run"), nested, empty(schema.FLOW_RUNS))
    return said


def _seen(frame: pd.DataFrame, column: str) -> set[str]:
    return set(frame[column].dropna().unique()) if column in frame else set()


async def _unknown(server: Server, noun: str, wanted: Any, seen: set[str]) -> list[str]:
    """Check names of flows, deployments or work pools; of `flow/deployment`, the deployment."""
    plain = {name: name.rpartition("/")[2] if noun == "deployment" else name for name in wanted}
    table = f"{noun.replace(' ', '_')}s"
    rest = [*dict.fromkeys(short for short in plain.values() if short not in seen)]
    while rest:  # a page may not hold them all
        asked = rest[:PAGE]
        body = {table: {"name": {"any_": asked}}}
        known = {row["name"] for row in await server.request("POST", f"/{table}/filter", json=body)}
        rest = [name for name in rest if name not in known]
        if known.isdisjoint(asked):
            break
    wrong = [name for name, short in plain.items() if short in rest]
    if not wrong:
        return []
    others = [row["name"] for row in await server.request("POST", f"/{table}/filter", json={})]
    return [f"No {noun} on this server is named {name!r}.{did_you_mean(plain[name], others)}" for name in wrong]


async def _unknown_of_flow_runs(pages: Pages, query: RunQuery) -> list[str]:
    """Check what only flow runs have, and frames do not all show."""
    asked: list[tuple[str, str, Body]] = [
        ("is in a work queue named", name, {"work_queue_name": {"any_": [name]}}) for name in query.work_queue or ()
    ]
    if isinstance(query, FlowRunQuery):
        asked += [
            ("has the flow version", name, {"flow_version": {"any_": [name]}}) for name in query.flow_version or ()
        ]
    return [
        f"No flow run on this server {what} {name!r}: see whether it is spelt right."
        for what, name, filters in asked
        if not await pages.count({"flow_runs": filters})
    ]


async def _unknown_tags(pages: Pages, query: RunQuery, frame: pd.DataFrame) -> list[str]:
    wanted = dict.fromkeys([*(query.tags_all or ()), *(query.tags_any or ()), *(query.tags_none or ())])
    seen = {tag for tags in frame["tags"] for tag in tags} if wanted and "tags" in frame else set()
    return [
        f"No {query.noun} on this server has the tag {tag!r}: see whether it is spelt as in `frame['tags'].explode()`."
        for tag in wanted
        if tag not in seen and not await pages.count({f"{query.kind}s": {"tags": {"all_": [tag]}}})
    ]


async def _unknown_state_names(pages: Pages, query: RunQuery) -> list[str]:
    return [
        f"No {query.noun} on this server is in a state named {name!r}.{did_you_mean(name, STATE_NAMES)}"
        for name in query.state_name or ()
        if name not in STATE_NAMES and not await pages.count({f"{query.kind}s": {"state": {"name": {"any_": [name]}}}})
    ]
