"""What the fields offer: asked for once, capped with a word about it, and never in the way of typing."""

from __future__ import annotations

import re
import threading
from typing import Any

import httpx
import pandas as pd
import pytest
from fake_server import FakeServer, flow_run, task_run

from prefect_nbviz import frames, schema
from prefect_nbviz.errors import QueryError
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
from prefect_nbviz.reading import Connection
from prefect_nbviz.reading.offers import MOST, read_offers
from prefect_nbviz.states import STATE_NAMES
from prefect_nbviz.widgets.controls import FilterControls

HOSTILE = "<img src=x onerror=alert(1)>"
LISTS = "The server lists the tags of flows and deployments, not those of runs."


def server_with(
    rows: list[dict[str, Any]] | None = None, *, page: int = 200, **tables: list[dict[str, Any]]
) -> FakeServer:
    """A server with runs, and tables of flows, deployments, work pools and queues."""
    server = FakeServer(rows or [])

    def answer(_: int) -> httpx.Response | None:
        _, path, body = server.requests[-1]
        table = path.split("/")[-2]
        if not path.endswith("/filter") or table not in tables:
            return None
        found = tables[table]
        if wanted := body.get(table):
            found = [row for row in found if row["id"] in wanted["id"]["any_"]]
        return httpx.Response(200, json=found[body.get("offset", 0) :][:page])

    server.before_answer = answer
    return server


def flows(number: int) -> list[dict[str, Any]]:
    return [{"id": f"id-{place}", "name": f"flow-{place:05}", "tags": []} for place in range(number)]


@pytest.mark.parametrize(("number", "page"), [(0, 200), (1, 200), (199, 200), (200, 200), (450, 200), (450, 50)])
def test_all_names_are_read_by_the_page(number: int, page: int) -> None:
    server = server_with(page=page, flows=flows(number))
    offers = read_offers("flow", connection=server.connection)
    assert [*offers.texts] == [row["name"] for row in flows(number)]
    assert {*offers.texts.values()} <= {None}
    assert not offers.note


@pytest.mark.parametrize(
    ("number", "note"), [(MOST, ""), (MOST + 1, "These are the first 2,000 flows of the server; any")]
)
def test_a_cap_is_said(number: int, note: str) -> None:
    offers = read_offers("flow", connection=server_with(flows=flows(number)).connection)
    assert len(offers.texts) == MOST
    assert offers.note.startswith(note)
    assert bool(offers.note) is bool(note)


def test_deployments_stand_with_their_flow_and_queues_once() -> None:
    server = server_with(
        flows=flows(2),
        deployments=[
            {"name": "b", "flow_id": "id-1"},
            {"name": "a", "flow_id": "id-0"},
            {"name": "c", "flow_id": "no"},
        ],
        work_queues=[{"name": "default"}, {"name": HOSTILE}, {"name": "default"}],
    )
    assert [*read_offers("deployment", connection=server.connection).texts] == ["?/c", "flow-00000/a", "flow-00001/b"]
    assert [*read_offers("work_queue", connection=server.connection).texts] == [HOSTILE, "default"]


def test_tags_are_those_of_flows_and_deployments() -> None:
    server = server_with(flows=[{"tags": ["b", HOSTILE]}], deployments=[{"tags": ["a", "b"]}, {"tags": []}])
    offers = read_offers("tags", connection=server.connection)
    assert (offers.note, [*offers.texts]) == (LISTS, [HOSTILE, "a", "b"])


ROWS = [
    task_run(1, state_name="My own"),
    task_run(2, state_name="My own", tags=["x"]),
    task_run(3, state_type="FAILED", state_name="TimedOut"),
]


@pytest.mark.parametrize(
    ("criteria", "counts"),
    [
        ({}, {"My own": 2, "TimedOut": 1}),
        ({"state_name": "Late", "state_name_not": "TimedOut", "limit": 1}, {"My own": 2, "TimedOut": 1}),
        ({"state_type": "FAILED"}, {"TimedOut": 1}),
        ({"tags_none": "x"}, {"My own": 1, "TimedOut": 1}),
    ],
)
def test_state_names_are_counted_under_the_other_filters(criteria: dict[str, Any], counts: dict[str, int]) -> None:
    offers = read_offers("state_name", TaskRunQuery(**criteria), connection=FakeServer(ROWS).connection)
    assert {name: runs for name, runs in offers.texts.items() if runs} == counts
    assert {*offers.texts} == {*STATE_NAMES, *counts}


def test_state_names_that_only_reading_would_count_have_no_number_and_that_is_said() -> None:
    query = FlowRunQuery(auto_scheduled=True)
    offers = read_offers("state_name", query, connection=FakeServer([]).connection)
    assert offers.texts == dict.fromkeys(STATE_NAMES)
    assert "no numbers stand here" in offers.note


def test_a_topic_that_there_is_not() -> None:
    with pytest.raises(QueryError, match=r"topic cannot be 'flows'\. Did you mean 'flow'"):
        read_offers("flows")


def edit(controls: FilterControls, word: str) -> Any:
    controls.bar.edited = ""
    controls.bar.edited = word
    controls.offering.join()
    return controls.fields[word].widget


def test_the_server_is_asked_when_a_field_is_first_opened_and_on_demand() -> None:
    server = server_with(flows=[{"name": HOSTILE}, {"name": "other"}])
    controls = FilterControls(TaskRunQuery(), connection=server.connection)
    assert not server.requests
    widget = edit(controls, "flow")
    assert widget.suggestions == [HOSTILE, "other"]
    asked = len(server.requests)
    assert asked
    assert edit(controls, "flow").suggestions == [HOSTILE, "other"]
    assert len(server.requests) == asked
    widget._handle_custom_msg({"do": "ask"}, [])
    controls.offering.join()
    assert len(server.requests) > asked


def test_numbers_of_states_are_asked_for_again_when_the_other_filters_changed() -> None:
    server = FakeServer(ROWS)
    controls = FilterControls(TaskRunQuery(), connection=server.connection)
    assert edit(controls, "state_name").counts["My own"] == 2
    assert controls.fields["state_name"].widget.suggestions[0] == "My own"
    controls.fields["state_name"].widget.value = ["Late"]
    asked = len(server.requests)
    assert edit(controls, "state_name").counts["My own"] == 2
    assert len(server.requests) == asked
    controls.fields["state_type"].widget.value = ["FAILED"]  # while the field is open
    controls.offering.join()
    widget = controls.fields["state_name"].widget
    assert {name: runs for name, runs in widget.counts.items() if runs} == {"TimedOut": 1}
    assert widget.suggestions[0] == "TimedOut"
    assert re.fullmatch(r"Numbers count the runs that match the other filters, as of \d\d:\d\d:\d\d UTC\.", widget.note)


def runs(**columns: Any) -> pd.DataFrame:
    number = len(next(iter(columns.values())))
    rows = {name: [None] * number for name in schema.names(schema.TASK_RUNS)}
    rows |= {"run_count": [1] * number, "tags": [()] * number, "upstream_task_run_ids": [()] * number}
    return frames.typed(rows | columns, schema.TASK_RUNS)


def test_rows_that_were_read_are_offered_with_their_numbers() -> None:
    server = server_with(flows=[{"name": "c", "tags": ["z"]}, {"name": "a", "tags": []}], deployments=[])
    controls = FilterControls(TaskRunQuery(), connection=server.connection)
    read = runs(flow_name=["b", "b", "a"], tags=[("x", "k:1"), ("x",), ("k:2",)], state_name=["Late"] * 3)
    controls.suggest_from(read)
    widget = edit(controls, "flow")
    assert (widget.suggestions, widget.counts) == (["b", "a", "c"], {"b": 2, "a": 1})
    assert widget.note == "Numbers count the 3 rows shown."
    assert edit(controls, "tags_any").suggestions == ["x", "k:1", "k:2", "z"]
    assert edit(controls, "tags_any").note == f"{LISTS} Numbers count the 3 rows shown."
    assert (edit(controls, "tag_keys").suggestions, edit(controls, "tag_keys").counts) == (["k"], {"k": 2})
    controls.bar.edited = "flow"
    controls.suggest_from(runs(flow_name=["d"]))
    assert controls.fields["flow"].widget.suggestions == ["d", "a", "c"], "what is open is brought up to date"


def test_a_server_that_is_away_leaves_free_typing_and_a_sentence() -> None:
    controls = FilterControls(TaskRunQuery(), connection=Connection("http://127.0.0.1:9/api"))
    controls.suggest_from(runs(flow_name=["a"]))
    widget = edit(controls, "flow")
    assert widget.suggestions == ["a"]
    assert widget.note.startswith(
        "Type freely: the server could not be asked. Nothing answers at http://127.0.0.1:9/api"
    )
    widget.value = ["typed"]
    assert controls.value == TaskRunQuery(flow="typed")


def test_another_field_does_not_wait_for_a_server_that_hangs() -> None:
    server = server_with(flows=[{"name": "x"}], work_pools=[{"name": "pool"}])
    answer, gate = server.before_answer, threading.Event()

    def hang(number: int) -> httpx.Response | None:
        if "flows" in server.requests[-1][1] and not gate.is_set():
            return httpx.Response(503, headers={"Retry-After": "60"})
        return answer(number)

    server.before_answer = hang
    controls = FilterControls(TaskRunQuery(), connection=server.connection)
    controls.bar.edited = "flow"
    assert controls.fields["flow"].widget.note == "Asking the server…"
    assert edit(controls, "work_pool").suggestions == ["pool"]
    assert not controls.fields["flow"].widget.note
    gate.set()
    assert edit(controls, "flow").suggestions == ["x"], "what was stopped is asked for again"


@pytest.mark.parametrize("count", [MOST, MOST + 1])
def test_rows_with_very_many_names_are_cut_and_that_is_said(count: int) -> None:
    controls = FilterControls(TaskRunQuery())
    controls.suggest_from(runs(name=[f"n{place}" for place in range(count)]))
    widget = edit(controls, "name")
    assert len(widget.suggestions) == MOST
    assert ("The first 2,000 of 2,001." in widget.note) is (count > MOST)


def test_a_filter_that_cannot_be_has_no_numbers() -> None:
    server = FakeServer([])
    server.flow_runs = [flow_run(1)]
    controls = FilterControls(FlowRunQuery(), connection=server.connection)
    controls.fields["parameters"].widget.value = ["no value"]
    assert edit(controls, "state_name").counts == {}
    assert not server.requests
    controls.remove("parameters")
    controls.offering.join()
    assert controls.fields["state_name"].widget.counts["Completed"] == 1


def test_a_field_that_the_other_kind_lacks_is_closed_with_it() -> None:
    controls = FilterControls(FlowRunQuery())
    controls.bar.edited = "parent"
    controls.kind.value = "task_run"
    assert not controls.bar.edited
