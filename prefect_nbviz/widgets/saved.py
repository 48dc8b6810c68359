"""The saved picture: what a notebook shows of the explorer where there is no kernel that could."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from typing import Any

import pandas as pd
from IPython.display import display, update_display

from prefect_nbviz import frames
from prefect_nbviz.charts.words import duration_text
from prefect_nbviz.widgets.markup import markup, time_text, value_of

MOST_ROWS = 10
"""As many runs are in it, the first."""

_LONGEST = 200  # characters of a message
_AGAIN = "Run the cell again for live data."
_LEFT = ' style="text-align: left"'  # notebooks align the cells of tables to the right


class SavedPicture:
    """An output below that of a widget, kept up to date, so that a notebook is saved with the last state in it.

    While the widget is there its page hides it; without a kernel the page never comes, nor does the widget.

    Examples
    --------
    >>> saved = SavedPicture()
    >>> saved.name.startswith("nbviz-saved-")
    True
    """

    def __init__(self) -> None:
        self.name = f"nbviz-saved-{uuid.uuid4().hex}"
        """The class by which the page knows it."""
        self._html = f"<p>Nothing had been loaded here. {_AGAIN}</p>"
        self._is_shown = False

    def display(self) -> None:
        """Put it below what the cell shows by now."""
        self._is_shown = True
        display(self._bundle(), raw=True, display_id=self.name)  # type: ignore[no-untyped-call]

    def show(self, html: str) -> None:
        """Take another picture, wherever the one before is displayed; from any thread."""
        is_new, self._html = html != self._html, html
        if is_new and self._is_shown:
            update_display(self._bundle(), raw=True, display_id=self.name)  # type: ignore[no-untyped-call]

    def _bundle(self) -> dict[str, str]:
        return {"text/html": f'<div class="{self.name}">{self._html}</div>'}


def picture_html(runs: pd.DataFrame, lines: Sequence[str], *, zone: tzinfo = UTC) -> str:
    """Give runs that were read as HTML: what they are, how many are in which state, and the first of them.

    Parameters
    ----------
    runs
        What was read, with its attrs.
    lines
        What is said of them, in sentences.
    zone
        The time zone of the times.
    """
    moment = pd.Timestamp(runs.attrs[frames.ATTRS]["as_of"]).to_pydatetime()
    head = f"<p><b>Saved picture from {time_text(moment, zone)} {markup(zone)}.</b> {_AGAIN}</p>"
    said = "".join(f"<p>{markup(line)}</p>" for line in lines)
    return head + said + (_states(runs) + _table(runs, zone) if len(runs) else "")


def _states(runs: pd.DataFrame) -> str:
    counts = runs["state_name"].value_counts()
    return f"<p>{' · '.join(f'{number:,} {markup(name)}' for name, number in counts.items() if number)}</p>"


def _table(runs: pd.DataFrame, zone: tzinfo) -> str:
    names = {"State": "state_name", "Name": "name", "Flow run": "flow_run_name", "Flow": "flow_name"}
    there = {title: name for title, name in names.items() if name in runs}
    titles = "".join(f"<th{_LEFT}>{title}</th>" for title in (*there, "Start", "Duration", "Message"))
    cells = (_cells(row, [*there.values()], zone) for _, row in runs.head(MOST_ROWS).iterrows())
    rows = "".join(f"<tr>{''.join(f'<td{_LEFT}>{cell}</td>' for cell in row)}</tr>" for row in cells)
    more = f"<p>The first {MOST_ROWS} of {len(runs):,}.</p>" if len(runs) > MOST_ROWS else ""
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _cells(row: pd.Series[Any], names: Sequence[str], zone: tzinfo) -> Iterator[str]:
    for name in names:
        yield markup(value_of(row, name) or "")
    start, duration, message = (value_of(row, name) for name in ("start_time", "duration", "state_message"))
    yield "" if start is None else time_text(start, zone)
    yield "" if duration is None else markup(duration_text(duration))
    text = str(message or "")
    yield markup(text[:_LONGEST]) + ("…" if len(text) > _LONGEST else "")
