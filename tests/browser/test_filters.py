"""The filter bar in JupyterLab, in a real browser: by mouse, by keyboard alone, narrow, wide and dark."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from notebook_page import PATIENCE, add_cells, set_theme, wait_until_it_fits
from playwright.sync_api import Locator, Page, expect

from prefect_nbviz import TaskRunQuery, query_from_json
from prefect_nbviz.demo.lab import NOTEBOOK
from prefect_nbviz.query import RunQuery

pytestmark = [pytest.mark.browser, pytest.mark.server]

NAME = "filters.ipynb"
HOSTILE = "<img src=x onerror=alert(1)>"
CELL = """\
import prefect_nbviz as nbv
explorer = nbv.explore()
explorer
"""


@pytest.fixture(scope="module")
def address(lab: tuple[Path, str]) -> str:
    folder, address = lab
    add_cells(folder / NAME, CELL, "print('QUERY', explorer.query.to_json())")
    return address.replace(NOTEBOOK, NAME)


def test_a_filter_is_made_saved_and_loaded(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    _by_mouse(page, _bar(page), shots)
    bar = _bar(page)
    _filter_by_keyboard(page, bar)
    assert _query(page) == TaskRunQuery(state_type="FAILED", flow="daily_ingest", since="1d")
    _save_and_load_by_keyboard(page, bar)
    assert _query(page) == TaskRunQuery(state_type="FAILED", flow="daily_ingest", since="1d")
    expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(2)  # no key was one of JupyterLab's
    _fits_and_takes_the_theme(page, _bar(page), shots)


def _by_mouse(page: Page, bar: Locator, shots: Path) -> None:
    bar.get_by_role("button", name="Failed").click()
    bar.get_by_role("button", name="Crashed").click()
    expect(_chips(bar)).to_have_text(["stateFailed, Crashed"])
    _add(bar, "Tags: any of")
    field = bar.get_by_role("combobox", name="Tags: any of")
    expect(field).to_be_focused()
    bar.get_by_role("option", name="prod").click()
    field.fill(HOSTILE)
    field.press("Enter")
    bar.get_by_role("button", name="Done").click()
    expect(field).not_to_be_visible()
    _add(bar, "Flow")
    expect(bar.get_by_text("daily_ingest", exact=True)).to_be_visible()
    bar.screenshot(path=shots / "filters-field.png")
    bar.get_by_role("option", name="daily_ingest").click()
    bar.get_by_label("Time", exact=True).select_option("Last 7 days")
    wanted = TaskRunQuery(state_type=["FAILED", "CRASHED"], tags_any=["prod", HOSTILE], flow="daily_ingest", since="7d")
    expect(_chips(bar)).to_have_text(["stateFailed, Crashed", f"tags anyprod, {HOSTILE}", "flowdaily_ingest"])
    assert _query(page) == wanted

    bar.get_by_role("button", name="Remove tags any").click()
    expect(_chips(bar)).to_have_text(["stateFailed, Crashed", "flowdaily_ingest"])
    bar.get_by_role("button", name="Presets").click()
    bar.get_by_label("Name to save the filter under").fill(HOSTILE)
    bar.get_by_role("button", name="Save").click()
    expect(bar.get_by_text(f"Saved “{HOSTILE}”.")).to_be_visible()
    page.screenshot(path=shots / "filters-presets.png")
    page.keyboard.press("Escape")
    bar.get_by_role("button", name="Clear").click()
    expect(_chips(bar)).to_have_count(0)
    assert _query(page) == TaskRunQuery(since="7d")
    bar.get_by_role("button", name="Presets").click()
    bar.get_by_role("button", name=HOSTILE, exact=True).click()
    expect(_chips(bar)).to_have_text(["stateFailed, Crashed", "flowdaily_ingest"])
    expect(bar.get_by_label("The filter as JSON")).to_have_value(re.compile("daily_ingest"))
    assert query_from_json(bar.get_by_label("The filter as JSON").input_value()) == wanted.replace(tags_any=None)
    bar.get_by_label("The filter as JSON").fill('{"kind": "task_run", "stat": 1}')
    bar.get_by_role("button", name="Apply").click()
    expect(bar.get_by_text("no criterion 'stat'")).to_be_visible()
    bar.get_by_label("The filter as JSON").fill('{"kind": "flow_run", "since": "1d"}')
    bar.get_by_role("button", name="Apply").click()
    expect(_chips(bar)).to_have_count(0)
    bar.get_by_role("button", name=f"Delete {HOSTILE}").click()
    expect(bar.get_by_role("button", name=HOSTILE, exact=True)).to_have_count(0)


def _filter_by_keyboard(page: Page, bar: Locator) -> None:
    keys = page.keyboard
    bar.get_by_role("button", name="Task runs").focus()
    _tab_to(page, "+ Filter")
    keys.press("Enter")
    keys.type("state type")
    keys.press("Enter")
    expect(bar.get_by_role("button", name="Scheduled")).to_be_focused()
    for _ in range(6):
        keys.press("ArrowRight")
    keys.press("Space")
    expect(_chips(bar)).to_have_text(["stateFailed"])

    _open(page, bar, "tags any")
    expect(bar.get_by_role("option", name="prod")).to_be_visible()
    keys.type("pro")
    keys.press("ArrowDown")
    keys.press("Enter")
    keys.type("free text")
    keys.press("Enter")
    keys.press("Escape")  # the list
    keys.press("Escape")  # the field
    expect(_chips(bar)).to_have_text(["stateFailed", re.compile("^tags any.+, free text$")])
    expect(_chips(bar).nth(1)).to_be_focused()

    _open(page, bar, "where flow")
    expect(bar.get_by_text("daily_ingest", exact=True)).to_be_visible()
    keys.type("daily")
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(_chips(bar)).to_have_count(3)
    keys.press("Escape")
    keys.press("Escape")
    expect(_chips(bar).nth(2)).to_be_focused()
    keys.press("ArrowLeft")
    keys.press("Delete")
    expect(_chips(bar)).to_have_text(["stateFailed", "flowdaily_ingest"])
    expect(_chips(bar).nth(1)).to_be_focused()
    keys.press("Enter")
    expect(bar.get_by_role("combobox", name="Flow", exact=True)).to_be_focused()
    keys.press("Escape")
    keys.press("Escape")


def _save_and_load_by_keyboard(page: Page, bar: Locator) -> None:
    keys = page.keyboard
    bar.get_by_role("button", name="Task runs").focus()
    _tab_to(page, "Presets ▾")
    keys.press("Enter")
    expect(bar.get_by_role("button", name="Failed in the last 24 h")).to_be_focused()
    bar.get_by_label("Name to save the filter under").focus()
    keys.type("mine")
    keys.press("Enter")
    expect(bar.get_by_text("Saved “mine”.")).to_be_visible()
    keys.press("Escape")
    expect(bar.get_by_role("button", name="Presets")).to_be_focused()
    bar.get_by_label("Time", exact=True).focus()
    keys.press("Home")
    expect(bar.get_by_label("Time", exact=True)).to_have_value(re.compile("Last 15 min"))
    assert _query(page) == TaskRunQuery(state_type="FAILED", flow="daily_ingest", since="15m")
    bar.get_by_role("button", name="Presets").focus()
    keys.press("Enter")
    keys.press("ArrowUp")
    expect(bar.get_by_role("button", name="mine", exact=True)).to_be_focused()
    keys.press("Enter")
    expect(bar.get_by_text("Loaded “mine”.")).to_be_visible()
    keys.press("Delete")
    expect(bar.get_by_role("button", name="mine", exact=True)).to_have_count(0)
    keys.press("Escape")


def _fits_and_takes_the_theme(page: Page, bar: Locator, shots: Path) -> None:
    bar.get_by_role("button", name="Failed").click()
    _add(bar, "Tags: any of")
    page.keyboard.type("etl\nprod\n")
    expect(bar.get_by_role("option", name="prod")).to_be_visible()
    page.keyboard.press("Escape")
    for width in (1600, 1300, 750):
        page.set_viewport_size({"width": width, "height": 1000})
        wait_until_it_fits(bar)
        overlaps = bar.evaluate(OVERLAPS)
        assert not overlaps, (width, overlaps)
        bar.get_by_role("button", name="+ Filter").click()
        expect(bar.get_by_role("option", name="Flow", exact=True)).to_be_visible()
        box = bar.get_by_role("dialog", name="Add a filter").bounding_box()
        assert box
        assert 0 <= box["x"] <= width - box["width"]
        page.screenshot(path=shots / f"filters-{width}.png")
        page.keyboard.press("Escape")
    set_theme(page, "JupyterLab Dark")
    expect(page.locator(".nbviz").first).to_have_class(re.compile("nbviz-dark"))
    bar.get_by_role("button", name="+ Filter").click()
    page.screenshot(path=shots / "filters-dark.png")
    page.keyboard.press("Escape")


OVERLAPS = """element => {
  const all = [...element.querySelectorAll("button, input, select")].filter((one) => one.getClientRects().length);
  const boxes = all.map((one) => [one, one.getBoundingClientRect()]);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  return boxes.flatMap(([one, a], at) =>
    boxes.slice(at + 1).filter(([other, b]) => meet(a, b) && !one.contains(other)).map(([other]) =>
      `${one.textContent || one.placeholder} on ${other.textContent || other.placeholder}`));
}"""
"""The controls that lie on one another."""


def _bar(page: Page) -> Locator:
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    last = page.locator(".jp-Notebook .jp-CodeCell").last.locator(".jp-OutputArea-output")
    expect(last).to_have_text(re.compile(r'^QUERY \{\s+"kind": "task_run",\s+"since": "1d"\s+\}\s*$'), timeout=PATIENCE)
    bar = page.locator(".nbviz-controls").first
    expect(bar.get_by_role("button", name="+ Filter")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".jp-InputPrompt", has_text="[*]")).to_have_count(0, timeout=PATIENCE)
    expect(bar.get_by_role("button", name="Failed")).to_be_visible()
    return bar


def _chips(bar: Locator) -> Locator:
    return bar.locator(".nbviz-chip-face")


def _add(bar: Locator, label: str) -> None:
    bar.get_by_role("button", name="+ Filter").click()
    bar.get_by_role("option", name=label, exact=True).click()


def _open(page: Page, bar: Locator, typed: str) -> None:
    """Open a field by its name, from the button that has the focus or is the next that is reached."""
    bar.get_by_role("button", name="+ Filter").focus()
    page.keyboard.press("Enter")
    page.keyboard.type(typed)
    page.keyboard.press("Enter")


def _tab_to(page: Page, text: str) -> None:
    for _ in range(16):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == text:
            return
    pytest.fail(f"Tab does not reach {text!r}.")


def _query(page: Page) -> RunQuery:
    """Ask Python what the controls say."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").last
    before = cell.locator(".jp-InputPrompt").inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt")).not_to_have_text(before)
    expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\d"))
    output = cell.locator(".jp-OutputArea-output")
    expect(output).to_contain_text("QUERY")
    query: RunQuery = query_from_json(output.inner_text().removeprefix("QUERY "))
    return query
