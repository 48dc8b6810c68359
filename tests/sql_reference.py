"""What a query must give, asked of the server's own SQLite database in plain SQL.

Written apart from the package on purpose: it shares no code with what it checks, and takes
criteria as the plain dict of `query.criteria()`.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def matching_ids(database: Path, kind: str, criteria: dict[str, Any], now: datetime) -> list[str]:
    """Give the ids of all runs that match, in order, with no regard to `limit`."""
    where, values = conditions(kind, criteria, now)
    sql = f"select r.id from {kind} r where {' and '.join(where) or '1'} order by {order(kind, criteria)}"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [row[0] for row in connection.execute(sql, values)]


def order(kind: str, criteria: dict[str, Any]) -> str:
    column, _, direction = criteria.get("sort", "EXPECTED_START_TIME_DESC").rpartition("_")
    key = f"r.{column.lower()}"
    if column == "START_TIME":
        key = "coalesce(r.start_time, r.expected_start_time)"
    return f"{key} {direction} nulls last, r.id desc"


def conditions(kind: str, criteria: dict[str, Any], now: datetime) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    values: list[Any] = []

    def add(sql: str, *given: Any) -> None:
        where.append(sql)
        values.extend(given)

    def among(column: str, wanted: list[str]) -> None:
        add(f"{column} in ({','.join('?' * len(wanted))})", *wanted)

    for word, column in (("ids", "id"), ("name", "name"), ("state_type", "state_type"), ("state_name", "state_name")):
        if word in criteria:
            among(f"r.{column}", criteria[word])
    if "name_like" in criteria:
        add("instr(lower(r.name), lower(?)) > 0", criteria["name_like"])
    has = "exists (select 1 from json_each(r.tags) where value = ?)"
    for tag in criteria.get("tags_all", ()):
        add(has, tag)
    if "tags_any" in criteria:
        add(f"({' or '.join([has] * len(criteria['tags_any'])) or '0'})", *criteria["tags_any"])
    for tag in criteria.get("tags_none", ()):
        add(f"not {has}", tag)
    add_flows(add, among, kind, criteria)
    add_window(add, criteria, now)
    add_parents(add, among, criteria, now)
    return where, values


def add_flows(add: Any, among: Any, kind: str, criteria: dict[str, Any]) -> None:
    parent = "r" if kind == "flow_run" else "(select * from flow_run where id = r.flow_run_id)"
    flow_of = f"(select flow_id from {parent})" if kind == "task_run" else "r.flow_id"
    deployment_of = f"(select deployment_id from {parent})" if kind == "task_run" else "r.deployment_id"
    if "flow" in criteria:
        among(f"(select name from flow where id = {flow_of})", criteria["flow"])
    if "deployment" in criteria:
        name = f"(select name from deployment where id = {deployment_of})"
        full = f"(select name from flow where id = {flow_of}) || '/' || {name}"
        marks = ",".join("?" * len(criteria["deployment"]))
        add(f"({name} in ({marks}) or {full} in ({marks}))", *criteria["deployment"], *criteria["deployment"])


def add_window(add: Any, criteria: dict[str, Any], now: datetime) -> None:
    since, until = (moment(criteria.get(word), now) for word in ("since", "until"))
    if since is not None and until is None:
        until = now
    field = criteria.get("time_field", "start_time")
    column = "coalesce(r.start_time, r.expected_start_time)" if field == "start_time" else f"r.{field}"
    for end, sign in ((since, ">="), (until, "<=")):
        if end is not None:
            add(f"{column} {sign} ?", end.strftime("%Y-%m-%d %H:%M:%S.%f"))


def add_parents(add: Any, among: Any, criteria: dict[str, Any], now: datetime) -> None:
    parents = criteria.get("flow_runs")
    if isinstance(parents, list):
        among("r.flow_run_id", parents)
    elif parents is not None:
        parent_where, parent_values = conditions("flow_run", parents, now)
        inner = f"select r.id from flow_run r where {' and '.join(parent_where) or '1'}"
        limit = f" order by {order('flow_run', parents)} limit {parents.get('limit', 1000) or -1}"
        add(f"r.flow_run_id in ({inner}{limit})", *parent_values)


def moment(point: str | None, now: datetime) -> datetime | None:
    if point is None:
        return None
    relative = re.fullmatch(r"(\+?)([\d.]+)([smhdw])", point)
    if relative is None:
        return datetime.fromisoformat(point).astimezone(UTC)
    span = timedelta(seconds=float(relative[2]) * SECONDS[relative[3]])
    return now + span if relative[1] else now - span
