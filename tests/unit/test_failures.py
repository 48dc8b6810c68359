"""Failures: what varies from run to run is masked, the rest is kept, and every run that failed is counted once."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import failure_table, frames, schema, tables
from prefect_nbviz.analysis.failures import failure_patterns, message_pattern
from prefect_nbviz.errors import FrameError
from prefect_nbviz.states import STATE_NAMES

BEGIN = pd.Timestamp("2026-03-01", tz="UTC")
TIMES = st.datetimes(min_value=datetime(1000, 1, 1)).map(lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}+00:00")
PARTS = {
    "<n>": st.integers().map(str) | st.floats(0, 1e9, allow_nan=False).map("{:.3f}".format),
    "<uuid>": st.uuids().map(str),
    "<time>": TIMES | TIMES.map(lambda text: text.replace(" ", "T")),
    "'<path>'": st.lists(st.from_regex(r"[a-z]{1,8}\d?", fullmatch=True), min_size=2, max_size=4).map(
        lambda parts: f"'/{'/'.join(parts)}.csv'"
    ),
    "<hex>": st.integers(0, 2**64).map(hex),
    "<url>": st.integers(0, 99).map("https://example.org/api?page={}".format),
}


@settings(max_examples=50)
@given(st.lists(st.sampled_from([*PARTS]), min_size=1, max_size=5), st.data())
def test_what_varies_is_masked_by_its_kind(kinds: list[str], data: st.DataObject) -> None:
    drawn = [data.draw(PARTS[kind]) for kind in kinds]
    assert message_pattern("ValueError: no row " + " of ".join(drawn)) == "ValueError: no row " + " of ".join(kinds)


@settings(max_examples=100)
@given(st.text(st.sampled_from("ab01/\\'\"-:.xT <>é\n"), max_size=40) | st.text(max_size=40))
def test_no_digit_is_left(text: str) -> None:
    assert not re.search(r"\d", message_pattern(text))


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("Client error '404 Not Found' for url 'http://h/x?id=3'", "Client error '<n> Not Found' for url '<url>'"),
        ("can't read a/b, isn't there", "can't read a/b, isn't there"),
        ("File /usr/lib/python3.12/x.py, line 3", "File <path>, line <n>"),
        (r"C:\data\x.csv is gone", "<path> is gone"),
        ("worker-12 of deadbee7 and facade", "worker-<n> of <hex> and facade"),
        ("took 1,234.5 s\n  at 12:00:01", "took <n> s at <time>"),
        ("<object at 0x7f3a>", "<object at <hex>>"),
        ("", ""),
    ],
)
def test_messages_as_they_come(message: str, pattern: str) -> None:
    assert message_pattern(message) == pattern


def test_no_more_than_the_beginning_counts() -> None:
    assert message_pattern("'/" * 500_000) == message_pattern("'/" * 1_000)


MESSAGES = [None, "no row 7", "no row 8", "timed out after 3 seconds", " "]
RUN = st.tuples(
    st.sampled_from(["Failed", "TimedOut", "Crashed", "Completed", "Running"]),
    st.sampled_from(MESSAGES),
    st.none() | st.integers(0, 9),
    st.sampled_from(["etl", "train", None]),
)


def frame(rows: list[tuple[Any, ...]], *, ids: str = "task_run_id") -> pd.DataFrame:
    names, messages, ends, flows = zip(*rows, strict=True) if rows else ((),) * 4
    moments = [None if one is None else (BEGIN + pd.Timedelta(minutes=one)).isoformat() for one in ends]
    starts = [BEGIN.isoformat()] * len(rows)
    text = {"state_name": names, "state_message": messages, "flow_name": flows, "task_key": flows}
    typed = {name: pd.Series([*values], dtype="str").astype("category") for name, values in text.items()}
    times = {"expected_start_time": starts, "start_time": [None] * len(rows), "end_time": moments}
    runs = pd.DataFrame({ids: [f"run-{place}" for place in range(len(rows))], **typed})
    runs["state_type"] = pd.Categorical([STATE_NAMES[name] for name in names], dtype=frames.state_type_dtype())
    for name, values in times.items():
        runs[name] = pd.to_datetime(values, utc=True, format="ISO8601").astype(schema.TIME)
    return runs.drop(columns=[] if ids == "task_run_id" else ["task_key"])


@settings(max_examples=20)
@given(st.lists(RUN, max_size=20))
def test_every_run_that_failed_is_in_one_row(rows: list[Any]) -> None:
    runs = frame(rows)
    table = failure_table(runs)
    assert [*table.columns] == schema.names(tables.FAILURES)
    failed = [(place, row) for place, row in enumerate(rows) if row[0] in {"Failed", "TimedOut", "Crashed"}]
    expected = Counter(message_pattern(row[1] or "") or None for _, row in failed)
    found = {None if pd.isna(one.pattern) else one.pattern: one for one in table.itertuples()}
    assert {pattern: one.runs for pattern, one in found.items()} == dict(expected)
    assert [*table["runs"]] == sorted(table["runs"], reverse=True)
    for pattern, one in found.items():
        own = [(place, row) for place, row in failed if (message_pattern(row[1] or "") or None) == pattern]
        seen = [BEGIN + pd.Timedelta(minutes=row[2] or 0) for _, row in own]
        assert (one.first_seen, one.last_seen) == (min(seen), max(seen))
        assert one.flow_names == tuple(sorted({row[3] for _, row in own if row[3]}))
        assert one.state_names == tuple(sorted({row[0] for _, row in own}))
        example = rows[int(one.example_run_id.removeprefix("run-"))]
        assert BEGIN + pd.Timedelta(minutes=example[2] or 0) == max(seen)
    patterns = failure_patterns(runs)
    assert [*patterns.index] == [place for place, _ in failed]


def test_flow_runs_have_no_tasks_and_an_empty_table_has_every_column() -> None:
    runs = frame([("Crashed", "gone", 1, "etl")], ids="flow_run_id")
    runs.attrs[frames.ATTRS] = {"truncated": True}
    table = failure_table(runs)
    assert table["task_keys"].tolist() == [()]
    assert table.attrs[frames.ATTRS] == {"truncated": True, "kind": "failures"}
    empty = failure_table(frame([]))
    assert empty.dtypes.equals(frames.empty(tables.FAILURES).dtypes)
    with pytest.raises(FrameError, match="lacks 'state_message'"):
        failure_table(runs.drop(columns="state_message"))


def test_an_index_that_repeats_does_no_harm() -> None:
    runs = frame([("Failed", "a", 1, "etl"), ("Completed", "b", 1, "etl"), ("Failed", "c", 1, "etl")])
    runs.index = np.zeros(3, dtype=int)
    assert sorted(failure_table(runs)["pattern"]) == ["a", "c"]
