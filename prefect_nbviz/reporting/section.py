"""A section of a report, and what all of them are put together from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz.query import RunKind
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.reporting.listing import Cell, Listing, text
from prefect_nbviz.task_keys import task_name

MOST_LISTED = 20
"""As many rows a table has: those that come first say most."""

GROUPS = ("task", "flow_name")
"""What runs are put together by: the first of these that they have."""


@dataclass(frozen=True)
class Section:
    """A part of a report."""

    key: str
    """What it is linked by."""

    title: str
    """What it answers."""

    says: str
    """What is to be seen, and what is left out, in sentences."""

    figure: go.Figure | None = None
    """The chart, on a light background; None where there is nothing to draw."""

    listings: tuple[Listing, ...] = ()
    """What the chart is of, or more."""


def with_tasks(runs: pd.DataFrame) -> pd.DataFrame:
    """Give task runs a column with the names of their tasks, whose keys end in a hash."""
    if "task_key" not in runs:
        return runs
    keys = runs["task_key"].astype("category")
    known = {key: task_name(str(key)) for key in keys.cat.categories}
    return runs.assign(task=keys.map(known).astype("str"))


def grouping(runs: pd.DataFrame) -> str:
    """Give what runs are put together by."""
    return next(column for column in GROUPS if column in runs)


def group_title(by: str) -> str:
    """Give what stands above such a column."""
    return by.removesuffix("_name").capitalize()


def state(row: Mapping[Any, Any]) -> Cell:
    """Give the state of a run."""
    return Cell(text(row["state_name"]).text, state=str(row["state_type"]))


def link(contents: Contents, name: object, kind: RunKind, run_id: object) -> Cell:
    """Give a name that leads to a run in Prefect's own UI, if there is one."""
    address = contents.runs_address
    return Cell(text(name).text, address=f"{address}{kind.replace('_', '-')}/{run_id}" if address else "")
