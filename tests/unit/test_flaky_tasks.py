"""Flaky tasks: the verdict and its counts are those of plain loops over flow runs in their order."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, pairwise
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import flaky_tasks, frames, schema, tables
from prefect_nbviz.analysis.flaky_tasks import VERDICTS
from prefect_nbviz.errors import FrameError

BEGIN = pd.Timestamp("2026-03-01", tz="UTC")
FAILED = {"FAILED", "CRASHED"}
KEY = "load-0a1b2c3d"


def made(rows: list[Any]) -> pd.DataFrame:
    """Make task runs of (flow run, key, state type, attempts); the flow run's number says when it was to start."""
    runs, keys, kinds, counts = zip(*rows, strict=True) if rows else ((),) * 4
    data = {
        "task_run_id": [f"t{place}" for place in range(len(rows))],
        "flow_run_id": [None if run is None else f"f{run}" for run in runs],
        "flow_name": [None if run is None else "etl" for run in runs],
        "task_key": keys,
        "state_type": kinds,
        "expected_start_time": [moment(run or 0) for run in runs],
        "run_count": counts,
    }
    columns = {column.name: column for column in schema.TASK_RUNS}
    return frames.typed(data, tuple(columns[name] for name in data))


def versions(known: dict[int, str | None]) -> pd.DataFrame:
    data = {
        "flow_run_id": [f"f{run}" for run in known],
        "expected_start_time": [moment(run) for run in known],
        "flow_version": [*known.values()],
    }
    columns = {column.name: column for column in schema.FLOW_RUNS}
    return frames.typed(data, tuple(columns[name] for name in data))


def moment(day: int) -> str:
    return (BEGIN + pd.Timedelta(days=day)).isoformat()


def in_turn(letters: str) -> list[Any]:
    """Give a task run for each letter, a flow run each: F failed, P passed, R passed after a retry."""
    told = {"F": ("FAILED", 1), "P": ("COMPLETED", 1), "R": ("COMPLETED", 3)}
    return [(day, KEY, *told[letter]) for day, letter in enumerate(letters)]


@pytest.mark.parametrize(
    ("letters", "verdict", "since", "counts"),
    [
        ("PPPP", "stable", None, (0, 0, 0, 0)),
        ("PPPF", "broken", 3, (0, 0, 0, 1)),
        ("PPFFF", "broken", 2, (0, 0, 0, 3)),
        ("PFPP", "flaky", 1, (0, 1, 1, 0)),
        ("PFPF", "flaky", 1, (0, 1, 1, 1)),
        ("PFPFF", "broken", 3, (0, 1, 1, 2)),
        ("FFPFFPF", "flaky", 0, (0, 2, 2, 1)),
        ("PRPP", "flaky", 1, (1, 0, 0, 0)),
        ("RPFP", "flaky", 0, (1, 1, 1, 0)),
    ],
)
def test_verdicts_by_what_came_one_after_the_other(
    letters: str, verdict: str, since: int | None, counts: tuple[int, ...]
) -> None:
    table = flaky_tasks(made([*reversed(in_turn(letters))]))
    row = table.iloc[0]
    assert (len(table), row["verdict"]) == (1, verdict)
    assert row["since"] is pd.NaT if since is None else row["since"] == pd.Timestamp(moment(since))
    words = ["passed_after_retry", "passed_next_time", "longest_recovered", "failing_now"]
    assert (*row[words],) == counts
    assert (row["runs"], row["flow_runs"], row["last_run"]) == (len(letters),) * 2 + (
        pd.Timestamp(moment(len(letters) - 1)),
    )


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        ({0: "v1", 1: "v1"}, "flaky"),
        ({0: "v1", 1: "v2"}, "stable"),
        ({0: None, 1: None}, "stable"),
        ({0: "v1"}, "stable"),
    ],
)
def test_a_change_of_version_is_no_flakiness_and_an_unknown_one_may_be_a_change(
    known: dict[int, str | None], verdict: str
) -> None:
    table = flaky_tasks(made(in_turn("FP")), versions(known))
    assert table["verdict"].tolist() == [verdict]
    about = {"kind": "flaky_tasks", "versions": True, "without_version": sum(known.get(run) is None for run in (0, 1))}
    assert table.attrs[frames.ATTRS] == about


def test_changed_code_is_another_task_and_the_old_one_is_no_longer_current() -> None:
    other = "load-99999999"
    table = flaky_tasks(made([*in_turn("PFF"), (3, other, "COMPLETED", 1)]))
    assert table[["task_key", "verdict", "is_current"]].to_numpy().tolist() == [
        [other, "stable", True],
        [KEY, "broken", False],
    ]


def test_a_mapped_task_fails_in_a_flow_run_if_one_of_its_runs_does() -> None:
    rows = [(0, KEY, "COMPLETED", 1), (0, KEY, "CRASHED", 1), (1, KEY, "COMPLETED", 1), (1, KEY, "CANCELLED", 1)]
    row = flaky_tasks(made([*rows, (1, KEY, "RUNNING", 2)])).iloc[0]
    assert (row["runs"], row["failed_runs"], row["flow_runs"], row["failed_flow_runs"]) == (3, 1, 2, 1)
    assert (row["verdict"], row["passed_next_time"]) == ("flaky", 1)


def test_the_order_is_that_of_the_expected_starts_of_the_flow_runs() -> None:
    starts = versions({1: "v", 0: "v"}).assign(flow_run_id=["f0", "f1"])  # f0 is the later one
    assert flaky_tasks(made(in_turn("FP")))["verdict"].tolist() == ["flaky"]
    assert flaky_tasks(made(in_turn("FP")), starts)["verdict"].tolist() == ["broken"]


ROW = st.tuples(
    st.none() | st.integers(0, 6),
    st.sampled_from([KEY, "load-99999999", "save-00000000"]),
    st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "CRASHED", "CANCELLED"]),
    st.integers(0, 3),
)
KNOWN = st.dictionaries(st.integers(0, 6), st.sampled_from(["v1", "v2", None]))


@settings(max_examples=60)
@given(st.lists(ROW, max_size=30), st.none() | KNOWN)
def test_the_counts_are_those_of_plain_loops(rows: list[Any], known: dict[int, str | None] | None) -> None:
    table = flaky_tasks(made(rows), None if known is None else versions(known))
    assert [*table.columns] == schema.names(tables.FLAKY_TASKS)
    held = [(place, *row) for place, row in enumerate(rows) if row[2] != "CANCELLED"]
    assert {(pd.isna(row.flow_name), row.task_key) for row in table.itertuples()} == {
        (run is None, key) for _, run, key, *_ in held
    }
    for row in table.itertuples():
        own = [one for one in held if (one[1] is None, one[2]) == (pd.isna(row.flow_name), row.task_key)]
        assert (row.runs, row.failed_runs) == (len(own), sum(one[3] in FAILED for one in own))
        assert row.passed_after_retry == sum(one[3] not in FAILED and one[4] > 1 for one in own)
        expected = by_loop(own, known)
        assert {word: getattr(row, word) for word in expected} == expected
        is_flaky = row.passed_after_retry + row.passed_next_time > 0
        is_broken = row.failing_now > row.longest_recovered
        assert row.verdict == ("broken" if is_broken else "flaky" if is_flaky else "stable")
        assert pd.isna(row.since) == (row.verdict == "stable")
    places = [(not row.is_current, VERDICTS.index(row.verdict), -row.failed_runs) for row in table.itertuples()]
    assert places == sorted(places)


def by_loop(own: list[Any], known: dict[int, str | None] | None) -> dict[str, int]:
    runs: dict[Any, bool] = {}
    for place, run, _, kind, _ in own:
        turn = (0, f"t{place}") if run is None else (run, f"f{run}")
        runs[turn] = runs.get(turn, False) or kind in FAILED
    turns = [(turn, runs[turn]) for turn in sorted(runs)]
    rows = [(is_bad, len([*some])) for is_bad, some in groupby(bad for _, bad in turns)]
    row_of = [length for _, length in rows for _ in range(length)]
    recovered = [
        row_of[place]
        for place, ((one, is_bad), (other, then)) in enumerate(pairwise(turns))
        if is_bad and not then and same([one, other], known)
    ]
    return {
        "flow_runs": len(turns),
        "failed_flow_runs": sum(bad for _, bad in turns),
        "passed_next_time": len(recovered),
        "longest_recovered": max(recovered, default=0),
        "failing_now": rows[-1][1] if rows[-1][0] else 0,
    }


def same(turns: Iterable[tuple[int, str]], known: dict[int, str | None] | None) -> bool:
    if known is None:
        return True
    one, other = (known.get(run) if name.startswith("f") else None for run, name in turns)
    return one is not None and one == other


def test_an_empty_table_has_every_column_and_a_frame_that_will_not_do_is_refused() -> None:
    assert flaky_tasks(made([])).dtypes.equals(frames.empty(tables.FLAKY_TASKS).dtypes)
    with pytest.raises(FrameError, match="lacks 'task_key'"):
        flaky_tasks(made([]).drop(columns="task_key"))
    with pytest.raises(FrameError, match="lacks 'flow_version'"):
        flaky_tasks(made([]), versions({}).drop(columns="flow_version"))
