"""What a timeline of 1,000,000 intervals costs in a real notebook: JupyterLab in Chromium.

    python tests/benchmarks/timeline.py [--runs 200000] [--zooms 9]

A kernel makes the intervals with numpy. Then one cell makes a `StateTimeline` and shows it, and what is
timed goes from the first line of that cell, imports included, to the browser's second frame after
its picture is in the page: kernel and browser read the same clock. The payload is the figure's JSON.

A zoom is a drag with the mouse over a part of the plot; it is timed from the release of the button to the
second frame after the new picture is there. Three parts, one in the other: some days, some
hours, some minutes; a double click goes back. The longest time between two frames meanwhile says whether the
page froze. Beside it `px.timeline` of 10,000 of the same stays, shown by plotly's own renderer and timed in the
same way. Goals: 2 s to the first picture, 1 MB, 0.3 s for a zoom.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect, sync_playwright

from prefect_nbviz.demo.lab import NOTEBOOK, PrivateLab

sys.path.insert(0, str(Path(__file__).parents[1]))

from long_history import STEPS
from notebook_page import ARGUMENTS, PATIENCE, add_cells, find_chromium, open_notebook

TESTS = Path(__file__).parents[1]
MAKE = """\
import sys
sys.path.insert(0, {tests!r})
from long_history import long_history
import prefect_nbviz as nbv
spans = long_history({runs})
print("MADE", len(spans))
"""
SHOW = """\
import time
begin = time.time()
timeline = nbv.StateTimeline(spans)
timeline
"""
TELL = 'print("BEGAN", begin, len(timeline.chart.figure))'
PLAIN = """\
begin = time.time()
import plotly.express as px
part = spans[spans["duration"] > "0s"].head(10_000)
px.timeline(part, x_start="start_time", x_end="end_time", y="run_name", color="state_name")
"""
TELL_PLAIN = 'print("BEGAN", begin, 0)'

WATCH = """\
() => {
  const stage = { drawn: 0, released: 0, longest: 0, last: performance.now() };
  window.stage = stage;
  const now = () => performance.timeOrigin + performance.now();
  const frame = (time) => {
    stage.longest = Math.max(stage.longest, time - stage.last);
    stage.last = time;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const noted = () => requestAnimationFrame(() => requestAnimationFrame(() => { stage.drawn = now(); }));
  const shows = (node) => node.matches?.(".bars, .layer-above image") || node.querySelector?.(".bars .point, image");
  new MutationObserver((changes) => {
    const isNew = (change) => change.attributeName === "xlink:href" || change.attributeName === "href"
      ? change.target.matches("image") : [...change.addedNodes].some(shows);
    if (changes.some(isNew)) noted();
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["href", "xlink:href"] });
  addEventListener("pointerup", () => { stage.released = now(); stage.drawn = 0; stage.longest = 0; }, true);
}
"""


PARTS = ((0.45, 0.6), (0.45, 0.5), (0.45, 0.465))
"""What three zooms keep of a plot's width: a day, an hour, a minute."""


def run(page: Page, place: int) -> Locator:
    """Run a cell, and give what it puts out."""
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(place)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=PATIENCE)
    return cell.locator(".jp-OutputArea-output")


def drawn(page: Page) -> dict[str, float]:
    """Give the times of what happened, in milliseconds, once something is drawn and nothing more follows."""
    page.wait_for_function("stage.drawn > 0", timeout=PATIENCE)
    page.wait_for_timeout(500)
    stage: dict[str, float] = page.evaluate("({ ...stage })")
    return stage


def first_picture(page: Page, place: int) -> tuple[float, int]:
    """Run a cell that shows a chart: give the seconds to its picture, and the bytes that the next cell says."""
    page.evaluate("stage.drawn = 0")
    run(page, place)
    end = drawn(page)["drawn"] / 1_000
    _, begin, size = run(page, place + 1).inner_text().split()
    return end - float(begin), int(size)


def zoom(page: Page, part: tuple[float, float]) -> tuple[float, float]:
    """Drag over a part of the plot: give the milliseconds to the new picture, and of the longest frame."""
    plot = page.locator(".nbviz-chart .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box() or {}
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + part[0] * box["width"], height)
    page.mouse.down()
    page.mouse.move(box["x"] + part[1] * box["width"], height, steps=4)
    page.mouse.up()
    stage = drawn(page)
    return stage["drawn"] - stage["released"], stage["longest"]


def zooms(page: Page, times: int) -> list[tuple[float, float]]:
    """Zoom in again and again, and go back with a double click after the last part."""
    found = []
    for number in range(times):
        part = PARTS[number % len(PARTS)]
        found.append(zoom(page, part))
        if part == PARTS[-1]:
            page.locator(".nbviz-chart .nsewdrag").first.dblclick()
            drawn(page)
    return found


def measure(runs: int, times: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        lab = PrivateLab(folder, os.environ, port=None, browser=False)
        notebook = folder / "notebooks" / NOTEBOOK
        notebook.unlink()
        add_cells(notebook, MAKE.format(tests=str(TESTS), runs=runs), SHOW, TELL, PLAIN, TELL_PLAIN)
        with lab:
            address = lab.wait_until_it_answers()
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1300, "height": 1100})
            open_notebook(page, address)
            run(page, 0)
            page.evaluate(WATCH)
            first, size = first_picture(page, 1)
            found = zooms(page, times)
            plain, _ = first_picture(page, 3)
            browser.close()
    took, longest = zip(*found, strict=True)
    return {"first": first, "size": size, "zoom": statistics.median(took), "longest": max(longest), "plain": plain}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--zooms", type=int, default=9)
    arguments = parser.parse_args()
    found = measure(arguments.runs, arguments.zooms)
    print(
        f"timeline of {arguments.runs * STEPS:,} intervals: first picture {found['first']:.2f} s (goal 2.00), "
        f"payload {found['size'] / 1e6:.2f} MB (goal 1.00), zoom {found['zoom'] / 1e3:.2f} s (goal 0.30, median of "
        f"{arguments.zooms}), longest frame in a zoom {found['longest'] / 1e3:.2f} s; "
        f"px.timeline of 10,000: {found['plain']:.2f} s"
    )


if __name__ == "__main__":
    main()
