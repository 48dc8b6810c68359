"""Notebooks written by tests, the Chromium that shows them, and the explorer as a person finds it there."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 120_000
"""Milliseconds that a kernel's start and a load may take together."""


COMPLETE = re.compile(r"^\d+ (of \d+ )?task runs · .*last 24 h · .*complete$")
TIMELINE = "Which run was in which state when"
ALONE = "import prefect_nbviz as nbv\nnbv.explore(since='1d')"
"""A notebook of the explorer alone."""


def find_chromium() -> str | None:
    """Give where the system's Chromium is."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def add_cells(notebook: Path, *sources: str) -> None:
    """Add cells of code to a notebook, which is made if it is not there."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    made = {"cells": [], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    content = json.loads(notebook.read_text(encoding="utf-8")) if notebook.exists() else made
    for source in sources:
        cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        content["cells"].append(cell | {"id": f"added-{len(content['cells'])}"})
    notebook.write_text(json.dumps(content), encoding="utf-8")


def open_notebook(page: Page, address: str) -> None:
    """Open a notebook in JupyterLab, Notebook 7 or Voila, and wait until its kernel is there."""
    if "/lab/" in address:
        page.goto(f"{address}&reset")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=PATIENCE)
        return
    page.goto(address)
    if "/notebooks/" in address:
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        expect(page.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute(
            "data-status", "idle", timeout=PATIENCE
        )


def run_all(page: Page) -> None:
    """Run all cells, from the menu that JupyterLab and Notebook 7 share; Notebook 7 drops it until a kernel is there."""
    prompt = page.locator(".jp-CodeCell .jp-InputPrompt").first
    for _ in range(20):
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        with suppress(AssertionError):
            expect(prompt).not_to_have_text("[ ]:", timeout=PATIENCE / 20)
            return
    raise AssertionError("No cell was run.")


def find_explorer(page: Page) -> Locator:
    """Give the explorer once it is drawn."""
    explorer = page.locator(".nbviz").first
    expect(find_button(explorer, "Load")).to_be_enabled(timeout=PATIENCE)
    return explorer


def find_button(explorer: Locator, name: str) -> Locator:
    """Give a button by its name, which may have an icon before it."""
    return explorer.get_by_role("button", name=re.compile(rf"^\W*{re.escape(name)}$"))


def load(explorer: Locator) -> None:
    """Press Load and wait for the end of it."""
    find_button(explorer, "Load").click()
    expect(explorer.get_by_text(COMPLETE)).to_be_visible(timeout=PATIENCE)
    expect(find_button(explorer, "Load")).to_be_enabled(timeout=PATIENCE)


def find_state(explorer: Locator, state: str) -> Locator:
    """Give the toggle of a state type, which has a number once runs are loaded."""
    return explorer.get_by_role("button", name=re.compile(rf"^{state} \d+$"))


def find_rows(explorer: Locator) -> Locator:
    """Give the rows of the table that are drawn."""
    return explorer.get_by_role("grid", name="Runs").locator("tbody tr")


def run_cell(page: Page, place: int) -> Locator:
    """Run a cell, wait until no cell runs, and give what it puts out."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(place)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(300)
    expect(page.locator(".jp-InputPrompt", has_text="[*]")).to_have_count(0, timeout=PATIENCE)
    return cell.locator(".jp-OutputArea-output")


def wait_until_it_fits(element: Locator) -> None:
    """Wait until nothing of an element is cut off at the right: a page takes a while to settle in a new width."""
    handle = element.element_handle()
    element.page.wait_for_function("one => one.scrollWidth <= one.clientWidth + 1", arg=handle)


def set_theme(page: Page, theme: str) -> None:
    """Choose a theme from JupyterLab's menu."""
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text(theme, exact=True).first.click()


def open_tab(explorer: Locator, name: str) -> None:
    """Show a view."""
    explorer.get_by_role("tab", name=name, exact=True).click()


def find_failed_runs(explorer: Locator, shots: Path, front_end: str) -> None:
    """Load all, look at a table and a timeline, choose the failed ones, load those, and see their number said."""
    load(explorer)
    expect(find_rows(explorer).nth(5)).to_be_visible(timeout=PATIENCE)
    explorer.screenshot(path=shots / f"{front_end}-table.png")
    open_tab(explorer, "Timeline")
    expect(explorer.get_by_label(TIMELINE, exact=True).locator(".gtitle").first).to_be_visible(timeout=PATIENCE)
    explorer.screenshot(path=shots / f"{front_end}-timeline.png")
    chip = find_state(explorer, "Failed")
    failed = int(chip.inner_text().split()[-1])
    chip.click()
    load(explorer)
    said = explorer.get_by_text(re.compile(rf"^{failed} (of \d+ )?task runs · FAILED · last 24 h"))
    expect(said).to_be_visible(timeout=PATIENCE)
    open_tab(explorer, "Table")
    expect(find_rows(explorer).locator(".nbviz-is-failed")).to_have_count(failed)
    explorer.screenshot(path=shots / f"{front_end}-failed.png")
    assert failed > 1
