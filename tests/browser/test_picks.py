"""Picks in charts, in a real browser: what is clicked or boxed selects its runs, and the others are dimmed."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from long_history import long_history
from widget_page import WidgetPage

from prefect_nbviz import bins
from prefect_nbviz.charts.counts import plot_state_counts, state_count_picks
from prefect_nbviz.charts.durations import duration_picks, plot_durations
from prefect_nbviz.charts.history import plot_run_counts, run_count_picks
from prefect_nbviz.states import STATE_NAMES
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.spent import TimeView
from prefect_nbviz.widgets.timeline import TimelineChart

pytestmark = pytest.mark.browser

STATES = ["Late", "Running", "Completed", "Failed"]
RUNS = pd.DataFrame(
    {
        "task_run_id": [f"run-{place}" for place in range(240)],
        "state_name": [STATES[place % 4] for place in range(240)],
        "state_type": [STATE_NAMES[STATES[place % 4]] for place in range(240)],
        "flow_name": [f"flow {place % 5}" for place in range(240)],
        "expected_start_time": pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(np.arange(240), unit="min"),
    }
)
RANGES = "() => ['x', 'y'].map(axis => document.querySelector('.js-plotly-plot').layout[`${axis}axis`].range)"
DIMMED = """() => [...document.querySelectorAll(".point path, path.point")]
  .filter((path) => path.getBoundingClientRect().width && getComputedStyle(path).opacity < 0.5).length"""


@pytest.fixture(autouse=True)
def is_wide(view: WidgetPage) -> None:
    view.page.set_viewport_size({"width": 1000, "height": 700})


def counts_of(by: str) -> Chart:
    chart = Chart(page=Page(), description="Runs by state")
    chart.show(plot_state_counts(RUNS, by=by), of=by, picks=lambda: state_count_picks(RUNS, by=by))
    return chart


def over_time() -> Chart:
    counts = bins.counts(RUNS, "1h", "UTC")
    chart = Chart(page=Page(), description="Runs over time")
    chart.show(plot_run_counts(counts), of="time", picks=lambda: run_count_picks(counts, RUNS))
    return chart


def stays_of(runs: int) -> TimelineChart:
    chart = TimelineChart(page=Page())
    chart.show_intervals(long_history(runs))
    return chart


def _pause(view: WidgetPage) -> None:
    """Let so much time go by in the page that plotly does not take a click for the second of two."""
    view.page.evaluate("() => new Promise((done) => setTimeout(done, 350))")


def click(view: WidgetPage, x: float, y: float) -> None:
    _pause(view)
    view.page.mouse.click(x, y)


def click_bar(view: WidgetPage, trace: int, point: int) -> None:
    box = view.page.locator(".trace.bars").nth(trace).locator(".point path").nth(point).bounding_box()
    assert box
    click(view, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def places(view: WidgetPage, *parts: float) -> list[float]:
    """Give places in the plot by parts of its width and height."""
    box = view.page.locator(".nsewdrag").first.bounding_box()
    assert box
    sides = [("x", "width"), ("y", "height")] * 2
    return [box[begin] + box[side] * part for (begin, side), part in zip(sides, parts, strict=False)]


def drag(view: WidgetPage, *parts: float) -> None:
    x, y, to_x, to_y = places(view, *parts)
    _pause(view)
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(to_x, to_y, steps=4)
    view.page.mouse.up()
    _pause(view)  # plotly takes what follows at once for the second half of a double click


def box_select(view: WidgetPage, *parts: float) -> None:
    view.page.locator('[data-title="Box Select"]').click()
    drag(view, *parts)


def chosen(**columns: str) -> set[str]:
    rows = RUNS
    for name, value in columns.items():
        rows = rows[rows[name] == value]
    return {*rows["task_run_id"]}


def test_a_click_on_a_bar_selects_its_runs_and_dims_the_others(view: WidgetPage) -> None:
    chart = counts_of("state_name")
    view.show(chart)
    assert view.page.evaluate(DIMMED) == 0
    click_bar(view, 0, 3)
    view.wait(lambda: {*chart.selected} == chosen(state_name="Failed"))
    assert view.page.evaluate(DIMMED) == 3
    view.page.keyboard.down("Shift")
    click_bar(view, 0, 0)
    view.page.keyboard.up("Shift")
    view.wait(lambda: {*chart.selected} == chosen(state_name="Failed") | chosen(state_name="Late"))
    view.page.keyboard.press("Escape")
    view.wait(lambda: chart.selected == ())
    assert view.page.evaluate(DIMMED) == 0


def test_a_part_of_a_bar_is_picked_and_a_click_beside_lets_go(view: WidgetPage) -> None:
    chart = counts_of("flow_name")
    view.show(chart)
    click_bar(view, 1, 2)
    view.wait(lambda: bool(chart.selected))
    _, _, flow = view.page.evaluate("() => document.querySelector('.js-plotly-plot').data[1].customdata[2]")
    assert {*chart.selected} == chosen(flow_name=flow, state_name="Running")
    click(view, *places(view, 0.98, 0.5))
    view.wait(lambda: chart.selected == ())
    box_select(view, 0.01, 0.02, 0.9, 0.17)
    view.wait(lambda: bool(chart.selected))
    assert {*chart.selected} == chosen(flow_name="flow 0")
    assert view.page.locator(".selectionlayer path").count() == 0, "the box is gone"


def test_runs_over_time_are_picked_and_the_zoom_stays(view: WidgetPage) -> None:
    chart = over_time()
    view.show(chart)
    drag(view, 0.3, 0.5, 0.8, 0.5)
    zoomed = view.page.evaluate(RANGES)
    click_bar(view, 2, 2)
    view.wait(lambda: bool(chart.selected))
    hour = RUNS[RUNS["expected_start_time"].dt.hour == 2]
    assert {*chart.selected} == {*hour.loc[hour["state_name"] == "Completed", "task_run_id"]}
    assert view.page.evaluate(RANGES) == zoomed
    assert view.page.evaluate(DIMMED) > 0
    chart.selected = tuple(hour["task_run_id"])  # as another view would
    view.answer()
    assert view.page.evaluate(RANGES) == zoomed
    marked = view.page.evaluate("() => document.querySelector('.js-plotly-plot').data.map(one => one.selectedpoints)")
    assert marked == [[2]] * 4
    box_select(view, 0.55, 0.02, 0.6, 0.98)
    view.wait(lambda: {*chart.selected} == {*hour["task_run_id"]} and chart.picked["count"] == 2)
    assert view.page.evaluate(RANGES) == zoomed
    dimmed = view.page.evaluate(DIMMED)
    view.page.locator('[data-title="Reset axes"]').click()
    view.page.wait_for_timeout(300)
    assert view.page.evaluate(RANGES) != zoomed
    assert view.page.evaluate(DIMMED) >= dimmed > 0, "plotly dims the same when it draws again"


def test_a_bar_of_time_spent_is_picked_and_the_zoom_stays_at_a_live_look(view: WidgetPage) -> None:
    page = Page()
    starts = pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(np.arange(12), unit="h")
    spans = pd.DataFrame({
        "run_kind": "task_run", "run_id": [f"run-{place}" for place in range(12)], "is_open": False,
        "run_name": "load", "flow_run_id": "f", "state_type": "RUNNING", "state_name": "Running",
        "start_time": starts, "end_time": starts + pd.to_timedelta(np.arange(12, 0, -1), unit="h"),
    })  # fmt: skip
    runs = pd.DataFrame({"task_run_id": spans["run_id"], "flow_name": [f"flow {place % 3}" for place in range(12)]})
    time = TimeView(page, zone=ZoneInfo("UTC"))
    time.show(spans, runs, of="a query")
    time.by.value = "flow_name"
    view.show(time.chart)
    click_bar(view, 0, 0)
    view.wait(lambda: {*time.selected} == {"run-0", "run-3", "run-6", "run-9"})
    assert view.page.evaluate(DIMMED) == 2
    view.page.keyboard.press("Escape")
    view.wait(lambda: time.selected == ())
    drag(view, 0.2, 0.5, 0.6, 0.5)
    zoomed = view.page.evaluate(RANGES)
    time.show(spans, runs, of="a query")
    view.answer()
    assert view.page.evaluate(RANGES) == zoomed


def test_a_stay_is_picked_and_the_rest_of_its_run_is_marked(view: WidgetPage) -> None:
    chart = stays_of(12)
    view.show(chart)
    mark = view.page.locator(".scatterlayer path.point").first
    box = mark.bounding_box()
    assert box
    click(view, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    view.wait(lambda: len(chart.selected) == 1)
    held = view.page.evaluate(
        """([run]) => document.querySelector(".js-plotly-plot").data.every(({ customdata, selectedpoints }) =>
          customdata.every((one, place) => (one === run) === selectedpoints.includes(place)))""",
        [*chart.selected],
    )
    assert held
    box_select(view, 0.005, 0.01, 0.995, 0.99)
    view.wait(lambda: len(chart.selected) == 12)
    assert view.page.evaluate(DIMMED) == 0


def test_pixels_are_picked_and_others_are_veiled(view: WidgetPage) -> None:
    chart = stays_of(3_000)
    view.show(chart)
    ranges = view.page.evaluate(RANGES)
    box_select(view, 0.4, 0.2, 0.5, 0.4)
    view.wait(lambda: 20 < len(chart.selected) < 300)
    assert view.page.locator(".js-plotly-plot image").count() == 2
    assert view.page.evaluate(RANGES) == ranges
    view.page.locator('[data-title="Zoom"]').click()
    line, column = chart._picks.cells.line[500], chart._picks.cells.column[500]
    x = view.page.evaluate(
        "at => { const { xaxis } = document.querySelector('.js-plotly-plot')._fullLayout; return xaxis.d2p(at) / xaxis._length }",
        (chart._picks.cells.view.start + (column + 0.5) * chart._picks.cells.step) / 1_000,
    )
    click(view, *places(view, x, (line + 0.5) / chart._picks.cells.lines))
    view.wait(lambda: 0 < len(chart.selected) < 5)
    view.page.keyboard.press("Escape")
    view.wait(lambda: chart.selected == ())
    assert view.page.locator(".js-plotly-plot image").count() == 1


def test_marks_are_there_when_a_figure_is_drawn_anew(view: WidgetPage) -> None:
    chart = counts_of("state_name")
    view.show(chart)
    click_bar(view, 0, 3)
    view.wait(lambda: bool(chart.selected))
    chart.show(plot_state_counts(RUNS, by="state_type"), of="other", picks=lambda: state_count_picks(RUNS))
    view.answer()
    assert view.page.evaluate(DIMMED) == 3
    click_bar(view, 0, 0)
    view.wait(lambda: {*chart.selected} == chosen(state_name="Late"))


def test_a_dot_is_picked_and_a_box_stays_in_its_panel(view: WidgetPage) -> None:
    runs = RUNS.assign(
        name="load",
        start_time=RUNS["expected_start_time"],
        duration=pd.to_timedelta(np.arange(240) % 30 + 1, unit="s"),
    )
    chart = Chart(page=Page(), description="Durations")
    picks = duration_picks(runs, by="flow_name")
    chart.show(plot_durations(runs, by="flow_name"), of="durations", picks=lambda: picks)
    view.show(chart)
    box = view.page.locator(".scatterlayer path.point").nth(5).bounding_box()
    assert box
    click(view, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    view.wait(lambda: len(chart.selected) == 1)
    assert view.page.evaluate(DIMMED) > 200
    box_select(view, 0.005, 0.01, 0.995, 0.99)
    view.wait(lambda: {*chart.selected} == chosen(flow_name="flow 0"))


def press(view: WidgetPage, *keys: str) -> str:
    """Press keys in the chart, and give what is said of the point that is come to."""
    view.page.locator(".js-plotly-plot").focus()
    for key in keys:
        view.page.keyboard.press(key)
    _pause(view)
    return str(view.page.locator(".nbviz-heard").text_content())


def test_bars_are_gone_through_and_picked_by_keys(view: WidgetPage) -> None:
    chart = over_time()
    view.show(chart)
    ring = view.page.locator(".nbviz-ring")
    assert press(view, "ArrowRight").startswith("Failed: 15, 2026-03-01 00:00:00 UTC")
    assert press(view, "ArrowUp").startswith("Failed: 15, 2026-03-01 00:00:00 UTC"), "nothing is above"
    assert press(view, "ArrowRight", "ArrowRight", "ArrowDown").startswith("Completed: 15, 2026-03-01 02:00:00 UTC")
    press(view, "Enter")
    hour = RUNS["expected_start_time"].dt.hour == 2
    view.wait(lambda: {*chart.selected} == {*RUNS["task_run_id"][hour & (RUNS["state_name"] == "Completed")]})
    assert ring.is_visible(), "what is marked is not drawn anew"
    press(view, "ArrowLeft", "Control+Space")
    view.wait(lambda: len(chart.selected) == 30)
    assert press(view, "Escape") == ""
    assert ring.is_hidden()
    assert len(chart.selected) == 30
    press(view, "Escape")
    view.wait(lambda: chart.selected == ())


def test_stays_and_pixels_are_gone_through_by_keys(view: WidgetPage) -> None:
    chart = stays_of(12)
    view.show(chart)
    press(view, "ArrowDown")
    rows = [press(view, "ArrowDown").partition(",")[0] for _ in range(3)]
    assert len({*rows}) == 3, "each is in the next row"
    press(view, "Enter")
    view.wait(lambda: len(chart.selected) == 1)
    chart.show_intervals(long_history(12), of="a later look")
    view.answer()
    assert view.page.locator(".nbviz-ring").is_visible(), "it stays where it was"
    chart = stays_of(3_000)
    view.show(chart)
    assert press(view, "ArrowRight").startswith("2 runs, 2026-02-28 23:24:00 to 2026-03-01 00:48:00 UTC")
    press(view, "Enter")
    view.wait(lambda: len(chart.selected) == 2)
