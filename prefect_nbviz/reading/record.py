"""Read all that the server tells of one run and of those around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.order import Row
from prefect_nbviz.query import RunKind
from prefect_nbviz.reading.columns import ids_behind
from prefect_nbviz.reading.connection import Connection, Server, as_connection
from prefect_nbviz.reading.links import ui_address
from prefect_nbviz.reading.names import columns_of_names, rows_by_id
from prefect_nbviz.reading.rows import RUN_TIME, field_of, run_frame, state_frame, with_names
from prefect_nbviz.reading.shapes import rows_of
from prefect_nbviz.reading.worker import Progress, run, together

Named = tuple[str, str]
"""The id of a run, and its name."""


@dataclass(frozen=True)
class RunRecord:
    """One run, as the server tells it now."""

    run: pd.DataFrame
    """Its row, as `read_flow_runs` or `read_task_runs` gives it; none if the server has it no longer."""

    states: pd.DataFrame
    """Its state history, as `read_states` gives it."""

    as_of: datetime
    """When it was read, in UTC."""

    address: str | None = None
    """Where it is to be seen in Prefect's UI."""

    retries: int | None = None
    """How often it is tried again at most; None where the server does not tell."""

    task_runs: int = 0
    """Of a flow run, how many task runs it has."""

    subflow_runs: int = 0
    """How many flow runs it has called; of a task run, those that it stands for in its flow run."""

    parent_task_run: Named | None = None
    """Of a flow run that another called, the task run that stands for it there."""

    parent_flow_run: Named | None = None
    """Of a flow run that another called, that flow run."""

    upstream: tuple[Named, ...] = ()
    """Of a task run, those whose results it took."""


def read_record(
    kind: RunKind, run_id: str, *, connection: Connection | None = None, progress: Callable[[int, int | None], None]
) -> RunRecord:
    """Read one run and what is around it, in some eight requests.

    Parameters
    ----------
    kind, run_id
        Which run.
    connection
        Another server than that of the active Prefect profile.
    progress
        Called now and then; what it raises ends the read.

    Raises
    ------
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be read.
    """
    where = as_connection(connection)

    async def work(state: Progress) -> RunRecord:
        async with where.open(state) as server:
            return await _Reading(server, kind, run_id).record(where)

    return run(work, progress=progress, unit="requests")


@dataclass(frozen=True)
class _Reading:
    server: Server
    kind: RunKind
    run_id: str

    async def record(self, connection: Connection) -> RunRecord:
        as_of = datetime.now(UTC)
        rows, states, children = await together(self._rows(), self._states(), self._children())
        frame, history = _frame(rows, self.kind, as_of), self._history(rows, states, as_of)
        if not rows:
            return RunRecord(frame, history, as_of)
        [row] = rows
        behind = ids_behind(self.kind, frame.columns)
        names = columns_of_names(self.server, {field: frame[field].dropna() for field in behind.values()}, behind)
        found, around = await together(names, self._around(frame))
        retries = (row.get("empirical_policy") or {}).get("retries")
        address = ui_address(connection, self.kind, self.run_id)
        return RunRecord(with_names(frame, **found), history, as_of, address, retries, **children, **around)

    async def _rows(self) -> list[Row]:
        return await rows_by_id(self.server, f"{self.kind}s", [self.run_id])

    async def _states(self) -> list[Row]:
        path, params = f"/{self.kind}_states/", {f"{self.kind}_id": self.run_id}
        history: list[Row] = await self.server.request("GET", path, params=params)
        return history

    async def _children(self) -> Mapping[str, Any]:
        """Count what it has called."""
        this = {"any_": [self.run_id]}
        if self.kind == "task_run":
            return {"subflow_runs": await self._count("flow_runs", {"parent_task_run_id": this})}
        task_runs, subflow_runs = await together(
            self._count("task_runs", {"flow_run_id": this}), self._count("flow_runs", {"parent_flow_run_id": this})
        )
        return {"task_runs": task_runs, "subflow_runs": subflow_runs}

    async def _count(self, table: str, filters: Mapping[str, Any]) -> int:
        return int(await self.server.request("POST", f"/{table}/count", json={table: filters}))

    async def _around(self, frame: pd.DataFrame) -> Mapping[str, Any]:
        """Read what has called it, or given to it."""
        if self.kind == "task_run":
            [ids] = frame["upstream_task_run_ids"]
            return {"upstream": tuple(_named(one) for one in await rows_by_id(self.server, "task_runs", ids))}
        parents = await rows_by_id(self.server, "task_runs", frame["parent_task_run_id"].dropna())
        callers = await rows_by_id(self.server, "flow_runs", [one["flow_run_id"] for one in parents])
        return {
            "parent_task_run": _named(parents[0]) if parents else None,
            "parent_flow_run": _named(callers[0]) if callers else None,
        }

    def _history(self, rows: list[Row], states: list[Row], as_of: datetime) -> pd.DataFrame:
        flow_runs = (row["flow_run_id"] if self.kind == "task_run" else row["id"] for row in rows)
        about = [
            {"run_kind": self.kind, "run_id": row["id"], "run_name": row["name"], "flow_run_id": flow_run}
            for row, flow_run in zip(rows, flow_runs, strict=True)
        ]
        frame = state_frame([(run, states) for run in about])
        frame.attrs[frames.ATTRS] = {"kind": "states", "as_of": as_of.isoformat()}
        return frame


def _named(row: Row) -> Named:
    return row["id"], row["name"]


def _frame(rows: list[Row], kind: RunKind, as_of: datetime) -> pd.DataFrame:
    columns = schema.RUNS[kind]
    fields = {field_of(column.name, kind) for column in columns} | {RUN_TIME.name}
    parsed = msgspec.convert(rows, rows_of(frozenset(filter(None, fields))))
    return run_frame(parsed, kind, as_of, columns).drop(columns=RUN_TIME.name)
