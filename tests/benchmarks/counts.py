"""What counting a million runs by state and hour costs, beside pandas' own groupby, and the charts of a million.

    python tests/benchmarks/counts.py [--runs 1000000] [--rounds 7]

The groupby floors the times to hours and takes sizes, without bins that follow a time zone's clocks; both must count
the same, and they take turns. Growth is the time for all runs over that for a tenth of them, divided by ten: linear
is 1.0. A chart is timed from the frame, and weighed as the JSON that the browser gets.
"""

from __future__ import annotations

import argparse

import made_frames
import pandas as pd
from turns import medians

from prefect_nbviz import plot_run_counts, plot_state_counts, run_counts


def by_groupby(runs: pd.DataFrame) -> pd.Series[int]:
    hour = runs["expected_start_time"].dt.floor("h")
    return runs.groupby([hour, "state_type", "state_name"], observed=True).size()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--runs", 1_000_000), ("--rounds", 7)):
        parser.add_argument(name, type=int, default=default)
    told = parser.parse_args()
    runs = made_frames.task_runs(told.runs)
    tenth = runs.head(told.runs // 10)
    assert run_counts(runs)["runs"].tolist() == by_groupby(runs).tolist()
    ours, theirs = medians(lambda: run_counts(runs), lambda: by_groupby(runs), rounds=told.rounds)
    whole, part = medians(lambda: run_counts(runs), lambda: run_counts(tenth), rounds=told.rounds)
    charts = {
        "hours": lambda: plot_run_counts(run_counts(runs)),
        "states": lambda: plot_state_counts(runs, by="state_name"),
        "flows": lambda: plot_state_counts(runs, by="flow_name"),
        "tags": lambda: plot_state_counts(runs, by="tags"),
        "names": lambda: plot_state_counts(runs, by="name"),
    }
    drawn = zip(charts, medians(*charts.values(), rounds=told.rounds), charts.values(), strict=True)
    said = ", ".join(f"{name} {took:.2f} s {len(chart().to_json()) / 1e3:,.0f} kB" for name, took, chart in drawn)
    print(
        f"counts: {len(runs):,} runs by state and hour {ours:.3f} s (goal 0.3), growth {whole / part / 10:.2f}, "
        f"groupby {theirs:.3f} s; charts (goals 1 s, 1,000 kB): {said}; medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
