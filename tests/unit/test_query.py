"""Queries are values: one form for each criterion, and a sentence for what cannot be."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle
import re
from collections import deque
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from prefect.client.schemas.objects import StateType

from prefect_nbviz import FlowRunQuery, TaskRunQuery, explore, read_flow_runs, read_task_runs
from prefect_nbviz.errors import QueryError
from prefect_nbviz.query import as_query

ID = "01a20b04-e9ce-7607-9e7c-0fb4c7e2a82c"
NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize("query_type", [FlowRunQuery, TaskRunQuery])
def test_its_docstring_says_what_each_criterion_means(query_type) -> None:
    listed = inspect.getdoc(query_type).partition("Parameters\n----------\n")[2].partition("\nSee Also\n")[0]
    meanings = dict(re.findall(r"^(\w+)\n    (.+)", listed, re.MULTILINE))
    assert [*meanings] == [field.name for field in dataclasses.fields(query_type)]
    assert meanings["tags_all"] == "Tags that the run must all have. Done by the server."


def test_one_value_or_many() -> None:
    assert FlowRunQuery(name="a") == FlowRunQuery(name=["a"]) == FlowRunQuery(name={"a"})
    assert FlowRunQuery(ids=ID.upper()) == FlowRunQuery(ids=[UUID(ID)])
    assert TaskRunQuery(state_type=["failed", "FAILED"]).state_type == ("FAILED",)
    assert TaskRunQuery(tags_any=pd.Series(["a", "b", "a"])).tags_any == ("a", "b")


@pytest.mark.parametrize("many", [pd.Series, pd.Index, np.array, pd.Categorical, tuple, iter, set, deque])
def test_many_values_of_any_type_become_plain_ones(many) -> None:
    texts = FlowRunQuery(name=many(["Late", "b"]), state_type=many(["failed"]), tags_any=many(["c"]))
    assert eval(repr(texts)) == texts == FlowRunQuery(name=["Late", "b"], state_type="FAILED", tags_any="c")
    assert "np." not in texts.to_python() + texts.to_json()
    ids = [ID, "11a20b04-e9ce-7607-9e7c-0fb4c7e2a82c"]
    assert TaskRunQuery(ids=many(ids), flow_runs=many(ids)) == TaskRunQuery(ids=ids, flow_runs=ids)
    assert FlowRunQuery(parent=many(ids), ancestor=many(ids)) == FlowRunQuery(parent=ids, ancestor=ids)


def test_sets_are_in_order() -> None:
    assert FlowRunQuery(name={f"{n}" for n in range(9)}).name == tuple("012345678")


def test_numpys_values_become_plain_ones() -> None:
    query = FlowRunQuery(
        limit=np.int64(3),
        run_count_min=np.uint8(2),
        untagged=np.bool_(True),
        start_time_fallback=np.bool_(False),
        name_like=np.str_("a"),
        state_type=StateType.FAILED,
        since=pd.Timestamp("2026-01-01T00:00:00.123456789Z"),
        parameters={"rows": np.int64(3), "share": np.float64(0.5), "full": np.bool_(True), "of": np.array([1, 2])},
    )
    assert eval(repr(query)) == query
    assert FlowRunQuery.from_json(query.to_json()) == query
    assert (query.limit, query.untagged, query.since) == (3, True, datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC))
    assert query.parameters == {"rows": 3, "share": 0.5, "full": True, "of": [1, 2]}
    assert "np." not in query.to_python()


def test_parameters_are_compared_as_json_compares() -> None:
    assert FlowRunQuery(parameters={"a": [{"b": 1}]}) == FlowRunQuery(parameters={"a": [{"b": 1.0}]})
    assert FlowRunQuery(parameters={"a": [{"b": 1}]}) != FlowRunQuery(parameters={"a": [{"b": True}]})


def test_a_query_is_a_value() -> None:
    query = TaskRunQuery(since="1d", flow_runs=FlowRunQuery(tags_all="prod"))
    assert {query: 1}[TaskRunQuery(since=timedelta(days=1), flow_runs=FlowRunQuery(tags_all=["prod"]))] == 1
    assert pickle.loads(pickle.dumps(query)) == copy.deepcopy(query) == query
    assert query.replace(limit=5).replace(limit=1000) == query


def test_its_repr_makes_it_again() -> None:
    query = TaskRunQuery(
        since=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        until="+1h",
        flow_runs=FlowRunQuery(limit=None, name_like="it's"),
        state_type="crashed",
    )
    assert eval(repr(query)) == query


def test_criteria_are_plain() -> None:
    query = TaskRunQuery(flow_runs=FlowRunQuery(tags_all="prod"), since=NOW, limit=None)
    assert json.loads(json.dumps(query.criteria())) == {
        "flow_runs": {"tags_all": ["prod"]},
        "since": "2026-03-29T12:00:00+00:00",
        "limit": None,
    }


@pytest.mark.parametrize(
    ("since", "until", "first", "last"),
    [
        ("1d", None, timedelta(days=-1), timedelta(0)),
        (timedelta(hours=36), "12h", timedelta(hours=-36), timedelta(hours=-12)),
        ("1.5h", "+2w", timedelta(hours=-1.5), timedelta(weeks=2)),
        (None, "30m", None, timedelta(minutes=-30)),
        ("2026-03-29T02:00+02:00", "90s", timedelta(hours=-12), timedelta(seconds=-90)),
    ],
)
def test_windows(since, until, first, last) -> None:
    window = FlowRunQuery(since=since, until=until).window(NOW)
    assert window.since == (None if first is None else NOW + first)
    assert window.until == NOW + last


@pytest.mark.parametrize(
    ("day", "hours"),
    [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)],
    ids=["spring", "autumn", "plain"],
)
def test_a_day_of_a_zone_is_as_long_as_its_clocks_say(day, hours) -> None:
    begin = datetime(*day, tzinfo=ZoneInfo("Europe/Berlin"))
    window = FlowRunQuery(since=begin, until=begin + timedelta(days=1)).window(NOW)
    assert window.until - window.since == timedelta(hours=hours)
    relative = FlowRunQuery(since="1d").window((begin + timedelta(days=1)).astimezone(UTC))
    assert relative.until - relative.since == timedelta(hours=24)


def test_the_hour_that_is_there_twice() -> None:
    first, second = (datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin")) for fold in (0, 1))
    window = TaskRunQuery(since=first, until=second).window(NOW)
    assert window.until - window.since == timedelta(hours=1)


def test_without_times_nothing_is_bounded() -> None:
    assert FlowRunQuery().window(NOW).since is FlowRunQuery().window(NOW).until is None


@pytest.mark.parametrize(
    ("criteria", "says"),
    [
        ({"tag": "x"}, r"no criterion 'tag'\. Did you mean 'tags_all' or 'tags_any' or 'tags_none' or 'tag_keys'\?"),
        ({"sine": "1d"}, r"no criterion 'sine'\. Did you mean 'since'\?"),
        ({"state_type": "FAILD"}, r"state_type cannot be 'FAILD'\. Did you mean 'FAILED'\?"),
        ({"state_type": ["RUNNING", "TimedOut"]}, r"state_type cannot be 'TimedOut'"),
        ({"since": "1h", "until": "2h"}, r"since \(1h\) is after until \(2h\): swap them"),
        ({"since": "+1h"}, r"since \(\+1h\) is after until \(now\)"),
        ({"since": datetime(2026, 1, 1)}, r"has no time zone: add one, such as '2026-01-01T00:00\+00:00'"),
        ({"until": "2026-01-01"}, r"has no time zone"),
        ({"since": "yesterday"}, r"since cannot be 'yesterday': give an aware datetime"),
        ({"since": 5}, r"since cannot be 5: give an aware datetime"),
        ({"since": timedelta(days=-1)}, r"cannot be a negative timedelta"),
        ({"since": pd.NaT}, r"since is no time \(NaT\), as the first or last of no rows: give a time, or leave it out"),
        ({"since": "999999w"}, r"999999w is beyond the years 1 to 9999, which are all that a time can have: leave"),
        ({"since": timedelta.max}, r"is beyond the years 1 to 9999"),
        ({"since": "9" * 400 + "w"}, r"is beyond the years 1 to 9999"),
        ({"since": "0001-01-01T00:00+05:00"}, r"0001-01-01 00:00:00\+05:00 is beyond"),
        ({"until": "9999-12-31T23:59:59-05:00"}, r"9999-12-31 23:59:59-05:00 is beyond"),
        ({"limit": 0}, r"limit is a number from 1 up, or None"),
        ({"limit": -3}, r"limit is a number from 1 up, or None"),
        ({"limit": "10"}, r"limit is a number from 1 up, or None"),
        ({"limit": True}, r"limit is a number from 1 up, or None"),
        ({"limit": np.float64(3)}, r"limit is a number from 1 up, or None"),
        ({"name": pd.DataFrame({"a": ["b"]})}, r"name takes text or a list of text, not a DataFrame\."),
        ({"ids": pd.DataFrame({"a": ["b"]})}, r"ids takes run ids \(UUIDs\), not a DataFrame;"),
        ({"tags_any": {"a": 1}}, r"tags_any takes text or a list of text, not a dict\."),
        ({"ids": ["my-run"]}, r"ids takes run ids \(UUIDs\), not 'my-run'"),
        ({"ids": 7}, r"ids takes run ids \(UUIDs\), not 7"),
        ({"name": 7}, r"name takes text or a list of text, not 7"),
        ({"tags_any": ["a", None]}, r"tags_any takes text or a list of text, not None"),
        ({"name_like": ["a"]}, r"name_like takes one piece of text"),
        ({"name_like": ""}, r"name_like takes one piece of text"),
        ({"untagged": "yes"}, r"untagged is True, False, or None for both; not 'yes'"),
        ({"start_time_fallback": None}, r"start_time_fallback is True or False; not None"),
        ({"run_count_min": 0}, r"run_count_min is a number from 1 up"),
        ({"sort": "START_TIM_DESC"}, r"sort cannot be 'START_TIM_DESC'\. Did you mean"),
        ({"ids_not": "my-run"}, r"ids_not takes run ids \(UUIDs\), not 'my-run'"),
        ({"time_field": "started"}, r"time_field cannot be 'started'\. Did you mean 'start_time'"),
    ],
)
@pytest.mark.parametrize("read", [read_flow_runs, read_task_runs])
def test_what_cannot_be_is_said(read, criteria, says) -> None:
    with pytest.raises(QueryError, match=says) as caught:
        read(**criteria)
    assert "\n" not in str(caught.value)


def test_words_of_any_case_become_the_known_ones() -> None:
    assert FlowRunQuery(time_field="END_TIME", sort="name_asc") == FlowRunQuery(time_field="end_time", sort="NAME_ASC")


def test_parents_are_a_query_a_frame_or_ids() -> None:
    frame = pd.DataFrame({"flow_run_id": [ID, ID, None]})
    assert TaskRunQuery(flow_runs=frame) == TaskRunQuery(flow_runs=[ID]) == TaskRunQuery(flow_runs=UUID(ID))
    assert TaskRunQuery(flow_runs=frame.head(0)).flow_runs == ()
    with pytest.raises(QueryError, match=r"frame with a column 'flow_run_id'; this one has id"):
        TaskRunQuery(flow_runs=pd.DataFrame({"id": [ID]}))
    with pytest.raises(QueryError, match=r"no criterion 'flow_runs'"):
        FlowRunQuery(flow_runs=[ID])


def test_the_task_runs_that_subflow_runs_stand_behind() -> None:
    frame = pd.DataFrame({"task_run_id": [ID, None], "flow_run_id": ["no id", None]})
    assert FlowRunQuery(parent_task_run=frame) == FlowRunQuery(parent_task_run=UUID(ID))
    with pytest.raises(QueryError, match=r"frame with a column 'task_run_id'; this one has id"):
        FlowRunQuery(parent_task_run=pd.DataFrame({"id": [ID]}))


def test_creators_are_types_or_ids() -> None:
    assert FlowRunQuery(created_by=[UUID(ID), "USER"]) == FlowRunQuery(created_by=[ID.upper(), "USER"])


def test_task_runs_have_no_window_of_their_next_start() -> None:
    with pytest.raises(
        QueryError, match=r"cannot be 'next_scheduled_start_time'\. Did you mean .* one of: start_time, "
    ):
        TaskRunQuery(time_field="next_scheduled_start_time", until="1h")


def test_a_query_of_the_other_kind() -> None:
    with pytest.raises(QueryError, match="reads with a TaskRunQuery, not FlowRunQuery"):
        read_task_runs(FlowRunQuery())


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda: FlowRunQuery("x"), r"FlowRunQuery takes criteria by name, as in FlowRunQuery\(name='x'\), not str"),
        (lambda: TaskRunQuery({"name": "x"}), r"TaskRunQuery takes criteria by name, .*, not dict alone"),
        (lambda: explore("daily"), r"This reads with a TaskRunQuery, not str; criteria are keywords"),
        (lambda: FlowRunQuery.from_json(None), r"from_json takes JSON text, not NoneType"),
        (
            lambda: FlowRunQuery.from_json({"name": "x"}),
            r"not dict; criteria in a dict are FlowRunQuery\(\*\*criteria\)",
        ),
        (lambda: FlowRunQuery().plan(now=datetime(2026, 1, 1)), r"now \(2026-01-01T00:00:00\) has no time zone"),
        (lambda: FlowRunQuery().to_curl(now="today"), r"now is a datetime with a time zone, not str"),
        (lambda: FlowRunQuery().plan(server_version=3.4), r"server_version is text, such as '3.4.25', not float"),
    ],
)
def test_what_is_no_query_gets_a_sentence(asked, says) -> None:
    with pytest.raises(QueryError, match=says) as caught:
        asked()
    assert "\n" not in str(caught.value)


def test_keywords_win_over_the_query() -> None:
    assert as_query(FlowRunQuery, FlowRunQuery(name="a", limit=1), {"limit": 2}) == FlowRunQuery(name="a", limit=2)
