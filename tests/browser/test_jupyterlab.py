"""The explorer in JupyterLab, in a real browser, as a person uses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from notebook_page import PATIENCE, add_cells, open_tab, set_theme, wait_until_it_fits
from playwright.sync_api import Locator, Page, expect

from prefect_nbviz.demo.lab import NOTEBOOK
from prefect_nbviz.demo.samples import HOSTILE_NAME

pytestmark = [pytest.mark.browser, pytest.mark.server]

COMPLETE = re.compile(r"^\d+ task runs · last 24 h · .* · complete$")

COUNTS = "How many runs are in which state"
TIMELINE = "Which run was in which state when"

CHECK = """\
expected = nbv.read_task_runs(explorer.query, progress=False)
columns = ["task_run_id", "name", "flow_name", "state_type", "state_name", "start_time", "duration", "tags"]
is_same = explorer.frame[columns].equals(expected[columns])
timeline_ids = sorted(explorer.intervals["run_id"].unique()) == sorted(expected["task_run_id"])
print("VERDICT", explorer.query.state_type, len(expected), is_same, timeline_ids)
"""
"""The last cell: whether the frame is what a read of the query gives, in content and order."""


@pytest.fixture(scope="module")
def address(lab: tuple[Path, str]) -> str:
    folder, address = lab
    add_cells(folder / NOTEBOOK, CHECK)
    return address


def test_a_person_finds_the_failed_runs(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    explorer = _run_all(page)
    expect(explorer.get_by_text(COMPLETE)).to_be_visible()
    explorer.screenshot(path=shots / "loaded.png")

    chip = explorer.get_by_role("button", name=re.compile(r"^Failed \d+$"))
    failed = int((chip.inner_text()).split()[-1])
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(explorer.get_by_text("Filters changed: press Load")).to_be_visible()
    explorer.screenshot(path=shots / "changed.png")
    _load(explorer)

    expect(explorer.get_by_text(re.compile(rf"^{failed} of \d+ task runs · FAILED · last 24 h"))).to_be_visible()
    assert failed > 1
    assert _states_in_table(explorer, failed) == ["failed"] * failed
    explorer.screenshot(path=shots / "table.png")
    open_tab(explorer, "Counts")
    explorer.get_by_label("Count by").select_option("State")
    numbers = _chart(explorer, COUNTS).locator(".barlayer .bartext")
    expect(numbers.first).to_be_visible()
    assert sum(map(int, numbers.all_text_contents())) == failed
    explorer.screenshot(path=shots / "counts.png")
    open_tab(explorer, "Timeline")
    expect(_chart(explorer, TIMELINE).locator(".yaxislayer-above .ytick")).to_have_count(failed)
    explorer.screenshot(path=shots / "timeline.png")

    cell = page.locator(".jp-Notebook .jp-CodeCell").last
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    verdict = f"VERDICT ('FAILED',) {failed} True True"
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text(verdict, timeout=PATIENCE)


def test_names_of_strangers_stay_text(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    explorer = _run_all(page)
    expect(explorer.get_by_text(COMPLETE)).to_be_visible()
    explorer.get_by_label("Name contains").fill("<img")
    _load(explorer)
    expect(explorer.get_by_text("1 task run · ")).to_be_visible()
    expect(explorer.locator("table.nbviz-grid tbody")).to_contain_text(HOSTILE_NAME)
    explorer.screenshot(path=shots / "stranger-table.png")
    saved = page.locator("[class^=nbviz-saved-]")
    expect(saved).to_be_hidden()
    expect(saved).to_contain_text(re.compile(f"Saved picture from .*{re.escape(HOSTILE_NAME)}"))
    open_tab(explorer, "Counts")
    explorer.get_by_label("Count by").select_option("Flow run")
    expect(_chart(explorer, COUNTS).locator(".barlayer .point").first).to_be_visible()
    open_tab(explorer, "Timeline")
    expect(_chart(explorer, TIMELINE).locator(".yaxislayer-above .ytick")).to_have_text([HOSTILE_NAME])
    _chart(explorer, TIMELINE).locator(".scatterlayer .point").first.hover(force=True)
    expect(_chart(explorer, TIMELINE).locator(".hoverlayer")).to_contain_text(HOSTILE_NAME)
    explorer.screenshot(path=shots / "stranger-timeline.png")


def test_it_takes_the_theme_and_the_width_of_the_page(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook(width=700)
    explorer = _run_all(page)
    expect(explorer.get_by_text(COMPLETE)).to_be_visible()
    table = explorer.locator(".nbviz-rows")
    wait_until_it_fits(explorer)
    assert table.evaluate("element => getComputedStyle(element).overflowX") == "auto"
    assert table.evaluate("element => element.scrollWidth > element.clientWidth"), "too narrow: it scrolls"
    explorer.screenshot(path=shots / "narrow.png")
    page.set_viewport_size({"width": 1300, "height": 1100})
    open_tab(explorer, "Counts")
    title = _chart(explorer, COUNTS).locator(".gtitle").first
    expect(title).to_have_css("fill", "rgb(31, 35, 40)")
    set_theme(page, "JupyterLab Dark")
    expect(explorer).to_have_class(re.compile("nbviz-dark"))
    expect(title).to_have_css("fill", "rgb(230, 237, 243)")
    explorer.screenshot(path=shots / "dark-counts.png")
    open_tab(explorer, "Table")
    explorer.screenshot(path=shots / "dark-table.png")
    set_theme(page, "JupyterLab Light")
    open_tab(explorer, "Counts")
    expect(title).to_have_css("fill", "rgb(31, 35, 40)")


def _run_all(page: Page) -> Locator:
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    explorer = page.locator(".nbviz").first
    outputs = page.locator(".jp-Notebook .jp-CodeCell").last.locator(".jp-OutputArea-output")
    expect(outputs).to_contain_text("VERDICT", timeout=PATIENCE)
    expect(page.locator(".jp-InputPrompt", has_text="[*]")).to_have_count(0)
    explorer.scroll_into_view_if_needed()
    return explorer


def _load(explorer: Locator) -> None:
    button = explorer.locator("button.mod-primary")
    expect(button).to_contain_text("Load")
    button.click()
    expect(explorer.get_by_text("Filters changed: press Load")).to_have_count(0)
    expect(explorer.locator(".nbviz-dim")).to_have_count(0, timeout=PATIENCE)
    expect(button).to_be_enabled()


def _chart(explorer: Locator, description: str) -> Locator:
    return explorer.get_by_label(description, exact=True)


def _states_in_table(explorer: Locator, rows: int) -> list[str]:
    cells = explorer.locator("table.nbviz-grid tbody .nbviz-dot")
    expect(cells).to_have_count(rows)
    classes = [cell.get_attribute("class") or "" for cell in cells.all()]
    return [one.rpartition("nbviz-is-")[2].strip() for one in classes]
