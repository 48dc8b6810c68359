"""Jupyter, and a real browser that looks at the notebooks in it: each module of tests gives an `address`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from notebook_page import ALONE, ARGUMENTS, add_cells, find_chromium, open_notebook
from playwright.sync_api import Browser, Page, sync_playwright
from widget_page import WidgetPage

from prefect_nbviz.demo.lab import NOTEBOOK, PrivateLab
from prefect_nbviz.demo.server import PrivateServer

NOT_FOR_VOILA = ("@jupyter-notebook/lab-extension", "@voila-dashboards/jupyterlab-preview")
"""Extensions of other front ends, with which Voila's page ends in errors of its own."""

THEME = "jupyter/config/lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
"""Where the server of JupyterLab keeps the theme that a person has chosen."""


@pytest.fixture(scope="module")  # while Playwright is there, this thread has a running loop, which others would meet
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("There is no Chromium on the PATH.")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


@pytest.fixture(scope="module")
def view(browser: Browser) -> Iterator[WidgetPage]:
    """A narrow page that shows widgets without a kernel; at the end, nothing must have gone wrong in it."""
    page = browser.new_page(viewport={"width": 420, "height": 700})
    view = WidgetPage(page)
    yield view
    assert page.locator('img[src="x"]').count() == 0, "a name became HTML"
    page.close()
    assert not view.faults


@pytest.fixture(scope="session")
def lab(demo_server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """One server of JupyterLab, Notebook 7 and Voila: the folder of its notebooks, and the first one's address in Lab."""
    folder = tmp_path_factory.mktemp("lab")
    lab = PrivateLab(folder, demo_server.environment, port=None, browser=False)
    _settle(folder)
    with lab:
        yield folder / "notebooks", lab.wait_until_it_answers()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("NBVIZ_SCREENSHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def excused() -> frozenset[str]:
    """Faults of the front end itself, and what it asks for elsewhere, whatever the notebook holds: none unless a module says."""
    return frozenset()


@pytest.fixture
def notebook(
    browser: Browser, lab: tuple[Path, str], address: str, excused: frozenset[str]
) -> Iterator[Callable[..., Page]]:
    """Open the notebook in the light theme; at the end, nothing must have gone wrong or out in the page."""
    folder, _ = lab
    (folder.parent / THEME).unlink(missing_ok=True)  # the server keeps what the test before has chosen
    faults: list[str] = []
    strangers: set[str] = set()

    def open_page(width: int = 1300) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 1100})
        page.set_default_timeout(30_000)
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on("request", lambda request: strangers.update(_stranger(request.url)))
        open_notebook(page, address)
        return page

    yield open_page
    for context in browser.contexts:
        for page in context.pages:
            assert page.locator('img[src="x"]').count() == 0, "a name became HTML"
        context.close()
    assert not {*faults} - excused
    assert not strangers - excused, "the page asked someone else"


@pytest.fixture(scope="session")
def alone(lab: tuple[Path, str]) -> str:
    """The address of a notebook with the explorer alone; `/lab/tree/` in it stands for the front end."""
    folder, address = lab
    add_cells(folder / "alone.ipynb", ALONE)
    return address.replace(NOTEBOOK, "alone.ipynb")


def _settle(folder: Path) -> None:
    """Keep the extensions of other front ends from Voila."""
    settings = {"VoilaConfiguration": {"extension_denylist": [*NOT_FOR_VOILA]}}
    (folder / "jupyter" / "config" / "voila.json").write_text(json.dumps(settings), encoding="utf-8")


def _stranger(url: str) -> set[str]:
    """Give the address, without its query, that is not of this machine."""
    parts = urlsplit(url)
    is_here = parts.scheme in {"data", "blob"} or parts.hostname in {"127.0.0.1", "localhost"}
    return set() if is_here else {parts._replace(query="").geturl()}
