"""Counts over time: how many runs of which state were expected to start when."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, schema
from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.clock import TICKS, WallClock, zone_of
from prefect_nbviz.charts.picks import Members, PointPicks, run_ids
from prefect_nbviz.charts.style import empty_figure, figure, fill, state_codes, state_labels
from prefect_nbviz.charts.words import coverage
from prefect_nbviz.frames import micros
from prefect_nbviz.states import Theme, state_style

_HOVER = "<b>%{fullData.name}: %{y:,}</b><br>%{hovertext}<extra></extra>"
"""The browser puts it together, so that many bars are few bytes; what it fills in is not read as a template again."""


def plot_run_counts(counts: pd.DataFrame, *, tz: str = "UTC", theme: Theme = "light") -> go.Figure:
    """Draw how many runs were expected to start when, stacked by the state that they are in.

    Parameters
    ----------
    counts
        What `read_run_counts` or `run_counts` gives: the columns of `schema.RUN_COUNTS`.
    tz
        Name of the time zone of the axis, such as `"Europe/Berlin"`; that of the bins fits best. Where its clocks
        show two bins at one time, since they go back, the axis keeps the last offset throughout and says so.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        One bar for each bin and state, as wide as the bin, or as the clock shows it; its subtitle says how many of
        how many runs they hold. `meta` of a trace holds its state type and state name.

    Raises
    ------
    FrameError
        `counts` lacks a column.
    QueryError
        There is no such time zone or theme.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/rest-api/server/flow-runs/flow-run-history

    Examples
    --------
    >>> from prefect_nbviz import run_counts
    >>> read = pd.DataFrame({
    ...     "expected_start_time": pd.to_datetime(["2026-01-01T06:01Z", "2026-01-01T06:59Z"]),
    ...     "state_type": "FAILED", "state_name": "TimedOut",
    ... })
    >>> plot_run_counts(run_counts(read, freq="1h"), tz="Europe/Berlin").data[0].x[0]
    '2026-01-01T07:00:00'
    """
    frames.require(counts, schema.names(schema.RUN_COUNTS), made_by="read_run_counts()")
    zone = zone_of(tz)
    runs = int(counts["runs"].sum())
    subtitle = coverage(runs, counts, held=runs)
    if not runs:
        return empty_figure("Runs over time", subtitle, "No runs to count", theme=theme)
    codes, states = state_codes(counts)
    labels = state_labels(states)
    fig = figure("Runs over time", subtitle, theme=theme, plot=260, legend=labels.values())
    clock = WallClock.over(pd.concat([counts["bin_start"], counts["bin_end"]]), zone)
    for key, label in labels.items():
        fig.add_trace(_bars(counts[codes == states.index(key)], key, label, clock, theme))
    fig.update_layout(barmode="stack", bargap=0)
    fig.update_xaxes(type="date", title=f"expected start ({clock.name})", tickformatstops=TICKS)
    return fig.update_yaxes(title="runs", rangemode="tozero", tickformat=",d")


def run_count_picks(counts: pd.DataFrame, runs: pd.DataFrame) -> PointPicks:
    """Give which runs of a frame each bar of `plot_run_counts` stands for; the bar may count others too.

    Parameters
    ----------
    counts
        That of `plot_run_counts`.
    runs
        The runs that can be picked, with their ids: those whose expected start is in the bin and that are in its
        state. One that has changed its state since it was counted is of no bar, or of another.

    Examples
    --------
    >>> runs = pd.DataFrame({
    ...     "task_run_id": ["a", "b"], "expected_start_time": pd.to_datetime(["2026-01-01T06:01Z", None]),
    ...     "state_type": "FAILED", "state_name": "TimedOut",
    ... })
    >>> from prefect_nbviz.bins import counts
    >>> run_count_picks(counts(runs, "1h", "UTC"), runs).runs({"points": [[0, 0]]})
    ('a',)
    """
    row, run = _rows_of_runs(counts, runs)
    codes, states = state_codes(counts)
    traces = []
    for state in range(len(states)):
        drawn = np.flatnonzero(codes == state)
        part = codes[row] == state
        traces.append(Members(np.searchsorted(drawn, row[part]), run[part]))
    return PointPicks(run_ids(runs), traces)


def _rows_of_runs(counts: pd.DataFrame, runs: pd.DataFrame) -> tuple[Integers, Integers]:
    """Give rows of the counts, and beside each the place of a run that is in its bin and its state."""
    bins = counts[["bin_start", "bin_end"]].drop_duplicates("bin_start").sort_values("bin_start")
    starts, ends = (micros(bins[column]) for column in ("bin_start", "bin_end"))
    timed = np.flatnonzero(runs["expected_start_time"].notna())
    at = micros(runs["expected_start_time"].iloc[timed])
    place = np.searchsorted(starts, at, side="right") - 1
    is_held = (place >= 0) & (at < np.append(ends, 0)[place])
    timed, place = timed[is_held], place[is_held]
    states = runs[["state_type", "state_name"]].iloc[timed].astype("str")
    held = states.assign(run=timed, bin=starts[place])
    rows = counts[["state_type", "state_name"]].astype("str").assign(row=np.arange(len(counts)))
    joined = rows.assign(bin=micros(counts["bin_start"])).merge(held, on=["bin", "state_type", "state_name"])
    return joined["row"].to_numpy(dtype=np.int64), joined["run"].to_numpy(dtype=np.int64)


def _bars(counts: pd.DataFrame, key: tuple[str, str], label: str, clock: WallClock, theme: Theme) -> go.Bar:
    return go.Bar(
        x=clock.times(counts["bin_start"]).dt.strftime("%Y-%m-%dT%H:%M:%S").to_numpy(),
        y=counts["runs"].to_numpy(),
        width=_widths(counts, clock).to_numpy(),
        offset=0,
        name=label,
        marker=fill(state_style(*key, theme=theme), theme) | {"line": {"width": 0}},
        meta=[*key],
        hovertext=_spans(counts, clock.zone),
        hovertemplate=_HOVER,
    )


def _widths(counts: pd.DataFrame, clock: WallClock) -> pd.Series[float]:
    """Give how wide the bars are, in milliseconds: a day of 25 hours is not to reach into the next on the clock."""
    lasts = counts["bin_end"] - counts["bin_start"]
    shown = clock.times(counts["bin_end"]) - clock.times(counts["bin_start"])
    return lasts.where(lasts < shown, shown).dt.total_seconds() * 1_000


def _spans(counts: pd.DataFrame, zone: ZoneInfo) -> list[str]:
    starts, ends = (counts[column].dt.tz_convert(zone) for column in ("bin_start", "bin_end"))
    form = "%Y-%m-%d %H:%M:%S %Z"
    return [f"{start:{form}} to {end:{form}}" for start, end in zip(starts, ends, strict=True)]
