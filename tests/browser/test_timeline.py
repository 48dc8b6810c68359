"""A timeline of a million stays in JupyterLab, in a real browser: drawn, zoomed, and the right hour is shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from notebook_page import PATIENCE, add_cells
from playwright.sync_api import Locator, Page, expect

from prefect_nbviz.demo.lab import NOTEBOOK

pytestmark = [pytest.mark.browser, pytest.mark.server]

TESTS = Path(__file__).parents[1]
NAME = "timeline.ipynb"
CELL = f"""\
import sys
sys.path.insert(0, {str(TESTS)!r})
from long_history import long_history
import prefect_nbviz as nbv
spans = long_history()
assert len(spans) == 1_000_000
nbv.StateTimeline(spans)
"""
MARKED = """([plot, are]) => plot.data.every(({ selectedpoints }) => Boolean(selectedpoints) === are) &&
  (!are || plot.data.some(({ selectedpoints }) => selectedpoints.length === 1))"""


@pytest.fixture(scope="module")
def address(lab: tuple[Path, str]) -> str:
    folder, address = lab
    add_cells(folder / NAME, CELL)
    return address.replace(NOTEBOOK, NAME)


def test_a_million_stays_are_zoomed_to_the_right_hour(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").click()
    page.keyboard.press("Control+Enter")
    chart = page.get_by_label("Which run was in which state when", exact=True)
    _says(chart, "200,000 runs; 1,000,000 stays as pixels, each of 120 lines holds every 120th run")
    assert _ticks(chart) == ["Mar 1", *(f"Mar {day}" for day in range(2, 9))]
    chart.screenshot(path=shots / "timeline-million.png")

    _zoom(page, chart, datetime(2026, 3, 4), datetime(2026, 3, 5))
    _says(
        chart, r"28,\d{3} in view of 200,000 runs; 14\d,\d{3} stays as pixels, each of 120 lines holds every 120th run"
    )
    assert {"06:00", "18:00"} <= {*_ticks(chart)}
    hovering = _hovers(page, chart, datetime(2026, 3, 4, 5, 30))
    span = re.search(r"2026-03-04 (\d\d:\d\d):\d\d to (\d\d:\d\d):\d\d UTC", hovering)
    assert span, hovering
    assert "05:00" < span[1] <= "05:30" <= span[2] < "06:00"
    chart.screenshot(path=shots / "timeline-day.png")

    _zoom(page, chart, datetime(2026, 3, 4, 5), datetime(2026, 3, 4, 6))
    _says(chart, r"1,\d{3} in view of 200,000 runs; [5-7],\d{3} stays as pixels, each line holds up to \d+ runs")
    assert {"05:10", "05:50"} <= {*_ticks(chart)}
    chart.screenshot(path=shots / "timeline-hour.png")

    _zoom(page, chart, datetime(2026, 3, 4, 5, 30), datetime(2026, 3, 4, 5, 30, 50))
    _says(chart, r"\d\d in view of 200,000 runs; \d{3} stays as bars")
    names = chart.locator(".yaxislayer-above .ytick").all_text_contents()
    assert len(names) > 10
    assert {name[:7] for name in names} <= {"d04-h05", "d04-h04"}
    assert names[-1].startswith("d04-h05")
    assert any(tick.startswith("05:30:") for tick in _ticks(chart))
    chart.screenshot(path=shots / "timeline-bars.png")

    chart.locator(".scatterlayer path.point").first.click(force=True)  # the kernel answers which points are of its run
    page.wait_for_function(MARKED, arg=[chart.element_handle(), True])
    chart.screenshot(path=shots / "timeline-picked.png")
    page.keyboard.press("Escape")
    page.wait_for_function(MARKED, arg=[chart.element_handle(), False])

    chart.locator(".nsewdrag").first.dblclick()
    _says(chart, "200,000 runs; 1,000,000 stays as pixels, each of 120 lines holds every 120th run")
    assert _ticks(chart)[-1] == "Mar 8"

    _zoom(page, chart, datetime(2026, 3, 6), datetime(2026, 3, 7))  # and on, before there is an answer
    _zoom(page, chart, datetime(2026, 3, 6, 12), datetime(2026, 3, 6, 13))
    _says(chart, r"1,\d{3} in view of 200,000 runs; [5-7],\d{3} stays as pixels, each line holds up to \d+ runs")
    page.wait_for_timeout(1_000)
    assert {"12:10", "12:50"} <= {*_ticks(chart)}


def _says(chart: Locator, subtitle: str) -> None:
    expect(chart.locator(".gtitle-subtitle")).to_have_text(re.compile(f"^{subtitle}$"), timeout=PATIENCE)


def _ticks(chart: Locator) -> list[str]:
    """Give the first line of each time on the axis: the one that the hour is in."""
    ticks = chart.locator(".xaxislayer-above .xtick text")
    return [
        str(text) for text in ticks.evaluate_all("all => all.map(one => (one.firstElementChild ?? one).textContent)")
    ]


def _place(chart: Locator, moment: datetime) -> tuple[float, float]:
    """Give where a time is on the screen, at half the height of the plot."""
    begin, end = (datetime.fromisoformat(text[:26]) for text in chart.evaluate("plot => plot.layout.xaxis.range"))
    drag = chart.locator(".nsewdrag").first
    drag.wait_for()  # a new picture has none for a moment
    box = drag.bounding_box()
    assert box
    return box["x"] + box["width"] * ((moment - begin) / (end - begin)), box["y"] + box["height"] / 2


def _zoom(page: Page, chart: Locator, begin: datetime, end: datetime) -> None:
    chart.scroll_into_view_if_needed()
    page.mouse.move(*_place(chart, begin))
    page.mouse.down()
    page.mouse.move(*_place(chart, end), steps=4)
    page.mouse.up()


def _hovers(page: Page, chart: Locator, moment: datetime) -> str:
    """Move down along a time until something hovers, and give what it says."""
    x, y = _place(chart, moment)
    label = chart.locator(".hoverlayer .hovertext")
    for below in range(0, 100, 4):
        page.mouse.move(x, y + below)
        page.wait_for_timeout(100)
        if label.count():
            return str(label.first.text_content())
    return "nothing"
