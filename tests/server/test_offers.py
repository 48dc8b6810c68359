"""What is offered against a real server: it is what the server has."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_nbviz import FlowRunQuery, TaskRunQuery, read_flow_runs, read_task_runs
from prefect_nbviz.demo.flows import WORK_POOL, WORK_QUEUE
from prefect_nbviz.reading import Connection, read_offers
from prefect_nbviz.states import STATE_NAMES

pytestmark = pytest.mark.server

ENDED = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
"""Runs that do not change while a test looks twice."""


@pytest.mark.parametrize(
    ("topic", "column"),
    [
        ("flow", "flow_name"),
        ("deployment", "deployment_name"),
        ("work_pool", "work_pool_name"),
        ("work_queue", "work_queue_name"),
    ],
)
def test_names_are_those_that_runs_have_and_more(topic: Any, column: str, connection: Connection) -> None:
    offers = read_offers(topic, connection=connection)
    runs = read_flow_runs(limit=None, connection=connection, progress=False)
    names = runs[column].dropna()
    if topic == "deployment":
        names = runs["flow_name"].astype(str)[names.index] + "/" + names.astype(str)
    assert len(names)
    assert {*names} <= {*offers.texts}
    assert not offers.note


def test_what_is_offered_can_be_asked_for(connection: Connection) -> None:
    assert {WORK_POOL} <= {*read_offers("work_pool", connection=connection).texts}
    assert {WORK_QUEUE} <= {*read_offers("work_queue", connection=connection).texts}
    deployments = [*read_offers("deployment", connection=connection).texts]
    assert len(read_flow_runs(deployment=deployments, connection=connection, progress=False))
    assert {"prod"} <= {*read_offers("tags", connection=connection).texts}


@pytest.mark.parametrize(
    "query",
    [
        TaskRunQuery(state_type=ENDED),
        FlowRunQuery(state_type=ENDED, state_name="Late"),
        TaskRunQuery(state_type="FAILED"),
    ],
    ids=repr,
)
def test_state_names_have_the_numbers_of_a_read(query: Any, connection: Connection) -> None:
    offers = read_offers("state_name", query, connection=connection)
    read = read_flow_runs if isinstance(query, FlowRunQuery) else read_task_runs
    runs = read(query.replace(state_name=None, limit=None), connection=connection, progress=False)
    assert len(runs)
    assert {name: count for name, count in offers.texts.items() if count} == runs["state_name"].value_counts().to_dict()
    assert {*STATE_NAMES} <= {*offers.texts}
