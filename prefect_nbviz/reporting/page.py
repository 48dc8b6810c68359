"""The page of a report: its sections as one HTML file that asks nobody for anything."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from prefect_nbviz.charts.style import palette
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.reporting.headline import facts, figures
from prefect_nbviz.reporting.sections import sections
from prefect_nbviz.states import STATE_TYPES, Theme, state_style

_STATIC = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""What the browser allows: no request at all, and no script but these, even if a name became HTML after all."""


def page_of(contents: Contents) -> str:
    """Give the page, with plotly's own script in it once, if there is a chart."""
    shown = [*sections(contents)]
    charts = {section.key: section.figure for section in shown if section.figure is not None}
    scripts = [(_STATIC / "report.js").read_text(encoding="utf-8"), str(get_plotlyjs())] if charts else []
    drawn = {key: json.loads(str(figure.to_json())) for key, figure in charts.items()}
    return _template().render(
        contents=contents,
        policy=_POLICY.format(scripts=" ".join(map(_hash, scripts)) or "'none'"),
        style=Markup(_style_sheet()),  # noqa: S704 - our own
        facts=[*facts(contents)],
        numbers=[*figures(contents)],
        sections=shown,
        described={key: description(figure) for key, figure in charts.items()},
        script=Markup("".join(scripts[:1])),  # noqa: S704 - our own
        packed={name: _packed(text) for name, text in _texts(drawn, *scripts[1:]).items()},
    )


@functools.cache
def _template() -> Template:
    """Give what escapes all that it is filled with, but for what is `Markup`."""
    environment = Environment(
        loader=FileSystemLoader(_STATIC),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja")


def description(figure: go.Figure) -> str:
    """Say what a chart shows, for those who cannot see it.

    Examples
    --------
    >>> description(go.Figure(layout={"title": {"text": "Timeline", "subtitle": {"text": "a &amp; b"}}}))
    'Chart: Timeline. a & b.'
    """
    title = figure.layout.title
    return html.unescape(". ".join(["Chart: " + str(title.text), f"{title.subtitle.text}."]))


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _texts(drawn: Mapping[str, object], plotly: str = "") -> dict[str, str]:
    """Give what the script of the page reads, if there is anything to draw."""
    texts = {"plotly": plotly, "charts": json.dumps(drawn), "dark": json.dumps(dict(_dark_colors()))}
    return texts if drawn else {}


def _packed(text: str) -> str:
    """Give a text in a third of its length, and in letters that mean nothing in HTML."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _dark_colors() -> Iterator[tuple[str, str]]:
    """Give the colour on a dark background for each on a light one."""
    light, dark = palette("light"), palette("dark")
    yield from ((getattr(light, name), getattr(dark, name)) for name in ("text", "quiet", "grid", "card"))
    yield from ((state_style(kind).color, state_style(kind, theme="dark").color) for kind in STATE_TYPES)


def _style_sheet() -> str:
    sheet = (_STATIC / "report.css").read_text(encoding="utf-8")
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables('dark')} }} }}"
    dots = (f".is-{kind.lower()} {{ --state: var(--{kind.lower()}); }}" for kind in STATE_TYPES)
    return "\n".join([f":root {{ {_variables('light')} }}", dark, *dots, sheet])


def _variables(theme: Theme) -> str:
    colors = palette(theme)
    own = {name: getattr(colors, name) for name in ("text", "quiet", "grid", "card")}
    states: Iterable[tuple[str, str]] = ((kind.lower(), state_style(kind, theme=theme).color) for kind in STATE_TYPES)
    return " ".join(f"--{name}: {color};" for name, color in [*own.items(), *states])
