"""The page that the widgets are shown on: its theme, and what all widgets there share."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import anywidget
import traitlets
from plotly.offline import get_plotlyjs

from prefect_nbviz.states import STATE_TYPES, Theme, state_style

STATIC = Path(__file__).parent / "static"
"""The scripts and style sheets of the browser, a file for each part."""

_IS_DARK = '[data-jp-theme-light="false"] .nbviz, .nbviz.nbviz-dark'


def script(*names: str) -> str:
    """Give some scripts as one, since a widget's own cannot import another."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def style_sheet() -> str:
    """Give the style sheet of all widgets, with the colours of states on both backgrounds.

    Examples
    --------
    >>> "--nbviz-failed: #de0529;" in style_sheet()
    True
    """
    sheets = sorted(STATIC.glob("*.css"))  # base.css comes first
    dots = (
        f".nbviz .nbviz-is-{kind.lower()} {{ --nbviz-state: var(--nbviz-{kind.lower()}); }}" for kind in STATE_TYPES
    )
    rules = [sheet.read_text(encoding="utf-8") for sheet in sheets]
    return "\n".join([*rules, f".nbviz {{ {_colors('light')} }}", f"{_IS_DARK} {{ {_colors('dark')} }}", *dots])


def _colors(theme: Theme) -> str:
    return " ".join(f"--nbviz-{kind.lower()}: {state_style(kind, theme=theme).color};" for kind in STATE_TYPES)


class Page(anywidget.AnyWidget):
    """An unseen widget that tells the page's theme and carries what is needed there once."""

    _esm = STATIC / "page.js"
    _css = style_sheet()

    theme = traitlets.Enum([*get_args(Theme)], "light").tag(sync=True)
    """The background of the page: JupyterLab's theme, or what the browser prefers."""

    is_shown = traitlets.Bool(default_value=True).tag(sync=True)
    """Whether it is on a page; False once it was taken from there, as when its cell runs again."""

    hidden = traitlets.Unicode().tag(sync=True)
    """A class of what is hidden while this is on the page; empty for nothing."""

    plotly = traitlets.Bytes().tag(sync=True)
    """The source of plotly.js, so that charts need no network."""

    @traitlets.default("plotly")
    def _source(self) -> bytes:
        return str(get_plotlyjs()).encode()
