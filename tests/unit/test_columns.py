"""Some columns of runs: those of the whole frame, and what only the others need is neither asked for nor kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pandas as pd
import pytest
from fake_server import FakeServer, Row, flow_run, task_run

from prefect_nbviz import FlowRunQuery, TaskRunQuery, read_flow_runs, read_task_runs, schema
from prefect_nbviz.errors import IncompleteWarning, QueryError
from prefect_nbviz.reading.reader import Reader
from prefect_nbviz.reading.worker import Progress

KINDS = {"flow_run": schema.names(schema.FLOW_RUNS), "task_run": schema.names(schema.TASK_RUNS)}
UNSORTED = {"flow_run": "flow_version", "task_run": "upstream_task_run_ids"}
DONE_HERE: dict[str, list[dict[str, Any]]] = {
    "both": [
        {"name_not": "run-3"},
        {"tags_none": "x"},
        {"tag_keys": "key"},
        {"state_name_not": "Failed"},
        {"ids_not": f"{3:08x}-0000-4000-8000-000000000000"},
        {"run_count_min": 2},
        {"since": "99999d", "time_field": "end_time"},
    ],
    "flow_run 3.8.8": [{"auto_scheduled": True}, {"parameters": {"day": 3}}],
    "flow_run 3.0.11": [{"created_by": "SCHEDULE"}],
}
SORTS = ["START_TIME_DESC", "END_TIME_ASC", "NAME_ASC", "NEXT_SCHEDULED_START_TIME_ASC", "DURATION_DESC", "ID_DESC"]


def row(kind: str, number: int) -> Row:
    """Make a run of which everything that a frame tells differs from the next."""
    state = "Failed" if number % 4 else "Completed"
    time = f"2026-01-01T00:00:{number:02d}"
    make = flow_run if kind == "flow_run" else task_run
    return make(number) | {
        "name": f"run-{number % 7}",
        "tags": [tag for tag, every in (("x", 2), ("key: 1", 3)) if number % every],
        "state_type": state.upper(),
        "state_name": state,
        "state": {"message": f"it {state}"},
        "state_id": f"state-{number}",
        "start_time": f"{time}Z" if number % 5 else None,
        "end_time": f"{time}.{number}Z" if number % 5 else None,
        "next_scheduled_start_time": None if number % 5 else f"{time}Z",
        "run_count": number % 3,
        "flow_run_id": f"flow run {number % 2}",
        "task_inputs": {"x": [{"input_type": "task_run", "id": f"before {number}"}]},
        "parameters": {"day": number % 4},
        "created_by": {"type": "SCHEDULE" if number % 2 else "USER", "id": None},
        "auto_scheduled": bool(number % 2),
    }


def reading(kind: str, version: str = "3.8.8") -> tuple[FakeServer, Any]:
    server = FakeServer([row("task_run", number) for number in range(20)], page_limit=6)
    server.flow_runs = [row("flow_run", number) for number in range(20)]
    server.version = version
    read = read_flow_runs if kind == "flow_run" else read_task_runs

    def read_it(**told: Any) -> pd.DataFrame:
        server.requests.clear()
        return read(connection=server.connection, progress=False, **told)

    return server, read_it


@pytest.mark.parametrize("kind", KINDS)
def test_each_column_alone_is_that_of_the_whole_frame(kind: str) -> None:
    _, read = reading(kind)
    whole = read(sort="ID_DESC")
    for name in KINDS[kind]:
        pd.testing.assert_frame_equal(read(sort="ID_DESC", columns=name), whole[[name]], check_exact=name != "lateness")
    backwards = KINDS[kind][::-1]
    assert [*read(columns=(name for name in backwards))] == backwards
    assert [*read(columns=["name", "tags", "name"])] == ["name", "tags"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", ["3.8.8", "3.0.11"])
def test_order_limit_and_what_is_done_here_need_no_column_of_the_answer(kind: str, version: str) -> None:
    _, read = reading(kind, version)
    asked: list[dict[str, Any]] = [{"sort": sort} for sort in SORTS if sort in TaskRunQuery.sorts]
    for criteria in [*asked, *DONE_HERE["both"], *DONE_HERE.get(f"{kind} {version}", [])]:
        with pytest.warns(IncompleteWarning):
            whole = read(limit=3, **criteria)
        with pytest.warns(IncompleteWarning):
            some = read(limit=3, columns=[f"{kind}_id", UNSORTED[kind]], **criteria)
        pd.testing.assert_frame_equal(some, whole[[*some]])
        moment = {"as_of": None}
        assert some.attrs["prefect_nbviz"] | moment == whole.attrs["prefect_nbviz"] | moment


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_answer_has_the_dtypes_of_a_full_one(kind: str) -> None:
    _, read = reading(kind)
    for columns in (KINDS[kind][:3], KINDS[kind][3:]):
        full, empty = read(columns=columns), read(columns=columns, name="nobody")
        assert (len(full), len(empty)) == (20, 0)
        assert empty.dtypes.map(str).to_dict() == full.dtypes.map(str).to_dict()


def test_names_are_looked_up_for_their_columns_only() -> None:
    tables = {
        ("flow_run", "name"): set(),
        ("flow_run", "flow_name"): {"flows"},
        ("flow_run", "flow_id"): set(),
        ("task_run", "state_message"): set(),
        ("task_run", "flow_run_name"): {"flow_runs"},
        ("task_run", "flow_name"): {"flow_runs", "flows"},
    }
    for (kind, column), expected in tables.items():
        server, read = reading(kind)
        read(columns=column)
        asked = {path.split("/")[-2] for _, path, _ in server.requests if path.endswith("/filter")}
        assert asked - {f"{kind}s"} == expected, column


def test_what_is_not_asked_for_is_not_kept() -> None:
    server, _ = reading("flow_run")

    async def first(**told: Any) -> Any:
        async with server.connection.open() as opened:
            return (await Reader(opened, FlowRunQuery(), Progress(), **told).rows())[0]

    everything, some = asyncio.run(first()), asyncio.run(first(columns=["state_message"]))
    for field in ("parameters", "state_id", "name", "tags"):
        assert hasattr(everything, field)
        assert not hasattr(some, field)
    assert some["state"].message.startswith("it ")


def test_a_column_that_is_none_is_refused_with_a_hint_before_anything_is_asked() -> None:
    for kind, wrong, hint in (("task_run", "stat_type", "state_type"), ("flow_run", "task_run_id", "flow_run_id")):
        server, read = reading(kind)
        with pytest.raises(QueryError, match=rf"^columns: a {kind.replace('_', ' ')} has no '{wrong}'\. .*'{hint}'"):
            read(columns=["name", wrong])
        with pytest.raises(QueryError, match="columns takes text or a list of text, not 7"):
            read(columns=7)
        assert not server.requests
