"""A chart in a cell that gets narrow and wide again: it fills it, and nothing that it says is cut off."""

from __future__ import annotations

import pytest
from made_runs import task_runs
from widget_page import WidgetPage

from prefect_nbviz import plot_state_counts
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.page import Page

pytestmark = pytest.mark.browser

NARROW, WIDE, EDGE = 360, 1_000, 40
STATES = ["Completed", "Failed", "Crashed", "Late", "Cancelled", "Paused"]
FITS = """() => {
  const plot = document.querySelector(".js-plotly-plot");
  const [said, frame] = [".gtitle-subtitle", ".main-svg"].map((one) => plot.querySelector(one).getBoundingClientRect());
  const below = [".legend", ".xy"].map((one) => plot.querySelector(one).getBoundingClientRect().top);
  const isWhole = said.right <= frame.right && below.every((top) => top > said.bottom - 2);
  return isWhole && Math.abs(frame.right - document.body.clientWidth) < EDGE;
}""".replace("EDGE", str(EDGE))
LINES = "() => document.querySelectorAll('.gtitle-subtitle .line').length"


def test_what_a_chart_says_is_wrapped_to_its_width(view: WidgetPage) -> None:
    rows = [{"task_run_id": str(n), "flow_name": f"flow {n % 40}", "state_name": STATES[n % 6]} for n in range(240)]
    figure = plot_state_counts(task_runs(rows), by="flow_name")
    said = figure.layout.title.subtitle.text
    page = view.page
    chart = Chart(page=Page(), description="Runs by flow")
    chart.show(figure, of="a query")
    page.set_viewport_size({"width": NARROW, "height": 700})
    view.show(chart)
    heights = []
    for width, are_many in ((NARROW, True), (WIDE, False), (NARROW, True)):
        page.set_viewport_size({"width": width, "height": 700})
        page.wait_for_function(FITS)
        page.wait_for_function(f"lines => (({LINES})() > 1) === lines", arg=are_many)
        assert page.locator(".gtitle-subtitle").text_content() == said
        heights.append(page.evaluate("() => Math.round(document.querySelector('.main-svg').clientHeight)"))
    assert heights[0] == heights[2] > heights[1]
