"""The critical path: when the task runs of a flow run ran, and which of them determined its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.charts.bars import ROW
from prefect_nbviz.charts.clock import TimeAxis, clock_text, zone_of
from prefect_nbviz.charts.style import HOVER, empty_figure, figure, palette
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
from prefect_nbviz.frames import micros
from prefect_nbviz.states import Theme, state_style

MAX_TASK_RUNS_DRAWN = 60
"""As many task runs get a row: the longest of the path, then those of least slack."""

_HEADING, _LEAST = 88, 60  # pixels above the rows for what sums up, and of the rows together
_MILLI = 1_000
_MARGIN = 50  # of a part: nothing is cut off at the edges
_LEAST_SPAN = 1_000  # microseconds
_NAME = 24  # letters: in a narrow cell the bars need the room
_OPACITY = 0.45
_CORNER = {"x": 1, "xref": "paper", "yref": "paper", "xanchor": "right", "yanchor": "top", "showarrow": False}


def plot_critical_path(path: pd.DataFrame, *, tz: str = "UTC", theme: Theme = "light") -> go.Figure:
    """Draw when the task runs of a flow run ran: the critical path in colour, the others in grey with their slack.

    Parameters
    ----------
    path
        What `critical_path` gives, with its attrs.
    tz
        Name of the time zone of the axis and of what hovers, such as `"Europe/Berlin"`.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        A row for each task run, in the order of their start, `MAX_TASK_RUNS_DRAWN` at most, as the subtitle says:
        all of the path, or the longest of it, then those of least slack. Dotted lines are waits on the path, thin
        lines slack. What is above the rows sums up the whole path, and says how many task runs have no recorded
        upstream though they waited.

    Raises
    ------
    FrameError
        `path` lacks a column.
    QueryError
        There is no such time zone or theme.

    Examples
    --------
    >>> from prefect_nbviz import critical_path
    >>> runs = pd.DataFrame({
    ...     "task_run_id": ["a", "b"], "name": ["load", "save"], "state_type": "COMPLETED", "state_name": "Completed",
    ...     "upstream_task_run_ids": [(), ("a",)],
    ...     "start_time": pd.to_datetime(["2026-01-01T06:00:00Z", "2026-01-01T06:00:11Z"]),
    ...     "end_time": pd.to_datetime(["2026-01-01T06:00:10Z", "2026-01-01T06:00:13Z"]),
    ... })
    >>> plot_critical_path(critical_path(runs)).layout.annotations[0].text.split("<br>")[-1]
    'Most to save: 10 s by load'
    """
    frames.require(path, schema.names(tables.CRITICAL_PATH), made_by="critical_path()")
    zone, timed = zone_of(tz), path[path["end_time"].notna()]
    rows = _drawn(timed)
    subtitle = _subtitle(path, len(rows))
    if rows.empty:
        return empty_figure("Critical path", subtitle, "No task runs that have ended to draw", theme=theme)
    names = [cut(run_name(name), _NAME) for name in rows["name"]]
    rows = rows.assign(label=unique_labels(names, [*rows["task_run_id"].map(str)]))
    axis, plot = _axis(timed, zone), max(ROW * len(rows), _LEAST) + _HEADING
    traces = [trace for trace in _traces(rows, axis, theme) if len(trace.y)]
    entries = [trace.name for trace in traces]
    fig = figure("Critical path", subtitle, theme=theme, plot=plot, legend=entries)
    fig.add_traces(traces)
    fig.add_annotation(text="<br>".join(_summary(path, timed)), y=1, align="left", **_CORNER)
    fig.update_layout(barmode="overlay", bargap=0.3, xaxis=axis.layout(), hovermode="closest")
    settings = {"type": "category", "categoryorder": "array", "categoryarray": [*rows["label"]], "showgrid": False}
    return fig.update_yaxes(settings, range=[len(rows) - 0.5, -0.5], domain=[0, 1 - _HEADING / plot])


def _drawn(timed: pd.DataFrame) -> pd.DataFrame:
    """Give the rows that are drawn, in the order of their start."""
    is_path = timed["path_place"] > 0
    longest = timed[is_path].sort_values("duration", ascending=False, kind="stable").index
    others = timed[~is_path].sort_values("slack", kind="stable").index
    return timed.loc[sorted([*longest, *others][:MAX_TASK_RUNS_DRAWN])]


def _subtitle(path: pd.DataFrame, drawn: int) -> str:
    open_runs, on_path = int(path["end_time"].isna().sum()), int((path["path_place"] > 0).sum())
    chosen = ""
    if on_path > drawn:
        chosen = f"the longest of the {on_path:,} on the path"
    elif drawn < len(path) - open_runs:
        chosen = "the path, and those of least slack"
    have_not = f"{open_runs:,} {'has' if open_runs == 1 else 'have'} not ended" if open_runs else ""
    return joined(coverage(drawn, path, held=len(path)), have_not, chosen)


def _summary(path: pd.DataFrame, timed: pd.DataFrame) -> Iterator[str]:
    """Say of what the whole time consists, and what is not known."""
    on_path = timed[timed["path_place"] > 0]
    whole = timed["end_time"].max() - timed["start_time"].min()
    ran, waited = (pd.Timedelta(on_path[name].sum()) for name in ("duration", "wait"))
    count = f"{len(on_path):,} task {'run' if len(on_path) == 1 else 'runs'}"
    yield f"The path: {count}, {duration_text(ran)} of {duration_text(whole)}"
    parts = [f"waits {duration_text(waited)}"] if waited else []
    parts += [f"{duration_text(whole - ran - waited)} before it or in others"] if whole > ran + waited else []
    yield from [" · ".join(parts)] if parts else []
    if len(on_path) > 1:
        best = on_path.sort_values("saving", ascending=False, kind="stable").iloc[0]
        yield f"Most to save: {duration_text(best['saving'])} by {safe(cut(run_name(best['name']), _NAME))}"
    unlinked = path.attrs.get(frames.ATTRS, {}).get("unlinked", 0)
    if unlinked:
        runs = "1 later task run has" if unlinked == 1 else f"{unlinked:,} later task runs have"
        yield f"{runs} no recorded upstream:"
        yield "what they waited for is not known"


def _axis(timed: pd.DataFrame, zone: ZoneInfo) -> TimeAxis:
    begin, end = int(micros(timed["start_time"]).min()), int(micros(timed["end_time"]).max())
    margin = max(end - begin, _LEAST_SPAN) // _MARGIN
    return TimeAxis(zone, begin - margin, end + margin, last=end)


def _traces(rows: pd.DataFrame, axis: TimeAxis, theme: Theme) -> Iterator[go.Bar | go.Scatter]:
    color, quiet = state_style("RUNNING", theme=theme).color, palette(theme).quiet
    texts, is_path = np.array([*_hovers(rows, axis.zone)], dtype=object), (rows["path_place"] > 0).to_numpy()
    yield _bars(rows[is_path], axis, texts[is_path], color).update(name="path")
    yield _waits(rows, axis).update(name="wait", line={"color": color, "width": 1.5, "dash": "dot"})
    yield _bars(rows[~is_path], axis, texts[~is_path], quiet).update(name="others", opacity=_OPACITY)
    spare = rows[~is_path & (rows["slack"] > pd.Timedelta(0)).to_numpy()]
    ends = micros(spare["end_time"])
    slack = ends + spare["slack"].to_numpy(dtype="timedelta64[us]").astype(np.int64)
    line = {"color": quiet, "width": 1.5}
    yield _lines(
        [*zip(ends.tolist(), slack.tolist(), strict=True)], [(one, one) for one in spare["label"]], axis
    ).update(name="slack", line=line)


def _bars(rows: pd.DataFrame, axis: TimeAxis, texts: Any, color: str) -> go.Bar:
    start = micros(rows["start_time"])
    return go.Bar(
        orientation="h",
        y=[*rows["label"]],
        base=[*axis.wall(start)],
        x=(micros(rows["end_time"]) - start) / _MILLI,
        marker={"color": color, "line": {"color": color, "width": 1}},
        customdata=[*rows["task_run_id"]],
        hovertext=[*texts],
        hovertemplate=HOVER,
    )


def _waits(rows: pd.DataFrame, axis: TimeAxis) -> go.Scatter:
    """Draw from where a task run of the path was ready to where it started; from the row before if that is drawn."""
    label = dict(zip(rows["task_run_id"], rows["label"], strict=True))
    held = rows[(rows["path_place"] > 0) & rows["waited_for"].notna()]
    ready, start = micros(held["ready_time"]).tolist(), micros(held["start_time"]).tolist()
    labels = [(label.get(up, own), own, own) for up, own in zip(held["waited_for"], held["label"], strict=True)]
    return _lines([(one, one, other) for one, other in zip(ready, start, strict=True)], labels, axis)


def _lines(times: Sequence[tuple[int, ...]], labels: Sequence[tuple[str, ...]], axis: TimeAxis) -> go.Scatter:
    x: list[str | None] = []
    y: list[str | None] = []
    for time, label in zip(times, labels, strict=True):
        x += [*map(str, axis.wall(np.array(time, dtype=np.int64))), None]
        y += [*label, None]
    return go.Scatter(mode="lines", x=x, y=y, hoverinfo="skip")


def _hovers(rows: pd.DataFrame, zone: ZoneInfo) -> Iterator[str]:
    for row in rows.itertuples(index=False):
        one: Any = row
        lines = [f"<b>{message_lines(run_name(one.name))}</b>", f"{safe(str(one.state_name))}"]
        lines += [
            f"from {clock_text(one.start_time.as_unit('us').value // _MILLI, zone)} for {duration_text(one.duration)}"
        ]
        lines += [] if pd.isna(one.wait) else [f"waited {duration_text(one.wait)}"]
        lines += [f"slack {duration_text(one.slack)}" if not one.path_place else "on the critical path"]
        lines += [f"would save {duration_text(one.saving)} if it took no time"] if one.path_place else []
        yield "<br>".join(lines)
