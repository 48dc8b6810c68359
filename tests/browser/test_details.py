"""The panel of one run in JupyterLab, in a real browser: light and dark, narrow and wide, pressed and typed at."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from notebook_page import PATIENCE, add_cells, set_theme
from playwright.sync_api import Locator, Page, expect

from prefect_nbviz.demo.lab import NOTEBOOK

pytestmark = [pytest.mark.browser, pytest.mark.server]

NAME = "details.ipynb"
CELL = """\
import ipywidgets as ipw
import prefect_nbviz as nbv
from prefect_nbviz.widgets.details import RunDetails
from prefect_nbviz.widgets.page import Page
page, box, said = Page(), ipw.Box(), ipw.Label()
details = RunDetails()
def follow(query):
    said.value = repr(query)
    read = nbv.read_task_runs if query.kind == "task_run" else nbv.read_flow_runs
    details.show(read(query).head(1))
details.on_follow(follow)
page.observe(lambda _: (root.add_class if page.theme == "dark" else root.remove_class)("nbviz-dark"), "theme")
root = ipw.VBox([page, details, said], layout={"width": "340px"}, _dom_classes=("nbviz",))
root
"""
SHOW_RETRIED = """\
fits = nbv.read_task_runs(name_like="fit", state_type="COMPLETED", run_count_min=3, flow_runs=nbv.FlowRunQuery(flow="train_model"))
details.show(fits.head(1))
"""
SHOW_HOSTILE = """\
root.layout.width = "280px"
details.show(nbv.read_flow_runs(name_like="<img").head(1))
"""


@pytest.fixture(scope="module")
def address(lab: tuple[Path, str]) -> str:
    folder, address = lab
    add_cells(folder / NAME, CELL, SHOW_RETRIED, SHOW_HOSTILE)
    return address.replace(NOTEBOOK, NAME)


def test_the_panel_of_a_run(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    page.set_viewport_size({"width": 1300, "height": 1900})  # so that a shot has all of it
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    panel = page.locator(".nbviz-run")
    expect(panel).to_have_text("Click a row, a bar or a segment to see a run.", timeout=PATIENCE)
    panel.screenshot(path=shots / "details-empty.png")

    page.keyboard.press("Shift+Enter")
    expect(panel.locator(".nbviz-pill")).to_have_text("attempt 3 of 3", timeout=PATIENCE)
    expect(panel.get_by_role("heading", level=3)).to_have_text(re.compile("^fit-"))
    expect(panel.locator(".nbviz-strip .nbviz-attempt")).to_have_count(3)
    assert _widths_are_lengths(panel)
    link = panel.get_by_role("link", name="Open in Prefect")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/runs/task-run/[0-9a-f-]{36}", str(link.get_attribute("href")))
    assert (link.get_attribute("rel"), link.get_attribute("target")) == ("noopener noreferrer", "_blank")
    panel.screenshot(path=shots / "details-light.png")

    link.focus()
    page.keyboard.press("Tab")
    flow_run = panel.get_by_role("button", name="Flow run", exact=False).first
    expect(flow_run).to_be_focused()
    assert flow_run.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(panel.locator(".nbviz-run-kind")).to_contain_text("Flow run")
    expect(panel.get_by_role("button", name="3 task runs")).to_be_visible()
    expect(page.locator(".nbviz .widget-label")).to_have_text(re.compile(r"^FlowRunQuery\(ids=\["))

    logs = panel.get_by_role("button", name="Show logs")
    logs.focus()
    page.keyboard.press("Enter")
    expect(panel.get_by_role("button", name="Refresh")).to_be_focused()
    copy = panel.get_by_role("button", name="Copy the id: Flow run")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copy.click()
    expect(copy).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == panel.locator(".nbviz-ids code").first.text_content()

    page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(2).click()
    page.keyboard.press("Control+Enter")
    expect(panel.get_by_role("heading", level=3)).to_have_text("<img src=x onerror=alert(1)>")
    expect(panel.locator(".nbviz-stays")).to_contain_text("Completed")
    set_theme(page, "JupyterLab Dark")
    expect(page.locator(".nbviz.nbviz-dark")).to_be_visible()
    assert _fits(panel)
    panel.screenshot(path=shots / "details-dark-narrow.png")


def _widths_are_lengths(panel: Locator) -> bool:
    """Say whether what lasted much longer is drawn much wider, and all of the strip is used."""
    segments = panel.locator(".nbviz-segment").evaluate_all(
        "all => all.map(one => [Number(one.style.flexGrow), one.offsetWidth])"
    )
    pairs = [(one, other) for one in segments for other in segments if one[0] > max(4 * other[0], 2_000)]
    strip = panel.locator(".nbviz-strip").evaluate("strip => strip.offsetWidth")
    is_used = sum(width for _, width in segments) > strip - 20
    return bool(pairs) and is_used and all(one[1] > 1.5 * other[1] for one, other in pairs)


def _fits(panel: Locator) -> bool:
    """Say whether it is no wider than it may be, and no label of a fact is broken into lines."""
    labels = panel.locator("dt").evaluate_all("all => all.every(one => one.offsetHeight < 30)")
    return bool(labels and panel.evaluate("one => one.scrollWidth <= one.clientWidth && one.offsetWidth <= 280"))
