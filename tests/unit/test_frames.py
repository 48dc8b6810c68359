"""Every frame has its schema, with rows and without."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from fake_server import FakeServer, task_run

from prefect_nbviz import frames, read_flow_runs, read_task_runs, schema

SCHEMAS = {name: getattr(schema, name) for name in ("FLOW_RUNS", "TASK_RUNS", "STATES", "INTERVALS")}


@pytest.mark.parametrize("columns", SCHEMAS.values(), ids=SCHEMAS)
def test_an_empty_frame_has_every_column_with_its_dtype(columns: tuple[schema.Column, ...]) -> None:
    frame = frames.empty(columns)
    assert list(frame) == schema.names(columns)
    assert_dtypes(frame, columns)
    assert all(column.meaning for column in columns)


def assert_dtypes(frame: pd.DataFrame, columns: tuple[schema.Column, ...]) -> None:
    for column in columns:
        dtype = frame[column.name].dtype
        if column.dtype == schema.STATE_TYPE:
            assert dtype == frames.state_type_dtype()
        else:
            assert str(dtype) == column.dtype, column.name


def test_an_empty_read_has_the_dtypes_of_a_full_one() -> None:
    full = read_task_runs(connection=FakeServer([task_run(1, tags=["a"])]).connection, progress=False)
    empty = read_task_runs(connection=FakeServer([]).connection, progress=False)
    for frame in (full, empty):
        assert list(frame) == schema.names(schema.TASK_RUNS)
        assert_dtypes(frame, schema.TASK_RUNS)
    assert (len(full), len(empty)) == (1, 0)


def test_times_of_mixed_precision_and_none() -> None:
    rows = [
        task_run(1, start_time="2026-01-01T00:00:00Z", end_time="2026-01-01T00:00:00.000250Z"),
        task_run(2, start_time=None, end_time=None, state_type=None, state_name=None),
    ]
    frame = read_task_runs(connection=FakeServer(rows).connection, sort="NAME_ASC", progress=False)
    assert frame["duration"].iloc[0] == pd.Timedelta(microseconds=250)
    assert frame.loc[1, ["start_time", "end_time", "duration", "state_type", "state_name"]].isna().all()


def test_what_the_present_state_says_is_kept_where_it_says_something() -> None:
    said = {"type": "FAILED", "message": "ValueError: boom", "state_details": {"scheduled_time": None}}
    states = [said, {"message": ""}, {"message": None}, {}, None, {**said}]
    rows = [task_run(n, state=state, state_id=f"state-{n}") for n, state in enumerate(states)] + [task_run(9)]
    for kind in ("task_run", "flow_run"):
        server = FakeServer(rows)
        server.flow_runs = [row | {"flow_id": "a flow", "deployment_id": None} for row in rows]
        read = read_task_runs if kind == "task_run" else read_flow_runs
        frame = read(connection=server.connection, sort="ID_DESC", progress=False).astype(object)
        frame = frame[::-1]
        messages, ids = frame["state_message"], frame["state_id"]
        assert messages.where(messages.notna(), None).tolist() == [said["message"], *[None] * 4, said["message"], None]
        assert ids.where(ids.notna(), None).tolist() == [*(f"state-{n}" for n in range(6)), None]


def test_text_that_is_categorical_becomes_what_plain_text_becomes() -> None:
    column = (schema.Column("a", schema.REPEATED_TEXT, ""),)
    texts = ["b", None, "a", "b"]
    plain = frames.typed({"a": texts}, column)
    given = pd.Categorical(texts, categories=["z", "b", "a"], ordered=True)
    pd.testing.assert_frame_equal(frames.typed({"a": given}, column), plain)
    pd.testing.assert_frame_equal(frames.typed({"a": given[:0]}, column), frames.empty(column))


def test_attrs_are_plain_and_survive_parquet(tmp_path) -> None:
    server = FakeServer([task_run(n, tags=["a"] * (n % 2)) for n in range(3)])
    frame = read_task_runs(connection=server.connection, since="9999d", progress=False)
    attrs = frame.attrs["prefect_nbviz"]
    assert json.loads(json.dumps(attrs)) == attrs
    frame.to_parquet(tmp_path / "runs.parquet")
    again = pd.read_parquet(tmp_path / "runs.parquet")
    assert again.attrs["prefect_nbviz"] == attrs
    assert again["task_run_id"].tolist() == frame["task_run_id"].tolist()


def test_tags_explode_and_rows_de_duplicate() -> None:
    server = FakeServer([task_run(1, tags=["a", "b"]), task_run(2, tags=[])])
    frame = read_task_runs(connection=server.connection, progress=False)
    assert sorted(frame.explode("tags")["tags"].dropna()) == ["a", "b"]
    assert len(pd.concat([frame, frame]).drop_duplicates()) == 2
