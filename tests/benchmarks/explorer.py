"""How long the explorer takes from Load to a drawn table and counts, beside the reads themselves: in JupyterLab.

    python tests/benchmarks/explorer.py [--runs 1000] [--rounds 7]

A real server with a made history, and a notebook in Chromium. A click on Load is timed from its event to the second
frame after the last change to the table and to the numbers by state. Beside it the same kernel reads what these two
need, runs and numbers, by the functions: turn by turn, medians. The goal is 0.5 s on top of the reads.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from prefect_nbviz.demo.lab import NOTEBOOK, PrivateLab
from prefect_nbviz.demo.server import PrivateServer

sys.path.insert(0, str(Path(__file__).parents[1]))

from notebook_page import ARGUMENTS, PATIENCE, add_cells, find_chromium, open_notebook, run_cell

SEED_HISTORY = Path(__file__).with_name("seed_history.py")
SHOW = """\
import time
import prefect_nbviz as nbv
from prefect_nbviz.reading import read_state_type_counts
explorer = nbv.explore(nbv.TaskRunQuery(limit={runs}))
explorer
"""
READ = """\
import warnings; warnings.simplefilter("ignore")  # that a limit cuts is meant
begin = time.perf_counter()
runs = nbv.read_task_runs(limit={runs}, fresh=True, progress=False)
counts = read_state_type_counts(nbv.TaskRunQuery(), progress=False)
print("TOOK", time.perf_counter() - begin, len(runs), len(explorer.frame))
"""
WATCH = """\
() => {
  window.stage = { began: 0, drawn: 0 };
  const now = () => performance.timeOrigin + performance.now();
  const noted = () => requestAnimationFrame(() => requestAnimationFrame(() => { stage.drawn = now(); }));
  const watched = [".nbviz-table", ".nbviz-states"].map((one) => document.querySelector(one));
  const observer = new MutationObserver(noted);
  for (const one of watched) observer.observe(one, { subtree: true, childList: true, characterData: true });
  addEventListener("click", () => { stage.began = now(); stage.drawn = 0; }, true);
}
"""


def load(page: Page) -> float:
    """Press Load, and give the seconds until table and counts are drawn."""
    status = page.locator(".nbviz-status:not(.nbviz-suspects)")
    moment = re.search(r"as of \S+|$", status.inner_text())
    page.locator(".nbviz button.mod-primary").click()
    expect(status).to_contain_text("as of", timeout=PATIENCE)
    if moment and moment[0]:
        expect(status).not_to_contain_text(moment[0], timeout=PATIENCE)
    expect(page.locator(".nbviz-dim")).to_have_count(0, timeout=PATIENCE)
    page.wait_for_timeout(1_500)
    stage = page.evaluate("({ ...stage })")
    return float(stage["drawn"] - stage["began"]) / 1_000


def measure(runs: int, rounds: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name, PrivateServer() as server, sync_playwright() as playwright:
        size = ("--flow-runs", str(runs // 200 + 10), "--tasks-per-run", "200")
        subprocess.run(
            [sys.executable, str(SEED_HISTORY), str(server.database), *size], check=True, capture_output=True
        )
        folder = Path(name)
        lab = PrivateLab(folder, os.environ | server.environment, port=None, browser=False)
        notebook = folder / "notebooks" / NOTEBOOK
        notebook.unlink()
        add_cells(notebook, SHOW.format(runs=runs), READ.format(runs=runs))
        with lab:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1300, "height": 1100})
            open_notebook(page, lab.wait_until_it_answers())
            run_cell(page, 0)
            page.locator(".nbviz-controls").wait_for()
            page.evaluate(WATCH)
            load(page)  # what is read once, such as modules
            turns = [(load(page), float(run_cell(page, 1).last.inner_text().split()[1])) for _ in range(rounds)]
            browser.close()
    drawn, read = (statistics.median(times) for times in zip(*turns, strict=True))
    return drawn, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=7)
    told = parser.parse_args()
    drawn, read = measure(told.runs, told.rounds)
    print(
        f"explorer: {told.runs:,} task runs, drawn {drawn:.2f} s after Load, the reads alone {read:.2f} s, "
        f"{drawn - read:.2f} s more (goal 0.50; medians of {told.rounds})"
    )


if __name__ == "__main__":
    main()
