"""What a watch shows in a notebook: a bar of states, the counts in words, failures, and a timeline that grows."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

import ipywidgets as ipw

from prefect_nbviz.analysis.intervals import state_intervals
from prefect_nbviz.widgets.news import Count, News
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.timeline import TimelineChart

MOST_FAILURES = 20
"""As many failures are listed, the newest; how many more there are is said."""

_MESSAGE_LENGTH = 500
_PART = 20
_BAR_ORDER = (
    "COMPLETED",
    "CANCELLED",
    "CRASHED",
    "FAILED",
    "CANCELLING",
    "RUNNING",
    "PAUSED",
    "SCHEDULED",
    "PENDING",
    "",
)
_TONES = {"over": "good", "stale": "warn", "broken": "error"}


class WatchPanel(ipw.VBox):
    """Shows the news of a watch.

    Parameters
    ----------
    zone
        The time zone of what it shows.
    on_close
        Called when it is closed.

    Examples
    --------
    >>> from prefect_nbviz import frames, schema
    >>> panel = WatchPanel(ZoneInfo("UTC"), on_close=lambda: None)
    >>> panel.show(News(frames.empty(schema.FUTURES), frames.empty(schema.STATES), "over"))
    >>> "0 of 0 done" in panel.head.value
    True
    """

    def __init__(self, zone: ZoneInfo, *, on_close: Callable[[], None]) -> None:
        page = Page()
        self.head = ipw.HTML()
        self.failures = ipw.HTML()
        self.timeline = TimelineChart(page=page)
        self._zone = zone
        self._on_close = on_close
        self._headline = ""
        self._begin = self._drawn_at = time.monotonic()
        self._drawn: object = None
        super().__init__([page, self.head, self.failures, self.timeline], _dom_classes=("nbviz", "nbviz-watch"))

    def __repr__(self) -> str:
        """Say what it shows, where no widgets can be shown."""
        return f"WatchPanel({self._headline})"

    def show(self, news: News) -> None:
        """Show the newest."""
        self._headline = news.headline()
        self.head.value = head_html(news, self._zone)
        self.failures.value = failures_html(news)
        self.failures.layout.display = None if self.failures.value else "none"
        if self._is_due(news):
            self.timeline.show_intervals(state_intervals(news.states), of=id(self), tz=self._zone.key, compact=True)

    def close(self) -> None:
        """Take it off the page."""
        self._on_close()
        super().close()

    def _is_due(self, news: News) -> bool:
        """Say whether the timeline has changed: by states, or by a twentieth of its length."""
        if news.states.empty:
            return False
        now, drawn = time.monotonic(), (len(news.states), news.counts(), news.phase)
        is_same = drawn == self._drawn
        if is_same and (news.phase != "live" or now - self._drawn_at < (now - self._begin) / _PART):
            return False
        self._drawn, self._drawn_at = drawn, now
        return True


def head_html(news: News, zone: ZoneInfo) -> str:
    """Give the bar, the counts in words and what is said of them.

    Examples
    --------
    >>> from prefect_nbviz import frames, schema
    >>> nothing = News(frames.empty(schema.FUTURES), frames.empty(schema.STATES), "broken", ["<no>"])
    >>> "&lt;no&gt;" in head_html(nothing, ZoneInfo("UTC"))
    True
    """
    counts = sorted(news.counts(), key=lambda one: _BAR_ORDER.index(one.state_type))
    bar = "".join(map(_segment, counts))
    first, *words = news.headline().split(" · ")
    rest = "".join(f" <span>· {html.escape(word)}</span>" for word in words)
    status = "".join(_status(news, zone))
    label = html.escape(news.headline(), quote=True)
    return (
        f'<div class="nbviz-watch-bar" role="img" aria-label="{label}">{bar}</div>'
        f'<div class="nbviz-watch-counts"><b>{html.escape(first)}</b>{rest}</div>'
        f'<div class="nbviz-watch-status" role="status" aria-live="polite">{status}</div>'
    )


def failures_html(news: News) -> str:
    """Give the failures with what they say, newest first, and how many are left out."""
    failures = news.failures()
    shown = "".join(
        f'<li><span class="nbviz-state nbviz-is-{"crashed" if one.word == "crashed" else "failed"}">'
        f"<b>{html.escape(one.name)}</b></span> {html.escape(one.word)}"
        f'<div class="nbviz-watch-message">{html.escape(_cut(one.message))}</div></li>'
        for one in failures[:MOST_FAILURES]
    )
    more = len(failures) - MOST_FAILURES
    left = (
        f'<div class="nbviz-watch-more">and {more:,} that failed before them: frame has all</div>' if more > 0 else ""
    )
    return f'<ul class="nbviz-watch-failures" tabindex="0" aria-label="Failures">{shown}</ul>{left}' if shown else ""


def _segment(count: Count) -> str:
    kind = count.state_type.lower() or "none"
    title = html.escape(f"{count.tasks:,} {count.word}", quote=True)
    return f'<span class="nbviz-is-{kind}" style="flex-grow: {count.tasks}" title="{title}"></span>'


def _status(news: News, zone: ZoneInfo) -> Iterator[str]:
    at = news.moment(zone)
    said = {
        "starting": "Looking for the tasks on the server…",
        "live": f"● live, updated {at}",
        "stale": f"What you see is from {at}." if at else "Nothing has been read yet.",
        "over": f"Done, as of {at}",
        "stopped": f"Stopped looking at {at}; the tasks go on." if at else "Stopped looking; the tasks go on.",
        "broken": "Stopped looking.",
    }
    yield f'<div class="nbviz-watch-{_TONES.get(news.phase, "quiet")}">{html.escape(said[news.phase])}</div>'
    for note in news.notes:
        yield f'<div class="nbviz-watch-{"error" if news.phase == "broken" else "warn"}">{html.escape(note)}</div>'


def _cut(text: str) -> str:
    return text if len(text) <= _MESSAGE_LENGTH else text[: _MESSAGE_LENGTH - 1] + "…"
