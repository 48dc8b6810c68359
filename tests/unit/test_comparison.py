"""Comparing sets of runs: the numbers are those of plain loops, the tests those of counting every case."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections import defaultdict
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_runs import MICRO, flow_runs, task_runs
from scipy.stats import fisher_exact, mannwhitneyu

from prefect_nbviz import compare_runs, frames, parameter_differences, schema, tables
from prefect_nbviz.analysis.two_samples import (
    can_differ,
    failure_p_value,
    holm,
    longer_share,
    median_change,
    order_p_value,
)
from prefect_nbviz.errors import FrameError, MissingPackageError, QueryError
from prefect_nbviz.states import FAILURE_TYPES, STATE_NAMES

RUN = st.fixed_dictionaries(
    {
        "flow_run_id": st.sampled_from(["f1", "f2", "f3", None]),
        "task_key": st.sampled_from(["load-0a1b2c3d", "load-ffffffff", "read-0a1b2c3d", "plain"]),
        "state_name": st.sampled_from(["Completed", "Completed", "Cached", "Failed", "Crashed", "Running"]),
        "start": st.sampled_from([0, None]),
        "length": st.none() | st.integers(0, 9),
    }
)


def halves(values: list[Fraction | int]) -> Fraction:
    """Give the median without rounding."""
    ordered = sorted(values)
    return Fraction(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def rounded(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def made(rows: list[dict[str, Any]], side: str) -> pd.DataFrame:
    return task_runs([row | {"task_run_id": f"{side}-{place}"} for place, row in enumerate(rows)], truncated=False)


def units(rows: list[dict[str, Any]], side: str) -> dict[str, dict[str, list[dict[str, Any]]]]:
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for place, row in enumerate(rows):
        name = row["task_key"] if row["task_key"] == "plain" else row["task_key"][:4]
        found[name][row["flow_run_id"] or f"{side}-{place}"].append(row)
    return found


@settings(max_examples=40)
@given(st.lists(RUN, max_size=20), st.lists(RUN, max_size=20))
def test_the_numbers_are_those_of_a_plain_loop(before: list[Any], after: list[Any]) -> None:
    table = compare_runs(made(before, "before"), made(after, "after"), tests=False)
    assert [*table.columns] == ["task", *schema.names(tables.COMPARISON)]
    of = {"before": units(before, "before"), "after": units(after, "after")}
    assert {*table["task"]} == {*of["before"], *of["after"]}
    assert len(table) == table["task"].nunique()
    for line in table.to_dict("records"):
        medians: dict[str, list[int]] = {}
        for side, found in of.items():
            own = [*found[line["task"]].values()]
            runs = [row for rows in own for row in rows]
            timed = [[row["length"] for row in rows if counts(row)] for rows in own]
            medians[side] = [rounded(halves(lengths)) for lengths in timed if lengths]
            ended = [rows for rows in own if any(STATE_NAMES[row["state_name"]] != "RUNNING" for row in rows)]
            failed = [rows for rows in own if any(STATE_NAMES[row["state_name"]] in FAILURE_TYPES for row in rows)]
            assert line[f"runs_{side}"] == len(runs)
            assert line[f"left_out_{side}"] == sum(not counts(row) for row in runs)
            assert line[f"timed_{side}"] == len(medians[side])
            assert (line[f"ended_{side}"], line[f"failed_{side}"]) == (len(ended), len(failed))
            assert line[f"task_keys_{side}"] == tuple(sorted({row["task_key"] for row in runs}))
            p50 = line[f"p50_{side}"]
            assert p50 == rounded(halves([*medians[side]])) * MICRO if medians[side] else p50 is pd.NaT
        assert_of_pairs(line, medians["before"], medians["after"])
    assert not table.loc[:, "p_duration":"p_duration_holm"].notna().to_numpy().any()


def counts(row: dict[str, Any]) -> bool:
    return row["state_name"] == "Completed" and row["start"] is not None and row["length"] is not None


def assert_of_pairs(line: dict[str, Any], before: list[int], after: list[int]) -> None:
    pairs = [(one, other) for one in before for other in after]
    longer = sum(Fraction(other > one) + Fraction(other == one, 2) for one, other in pairs)
    keys = line["task_keys_before"], line["task_keys_after"]
    if pairs:
        assert line["longer_share"] == pytest.approx(float(longer / len(pairs)))
        assert line["change"] == line["p50_after"] - line["p50_before"]
        assert math.isnan(line["ratio"]) == (line["p50_before"] == 0 * MICRO)
    else:
        assert math.isnan(line["longer_share"])
        assert line["change"] is pd.NaT
    is_told = all(keys) and line["task"] != "plain"
    assert line["code_changed"] == (keys[0] != keys[1]) if is_told else pd.isna(line["code_changed"])
    expected = "new" if not line["runs_before"] else "gone" if not line["runs_after"] else None
    assert line["finding"] == expected if expected else pd.isna(line["finding"])


SOME = st.lists(st.integers(0, 10**6), min_size=1, max_size=6)


@settings(max_examples=60)
@given(SOME, SOME)
def test_the_test_of_durations_counts_every_order(before: list[int], after: list[int]) -> None:
    both = before + after
    assume(len({*both}) == len(both))
    ordered = sorted(both)
    rank = {value: place for place, value in enumerate(ordered)}

    def distance(places: Any) -> int:
        return abs(2 * sum(places) - len(before) * (len(both) - 1))

    orders = [distance(places) for places in combinations(range(len(both)), len(before))]
    least = sum(one == max(orders) for one in orders) / len(orders)
    assert can_differ(len(before), len(after)) == (least <= 0.05)
    found = order_p_value(np.array(before), np.array(after))
    exact = sum(one >= distance([rank[value] for value in before]) for one in orders) / len(orders)
    assert found == pytest.approx(exact) if can_differ(len(before), len(after)) else math.isnan(found)


@settings(max_examples=60)
@given(st.integers(0, 12), st.integers(0, 12), st.data())
def test_the_test_of_failures_counts_every_table(one: int, other: int, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, one)), data.draw(st.integers(0, other))
    many = sum(failed)
    tables = {k: math.comb(one, k) * math.comb(other, many - k) for k in range(many + 1) if k <= one}
    tables = {k: ways for k, ways in tables.items() if ways}
    ways = {k: sum(n for n in tables.values() if n <= tables[k]) / sum(tables.values()) for k in tables}
    found = failure_p_value((one, other), failed)
    if many in {0, one + other} or min(ways[min(tables)], ways[max(tables)]) > 0.05:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(ways[failed[0]])


def test_what_can_just_reach_the_level_is_tested() -> None:
    assert failure_p_value((4, 12), (2, 0)) == pytest.approx(0.05)  # 6 of 120 ways to choose which failed


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=8))
def test_holm_goes_down_step_by_step(p_values: list[float]) -> None:
    made = sorted(one for one in p_values if not math.isnan(one))
    for one, found in zip(p_values, holm(np.array(p_values)), strict=True):
        if math.isnan(one):
            assert math.isnan(found)
        else:
            steps = [(len(made) - place) * value for place, value in enumerate(made) if value <= one]
            assert found == pytest.approx(min(1, max(steps)))


@pytest.mark.parametrize(("before", "after"), [(6, 6), (5, 9), (8, 30), (101, 12)])
def test_the_interval_of_the_change_is_made_of_those_of_the_medians(before: int, after: int) -> None:
    """The chance that the k-th smallest of n is above the median is that of fewer than k heads in n throws."""

    def ends(numbers: range) -> tuple[float, float] | None:
        n = len(numbers)
        place = sum(sum(math.comb(n, k) for k in range(heads)) / 2**n < 0.025 for heads in range(1, n + 1))
        return (numbers[place - 1], numbers[n - place]) if place else None

    sets = range(before), range(1_000, 1_000 + 10 * after, 10)
    found = median_change(*(np.array(one)[::-1] for one in sets))
    first, second = (ends(one) for one in sets)
    if first is None or second is None:
        assert found is None
    else:
        one, other = (statistics.median(one) for one in sets)
        down = ((other - second[0]) ** 2 + (first[1] - one) ** 2) ** 0.5
        up = ((second[1] - other) ** 2 + (one - first[0]) ** 2) ** 0.5
        assert found == (round(other - one - down), round(other - one + up))


@pytest.mark.parametrize(("before", "after"), [(6, 8), (12, 30)])
def test_the_interval_of_the_change_holds_it_often_enough(before: int, after: int) -> None:
    rng, true, held = np.random.default_rng(7), 3e6 * math.log(2) - 1e6, 0
    for _ in range(300):
        first, second = rng.lognormal(0, 1, before) * 1e6, rng.exponential(3, after) * 1e6
        low, high = median_change(first.astype(np.int64), second.astype(np.int64)) or (math.nan, math.nan)
        held += low <= true <= high
    assert held >= 0.94 * 300


def test_the_chance_of_a_finding_where_nothing_changed_is_small() -> None:
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(30):
        rows = [
            {"flow_run_id": f"f{run}", "task_key": f"task_{task}-0a1b2c3d", "length": int(rng.integers(1, 10**6))}
            for run in range(20)
            for task in range(6)
        ]
        table = compare_runs(made(rows[:60], "before"), made(rows[60:], "after"))
        assert table["p_duration"].notna().all()
        found += table["finding"].notna().any()
    assert found <= 4, "5% of 30 are expected at the most"


def test_what_changed_is_found_and_said() -> None:
    before = [{"flow_run_id": f"a{run}", "task_key": "load-0a1b2c3d", "length": 1_000 + run} for run in range(9)]
    before += [{"flow_run_id": f"a{run}", "task_key": "read-0a1b2c3d", "length": 2_000 + run} for run in range(9)]
    before += [{"flow_run_id": "a0", "task_key": "old-0a1b2c3d"}]
    after = [{"flow_run_id": f"b{run}", "task_key": "load-ffffffff", "length": 3_000 + run} for run in range(9)]
    after += [{"flow_run_id": f"b{run}", "task_key": "read-0a1b2c3d", "state_name": "Failed"} for run in range(9)]
    after += [{"flow_run_id": "b0", "task_key": "new-0a1b2c3d"}]
    table = compare_runs(made(before, "before"), made(after, "after").assign(x=1))
    assert table["task"].tolist() == ["load", "read", "old", "new"]
    assert table["finding"].tolist() == ["slower", "fails more", "gone", "new"]
    load, read, *_ = table.to_dict("records")
    assert load["p_duration"] == mannwhitneyu(range(9), range(10, 19), method="exact").pvalue
    assert read["p_failure"] == fisher_exact([[0, 9], [9, 0]]).pvalue
    assert read["p_failure_holm"] == 2 * read["p_failure"] or load["p_duration_holm"] == 2 * load["p_duration"]
    assert (load["change"], load["change_low"], load["change_high"]) == (2_000 * MICRO, 1_996 * MICRO, 2_004 * MICRO)
    assert table["code_changed"].tolist()[:2] == [True, False]
    assert table["left_out_after"].tolist() == [0, 9, 0, 0]
    about = table.attrs[frames.ATTRS]
    assert (about["unit"], about["tests"], about["before"]["runs"]) == ("flow run", 2, 19)
    assert about["truncated"] is False


def test_the_runs_of_a_mapped_task_count_once() -> None:
    before = [{"flow_run_id": "a", "length": 1_000 + run} for run in range(40)]
    after = [{"flow_run_id": "b", "length": 9_000 + run} for run in range(40)]
    table = compare_runs(made(before, "before"), made(after, "after"))
    assert table[["runs_before", "timed_before", "timed_after"]].to_numpy().tolist() == [[40, 1, 1]]
    assert table["p_duration"].isna().all()
    assert table["change"].tolist() == [8_000 * MICRO]


def test_flow_runs_are_compared_by_any_column() -> None:
    before = flow_runs([{"flow_run_id": f"a{n}", "tags": ("x", "y") if n % 2 else ("x",)} for n in range(8)])
    after = flow_runs([{"flow_run_id": f"b{n}", "length": 9_000_000, "tags": ("x",)} for n in range(8)])
    table = compare_runs(before, after, by="tags")
    assert table[["tags", "runs_before", "runs_after"]].to_numpy().tolist() == [["x", 8, 8], ["y", 4, 0]]
    assert table["finding"].tolist() == ["slower", "gone"]
    assert table.attrs[frames.ATTRS]["unit"] == "run"
    assert compare_runs(before, after, by=["flow_name", "hour"])["hour"].notna().all()


def test_what_cannot_be_compared_is_said() -> None:
    tasks, flows = frames.empty(schema.TASK_RUNS), frames.empty(schema.FLOW_RUNS)
    empty = compare_runs(tasks, tasks)
    assert empty.drop(columns="task").dtypes.equals(frames.empty(tables.COMPARISON).dtypes)
    one = made([{}], "before")
    assert compare_runs(one, tasks)["finding"].tolist() == ["gone"]
    with pytest.raises(FrameError, match="compare two of a kind"):
        compare_runs(tasks, flows)
    with pytest.raises(FrameError, match="1 of the runs are in both"):
        compare_runs(one, one)
    with pytest.raises(QueryError, match=r"by cannot be 'task_kez'.* Did you mean 'task_key'"):
        compare_runs(tasks, tasks, by="task_kez")
    with pytest.raises(QueryError, match="by='flow_name' compares flows"):
        compare_runs(flows, flows)
    with pytest.raises(FrameError, match="lacks 'duration'"):
        compare_runs(tasks.drop(columns="duration"), tasks)


def test_without_scipy_only_the_tests_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    before, after = ([{"flow_run_id": f"{side}{run}"} for run in range(8)] for side in "ab")
    with pytest.raises(MissingPackageError, match=r"pip install scipy.*tests=False"):
        compare_runs(made(before, "before"), made(after, "after"))
    for few in (1, 8):
        table = compare_runs(made(before[:few], "before"), made(after[:few], "after"), tests=few == 1)
        assert table["change"].tolist() == [0 * MICRO]
        assert table.attrs[frames.ATTRS]["tests"] == 0


def test_equal_durations_are_no_difference_and_many_are_tested_quickly() -> None:
    assert order_p_value(np.full(9, 5), np.full(9, 5)) == 1
    assert order_p_value(np.arange(8), np.arange(100, 20_100)) < 1e-5
    assert math.isnan(longer_share(np.array([], dtype=int), np.arange(3)))


TEXT = st.sampled_from(["1", "1.0", "true", "null", '"1"', "[1, 2]", "{}", '{"x": 1}', '{"x": {"y": 2}}', '{"a.b": 1}'])
GIVEN = st.none() | st.dictionaries(st.sampled_from("pq"), TEXT, max_size=2).map(
    lambda values: "{" + ", ".join(f'"{key}": {value}' for key, value in values.items()) + "}"
)


@settings(max_examples=40)
@given(st.lists(GIVEN, min_size=1, max_size=4), st.lists(GIVEN, min_size=1, max_size=4))
def test_only_the_parameters_that_differ(before: list[str | None], after: list[str | None]) -> None:
    sides = {"before": before, "after": after}
    table = parameter_differences(
        *(pd.DataFrame({"parameters": pd.Series(one, dtype="str")}) for one in sides.values())
    )
    held = {side: [paths(text) for text in texts] for side, texts in sides.items()}
    names = sorted({name for runs in held.values() for run in runs for name in run})
    differ = [
        name for name in names if {run.get(name) for run in held["before"]} != {run.get(name) for run in held["after"]}
    ]
    assert table["parameter"].tolist() == differ
    for line in table.to_dict("records"):
        for side, runs in held.items():
            values = [run[line["parameter"]] for run in runs if line["parameter"] in run]
            found = dict(zip(line[f"values_{side}"], line[f"runs_{side}"], strict=True))
            assert found == {value: values.count(value) for value in values}
            assert line[f"without_{side}"] == len(runs) - len(values)


def paths(text: str | None) -> dict[str, str]:
    """Give the values of JSON text under their paths."""
    found: dict[str, str] = {}

    def look(value: Any, path: str) -> None:
        if isinstance(value, dict) and (value or not path):
            for key, inner in value.items():
                look(inner, f"{path}.{key}" if path else key)
        else:
            found[path] = json.dumps(value, separators=(",", ":"))

    look(json.loads(text or "{}"), "")
    found.pop("", None)
    return found


def test_parameters_of_nothing_and_of_a_frame_without_them() -> None:
    empty = frames.empty(schema.FLOW_RUNS)
    assert parameter_differences(empty, empty).dtypes.equals(frames.empty(tables.PARAMETER_DIFFERENCES).dtypes)
    with pytest.raises(FrameError, match="lacks 'parameters'"):
        parameter_differences(empty, empty.drop(columns="parameters"))
