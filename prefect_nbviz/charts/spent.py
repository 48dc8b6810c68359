"""Time spent: a bar for each run, or for the runs of a group, of what they did all the time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.arrays import Integers
from prefect_nbviz.charts.groups import MAX_GROUPS_DRAWN, Groups
from prefect_nbviz.charts.picks import Members, PointPicks
from prefect_nbviz.charts.scales import Scale
from prefect_nbviz.charts.style import HOVER, empty_figure, fill
from prefect_nbviz.charts.words import duration_text, joined, message_lines
from prefect_nbviz.frames import micros
from prefect_nbviz.states import Theme, state_style

_TITLE = "Where the time went"
_PARTS = {
    "late": ("Late", "SCHEDULED", "Late"),
    "awaiting_slot": ("AwaitingConcurrencySlot", "SCHEDULED", "AwaitingConcurrencySlot"),
    "awaiting_retry": ("AwaitingRetry", "SCHEDULED", "AwaitingRetry"),
    "pending": ("Pending", "PENDING", "Pending"),
    "running": ("Running", "RUNNING", "Running"),
    "paused": ("Paused", "PAUSED", "Paused"),
    "cancelling": ("Cancelling", "CANCELLING", "Cancelling"),
    "other": ("other", "", ""),
}
"""What the legend calls each part, and the state whose look it has."""

_NOT_DRAWN = {"scheduled": "Scheduled", "not_ready": "NotReady"}


def plot_time_spent(table: pd.DataFrame, *, theme: Theme = "light") -> go.Figure:
    """Draw where the time of runs went: a bar for each row of a table, in the colours of the states.

    The time in Scheduled is not drawn: of runs that a schedule makes it is days, and nothing waits for them. Nor is
    that in NotReady: such a run never runs.

    Parameters
    ----------
    table
        What `time_spent` gives; its first `MAX_GROUPS_DRAWN` rows, the largest, are drawn.
    theme
        The background that it will be seen on, `"light"` or `"dark"`.

    Returns
    -------
    plotly.graph_objects.Figure
        Its subtitle says of how many runs it is, and how many rows are not drawn, with how much time. `meta` of a
        trace is the column that it draws.

    Raises
    ------
    FrameError
        `table` lacks a column.
    QueryError
        There is no such theme.

    See Also
    --------
    time_spent : the numbers.

    Examples
    --------
    >>> from prefect_nbviz import time_spent
    >>> times = pd.to_datetime(["2026-01-01T06:00:00Z", "2026-01-01T06:01:30Z"])
    >>> spans = pd.DataFrame({
    ...     "run_kind": "task_run", "run_id": "a", "run_name": "load", "is_open": False,
    ...     "state_type": "RUNNING", "state_name": "Running", "start_time": times[:1], "end_time": times[1:],
    ... })
    >>> plot_time_spent(time_spent(spans)).data[0].hovertext[0]
    '<b>load</b><br>Running: 1 min 30 s, 100.0% of 1 min 30 s'
    """
    frames.require(table, schema.names(tables.TIME_SPENT), made_by="time_spent()")
    groups, totals = Groups.of(table), micros(table["spent"])
    subtitle = _subtitle(groups, totals)
    if not len(table):
        return empty_figure(_TITLE, subtitle, "No stays to add up", theme=theme)
    totals = totals[: len(groups.drawn)]
    parts = {word: micros(groups.drawn[word]) for word in _PARTS}
    shown = {word: lengths for word, lengths in parts.items() if lengths.any()}
    fig = groups.figure(_TITLE, subtitle, theme=theme, legend=[_PARTS[word][0] for word in shown])
    scale = Scale.of(totals, log=False)
    for word, lengths in shown.items():
        fig.add_trace(_stack(word, lengths, groups, scale, theme))
    groups.end(fig, scale.values(totals), map(duration_text, totals.tolist()), theme=theme)
    high = max(int(totals.max()), 1) / scale.unit[1]
    title = "time of the run" if "run_id" in table else "time of all runs of a row, added up"
    return fig.update_xaxes(scale.layout() | {"range": [0, high], "title": title})


def time_spent_picks(table: pd.DataFrame, members: pd.DataFrame) -> PointPicks:
    """Give which runs each bar of `plot_time_spent` stands for.

    Parameters
    ----------
    table
        That of `plot_time_spent`.
    members
        What `analysis.spent.runs_of_rows` gives of the same runs.
    """
    drawn = table.head(MAX_GROUPS_DRAWN)
    shown = members[members["row"] < len(drawn)]
    number, ids = pd.factorize(shown["run_id"])
    bars = Members(shown["row"].to_numpy(dtype=np.int64), number.astype(np.int64))
    stacks: list[Members | None] = [bars for word in _PARTS if micros(drawn[word]).any()]
    return PointPicks(pd.Index(ids, dtype="object"), [*stacks, None])


def _subtitle(groups: Groups, totals: Integers) -> str:
    table = groups.table
    left, whole = (duration_text(int(some.sum())) for some in (totals[len(groups.drawn) :], totals))
    open_runs = int(table["open_runs"].sum())
    hidden = {name: int(micros(table[word]).sum()) for word, name in _NOT_DRAWN.items()}
    texts = [f"{duration_text(length)} in {name}" for name, length in hidden.items() if length]
    missing = table.attrs.get(frames.ATTRS, {}).get("runs_without_intervals")
    return joined(
        groups.coverage("runs", held=int(table["runs"].sum())),
        groups.left_out(f", with {left} of {whole}"),
        groups.once_a_tag or (f"{open_runs:,} not ended yet" if open_runs else ""),
        f"without {' and '.join(texts)}" if texts else "",
        f"{missing:,} more have no history here" if missing else "",
    )


def _stack(word: str, lengths: Integers, groups: Groups, scale: Scale, theme: Theme) -> go.Bar:
    label, *state = _PARTS[word]
    totals = micros(groups.drawn["spent"])
    shares = lengths / np.maximum(totals, 1)
    return go.Bar(
        orientation="h",
        y=groups.labels,
        x=lengths / scale.unit[1],
        name=label,
        meta=word,
        marker=fill(state_style(*state, theme=theme), theme) | {"line": {"width": 0}},
        hovertext=[
            f"<b>{message_lines(name)}</b><br>{label}: {duration_text(length)}, {share:.1%} of {duration_text(total)}"
            for name, length, share, total in zip(
                groups.names, lengths.tolist(), shares.tolist(), totals.tolist(), strict=True
            )
        ],
        hovertemplate=HOVER,
    )
