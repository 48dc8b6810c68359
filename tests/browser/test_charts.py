"""Charts in a real browser, however narrow the cell that they are shown in."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pandas as pd
import plotly.graph_objects as go
import pytest
from made_runs import task_runs
from playwright.sync_api import Browser, Page
from plotly.offline import get_plotlyjs

from prefect_nbviz import (
    compare_runs,
    duration_trend,
    failure_rates,
    frames,
    outages,
    plot_comparison,
    plot_duration_trend,
    plot_failure_rates,
    plot_flow_run_graph,
    plot_outages,
    plot_run_counts,
    plot_run_grid,
    plot_state_counts,
    plot_state_timeline,
    run_grid,
    schema,
)
from prefect_nbviz.states import STATE_NAMES

pytestmark = pytest.mark.browser

NAMES = [*STATE_NAMES]
TYPES = [*STATE_NAMES.values()]
WIDTHS = (150, 250, 332, 700)

DRAW = """async ([figure, width]) => {
  const place = Object.assign(document.createElement("div"), { style: `width: ${width}px` });
  document.body.replaceChildren(place);
  await Plotly.newPlot(place, figure.data, figure.layout);
  return place._fullLayout._size.h;
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.add_script_tag(content=get_plotlyjs())
    yield page
    page.close()


def timeline(runs: int) -> go.Figure:
    """Draw runs that went through every state that there is."""
    starts = pd.date_range("2026-03-01 06:00", periods=len(NAMES), freq="1234ms", tz="UTC")
    data = {
        "run_kind": "task_run",
        "run_id": [str(run) for run in range(runs) for _ in NAMES],
        "run_name": "load_features",
        "flow_run_id": None,
        "state_type": TYPES * runs,
        "state_name": NAMES * runs,
        "attempt": 1,
        "start_time": [*starts] * runs,
        "end_time": [*(starts + pd.Timedelta("1s"))] * runs,
        "duration": pd.Timedelta("1s"),
        "is_open": False,
        "message": None,
    }
    rows = pd.DataFrame(data)
    return plot_state_timeline(frames.typed({name: rows[name] for name in rows}, schema.INTERVALS))


def history() -> go.Figure:
    starts = [time.isoformat() for time in pd.date_range("2026-03-01 06:00", periods=len(NAMES), freq="1h", tz="UTC")]
    data = {"bin_start": starts, "bin_end": starts, "state_type": TYPES, "state_name": NAMES, "runs": [3] * len(NAMES)}
    return plot_run_counts(frames.typed(data, schema.RUN_COUNTS))


def every_state(side: str) -> pd.DataFrame:
    """Give a flow run with a task in every state, of names of 200 letters."""
    tasks = [f"{'t' * 190}_{number:02}-0a1b2c3d" for number in range(len(NAMES))]
    rows = [{"task_key": task, "state_name": name} for task, name in zip(tasks, NAMES, strict=True)]
    ids = {"flow_run_id": side, "flow_run_name": side * 200}
    return task_runs([row | ids | {"task_run_id": f"{side}{number}"} for number, row in enumerate(rows)])


def trend() -> go.Figure:
    starts = pd.date_range("2026-03-01 06:00", periods=90, freq="1h", tz="UTC")
    lengths = pd.to_timedelta(range(90), unit="s")
    keys = [f"a long task of a stranger {place % 9}" for place in range(90)]
    runs = pd.DataFrame({"start_time": starts, "duration": lengths, "task_key": keys})
    return plot_duration_trend(duration_trend(runs, by="task_key", freq="6h"))


def stops() -> go.Figure:
    runs = pd.DataFrame({"flow_run_id": NAMES, "flow_name": NAMES, "state_type": "FAILED"})
    moments = pd.date_range("2026-03-01 06:00", periods=len(NAMES), freq="1h", tz="UTC")
    return plot_outages(outages(runs.assign(end_time=moments), as_of=moments[-1]))


def graph() -> go.Figure:
    """Draw the graph of a flow run with a run in every state, of names of 200 letters."""
    starts = pd.date_range("2026-03-01 06:00", periods=len(TYPES), freq="1234ms", tz="UTC")
    names = [f"{'n' * 190}{place}" for place in range(len(TYPES))]
    runs = pd.DataFrame({"run_kind": "task_run", "run_id": names, "run_name": names, "state_type": TYPES})
    return plot_flow_run_graph(runs.assign(start_time=starts, end_time=starts + pd.Timedelta("1s")))


FIGURES = {
    "graph": graph,
    "one run": lambda: timeline(1),
    "six runs": lambda: timeline(6),
    "counts": lambda: plot_state_counts(pd.DataFrame({"state_type": TYPES, "state_name": NAMES}), by="state_name"),
    "counts by tag": lambda: plot_state_counts(
        pd.DataFrame({"state_type": TYPES, "state_name": NAMES, "tags": [("a long tag of a stranger",)] * len(NAMES)}),
        by="tags",
    ),
    "history": history,
    "grid": lambda: plot_run_grid(run_grid(every_state("a"))),
    "grid by duration": lambda: plot_run_grid(run_grid(every_state("a")), color="duration"),
    "comparison": lambda: plot_comparison(compare_runs(every_state("a"), every_state("b"))),
    "durations over time": trend,
    "outages": stops,
    "failure rates": lambda: plot_failure_rates(
        failure_rates(pd.DataFrame({"state_type": TYPES, "flow_name": ["a long name of a stranger" * 8] * len(TYPES)}))
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_chart_is_drawn_at_any_width(page: Page, name: str) -> None:
    figure = json.loads(FIGURES[name]().to_json())
    for width in WIDTHS:
        assert page.evaluate(DRAW, [figure, width]) > 20, f"nothing is left of the plot at {width} pixels"
