"""Cells of a grid: what of it is drawn, and in which colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.charts.style import fill, palette, state_codes, state_labels
from prefect_nbviz.charts.words import NONE, coverage, joined, left_out
from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.states import StateStyle, Theme, state_style

MAX_TASKS_DRAWN = 100
"""As many tasks of a flow are drawn, the first in their usual order."""

MAX_CELLS_DRAWN = 5_000
"""As many places for cells there are: with more tasks, fewer runs are drawn."""

_MAX_RUNS_DRAWN = 200
COLORS = ("state_type", "duration")
"""What the colour of a cell may say."""

FAILED, AGAIN = "✕", "↻"
"""What marks a cell with a run that failed, and one that passed at another attempt than the first."""

_GLYPHS = {"FAILED": FAILED, "CRASHED": "✱", "CANCELLED": "∅", "CANCELLING": "∅", "PAUSED": "‖", "RUNNING": "▸"}
_NAME_GLYPHS = {"TimedOut": "T"}
_EDGES = (0.5, 0.8, 1.25, 2.0)
_CLASSES = (
    "▼ under half its median",
    "half to 0.8 of it",
    "about its median",
    "1.25 to 2 times it",
    "▲ over twice its median",
    "no duration to compare",
)
_CLASS_GLYPHS = ("▼", "", "", "", "▲", "")
_CLASS_COLORS: dict[Theme, tuple[str, ...]] = {
    "light": ("#2166ac", "#92c5de", "#c9ced4", "#f4a460", "#c2410c", "#c9ced4"),
    "dark": ("#6bb0e0", "#2f5f85", "#464e58", "#a0622a", "#f59a5c", "#464e58"),
}


@dataclass(frozen=True)
class GridCells:
    """The part of a grid that is drawn."""

    flow: str
    """The name of the flow, as a stranger wrote it."""

    columns: pd.DataFrame
    """A row for each flow run, from the left, with the columns of `tables.RUN_GRID` that tell of it."""

    tasks: list[str]
    """The names of the tasks, from the top."""

    cells: pd.DataFrame
    """A row for each cell: the columns of the grid, `x` and `y`, its column and its line, and `usual`.

    `usual` is the median of the durations of its task, of the cells that completed, not from a cache.
    """

    flows: int
    """How many flows the grid has."""

    older: int
    """How many flow runs of the flow are not drawn."""

    more_tasks: int
    """How many tasks of the flow are not drawn."""

    @classmethod
    def of(cls, grid: pd.DataFrame, *, flow: str | None) -> Self:
        """Take the last runs of a flow; None: the flow of most."""
        frames.require(grid, schema.names(tables.RUN_GRID), made_by="run_grid()")
        flows = flow_names(grid)
        if flow is not None and flow not in flows:
            raise QueryError(f"flow cannot be {flow!r}.{did_you_mean(str(flow), flows)} It is a flow of the grid.")
        chosen = flow if flow is not None else flows[0] if flows else NONE
        block = grid[_flows(grid) == chosen]
        places = block.loc[block["runs"] > 0, "task_place"]
        tasks = min(int(places.max()) if len(places) else 0, MAX_TASKS_DRAWN)
        most = min(MAX_CELLS_DRAWN // max(tasks, 1), _MAX_RUNS_DRAWN)
        columns = block.drop_duplicates("flow_run_id")
        drawn = columns.tail(most).reset_index(drop=True)
        older = int(grid.attrs.get(frames.ATTRS, {}).get("older", {}).get(chosen, 0)) + len(columns) - len(drawn)
        cells = _cells(block, drawn, tasks)
        named = dict(zip(cells["y"], cells["task"].astype(object), strict=True))
        texts = [NONE if pd.isna(named.get(y)) else str(named[y]) for y in range(tasks)]
        more = (int(places.max()) if len(places) else 0) - tasks
        return cls(chosen, drawn, texts, cells, len(flows), older, more)

    def layers(self, color: str, theme: Theme) -> list[Layer]:
        """Give the cells by what their colour says, in the order of the legend."""
        if color not in COLORS:
            known = " or ".join(map(repr, COLORS))
            raise QueryError(f"color cannot be {color!r}.{did_you_mean(str(color), COLORS)} It is {known}.")
        return _by_state(self.cells, theme) if color == "state_type" else _by_duration(self.cells, theme)

    def subtitle(self, grid: pd.DataFrame) -> str:
        """Say what is drawn, of what."""
        about = grid.attrs.get(frames.ATTRS, {})
        drawn = int(self.cells["runs"].sum())
        return joined(
            coverage(drawn, grid, held=max(int(about.get("held", drawn)), drawn)),
            "cells may be missing" if about.get("truncated") else "",
            left_out(self.flows - 1, "flow"),
            left_out(self.more_tasks, "task"),
            "" if self.columns["is_flow_run_known"].all() else "bars on top span the task runs",
            f"{AGAIN} passed at a later attempt" if self.is_again().any() else "",
        )

    def is_again(self) -> Flags:
        """Tell which cells passed at another attempt than the first."""
        return ((self.cells["state_type"] == "COMPLETED") & (self.cells["attempts"] > 1)).to_numpy(bool)


@dataclass(frozen=True)
class Layer:
    """The cells that have one entry of the legend."""

    rows: Integers
    """Which cells."""

    name: str
    """The entry."""

    glyph: str
    """What marks them, where nothing else does."""

    marker: dict[str, Any]
    """How plotly draws them."""

    ink: str
    """The colour of the glyph."""


def flow_names(grid: pd.DataFrame) -> list[str]:
    """Give the flows of a grid, that of most flow runs first.

    Examples
    --------
    >>> flow_names(frames.empty(tables.RUN_GRID))
    []
    """
    return [*dict.fromkeys(_flows(grid))]


def _flows(grid: pd.DataFrame) -> pd.Series[Any]:
    flows: pd.Series[Any] = grid["flow_name"].astype(object).fillna(NONE)
    return flows


def _cells(block: pd.DataFrame, drawn: pd.DataFrame, tasks: int) -> pd.DataFrame:
    is_plain = (block["state_type"] == "COMPLETED") & (block["state_name"].astype(object) != "Cached")
    usual = block["duration"].where(is_plain).groupby(block["task_place"]).median()
    place = {run: number for number, run in enumerate(drawn["flow_run_id"])}
    is_drawn = block["flow_run_id"].isin(drawn["flow_run_id"]) & block["task_place"].between(1, tasks)
    cells = block[is_drawn].reset_index(drop=True)
    return cells.assign(
        x=cells["flow_run_id"].map(place).astype("int64"),
        y=cells["task_place"] - 1,
        usual=usual.reindex(cells["task_place"]).to_numpy("timedelta64[us]"),
    )


def _by_state(cells: pd.DataFrame, theme: Theme) -> list[Layer]:
    code, keys = state_codes(cells)
    labels = state_labels(keys)
    found = []
    for number, key in enumerate(keys):
        glyph = _NAME_GLYPHS.get(key[1]) or _GLYPHS.get(key[0], "")
        style = state_style(*key, theme=theme)
        # A pattern would hide the glyph.
        marker = fill(StateStyle(style.color, "" if glyph else style.pattern), theme) | {"line": {"width": 0}}
        name = f"{glyph} {labels[key]}".strip()
        found.append(Layer(np.flatnonzero(code == number), name, glyph, marker, palette(theme).card))
    return found


def _by_duration(cells: pd.DataFrame, theme: Theme) -> list[Layer]:
    took, usual = (cells[name].to_numpy("timedelta64[us]") for name in ("duration", "usual"))
    has_both = ~np.isnat(took) & (usual > np.timedelta64(0))
    ratio = np.divide(took, usual, where=has_both, out=np.full(len(cells), np.nan))
    number = np.where(np.isnan(ratio), len(_EDGES) + 1, np.searchsorted(_EDGES, ratio))
    found = []
    for place, (name, color) in enumerate(zip(_CLASSES, _CLASS_COLORS[theme], strict=True)):
        rows = np.flatnonzero(number == place)
        style = StateStyle(color, "/" if place > len(_EDGES) else "")
        if len(rows):
            glyph, colors = _CLASS_GLYPHS[place], palette(theme)
            marker = fill(style, theme) | {"line": {"width": 0}}
            found.append(Layer(rows, name, glyph, marker, colors.card if glyph else colors.text))
    return found


def glyphs(cells: pd.DataFrame, layer: Layer, is_again: Flags, color: str) -> list[str]:
    """Give what marks each cell of a layer."""
    kinds, names = (cells[name].astype(object) for name in ("state_type", "state_name"))
    of_state = [_NAME_GLYPHS.get(name) or _GLYPHS.get(kind, "") for kind, name in zip(kinds, names, strict=True)]
    marks = [layer.glyph if color == "state_type" else of_state[row] or layer.glyph for row in layer.rows]
    return [mark or (AGAIN if is_again[row] else "") for mark, row in zip(marks, layer.rows, strict=True)]


def bar_glyph(state_type: Any) -> str:
    """Give what marks the bar of a flow run."""
    return "" if pd.isna(state_type) else _GLYPHS.get(str(state_type), "")


def bar_color(state_type: Any, theme: Theme) -> str:
    """Give the colour of the bar of a flow run, whose state may not be known."""
    return palette(theme).quiet if pd.isna(state_type) else state_style(str(state_type), theme=theme).color
