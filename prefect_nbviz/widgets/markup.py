"""Strangers' texts as HTML that says what they say, and is nothing else."""

from __future__ import annotations

import html
import re
from datetime import datetime, tzinfo
from typing import Any

import pandas as pd

from prefect_nbviz.states import STATE_NAMES, state_style

LONGEST = 20_000
"""Characters of one text that are shown: messages and parameters may be megabytes."""

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def markup(text: object) -> str:
    r"""Give a text as HTML, without the codes by which terminals colour it; of a very long one the first part.

    Examples
    --------
    >>> markup("<b>7</b> \x1b[31mbroken\x1b[0m")
    '&lt;b&gt;7&lt;/b&gt; broken'
    >>> markup("x" * 20_005)[-24:]
    'xxx… (5 more characters)'
    """
    shown = _TERMINAL_CODES.sub("", str(text))
    more = len(shown) - LONGEST
    return html.escape(shown[:LONGEST]) + (f"… ({more:,} more characters)" if more > 0 else "")


def value_of(row: pd.Series[Any], word: str) -> Any:
    """Give what a row of a frame has in a column; None where it has no such column, or nothing in it.

    Examples
    --------
    >>> value_of(pd.Series({"end_time": pd.NaT}), "end_time"), value_of(pd.Series({"tags": ()}), "tags")
    (None, ())
    """
    value = row.get(word)
    return None if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)) else value


def time_text(moment: datetime, zone: tzinfo) -> str:
    """Give a time to the second on the clocks of a zone, which shows all of it when it is hovered.

    Examples
    --------
    >>> from datetime import UTC
    >>> time_text(datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), UTC)
    '<time title="2026-01-02 03:04:05.000678+00:00">2026-01-02 03:04:05</time>'
    """
    there = moment.astimezone(zone)
    return f'<time title="{there}">{there:%Y-%m-%d %H:%M:%S}</time>'


def state_class(state_type: object, state_name: object = None) -> str:
    """Give the classes that colour a state, with a hatch for names that share the colour of their type.

    Examples
    --------
    >>> state_class("RUNNING", "Retrying"), state_class('"><b>')
    ('nbviz-is-running nbviz-hatch', 'nbviz-is-&quot;&gt;&lt;b&gt;')
    """
    hatch = " nbviz-hatch" if state_style(str(state_type), str(state_name)).pattern else ""
    return f"nbviz-is-{html.escape(str(state_type).lower())}{hatch}"


def state_text(state_type: object, state_name: object) -> str:
    """Give the name of a state, with its type where that is not plain, and its dot.

    Examples
    --------
    >>> state_text("FAILED", "TimedOut")
    '<span class="nbviz-dot nbviz-is-failed nbviz-hatch"></span>TimedOut'
    """
    name = (
        markup(state_name)
        if STATE_NAMES.get(str(state_name)) == state_type
        else f"{markup(state_name)} ({markup(state_type)})"
    )
    return f'<span class="nbviz-dot {state_class(state_type, state_name)}"></span>{name}'


def button(text: str, action: str, *, name: object = None) -> str:
    """Give a button that does something, with a stranger's name in it.

    Examples
    --------
    >>> button("Flow run", "follow:0", name="<daily>")
    '<button type="button" data-do="follow:0">Flow run <span class="nbviz-named">&lt;daily&gt;</span></button>'
    """
    named = "" if name is None else f' <span class="nbviz-named">{markup(name)}</span>'
    return f'<button type="button" data-do="{action}">{text}{named}</button>'
