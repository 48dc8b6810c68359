"""What it costs to say what failed, how often, how flaky it is and how long it took to recover, for 100,000 task runs.

    python tests/benchmarks/failures.py [--runs 100000] [--rounds 5]

Each task run has three upstreams, one in four is called by another, and one flow run in two is a subflow run. Tables
are timed from the frames, the charts from their tables, and weighed as the JSON that the browser gets. A plain loop
over the same rows that finds the task runs that failed within a flow run that did takes turns with them.
"""

from __future__ import annotations

import argparse

import made_frames
import numpy as np
import pandas as pd
from turns import medians

from prefect_nbviz import (
    failure_rates,
    failure_table,
    flaky_tasks,
    frames,
    leaf_failures,
    outages,
    plot_failure_rates,
    plot_outages,
    recovery_table,
)


def made(runs: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give flow runs and their task runs."""
    rng = np.random.default_rng(7)
    tasks = made_frames.task_runs(runs)
    ids = tasks["task_run_id"].to_numpy(dtype=object)
    earlier = np.minimum(np.arange(runs)[:, None] + rng.integers(1, 20, (runs, 3)), runs - 1)  # the newest come first
    upstream = np.empty(runs, dtype=object)
    upstream[:] = [(*dict.fromkeys(some),) for some in ids[earlier]]
    first = tasks.drop_duplicates("flow_run_id")
    parent = np.where(np.arange(len(first)) % 2, None, np.append(ids[first.index[1:]], None))
    flows = first.drop(columns=["task_run_id", "task_key", "upstream_task_run_ids"]).assign(
        parent_task_run_id=parent,
        flow_version=rng.choice(["v1", "v2"], len(first)),
        state_type=pd.Categorical(["FAILED"] * len(first), dtype=frames.state_type_dtype()),
        state_name="Failed",
        state_message="Flow run encountered an exception: ValueError: boom",
    )
    return flows.reset_index(drop=True), tasks.assign(upstream_task_run_ids=upstream)


def by_loop(flows: pd.DataFrame, tasks: pd.DataFrame) -> int:
    failed = {*flows.loc[flows["state_type"] == "FAILED", "flow_run_id"]}
    kinds = {"FAILED", "CRASHED"}
    return sum(
        kind in kinds and run in failed for run, kind in zip(tasks["flow_run_id"], tasks["state_type"], strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--runs", 100_000), ("--rounds", 5)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    flows, tasks = made(told.runs)
    moment = tasks["end_time"].max()
    calls = {
        "leaves": lambda: leaf_failures(flows, tasks),
        "messages": lambda: failure_table(tasks),
        "rates by task": lambda: failure_rates(tasks, by=["flow_name", "task_key"]),
        "by tag and hour": lambda: failure_rates(tasks, by=["tags", "hour"], tz="Europe/Berlin"),
        "flaky": lambda: flaky_tasks(tasks, flows),
        "recovery by task": lambda: recovery_table(tasks, by=["flow_name", "task_key"], as_of=moment),
    }
    rates = failure_rates(tasks, by=["tags", "hour"])
    stops = outages(tasks, by=["flow_name", "task_key"], as_of=moment)
    charts = (lambda: plot_failure_rates(rates), lambda: plot_outages(stops))
    *took, rated, drawn, loop = medians(*calls.values(), *charts, lambda: by_loop(flows, tasks), rounds=told.rounds)
    sizes = [len(chart().to_json()) / 1e3 for chart in charts]
    leaves = leaf_failures(flows, tasks)
    assert leaves.attrs[frames.ATTRS]["failed"] == by_loop(flows, tasks) + len(flows)
    said = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in zip(calls, took, strict=True))
    print(
        f"failures: {told.runs:,} task runs, {len(leaves):,} leaves (goals: table 1 s, chart 1,000 kB): {said}; "
        f"charts {rated:.2f} s {sizes[0]:,.0f} kB, {len(stops):,} outages {drawn:.2f} s {sizes[1]:,.0f} kB; "
        f"a loop over the rows {loop:.2f} s; medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
