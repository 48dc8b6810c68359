"""The explorer in Voila, without the notebook around it, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from notebook_page import find_explorer, find_failed_runs
from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.server]


@pytest.fixture(scope="module")
def address(alone: str) -> str:
    return alone.replace("/lab/tree/", "/voila/render/")


@pytest.fixture(scope="module")
def excused() -> frozenset[str]:
    return frozenset(
        {  # Voila's own page asks for icons and MathJax there, with any notebook, and says so where there is no network
            "https://cdn.jsdelivr.net/npm/@fortawesome/fontawesome-free@%5E5/css/all.min.css",
            "https://cdn.jsdelivr.net/npm/@fortawesome/fontawesome-free@%5E5/css/v4-shims.min.css",
            "https://cdnjs.cloudflare.com/ajax/libs/mathjax/3.2.2/es5/latest.min.js",
            "Failed to load resource: net::ERR_NAME_NOT_RESOLVED",
            "Failed to load resource: net::ERR_INTERNET_DISCONNECTED",
            "error: MathJax is not defined",
        }
    )


def test_a_person_finds_the_failed_runs(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    find_failed_runs(find_explorer(page), shots, "voila")
