"""The sections of a report: each a question, a sentence that answers it, a chart and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pandas as pd

from prefect_nbviz.analysis.concurrency import concurrency_steps, concurrency_table
from prefect_nbviz.analysis.durations import duration_table
from prefect_nbviz.analysis.grid import run_grid
from prefect_nbviz.analysis.lateness import LATE_AFTER, lateness_table
from prefect_nbviz.analysis.spent import PARTS, time_spent
from prefect_nbviz.charts.concurrency import plot_concurrency
from prefect_nbviz.charts.durations import plot_durations
from prefect_nbviz.charts.grid import plot_run_grid
from prefect_nbviz.charts.history import plot_run_counts
from prefect_nbviz.charts.lateness import plot_lateness
from prefect_nbviz.charts.spent import plot_time_spent
from prefect_nbviz.charts.timeline import Timeline
from prefect_nbviz.charts.words import duration_text
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.reporting.failures import failures
from prefect_nbviz.reporting.headline import histories
from prefect_nbviz.reporting.listing import (
    Cell,
    Column,
    length,
    listing,
    number,
    share,
    share_text,
    text,
)
from prefect_nbviz.reporting.section import MOST_LISTED, Section, group_title, grouping, state, with_tasks
from prefect_nbviz.states import FAILURE_TYPES

MOST_BARS = 250
"""With more runs than this the timeline is drawn as pixels."""

_MICRO = pd.Timedelta(1, "us")
_NONE = pd.Timedelta(0)
_PART_NAMES = {"awaiting_slot": "waiting for a slot", "awaiting_retry": "waiting for a retry"}


def sections(contents: Contents) -> Iterator[Section]:
    """Give the sections that have something to say, in the order in which they are read."""
    if contents.runs.empty:
        return
    yield _over_time(contents)
    yield failures(contents)
    yield from _grid(contents)
    yield _durations(contents)
    if contents.with_histories:
        yield _timeline(contents)
        yield _spent(contents)
        yield _concurrency(contents)
    if "lateness" in contents.runs:
        yield _lateness(contents)


def _over_time(contents: Contents) -> Section:
    runs, counts = contents.runs, contents.over_time
    counted = int(counts["runs"].sum())
    of_all = f"All {counted:,} that match are counted, also those that were not read."
    what = of_all if counted > len(runs) else "Each run counts when it was expected to start."
    states = runs.groupby(["state_type", "state_name"], observed=True).size().rename("runs").reset_index()
    states = states.sort_values(["state_type", "runs"], ascending=[True, False])
    columns: dict[str, Column] = {
        "State": state,
        "Runs": lambda row: number(row["runs"]),
        "Share": lambda row: share(row["runs"], len(runs)),
    }
    table = listing("States of the runs that were read", states, columns, numbers=("Runs", "Share"), most=MOST_LISTED)
    figure = plot_run_counts(counts, tz=contents.zone.key)
    return Section("states", "How did the runs end?", f"{what} {_failed_text(runs)}", figure, (table,))


def _failed_text(runs: pd.DataFrame) -> str:
    failed = int(runs["state_type"].isin(FAILURE_TYPES).sum())
    if not failed:
        return "None of those that were read has failed or crashed."
    return f"{failed:,} of {len(runs):,} that were read failed or crashed."


def _grid(contents: Contents) -> Iterator[Section]:
    """Give what each task did in the last runs of one flow, if there are several, and the runs are of all states."""
    if contents.query.kind == "flow_run" or not contents.has_all_states:
        return
    grid = run_grid(contents.runs)
    failed = grid.loc[grid["failed"] > 0, "flow_name"]
    which, flows = ("most failed", failed) if len(failed) else ("most ran", grid["flow_name"])
    flow = flows.value_counts().index[0] if len(flows) else None
    if len(grid.loc[grid["flow_name"] == flow, "flow_run_id"].unique()) > 1:
        says = f"Tasks down, flow runs across, the last one at the right. It is the flow in which {which}."
        figure = plot_run_grid(grid, flow=flow, tz=contents.zone.key)
        yield Section("grid", "What did each task do in the last runs?", says, figure)


def _durations(contents: Contents) -> Section:
    runs = with_tasks(contents.runs)
    by = grouping(runs)
    timed = int(runs["duration"].notna().sum())
    says = "p50 is the median: half of the runs took no longer. Of 100 runs, 95 took no longer than p95."
    if timed < len(runs):
        says += f" {len(runs) - timed:,} of {len(runs):,} have no duration yet."
    table = duration_table(runs, by=by)
    columns: dict[str, Column] = {
        group_title(by): lambda row: text(row[by]),
        "Runs": lambda row: number(row["count"]),
        **{word: partial(_length_of, word) for word in ("p50", "p95", "max")},
    }
    found = listing("Those of the longest p95", table, columns, numbers=[*columns][1:], most=MOST_LISTED)
    figure = plot_durations(runs, by=by, tz=contents.zone.key)
    return Section("durations", "How long did they take?", says, figure, (found,))


def _length_of(word: str, row: Mapping[Any, Any]) -> Cell:
    return length(row[word])


def _timeline(contents: Contents) -> Section:
    says = f"What each run was doing at each moment, {histories(contents)}."
    # Pixels weigh less than bars, and all of them fit on a sheet.
    drawn = Timeline(contents.intervals, tz=contents.zone.key, compact=contents.with_histories > MOST_BARS)
    figure = drawn.figure(theme="light")
    return Section("timeline", "What did each run do when?", says, figure)


def _spent(contents: Contents) -> Section:
    runs = with_tasks(contents.runs)
    by = grouping(runs)
    table = time_spent(contents.intervals, by=by, runs=runs)
    sums: dict[str, pd.Timedelta] = {part: table[part].sum() for part in PARTS if part != "scheduled"}  # type: ignore[misc]
    whole = sum(sums.values(), _NONE)
    largest = sorted((part for part, spent in sums.items() if spent > _NONE), key=lambda part: -sums[part])[:3]
    parts = [f"{share_text(sums[part] // _MICRO, whole // _MICRO)} {_PART_NAMES.get(part, part)}" for part in largest]
    says = f"The time of runs, added up: {', '.join(parts) or 'none yet'}. It is {histories(contents)}."
    return Section("spent", "Where did the time go?", says, plot_time_spent(table))


def _concurrency(contents: Contents) -> Section:
    steps = concurrency_steps(contents.intervals)
    table = concurrency_table(steps)
    most = 0 if table.empty else int(table["most"].iloc[0])
    says = f"At most {most:,} were running at once, {histories(contents)}."
    return Section("concurrency", "How many ran at once?", says, plot_concurrency(steps, tz=contents.zone.key))


def _lateness(contents: Contents) -> Section:
    table = lateness_table(contents.runs, by="flow_name", tz=contents.zone.key)
    runs, late = int(table["runs"].sum()), int(table["late"].sum())
    says = (
        f"{late:,} of {runs:,} runs that were due started more than {duration_text(LATE_AFTER)} after they "
        "were expected to, or still wait."
    )
    columns: dict[str, Column] = {
        "Flow": lambda row: text(row["flow_name"]),
        "Runs": lambda row: number(row["runs"]),
        "Late": lambda row: number(row["late"]),
        "Share": lambda row: share(row["late"], row["runs"]),
        **{word: partial(_length_of, word) for word in ("p50", "p95", "max")},
    }
    found = listing("Those of most late runs", table, columns, numbers=[*columns][1:], most=MOST_LISTED)
    return Section("lateness", "Did they start in time?", says, plot_lateness(table), (found,))
