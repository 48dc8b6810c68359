"""Counts: how many runs are in which state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames
from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.picks import Members, PointPicks, run_ids
from prefect_nbviz.charts.style import (
    HOVER,
    empty_figure,
    figure,
    fill,
    in_order_of_life,
    palette,
    state_codes,
    state_labels,
)
from prefect_nbviz.charts.values import Values, largest, rows_of
from prefect_nbviz.charts.words import ONCE_A_TAG, coverage, joined, message_lines, safe, unique_labels
from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.states import Theme, state_style

MAX_VALUES_DRAWN = 30
"""As many values of a column get a bar, the largest ones."""

_ROW = 24
_FEW = 8
_NAMED = {"state_type": "state type", "state_name": "state"}


def plot_state_counts(runs: pd.DataFrame, *, by: str = "state_type", theme: Theme = "light") -> go.Figure:
    """Draw how many runs are in each state, of all or of each value of a column.

    Parameters
    ----------
    runs
        Flow runs or task runs with at least `state_type`, and `state_name` if they are to be
        told apart by it.
    by
        `"state_type"` or `"state_name"`: one bar for each state, in the order of a run's life.
        Any other column: one bar for each of its values, stacked by state, the largest first,
        no more than `MAX_VALUES_DRAWN`. A run counts once under each of its `tags`.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        Its subtitle says how many of how many runs are drawn. `customdata` of a bar holds its
        state type and state name, and after them its value when `by` is another column.

    Raises
    ------
    FrameError
        `runs` has no `state_type`.
    QueryError
        `runs` has no column `by`, or there is no such theme.

    See Also
    --------
    https://docs.prefect.io/v3/concepts/states

    Examples
    --------
    >>> runs = pd.DataFrame({"state_type": ["FAILED", "COMPLETED", "COMPLETED"]})
    >>> [int(count) for count in plot_state_counts(runs).data[0].y]
    [2, 1]
    """
    frames.require(runs, ["state_type"], made_by="read_flow_runs() or read_task_runs()")
    if by not in runs.columns:
        known = [str(column) for column in runs.columns]
        raise QueryError(f"by cannot be {by!r}.{did_you_mean(str(by), known)} The columns are: {', '.join(known)}.")
    if runs.empty:
        return empty_figure("States", coverage(0, runs, held=0), "No runs to count", theme=theme)
    return _by_state(runs, by, theme) if by in _NAMED else _by_value(runs, by, theme)


def state_count_picks(runs: pd.DataFrame, *, by: str = "state_type") -> PointPicks:
    """Give which runs each bar of `plot_state_counts` stands for.

    Parameters
    ----------
    runs, by
        Those of `plot_state_counts`, with the ids of the runs.

    Examples
    --------
    >>> runs = pd.DataFrame({"state_type": ["FAILED", "COMPLETED", "FAILED"], "task_run_id": ["a", "b", "c"]})
    >>> state_count_picks(runs).runs({"points": [[0, 1]]})
    ('a', 'c')
    """
    ids = run_ids(runs)
    if runs.empty:
        return PointPicks(ids, [])
    if by in _NAMED:
        return PointPicks(ids, [Members(state_codes(runs, by_name=by == "state_name")[0], np.arange(len(runs)))])
    codes, states = state_codes(runs, by_name="state_name" in runs.columns)
    values = largest(runs[by], codes, states=len(states), most=MAX_VALUES_DRAWN)
    rows = rows_of(runs[by], values.texts)
    point, run = np.repeat(np.arange(len(rows)), [len(one) for one in rows]), np.concatenate(rows)
    parts = [codes[run] == state for state in range(len(states))]
    return PointPicks(ids, [Members(point[part], run[part]) for part in parts if part.any()])


def _by_state(runs: pd.DataFrame, by: str, theme: Theme) -> go.Figure:
    codes, keys = state_codes(runs, by_name=by == "state_name")
    counts = dict(zip(keys, np.bincount(codes).tolist(), strict=True))
    labels = [*state_labels(keys).values()]
    numbers = [counts[key] for key in keys]
    fig = figure("Runs by " + _NAMED[by], coverage(len(runs), runs, held=len(runs)), theme=theme, plot=260)
    fig.add_bar(
        x=labels,
        y=numbers,
        marker=_fills(keys, theme),
        customdata=keys,
        text=[f"{number:,}" for number in numbers],
        textposition="outside",
        cliponaxis=False,
        hovertext=[f"{label}: {number:,}" for label, number in zip(labels, numbers, strict=True)],
        hovertemplate=HOVER,
    )
    fig.update_xaxes(type="category", categoryorder="array", categoryarray=labels, showgrid=False)
    return fig.update_yaxes(_scale(max(numbers)), rangemode="tozero")


def _scale(most: int) -> dict[str, Any]:
    """Give an axis of whole numbers; left alone, plotly marks halves of a few runs."""
    return {"title": "runs", "tickformat": ",d"} | ({"dtick": 1} if most <= _FEW else {})


def _fills(keys: list[tuple[str, str]], theme: Theme) -> dict[str, Any]:
    """Join the markers of single bars into the marker of a trace that holds them all."""
    single = [fill(state_style(*key, theme=theme), theme) for key in keys]
    colors = [one["color"] for one in single]
    pattern = {name: [one["pattern"][name] for one in single] for name in single[0]["pattern"]}
    pattern["fillmode"] = single[0]["pattern"]["fillmode"]
    return {"color": colors, "line": {"color": colors, "width": 1}, "pattern": pattern}


def _by_value(runs: pd.DataFrame, by: str, theme: Theme) -> go.Figure:
    codes, states = state_codes(runs, by_name="state_name" in runs.columns)
    values = largest(runs[by], codes, states=len(states), most=MAX_VALUES_DRAWN)
    counts = {key: numbers for key, numbers in zip(states, values.runs.T, strict=True) if numbers.any()}
    legend = state_labels(in_order_of_life(counts))
    title = f"Runs by {safe(by.replace('_', ' '))}"
    subtitle = _subtitle(runs, values, by)
    fig = figure(title, subtitle, theme=theme, plot=max(_ROW * len(values.texts), 60), legend=legend.values())
    labels = unique_labels(values.texts, [str(place) for place in range(len(values.texts))])
    for key, name in legend.items():
        fig.add_trace(_stack(counts[key], values.texts, labels, key, name, theme))
    fig.add_trace(_totals(values.totals, labels, theme))
    fig.update_layout(barmode="stack", bargap=0.25)
    most = int(values.totals[0])
    fig.update_xaxes(_scale(most), range=[0, most * 1.08])
    rows = {"type": "category", "categoryorder": "array", "categoryarray": labels, "showgrid": False}
    return fig.update_yaxes(rows, range=[len(labels) - 0.5, -0.5])


def _subtitle(runs: pd.DataFrame, values: Values, by: str) -> str:
    covered = coverage(values.drawn, runs, held=len(runs))
    return joined(covered, values.left_out, ONCE_A_TAG if by == "tags" else "")


def _stack(
    counts: Integers, texts: list[str], labels: list[str], key: tuple[str, str], name: str, theme: Theme
) -> go.Bar:
    return go.Bar(
        orientation="h",
        y=labels,
        x=counts,
        name=name,
        marker=fill(state_style(*key, theme=theme), theme) | {"line": {"width": 0}},
        customdata=[[*key, text] for text in texts],
        hovertext=[
            f"<b>{message_lines(text)}</b><br>{name}: {count:,}" for text, count in zip(texts, counts, strict=True)
        ],
        hovertemplate=HOVER,
    )


def _totals(totals: Integers, labels: list[str], theme: Theme) -> go.Scatter:
    return go.Scatter(
        x=totals,
        y=labels,
        mode="text",
        text=[f" {total:,}" for total in totals],
        textposition="middle right",
        textfont={"color": palette(theme).quiet},
        showlegend=False,
        hoverinfo="skip",
        cliponaxis=False,
    )
