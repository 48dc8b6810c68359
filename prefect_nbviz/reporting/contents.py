"""What a report is made from: runs, and what is gathered about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.analysis.intervals import state_intervals
from prefect_nbviz.errors import FrameError, PrefectNbvizError, QueryError, heard
from prefect_nbviz.gathering import counts_of_rows, counts_over_time, failed_tasks, with_histories
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery, query_from_json
from prefect_nbviz.query_text import criteria_text
from prefect_nbviz.reading import Connection, read_states
from prefect_nbviz.reading.connection import as_connection
from prefect_nbviz.reading.links import ui_address
from prefect_nbviz.reading.worker import Report

T = TypeVar("T")

_NEEDED = (
    *("name", "state_type", "state_name", "state_message", "expected_start_time", "start_time", "end_time"),
    *("duration", "flow_name"),
)


@dataclass(frozen=True)
class Contents:
    """All that a report shows; to make a page of it, nothing more is asked for."""

    query: FlowRunQuery | TaskRunQuery
    """What was asked."""

    runs: pd.DataFrame
    """What was read of it, with its attrs."""

    over_time: pd.DataFrame
    """How many runs were expected to start when, by state: of all that match, if the server was asked."""

    intervals: pd.DataFrame
    """The stays of the runs whose state histories were read."""

    notes: tuple[str, ...]
    """What went wrong, in sentences."""

    zone: ZoneInfo
    """The time zone of all that is shown."""

    title: str
    """What stands above it all; it may be anything, as all texts here."""

    runs_address: str | None
    """Where runs are to be seen in Prefect's own UI, but for their kind and id; None where there is no such place."""

    failed_tasks: pd.DataFrame
    """Of the first flow runs that failed, the task runs that did too; without attrs where they were not read."""

    @classmethod
    def gathered(
        cls,
        query: FlowRunQuery | TaskRunQuery | None,
        runs: pd.DataFrame,
        *,
        zone: ZoneInfo,
        title: str | None,
        connection: Connection | None,
        progress: bool | Report,
        at_hand: Mapping[str, pd.DataFrame] | None = None,
    ) -> Self:
        """Gather what the rows of runs do not tell.

        Parameters
        ----------
        query
            What the runs are all of, or the first of; None where they may be some of these only.
        runs
            What was read.
        zone, title, connection, progress
            As in `report`.
        at_hand
            Those of `over_time` and `intervals` that are there already, and need not be read.
        """
        have = at_hand or {}
        notes: list[str] = []

        def gather(what: str, read: Callable[[], T], without: T) -> T:
            try:
                with heard() as sentences:
                    return read()
            except PrefectNbvizError as error:  # what was read before is not lost for want of it
                notes.append(f"{what} could not be read. {error}")
                return without
            finally:
                notes.extend(sentences)

        counted = counts_of_rows(runs, tz=zone.key)
        over_time = have.get("over_time", counted)
        if query is not None and "over_time" not in have:
            over_time = gather(
                "The counts over time of all that match",
                lambda: counts_over_time(query, runs, tz=zone.key, connection=connection, progress=progress),
                counted,
            )
        intervals = have.get("intervals")
        if intervals is None:
            intervals = gather(
                "The state histories",
                lambda: state_intervals(read_states(with_histories(runs), connection=connection, progress=progress)),
                frames.empty(schema.INTERVALS),
            )
        failed = gather(
            "The task runs that failed",
            lambda: failed_tasks(runs, connection=connection, progress=progress),
            frames.empty(schema.TASK_RUNS),
        )
        asked = query or _query_of(runs)
        name = title or f"{asked.noun.capitalize()}s: {criteria_text(asked, zone=zone)}"
        address = ui_address(as_connection(connection), "flow_run", "")
        address = address and address.removesuffix("flow-run/")
        return cls(asked, runs, over_time, intervals, tuple(notes), zone, name, address, failed)

    @property
    def about(self) -> Mapping[str, Any]:
        """What the frame says of itself."""
        attrs: Mapping[str, Any] = self.runs.attrs[frames.ATTRS]
        return attrs

    @property
    def noun(self) -> str:
        """What one of them is called."""
        return self.query.noun

    @property
    def ids(self) -> str:
        """The column of their ids."""
        return frames.id_column(self.runs)

    @property
    def is_all(self) -> bool:
        """Whether they are all that match."""
        return not self.about["truncated"] and len(self.runs) == self.about["read"]

    @property
    def has_all_states(self) -> bool:
        """Whether runs of all states were asked for, so that a share of those that failed means something."""
        return not any(word.startswith("state_") for word in self.query.criteria())

    @property
    def with_histories(self) -> int:
        """How many runs have their state history here."""
        return int(self.intervals["run_id"].nunique())


def checked(runs: pd.DataFrame, criteria: Mapping[str, Any]) -> pd.DataFrame:
    """Give a frame of runs that was handed in, if a report can be made of it.

    Raises
    ------
    FrameError
        It lacks columns, or does not say what it is of.
    QueryError
        There are criteria too, which are for what is to be read.
    """
    frames.require(runs, [frames.id_column(runs), *_NEEDED], made_by="read_flow_runs() or read_task_runs()")
    if criteria:
        raise QueryError(f"A frame of runs was read already: {', '.join(criteria)} would not be heard. Pass a query.")
    if not {"kind", "query", "as_of", "read"} <= {*runs.attrs.get(frames.ATTRS, {})}:
        raise FrameError("The frame has lost its attrs, which say what it is of: pass one as it was read, or a query.")
    return runs


def _query_of(runs: pd.DataFrame) -> FlowRunQuery | TaskRunQuery:
    about = runs.attrs[frames.ATTRS]
    return query_from_json(json.dumps({"kind": about["kind"], **about["query"]}))
