"""The graph of a flow run by time: a bar for each task run and subflow run, from its start to its end."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames
from prefect_nbviz.charts.bars import draw_stays
from prefect_nbviz.charts.clock import TimeAxis, clock_text, zone_of
from prefect_nbviz.charts.style import empty_figure
from prefect_nbviz.charts.words import (
    coverage,
    cut,
    duration_text,
    joined,
    message_lines,
    run_name,
    safe,
    unique_labels,
)
from prefect_nbviz.errors import FrameError
from prefect_nbviz.frames import micros
from prefect_nbviz.states import Theme

MAX_RUNS_DRAWN = 1_000
"""As many runs get a row: those that took longest."""

NEEDED = ("run_kind", "run_id", "run_name", "state_type", "start_time", "end_time")
"""The columns of `schema.FLOW_RUN_GRAPH` that are drawn."""

_MADE_BY = "read_flow_run_graph()"
_MILLI = 1_000
_NAME = 120  # letters of a name that hovers
_TITLE = "Flow run graph"
_WHOLE = "each bar is a whole run, waits included, in the colour of its present state type"
_KINDS = {"task_run": "task run", "flow_run": "subflow run"}
_OR_EXPECTED = ", when it ran first or was to start"
_UNSTARTED = frozenset({"SCHEDULED", "PENDING"})


def plot_flow_run_graph(graph: pd.DataFrame, *, tz: str = "UTC", theme: Theme = "light") -> go.Figure:
    """Draw when the runs that a flow run started ran: one bar each, from start to end, as Prefect's own UI does.

    A bar has the colour of the present state type of its run, which need not be what it was in all the time: pauses
    and waits for retries are in it too. A run that never ran begins at its expected start. `plot_state_timeline` draws
    each stay in each state, from the histories, which take longer to read. Bars of runs that have not ended are paler,
    go on to `as_of`, and end in an arrow; where they would squash what happened, the view ends after the last change.

    Parameters
    ----------
    graph
        What `read_flow_run_graph` gives: at least the columns in `NEEDED`, with its attrs.
    tz
        Name of the time zone of the axis and of what hovers, such as `"Europe/Berlin"`.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        A row for each run, in the order of the frame; `MAX_RUNS_DRAWN` at most, as the subtitle says: those that took
        longest. `customdata` of a bar is its run_id.

    Raises
    ------
    FrameError
        `graph` lacks a column, or does not know when it was read though runs in it have not ended.
    QueryError
        There is no such time zone or theme.

    Examples
    --------
    >>> graph = pd.DataFrame({
    ...     "run_kind": "task_run", "run_id": ["a"], "run_name": ["load"], "state_type": ["COMPLETED"],
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00Z"]), "end_time": pd.to_datetime(["2026-01-01T06:01Z"]),
    ... })
    >>> plot_flow_run_graph(graph).data[0].name
    'COMPLETED'
    """
    frames.require(graph, NEEDED, made_by=_MADE_BY)
    zone = zone_of(tz)
    if graph.empty:
        return empty_figure(_TITLE, coverage(0, graph, held=0), "No runs to draw", theme=theme)
    runs = _longest(_timed(graph))
    axis = TimeAxis.over(zone, *(runs[name].to_numpy() for name in ("start", "end", "is_open")))
    labels = unique_labels(runs["name"], [*runs["run_id"]])
    bars, subtitle = _bars(runs, labels, axis), _subtitle(graph, len(runs))
    fig = draw_stays(bars, labels, axis, subtitle=subtitle, theme=theme, moments=())
    fig.layout.title.text = _TITLE
    return fig


def _timed(graph: pd.DataFrame) -> pd.DataFrame:
    """Give what is drawn of each run, with its times in microseconds: what has not ended ends at `as_of`.

    Raises
    ------
    FrameError
        A time is not known.
    """
    if graph["start_time"].isna().any():
        raise FrameError(f"Some runs have no start_time: pass a frame as {_MADE_BY} gives it.")
    start, end, is_open = micros(graph["start_time"]), micros(graph["end_time"]), graph["end_time"].isna().to_numpy()
    as_of = graph.attrs.get(frames.ATTRS, {}).get("as_of")
    if as_of is not None:
        end = np.where(is_open, np.datetime64(pd.Timestamp(as_of).tz_convert(None), "us").astype(np.int64), end)
    elif is_open.any():
        raise FrameError(
            f"The graph does not say when it was read, and runs in it have not ended: pass one with the attrs that {_MADE_BY} gives it."
        )
    return pd.DataFrame(
        {
            "run_id": [*map(str, graph["run_id"].tolist())],
            "name": [*map(run_name, graph["run_name"].tolist())],
            "kind": [*graph["run_kind"]],
            "state_type": [*map(str, graph["state_type"])],
            "start": start,
            "end": np.maximum(start, end),  # one that is open may be expected later, or the clocks differ
            "is_open": is_open,
        }
    )


def _longest(runs: pd.DataFrame) -> pd.DataFrame:
    """Give as many as are drawn, in their order."""
    if len(runs) <= MAX_RUNS_DRAWN:
        return runs
    by_length = (runs["start"] - runs["end"]).to_numpy().argsort(kind="stable")
    return runs.iloc[np.sort(by_length[:MAX_RUNS_DRAWN])]


def _bars(runs: pd.DataFrame, labels: list[str], axis: TimeAxis) -> pd.DataFrame:
    start, end = runs["start"].to_numpy(), runs["end"].to_numpy()
    return pd.DataFrame(
        {
            "label": labels,
            "run_id": [*runs["run_id"]],
            "key": [(kind, "") for kind in runs["state_type"]],
            "is_open": [*runs["is_open"]],
            "start": axis.wall(start),
            "end": axis.wall(end),
            "millis": (end - start) / _MILLI,
            "hover": [*_hovers(runs, axis.zone)],
        }
    )


def _subtitle(graph: pd.DataFrame, drawn: int) -> str:
    longest = ", the longest" if drawn < len(graph) else ""
    return joined(f"{coverage(drawn, graph, held=len(graph))}{longest}", _WHOLE)


def _hovers(runs: pd.DataFrame, zone: ZoneInfo) -> Iterator[str]:
    words = ("name", "kind", "state_type", "start", "end", "is_open")
    for name, kind, state, start, end, is_open in runs[[*words]].itertuples(index=False, name=None):
        lasted = duration_text(end - start)
        yield "<br>".join(
            (
                f"<b>{message_lines(cut(name, _NAME))}</b>",
                f"{_KINDS.get(kind, 'run')}, now {safe(state)}",
                f"from {clock_text(start, zone)}{_OR_EXPECTED if state in _UNSTARTED else ''}",
                f"not ended after {lasted}" if is_open else f"for {lasted}, waits included",
            )
        )
