"""A page that shows widgets without a kernel: their scripts run in a real browser, their traits are these objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
from playwright.sync_api import Page as BrowserPage
from plotly.offline import get_plotlyjs

from prefect_nbviz.states import Theme
from prefect_nbviz.widgets.page import style_sheet

SHOW = """async ([script, state, theme]) => {
  document.body.dataset.jpThemeLight = String(theme === "light");
  document.body.innerHTML = `<div class="nbviz"><div></div></div>`;
  const heard = {};
  const model = (globalThis.model = {
    state,
    said: {},
    get: (name) => model.state[name],
    set: (name, value) => {
      model.said[name] = value;
      model.hear({ [name]: value });
    },
    save_changes: () => {
      globalThis.say(model.said);
      model.said = {};
    },
    on: (name, hear) => (heard[name] ??= []).push(hear),
    off: () => {},
    hear: (news) => {
      Object.assign(model.state, news);
      for (const name of Object.keys(news)) (heard[`change:${name}`] ?? []).forEach((hear) => hear());
    },
    widget_manager: { get_model: async () => {} },
  });
  globalThis.prefectNbvizPlotly = Promise.resolve(globalThis.Plotly);
  const { default: widget } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  await widget.render({ model, el: document.querySelector(".nbviz > div") });
}"""
DARK = '[data-jp-theme-light="false"] { background: #111; --jp-ui-font-color1: #eee; --jp-ui-font-color2: #aaa; --jp-border-color2: #444; --jp-layout-color1: #111; --jp-layout-color2: #222 }'
PATIENCE = 5_000
"""Milliseconds that an answer may take on a machine that is busy."""


class WidgetPage:
    """A widget in a browser: what the one says, the other hears."""

    def __init__(self, page: BrowserPage) -> None:
        self.page = page
        self.faults: list[str] = []
        self._widget: anywidget.AnyWidget | None = None
        self._news: dict[str, Any] = {}
        page.set_content("<!doctype html><body></body>")  # without it plots are as tall as the window
        page.add_script_tag(content=get_plotlyjs())
        page.add_style_tag(content=style_sheet() + DARK)
        page.expose_function("say", self._hear)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)

    def show(self, widget: anywidget.AnyWidget, *, theme: Theme = "light") -> None:
        """Show a widget instead of the one before."""
        self._widget, self._news = widget, {}
        unseen = {"page", "layout", "comm", "tabbable", "tooltip"}
        names = [name for name in widget.keys if not name.startswith("_") and name not in unseen]
        state = {name: getattr(widget, name) for name in names} | {"page": "IPY_MODEL_0"}
        script = str(widget._esm)
        self.page.evaluate(SHOW, [script, state, theme])
        widget.observe(self._take, names)
        self.page.wait_for_timeout(100)

    def wait(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of the widget, and let the page hear what it says."""
        for _ in range(PATIENCE // 20):
            if holds():
                break
            self.page.wait_for_timeout(20)
        assert holds()
        self.answer()

    def answer(self) -> None:
        """Let the page hear what the widget has said since."""
        self.page.evaluate("news => model.hear(news)", self.news())
        self.page.wait_for_timeout(50)

    def news(self) -> dict[str, Any]:
        """Give what the widget has said since, once."""
        news, self._news = self._news, {}
        return news

    def _hear(self, said: dict[str, Any]) -> None:
        for name, value in said.items():
            setattr(self._widget, name, value)

    def _take(self, change: Any) -> None:
        if change["owner"] is self._widget:
            self._news[change["name"]] = change["new"]
