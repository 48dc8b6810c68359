"""The explorer in JupyterLab, in a real browser: views that are linked, looks again while a cell runs, ways on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from notebook_page import PATIENCE, add_cells, find_button
from playwright.sync_api import Locator, Page, expect

from prefect_nbviz.demo.lab import NOTEBOOK
from prefect_nbviz.demo.server import PrivateServer

pytestmark = [pytest.mark.browser, pytest.mark.server]

NAME = "explorer.ipynb"
EXPLORE = """\
import time
import prefect_nbviz as nbv
explorer = nbv.explore(state_type=["FAILED", "CRASHED", "CANCELLED"])
explorer
"""
CHOSEN = """\
chosen = explorer.selection
print("CHOSEN", len(chosen), *(sorted({*chosen[word]}) for word in ("flow_name", "state_name", "name")))
"""
LIVE = 'explorer.controls.value = nbv.TaskRunQuery(since="1d")'
BUSY = "while not explorer.frame.name.eq('stitch').any(): time.sleep(0.1)\nprint('STITCHED')"
PARTIAL = 'explorer.controls.value = nbv.TaskRunQuery(since="1d", limit=5)'
UNREACHABLE = """\
lost = nbv.explore(connection=nbv.Connection("http://127.0.0.1:9/api"))
lost
"""
FLOW = """\
from prefect import flow, task

@task(task_run_name="stitch")
def stitch():
    pass

@flow
def quilt():
    stitch()

quilt()
"""
COUNTS = "How many runs are in which state"
TIMELINE = "Which run was in which state when"
DIMMED = """plot => [...plot.querySelectorAll(".point path, path.point")]
  .filter((path) => path.getBoundingClientRect().width && getComputedStyle(path).opacity < 0.5).length"""
MEANT = """(plot, state) => {
  const trace = plot._fullData.findIndex(({ name }) => name === state);
  const { x, y, orientation } = plot._fullData[trace];
  const [groups, runs] = (orientation === "h" ? [y, x] : [x, y]).map((all) => [...all]);
  const point = runs.findIndex((number) => number > 0);
  return { trace, point, runs: runs[point], group: String(groups[point]) };
}"""
"""Which is the first bar of a state, and what it says."""


@pytest.fixture(scope="module")
def address(lab: tuple[Path, str]) -> str:
    folder, address = lab
    add_cells(folder / NAME, EXPLORE, CHOSEN, LIVE, BUSY, PARTIAL, UNREACHABLE)
    return address.replace(NOTEBOOK, NAME)


def test_what_is_chosen_in_a_view_is_chosen_in_all(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    explorer = _begin(page)
    explorer.screenshot(path=shots / "explorer-invitation.png")
    _load(explorer)
    rows = explorer.locator("table.nbviz-grid tbody tr")
    marked = explorer.locator('table.nbviz-grid tbody tr[aria-selected="true"]')
    runs = rows.count()

    row = rows.filter(has_text="negative amount").first
    name = row.locator("td").nth(1).inner_text()
    row.click()
    panel = explorer.locator(".nbviz-run")
    expect(panel.get_by_role("heading", level=3)).to_have_text(name)
    expect(panel.locator(".nbviz-run-state")).to_contain_text("Failed")
    expect(panel.locator(".nbviz-message")).to_contain_text("negative amount in order")
    _is_chosen(page, rf"1 \['billing_rollup'\] \['Failed'\] \['{name}'\]")

    _tab(explorer, "Counts")
    counts = _chart(explorer, COUNTS)
    meant = _click_bar(page, counts, "Failed")
    _is_chosen(page, rf"{meant['runs']} \[.*\] \['Failed'\]")
    explorer.get_by_label("Count by").select_option("Flow")
    expect(counts.locator(".gtitle").first).to_contain_text("flow")
    meant = _click_bar(page, counts, "Crashed")
    _is_chosen(page, rf"{meant['runs']} \['{meant['group']}'\] \['Crashed'\]")
    assert counts.evaluate(DIMMED) > 0
    explorer.screenshot(path=shots / "explorer-counts.png")

    _tab(explorer, "Timeline")
    timeline = _chart(explorer, TIMELINE)
    expect(timeline.locator(".yaxislayer-above .ytick")).to_have_count(runs)
    _pause(page)
    ends = timeline.locator(".scatterlayer .trace").last.locator("path.point")
    ends.last.click(force=True)  # plotly takes it on a layer above
    _is_chosen(page, r"1 \[.*\] \['\w+'\] \['[\w-]+'\]")
    assert timeline.evaluate(DIMMED) > 0
    explorer.screenshot(path=shots / "explorer-timeline.png")

    _tab(explorer, "Errors")
    group = explorer.locator(".nbviz-errors-list button", has_text="negative amount")
    group.click()
    expect(group).to_have_attribute("aria-pressed", "true")
    failed = int(group.locator(".nbviz-message-runs").inner_text())
    _is_chosen(page, rf"{failed} \['billing_rollup'\] \['Failed'\]")
    _tab(explorer, "Table")
    expect(marked).to_have_count(failed)
    expect(explorer.get_by_role("button", name=f"{failed} selected")).to_be_visible()

    _follow_and_come_back(explorer, runs, shots)


def test_it_looks_again_while_a_cell_runs(
    notebook: Callable[..., Page], demo_server: PrivateServer, shots: Path
) -> None:
    page = notebook()
    explorer = _begin(page)
    _run(page, 2)
    _load(explorer)
    explorer.get_by_role("button", name="Name", exact=True).click()
    explorer.get_by_label("Search the columns shown").fill("i")
    rows = explorer.locator("table.nbviz-grid tbody tr")
    body = explorer.locator(".nbviz-rows")
    body.evaluate("body => { body.scrollTop = 400 }")
    chosen = rows.nth(20)
    chosen.click()
    kept = chosen.get_attribute("data-id")
    seen = rows.count()
    top = body.evaluate("body => body.scrollTop")

    live = explorer.get_by_role("button", name="Live")
    live.click()
    expect(explorer.get_by_text("● live, every")).to_be_visible()
    expect(live).to_have_class(re.compile("mod-active"))
    _run(page, 3)
    expect(page.locator(".jp-InputPrompt").nth(3)).to_have_text("[*]:")
    demo_server.run("-c", FLOW, log=demo_server.home / "quilt.log")
    told = explorer.locator(".nbviz-line", has_text="● live")
    expect(told).to_contain_text(re.compile(r" · 1 new"), timeout=PATIENCE)
    expect(rows.filter(has_text="stitch")).to_have_count(1)
    expect(_output(page, 3)).to_contain_text("STITCHED", timeout=PATIENCE)
    assert rows.count() >= seen
    expect(explorer.locator('tr[aria-selected="true"]')).to_have_attribute("data-id", str(kept))
    expect(explorer.get_by_label("Search the columns shown")).to_have_value("i")
    expect(explorer.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    assert body.evaluate("body => body.scrollTop") == top
    explorer.screenshot(path=shots / "explorer-live.png")

    find_button(explorer, "Pause").click()
    expect(explorer.get_by_text(re.compile(r"^Paused at .*, (no|\d+) changes? waiting"))).to_be_visible()
    with page.expect_download() as download:
        find_button(explorer, "Report").click()
    assert re.fullmatch(r"task_runs_[-\d_]+\.html", download.value.suggested_filename)
    assert "<title>Task runs: last 24 h" in Path(download.value.path()).read_text()
    explorer.screenshot(path=shots / "explorer-paused.png")
    find_button(explorer, "Resume").click()
    expect(explorer.get_by_text("● live, every")).to_be_visible()
    live.click()
    expect(find_button(explorer, "Pause")).to_be_hidden()
    expect(explorer.get_by_text("● live, every")).to_have_count(0)


def test_it_says_what_to_do_where_there_is_nothing(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    explorer = _begin(page)
    explorer.get_by_label("Name contains").fill("no such run")
    explorer.locator("button.mod-primary").click()
    expect(explorer.get_by_text(re.compile(r"^No task runs match these \d filters\.$"))).to_be_visible(timeout=PATIENCE)
    way = explorer.get_by_role("button", name="without name like: no such run")
    explorer.screenshot(path=shots / "explorer-empty.png")
    runs = int(way.inner_text().split()[0])
    way.click()
    expect(explorer.locator("table.nbviz-grid tbody tr")).to_have_count(runs)
    expect(explorer.get_by_label("Name contains")).to_have_value("")

    _run(page, 4)
    _load(explorer)
    expect(
        explorer.get_by_text(re.compile(r"^Showing the first 5 of \d+ task runs · .* · not complete$"))
    ).to_be_visible()
    explorer.screenshot(path=shots / "explorer-partial.png")
    explorer.get_by_role("button", name="Load all").click()
    expect(explorer.get_by_text(re.compile(r"^\d+ task runs · last 24 h · .* · complete$"))).to_be_visible()

    _run(page, 5)
    lost = page.locator(".nbviz-screen").nth(1)
    page.locator(".nbviz button.mod-primary").nth(1).click()
    expect(lost.locator(".nbviz-error")).to_contain_text("http://127.0.0.1:9/api", timeout=PATIENCE)
    expect(lost.get_by_text("Press Load to read task runs of the last 24 h")).to_be_visible()
    lost.screenshot(path=shots / "explorer-unreachable.png")


def test_the_keyboard_is_enough(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    explorer = _begin(page)
    explorer.get_by_role("button", name="Task runs").focus()
    crashed = explorer.get_by_role("button", name=re.compile("^Crashed"))
    _press_until(page, "Tab", crashed)
    page.keyboard.press("Space")
    expect(crashed).to_have_attribute("aria-pressed", "false")
    load = explorer.locator("button.mod-primary")
    _press_until(page, "Shift+Tab", load)
    page.keyboard.press("Enter")
    _is_loaded(explorer)
    expect(explorer.get_by_text(re.compile(r"^\d+ of \d+ task runs · FAILED, CANCELLED · "))).to_be_visible()

    tab = explorer.get_by_role("tab", name="Table")
    _press_until(page, "Tab", tab)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(explorer.get_by_role("tab", name="Counts")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    rows = explorer.locator("table.nbviz-grid tbody tr")
    _press_until(page, "Tab", rows.first)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    expect(rows.nth(1)).to_be_focused()
    name = rows.nth(1).locator("td").nth(1).inner_text()
    expect(explorer.locator(".nbviz-run").get_by_role("heading", level=3)).to_have_text(name)
    explorer.screenshot(path=shots / "explorer-keyboard.png")


def _begin(page: Page) -> Locator:
    """Show the explorer, which has loaded nothing."""
    _run(page, 0)
    explorer = page.locator(".nbviz").first
    expect(explorer.get_by_text("Press Load to read task runs")).to_be_visible(timeout=PATIENCE)
    return explorer


def _run(page: Page, cell: int) -> None:
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").nth(cell).click()
    page.keyboard.press("Control+Enter")


def _output(page: Page, cell: int) -> Locator:
    return page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".jp-OutputArea-output")


def _load(explorer: Locator) -> None:
    explorer.locator("button.mod-primary").click()
    _is_loaded(explorer)


def _is_loaded(explorer: Locator) -> None:
    expect(explorer.get_by_text("Press Load")).to_have_count(0)
    expect(explorer.get_by_text(re.compile("Filters changed"))).to_have_count(0)
    expect(explorer.locator(".nbviz-dim")).to_have_count(0, timeout=PATIENCE)
    expect(explorer.locator("button.mod-primary")).to_be_visible()


def _is_chosen(page: Page, what: str) -> None:
    """Say in Python which runs are chosen, and look at what it says."""
    before = page.locator(".jp-InputPrompt").nth(1).inner_text()
    _run(page, 1)
    expect(page.locator(".jp-InputPrompt").nth(1)).not_to_have_text(before)
    expect(_output(page, 1)).to_contain_text(re.compile(f"CHOSEN {what}"))


def _follow_and_come_back(explorer: Locator, runs: int, shots: Path) -> None:
    rows = explorer.locator("table.nbviz-grid tbody tr")
    explorer.get_by_role("button", name="All task runs of its flow run").click()
    expect(explorer.get_by_text(re.compile(r"^\d+ task runs · flow runs: .* · complete$"))).to_be_visible()
    expect(rows).not_to_have_count(runs)
    expect(explorer.locator('tr[aria-selected="true"]').first).to_be_visible()
    explorer.screenshot(path=shots / "explorer-followed.png")
    explorer.get_by_role("button", name="Back").click()
    expect(rows).to_have_count(runs)
    expect(explorer.get_by_role("button", name="Back")).to_be_hidden()


def _tab(explorer: Locator, name: str) -> None:
    explorer.get_by_role("tab", name=name, exact=True).click()


def _chart(explorer: Locator, description: str) -> Locator:
    return explorer.get_by_label(description, exact=True)


def _click_bar(page: Page, chart: Locator, state: str) -> dict[str, object]:
    """Click the first bar of a state, and give what it says."""
    expect(chart.locator(".barlayer .point path").first).to_be_visible()
    meant: dict[str, object] = chart.evaluate(MEANT, state)
    _pause(page)
    bars = chart.locator(".barlayer .trace").nth(int(str(meant["trace"])))
    bars.locator(".point").nth(int(str(meant["point"]))).locator("path").click(force=True)
    return meant


def _pause(page: Page) -> None:
    """Let so much time go by that plotly does not take a click for the second of two."""
    page.wait_for_timeout(350)


def _press_until(page: Page, key: str, wanted: Locator) -> None:
    for _ in range(60):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    expect(wanted).to_be_focused()
