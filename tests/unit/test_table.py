"""The table of runs without a browser: what is sent to it, what comes back, and its files."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import frames, schema
from prefect_nbviz.widgets.cells import MAX_LETTERS, sent_columns
from prefect_nbviz.widgets.table import FIRST_COLUMNS, MAX_ROWS_SHOWN, RunTable

HOSTILE = '=cmd|"<img src=x>",\n'
AS_OF = "2026-01-31T10:42:07+00:00"


class HeardTable(RunTable):
    """A table that keeps what it says to the browser."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[tuple[Any, Any]] = []

    def send(self, content: Any, buffers: Any = None) -> None:
        self.said.append((content, buffers))


def task_runs(count: int, **columns: Any) -> pd.DataFrame:
    rows = {name: [None] * count for name in schema.names(schema.TASK_RUNS)}
    rows |= {"task_run_id": [f"id-{number}" for number in range(count)], "run_count": [1] * count}
    rows |= {"tags": [("prod", HOSTILE)] * count, "upstream_task_run_ids": [()] * count}
    rows |= {"state_type": ["FAILED"] * count, "state_name": ["TimedOut"] * count, "name": [HOSTILE] * count}
    frame = frames.typed(rows | columns, schema.TASK_RUNS)
    frame.attrs[frames.ATTRS] = {"kind": "task_runs", "as_of": AS_OF, "matched": count, "truncated": False}
    return frame


def texts(column: dict[str, Any]) -> list[Any]:
    """Give the text of each row."""
    held = json.loads(column["texts"])
    return [held[code] if code >= 0 else None for code in codes(column)]


def codes(column: dict[str, Any]) -> list[int]:
    return np.frombuffer(column["codes"], dtype=np.int32).tolist()


@settings(max_examples=30)
@given(st.lists(st.none() | st.integers(0, 10**13), max_size=30))
def test_lengths_are_sorted_by_value_and_said_for_people(micros: list[int | None]) -> None:
    runs = task_runs(len(micros), duration=pd.Series(micros, dtype="Int64").astype("timedelta64[us]"))
    column = sent_columns(runs, zone=UTC)["duration"]
    values = np.frombuffer(column["micros"], dtype=np.float64)
    assert [values[code] if code >= 0 else None for code in codes(column)] == micros
    assert [*values] == sorted({*micros} - {None})
    assert (120_000_000 not in micros) or "2 min" in texts(column)


@settings(max_examples=30)
@given(st.lists(st.none() | st.text(max_size=5), max_size=20))
def test_texts_are_sorted_whatever_their_case(names: list[str | None]) -> None:
    column = sent_columns(task_runs(len(names), name=names), zone=UTC)["name"]
    assert texts(column) == names
    held = json.loads(column["texts"])
    assert held == sorted({*names} - {None}, key=lambda name: (name.casefold(), name))


def test_times_are_sent_to_the_microsecond_with_the_offset_of_their_day() -> None:
    moments = ["2026-01-01T06:00:00.000001Z", None, "2026-07-01T10:42:07Z"]
    column = sent_columns(task_runs(3, start_time=moments), zone=ZoneInfo("Europe/Berlin"))["start_time"]
    micros = np.frombuffer(column["micros"], dtype=np.float64)
    assert micros[0] == 1_767_247_200_000_001
    assert np.isnan(micros[1])
    assert np.frombuffer(column["offsets"], dtype=np.int32).tolist() == [3_600, 0, 7_200]


def test_states_are_in_the_order_of_life_and_say_their_type_where_it_is_not_plain() -> None:
    runs = task_runs(3, state_type=["FAILED", "RUNNING", "FAILED"], state_name=["mine", "Running", "Failed"])
    column = sent_columns(runs, zone=UTC)["state"]
    assert texts(column) == ["mine (FAILED)", "Running", "Failed"]
    assert json.loads(column["texts"])[0] == "Running"
    assert column["types"][0] == "running"


def test_tags_and_long_texts_are_sent_as_they_are_read() -> None:
    runs = task_runs(3, tags=[("b", HOSTILE), (), ("a",)], name=["x" * 5_000, "", None])
    columns = sent_columns(runs, zone=UTC)
    assert texts(columns["tags"]) == [["b", HOSTILE], [], ["a"]]
    assert texts(columns["name"]) == ["x" * MAX_LETTERS + "…", "", None]


def test_every_column_of_the_frame_can_be_chosen() -> None:
    for columns in (schema.FLOW_RUNS, schema.TASK_RUNS):
        offered = sent_columns(frames.empty(columns), zone=UTC)
        assert {*offered} == {"state", *schema.names(columns)} - {"state_type", "state_name"}
    assert {name for names in FIRST_COLUMNS.values() for name in names} <= {
        "state",
        *schema.names(schema.FLOW_RUNS),
        *schema.names(schema.TASK_RUNS),
    }


def test_the_table_holds_every_row_or_says_how_many() -> None:
    table = RunTable()
    table.show(task_runs(3_000))
    assert len(json.loads(table.content["ids"])) == 3_000
    assert (table.content["note"], table.content["held"]) == ("", "all 3,000 runs that match")
    table.show(task_runs(MAX_ROWS_SHOWN + 1))
    assert len(json.loads(table.content["ids"])) == MAX_ROWS_SHOWN
    assert "the first 10,000 of 10,001 rows" in table.content["note"]


def test_only_other_rows_are_sent_and_what_was_chosen_stays() -> None:
    table = RunTable()
    table.show(task_runs(3))
    sent: list[str] = []
    table.observe(lambda change: sent.append(change["name"]), ["content", "columns"])
    table.selected = ("id-1", "elsewhere")
    table.show(task_runs(3))
    assert not sent
    table.columns = ("name", "duration")
    table.show(task_runs(4))
    table.show(frames.empty(schema.FLOW_RUNS))
    assert table.columns == FIRST_COLUMNS["flow_run"]
    table.show(task_runs(4))
    assert table.columns == ("name", "duration")
    assert table.selected == ("id-1", "elsewhere")


RUNS = task_runs(
    4,
    name=["load", HOSTILE, "é,;", None],
    start_time=["2026-01-01T06:00:00.5Z", None, "2026-01-01T06:00:00Z", None],
    duration=pd.to_timedelta([1, None, 86_400_000_001, None], unit="us"),
    tags=[("a", HOSTILE), (), ("b",), ()],
)


def test_a_csv_has_the_values_of_the_frame() -> None:
    table = RunTable()
    table.show(RUNS)
    name, content = table._file(RUNS, [2, 1, 0], {"suffix": "csv", "shown": {}})
    assert name == "task_runs_2026-01-31_104207.csv"
    back = pd.read_csv(io.BytesIO(content), keep_default_na=False, lineterminator="\n")
    shown = RUNS.iloc[[2, 1, 0]].reset_index(drop=True)
    assert [*back][:3] == ["state_type", "state_name", "name"]
    assert [*back["name"]] == [*shown["name"]]
    assert pd.Series(pd.to_timedelta(back["duration"])).astype("timedelta64[us]").equals(shown["duration"])
    assert pd.to_datetime(back["start_time"], format="ISO8601").astype(schema.TIME).equals(shown["start_time"])
    assert [tuple(json.loads(tags)) for tags in back["tags"]] == [*shown["tags"]]


def test_a_parquet_has_the_values_of_the_frame_and_says_what_it_is_of() -> None:
    table = RunTable()
    table.columns = ("duration", "name", "start_time", "gone")
    table.show(RUNS)
    _, content = table._file(RUNS, [3, 0], {"suffix": "parquet", "shown": {"search": "load"}})
    back = pd.read_parquet(io.BytesIO(content))
    pd.testing.assert_frame_equal(back, RUNS.iloc[[3, 0]][["duration", "name", "start_time"]].reset_index(drop=True))
    about = back.attrs[frames.ATTRS]
    assert about["as_of"] == AS_OF
    assert about["table"] == {"search": "load", "rows": 2, "of": 4}
    assert "table" not in RUNS.attrs[frames.ATTRS]


def test_a_file_goes_to_the_view_that_asked_or_a_sentence_does(monkeypatch: pytest.MonkeyPatch) -> None:
    table = HeardTable()
    table.show(RUNS)
    asked = {"from": "me", "number": table.content["number"], "suffix": "csv", "shown": {}}
    rows = memoryview(np.array([1], dtype=np.int32).tobytes())
    table._answer(table, asked, [rows])
    answer, (content,) = table.said.pop()
    assert answer == {"to": "me", "name": "task_runs_2026-01-31_104207.csv"}
    assert content == table._file(RUNS, [1], asked)[1]
    with pytest.raises(IndexError):
        table._answer(table, asked, [memoryview(np.array([9], dtype=np.int32).tobytes())])
    assert table.said.pop()[0]["problem"].startswith("The file could not be made. IndexError")
    table._answer(table, asked | {"number": 0}, [rows])
    assert "rows changed meanwhile" in table.said.pop()[0]["problem"]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    table._answer(table, asked | {"suffix": "parquet"}, [rows])
    assert table.said.pop()[0]["problem"].endswith("pip install pyarrow.")
