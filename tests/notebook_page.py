"""Notebooks written by tests, and the Chromium that shows them in JupyterLab."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from playwright.sync_api import Page, expect

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 120_000
"""Milliseconds that a kernel's start and a load may take together."""


def find_chromium() -> str | None:
    """Give where the system's Chromium is."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def add_cells(notebook: Path, *sources: str) -> None:
    """Add cells of code to a notebook, which is made if it is not there."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    made = {"cells": [], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    content = json.loads(notebook.read_text(encoding="utf-8")) if notebook.exists() else made
    for source in sources:
        cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
        content["cells"].append(cell | {"id": f"added-{len(content['cells'])}"})
    notebook.write_text(json.dumps(content), encoding="utf-8")


def open_notebook(page: Page, address: str) -> None:
    """Open a notebook in JupyterLab and wait until its kernel is there."""
    page.goto(f"{address}&reset")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=PATIENCE)
