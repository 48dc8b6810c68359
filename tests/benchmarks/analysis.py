"""What it costs to say how long 100,000 task runs took, where their time went and how they differ, and the charts.

    python tests/benchmarks/analysis.py [--runs 100000] [--rounds 5]

Tables are timed from the frames, charts from the tables, and weighed as the JSON that the browser gets. The intervals
of as many runs take turns with pandas' own groupby of the same sums, which must come out the same.
"""

from __future__ import annotations

import argparse

import made_frames
import numpy as np
import pandas as pd
from turns import medians

from prefect_nbviz import (
    compare_runs,
    duration_outliers,
    duration_table,
    duration_trend,
    lateness_table,
    plot_comparison,
    plot_duration_trend,
    plot_durations,
    plot_lateness,
    plot_run_grid,
    plot_time_spent,
    run_grid,
    schedule_gaps,
    schema,
    state_intervals,
    time_spent,
)


def made(runs: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Give intervals of so many task runs, their rows, and as many flow runs of 50 deployments, one in 100 missing."""
    states = made_frames.states(runs * 4)
    spans = state_intervals(states)
    ids = spans["run_id"].unique()
    spans = spans[spans["run_id"].isin(ids[:runs])]
    rows = made_frames.task_runs(runs).assign(task_run_id=pd.Series(ids[:runs]))
    rng = np.random.default_rng(7)
    expected = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(runs) // 50 * 300, unit="s")
    late = pd.to_timedelta(rng.exponential(10e6, runs).astype(np.int64), unit="us")
    number = np.arange(runs) % 50
    flows = pd.DataFrame({
        "flow_name": np.array([f"flow {one}" for one in range(10)], dtype=object)[number % 10],
        "deployment_name": np.array([f"deployment {one}" for one in range(50)], dtype=object)[number],
        "deployment_id": np.array([f"id {one}" for one in range(50)], dtype=object)[number],
        "tags": rows["tags"].to_numpy(),
        "auto_scheduled": True,
        "expected_start_time": expected.astype(schema.TIME),
        "start_time": (expected + late).astype(schema.TIME),
        "lateness": late.astype("timedelta64[us]"),
    })  # fmt: skip
    return spans, rows, flows[rng.random(runs) > 0.01]


def by_groupby(spans: pd.DataFrame) -> pd.Series[pd.Timedelta]:
    return spans.groupby(["run_id", "state_type", "state_name"], observed=True, sort=False)["duration"].sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--runs", 100_000), ("--rounds", 5)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    spans, rows, flows = made(told.runs)
    many = rows.assign(task_key=[f"task_{place % 100}-0a1b2c3d" for place in range(told.runs)])
    calls = {
        "spent by run": (lambda: time_spent(spans), plot_time_spent),
        "task": (lambda: time_spent(spans, by="task_key", runs=rows), plot_time_spent),
        "tag": (lambda: time_spent(spans, by="tags", runs=rows), plot_time_spent),
        "hour": (lambda: time_spent(spans, by="hour", runs=rows, tz="Europe/Berlin"), plot_time_spent),
        "late by flow and hour": (lambda: lateness_table(flows, tz="Europe/Berlin"), plot_lateness),
        "late by tag": (lambda: lateness_table(flows, by="tags"), plot_lateness),
        "grid": (lambda: run_grid(rows), plot_run_grid),
        "grid of 50 x 100": (lambda: run_grid(many, last=50), plot_run_grid),
        "halves compared": (lambda: compare_runs(rows[: told.runs // 2], rows[told.runs // 2 :]), plot_comparison),
        "halves of 100 tasks": (lambda: compare_runs(many[: told.runs // 2], many[told.runs // 2 :]), plot_comparison),
        "durations by task and flow run": (
            lambda: duration_table(rows, by=["task_key", "flow_run_name"]),
            lambda _: plot_durations(rows, by="task_key", outliers=duration_outliers(rows, threshold=0.5)),
        ),
        "trend by task and hour": (lambda: duration_trend(rows, freq="1h", by="task_key"), plot_duration_trend),
        "outliers by task": (
            lambda: duration_outliers(rows, threshold=0.5),
            lambda found: plot_durations(rows, outliers=found),
        ),
    }
    assert time_spent(spans)["total"].sum() == by_groupby(spans).sum()
    tables = [table for table, _ in calls.values()]
    *took, gaps, theirs = medians(
        *tables, lambda: schedule_gaps(flows), lambda: by_groupby(spans), rounds=told.rounds
    )  # fmt: skip
    said = []
    for name, seconds, (table, plot) in zip(calls, took, calls.values(), strict=True):
        held = table()
        (drawn,) = medians(lambda held=held, plot=plot: plot(held), rounds=told.rounds)
        said.append(f"{name} {seconds:.2f} s, chart {drawn:.2f} s {len(plot(held).to_json()) / 1e3:,.0f} kB")
    print(
        f"analysis: {told.runs:,} runs, {len(spans):,} stays (goals: table 1 s, chart 1,000 kB): {'; '.join(said)}; "
        f"{len(schedule_gaps(flows)):,} gaps {gaps:.2f} s; groupby of stays {theirs:.2f} s; medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
