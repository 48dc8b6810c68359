"""The table of runs in JupyterLab, in a real browser: sorted, searched, selected, columns chosen, saved."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from benchmarks import made_frames
from notebook_page import PATIENCE, add_cells, wait_until_it_fits
from playwright.sync_api import Locator, Page, expect

from prefect_nbviz.demo.lab import NOTEBOOK
from prefect_nbviz.demo.samples import HOSTILE_NAME

pytestmark = [pytest.mark.browser, pytest.mark.server]

TESTS = Path(__file__).parents[1]
NAME = "table.ipynb"
ROWS = 450
SHOW = f"""\
import sys
sys.path.insert(0, {str(TESTS)!r})
import ipywidgets as ipw
import pandas as pd
from benchmarks import made_frames
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.table import RunTable
runs = made_frames.task_runs({ROWS})
runs.loc[2, "name"] = {HOSTILE_NAME!r}
runs.loc[3, "duration"] = pd.Timedelta("2h")
table = RunTable()
table.show(runs)
ipw.VBox([Page(), table], _dom_classes=("nbviz",))
"""
TELL = 'print("TOLD", [runs.index[runs["task_run_id"] == one][0] for one in table.selected])'
MARK = 'table.selected = (runs["task_run_id"][430],)'
AGAIN = """\
table.show(runs.copy())
changed = runs.copy()
changed.loc[429, "name"] = "renamed"
table.show(changed)
"""
FEW = "table.show(runs.head(3))"
NONE = "table.show(runs.head(0))"


@pytest.fixture(scope="module")
def address(lab: tuple[Path, str]) -> str:
    folder, address = lab
    add_cells(folder / NAME, SHOW, TELL, MARK, AGAIN, FEW, NONE)
    return address.replace(NOTEBOOK, NAME)


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    """The frame that the notebook shows."""
    frame = made_frames.task_runs(ROWS)
    frame.loc[2, "name"] = HOSTILE_NAME
    frame.loc[3, "duration"] = pd.Timedelta("2h")
    return frame


def test_it_is_sorted_searched_and_selected(
    notebook: Callable[..., Page], runs: pd.DataFrame, shots: Path, tmp_path: Path
) -> None:
    page = notebook()
    table = _show(page)
    expect(table.locator("tbody tr")).to_have_count(200)
    expect(table).to_contain_text(f"Rows 1 to 200 of {ROWS}")
    expect(table.locator("tbody")).to_contain_text(HOSTILE_NAME)
    table.screenshot(path=shots / "table-many.png")

    _sort(table, "Duration")
    _sort(table, "Duration")
    by_length = runs.sort_values("duration", ascending=False, na_position="last", kind="stable")
    assert _names(table)[:20] == [*by_length["name"].head(20)]
    expect(table.locator("tbody tr").first).to_contain_text("2 h")
    table.get_by_label("Search the columns shown").fill("FAILED score")
    found = by_length[(by_length["state_name"] == "Failed") & by_length["name"].str.startswith("score")]
    assert len(found) > 3
    assert _names(table) == [*found["name"]]
    expect(table).to_contain_text(f"{len(found)} rows · found in {ROWS}")
    table.screenshot(path=shots / "table-searched.png")

    rows = table.locator("tbody tr")
    rows.nth(0).click()
    rows.nth(2).click(modifiers=["Shift"])
    rows.nth(1).click(modifiers=["Control"])
    assert _told(page) == [found.index[0], found.index[2]]
    saved = _saved(page, table, tmp_path)
    assert saved[0][:4] == ["state_type", "state_name", "name", "flow_run_name"]
    assert [row[2] for row in saved[1:]] == [*found["name"]]
    assert [pd.Timedelta(row[5]) for row in saved[1:]] == [*found["duration"]]


def test_the_keyboard_reaches_and_selects(notebook: Callable[..., Page], runs: pd.DataFrame, shots: Path) -> None:
    page = notebook()
    table = _show(page)
    table.get_by_role("button", name="Tags").focus()
    page.keyboard.press("Tab")
    for key in ("ArrowDown", "ArrowDown", "Space", "ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect(table.locator("tbody tr:focus-visible")).to_have_attribute("aria-rowindex", "6")
    table.screenshot(path=shots / "table-focus.png")
    assert _told(page) == [2, 3, 4]
    table.locator("tbody tr").nth(4).focus()
    page.keyboard.press("Control+a")
    expect(table).to_contain_text(f"{ROWS} selected")
    page.keyboard.press("End")
    expect(table).to_contain_text("Page 3 of 3")
    expect(table.locator("tbody tr:focus")).to_have_attribute("aria-rowindex", str(ROWS + 1))
    page.keyboard.press("Escape")
    expect(table.locator('[aria-selected="true"]')).to_have_count(0)
    assert _told(page) == []


def test_what_a_person_chose_outlives_new_rows_and_a_narrow_cell_scrolls(
    notebook: Callable[..., Page], shots: Path
) -> None:
    page = notebook()
    table = _show(page)
    table.get_by_role("button", name="Columns").click()
    table.get_by_label("Task key").check()
    table.get_by_label("Message").uncheck()
    table.screenshot(path=shots / "table-columns.png")
    page.keyboard.press("Escape")
    titles = ["State", "Name", "Flow run", "Start", "Duration", "Attempts", "Flow", "Tags", "Task key"]
    expect(table.locator("thead th")).to_have_text(titles)

    table.evaluate("table => { table.hidden = true; }")  # as in a tab that is not open
    _run(page, MARK)
    table.evaluate("table => { table.hidden = false; }")
    table.scroll_into_view_if_needed()  # the notebook itself is not to move
    marked = table.locator('[aria-selected="true"]')
    expect(marked).to_have_attribute("aria-rowindex", "432")
    expect(marked).to_be_in_viewport()
    expect(table).to_contain_text("Page 3 of 3")
    assert not table.evaluate("table => table.contains(document.activeElement)")
    top = table.locator(".nbviz-rows").evaluate("rows => rows.scrollTop")
    assert top > 0
    _run(page, AGAIN)
    expect(table.locator("tbody .nbviz-changed")).to_contain_text("renamed")
    expect(table.locator("tbody .nbviz-changed")).to_have_count(1)
    assert table.locator(".nbviz-rows").evaluate("rows => rows.scrollTop") == top
    expect(table).to_contain_text("Page 3 of 3")
    expect(table.locator("thead th")).to_have_text(titles)
    expect(marked).to_have_attribute("aria-rowindex", "432")
    table.screenshot(path=shots / "table-changed.png")
    page.set_viewport_size({"width": 700, "height": 1100})
    rows = table.locator(".nbviz-rows")
    wait_until_it_fits(table)
    assert rows.evaluate("rows => rows.scrollWidth > rows.clientWidth"), "too narrow: it scrolls"
    rows.evaluate("rows => rows.scrollTo(0, 300)")
    head, body = (table.locator(one).first.bounding_box() for one in ("thead th", ".nbviz-rows"))
    assert head
    assert body
    assert abs(head["y"] - body["y"]) < 3, "the header stays"
    table.screenshot(path=shots / "table-narrow.png")
    _run(page, FEW)
    expect(table).to_contain_text(f"3 rows · 3 runs drawn, of {ROWS} that match")
    table.screenshot(path=shots / "table-few.png")
    _run(page, NONE)
    expect(table.locator("tbody")).to_have_text("No rows.")
    table.screenshot(path=shots / "table-empty.png")


def _run(page: Page, source: str) -> Locator:
    """Run the cell that has a source, and give what it puts out."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth([SHOW, TELL, MARK, AGAIN, FEW, NONE].index(source))
    prompt = cell.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(prompt).not_to_have_text(before, timeout=PATIENCE)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=PATIENCE)
    return cell.locator(".jp-OutputArea-output")


def _show(page: Page) -> Locator:
    _run(page, SHOW)
    table = page.locator(".nbviz-table")
    expect(table.locator("tbody tr").first).to_be_visible()
    return table


def _told(page: Page) -> list[int]:
    """Give the numbers of the rows that Python knows as selected."""
    told: list[int] = ast.literal_eval(_run(page, TELL).inner_text().replace("TOLD ", ""))
    return told


def _sort(table: Locator, column: str) -> None:
    table.get_by_role("button", name=column, exact=True).click()


def _names(table: Locator) -> list[str]:
    return table.locator("tbody td:nth-child(2)").all_text_contents()


def _saved(page: Page, table: Locator, folder: Path) -> list[list[str]]:
    with page.expect_download() as download:
        table.get_by_role("button", name="CSV").click()
    assert re.fullmatch(r"task_runs_\d{4}-\d\d-\d\d_\d{6}\.csv", download.value.suggested_filename)
    download.value.save_as(folder / "saved.csv")
    with (folder / "saved.csv").open(encoding="utf-8", newline="") as file:
        return [*csv.reader(file)]
