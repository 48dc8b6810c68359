"""What it costs to look for records that cannot be right among 100,000 task runs, their histories and as many flow runs.

python tests/benchmarks/suspects.py [--runs 100000] [--rounds 5]
"""

from __future__ import annotations

import argparse

import made_frames
import pandas as pd
from turns import medians

from prefect_nbviz import frames, schema, suspect_runs


def flow_runs(tasks: pd.DataFrame) -> pd.DataFrame:
    """Give a flow run for each of some task runs, one in ten of which is not the parent of any."""
    rows = tasks.assign(
        flow_run_id=tasks["flow_run_id"].where(~tasks["flow_run_id"].duplicated(), tasks["task_run_id"])
    )
    empty = frames.empty(schema.FLOW_RUNS)
    found = rows.reindex(columns=empty.columns).assign(created=rows["expected_start_time"])
    return found.assign(state_type=found["state_type"].mask(found["state_type"] == "RUNNING", "CRASHED"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--runs", 100_000), ("--rounds", 5)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    states = made_frames.states(told.runs * 4)
    ids = pd.Series(states["run_id"].unique()[: told.runs])
    states = states[states["run_id"].isin(ids)]
    tasks = made_frames.task_runs(told.runs).assign(task_run_id=ids)
    flows = flow_runs(tasks)
    calls = {
        "task runs": {"task_runs": tasks},
        "both kinds": {"task_runs": tasks, "flow_runs": flows},
        "histories": {"states": states},
        "all": {"task_runs": tasks, "flow_runs": flows, "states": states},
    }
    took = medians(*(lambda given=given: suspect_runs(**given) for given in calls.values()), rounds=told.rounds)
    said = [
        f"{name} {seconds:.2f} s, {len(suspect_runs(**given)):,} rows"
        for (name, given), seconds in zip(calls.items(), took, strict=True)
    ]
    print(
        f"suspects: {told.runs:,} runs, {len(states):,} states (goal: 1 s): {'; '.join(said)}; medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
