"""What charts say: strangers' text made harmless, lengths of time, how much is drawn."""

from __future__ import annotations

import html
import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pandas as pd

from prefect_nbviz import frames

NONE = "(none)"
"""What is shown for a value that is missing."""

ONCE_A_TAG = "a run counts once under each of its tags"
"""What a chart says whose bars, added up, are more than the runs."""

_LABEL_LENGTH = 40
_MESSAGE_LENGTH = 300
_LINE_LENGTH = 72
_MICRO = timedelta(microseconds=1)
_MILLI = 1_000
_MINUTE = 60
_LEVELS = (
    ("min", 60, "s", 1, 3_600),
    ("h", 3_600, "min", 60, 86_400),
    ("d", 86_400, "h", 3_600, math.inf),
)
"""Unit, its seconds, the smaller unit, its seconds, and the seconds from which the next one takes over."""


def safe(text: str) -> str:
    """Escape a stranger's text, so that plotly shows it letter by letter.

    Plotly reads some HTML in every text that it draws, and TeX between dollar signs on pages
    that have MathJax. Quotation marks stay: it knows no `&quot;`, and they end nothing outside of a tag.

    Examples
    --------
    >>> safe('<b>"a"</b> & $x$')
    '&lt;b&gt;"a"&lt;/b&gt; &amp; &#36;x&#36;'
    """
    shown = text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
    return html.escape(shown, quote=False).replace("$", "&#36;")


def joined(*parts: str) -> str:
    """Put what a subtitle says together, without what is empty.

    Examples
    --------
    >>> joined("47 runs", "", "3 not ended yet")
    '47 runs; 3 not ended yet'
    """
    return "; ".join(part for part in parts if part)


def left_out(count: int, noun: str, holding: str = "") -> str:
    """Say how many more there are that are not drawn; nothing if there are none.

    Examples
    --------
    >>> left_out(0, "row"), left_out(1, "row"), left_out(1_200, "value", ", with 3,000 runs")
    ('', '1 more row is not drawn', '1,200 more values are not drawn, with 3,000 runs')
    """
    more = f"{noun} is" if count == 1 else f"{noun}s are"
    return f"{count:,} more {more} not drawn{holding}" if count > 0 else ""


def run_name(name: object) -> str:
    """Give what a run is called where it is shown.

    Examples
    --------
    >>> run_name("load"), run_name(" "), run_name(None)
    ('load', '(none)', '(none)')
    """
    return name if isinstance(name, str) and name.strip() else NONE


def cut(text: str, length: int = _LABEL_LENGTH) -> str:
    """Shorten text in its middle: beginnings and ends of names tell them apart.

    Examples
    --------
    >>> cut("extract-orders-2026-01-31", 15)
    'extract…6-01-31'
    """
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def unique_labels(texts: Iterable[str], ids: Sequence[str]) -> list[str]:
    """Give safe, short labels; those that would be the same get the end of their id.

    The end, because ids that Prefect made at the same time begin alike.

    Examples
    --------
    >>> unique_labels(["load", "load", "<i>"], ["0a-3f2a", "0a-77c1", "0a-0001"])
    ['load · 3f2a', 'load · 77c1', '&lt;i&gt;']
    """
    texts = [*texts]
    labels = [safe(cut(text)) for text in texts]
    for digits in (4, 8, 36):
        seen = Counter(labels)
        labels = [
            f"{safe(cut(text, _LABEL_LENGTH - 7))} · {safe(key[-digits:])}" if seen[label] > 1 else label
            for label, text, key in zip(labels, texts, ids, strict=True)
        ]
    return labels


def message_lines(message: object) -> str:
    """Give a state's message, cut and wrapped, as lines to hover.

    Examples
    --------
    >>> message_lines("ValueError: <none>")
    'ValueError: &lt;none&gt;'
    >>> message_lines(None)
    ''
    """
    if not isinstance(message, str):
        return ""
    message = " ".join(message[: 4 * _MESSAGE_LENGTH].split())
    if len(message) <= _LINE_LENGTH:
        return safe(message)
    short = message if len(message) <= _MESSAGE_LENGTH else message[: _MESSAGE_LENGTH - 1] + "…"
    return "<br>".join(safe(line) for line in textwrap.wrap(short, _LINE_LENGTH))


def duration_text(length: int | timedelta) -> str:
    """Give a length of time, or its microseconds, as people say it, in two units at most.

    Examples
    --------
    >>> [duration_text(micros) for micros in (250, 420_000, 1_700_000, 123_000_000, 3_720_000_000)]
    ['250 µs', '420 ms', '1.7 s', '2 min 3 s', '1 h 2 min']
    >>> duration_text(pd.Timedelta("-5s"))
    '-5 s'
    """
    micros = length // _MICRO if isinstance(length, timedelta) else length
    if micros < 0:
        return f"-{duration_text(-micros)}"
    if micros < _MILLI:
        return f"{micros} µs" if micros else "0 s"
    if round(micros / _MILLI) < _MILLI:
        return f"{micros / _MILLI:.3g} ms"
    seconds = micros / _MILLI**2
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    unit, size, part, part_size, _ = next(level for level in _LEVELS if round(seconds / level[3]) * level[3] < level[4])
    whole, rest = divmod(round(seconds / part_size), size // part_size)
    return f"{whole:,} {unit} {rest} {part}" if rest else f"{whole:,} {unit}"


def coverage(drawn: int, frame: pd.DataFrame, *, held: int) -> str:
    """Say how many of how many runs are drawn.

    Parameters
    ----------
    drawn
        Runs in the chart.
    frame
        What was handed in; its attrs say how many runs match.
    held
        Runs in the frame.

    Examples
    --------
    >>> frame = pd.DataFrame()
    >>> coverage(47, frame, held=47)
    '47 runs'
    >>> frame.attrs["prefect_nbviz"] = {"matched": 184}
    >>> coverage(47, frame, held=47)
    '47 runs drawn, of 184 that match'
    """
    attrs: Mapping[str, Any] = frame.attrs.get(frames.ATTRS, {})
    matched = attrs.get("matched")
    if not isinstance(matched, int) or matched < held:
        matched = None
    runs = "run" if drawn == 1 else "runs"
    if matched and matched > drawn:
        return f"{drawn:,} {runs} drawn, of {matched:,} that match"
    if drawn < held:
        return f"{drawn:,} {runs} drawn, of {held:,}" + (" read, and more match" if attrs.get("truncated") else "")
    if attrs.get("truncated"):
        return f"{drawn:,} {runs} drawn, of more that match"
    if matched == drawn and drawn:
        return "the one run that matches" if drawn == 1 else f"all {drawn:,} runs that match"
    return f"{drawn:,} {runs}"
