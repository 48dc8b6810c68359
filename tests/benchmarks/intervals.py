"""What `state_intervals` of a million states costs, beside a groupby-apply that does the same.

    python tests/benchmarks/intervals.py [--states 1000000] [--sample 50000] [--rounds 5]

The groupby-apply is made as quick as one can be: it sorts once, looks at all states at once where that is possible,
and does for each run only what needs its runs apart, in numpy. It costs a call for each run, so that it is timed on
the first runs of the same histories, in turns with ours; both must give the same frame there. The ratio is that on
this sample, where ours is at its worst; on all states ours is compared with that time multiplied by how many more
runs there are. Growth is the time for all states over that for a tenth of them, divided by ten: linear is 1.0.
Memory is the peak of what Python, numpy and Arrow ask for during a call, its result included.
"""

from __future__ import annotations

import argparse
import tracemalloc
from collections.abc import Callable

import made_frames
import numpy as np
import pandas as pd
import pyarrow as pa
from turns import medians

from prefect_nbviz import frames, schema, state_intervals
from prefect_nbviz.states import TERMINAL_STATE_TYPES

_POOL = pa.default_memory_pool()
_COUNTING = pa.proxy_memory_pool(_POOL)  # it must outlive what was asked of it

_TIES = ["timestamp", "state_type", "state_name", "message"]


def by_groupby(states: pd.DataFrame) -> pd.DataFrame:
    """Give what `state_intervals` gives, of histories whose runs begin at different moments."""
    ordered = states.sort_values(_TIES, kind="stable", na_position="first", ignore_index=True)
    as_of = pd.Timestamp(states.attrs[frames.ATTRS]["as_of"]).tz_localize(None).to_numpy()
    running = ordered["state_type"] == "RUNNING"
    parts = pd.DataFrame(
        {
            "run_id": ordered["run_id"],
            "start": ordered["timestamp"].dt.tz_localize(None),
            "terminal": ordered["state_type"].isin(TERMINAL_STATE_TYPES),
            "running": running,
            "waiting": ordered["state_type"].isin(["SCHEDULED", "PENDING"]),
            "retrying": running & (ordered["state_name"] == "Retrying"),
        }
    )
    groups = parts.groupby("run_id", sort=False)
    found = groups[["start", "terminal", "running", "waiting", "retrying"]].apply(stays_of_run, as_of).droplevel(0)
    spans = ordered.loc[found.index].assign(start_time=lambda rows: rows["timestamp"], **found)
    spans["end_time"] = spans["end_time"].dt.tz_localize("UTC")
    return spans.assign(duration=spans["end_time"] - spans["start_time"])[schema.names(schema.INTERVALS)].reset_index(
        drop=True
    )


def stays_of_run(run: pd.DataFrame, as_of: np.datetime64) -> pd.DataFrame:
    start, terminal, running = (run[name].to_numpy() for name in ("start", "terminal", "running"))
    end = np.append(start[1:], max(start[-1], as_of))
    end[terminal] = start[terminal]
    ran, ended = np.append(False, running[:-1]), np.append(False, terminal[:-1])
    again = (run["waiting"].to_numpy() & (ran | ended)) | (running & (ended | (run["retrying"].to_numpy() & ran)))
    is_open = ~terminal
    is_open[:-1] = False
    return pd.DataFrame({"attempt": again.cumsum() + 1, "end_time": end, "is_open": is_open}, index=run.index)


def peak(call: Callable[[], object]) -> int:
    """Give the bytes that a call holds at most."""
    pa.set_memory_pool(_COUNTING)
    tracemalloc.start()
    call()
    most = tracemalloc.get_traced_memory()[1] + _COUNTING.max_memory()
    tracemalloc.stop()
    pa.set_memory_pool(_POOL)
    return most


def first_runs(states: pd.DataFrame, count: int) -> pd.DataFrame:
    """Give so many states, and those that are left of the last run."""
    ids = states["run_id"].head(count).unique()
    return states[states["run_id"].isin(ids)].reset_index(drop=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--states", 1_000_000), ("--sample", 50_000), ("--rounds", 5)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    states = made_frames.states(told.states)
    tenth, sample = first_runs(states, told.states // 10), first_runs(states, told.sample)
    pd.testing.assert_frame_equal(state_intervals(sample), by_groupby(sample), check_categorical=False)
    memory = peak(lambda: state_intervals(states))
    whole, part = medians(lambda: state_intervals(states), lambda: state_intervals(tenth), rounds=told.rounds)
    ours, theirs = medians(lambda: state_intervals(sample), lambda: by_groupby(sample), rounds=told.rounds)
    more = states["run_id"].nunique() / sample["run_id"].nunique()
    print(
        f"intervals: {len(states):,} states {whole:.2f} s (goal 1.5), growth {whole / part / 10:.2f}, "
        f"peak {memory / 1e6:,.0f} MB; {len(sample):,} states {ours:.3f} s, groupby-apply {theirs:.1f} s, "
        f"ratio {theirs / ours:,.0f} (goal 50), on all {theirs * more / whole:,.0f}; medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
