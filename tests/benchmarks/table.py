"""What a table of 10,000 runs costs in a real notebook: JupyterLab in Chromium.

    python tests/benchmarks/table.py [--runs 10000] [--times 5]

A kernel makes the runs with numpy. Showing them is timed from the call of `RunTable.show` to the browser's second
frame after the rows are in the page: kernel and browser read the same clock. Each click is timed from its event to
the second frame after the page changed: sorting by a column, a search, the next page, a selection (which Python then
has), a column more or less. Medians; the goal is 0.3 s for each.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

from prefect_nbviz.demo.lab import NOTEBOOK, PrivateLab

sys.path.insert(0, str(Path(__file__).parents[1]))

from notebook_page import ARGUMENTS, PATIENCE, add_cells, find_chromium, open_notebook, run_cell

TESTS = Path(__file__).parents[1]
MAKE = """\
import sys, time
sys.path.insert(0, {folder!r})
import ipywidgets as ipw
from made_frames import task_runs
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.table import RunTable
runs, few = task_runs({runs}), task_runs(3)
table = RunTable()
ipw.VBox([Page(), table], _dom_classes=("nbviz",))
"""
SHOW = """\
table.show(few)
time.sleep(1)
begin = time.time()
table.show(runs)
end = time.time()
table.show(runs.copy())
print("BEGAN", begin, end - begin, time.time() - end, table.content["number"])
"""
WATCH = """\
() => {
  window.stage = { began: 0, drawn: 0 };
  const now = () => performance.timeOrigin + performance.now();
  const noted = () => requestAnimationFrame(() => requestAnimationFrame(() => { stage.drawn = now(); }));
  new MutationObserver(noted).observe(document.querySelector(".nbviz-table"), {
    subtree: true, childList: true, attributes: true, attributeFilter: ["aria-selected"],
  });
  for (const kind of ["click", "input"]) addEventListener(kind, () => { stage.began = now(); stage.drawn = 0; }, true);
}
"""


def shown(page: Page) -> tuple[float, float, float]:
    """Show the runs: give the seconds to the drawn rows, those of Python alone, and of showing them again."""
    _, begin, python, again, _ = run_cell(page, 1).inner_text().split()
    page.wait_for_timeout(1_000)
    return page.evaluate("stage.drawn") / 1_000 - float(begin), float(python), float(again)


def clicks(page: Page, act: Callable[[], object]) -> float:
    """Do something, and give the seconds from its event to the second frame after."""
    act()
    page.wait_for_function("stage.drawn > 0", timeout=PATIENCE)
    page.wait_for_timeout(300)
    stage = page.evaluate("({ ...stage })")
    return float(stage["drawn"] - stage["began"]) / 1_000


def acts(table: Locator, turn: int) -> dict[str, Callable[[], object]]:
    field = table.get_by_label("Search the columns shown")
    return {
        "sort": table.get_by_role("button", name="Duration", exact=True).click,
        "search": lambda: field.fill(("failed", "prod", "load")[turn % 3]),
        "no search": lambda: field.fill(""),
        "page": table.get_by_title("Next page").click,
        "select": table.locator("tbody tr").nth(turn + 1).click,
        "column": lambda: table.get_by_label("Task key").set_checked(turn % 2 == 0),
    }


def measure(runs: int, times: int) -> tuple[tuple[float, float, float], dict[str, float]]:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        lab = PrivateLab(folder, os.environ, port=None, browser=False)
        notebook = folder / "notebooks" / NOTEBOOK
        notebook.unlink()
        add_cells(notebook, MAKE.format(folder=str(TESTS / "benchmarks"), runs=runs), SHOW)
        with lab:
            address = lab.wait_until_it_answers()
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1300, "height": 1100})
            open_notebook(page, address)
            run_cell(page, 0)
            table = page.locator(".nbviz-table")
            table.wait_for()
            page.evaluate(WATCH)
            first = [statistics.median(figures) for figures in zip(*(shown(page) for _ in range(times)), strict=True)]
            table.get_by_role("button", name="Columns").click()
            found: dict[str, list[float]] = {}
            for turn in range(times):
                for what, act in acts(table, turn).items():
                    found.setdefault(what, []).append(clicks(page, act))
            browser.close()
    return (first[0], first[1], first[2]), {what: statistics.median(took) for what, took in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    (drawn, python, again), found = measure(arguments.runs, arguments.times)
    took = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in found.items())
    print(
        f"table of {arguments.runs:,} runs: drawn {drawn:.2f} s after show (of which Python {python:.2f} s; the same "
        f"again {again:.2f} s), {took} (goal 0.30 s each, medians of {arguments.times})"
    )


if __name__ == "__main__":
    main()
