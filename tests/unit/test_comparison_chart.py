"""The chart of a comparison: what it draws is what the table says, and what it leaves out is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_runs import task_runs

from prefect_nbviz import compare_runs, frames, plot_comparison
from prefect_nbviz.errors import FrameError, QueryError

EVIL = "<img src=x onerror=alert(1)>%{x}$y$"


def sets(runs: int, tasks: int = 3, *, slower: int = 3, prefix: str = "") -> pd.DataFrame:
    before, after = (
        task_runs(
            [
                {
                    "task_run_id": f"{side}{run}-{task}",
                    "flow_run_id": f"{side}{run}",
                    "task_key": f"{prefix}task_{task}-{'0a1b2c3d' if side == 'a' else 'ffffffff'}",
                    "length": 1_000_000 * (task + 1) * (slower if side == "b" and task == 0 else 1) + run,
                    "state_name": "Failed" if task == 1 and side == "b" else "Completed",
                }
                for run in range(runs)
                for task in range(tasks + (side == "b"))
                if (task, side) != (2, "b")
            ],
            matched=1_000,
            truncated=True,
        )
        for side in "ab"
    )
    return compare_runs(before, after)


def test_medians_are_where_they_are_and_findings_are_said() -> None:
    table = sets(9)
    figure = plot_comparison(table)
    dots = {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in figure.data if trace.mode == "markers"}
    for side in ("before", "after"):
        held = table[table[f"p50_{side}"].notna()]
        seconds = held[f"p50_{side}"] / pd.Timedelta("1s")
        assert dots[f"median {side}"] == pytest.approx(dict(zip(held["task"], seconds, strict=True)))
    wide = [trace for trace in figure.data if trace.mode == "lines" and trace.showlegend]
    assert [list(one.y)[:2] for one in wide] == [["task_0", "task_0"]]
    texts = next(trace for trace in figure.data if trace.mode == "text")
    assert {y: text.strip() for y, text in zip(texts.y, texts.text, strict=True)} == {
        "task_0": "+200% · slower",
        "task_1": "fails more",
        "task_2": "gone",
        "task_3": "new",
    }
    hover = next(trace for trace in figure.data if trace.name == "median after").hovertext[0]
    assert "change with 95%: +2 s to +2 s" in hover
    assert "durations: p 4.1e-05, corrected 8.2e-05" in hover
    assert "the code of the task differs" in hover
    said = "before: 27 runs drawn, of 1,000 that match; after: 27 runs drawn, of 1,000 that match; 2 tests, corrected by Holm"
    assert figure.layout.title.subtitle.text == said


def test_two_single_runs_have_differences_and_no_test() -> None:
    figure = plot_comparison(sets(1))
    assert figure.layout.title.subtitle.text.endswith("no tests")
    texts = next(trace for trace in figure.data if trace.mode == "text")
    assert "+200%" in " ".join(texts.text)
    assert "failed 0/1 → 1/1" in " ".join(texts.text)
    assert "no test of durations: too few" in figure.data[-2].hovertext[0]


def test_what_is_not_drawn_is_said_and_strangers_are_harmless() -> None:
    table = sets(8, 40, prefix=EVIL * 3)
    figure = plot_comparison(table, theme="dark")
    assert "11 more rows are not drawn" in figure.layout.title.subtitle.text
    written = figure.to_json()
    assert "<img" not in written
    assert "$y$" not in written
    assert len(written) < 200_000


def test_nothing_and_no_durations_are_drawn() -> None:
    empty = task_runs([])
    assert plot_comparison(compare_runs(empty, empty)).layout.annotations[0].text == "No runs to compare"
    failed = [task_runs([{"state_name": "Failed", "task_run_id": one, "flow_run_id": one}]) for one in "ab"]
    figure = plot_comparison(compare_runs(*failed))
    assert sum(len(trace.x) for trace in figure.data if trace.mode == "markers") == 0
    instant = [task_runs([{"length": 0, "task_run_id": one, "flow_run_id": one}]) for one in "ab"]
    found = plot_comparison(compare_runs(*instant))
    assert np.isfinite([value for trace in found.data if trace.mode == "markers" for value in trace.x]).all()


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(FrameError, match="as compare_runs"):
        plot_comparison(pd.DataFrame({"task": ["a"]}))
    with pytest.raises(QueryError, match="theme cannot be"):
        plot_comparison(sets(1), theme="drak")
    assert frames.ATTRS in sets(1).attrs
