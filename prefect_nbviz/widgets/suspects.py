"""The line that says which of the loaded runs have data that cannot be right; nothing where all is well."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import ipywidgets as ipw
import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.analysis.problems import PROBLEMS

MAX_LISTED = 10
"""As many problems are listed one by one."""


class SuspectLine(ipw.Box):
    """How many runs have which problem, what was found, and a button that selects them.

    Examples
    --------
    >>> line = SuspectLine()
    >>> line.runs, line.layout.display
    ((), 'none')
    """

    def __init__(self) -> None:
        self.runs: tuple[str, ...] = ()
        """The ids of the runs."""
        self.said = ipw.HTML()
        self.button = ipw.Button(tooltip="Select the runs whose data cannot be right")
        buttons = ipw.Box([self.button])
        buttons.add_class("nbviz-buttons")
        super().__init__([self.said, buttons])
        for name in ("nbviz-status", "nbviz-suspects"):
            self.add_class(name)
        self.layout.display = "none"

    def show(self, suspects: pd.DataFrame, runs: pd.DataFrame) -> None:
        """Say which runs `suspect_runs` found among those that are loaded."""
        self.runs = tuple(dict.fromkeys(suspects["run_id"]))
        self.said.value = _text(suspects, runs) if self.runs else ""
        self.button.description = f"Select {len(self.runs):,}"
        self.layout.display = None if self.runs else "none"


def _text(suspects: pd.DataFrame, runs: pd.DataFrame) -> str:
    counts = suspects.groupby("problem", observed=True)["run_id"].nunique()
    which = ", ".join(f"{counts[word]:,} {PROBLEMS[word].words}" for word in PROBLEMS if word in counts)
    many, looked = suspects["run_id"].nunique(), suspects.attrs.get(frames.ATTRS, {}).get("histories", 0)
    have = "1 run has" if many == 1 else f"{many:,} runs have"
    part = f" (with the states of {looked:,} of {len(runs):,} runs)" if looked < len(runs) else ""
    rows = "".join(_items(suspects.head(MAX_LISTED)))
    left = len(suspects) - MAX_LISTED
    more = f"<p>{left:,} more are not listed; suspect_runs gives them all.</p>" if left > 0 else ""
    head = html.escape(f"{have} data that cannot be right{part}: {which}")
    return f'<details class="nbviz-line nbviz-warn"><summary>{head}</summary><ul>{rows}</ul>{more}</details>'


def _items(suspects: pd.DataFrame) -> Iterator[str]:
    for row in suspects.to_dict("records"):
        told: dict[Any, str] = {name: html.escape(str(value)) for name, value in row.items()}
        cause = f"Usual cause: {told['usual_cause']}. {told['what_to_do']}"
        yield f"<li><b>{told['run_name']}</b> {told['found']} <span>{cause}</span></li>"
