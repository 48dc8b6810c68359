"""What the critical path of a flow run of 100,000 task runs costs, and the runs at once of as many, with their charts.

    python tests/benchmarks/paths.py [--runs 100000] [--rounds 5]

Each task run takes the results of up to three that had ended before. Charts are timed from the table, and weighed as
the JSON that the browser gets. Growth is the time for all runs over that for a tenth of them, divided by ten.
"""

from __future__ import annotations

import argparse

import made_frames
import numpy as np
import pandas as pd
from turns import medians

from prefect_nbviz import (
    concurrency_steps,
    concurrency_table,
    critical_path,
    parameter_columns,
    plot_concurrency,
    plot_critical_path,
    state_intervals,
    tag_columns,
)


def linked(count: int) -> pd.DataFrame:
    """Give the task runs of one flow run, each with up to three upstreams of the last thousand that had ended."""
    runs = made_frames.task_runs(count).sort_values("start_time", ignore_index=True)
    runs["flow_run_id"] = "f"
    end = runs["end_time"].fillna(pd.Timestamp.max.tz_localize("UTC").as_unit("us")).to_numpy()
    start, ids = runs["start_time"].to_numpy(), runs["task_run_id"].to_numpy(dtype=object)
    picks = np.maximum(np.arange(count)[:, None] - np.random.default_rng(7).integers(1, 1_000, (count, 3)), 0)
    fits = end[picks] <= start[:, None]
    upstream = np.empty(count, dtype=object)
    upstream[:] = [tuple(dict.fromkeys(ids[row[fit]])) for row, fit in zip(picks, fits, strict=True)]
    runs["upstream_task_run_ids"] = upstream
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--runs", 100_000), ("--rounds", 5)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    runs, tenth = linked(told.runs), linked(told.runs // 10)
    spans = state_intervals(made_frames.states(4 * told.runs))
    flow_runs = pd.DataFrame({"parameters": [f'{{"rows": {n}, "at": {{"region": "eu"}}}}' for n in range(told.runs)]})
    keyed = runs.assign(tags=[("prod", f"project_id:{number % 50}") for number in range(told.runs)])
    steps, path = concurrency_steps(spans), critical_path(runs)
    by_task = spans.assign(task=spans["run_name"].str.split("-").str[0])
    tables = {
        "path": lambda: critical_path(runs),
        "steps": lambda: concurrency_steps(spans),
        "steps by task": lambda: concurrency_steps(by_task, by="task"),
        "most and mean": lambda: concurrency_table(steps),
        "tags": lambda: tag_columns(keyed),
        "parameters": lambda: parameter_columns(flow_runs),
    }
    charts = {"path": lambda: plot_critical_path(path), "steps": lambda: plot_concurrency(steps)}
    took = zip(tables, medians(*tables.values(), rounds=told.rounds), strict=True)
    made = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in took)
    whole, part = medians(tables["path"], lambda: critical_path(tenth), rounds=told.rounds)
    drawn = zip(charts, medians(*charts.values(), rounds=told.rounds), charts.values(), strict=True)
    said = ", ".join(f"{name} {took:.2f} s {len(chart().to_json()) / 1e3:,.0f} kB" for name, took, chart in drawn)
    print(
        f"paths: {told.runs:,} task runs, {runs['upstream_task_run_ids'].map(len).sum():,} links, {len(spans):,} stays "
        f"(goal 1 s): {made}; growth of path {whole / part / 10:.2f}; charts (goals 1 s, 1,000 kB): {said}; "
        f"medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
