"""The grid in a real browser: a click on a cell selects its runs, a zoom stays, and strangers' names are text."""

from __future__ import annotations

import pytest
from made_runs import task_runs
from widget_page import WidgetPage

from prefect_nbviz.widgets.grid import GridView
from prefect_nbviz.widgets.page import Page

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"
RUNS, TASKS = 20, 6
RANGES = "() => ['x', 'y'].map(axis => document.querySelector('.js-plotly-plot').layout[`${axis}axis`].range)"
PLACE = """([x, y]) => {
  const plot = document.querySelector(".js-plotly-plot");
  const { left, top } = plot.getBoundingClientRect();
  const { xaxis, yaxis } = plot._fullLayout;
  return [left + xaxis._offset + xaxis.c2p(x), top + yaxis._offset + yaxis.c2p(y)];
}"""
WIDTHS = (
    "() => document.querySelector('.js-plotly-plot').calcdata.slice(2).flat().map((bar) => bar.w ?? bar.p1 - bar.p0)"
)


def grid(runs: int = RUNS) -> GridView:
    rows = [
        {
            "task_run_id": f"{run}-{task}",
            "flow_run_id": f"f{run}",
            "flow_name": EVIL,
            "flow_run_name": EVIL,
            "task_key": f"{EVIL} {task}-0a1b2c3d",
            "start": run * 60_000_000 + task * 1_000_000,
            "state_name": "Failed" if (run, task) == (3, 2) else "Completed",
        }
        for run in range(runs)
        for task in range(TASKS)
        if (run, task) != (5, 4)
    ]
    found = GridView(Page())
    found.show_runs(task_runs(rows), of="a query")
    return found


def click(view: WidgetPage, x: float, y: float) -> None:
    view.page.mouse.click(*view.page.evaluate(PLACE, [x, y]))


def test_cells_are_picked_and_the_zoom_stays(view: WidgetPage) -> None:
    found = grid()
    view.show(found.chart)
    for x, y in ((0, 0), (3, 2), (19, 5)):
        click(view, x, y)
        view.wait(lambda x=x, y=y: found.selected == (f"{x}-{y}",))
        view.page.wait_for_timeout(400)  # else plotly takes two clicks for one that resets the axes
    click(view, 5, 4)
    view.wait(lambda: found.selected == ())
    texts = [text for text in view.page.locator(".barlayer text").all_text_contents() if text]
    assert texts == ["✕"]
    begin, end = (view.page.evaluate(PLACE, [x, y]) for x, y in ((1.6, 0.6), (9.4, 4.4)))
    view.page.mouse.move(*begin)
    view.page.mouse.down()
    view.page.mouse.move(*end, steps=4)
    view.page.mouse.up()
    view.page.wait_for_timeout(300)
    zoomed = view.page.evaluate(RANGES)
    assert zoomed[0][1] < 10
    more = grid(RUNS + 1)
    found.show_runs(more._runs, of="a query")
    view.answer()
    assert view.page.evaluate(RANGES) == zoomed
    found.show_runs(more._runs, of="another query")
    view.answer()
    view.page.wait_for_timeout(200)
    assert view.page.evaluate(RANGES)[0] == [-0.5, RUNS + 0.5]


def test_all_cells_are_as_high_as_their_row_and_a_bar_on_top_selects_its_column(view: WidgetPage) -> None:
    view.page.set_viewport_size({"width": 1000, "height": 700})
    found = grid()
    view.show(found.chart, theme="dark")
    heights = view.page.evaluate(WIDTHS)
    assert len(heights) == RUNS * TASKS - 1
    assert max(heights) - min(heights) < 1e-6
    box = view.page.locator(".barlayer .trace").last.locator("path").nth(7).bounding_box()
    assert box
    view.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    view.wait(lambda: {*found.selected} == {f"7-{task}" for task in range(TASKS)})
    view.page.mouse.move(*view.page.evaluate(PLACE, [3, 2]))
    hover = view.page.locator(".hoverlayer .hovertext")
    hover.wait_for()
    assert EVIL in (hover.text_content() or "")
    assert "Failed" in (hover.text_content() or "")
