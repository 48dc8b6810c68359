"""What it costs to make the page of a report of 100,000 task runs, and how large it is.

    python tests/benchmarks/report.py [--runs 100000] [--rounds 3]

From the frames to the page, with the state histories of the first 1,000 runs, as a report has them. Plotly's own
script is part of the page, once and packed.
"""

from __future__ import annotations

import argparse
from zoneinfo import ZoneInfo

import made_frames
import pandas as pd
from plotly.offline import get_plotlyjs
from turns import medians

from prefect_nbviz import TaskRunQuery, frames, run_counts, schema, state_intervals
from prefect_nbviz.gathering import MAX_HISTORIES
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.reporting.page import page_of

GOAL = 6_000_000  # bytes


def made(count: int) -> Contents:
    """Give so many task runs, the first of which have histories, and failures that say something of their own."""
    runs, most = made_frames.task_runs(count), MAX_HISTORIES["task_run_id"]
    attrs = {"query": {}, "server": "http://127.0.0.1:4200/api", "as_of": "2026-06-02T00:00:00+00:00"}
    runs.attrs[frames.ATTRS] |= attrs | {"read": count, "reason": None}
    words = pd.Series([f"{chr(97 + one % 26)}{chr(97 + one // 26 % 26)}" for one in range(count)])
    runs["state_message"] = (runs["state_message"].astype("str") + " in " + words).astype("category")
    spans = state_intervals(made_frames.states(most * 5))
    spans = spans[spans["run_id"].isin(spans["run_id"].unique()[:most])]
    ids = spans["run_id"].unique()
    spans = spans.assign(run_id=spans["run_id"].map(dict(zip(ids, runs["task_run_id"], strict=False))))
    counts = run_counts(runs, freq="1D")
    query, address, none = TaskRunQuery(limit=None), "http://127.0.0.1:4200/runs/", frames.empty(schema.TASK_RUNS)
    return Contents(query, runs, counts, spans, (), ZoneInfo("UTC"), "All task runs", address, none)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--runs", 100_000), ("--rounds", 3)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    contents = made(told.runs)
    (seconds,) = medians(lambda: page_of(contents), rounds=told.rounds)
    page, script = len(page_of(contents).encode()), len(get_plotlyjs().encode())
    print(
        f"report: {told.runs:,} task runs, {contents.with_histories:,} with {len(contents.intervals):,} stays: page in "
        f"{seconds:.1f} s, {page / 1e6:.2f} MB (goal {GOAL / 1e6:.0f}), beside the {script / 1e6:.2f} MB that plotly is "
        f"before it is packed; medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
