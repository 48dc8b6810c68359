"""A report in a real browser, from a file and without a network: its charts are drawn, at any width, on any background."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_reports import HOSTILE, TASKS, contents, task_runs
from playwright.sync_api import Browser, Page, expect

from prefect_nbviz.charts.style import palette
from prefect_nbviz.reporting.page import page_of
from prefect_nbviz.states import Theme, state_style

pytestmark = pytest.mark.browser

KEYS = ("states", "failures", "durations", "timeline", "spent", "concurrency")


@pytest.fixture(params=["light-1200", "dark-420"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page of a browser without a network; at the end, nothing must have gone wrong in it, or out of it."""
    theme, width = request.param.split("-")
    context = browser.new_context(viewport={"width": int(width), "height": 900}, color_scheme=theme, offline=True)
    page, faults = context.new_page(), []
    page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.on("request", lambda asked: None if asked.url[:5] in {"file:", "data:", "blob:"} else faults.append(asked.url))
    yield page
    context.close()
    assert not faults


def open_report(page: Page, path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    page.goto(path.as_uri())


@pytest.mark.parametrize("count", [1, 12, 1_000])
def test_all_charts_are_drawn(page: Page, tmp_path: Path, shots: Path, request, count: int) -> None:
    open_report(page, tmp_path / "runs.html", page_of(contents(task_runs(count, name=HOSTILE, message=HOSTILE))))
    keys = [*KEYS, *(["grid"] if count > TASKS else [])]
    for key in keys:
        expect(page.locator(f"[data-chart={key}] .plotly .main-svg").first).to_be_attached()
    expect(page.locator(".chart")).to_have_count(len(keys))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"
    assert page.locator('img[src="x"]').count() == 0, "a name became HTML"
    page.screenshot(path=shots / f"report-{count}-{request.node.callspec.params['page']}.png", full_page=True)


def test_a_report_of_nothing_says_so(page: Page, tmp_path: Path, shots: Path) -> None:
    open_report(page, tmp_path / "runs.html", page_of(contents(task_runs(0))))
    expect(page.get_by_text("No task runs match the filter.")).to_be_visible()
    expect(page.locator(".chart, script, table")).to_have_count(0)


def test_a_script_that_got_into_the_page_is_not_run(browser: Browser, tmp_path: Path) -> None:
    page, said = browser.new_page(), []
    page.on("console", lambda line: said.append(line.text))
    page.on("dialog", lambda dialog: dialog.dismiss())
    broken = page_of(contents(task_runs(3))).replace("<main>", "<main><script>document.title = 'taken'</script>")
    open_report(page, tmp_path / "runs.html", broken)
    expect(page.locator("[data-chart=states] .plotly").first).to_be_attached()
    assert page.title() == "All of them"
    assert [text for text in said if "Content Security Policy" in text]
    assert page.evaluate("fetch('http://127.0.0.1:9/').catch(() => 'refused')") == "refused"
    page.close()


def test_charts_take_the_background_that_the_reader_prefers_and_paper_is_white(page: Page, tmp_path: Path) -> None:
    open_report(page, tmp_path / "runs.html", page_of(contents(task_runs(12))))
    chart = page.locator("[data-chart=states]")
    expect(chart.locator(".plotly").first).to_be_attached()
    for theme in ("dark", "light", "dark"):
        page.emulate_media(color_scheme=theme)
        wait_for_colors(page, theme)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    wait_for_colors(page, "light")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    wait_for_colors(page, "dark")


def wait_for_colors(page: Page, theme: Theme) -> None:
    """Wait until completed runs and the text of the first chart have the colours of a theme."""
    wanted = [state_style("COMPLETED", theme=theme).color, palette(theme).text]
    page.wait_for_function(
        """([completed, text]) => {
          const { data, layout } = document.querySelector("[data-chart=states]");
          const { marker } = data.find((trace) => trace.name === "Completed");
          return marker.color === completed && layout.font.color === text;
        }""",
        arg=wanted,
    )
