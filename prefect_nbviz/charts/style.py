"""How all charts look: palettes, layout, and the order, labels and fills of states."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.words import NONE, cut, safe
from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.states import STATE_NAMES, STATE_TYPES, StateStyle, Theme

HOVER = "%{hovertext}<extra></extra>"
"""The template of what hovers where its text is made here; plotly fills in nothing that a stranger wrote."""

MAX_STATE_NAMES = 24
"""As many state names are told apart; users can make up any number of them."""

_TITLE, _SUBTITLE, _HEADER, _BOTTOM, _LEGEND_ROW = 28, 54, 64, 56, 20  # pixels: what ends where
_EMPTY = 160  # pixels of a plot with nothing in it
_WIDTH, _ENTRY, _LETTER = 680, 46, 7  # a notebook's, in pixels: no more is known before the browser draws
_LEGEND_EDGE = 10  # pixels that plotly puts around a legend
_TILTS = [0, 30]  # degrees that labels of the x axis may be turned by
_AXIS = {"title": {"font": {"size": 12}}}
_TEMPLATE = {"layout": {"xaxis": _AXIS, "yaxis": _AXIS}}  # for all axes, also those that are added to a figure


@dataclass(frozen=True)
class Palette:
    """The colours of everything in a chart that is not a state."""

    text: str
    """Titles, labels, legend."""

    quiet: str
    """Subtitles, ticks, notes."""

    grid: str
    """Grid lines and frames."""

    card: str
    """Behind the text that hovers."""


_PALETTES: dict[Theme, Palette] = {
    "light": Palette(text="#1f2328", quiet="#57606a", grid="#d8dee4", card="#ffffff"),
    "dark": Palette(text="#e6edf3", quiet="#a4adb7", grid="#343b44", card="#1c2128"),
}


def palette(theme: Theme) -> Palette:
    """Give the colours for a background.

    Raises
    ------
    QueryError
        There is no such theme.

    Examples
    --------
    >>> palette("dark").card
    '#1c2128'
    """
    if theme not in _PALETTES:
        raise QueryError(f"theme cannot be {theme!r}.{did_you_mean(str(theme), _PALETTES)} It is 'light' or 'dark'.")
    return _PALETTES[theme]


def state_codes(frame: pd.DataFrame, *, by_name: bool = True) -> tuple[Integers, list[tuple[str, str]]]:
    """Give the number of each row's state, and the states by number, in order of life; rare names of many in one.

    Examples
    --------
    >>> codes, states = state_codes(pd.DataFrame({"state_type": ["FAILED", "FAILED"], "state_name": ["a", "b"]}))
    >>> codes.tolist(), states
    ([0, 1], [('FAILED', 'a'), ('FAILED', 'b')])
    """
    kind, kinds = _texts(frame["state_type"])
    name, names = _texts(frame["state_name"]) if by_name else (np.zeros_like(kind), [""])
    cell, cells = pd.factorize(kind * len(names) + name)
    keys = [(kinds[place // len(names)], names[place % len(names)]) for place in cells]
    sizes: Counter[tuple[str, str]] = Counter()
    for key, size in zip(keys, np.bincount(cell, minlength=len(keys)), strict=True):
        sizes[key] += int(size)
    kept = {key for key, _ in sizes.most_common(MAX_STATE_NAMES if by_name else None)}
    shown = [key if key in kept else (key[0], "other names") for key in keys]
    states = {key: place for place, key in enumerate(in_order_of_life({*shown}))}
    return np.array([states[key] for key in shown], dtype=np.int64)[cell], [*states]


def _texts(column: pd.Series) -> tuple[Integers, list[str]]:
    """Give the number of each row's text, and the texts by number; what is missing is empty."""
    codes, distinct = pd.factorize(column)
    return np.where(codes < 0, len(distinct), codes).astype(np.int64), [*distinct, ""]


def state_keys(frame: pd.DataFrame) -> pd.Series:
    """Give the state of each row as a pair of type and name; rare names of many are put together.

    Examples
    --------
    >>> state_keys(pd.DataFrame({"state_type": ["COMPLETED"], "state_name": ["Cached"]})).tolist()
    [('COMPLETED', 'Cached')]
    """
    codes, states = state_codes(frame)
    keys = np.empty(len(states), dtype=object)
    keys[:] = states
    return pd.Series(keys[codes], index=frame.index, dtype="object")


def in_order_of_life(keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sort states from scheduled to ended, as a run lives; strangers' names come after Prefect's.

    Examples
    --------
    >>> in_order_of_life([("COMPLETED", "Completed"), ("SCHEDULED", "Late"), ("SCHEDULED", "Scheduled")])
    [('SCHEDULED', 'Scheduled'), ('SCHEDULED', 'Late'), ('COMPLETED', 'Completed')]
    """
    types, known = [*STATE_TYPES], [*STATE_NAMES]

    def place(key: tuple[str, str]) -> tuple[int, int, str]:
        kind, name = key
        kind_place = types.index(kind) if kind in types else len(types)
        return kind_place, known.index(name) if name in known else len(known), name

    return sorted(keys, key=place)


def state_labels(keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Give each state the text of its legend entry or bar: its name, with its type where that is not plain.

    Examples
    --------
    >>> state_labels([("FAILED", "Failed"), ("COMPLETED", "done"), ("FAILED", "done")])
    {('FAILED', 'Failed'): 'Failed', ('COMPLETED', 'done'): 'done (COMPLETED)', ('FAILED', 'done'): 'done (FAILED)'}
    """
    return {key: safe(_state_label(*key)) for key in keys}


def _state_label(kind: str, name: str) -> str:
    if not name:
        return cut(kind or NONE)
    return cut(name) if STATE_NAMES.get(name) == kind else f"{cut(name)} ({kind or NONE})"


def fill(style: StateStyle, theme: Theme) -> dict[str, Any]:
    """Give the marker of a bar; its outline keeps it visible when it has no width.

    Examples
    --------
    >>> fill(StateStyle("#1860f2", "/"), "light")["pattern"]["fgcolor"]
    '#1860f2'
    """
    pattern = {
        "shape": style.pattern,
        "fillmode": "replace",
        "fgcolor": style.color,
        "bgcolor": palette(theme).card,
        "size": 6,
        "solidity": 0.45,
    }
    return {"color": style.color, "line": {"color": style.color, "width": 1.5}, "pattern": pattern}


def figure(
    title: str,
    subtitle: str,
    *,
    theme: Theme,
    plot: float,
    legend: Iterable[str] = (),
    xaxis: Mapping[str, Any] | None = None,
    yaxis: Mapping[str, Any] | None = None,
) -> go.Figure:
    """Make a figure without traces: transparent, with readable text on its theme's background.

    Parameters
    ----------
    title, subtitle
        Text that is already safe.
    theme
        The background to be read on.
    plot
        Pixels of height of the plot itself.
    legend
        The texts of the legend, which stands between the title and the plot.
    xaxis, yaxis
        Settings of the axes: to update them afterwards takes plotly longer than all else here.

    Examples
    --------
    >>> figure("States", "47 runs", theme="light", plot=300).layout.title.subtitle.text
    '47 runs'
    """
    colors = palette(theme)
    entries = [*legend]
    top = _HEADER + _legend_height(entries)
    height = round(top + plot + _BOTTOM)
    axis = {"automargin": True, "gridcolor": colors.grid, "linecolor": colors.grid, "zeroline": False}
    heading = {
        "text": title,
        "subtitle": {"text": subtitle, "font": {"size": 12, "color": colors.quiet}},
        "font": {"size": 16, "color": colors.text},
        "x": 0,
        "xref": "container",
        "y": 1 - _TITLE / height,
        "yref": "container",
        "yanchor": "bottom",
        "pad": {"l": 12},
    }
    return go.Figure(
        layout={
            "template": _TEMPLATE,
            "title": heading,
            "height": height,
            "margin": {"l": 12, "r": 24, "t": top, "b": _BOTTOM},
            "legend": {
                "orientation": "h",
                "x": 0,
                "y": 1 - _SUBTITLE / height,
                "yref": "container",
                "yanchor": "top",
                "traceorder": "normal",
                "itemsizing": "constant",
                # In a narrow cell it would wrap into the plot until that has no height left, which plotly fails on.
                "maxheight": _legend_height(entries) + _LEGEND_EDGE,
            },
            "showlegend": bool(entries),
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": colors.text, "size": 12},
            "hoverlabel": {
                "bgcolor": colors.card,
                "bordercolor": colors.grid,
                "font": {"color": colors.text},
                "align": "left",
                "namelength": -1,
            },
            # Upright labels, plotly's last resort, would take the height of a small plot too.
            "xaxis": {**axis, "tickfont": {"color": colors.quiet}, "autotickangles": _TILTS, **(xaxis or {})},
            "yaxis": {**axis, "tickfont": {"color": colors.text}, **(yaxis or {})},
        }
    )


def _legend_height(texts: list[str]) -> int:
    """Give the pixels that plotly's legend takes, which makes all its columns as wide as the widest."""
    widest = max((len(html.unescape(text)) for text in texts), default=0)
    columns = max(_WIDTH // (_ENTRY + _LETTER * widest), 1)
    return _LEGEND_ROW * math.ceil(len(texts) / columns)


def empty_figure(title: str, subtitle: str, said: str, *, theme: Theme) -> go.Figure:
    """Make a figure of nothing, which says so.

    Examples
    --------
    >>> empty_figure("States", "0 runs", "No runs to count", theme="dark").layout.annotations[0].text
    'No runs to count'
    """
    return note(figure(title, subtitle, theme=theme, plot=_EMPTY), said, theme=theme)


def note(fig: go.Figure, text: str, *, theme: Theme) -> go.Figure:
    """Put a quiet sentence where there is nothing to draw, and hide the axes.

    Examples
    --------
    >>> note(figure("States", "", theme="dark", plot=200), "No runs to count", theme="dark").layout.xaxis.visible
    False
    """
    quiet = {"size": 14, "color": palette(theme).quiet}
    place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    fig.add_annotation(text=text, font=quiet, **place)
    return fig.update_layout(xaxis_visible=False, yaxis_visible=False)
