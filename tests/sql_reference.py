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


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Give what a statement finds."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def matching_ids(database: Path, kind: str, criteria: dict[str, Any], now: datetime) -> list[str]:
    """Give the ids of all runs that match, in order, with no regard to `limit`."""
    return [row[0] for row in matching(database, kind, criteria, now, "r.id")]


def matching_states(
    database: Path, kind: str, criteria: dict[str, Any], now: datetime
) -> list[tuple[str | None, str | None, datetime]]:
    """Give state type, state name and expected start of all runs that match, with no regard to `limit`."""
    rows = matching(database, kind, criteria, now, "r.state_type, r.state_name, r.expected_start_time")
    return [(state_type, name, datetime.fromisoformat(start).replace(tzinfo=UTC)) for state_type, name, start in rows]


def matching(database: Path, kind: str, criteria: dict[str, Any], now: datetime, columns: str) -> list[tuple[Any, ...]]:
    where, values = conditions(kind, criteria, now)
    sql = f"select {columns} from {kind} r where {' and '.join(where) or '1'} order by {order(kind, criteria)}"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchall()


def order(kind: str, criteria: dict[str, Any]) -> str:
    column, _, direction = criteria.get("sort", "EXPECTED_START_TIME_DESC").rpartition("_")
    key = f"r.{column.lower()}"
    if column == "START_TIME":
        key = "coalesce(r.start_time, r.expected_start_time)"
    if column == "DURATION":
        key = f"({micros('r.end_time')} - {micros('r.start_time')})"
    return f"{key} {direction} nulls last, r.id desc"


def micros(column: str) -> str:
    """Give a time as microseconds: SQLite's own functions round to milliseconds."""
    return f"(unixepoch(substr({column}, 1, 19)) * 1000000 + substr({column}, 21, 6))"


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
    add_negations(add, criteria)
    add_flow_run_criteria(add, among, criteria)
    add_links(add, among, criteria)
    add_flows(add, among, kind, criteria)
    add_window(add, criteria, now)
    add_parents(add, among, criteria, now)
    return where, values


def add_negations(add: Any, criteria: dict[str, Any]) -> None:
    for word, column in (
        ("ids_not", "id"),
        ("name_not", "name"),
        ("state_type_not", "state_type"),
        ("state_name_not", "state_name"),
    ):
        if criteria.get(word):
            add(f"r.{column} not in ({','.join('?' * len(criteria[word]))})", *criteria[word])
    for key in criteria.get("tag_keys", ()):
        add(
            "exists (select 1 from json_each(r.tags) where instr(value, ':') > 0 "
            "and trim(substr(value, 1, instr(value, ':') - 1)) = ?)",
            key,
        )
    if "untagged" in criteria:
        add(f"json_array_length(r.tags) {'=' if criteria['untagged'] else '>'} 0")
    if "run_count_min" in criteria:
        add("r.run_count >= ?", criteria["run_count_min"])


def add_flow_run_criteria(add: Any, among: Any, criteria: dict[str, Any]) -> None:
    if criteria.get("parent") in ("top_level", "subflow"):
        add(f"r.parent_task_run_id is {'' if criteria['parent'] == 'top_level' else 'not '}null")
    elif "parent" in criteria:
        among("(select flow_run_id from task_run where id = r.parent_task_run_id)", criteria["parent"])
    if "ancestor" in criteria:
        roots = ",".join("?" * len(criteria["ancestor"]))
        add(
            f"""r.id in (with recursive below(id) as (
            select c.id from flow_run c join task_run t on t.id = c.parent_task_run_id where t.flow_run_id in ({roots})
            union select c.id from flow_run c join task_run t on t.id = c.parent_task_run_id
            join below on below.id = t.flow_run_id) select id from below)""",
            *criteria["ancestor"],
        )
    if "created_by" in criteria:
        marks = ",".join("?" * len(criteria["created_by"]))
        either = " or ".join(f"json_extract(r.created_by, '$.{word}') in ({marks})" for word in ("type", "id"))
        add(f"({either})", *criteria["created_by"], *criteria["created_by"])
    if "flow_version" in criteria:
        among("r.flow_version", criteria["flow_version"])
    if "auto_scheduled" in criteria:
        add("r.auto_scheduled = ?", criteria["auto_scheduled"])
    for name, value in criteria.get("parameters", {}).items():
        add("json_extract(r.parameters, ?) = ?", f'$."{name}"', value)


def add_flows(add: Any, among: Any, kind: str, criteria: dict[str, Any]) -> None:
    parent = f"(select * from flow_run where id = {'r.id' if kind == 'flow_run' else 'r.flow_run_id'})"
    flow_of = f"(select flow_id from {parent})" if kind == "task_run" else "r.flow_id"
    deployment_of = f"(select deployment_id from {parent})" if kind == "task_run" else "r.deployment_id"
    if "flow" in criteria:
        among(f"(select name from flow where id = {flow_of})", criteria["flow"])
    if "work_queue" in criteria:
        among(f"(select work_queue_name from {parent})", criteria["work_queue"])
    if "work_pool" in criteria:
        queue = f"(select work_queue_id from {parent})" if kind == "task_run" else "r.work_queue_id"
        among(
            f"(select p.name from work_pool p join work_queue q on q.work_pool_id = p.id where q.id = {queue})",
            criteria["work_pool"],
        )
    if "deployment" in criteria:
        name = f"(select name from deployment where id = {deployment_of})"
        full = f"(select name from flow where id = {flow_of}) || '/' || {name}"
        marks = ",".join("?" * len(criteria["deployment"]))
        add(f"({name} in ({marks}) or {full} in ({marks}))", *criteria["deployment"], *criteria["deployment"])


def add_links(add: Any, among: Any, criteria: dict[str, Any]) -> None:
    columns = {"has_deployment": "deployment_id", "has_work_queue": "work_queue_name", "has_flow_run": "flow_run_id"}
    for word, column in columns.items():
        if word in criteria:
            add(f"r.{column} is {'not ' if criteria[word] else ''}null")
    for word, column in (("idempotency_key", "idempotency_key"), ("parent_task_run", "parent_task_run_id")):
        if word in criteria:
            among(f"r.{column}", criteria[word])
    if "has_subflow_run" in criteria:
        prefix = "" if criteria["has_subflow_run"] else "not "
        add(f"{prefix}exists (select 1 from flow_run where parent_task_run_id = r.id)")


def add_window(add: Any, criteria: dict[str, Any], now: datetime) -> None:
    since, until = (moment(criteria.get(word), now) for word in ("since", "until"))
    if since is not None and until is None:
        until = now
    field = criteria.get("time_field", "start_time")
    falls_back = field == "start_time" and criteria.get("start_time_fallback", True)
    column = "coalesce(r.start_time, r.expected_start_time)" if falls_back else f"r.{field}"
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
