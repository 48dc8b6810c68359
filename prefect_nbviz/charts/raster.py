"""A timeline of many stays: a picture of the states that runs were in, and what hovers over it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.blocks import Blocks
from prefect_nbviz.charts.clock import TimeAxis, span_text
from prefect_nbviz.charts.pixels import Cells
from prefect_nbviz.charts.png import png_address
from prefect_nbviz.charts.stays import Stays
from prefect_nbviz.charts.style import HOVER, figure, palette, state_labels
from prefect_nbviz.charts.words import duration_text, message_lines, run_name, safe, unique_labels
from prefect_nbviz.states import Theme, state_style

_LEGIBLE = 10  # pixels of a line that can have a label
_MOST_TOLD = 16_000  # states in all that hovers: less than half a megabyte of text
_NEAR = 8  # pixels from its middle within which a block hovers
_MILLI = 1_000
_LIGHTER = (0.0, 0.45, 0.62, 0.74, 0.82)


def draw_pixels(
    cells: Cells, axis: TimeAxis, *, names: pd.Series, unit: str, subtitle: str, theme: Theme, plot: int
) -> go.Figure:
    """Draw cells as pixels.

    Parameters
    ----------
    cells
        What is drawn.
    axis
        The axis of time.
    names
        The name of the run of each stay, at its place.
    unit
        What a row is.
    subtitle
        What is drawn, of what.
    theme
        The background that it will be seen on.
    plot
        Pixels of height of the plot.
    """
    labels = [*state_labels(cells.stays.keys).values()]
    colors = shades(cells.stays.keys, theme)
    said = f"{subtitle}; {len(cells.stays.row):,} stays as pixels, {_lines_text(cells, unit)}"
    fig = figure("Timeline", said, theme=theme, plot=plot, legend=labels)
    fig.add_layout_image(placed(cells, axis, png_address(cells.picture(), colors)))
    fig.add_trace(_hovers(cells, axis, names, labels))
    fig.add_traces([_legend_entry(label, color) for label, color in zip(labels, colors, strict=True)])
    fig.update_layout(xaxis=axis.layout(), hovermode="closest", hoverdistance=_NEAR)
    fig.update_layout(legend={"itemclick": False, "itemdoubleclick": False})
    ends = [cells.lines * rows_of_line(cells) - 0.5, -0.5]
    return fig.update_yaxes(_ticks(cells, names, unit, plot), range=ends, showgrid=False)


def rows_of_line(cells: Cells) -> int:
    """Give what the axis of rows counts for a line: a woven one is a place, not rows that follow each other."""
    return 1 if cells.is_woven else cells.per_line


def shades(keys: Iterable[tuple[str, str]], theme: Theme) -> list[str]:
    """Give each state a colour: where bars are hatched, or of one colour, pixels are lighter.

    Examples
    --------
    >>> shades([("RUNNING", "Running"), ("RUNNING", "Retrying"), ("FAILED", "Failed")], "light")
    ['#1860f2', '#80a8f8', '#de0529']
    """
    seen: Counter[str] = Counter()
    colors = []
    for key in keys:
        style = state_style(*key, theme=theme)
        seen[style.color] = max(seen[style.color], bool(style.pattern))
        part = _LIGHTER[min(seen[style.color], len(_LIGHTER) - 1)]
        colors.append(_mixed(style.color, palette(theme).card, part))
        seen[style.color] += 1
    return colors


def _mixed(color: str, other: str, part: float) -> str:
    both = zip(bytes.fromhex(color[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes(round(one + (two - one) * part) for one, two in both).hex()


def _lines_text(cells: Cells, unit: str) -> str:
    if cells.per_line == 1:
        return f"a line for each {safe(unit)}"
    if cells.is_woven:
        return f"each of {cells.lines} lines holds every {cells.lines}th {safe(unit)}"
    return f"each line holds up to {cells.per_line:,} {'runs' if unit == 'run' else 'values of ' + safe(unit)}"


def placed(cells: Cells, axis: TimeAxis, address: str) -> dict[str, Any]:
    """Place the picture: plotly takes lengths of time in milliseconds."""
    return {
        "source": address,
        "xref": "x",
        "yref": "y",
        "x": str(axis.wall(np.array([cells.view.start]))[0]),
        "y": -0.5,
        "sizex": (cells.view.end - cells.view.start) / _MILLI,
        "sizey": cells.lines * rows_of_line(cells),
        "sizing": "stretch",
        "yanchor": "top",
        "layer": "above",
    }


def _legend_entry(label: str, color: str) -> go.Scatter:
    return go.Scatter(x=[None], y=[None], mode="markers", marker={"symbol": "square", "color": color}, name=label)


def _ticks(cells: Cells, names: pd.Series, unit: str, plot: int) -> dict[str, Any]:
    """Name the rows while there is room, and number them when there is none."""
    stays, rows = cells.stays, cells.stays.rows
    if cells.is_woven:
        return {"showticklabels": False, "fixedrange": True}
    if len(rows) * _LEGIBLE > plot:
        return {"tickformat": ",d", "title": f"{'runs' if unit == 'run' else safe(unit)} by first start"}
    texts = labels = stays.names(rows)
    if unit == "run":
        texts = _names(names, stays.place[np.searchsorted(stays.row, rows)])
    return {"tickmode": "array", "tickvals": [*range(len(texts))], "ticktext": unique_labels(texts, labels)}


def _hovers(cells: Cells, axis: TimeAxis, names: pd.Series, labels: list[str]) -> go.Scatter:
    """Give points that are not seen, in the middle of blocks; they take plotly a tenth of a heatmap's time.

    What they are the middle of is in their `meta`, for each axis: the size of a block, and where the last ones are cut.
    """
    blocks = Blocks.of(cells, most=_MOST_TOLD)
    begin = cells.view.start + blocks.column * cells.step
    end = np.minimum(begin + blocks.columns * cells.step, cells.view.end)
    below = np.minimum(blocks.line + blocks.lines, cells.lines)
    lines = zip(_who(blocks, cells.stays, names), _spans(begin, end, axis), _what(blocks, labels), strict=True)
    return go.Scatter(
        mode="none",
        x=((begin + end) / 2 + axis.offset) / _MILLI,
        y=(blocks.line + below) / 2 * rows_of_line(cells) - 0.5,
        hovertext=["<br>".join(filter(None, parts)) for parts in lines],
        hovertemplate=HOVER,
        showlegend=False,
        meta={
            "x": [blocks.columns * cells.step / _MILLI, (cells.view.end + axis.offset) / _MILLI],
            "y": [blocks.lines * rows_of_line(cells), cells.lines * rows_of_line(cells) - 0.5],
        },
    )


def _who(blocks: Blocks, stays: Stays, names: pd.Series) -> Iterator[str]:
    place = np.zeros(int(stays.run.max()) + 1, dtype=np.int64)
    place[stays.run] = stays.place
    found = _names(names, place[np.where(blocks.runs == 1, blocks.one, 0)])
    for runs, name in zip(blocks.runs.tolist(), found, strict=True):
        yield f"<b>{message_lines(name) if runs == 1 else f'{runs:,} runs'}</b>"


def _spans(begin: Integers, end: Integers, axis: TimeAxis) -> Iterator[str]:
    both = [*zip(begin.tolist(), end.tolist(), strict=True)]
    texts = {span: span_text(*span, axis.zone) for span in dict.fromkeys(both)}
    return (texts[span] for span in both)


def _what(blocks: Blocks, labels: list[str]) -> Iterator[str]:
    total = np.maximum(blocks.time.sum(axis=1), 1).tolist()
    order = np.argsort(-blocks.time, axis=1, kind="stable").tolist()
    for runs, whole, states, times, ends in zip(
        blocks.runs.tolist(), total, order, blocks.time.tolist(), blocks.ends.tolist(), strict=True
    ):
        shares = [f"{labels[one]} {_length(times[one], whole if runs > 1 else 0)}" for one in states if times[one]]
        counts = [f"{count:,}x {label}" for count, label in zip(ends, labels, strict=True) if count]
        yield "<br>".join(filter(None, [", ".join(shares), ", ".join(counts)]))


def _length(micros: float, whole: float) -> str:
    if not whole:
        return duration_text(int(micros))
    return f"{micros / whole:.0%}" if micros * 200 >= whole else "under 1%"


def _names(names: pd.Series, places: Integers) -> list[str]:
    return [run_name(name) for name in names.iloc[places]]
