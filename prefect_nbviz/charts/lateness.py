"""Lateness: a bar for the runs of each group, late ones set apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.charts.groups import Groups
from prefect_nbviz.charts.style import HOVER, empty_figure, fill, palette
from prefect_nbviz.charts.words import duration_text, joined, message_lines
from prefect_nbviz.states import Theme, state_style

_TITLE = "Lateness"
_LATE, _ON_TIME = "late", "on time"
_FEW = 8


def plot_lateness(table: pd.DataFrame, *, theme: Theme = "light") -> go.Figure:
    """Draw how many runs started late: a bar for each row of a table, with the share and the p95 behind it.

    Parameters
    ----------
    table
        What `lateness_table` gives; its first `MAX_GROUPS_DRAWN` rows, those of most late runs, are drawn.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        Its subtitle says from when on a run is late, of how many runs it is, and how many rows are not drawn, with
        how many late runs.

    Raises
    ------
    FrameError
        `table` lacks a column.
    QueryError
        There is no such theme.

    See Also
    --------
    lateness_table : the numbers.

    Examples
    --------
    >>> from prefect_nbviz import lateness_table
    >>> runs = pd.DataFrame({
    ...     "flow_name": "etl", "start_time": pd.to_datetime(["2026-01-01T06:00:01Z", None]),
    ...     "lateness": pd.to_timedelta([1, 90], unit="s"),
    ... })
    >>> plot_lateness(lateness_table(runs, threshold="1min", by="flow_name")).data[2].text[0]
    ' 50% · p95 1 min 26 s'
    """
    frames.require(table, schema.names(tables.LATENESS), made_by="lateness_table()")
    groups = Groups.of(table)
    subtitle = _subtitle(groups)
    if not table["runs"].any():
        return empty_figure(_TITLE, subtitle, "No runs that have started or are due", theme=theme)
    fig = groups.figure(_TITLE, subtitle, theme=theme, legend=[_LATE, _ON_TIME])
    runs, late = (groups.drawn[word].to_numpy(dtype=np.int64) for word in ("runs", "late"))
    hovers = [*_hovers(groups)]
    fig.add_trace(_stack(late, _LATE, groups, hovers, _late_look(theme)))
    fig.add_trace(_stack(runs - late, _ON_TIME, groups, hovers, {"color": palette(theme).grid}))
    groups.end(fig, runs, _ends(groups.drawn), theme=theme)
    ticks = {"dtick": 1} if runs.max() <= _FEW else {}  # left alone, plotly marks halves of a few runs
    return fig.update_xaxes(title="runs", tickformat=",d", range=[0, max(int(runs.max()), 1)], **ticks)


def _subtitle(groups: Groups) -> str:
    counted, late, without = (int(groups.table[word].sum()) for word in ("runs", "late", "without_lateness"))
    threshold = groups.table.attrs.get(frames.ATTRS, {}).get("threshold")
    return joined(
        groups.coverage("runs", held=counted + without),
        "" if threshold is None else f"late: more than {duration_text(timedelta(seconds=threshold))}",
        groups.left_out(f", with {late - int(groups.drawn['late'].sum()):,} of {late:,} late runs"),
        groups.once_a_tag or (f"{without:,} not due yet or never started" if without else ""),
    )


def _late_look(theme: Theme) -> dict[str, Any]:
    return fill(state_style("SCHEDULED", "Late", theme=theme), theme) | {"line": {"width": 0}}


def _stack(count: Any, name: str, groups: Groups, hovers: list[str], marker: dict[str, Any]) -> go.Bar:
    return go.Bar(
        orientation="h",
        y=groups.labels,
        x=count,
        name=name,
        marker=marker,
        hovertext=hovers,
        hovertemplate=HOVER,
    )


def _ends(drawn: pd.DataFrame) -> Iterator[str]:
    for runs, share, p95 in zip(drawn["runs"], drawn["late_share"], drawn["p95"], strict=True):
        yield f"{share:.0%} · p95 {duration_text(p95)}" if runs else "none started or due"


def _hovers(groups: Groups) -> Iterator[str]:
    for name, row in zip(groups.names, groups.drawn.to_dict("records"), strict=True):
        lines = [f"<b>{message_lines(name)}</b>", f"{row['late']:,} of {row['runs']:,} runs late"]
        if row["runs"]:
            lines[-1] += f", {row['late_share']:.1%}"
            lines += [" · ".join(f"{word} {duration_text(row[word])}" for word in ("p50", "p95", "max"))]
        lines += [f"{row['waiting']:,} of them still wait"] if row["waiting"] else []
        yield "<br>".join(lines)
