"""What pixels show is what a plain count of every stay, cell by cell, says is there."""

from __future__ import annotations

import base64
import zlib
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz.charts.blocks import Blocks
from prefect_nbviz.charts.pixels import Cells
from prefect_nbviz.charts.png import png_address
from prefect_nbviz.charts.stays import Stays, View
from prefect_nbviz.states import FAILURE_TYPES, TERMINAL_STATE_TYPES

STATES = [
    ("SCHEDULED", "AwaitingRetry"),
    ("PENDING", "Pending"),
    ("RUNNING", "Running"),
    ("RUNNING", "Retrying"),
    ("COMPLETED", "Completed"),
    ("FAILED", "Failed"),
    ("CRASHED", "Crashed"),
]


@st.composite
def histories(draw: Any) -> pd.DataFrame:
    """Some runs, each with stays that follow each other or leave gaps, in any order of rows."""
    rows = []
    longest = draw(st.sampled_from([20, 900]))
    for run in range(draw(st.integers(1, 9))):
        at = draw(st.integers(0, 5 * longest))
        for kind, name in draw(st.lists(st.sampled_from(STATES), min_size=1, max_size=5)):
            end = at if kind in TERMINAL_STATE_TYPES else at + draw(st.integers(0, longest))
            rows.append((f"run {run}", kind, name, at, end))
            at = end + draw(st.sampled_from([0, 0, 0, 70]))
    return frame(draw(st.permutations(rows)))


def frame(rows: list[tuple[str, str, str, int, int]]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["run_id", "state_type", "state_name", "start_time", "end_time"])
    times = {name: pd.to_datetime(made[name], unit="us", utc=True) for name in ("start_time", "end_time")}
    return made.assign(**times, group=made["run_id"].str[-1].map(lambda digit: f"g{int(digit) % 3}"))


views = st.builds(lambda start, length: View(start, start + length), st.integers(-500, 4_500), st.integers(1, 6_000))


def plain_cells(cells: Cells) -> dict[tuple[int, int], tuple[dict[int, int], dict[int, int]]]:
    """Count the microseconds and the ends of each state in each cell, stay by stay and column by column."""
    stays, view, step = cells.stays, cells.view, cells.step
    rows = sorted({*stays.row.tolist()})
    found: Any = defaultdict(lambda: (defaultdict(int), defaultdict(int)))
    for row, state, start, end in zip(stays.row, stays.state, stays.start, stays.end, strict=True):
        rank = rows.index(row)
        line = rank % cells.lines if cells.is_woven else rank // cells.per_line
        if start == end:
            found[line, (start - view.start) // step][1][state] += 1
        for column in range(cells.columns):
            left = view.start + column * step
            if (inside := min(end, left + step) - max(start, left)) > 0:
                found[line, column][0][state] += inside
    return dict(found)


def plain_pixels(time: dict[int, int], ends: dict[int, int], height: int, keys: list[tuple[str, str]]) -> list[int]:
    """Share out the pixels of one cell, from its top."""
    bad_ones = {state: count for state, count in ends.items() if keys[state][0] in FAILURE_TYPES}
    good_ones = {state: count for state, count in ends.items() if state not in bad_ones}
    bad = -(-height * sum(bad_ones.values()) // max(sum(ends.values()), 1))
    good = height - bad if not time else int(bool(good_ones) and height - bad > 1)
    part, total = height - bad - good, sum(time.values())
    pixels = []
    for pixel in range(part):
        upto = 0
        for state in sorted(time):
            upto += time[state]
            if upto * 2 * part > (2 * pixel + 1) * total:
                pixels.append(state)
                break
    most = [max(sorted(ones), key=ones.__getitem__) if ones else -1 for ones in (good_ones, bad_ones)]
    return [1 + state for state in [*pixels, *[most[0]] * good, *[most[1]] * bad]]


@settings(max_examples=60)
@given(history=histories(), view=views, plot=st.sampled_from([4, 8, 16, 40]), rows=st.sampled_from(["run_id", "group"]))
def test_every_pixel_is_what_a_plain_count_says(history: pd.DataFrame, view: View, plot: int, rows: str) -> None:
    stays = Stays.of(history, rows=rows)
    if not len(stays.within(view.on_grid(view.step(1_000))).row):
        return
    cells = Cells.of(stays, view, plot=plot)
    expected = plain_cells(cells)
    assert {*zip(cells.line.tolist(), cells.column.tolist(), strict=True)} == {*expected}
    picture = cells.picture().reshape(cells.lines, cells.height, cells.columns)
    assert np.count_nonzero(picture.any(axis=1)) == len(expected)
    for line, column, time, ends in zip(cells.line, cells.column, cells.time, cells.ends, strict=True):
        here = expected[line, column]
        assert {state: micros for state, micros in enumerate(time.tolist()) if micros} == here[0]
        assert {state: count for state, count in enumerate(ends.tolist()) if count} == here[1]
        assert picture[line, :, column].tolist() == plain_pixels(*here, cells.height, stays.keys)


@settings(max_examples=40)
@given(history=histories(), view=views, plot=st.sampled_from([4, 16, 40]))
def test_all_that_is_in_the_view_is_in_the_cells_and_nothing_else(history: pd.DataFrame, view: View, plot: int) -> None:
    stays = Stays.of(history, rows="run_id")
    grid = view.on_grid(view.step(1_000))
    assert grid.start <= view.start < view.end <= grid.end
    if not len(stays.within(grid).row):
        return
    cells = Cells.of(stays, view, plot=plot)
    start, end = (history[name].astype("int64") for name in ("start_time", "end_time"))
    inside = (end.clip(upper=grid.end) - start.clip(lower=grid.start)).clip(lower=0)
    names = [name for _, name in stays.keys]
    time = dict(zip(names, cells.time.sum(axis=0), strict=True))
    assert time == inside.groupby(history["state_name"]).sum().reindex(names).to_dict()
    moments = history[(start == end) & (start >= grid.start) & (start < grid.end)]
    assert cells.ends.sum() == len(moments)
    fails = [number for number, (kind, _) in enumerate(stays.keys, 1) if kind in FAILURE_TYPES]
    failed = moments[moments["state_type"].isin(FAILURE_TYPES)]
    columns = {*((failed["start_time"].astype("int64") - grid.start) // cells.step).tolist()}
    assert {*np.flatnonzero(np.isin(cells.picture(), fails).any(axis=0)).tolist()} == columns


@settings(max_examples=40)
@given(history=histories(), view=views, plot=st.sampled_from([4, 16, 40]), most=st.integers(1, 300))
def test_a_block_holds_the_runs_and_states_of_its_cells(
    history: pd.DataFrame, view: View, plot: int, most: int
) -> None:
    stays = Stays.of(history, rows="run_id")
    if not len(stays.within(view.on_grid(view.step(1_000))).row):
        return
    cells = Cells.of(stays, view, plot=plot)
    blocks = Blocks.of(cells, most=most)
    assert blocks.time.sum(axis=0).tolist() == cells.time.sum(axis=0).tolist()
    assert blocks.ends.sum(axis=0).tolist() == cells.ends.sum(axis=0).tolist()
    within = cells.stays
    for line, column, runs, one in zip(blocks.line, blocks.column, blocks.runs, blocks.one, strict=True):
        left = cells.view.start + column * cells.step
        right = left + blocks.columns * cells.step
        in_lines = (cells.line_of >= line) & (cells.line_of < line + blocks.lines)
        in_time = (within.start < right) & ((within.end > left) | (within.start >= left))
        held = {*within.run[in_lines & in_time].tolist()}
        assert runs == len(held)
        assert runs > 1 or held == {one}


def test_short_runs_of_a_long_time_are_woven_and_long_ones_are_not() -> None:
    def lines_of(length: int) -> Cells:
        rows = [(f"run {n:03}", "RUNNING", "Running", n * 100, n * 100 + length) for n in range(400)]
        return Cells.of(Stays.of(frame(rows), rows="run_id"), View(0, 40_000), plot=80)

    short, long = lines_of(100), lines_of(30_000)
    assert (short.is_woven, short.lines, short.line_of[:22].tolist()) == (True, 20, [*range(20), 0, 1])
    assert (long.is_woven, long.per_line, long.line_of[18:22].tolist()) == (False, 20, [0, 0, 1, 1])


def test_a_run_is_in_the_row_of_its_first_stay() -> None:
    rows = [("a1", "PENDING", "Pending", 5, 9), ("a1", "RUNNING", "Running", 9, 20), ("b2", "RUNNING", "Running", 1, 2)]
    stays = Stays.of(frame(rows).assign(kind=["x", "y", None]), rows="kind")
    assert (stays.names(stays.rows), stays.runs) == (["(none)", "x"], 2)
    assert stays.row.tolist() == [0, 1, 1]


@pytest.mark.parametrize("height", [1, 3])
def test_the_png_holds_the_pixels(height: int) -> None:
    pixels = np.arange(height * 5, dtype=np.uint8).reshape(height, 5)
    address = png_address(pixels, [f"#0000{number:02x}" for number in range(20)])
    data = base64.b64decode(address.partition(",")[2])
    body = data[data.index(b"IDAT") + 4 :]
    rows = np.frombuffer(zlib.decompressobj().decompress(body), dtype=np.uint8).reshape(height, 6)
    assert (rows[:, 1:] == pixels).all()
    assert not rows[:, 0].any()
