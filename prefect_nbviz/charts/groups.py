"""Groups: rows of a table that are bars, each of runs that its first columns put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz import frames
from prefect_nbviz.charts.clock import zone_of
from prefect_nbviz.charts.style import figure, palette
from prefect_nbviz.charts.words import NONE, ONCE_A_TAG, coverage, cut, left_out, run_name, unique_labels
from prefect_nbviz.states import Theme

MAX_GROUPS_DRAWN = 30
"""As many rows of a table get a bar, the first ones."""

_ROW, _LEAST = 24, 60  # pixels of a bar, and of all
_NAME = 24  # letters: in a narrow cell the bars need room too
_LETTER, _EDGE = 7, 16  # pixels
_ALL = "all runs"


@dataclass(frozen=True)
class Groups:
    """What the bars of a table are called.

    Examples
    --------
    >>> Groups.of(pd.DataFrame({"flow_name": ["<b>"], "hour_of_day": [6], "runs": [1]})).labels
    ['&lt;b&gt; · 06:00']
    """

    table: pd.DataFrame
    """All rows; of few columns, `runs` is the first that does not say what a row is."""

    drawn: pd.DataFrame
    """The rows that get a bar."""

    names: list[str]
    """What each is, whole, as a stranger wrote it."""

    labels: list[str]
    """The same, short, all different and safe."""

    @classmethod
    def of(cls, table: pd.DataFrame) -> Self:
        """Take the first rows of a table whose columns before `runs` say what each is."""
        drawn = table.head(MAX_GROUPS_DRAWN)
        words = [*map(str, table.columns[: table.columns.get_loc("runs")])]
        ids = [str(place) for place in range(len(drawn))]
        if "run_id" in words and "run_name" in words:
            names, ids = [run_name(name) for name in drawn["run_name"]], [*map(str, drawn["run_id"])]
        else:
            zone = zone_of(table.attrs.get(frames.ATTRS, {}).get("tz", "UTC"))
            shown = [word for word in words if word != "run_kind" or len({*table[word]}) > 1]
            texts = [[_text(value, word, zone) for value in drawn[word]] for word in shown]
            names = [" · ".join(one) for one in zip(*texts, strict=True)] if texts else [_ALL] * len(drawn)
        return cls(table, drawn, names, unique_labels([cut(name, _NAME) for name in names], ids))

    @property
    def once_a_tag(self) -> str:
        """What is to be said where a run may be in many rows; nothing elsewhere."""
        many = "tags" in self.table.attrs.get(frames.ATTRS, {}).get("by", [])
        return ONCE_A_TAG if many else ""

    def coverage(self, word: str, *, held: int) -> str:
        """Say of how many runs the bars are: a column counts them, unless a run may be in many rows.

        Parameters
        ----------
        word
            The column of the runs that a bar is of.
        held
            How many runs the table is of, if it does not say so itself.
        """
        held = self.table.attrs.get(frames.ATTRS, {}).get("runs", held)
        return coverage(held if self.once_a_tag else int(self.drawn[word].sum()), self.table, held=held)

    def left_out(self, holding: str = "") -> str:
        """Say how many rows get no bar, and what they hold; nothing if all get one."""
        return left_out(len(self.table) - len(self.drawn), "row", holding)

    def figure(self, title: str, subtitle: str, *, theme: Theme, legend: Iterable[str]) -> go.Figure:
        """Make a figure with a place for a bar for each of them, from the top."""
        fig = figure(title, subtitle, theme=theme, plot=max(_ROW * len(self.labels), _LEAST), legend=legend)
        fig.update_layout(barmode="stack", bargap=0.25, legend={"x": 0, "xref": "container"})
        rows = {"type": "category", "categoryorder": "array", "categoryarray": self.labels, "showgrid": False}
        return fig.update_yaxes(rows, range=[len(self.labels) - 0.5, -0.5])

    def end(self, fig: go.Figure, at: Any, texts: Iterable[str], *, theme: Theme) -> go.Figure:
        """Put text behind each bar, with room for all of it: a number that is cut off would be another number."""
        shown = [f" {text}" for text in texts]
        fig.update_layout(margin_r=_LETTER * max(map(len, shown)) + _EDGE)
        return fig.add_scatter(
            x=at,
            y=self.labels,
            mode="text",
            text=shown,
            textposition="middle right",
            textfont={"color": palette(theme).quiet},
            showlegend=False,
            hoverinfo="skip",
            cliponaxis=False,
        )


def _text(value: Any, word: str, zone: ZoneInfo) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return NONE
    if isinstance(value, pd.Timestamp):
        return f"{value.tz_convert(zone):%Y-%m-%d %H:%M %Z}"
    if word == "hour_of_day":
        return f"{value:02}:00"
    return str(value) or '""'
