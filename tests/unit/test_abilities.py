"""What is asked of servers that can do less: never a filter that they lack, never less than what matches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from prefect_nbviz import FlowRunQuery, TaskRunQuery
from prefect_nbviz.abilities import Abilities
from prefect_nbviz.plan import Plan
from prefect_nbviz.query import RunQuery

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SPAN = {"after_": "2026-01-01T00:00:00.000000Z", "before_": "2026-01-02T00:00:00.000000Z"}


def plan(query: RunQuery, version: str | None) -> Plan:
    return query.plan(now=NOW, server_version=version)


def bodies(query: RunQuery, version: str | None) -> list[dict[str, Any]]:
    return [part.body for part in plan(query, version).parts]


def test_a_server_that_tells_no_version_can_do_all() -> None:
    assert Abilities.of(None).done_here() == []
    assert Abilities.of("3.8.8").done_here() == []
    assert len(Abilities.of("3.0.11").done_here()) == 4


def test_flow_runs_that_did_not_start_are_asked_for_apart_before_3_4_2() -> None:
    query = FlowRunQuery(since="1d")
    assert bodies(query, "3.4.2") == [{"flow_runs": {"start_time": SPAN}}]
    assert bodies(query, "3.4.1") == [
        {"flow_runs": {"start_time": {"is_null_": True}, "expected_start_time": SPAN}},
        {"flow_runs": {"start_time": SPAN | {"is_null_": False}}},
    ]
    only_started = bodies(query.replace(start_time_fallback=False), "3.4.1")
    assert only_started == [{"flow_runs": {"start_time": SPAN | {"is_null_": False}}}]


@pytest.mark.parametrize("sort", ["START_TIME_DESC", "START_TIME_ASC"])
def test_pages_by_start_would_lose_those_runs_too(sort: str) -> None:
    query = FlowRunQuery(sort=sort, limit=10)
    assert plan(query, "3.4.1").reads_all
    assert not plan(query, "3.4.2").reads_all


def test_task_runs_by_their_end_before_3_6_29() -> None:
    query = TaskRunQuery(since="1d", time_field="end_time")
    assert bodies(query, "3.6.29") == [{"task_runs": {"end_time": SPAN}}]
    assert bodies(query, "3.6.28") == [{}]
    assert [step.criterion.split(":")[0] for step in plan(query, "3.6.28").steps] == ["since", "until"]


def test_creators_before_3_6_29() -> None:
    query = FlowRunQuery(created_by="DEPLOYMENT")
    assert bodies(query, "3.6.29") == [{"flow_runs": {"created_by": {"type_": ["DEPLOYMENT"]}}}]
    assert bodies(query, "3.6.28") == [{}]


def test_any_tag_before_3_1_15_is_a_union() -> None:
    query = FlowRunQuery(tags_any=["a", "b"])
    assert plan(query, "3.1.15").any_tags == ()
    assert plan(query, "3.1.14").any_tags == ("a", "b")
