"""Shoot the README's pictures anew: `python tests/browser/screenshots.py`, with Chromium on the PATH.

It starts a private Prefect server with the sample runs, and JupyterLab, and writes `notebooks/*.png`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from notebook_page import (
    ALONE,
    ARGUMENTS,
    add_cells,
    find_chromium,
    find_explorer,
    load,
    open_notebook,
    open_tab,
    run_all,
)
from playwright.sync_api import Browser, Locator, sync_playwright

from prefect_nbviz.demo.lab import NOTEBOOK, PrivateLab
from prefect_nbviz.demo.server import PrivateServer

ROOT = Path(__file__).parents[2]

WIDTH, HEIGHT = 1560, 2400
"""Size of the window in CSS pixels, tall enough that nothing is hidden; a picture has half as many more each way."""

MOST_HEIGHT = 660
"""CSS pixels of a picture: what is below is cut off."""

MOST_BYTES = 300_000
SETTLING = 1_000
"""Milliseconds that charts take to come to rest."""

NAME = "alone.ipynb"


def show_table(explorer: Locator) -> None:
    """Show what comes first, and a run that failed beside it."""
    load(explorer)
    explorer.locator("tbody tr", has_text="Failed").first.click()
    explorer.get_by_text("State history").wait_for()


def show_timeline(explorer: Locator) -> None:
    """Show the stays of the training runs, with their retries."""
    load(explorer)
    open_tab(explorer, "Timeline")
    explorer.locator(".gtitle:visible").first.wait_for()


def show_counts(explorer: Locator) -> None:
    """Show how many runs are in which state."""
    load(explorer)
    open_tab(explorer, "Counts")
    explorer.locator(".gtitle:visible").first.wait_for()


TRAINING = ALONE.replace("since='1d'", "since='1d', flow=['train_model', 'billing_rollup', 'sync_inventory']")
SHOTS: tuple[tuple[str, str, Callable[[Locator], None]], ...] = (
    ("explorer", ALONE, show_table),
    ("timeline", TRAINING, show_timeline),
    ("counts", ALONE, show_counts),
)
"""Each picture: its name, the cell that is run, and what is done with the explorer that it gives."""


def main() -> int:
    """Shoot all pictures, or those that are named; say how large each is, and fail where one is too large."""
    wanted = sys.argv[1:] or [name for name, *_ in SHOTS]
    with (
        PrivateServer() as server,
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
    ):
        server.fill()
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        with PrivateLab(Path(folder), server.environment, port=None, browser=False) as lab:
            address = lab.wait_until_it_answers()
            sizes = [_shoot(browser, Path(folder) / "notebooks", address, shot) for shot in SHOTS if shot[0] in wanted]
        browser.close()
    return int(any(size > MOST_BYTES for size in sizes))


def _shoot(browser: Browser, folder: Path, address: str, shot: tuple[str, str, Callable[[Locator], None]]) -> int:
    name, cell, steps = shot
    (folder / NAME).unlink(missing_ok=True)
    add_cells(folder / NAME, cell)
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1.5)
    page = context.new_page()
    open_notebook(page, address.replace(NOTEBOOK, NAME))
    run_all(page)
    explorer = find_explorer(page)
    steps(explorer)
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLING)
    box = explorer.bounding_box()
    assert box
    path = ROOT / "notebooks" / f"{name}.png"
    page.screenshot(path=path, clip={**box, "height": min(box["height"], MOST_HEIGHT)})
    context.close()
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size / 1_000:.0f} kB, at most {MOST_BYTES / 1_000:.0f} kB")
    return size


if __name__ == "__main__":
    sys.exit(main())
