"""The state history of one run, as a strip and as a list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from itertools import groupby
from typing import Any

import pandas as pd

from prefect_nbviz.charts.words import duration_text
from prefect_nbviz.states import TERMINAL_STATE_TYPES
from prefect_nbviz.widgets.markup import markup, state_class, state_text, value_of

MOST_STAYS = 200
"""As many stays are shown, the newest."""

_MICRO = pd.Timedelta(microseconds=1)


def history_html(stays: pd.DataFrame, *, zone: tzinfo) -> str:
    """Give the stays of one run, as `state_intervals` has them, as HTML: a strip, and below it each with its length.

    The widths on the strip are the lengths, but for a smallest width; a gap is the time between an end and a new
    start.
    """
    if stays.empty:
        return '<p class="nbviz-quiet">The server has no states of it.</p>'
    newest = stays.tail(MOST_STAYS)
    left_out = len(stays) - len(newest)
    said = f'<p class="nbviz-quiet">The newest {MOST_STAYS} of {len(stays):,} states.</p>' if left_out else ""
    attempts = [(number, [*rows]) for number, rows in groupby(_rows(newest), key=lambda row: row["attempt"])]
    return f"{said}{_strip(attempts, newest, zone)}{_list(attempts, newest, zone)}"


Attempts = list[tuple[int, list["pd.Series[Any]"]]]


def _rows(stays: pd.DataFrame) -> Iterator[pd.Series[Any]]:
    return (row for _, row in stays.iterrows())


def _strip(attempts: Attempts, stays: pd.DataFrame, zone: tzinfo) -> str:
    whole = max((stays["end_time"].iloc[-1] - stays["start_time"].iloc[0]) / _MICRO, 1)
    parts: list[str] = []
    before: pd.Timestamp | None = None
    for number, rows in attempts:
        gap = 0 if before is None else (rows[0]["start_time"] - before) / _MICRO
        if gap > 0:
            title = f"ended for {duration_text(int(gap))}, then started again"
            parts.append(f'<span class="nbviz-gap" style="flex-grow:{_share(gap, whole)}" title="{title}"></span>')
        before = rows[-1]["end_time"]
        grow = _share(sum(row["duration"] / _MICRO for row in rows), whole)
        segments = "".join(_segment(row, whole, zone) for row in rows)
        label = f'<span class="nbviz-number">{number}</span>' if len(attempts) > 1 else ""
        title = f' title="attempt {number}"' if len(attempts) > 1 else ""
        parts.append(
            f'<span class="nbviz-attempt" style="flex-grow:{grow}"{title}>{label}'
            f'<span class="nbviz-segments">{segments}</span></span>'
        )
    return f'<div class="nbviz-strip" aria-hidden="true">{"".join(parts)}</div>'


def _share(length: float, whole: float) -> float:
    """Give a part of the whole as a number that the browser shares the width by: below 1 it would not share all."""
    return round(10_000 * length / whole, 3)


def _segment(stay: pd.Series[Any], whole: float, zone: tzinfo) -> str:
    kind, name = stay["state_type"], stay["state_name"]
    length = _length(stay)
    title = f"{markup(name)}{f', {length}' if length else ''}\n{_span(stay, zone)}"
    is_end = " nbviz-end" if kind in TERMINAL_STATE_TYPES else ""
    is_open = " nbviz-open" if stay["is_open"] else ""
    grow = 0 if is_end else _share(stay["duration"] / _MICRO, whole)
    classes = f"nbviz-segment {state_class(kind, name)}{is_end}{is_open}"
    return f'<span class="{classes}" style="flex-grow:{grow}" title="{title}"></span>'


def _list(attempts: Attempts, stays: pd.DataFrame, zone: tzinfo) -> str:
    days = stays["start_time"].dt.tz_convert(zone).dt.date.nunique()
    form = "%b %-d, %H:%M:%S" if days > 1 else "%H:%M:%S"
    return "".join(
        (f'<h5 class="nbviz-attempt-name">Attempt {number}</h5>' if len(attempts) > 1 else "")
        + f'<ol class="nbviz-stays">{"".join(_item(row, zone, form) for row in rows)}</ol>'
        for number, rows in attempts
    )


def _item(stay: pd.Series[Any], zone: tzinfo, form: str) -> str:
    begin = stay["start_time"].astimezone(zone).strftime(form)
    message = value_of(stay, "message")
    hover = "" if message is None else f' title="{markup(message)}"'
    return (
        f'<li><span class="nbviz-stay"{hover}>{state_text(stay["state_type"], stay["state_name"])}</span>'
        f'<time title="{_span(stay, zone)}">{begin}</time><span class="nbviz-length">{_length(stay)}</span></li>'
    )


def _length(stay: pd.Series[Any]) -> str:
    """Give how long it stayed, in words; nothing for an end, which has no length."""
    if stay["state_type"] in TERMINAL_STATE_TYPES:
        return ""
    length = duration_text(stay["duration"])
    return f"{length} so far" if stay["is_open"] else length


def _span(stay: pd.Series[Any], zone: tzinfo) -> str:
    """Give from when to when, exactly."""
    begin, end = (stay[word].astimezone(zone) for word in ("start_time", "end_time"))
    if stay["is_open"]:
        return f"since {begin}"
    return str(begin) if begin == end else f"{begin} to {end}"
