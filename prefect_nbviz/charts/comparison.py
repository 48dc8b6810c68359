"""Comparison: the medians of each task before and after, joined by a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.groups import Groups
from prefect_nbviz.charts.scales import Scale
from prefect_nbviz.charts.style import HOVER, empty_figure, palette
from prefect_nbviz.charts.words import coverage, duration_text, joined, message_lines, safe
from prefect_nbviz.frames import micros
from prefect_nbviz.states import Theme

_TITLE = "Before and after"
_BEFORE, _AFTER, _SURE = "median before", "median after", "wide line: more than chance"
_ALPHA = 0.05
_COLORS: dict[Theme, dict[str, str]] = {
    "light": {"slower": "#c2410c", "faster": "#2166ac"},
    "dark": {"slower": "#f59a5c", "faster": "#6bb0e0"},
}
_DOT, _TICKS = 10, 4
_AFTER_DOT = "\u2002"  # a space that is kept, so that text does not begin in a dot
_WIDE, _THIN = 5, 2  # pixels of a line


def plot_comparison(table: pd.DataFrame, *, theme: Theme = "light") -> go.Figure:
    """Draw the median durations before and after, a line for each row of a table, with what is found behind it.

    Parameters
    ----------
    table
        What `compare_runs` gives; its first `MAX_GROUPS_DRAWN` rows are drawn, those that differ most surely first.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        A ring for the median before and a dot for that after, joined by a line: a wide one where the durations
        differ by more than chance, after the correction for many tests. Behind it stands by how much the median
        changed, what is found, and, where nothing was tested, in how many units a run failed. What is only before
        or only after is said so. The subtitle says of how many runs it is, how many tests were made, and what is not drawn.

    Raises
    ------
    FrameError
        `table` lacks a column.
    QueryError
        There is no such theme.

    See Also
    --------
    compare_runs : the numbers, and what they mean.

    Examples
    --------
    >>> from prefect_nbviz import frames, tables
    >>> empty = frames.empty(tables.COMPARISON)
    >>> plot_comparison(empty).layout.annotations[0].text
    'No runs to compare'
    """
    frames.require(table, schema.names(tables.COMPARISON), made_by="compare_runs()")
    groups = Groups.of(table.rename(columns={"runs_before": "runs"}))
    drawn, subtitle = table.head(len(groups.drawn)), _subtitle(groups, table)
    if drawn.empty:
        return empty_figure(_TITLE, subtitle, "No runs to compare", theme=theme)
    is_sure = (drawn["p_duration_holm"] <= _ALPHA).to_numpy()
    lengths = {side: np.maximum(micros(drawn[f"p50_{side}"]), -1) for side in ("before", "after")}  # -1: none
    scale = _scale(lengths)
    fig = groups.figure(_TITLE, subtitle, theme=theme, legend=[_BEFORE, _AFTER, *([_SURE] if is_sure.any() else [])])
    at = {side: scale.values(np.maximum(one, 0)) for side, one in lengths.items()}
    colors = [_COLORS[theme]["slower" if change > 0 else "faster"] for change in lengths["after"] - lengths["before"]]
    for sure in (False, True):
        rows = np.flatnonzero((is_sure == sure) & (lengths["before"] >= 0) & (lengths["after"] >= 0))
        fig.add_traces([*_lines(rows, at, groups.labels, colors, is_wide=sure)])
    fig.add_traces([*_dots(groups, drawn, lengths, at, colors, theme)])
    far = np.maximum(*(np.where(lengths[side] < 0, scale.values(np.zeros(1, np.int64)), at[side]) for side in at))
    groups.end(
        fig, far, _ends(drawn, is_tested=bool(table[["p_duration", "p_failure"]].notna().to_numpy().any())), theme=theme
    )
    ticks = {} if scale.is_log else {"nticks": _TICKS}
    return fig.update_xaxes(scale.layout() | ticks, title="median duration")


def _scale(lengths: dict[str, Integers]) -> Scale:
    both = np.concatenate([*lengths.values()])
    return Scale.of(both[both >= 0] if (both >= 0).any() else np.zeros(1, dtype=np.int64))


def _subtitle(groups: Groups, table: pd.DataFrame) -> str:
    about = table.attrs.get(frames.ATTRS, {})
    sides = []
    for side in ("before", "after"):
        said, runs = about.get(side, {}), about.get(side, {}).get("runs", int(table[f"runs_{side}"].sum()))
        held = pd.DataFrame()
        held.attrs[frames.ATTRS] = said
        sides.append(f"{side}: {coverage(runs, held, held=runs)}")
    found = int(table["finding"].iloc[len(groups.drawn) :].notna().sum())
    tests = int(about.get("tests", 0))
    tested = "no tests" if not tests else f"{tests:,} tests, corrected by Holm" if tests > 1 else "1 test"
    return joined(*sides, groups.left_out(f", {found:,} with a finding"), tested)


def _lines(
    rows: Integers, at: dict[str, Any], labels: list[str], colors: list[str], *, is_wide: bool
) -> Iterator[go.Scatter]:
    """Give the lines from before to after, those of one colour as one trace."""
    found = sorted({colors[row] for row in rows})
    first = next(iter(found), None)
    for color in found:
        own = [row for row in rows if colors[row] == color]
        yield go.Scatter(
            mode="lines",
            x=[value for row in own for value in (at["before"][row], at["after"][row], None)],
            y=[value for row in own for value in (labels[row], labels[row], None)],
            line={"color": color, "width": _WIDE if is_wide else _THIN},
            name=_SURE,
            showlegend=is_wide and color == first,
            hoverinfo="skip",
        )


def _dots(
    groups: Groups,
    drawn: pd.DataFrame,
    lengths: dict[str, Integers],
    at: dict[str, Any],
    colors: list[str],
    theme: Theme,
) -> Iterator[go.Scatter]:
    hovers = [*_hovers(groups, drawn)]
    for name, side, symbol in ((_BEFORE, "before", "circle-open"), (_AFTER, "after", "circle")):
        rows = np.flatnonzero(lengths[side] >= 0)
        line = {"width": 2} if side == "before" else {"width": 1, "color": palette(theme).card}
        look = {"symbol": symbol, "size": _DOT, "line": line}
        yield go.Scatter(
            mode="markers",
            x=at[side][rows],
            y=[groups.labels[row] for row in rows],
            marker=look | {"color": palette(theme).text if side == "before" else [colors[row] for row in rows]},
            name=name,
            hovertext=[hovers[row] for row in rows],
            hovertemplate=HOVER,
            cliponaxis=False,
        )


def _ends(drawn: pd.DataFrame, *, is_tested: bool) -> Iterator[str]:
    for row in drawn.to_dict("records"):
        found = row["finding"] if isinstance(row["finding"], str) else ""
        if found in {"new", "gone"}:
            yield _AFTER_DOT + found
            continue
        untested = [] if is_tested else _failures(row)
        yield _AFTER_DOT + " · ".join(part for part in (_change(row), found, *untested) if part)


def _change(row: dict[Any, Any]) -> str:
    if pd.isna(row["change"]):
        return ""
    if pd.notna(row["ratio"]):
        return f"{row['ratio'] - 1:+.0%}" if row["ratio"] < 10 else f"{row['ratio']:,.0f} times"  # noqa: PLR2004
    return f"+{duration_text(row['change'])}"


def _failures(row: dict[Any, Any]) -> list[str]:
    if not row["failed_before"] and not row["failed_after"]:
        return []
    before, after = (f"{row[f'failed_{side}']:,}/{row[f'ended_{side}']:,}" for side in ("before", "after"))
    return [f"failed {before} → {after}"]


def _hovers(groups: Groups, drawn: pd.DataFrame) -> Iterator[str]:
    for name, row in zip(groups.names, drawn.to_dict("records"), strict=True):
        lines = [f"<b>{message_lines(name)}</b>"]
        for side in ("before", "after"):
            p50 = row[f"p50_{side}"]
            took = "no duration" if pd.isna(p50) else duration_text(p50)
            left = f", {row[f'left_out_{side}']:,} left out" if row[f"left_out_{side}"] else ""
            lines.append(f"{side}: {took}, of {row[f'timed_{side}']:,} from {row[f'runs_{side}']:,} runs{left}")
        lines += [*_told(row), *_failures(row)]
        if row["code_changed"] is True:
            lines.append("the code of the task differs")
        yield "<br>".join(lines)


def _told(row: dict[Any, Any]) -> Iterator[str]:
    if pd.notna(row["change_low"]):
        low, high = (_signed(row[f"change_{end}"]) for end in ("low", "high"))
        yield f"change with 95%: {low} to {high}"
    for what, name in (("duration", "durations"), ("failure", "failures")):
        if pd.notna(row[f"p_{what}"]):
            yield f"{name}: p {row[f'p_{what}']:.2g}, corrected {row[f'p_{what}_holm']:.2g}"
    if row["runs_before"] and row["runs_after"] and pd.isna(row["p_duration"]):
        yield "no test of durations: too few"
    if isinstance(row["finding"], str):
        yield safe(row["finding"])


def _signed(length: pd.Timedelta) -> str:
    return ("" if length < pd.Timedelta(0) else "+") + duration_text(length)
