"""JupyterLab, and a real browser that looks at the notebooks in it: each module of tests gives an `address`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from notebook_page import ARGUMENTS, find_chromium, open_notebook
from playwright.sync_api import Browser, Page, sync_playwright

from prefect_nbviz.demo.lab import PrivateLab
from prefect_nbviz.demo.server import PrivateServer


@pytest.fixture(scope="module")  # while Playwright is there, this thread has a running loop, which others would meet
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("There is no Chromium on the PATH.")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


@pytest.fixture(scope="session")
def lab(demo_server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A JupyterLab for all: the folder of its notebooks, and the address of the first one."""
    folder = tmp_path_factory.mktemp("lab")
    lab = PrivateLab(folder, demo_server.environment, port=None, browser=False)
    with lab:
        yield folder / "notebooks", lab.wait_until_it_answers()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("NBVIZ_SCREENSHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def notebook(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open the notebook; at the end, nothing must have gone wrong or out in the page."""
    faults: list[str] = []
    hosts: set[str | None] = set()

    def open_page(width: int = 1300) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 1100})
        page.set_default_timeout(30_000)
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on("request", lambda request: hosts.add(_host(request.url)))
        open_notebook(page, address)
        return page

    yield open_page
    for context in browser.contexts:
        for page in context.pages:
            assert page.locator('img[src="x"]').count() == 0, "a name became HTML"
        context.close()
    assert not faults
    assert hosts <= {"127.0.0.1", "localhost", None}, "the page asked someone else"


def _host(url: str) -> str | None:
    parts = urlsplit(url)
    return None if parts.scheme in {"data", "blob"} else parts.hostname
