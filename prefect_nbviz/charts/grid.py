"""The grid: the tasks of a flow down, its last runs across, under the durations of the runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz.charts.clock import WallClock, clock_text, zone_of
from prefect_nbviz.charts.grid_cells import GridCells, Layer, bar_color, bar_glyph, glyphs
from prefect_nbviz.charts.picks import Members, PointPicks
from prefect_nbviz.charts.scales import Scale
from prefect_nbviz.charts.style import HOVER, empty_figure, figure, palette
from prefect_nbviz.charts.words import cut, duration_text, message_lines, run_name, safe, unique_labels
from prefect_nbviz.frames import micros
from prefect_nbviz.states import Theme

_ROW, _LOW_ROW, _MANY = 22, 15, 40  # pixels of a line, and of one of many
_BARS, _GAP = 72, 10  # pixels of the bars of the flow runs, and under them
_CELL = 0.9  # of its place
_LEAST_COLUMNS = 12  # so that the cells of a single run are no beams
_TICKS = 5
_NAME = 24  # letters: in a narrow cell the grid needs room too
_TITLE = 30
_HOVERED, _FEW_CELLS = (60, 22), 1_200  # letters of names that hover, fewer where there are many cells
_HOVER = "<b>%{hovertext}</b><br>%{customdata}<extra></extra>"  # in each of thousands of cells, the tags would be a quarter of the bytes
_MICRO = pd.Timedelta(1, unit="us")
_EPOCH = pd.Timestamp(0, tz="UTC")


def plot_run_grid(
    grid: pd.DataFrame, *, flow: str | None = None, color: str = "state_type", tz: str = "UTC", theme: Theme = "light"
) -> go.Figure:
    """Draw what each task did in each of the last runs of a flow: tasks down, runs across, as Airflow's grid does.

    Parameters
    ----------
    grid
        What `run_grid` gives.
    flow
        The name of the flow; None: that of most flow runs. The subtitle says how many others there are.
    color
        `"state_type"`: Prefect's colours for the worst state of a cell, the names of states told apart by
        patterns. `"duration"`: how long a cell took, as a ratio to the median of its task over the flow runs of the
        grid; of cells that completed, not from a cache. In both, glyphs mark what failed, crashed, runs, or passed
        at a later attempt, so that it is seen without colour.
    tz
        Name of the time zone of the axis, such as `"Europe/Berlin"`.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        On top a bar for the duration of each flow run in the colour of its state, grey where its row is not known.
        No more than `MAX_TASKS_DRAWN` tasks and `MAX_CELLS_DRAWN` places for cells, as title and subtitle say.

    Raises
    ------
    FrameError
        `grid` lacks a column.
    QueryError
        There is no such flow, colour, time zone or theme.

    See Also
    --------
    run_grid : the numbers.

    Examples
    --------
    >>> from prefect_nbviz import frames, tables
    >>> plot_run_grid(frames.empty(tables.RUN_GRID)).layout.annotations[0].text
    'No task runs of a flow to draw'
    """
    zone = zone_of(tz)
    drawn = GridCells.of(grid, flow=flow)
    layers = drawn.layers(color, theme)
    if drawn.columns.empty:
        return empty_figure("Grid", drawn.subtitle(grid), "No task runs of a flow to draw", theme=theme)
    lines = max(len(drawn.tasks), 1)
    height = (_LOW_ROW if lines > _MANY else _ROW) * lines
    names = [layer.name for layer in layers]
    plot = height + _GAP + _BARS
    fig = figure(_title(drawn), drawn.subtitle(grid), theme=theme, plot=plot, legend=names)
    fig.add_traces([_bars(drawn, zone, theme), _still(drawn, zone, theme)])
    hovers = [*_hovers(drawn)]
    fig.add_traces([_layer(drawn, layer, hovers, color) for layer in layers])
    fig.update_layout(barmode="overlay", hovermode="closest", legend={"x": 0, "xref": "container"})
    fig.update_xaxes(_across(drawn, zone))
    fig.update_yaxes(_down(drawn, lines), domain=[0, height / plot])
    return fig.update_layout(yaxis2=_up(fig, drawn, height / plot + _GAP / plot))


def run_grid_picks(grid: pd.DataFrame, *, flow: str | None = None, color: str = "state_type") -> PointPicks:
    """Give which task runs each cell of `plot_run_grid` stands for; a bar on top stands for those of its column.

    Parameters
    ----------
    grid, flow, color
        Those of `plot_run_grid`.
    """
    drawn = GridCells.of(grid, flow=flow)
    sizes = drawn.cells["task_run_ids"].map(len).to_numpy(dtype=np.int64)
    ids = pd.Index([run for runs in drawn.cells["task_run_ids"] for run in runs], dtype="object")
    cell, run = np.repeat(np.arange(len(sizes)), sizes), np.arange(len(ids))
    if drawn.columns.empty:
        return PointPicks(ids, [])
    x = drawn.cells["x"].to_numpy()[cell]
    traces = []
    for held in (drawn.columns["flow_run_duration"].notna(), drawn.columns["flow_run_duration"].isna()):
        columns = np.flatnonzero(held)
        is_in = np.isin(x, columns)
        traces.append(Members(np.searchsorted(columns, x[is_in]), run[is_in]))
    for layer in drawn.layers(color, "light"):
        is_in = np.isin(cell, layer.rows)
        traces.append(Members(np.searchsorted(layer.rows, cell[is_in]), run[is_in]))
    return PointPicks(ids, traces)


def _title(drawn: GridCells) -> str:
    many, older = len(drawn.columns), drawn.older
    runs = (
        "1 run" if many + older == 1 else f"{many:,} runs" if not older else f"last {many:,} of {many + older:,} runs"
    )
    return f"{safe(cut(drawn.flow, _TITLE))} · {runs}"


def _across(drawn: GridCells, zone: ZoneInfo) -> dict[str, Any]:
    """Give the axis of the flow runs, with the times of some of them."""
    times = drawn.columns["flow_run_time"]
    clock = WallClock.over(times.dropna(), zone)
    shown = clock.times(times)
    step = -(-max(len(shown), _LEAST_COLUMNS) // _TICKS)
    places = [*range(len(shown) - 1, -1, -step)]
    texts = ["" if pd.isna(shown[place]) else f"{shown[place]:%H:%M<br>%b %-d}" for place in places]
    return {
        "tickvals": places,
        "ticktext": texts,
        "tickangle": 0,
        "showgrid": False,
        **_all_of(max(len(shown), _LEAST_COLUMNS)),
        "title": f"start of the flow run ({clock.name})",
    }


def _down(drawn: GridCells, lines: int) -> dict[str, Any]:
    ids = [str(place) for place in range(len(drawn.tasks))]
    labels = unique_labels([cut(task, _NAME) for task in drawn.tasks], ids)
    ticks = {"tickvals": [*range(len(labels))], "ticktext": labels}
    return ticks | {"showgrid": False, **_all_of(lines), "autorange": "reversed"}


def _all_of(places: int) -> dict[str, Any]:
    """Show all places; said as a range, it would take a zoom away whenever there is one place more."""
    ends = [-0.5, places - 0.5]
    return {"autorange": True, "autorangeoptions": {"include": ends, "clipmin": ends[0], "clipmax": ends[1]}}


def _up(fig: go.Figure, drawn: GridCells, bottom: float) -> dict[str, Any]:
    """Give the axis of the durations of the flow runs."""
    axis = fig.layout.yaxis.to_plotly_json()
    kept = {name: axis[name] for name in ("automargin", "gridcolor", "linecolor", "zeroline", "tickfont")}
    scale = _scale(drawn)
    return (
        kept
        | (scale.layout() if scale else {"visible": False, "range": [0, 1]})
        | {"domain": [bottom, 1], "anchor": "x", "nticks": 3}
    )


def _scale(drawn: GridCells) -> Scale | None:
    """Give the scale of the bars, which is linear as bars are."""
    lengths = micros(drawn.columns["flow_run_duration"].dropna())
    return Scale.of(np.maximum(lengths, 0), log=False) if len(lengths) else None


def _bars(drawn: GridCells, zone: ZoneInfo, theme: Theme) -> go.Bar:
    held = drawn.columns[drawn.columns["flow_run_duration"].notna()]
    scale = _scale(drawn)
    return go.Bar(
        x=held.index.to_numpy(),
        y=scale.values(micros(held["flow_run_duration"])) if scale else [],
        yaxis="y2",
        width=_CELL,
        marker={"color": [bar_color(kind, theme) for kind in held["flow_state_type"]], "line": {"width": 0}},
        **_marks([bar_glyph(kind) for kind in held["flow_state_type"]], palette(theme).card),
        showlegend=False,
        hovertext=[*_column_hovers(held, zone)],
        hovertemplate=HOVER,
    )


def _still(drawn: GridCells, zone: ZoneInfo, theme: Theme) -> go.Scatter:
    """Give a ring in the place of the bar of a flow run that has no duration yet."""
    held = drawn.columns[drawn.columns["flow_run_duration"].isna()]
    colors = [bar_color(kind, theme) for kind in held["flow_state_type"]]
    return go.Scatter(
        mode="markers",
        x=held.index.to_numpy(),
        y=np.zeros(len(held)),
        yaxis="y2",
        marker={"symbol": "circle-open", "size": 7, "color": colors},
        showlegend=False,
        cliponaxis=False,
        hovertext=[*_column_hovers(held, zone)],
        hovertemplate=HOVER,
    )


def _column_hovers(columns: pd.DataFrame, zone: ZoneInfo) -> Iterator[str]:
    for row in columns.to_dict("records"):
        length = row["flow_run_duration"]
        took = "no duration yet" if pd.isna(length) else duration_text(length)
        state = safe(cut(str(row["flow_state_name"]))) if row["is_flow_run_known"] else "its task runs"
        lines = [f"<b>{message_lines(run_name(row['flow_run_name']))}</b>", f"{state}, {took}"]
        if pd.notna(row["flow_run_time"]):
            lines.append(clock_text((row["flow_run_time"] - _EPOCH) // _MICRO, zone))
        yield "<br>".join(lines)


def _layer(drawn: GridCells, layer: Layer, hovers: list[tuple[str, str]], color: str) -> go.Bar:
    rows = layer.rows
    cells = drawn.cells
    return go.Bar(
        orientation="h",
        y=cells["y"].to_numpy(np.int16)[rows],
        base=(cells["x"].to_numpy(np.float32) - np.float32(_CELL / 2))[rows],
        x=np.full(len(rows), _CELL, dtype=np.float32),
        width=_CELL,  # left alone, plotly makes it the least distance of two cells of the layer
        name=layer.name,
        marker=layer.marker,
        **_marks(glyphs(cells, layer, drawn.is_again(), color), layer.ink),
        hovertext=[hovers[row][0] for row in rows],
        customdata=[hovers[row][1] for row in rows],
        hovertemplate=_HOVER,
    )


def _marks(texts: list[str], ink: str) -> dict[str, Any]:
    """Give the settings of marks in bars."""
    look = {"color": ink, "size": 11}
    return {"text": texts, "textposition": "inside", "insidetextanchor": "middle", "textangle": 0, "textfont": look}


def _hovers(drawn: GridCells) -> Iterator[tuple[str, str]]:
    """Give what each cell is, and what is to be told of it."""
    letters = _HOVERED[len(drawn.cells) > _FEW_CELLS]
    runs = [safe(cut(run_name(name), letters)) for name in drawn.columns["flow_run_name"]]
    tasks = [safe(cut(name, letters)) for name in drawn.tasks]
    keys: dict[int, tuple[str, ...]] = {}
    for row in drawn.cells.to_dict("records"):
        lines = [_outcome(row), *_lengths(row)]
        if row["y"] in keys and keys[row["y"]] != row["task_keys"]:
            lines.append("other code than in the run before")
        keys[row["y"]] = row["task_keys"]
        yield f"{tasks[row['y']]} · {runs[row['x']]}", "<br>".join(lines)


def _outcome(row: dict[Any, Any]) -> str:
    state = safe(cut(str(row["state_name"])))
    parts = [state if row["runs"] == 1 else f"{row['runs']:,} runs, the worst {state}"]
    parts += [f"{row['failed']:,} failed"] if row["failed"] and row["runs"] > 1 else []
    parts += [f"{row['attempts']} attempts"] if row["attempts"] > 1 else []
    return ", ".join(parts)


def _lengths(row: dict[Any, Any]) -> list[str]:
    if pd.isna(row["duration"]):
        return []
    took = duration_text(row["duration"])
    if pd.notna(row["usual"]) and row["usual"] > pd.Timedelta(0):
        took += f", {row['duration'] / row['usual']:.2g} times its median"
    if row["runs"] > 1 and pd.notna(row["summed_duration"]):
        took += f", {duration_text(row['summed_duration'])} summed"
    return [took]
