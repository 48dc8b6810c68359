"""The section of failures: how many there are, why, and of what."""

from __future__ import annotations

from collections.abc import Iterator

from prefect_nbviz import frames
from prefect_nbviz.analysis.failure_rates import failure_rates
from prefect_nbviz.analysis.failures import failure_table
from prefect_nbviz.analysis.flaky_tasks import flaky_tasks
from prefect_nbviz.analysis.leaf_failures import leaf_failures
from prefect_nbviz.charts.failure_rates import plot_failure_rates
from prefect_nbviz.gathering import with_histories
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.reporting.listing import Column, Listing, length, listing, moment, names, number, text
from prefect_nbviz.reporting.section import MOST_LISTED, Section, grouping, link, state, with_tasks
from prefect_nbviz.states import FAILURE_TYPES
from prefect_nbviz.task_keys import task_name

_TITLE = "Why did runs fail?"
_RATES = "The line at each share reaches as far as it may be luck: the true share is within it in 95 of 100 cases. "


def failures(contents: Contents) -> Section:
    """Give why runs failed; a share of them only where the filter does not leave out those that did not."""
    runs = with_tasks(contents.runs)
    if not runs["state_type"].isin(FAILURE_TYPES).any():
        return Section("failures", _TITLE, "None of the runs that were read has failed or crashed.")
    says = (
        "In messages, what varies from run to run is masked, such as numbers, ids and times: the same ones are one row."
    )
    figure = plot_failure_rates(failure_rates(runs, by=grouping(runs))) if contents.has_all_states else None
    return Section("failures", _TITLE, (_RATES if figure else "") + says, figure, tuple(_listings(contents)))


def _listings(contents: Contents) -> Iterator[Listing]:
    yield _messages(contents)
    if frames.ATTRS in contents.failed_tasks.attrs:
        yield _leaves(contents)
    else:
        yield _newest(contents)
    if contents.query.kind == "task_run":
        yield from _verdicts(contents)


def _messages(contents: Contents) -> Listing:
    kind = contents.query.kind
    columns: dict[str, Column] = {
        "Runs": lambda row: number(row["runs"]),
        "What they say": lambda row: text(row["pattern"]),
        "States": lambda row: names(row["state_names"]),
        "Flows": lambda row: names(row["flow_names"]),
        "Tasks": lambda row: names([task_name(one) for one in row["task_keys"]]),
        "Last": lambda row: moment(row["last_seen"], contents.zone),
        "Example": lambda row: link(contents, "in Prefect", kind, row["example_run_id"]),
    }
    if kind == "flow_run":
        del columns["Tasks"]
    table = failure_table(contents.runs)
    return listing("Messages of most runs", table, columns, numbers=("Runs",), most=MOST_LISTED)


def _newest(contents: Contents) -> Listing:
    runs = contents.runs
    failed = runs[runs["state_type"].isin(FAILURE_TYPES)]
    seen = failed["end_time"].fillna(failed["start_time"]).fillna(failed["expected_start_time"])
    failed = failed.assign(seen=seen).sort_values("seen", ascending=False, kind="stable")
    columns: dict[str, Column] = {
        "Run": lambda row: link(contents, row["name"], contents.query.kind, row[contents.ids]),
        "Flow": lambda row: text(row["flow_name"]),
        "State": state,
        "When": lambda row: moment(row["seen"], contents.zone),
        "Took": lambda row: length(row["duration"]),
        "Message": lambda row: text(row["state_message"]),
    }
    return listing("Failed last", failed, columns, numbers=("Took",), most=MOST_LISTED)


def _leaves(contents: Contents) -> Listing:
    """List each failure of flow runs once: what failed by itself, and how many others it brought down."""
    runs = contents.runs
    failed = runs[runs["state_type"].isin(FAILURE_TYPES)]
    looked_into = with_histories(failed)
    rest = failed[contents.ids].iloc[len(looked_into) :]
    table = leaf_failures(runs[~runs[contents.ids].isin(rest)], contents.failed_tasks)
    columns: dict[str, Column] = {
        "Run": lambda row: link(contents, row["run_name"], row["run_kind"], row["run_id"]),
        "Within": lambda row: text(" / ".join(row["path"])),
        "State": state,
        "When": lambda row: moment(row["failed_time"], contents.zone),
        "Brought down": lambda row: number(row["brought_down"]),
        "Message": lambda row: text(row["message"]),
        "Cause": lambda row: text("this" if row["is_deepest"] else "may be elsewhere"),
    }
    if table["is_deepest"].all():
        del columns["Cause"]
    caption = "What failed by itself, the last first, with how many others it brought down"
    if len(rest):
        caption += f", of the first {len(looked_into):,} of {len(failed):,} flow runs that failed"
    return listing(caption, table, columns, numbers=("Brought down",), most=MOST_LISTED)


def _verdicts(contents: Contents) -> Iterator[Listing]:
    """List tasks that are flaky or broken, if all runs are here to tell."""
    if not (contents.is_all and contents.has_all_states):
        return
    table = flaky_tasks(contents.runs)
    table = table[table["is_current"] & (table["verdict"] != "stable")]
    columns: dict[str, Column] = {
        "Task": lambda row: text(task_name(str(row["task_key"]))),
        "Flow": lambda row: text(row["flow_name"]),
        "Verdict": lambda row: text(row["verdict"]),
        "Since": lambda row: moment(row["since"], contents.zone),
        "Flow runs": lambda row: number(row["flow_runs"]),
        "With a failure": lambda row: number(row["failed_flow_runs"]),
        "Last ones in a row": lambda row: number(row["failing_now"]),
    }
    caption = "Flaky tasks fail and then pass again, broken ones do not"
    if len(table):
        yield listing(caption, table, columns, numbers=[*columns][-3:], most=MOST_LISTED)
