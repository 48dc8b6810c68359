"""What is sent to the server: only fields that it has, only those that are set."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect.server.schemas.filters import DeploymentFilter, FlowFilter, FlowRunFilter, TaskRunFilter

from prefect_nbviz import FlowRunQuery, TaskRunQuery
from prefect_nbviz.filters import IDS_PER_BODY
from prefect_nbviz.plan import make_plan
from prefect_nbviz.query import RunQuery

NOW = datetime(2026, 1, 10, tzinfo=UTC)
ID = "01a20b04-e9ce-7607-9e7c-0fb4c7e2a82c"
SERVER_FILTERS = {
    "flows": FlowFilter,
    "flow_runs": FlowRunFilter,
    "task_runs": TaskRunFilter,
    "deployments": DeploymentFilter,
}
EVERYTHING: dict[str, Any] = {
    "ids": ["01a20b04-e9ce-7607-9e7c-0fb4c7e2a82c"],
    "name": "n",
    "name_like": "l_l",
    "flow": "f",
    "deployment": ["d", "f/e"],
    "tags_all": "a",
    "tags_any": ["b", "c"],
    "tags_none": "d",
    "state_type": "FAILED",
    "state_name": "TimedOut",
    "since": "1d",
    "until": "1h",
    "ids_not": ["01a20b04-e9ce-7607-9e7c-0fb4c7e2a82d"],
}
OF_FLOW_RUNS: dict[str, Any] = {
    "created_by": ["USER", ID],
    "has_deployment": True,
    "has_work_queue": False,
    "idempotency_key": "k",
    "parent_task_run": ID,
    "parent": "subflow",
}


def fields(model: Any, filters: dict[str, Any], path: str = "") -> None:
    """Fail if a field of a body is none of the server's own model, at any depth."""
    for word, value in filters.items():
        assert word in model.model_fields, f"the server has no {path}{word}"
        annotation = model.model_fields[word].annotation
        inner = next((one for one in getattr(annotation, "__args__", ()) if hasattr(one, "model_fields")), None)
        if isinstance(value, dict):
            assert inner is not None
            fields(inner, value, f"{path}{word}.")
        else:
            assert value is not None, f"{path}{word} is sent unset"


@pytest.mark.parametrize("time_field", ["start_time", "end_time", "expected_start_time"])
@pytest.mark.parametrize("sort", ["EXPECTED_START_TIME_DESC", "END_TIME_DESC"])
def test_every_field_is_one_of_the_servers_own(time_field: str, sort: str) -> None:
    flow_query = FlowRunQuery(**EVERYTHING, **OF_FLOW_RUNS, time_field=time_field, sort=sort)
    next_query = flow_query.replace(time_field="next_scheduled_start_time")
    links = {"has_flow_run": True, "has_subflow_run": False}
    task_query = TaskRunQuery(**EVERYTHING, **links, time_field=time_field, sort=sort, flow_runs=flow_query)
    for query in (flow_query, next_query, task_query):
        plan = make_plan(query, now=NOW)
        bodies = [body for part in plan.parts for body in plan.bodies(part)]
        assert bodies
        for body in bodies:
            for table, filters in body.items():
                fields(SERVER_FILTERS[table], filters, f"{table}.")


def test_nothing_asked_sends_nothing() -> None:
    assert [part.body for part in make_plan(FlowRunQuery(), now=NOW).parts] == [{}]


def test_a_task_run_that_never_started_counts_at_its_expected_start() -> None:
    plan = make_plan(TaskRunQuery(since="1d"), now=NOW)
    span = {"after_": "2026-01-09T00:00:00.000000Z", "before_": "2026-01-10T00:00:00.000000Z"}
    assert [part.body["task_runs"] for part in plan.parts] == [
        {"start_time": {"is_null_": True}, "expected_start_time": span},
        {"start_time": span},
    ]


def test_many_ids_go_in_several_bodies_that_share_none() -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(2 * IDS_PER_BODY + 1)]
    plan = make_plan(TaskRunQuery(flow_runs=ids, tags_all="a"), now=NOW)
    assert [len(part.body["flow_runs"]["id"]["any_"]) for part in plan.parts] == [IDS_PER_BODY, IDS_PER_BODY, 1]


def test_ids_that_are_not_wanted_go_to_the_server_where_it_can_leave_them_out() -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(IDS_PER_BODY + 1)]
    few = FlowRunQuery(ids_not=ids[1:]).plan()
    assert few.parts[0].body == {"flow_runs": {"id": {"not_any_": ids[1:]}}}
    assert not few.steps
    for query in (FlowRunQuery(ids_not=ids), TaskRunQuery(ids_not=ids[1:])):
        plan = query.plan()
        assert plan.parts[0].body == {}
        assert [plan.steps[0].keeps({"id": one}) for one in (ids[1], ids[-1], ID)] == [False, False, True]
    assert FlowRunQuery(ids_not=[]).plan().parts[0].body == {}


def test_creators_by_type_or_id() -> None:
    def asked(*values: str) -> Any:
        return FlowRunQuery(created_by=values).plan().parts[0].body["flow_runs"]["created_by"]

    assert asked("USER") == {"type_": ["USER"]}
    assert asked(ID.upper()) == {"id_": [ID]}
    assert asked("USER", ID) == {"operator": "or_", "id_": [ID], "type_": ["USER"]}
    (step,) = FlowRunQuery(created_by=["USER", ID]).plan(server_version="3.4.25").steps
    creators = [None, {"type": "USER", "id": None}, {"type": "OTHER", "id": ID}, {"type": "OTHER", "id": None}]
    assert [step.keeps({"created_by": one}) for one in creators] == [False, True, True, False]


@pytest.mark.parametrize("criteria", [{"ids": []}, {"flow_runs": []}, {"tags_any": []}])
def test_an_empty_choice_asks_for_nothing(criteria: dict[str, Any]) -> None:
    assert not make_plan(TaskRunQuery(**criteria), now=NOW).parts


def test_what_is_done_here_is_said() -> None:
    plan = make_plan(TaskRunQuery(tags_any=["a", "b"], tags_none="c", name_like="50%"), now=NOW)
    assert plan.done_here() == [
        "tags_any: one read for each tag, united",
        "name_like: characters that SQL takes as wildcards",
        "tags_none",
    ]
    assert make_plan(FlowRunQuery(tags_any=["a", "b"], name_like="plain"), now=NOW).done_here() == []


@pytest.mark.parametrize(
    ("query", "requests"),
    [
        (TaskRunQuery(), 1),
        (TaskRunQuery(tags_any=["a", "b"], tags_none="b"), 4),
        (TaskRunQuery(name_not=["a", "b"]), 2),
        (TaskRunQuery(name_not="a", state_name_not=["Completed", "Failed"], tags_none="dev"), 8),
        (FlowRunQuery(state_name_not="Completed"), 1),
        (FlowRunQuery(tags_none=["a", "b", "c", "d", "e"]), None),
        (TaskRunQuery(name_not="a", run_count_min=2), None),
    ],
    ids=repr,
)
def test_what_is_thrown_out_is_counted_and_not_read(query: RunQuery, requests: int | None) -> None:
    assert make_plan(query, now=NOW).count_requests == requests


READ_FIRST = ["ids from the first read"]


@pytest.mark.parametrize(
    ("query", "first", "here"),
    [
        (
            FlowRunQuery(ancestor=ID, ids=ID),
            [{"flow_runs": {"parent_flow_run_id": {"any_": [ID]}}}],
            "ancestor: the tree",
        ),
        (TaskRunQuery(work_pool="k8s"), [{"work_pools": {"name": {"any_": ["k8s"]}}}], "work_pool: the flow runs are"),
        (
            TaskRunQuery(flow_runs=FlowRunQuery(name="a", tags_none="b")),
            [{"flow_runs": {"name": {"any_": ["a"]}}}],
            "flow_runs: they are read first",
        ),
    ],
)
def test_what_is_read_first_is_said_and_its_ids_stand_in_the_filters(query: Any, first: Any, here: str) -> None:
    plan = query.plan()
    assert [part.body for part in plan.first.plan.parts] == first
    assert [part.body for part in plan.parts] == [{"flow_runs": {"id": {"any_": READ_FIRST}}}]
    lines = str(plan).splitlines()
    assert lines[0].startswith("Read first, ")
    assert f"    POST /flow_runs/filter {json.dumps(first[0])}" in lines
    assert f'  POST /{plan.table}/filter {{"flow_runs": {{"id": {{"any_": ["ids from the first read"]}}}}}}' in lines
    assert f"  {here}" in str(plan)
    assert "; before them " in lines[-1]


def test_reads_before_reads_are_said() -> None:
    query = TaskRunQuery(work_pool="k8s", flow_runs=FlowRunQuery(ancestor=ID, limit=2))
    firsts = []
    plan: Any = query.plan()
    while plan.first:
        firsts.append(plan := plan.first.plan)
    assert [plan.parts[0].body for plan in firsts] == [
        {"work_pools": {"name": {"any_": ["k8s"]}}, "flow_runs": {"id": {"any_": READ_FIRST}}},
        {"flow_runs": {"id": {"any_": READ_FIRST}}},
        {"flow_runs": {"parent_flow_run_id": {"any_": [ID]}}},
    ]


def test_parents_that_may_be_too_many_are_said_to_be_counted() -> None:
    told = str(TaskRunQuery(flow_runs=FlowRunQuery(name="a", limit=2)).plan())
    assert "Read first, if more match than their limit of 2; " in told
    assert '\n  POST /task_runs/filter {"flow_runs": {"name": {"any_": ["a"]}}}\n' in told
    assert "Nothing is done here.\nRequests" not in told
    assert "Read first" not in str(TaskRunQuery(flow_runs=FlowRunQuery(name="a", limit=None)).plan())
    assert "Read first" not in str(TaskRunQuery(flow_runs=FlowRunQuery(ids=[])).plan())


def test_task_runs_of_all_flow_runs_are_not_those_of_none() -> None:
    query = TaskRunQuery(flow_runs=FlowRunQuery(limit=None))
    assert [part.body for part in query.plan().parts] == [{"task_runs": {"flow_run_id": {"is_null_": False}}}]
    assert not query.replace(has_flow_run=False).plan().parts


def test_ids_that_are_not_known_are_never_sent() -> None:
    for query in (FlowRunQuery(ancestor=ID), TaskRunQuery(work_pool="k8s"), TaskRunQuery(flow_runs=FlowRunQuery())):
        assert all(READ_FIRST[0] not in str(part) for part in make_plan(query, now=NOW).parts)
        assert READ_FIRST[0] not in query.to_python() + query.to_curl()
