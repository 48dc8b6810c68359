"""The runs around a run, and the query that asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from prefect_nbviz.query import FlowRunQuery, RunKind, TaskRunQuery
from prefect_nbviz.reading.record import RunRecord
from prefect_nbviz.widgets.markup import button, value_of


@dataclass(frozen=True)
class Relation:
    """Runs around a run."""

    text: str
    """What they are to it."""

    query: FlowRunQuery | TaskRunQuery
    """What asks for them."""

    name: object = None
    """The name of the run, where it is one; a stranger's."""


def relations(kind: RunKind, row: pd.Series[Any], record: RunRecord | None) -> list[Relation]:
    """Give the runs around a run, as far as its row and what was read of it tell."""
    found = _of_task_run(row, record) if kind == "task_run" else _of_flow_run(row, record)
    return [*found]


def relations_html(found: list[Relation]) -> str:
    """Give a button for each."""
    buttons = (button(one.text, f"follow:{place}", name=one.name) for place, one in enumerate(found))
    return f'<div class="nbviz-buttons">{"".join(buttons)}</div>' if found else ""


def _of_task_run(row: pd.Series[Any], record: RunRecord | None) -> Iterator[Relation]:
    flow_run = value_of(row, "flow_run_id")
    if flow_run is not None:
        yield Relation("Flow run", FlowRunQuery(ids=flow_run), value_of(row, "flow_run_name"))
        yield Relation("All task runs of its flow run", TaskRunQuery(flow_runs=flow_run))
    upstream = value_of(row, "upstream_task_run_ids") or ()
    if upstream:
        yield Relation(*_some("upstream task run", len(upstream), TaskRunQuery(ids=upstream)))
    if record is not None and record.subflow_runs:
        query = FlowRunQuery(parent_task_run=row["task_run_id"])
        yield Relation(*_some("subflow run", record.subflow_runs, query))


def _of_flow_run(row: pd.Series[Any], record: RunRecord | None) -> Iterator[Relation]:
    run_id = row["flow_run_id"]
    if record is None:
        yield Relation("Its task runs", TaskRunQuery(flow_runs=run_id))
        return
    if record.task_runs:
        yield Relation(*_some("task run", record.task_runs, TaskRunQuery(flow_runs=run_id)))
    if record.subflow_runs:
        yield Relation(*_some("subflow run", record.subflow_runs, FlowRunQuery(parent=run_id)))
    if record.parent_flow_run is not None:
        parent, name = record.parent_flow_run
        yield Relation("Parent flow run", FlowRunQuery(ids=parent), name)
    if record.parent_task_run is not None:
        task_run, name = record.parent_task_run
        yield Relation("Its task run in the parent", TaskRunQuery(ids=task_run), name)


def _some(noun: str, number: int, query: Any) -> tuple[str, Any]:
    return f"{number:,} {noun}{'' if number == 1 else 's'}", query
