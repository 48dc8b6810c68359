"""The explorer in Notebook 7, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from notebook_page import find_explorer, find_failed_runs, run_all
from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.server]


@pytest.fixture(scope="module")
def address(alone: str) -> str:
    return alone.replace("/lab/tree/", "/notebooks/")


@pytest.fixture(scope="module")
def excused() -> frozenset[str]:
    return frozenset(
        {  # what Notebook 7.6 says of itself with any notebook, before a cell has run
            "error: Cannot read properties of undefined (reading 'schema')",
            "error: Command 'filebrowser:open-path' not registered.",
            # Now and then its server refuses something that it asks at its start; the widgets ask no server.
            "Failed to load resource: the server responded with a status of 403 (Forbidden)",
        }
    )


def test_a_person_finds_the_failed_runs(notebook: Callable[..., Page], shots: Path) -> None:
    page = notebook()
    run_all(page)
    find_failed_runs(find_explorer(page), shots, "notebook7")
