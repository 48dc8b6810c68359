"""A flow that is watched in JupyterLab, in a real browser, while its cell is busy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from notebook_page import PATIENCE, add_cells, set_theme, wait_until_it_fits
from playwright.sync_api import Locator, Page, expect

from prefect_nbviz.demo.lab import NOTEBOOK

pytestmark = [pytest.mark.browser, pytest.mark.server]

NAME = "watched.ipynb"
CELL = """\
import time
from pathlib import Path

import prefect_nbviz as nbv
from prefect import flow, task
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

@task
def fetch(part):
    while part > 7 and not Path("go-on").exists():
        time.sleep(0.05)
    time.sleep(0.1 + part % 3 * 0.1)
    if part % 5 == 3:
        raise ValueError(f"no rows in part {part} <img src=x onerror=alert(1)>")

@task(task_run_name="store <img src=x onerror=alert(1)>")
def store(part):
    time.sleep(0.1)

@task(retries=1, retry_delay_seconds=1)
def notify():
    raise ConnectionError("mail server lost")

@flow(task_runner=ThreadPoolTaskRunner(max_workers=4))
def ingest():
    parts = fetch.map(range(16))
    futures = [*parts, *store.map(parts), notify.submit()]
    nbv.watch(futures, tz="Europe/Berlin")
    wait(futures)

ingest(return_state=True).name
"""
HALF = "8 of 33 done · 4 running · 1 failed · 21 waiting"
ALL = "30 of 33 done · 4 failed · 3 not ready"
LIGHT, DARK = "rgba(0, 0, 0, 0.87)", "rgba(255, 255, 255, 0.87)"


@pytest.fixture(scope="module")
def address(lab: tuple[Path, str]) -> str:
    folder, address = lab
    add_cells(folder / NAME, CELL)
    return address.replace(NOTEBOOK, NAME)


def test_a_person_watches_a_flow(notebook: Callable[..., Page], lab: tuple[Path, str], shots: Path) -> None:
    page = notebook()
    page.locator(".jp-Notebook .jp-CodeCell .cm-content").click()
    page.keyboard.press("Control+Enter")
    panel = page.locator(".nbviz-watch")
    _says(panel, HALF, "● live, updated")
    expect(page.locator(".jp-InputPrompt")).to_have_text("[*]:")
    failures = panel.get_by_label("Failures")
    expect(failures.locator("li")).to_have_text(
        re.compile(r"^fetch-\w+ failedValueError: no rows in part 3 <img src=x")
    )
    timeline = panel.get_by_label("Which run was in which state when")
    _is_drawn(timeline, "12 runs drawn, of 33 that match")
    expect(panel.get_by_role("img").first).to_have_attribute("aria-label", re.compile(f"^{HALF}"))
    expect(panel.locator(".nbviz-watch-bar .nbviz-is-running")).to_have_attribute("title", "4 running")
    panel.screenshot(path=shots / "watch-running.png")

    set_theme(page, "JupyterLab Dark")
    for text in (timeline.locator(".gtitle").first, timeline.locator(".ytick text").first):
        expect(text).to_have_css("fill", DARK)
    panel.screenshot(path=shots / "watch-running-dark.png")

    (lab[0] / "go-on").touch()
    _says(panel, ALL, "Done, as of")
    expect(page.locator(".jp-InputPrompt").first).to_have_text("[1]:", timeout=PATIENCE)
    _is_drawn(timeline, "all 33 runs that match")
    expect(failures.locator("li")).to_have_count(4)
    expect(failures.locator("li").first).to_contain_text("mail server lost")
    panel.screenshot(path=shots / "watch-done-dark.png")
    set_theme(page, "JupyterLab Light")
    expect(timeline.locator(".gtitle").first).to_have_css("fill", LIGHT)
    panel.screenshot(path=shots / "watch-done.png")

    page.set_viewport_size({"width": 800, "height": 1100})
    page.wait_for_function("panel => panel.clientWidth < 450", arg=panel.element_handle())
    wait_until_it_fits(panel)
    panel.screenshot(path=shots / "watch-narrow.png")
    failures.focus()
    expect(failures).to_be_focused()


def _says(panel: Locator, headline: str, status: str) -> None:
    expect(panel.locator(".nbviz-watch-counts")).to_contain_text(headline, timeout=PATIENCE)
    expect(panel.locator(".nbviz-watch-status")).to_contain_text(status, timeout=PATIENCE)


def _is_drawn(timeline: Locator, subtitle: str) -> None:
    expect(timeline.locator(".gtitle-subtitle")).to_have_text(re.compile(f"^{subtitle}"), timeout=PATIENCE)
