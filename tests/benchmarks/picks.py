"""How long a click in a chart of 10,000 runs takes until the others are dimmed, in a real browser.

`python tests/benchmarks/picks.py` prints one line. The goal: 0.3 s for each chart.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from long_history import long_history
from notebook_page import ARGUMENTS, find_chromium
from widget_page import WidgetPage

from prefect_nbviz import bins
from prefect_nbviz.charts.counts import plot_state_counts, state_count_picks
from prefect_nbviz.charts.durations import duration_picks, plot_durations
from prefect_nbviz.charts.history import plot_run_counts, run_count_picks
from prefect_nbviz.states import STATE_NAMES
from prefect_nbviz.widgets.chart import Chart
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.timeline import TimelineChart

RUNS, TIMES = 10_000, 5
NAMES = ["Completed", "Failed", "TimedOut", "Late", "Running"]
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def runs_of(count: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    names = [NAMES[place] for place in random.integers(0, len(NAMES), count)]
    starts = pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(np.sort(random.uniform(0, 6e5, count)), unit="s")
    return pd.DataFrame(
        {
            "task_run_id": [f"{place:036}" for place in range(count)],
            "name": [f"load_features-{place}" for place in range(count)],
            "flow_name": [f"flow {place % 20}" for place in range(count)],
            "state_name": names,
            "state_type": [STATE_NAMES[name] for name in names],
            "expected_start_time": starts.as_unit("us"),
            "start_time": starts.as_unit("us"),
            "duration": pd.to_timedelta(random.lognormal(1, 1, count), unit="s").as_unit("us"),
        }
    )


def charts(runs: pd.DataFrame) -> dict[str, Callable[[], Chart]]:
    counts = bins.counts(runs, "1h", "UTC")

    def shown(figure: object, picks: Callable[[], object]) -> Chart:
        chart = Chart(page=Page())
        chart.show(figure, of="all", picks=picks)
        return chart

    def timeline(many: int) -> Chart:
        chart = TimelineChart(page=Page())
        chart.show_intervals(long_history(many))
        return chart

    return {
        "counts": lambda: shown(
            plot_state_counts(runs, by="flow_name"), lambda: state_count_picks(runs, by="flow_name")
        ),
        "over time": lambda: shown(plot_run_counts(counts), lambda: run_count_picks(counts, runs)),
        "durations": lambda: shown(plot_durations(runs), lambda: duration_picks(runs)),
        "bars (1,000 runs)": lambda: timeline(1_000),
        "pixels": lambda: timeline(RUNS),
    }


def seconds(view: WidgetPage, chart: Chart, picked: dict[str, object]) -> float:
    """Give the seconds from what the page says, by way of Python, until it is drawn; a kernel's messages come on top."""
    begin = time.perf_counter()
    chart.picked = picked
    view.page.evaluate("news => model.hear(news)", view.news())
    view.page.evaluate(DRAWN)
    return time.perf_counter() - begin


def main() -> None:
    runs, parts = runs_of(RUNS), []
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS).new_page()
        view = WidgetPage(page)
        for name, make in charts(runs).items():
            times = []
            for count in range(TIMES):
                chart = make()
                view.show(chart)
                view.page.evaluate(DRAWN)  # a person clicks what is there to be seen
                where = {"x": ["2026-03-03", "2026-03-04"], "y": [0, 40]} if name == "pixels" else {"points": [[0, 3]]}
                times.append(seconds(view, chart, {**where, "figure": chart.number, "count": count, "is_more": False}))
                assert chart.selected
            parts.append(f"{name} {median(times):.2f} s (max {max(times):.2f})")
    print(f"a pick among {RUNS:,} runs until it is drawn (goal 0.3 s each): {', '.join(parts)}")


if __name__ == "__main__":
    main()
