"""A timeline of few stays: a row for each run, a bar for each stay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz.charts.clock import TimeAxis, clock_text
from prefect_nbviz.charts.style import HOVER, figure, fill, in_order_of_life, palette, state_keys, state_labels
from prefect_nbviz.charts.words import duration_text, message_lines, run_name, safe, unique_labels
from prefect_nbviz.frames import micros
from prefect_nbviz.states import TERMINAL_STATE_TYPES, Theme, state_style

ROW = 20
"""Pixels of a row."""

_SMALLEST, _TALLEST = 40, 1_400  # pixels of the plot
_OPEN = "still open"
_FLAT = 6  # pixels of a run below which an outline would be all that is seen
_OPEN_OPACITY = 0.55
_MILLI = 1_000
_SYMBOLS = {
    "COMPLETED": "circle",
    "FAILED": "x",
    "CRASHED": "star",
    "CANCELLED": "square",
    "Cached": "diamond",
    "RolledBack": "circle-open",
    "TimedOut": "triangle-down",
}


def draw_bars(
    intervals: pd.DataFrame,
    runs: Iterable[str],
    axis: TimeAxis,
    *,
    subtitle: str,
    theme: Theme,
    plot: int = 0,
) -> go.Figure:
    """Draw stays as bars.

    Parameters
    ----------
    intervals
        The stays to draw.
    runs
        The ids of their runs, from the top.
    axis
        The axis of time.
    subtitle
        What is drawn, of what.
    theme
        The background that it will be seen on.
    plot
        Pixels of height of the plot; 0 leaves it to the number of runs.
    """
    rows = _rows(intervals, runs)
    stays = _stays(intervals, rows, axis)
    return draw_stays(stays, rows["label"], axis, subtitle=subtitle, theme=theme, plot=plot)


def draw_stays(
    stays: pd.DataFrame,
    labels: Collection[str],
    axis: TimeAxis,
    *,
    subtitle: str,
    theme: Theme,
    plot: int = 0,
    moments: Collection[str] = TERMINAL_STATE_TYPES,
) -> go.Figure:
    """Draw bars, or markers of moments, in rows.

    Parameters
    ----------
    stays
        For each its row's `label`, `run_id`, `key` (type and name of its state), `is_open`, `start` and `end` as the
        axis writes them, `millis` in between, and the `hover` text.
    labels
        The labels of the rows, from the top.
    axis, subtitle, theme, plot
        Those of `draw_bars`.
    moments
        The state types that are drawn as markers where they begin.
    """
    shown = max(len(labels), plot // ROW, 1)
    row = plot / shown or min(ROW, _TALLEST / shown)
    states = state_labels(in_order_of_life(stays["key"].unique()))
    entries = [*states.values(), *([_OPEN] if stays["is_open"].any() else [])]
    height = plot or max(row * len(labels), _SMALLEST)
    settings = {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": [*labels],
        "showgrid": False,
        "range": [shown - 0.5, -0.5],
    }
    axes = {"xaxis": axis.layout(), "yaxis": settings}
    fig = figure("Timeline", subtitle, theme=theme, plot=height, legend=entries, **axes)
    fig.layout.barmode, fig.layout.bargap = "overlay", 0.25
    return fig.add_traces([*_traces(stays, states, row, theme, moments)])


def end_symbol(state_type: str, state_name: str) -> str:
    """Give the symbol of a state in which runs end.

    Examples
    --------
    >>> end_symbol("FAILED", "TimedOut"), end_symbol("FAILED", "my own")
    ('triangle-down', 'x')
    """
    return _SYMBOLS.get(state_name) or _SYMBOLS.get(state_type, "circle")


def _rows(intervals: pd.DataFrame, runs: Iterable[str]) -> pd.DataFrame:
    """Give the name and the label of each run, in their order."""
    first = intervals.groupby(intervals["run_id"].map(str), sort=False)["run_name"].first()
    ids = [*runs]
    names = [run_name(name) for name in first.reindex(ids)]
    return pd.DataFrame({"name": names, "label": unique_labels(names, ids)}, index=ids)


def _stays(intervals: pd.DataFrame, rows: pd.DataFrame, axis: TimeAxis) -> pd.DataFrame:
    start, end = micros(intervals["start_time"]), micros(intervals["end_time"])
    run = intervals["run_id"].map(str)
    named = intervals.assign(name=run.map(rows["name"]), start=start, micros=end - start)
    return pd.DataFrame(
        {
            "label": run.map(rows["label"]),
            "run_id": intervals["run_id"],
            "key": state_keys(intervals),
            "is_open": intervals["is_open"],
            "start": axis.wall(start),
            "end": axis.wall(end),
            "millis": (end - start) / _MILLI,
            "hover": [*_hovers(named, axis.zone)],
        },
        index=intervals.index,
    )


def _hovers(stays: pd.DataFrame, zone: ZoneInfo) -> Iterator[str]:
    words = ("name", "state_type", "state_name", "attempt", "start", "micros", "is_open", "message")
    for name, kind, state, attempt, start, length, is_open, message in stays[[*words]].itertuples(
        index=False, name=None
    ):
        lines = [f"<b>{message_lines(name)}</b>", f"{safe(str(kind))} · {safe(str(state))}, attempt {attempt}"]
        lines += [message_lines(message)] if isinstance(message, str) and message else []
        lines += [f"from {clock_text(start, zone)}"]
        if is_open:
            lines += [f"still open after {duration_text(length)}"]
        elif kind not in TERMINAL_STATE_TYPES:
            lines += [f"for {duration_text(length)}"]
        yield "<br>".join(lines)


def _traces(
    stays: pd.DataFrame,
    labels: dict[tuple[str, str], str],
    row: float,
    theme: Theme,
    moments: Collection[str],
) -> Iterator[dict[str, Any]]:
    """Give traces, not as objects of plotly's, which it would make again when they are added."""
    groups: dict[Any, pd.DataFrame] = dict([*stays.groupby("key", sort=False)])
    for key, label in labels.items():
        draw = _ends if key[0] in moments else _bars
        yield draw(groups[key], key, row, theme) | {"name": label}
    still_open = stays[stays["is_open"]]
    if len(still_open):
        yield _arrows(still_open, row, theme)


def _bars(stays: pd.DataFrame, key: tuple[str, str], row: float, theme: Theme) -> dict[str, Any]:
    marker = fill(state_style(*key, theme=theme), theme)
    marker["line"]["width"] = 1.5 if row > _FLAT else 0.5
    marker["opacity"] = np.where(stays["is_open"], _OPEN_OPACITY, 1.0)
    return _hover(stays) | {
        "type": "bar",
        "orientation": "h",
        "base": stays["start"].tolist(),
        "x": stays["millis"].to_numpy(dtype=float),
        "marker": marker,
    }


def _ends(stays: pd.DataFrame, key: tuple[str, str], row: float, theme: Theme) -> dict[str, Any]:
    color = state_style(*key, theme=theme).color
    symbol = end_symbol(*key)
    return _points(stays, "start", {"symbol": symbol, "color": color, "size": _size(row), "line": _edge(row, theme)})


def _arrows(stays: pd.DataFrame, row: float, theme: Theme) -> dict[str, Any]:
    marker = {"symbol": "triangle-right-open", "color": palette(theme).text, "size": _size(row)}
    return _points(stays, "end", marker) | {"name": _OPEN}


def _points(stays: pd.DataFrame, at: str, marker: dict[str, Any]) -> dict[str, Any]:
    return _hover(stays) | {"type": "scatter", "mode": "markers", "x": stays[at].tolist(), "marker": marker}


def _edge(row: float, theme: Theme) -> dict[str, Any]:
    """Give the outline that sets a marker off from the bar that it ends."""
    return {"color": palette(theme).card, "width": 1 if row > _FLAT else 0}


def _size(row: float) -> float:
    return min(max(row * 0.75, 3), 11)


def _hover(stays: pd.DataFrame) -> dict[str, Any]:
    texts = {"y": "label", "customdata": "run_id", "hovertext": "hover"}
    return {word: stays[name].tolist() for word, name in texts.items()} | {"hovertemplate": HOVER}
