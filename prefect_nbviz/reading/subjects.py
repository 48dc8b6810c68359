"""The runs that a call is about, whatever they were handed in as: a frame, ids, run objects or futures."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, get_args
from uuid import UUID

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.errors import FrameError
from prefect_nbviz.forms import is_id
from prefect_nbviz.order import Row
from prefect_nbviz.query import RunKind
from prefect_nbviz.reading.connection import Server
from prefect_nbviz.reading.names import rows_by_id

MADE_BY = "read_task_runs() or read_flow_runs()"

_ID_WORDS = ("run_id", "task_run_id", "flow_run_id", "id")
"""Where a run says its own id: `flow_run_id` in a row of states or of task runs is that of its flow run."""


def subjects(runs: Any) -> list[Row]:
    """Give `run_kind`, `run_id`, `run_name`, `flow_run_id` and `row` of each run, once, in order.

    What ids alone do not say is None, until `resolved` asks the server; `row` is the server's of a task run.

    Raises
    ------
    FrameError
        `runs` is none of what it can be.
    """
    if isinstance(runs, pd.DataFrame):
        return _of_frame(runs)
    return [_subject(None, run_id, None, None) for run_id in run_ids(runs)]


async def resolved(server: Server, asked: Sequence[Row]) -> list[Row]:
    """Ask the server what ids are of: task runs, or else flow runs; and their names."""
    ids = [run["run_id"] for run in asked if run["run_kind"] is None]
    task_runs = {row["id"]: row for row in await rows_by_id(server, "task_runs", ids)}
    others = [run_id for run_id in ids if run_id not in task_runs]
    flow_runs = {row["id"]: row for row in await rows_by_id(server, "flow_runs", others)}
    known = {
        run_id: _subject("task_run", run_id, row["name"], row["flow_run_id"], row) for run_id, row in task_runs.items()
    }
    known |= {run_id: _subject("flow_run", run_id, flow_runs.get(run_id, {}).get("name"), run_id) for run_id in others}
    return [known.get(run["run_id"], run) for run in asked]


def run_ids(runs: Any) -> list[str]:
    """Give the ids of runs: one or many ids, rows of a frame, run objects of Prefect, or futures.

    Raises
    ------
    FrameError
        One of them is none of these.
    """
    return [*dict.fromkeys(_id_of(run) for run in each_of(runs))]


def each_of(runs: Any) -> list[Any]:
    """Give what was handed in as a list: one run, or many that may be there only once."""
    return [runs] if _is_one(runs) else [*runs]


def _is_one(runs: Any) -> bool:
    """Say whether this is one run: Prefect's run objects can be iterated too."""
    if isinstance(runs, pd.Series):
        return not {*_ID_WORDS}.isdisjoint(runs.index)
    is_run = any(_value(runs, word) is not None for word in _ID_WORDS)
    return is_run or isinstance(runs, str | UUID) or not isinstance(runs, Iterable)


def _id_of(run: Any) -> str:
    """Give the id of one run; of a task run, its own and not that of its flow run."""
    if not isinstance(run, str | UUID):
        for word in _ID_WORDS:
            value = _value(run, word)
            if value is not None:
                return _id_of(value)
    if not is_id(run):
        raise FrameError(
            f"Runs are a frame as {MADE_BY} gives it, ids, run objects or futures of Prefect; not {run!r:.80}."
        )
    return str(UUID(str(run)))


def _value(run: Any, word: str) -> Any:
    """Give what a run says; a `TaskRun` of Prefect's client has `flow_run_id` too, but `id` is its own."""
    if isinstance(run, pd.Series):
        return run.get(word)
    with warnings.catch_warnings():  # the future of a flow run warns when it is asked for a task run
        warnings.simplefilter("ignore", DeprecationWarning)
        return None if word == "flow_run_id" and hasattr(run, "id") else getattr(run, word, None)


def _of_frame(runs: pd.DataFrame) -> list[Row]:
    """Take the runs of a frame; in one of states or stays the ids are those of the runs that it names."""
    if {"run_id", "run_kind"} <= {*runs.columns}:
        id_column, kinds = "run_id", runs["run_kind"]
    else:
        kind: RunKind = "task_run" if "task_run_id" in runs.columns else "flow_run"
        id_column, kinds = f"{kind}_id", pd.Series(kind, index=runs.index)
        frames.require(runs, [id_column], made_by=MADE_BY)
    blank = pd.Series([None] * len(runs), index=runs.index, dtype="object")
    names = runs.get("name", runs.get("run_name", blank))
    columns: Sequence[Any] = (kinds, runs[id_column], names, runs.get("flow_run_id", blank))
    unique = {run_id: (kind, name, parent) for kind, run_id, name, parent in zip(*columns, strict=True)}
    for run_id, (kind, *_) in unique.items():
        if not is_id(run_id) or kind not in get_args(RunKind):
            raise FrameError(f"A row of the frame is of no run (its {id_column!r} is {run_id!r}): leave such rows out.")
    return [_subject(kind, str(UUID(str(run_id))), name, parent) for run_id, (kind, name, parent) in unique.items()]


def _subject(kind: RunKind | None, run_id: str, name: Any, flow_run_id: Any, row: Row | None = None) -> Row:
    return {"run_kind": kind, "run_id": run_id, "run_name": name, "flow_run_id": flow_run_id, "row": row}
