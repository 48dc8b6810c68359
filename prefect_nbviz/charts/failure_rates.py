"""Failure rates: a dot for the share of each group that failed, with how sure that is."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.charts.groups import Groups
from prefect_nbviz.charts.style import HOVER, empty_figure, palette
from prefect_nbviz.charts.words import joined, message_lines
from prefect_nbviz.states import Theme, state_style

_TITLE = "Failure rates"
_LEAST = 0.1  # of the axis, so that a small rate looks small
_ROOM = 1.02  # beyond the longest whisker, for its end


def plot_failure_rates(table: pd.DataFrame, *, theme: Theme = "light") -> go.Figure:
    """Draw the share of runs that failed: a dot for each row of a table, with its confidence interval.

    Parameters
    ----------
    table
        What `failure_rates` gives; its first `MAX_GROUPS_DRAWN` rows, those that surely fail most, are drawn.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        Behind each dot stands how many failed, of how many. The subtitle says of how many runs it is, how many do not
        count, and how many rows are not drawn, with how many failures.

    Raises
    ------
    FrameError
        `table` lacks a column.
    QueryError
        There is no such theme.

    See Also
    --------
    failure_rates : the numbers.

    Examples
    --------
    >>> from prefect_nbviz import failure_rates
    >>> runs = pd.DataFrame({"flow_name": "etl", "state_type": ["FAILED", "COMPLETED", "COMPLETED", "CANCELLED"]})
    >>> plot_failure_rates(failure_rates(runs)).data[1].text[0]
    '  1 of 3'
    """
    frames.require(table, schema.names(tables.FAILURE_RATES), made_by="failure_rates()")
    groups = Groups.of(table)
    subtitle = _subtitle(groups)
    if not table["ended"].any():
        return empty_figure(_TITLE, subtitle, "No runs that completed, failed or crashed", theme=theme)
    fig = groups.figure(_TITLE, subtitle, theme=theme, legend=[])
    fig.add_trace(_dots(groups, theme))
    groups.end(fig, groups.drawn["high"].fillna(0.0), _ends(groups.drawn), theme=theme)
    high = min(max(groups.drawn["high"].max(), _LEAST) * _ROOM, 1.0)
    return fig.update_xaxes(
        title="share that failed, 95 % interval",
        tickformat=".0%",
        range=[-high * (_ROOM - 1), high],
        rangemode="normal",
    )


def _dots(groups: Groups, theme: Theme) -> go.Scatter:
    drawn = groups.drawn
    whiskers = {
        "type": "data",
        "symmetric": False,
        "array": drawn["high"] - drawn["failed_share"],
        "arrayminus": drawn["failed_share"] - drawn["low"],
        "color": palette(theme).quiet,
        "thickness": 1.5,
        "width": 4,
    }
    return go.Scatter(
        x=drawn["failed_share"],
        y=groups.labels,
        mode="markers",
        marker={"color": state_style("FAILED", theme=theme).color, "size": 9},
        error_x=whiskers,
        hovertext=[*_hovers(groups)],
        hovertemplate=HOVER,
        cliponaxis=False,
        showlegend=False,
    )


def _subtitle(groups: Groups) -> str:
    table = groups.table
    left, whole = (int(some[["failed", "crashed"]].to_numpy().sum()) for some in (table[len(groups.drawn) :], table))
    without = int(table[["cancelled", "not_ended"]].to_numpy().sum())
    by_state = any(word.startswith("state_") for word in table.attrs.get(frames.ATTRS, {}).get("query", {}))
    return joined(
        groups.coverage("ended", held=int(table["runs"].sum())),
        groups.left_out(f", with {left:,} of {whole:,} failures"),
        groups.once_a_tag or (f"{without:,} cancelled or not ended" if without else ""),
        "read by state, so the shares are of those states alone" if by_state else "",
    )


def _ends(drawn: pd.DataFrame) -> Iterator[str]:
    for ended, failed, crashed in zip(drawn["ended"], drawn["failed"], drawn["crashed"], strict=True):
        yield f" {failed + crashed:,} of {ended:,}" if ended else " none ended"


def _hovers(groups: Groups) -> Iterator[str]:
    for name, row in zip(groups.names, groups.drawn.to_dict("records"), strict=True):
        lines = [f"<b>{message_lines(name)}</b>"]
        if row["ended"]:
            lines += [f"{row['failed'] + row['crashed']:,} of {row['ended']:,} failed, {row['failed_share']:.1%}"]
            lines += [f"95 % confidence: {row['low']:.1%} to {row['high']:.1%}"]
        counts = {"failed": row["failed"], "crashed": row["crashed"], "cancelled": row["cancelled"]}
        counts["not ended"] = row["not_ended"]
        lines += [" · ".join(f"{count:,} {word}" for word, count in counts.items() if count)]
        yield "<br>".join(line for line in lines if line)
