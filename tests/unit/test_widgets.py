"""The widgets without a browser: each control says its criterion, and nothing but Load reads."""

from __future__ import annotations

import dataclasses
import html
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_nbviz import frames, schema
from prefect_nbviz.errors import QueryError
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
from prefect_nbviz.query_text import criteria_text
from prefect_nbviz.reading import Connection
from prefect_nbviz.widgets.chips import StateField
from prefect_nbviz.widgets.controls import FilterControls
from prefect_nbviz.widgets.explorer import RunExplorer, explore
from prefect_nbviz.widgets.fields import GROUPS, IN_SIGHT
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.status import summary
from prefect_nbviz.widgets.views import RunViews
from prefect_nbviz.widgets.window import CUSTOM

ID = "0f9c2f5e-7a8b-4a52-8e52-7a4f7e6f0001"
DEAD = Connection("http://127.0.0.1:9/api")
HOSTILE = "<img src=x onerror=alert(1)>"
NOON = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)

SET = {
    "state_type": (["FAILED", "CRASHED"], ("FAILED", "CRASHED")),
    "tags_any": (["prod", "project_id: 7"], ("prod", "project_id: 7")),
    "tags_all": (["prod"], ("prod",)),
    "tags_none": (["dev"], ("dev",)),
    "name": ([HOSTILE], (HOSTILE,)),
    "name_like": ("load_", "load_"),
    "flow": (["daily_ingest"], ("daily_ingest",)),
    "deployment": (["daily_ingest/nightly"], ("daily_ingest/nightly",)),
    "state_name": (["My own"], ("My own",)),
    "ids": ([ID], (ID,)),
    "ids_not": ([ID], (ID,)),
    "time_field": ("end_time", "end_time"),
    "sort": ("NAME_ASC", "NAME_ASC"),
    "limit": ("", None),
    "name_not": (["load-1", HOSTILE], ("load-1", HOSTILE)),
    "work_pool": (["k8s"], ("k8s",)),
    "work_queue": (["default", "urgent"], ("default", "urgent")),
    "tag_keys": (["project_id"], ("project_id",)),
    "untagged": (False, False),
    "state_type_not": (["COMPLETED"], ("COMPLETED",)),
    "state_name_not": (["Late"], ("Late",)),
    "run_count_min": (2, 2),
    "start_time_fallback": (False, False),
}
"""For each control what is put into it, and the criterion that it then says."""

SET_OF_FLOW_RUNS = {
    "parent": ("top_level", "top_level"),
    "parent_task_run": ([ID], (ID,)),
    "has_deployment": (False, False),
    "has_work_queue": (True, True),
    "idempotency_key": (["key"], ("key",)),
    "ancestor": ([ID], (ID,)),
    "created_by": (["SCHEDULE"], ("SCHEDULE",)),
    "flow_version": (["1.2"], ("1.2",)),
    "auto_scheduled": (True, True),
    "parameters": (["region=eu", "rows=12", 'code="12"'], {"region": "eu", "rows": 12, "code": "12"}),
}
"""Likewise, of the controls that only flow runs have."""

SET_OF_TASK_RUNS = {"has_flow_run": (False, False), "has_subflow_run": (True, True)}
"""Likewise, of the controls that only task runs have."""

QUERIES = [
    TaskRunQuery(),
    TaskRunQuery(since="1d", limit=77, sort="END_TIME_DESC"),
    TaskRunQuery(
        flow_runs=FlowRunQuery(tags_all="prod", since="1d"), tags_any=["b", "a"], state_type=["FAILED", "PENDING"]
    ),
    TaskRunQuery(flow_runs=[ID], ids=[], state_name=["Late"], name=["x", "y"]),
    FlowRunQuery(since="2w", until="+1h", time_field="expected_start_time", sort="START_TIME_ASC", limit=None),
    FlowRunQuery(since=NOON, until=NOON + timedelta(hours=1), name_like="100%", deployment=["a/b"]),
    FlowRunQuery(since=NOON.replace(microsecond=7), tags_none=["dev"], flow=["f"], tags_all=["t"], state_type=[]),
    FlowRunQuery(since=NOON, until="1h"),
    TaskRunQuery(until=NOON),
    TaskRunQuery(name_not=["a", "b"], work_pool="k8s", work_queue="q", tag_keys=["k"], untagged=False),
    TaskRunQuery(state_type_not=["FAILED"], state_name_not="Late", run_count_min=77, start_time_fallback=False),
    TaskRunQuery(run_count_min=2**40, sort="DURATION_DESC", work_pool=[], untagged=True),
    FlowRunQuery(parent="top_level", ancestor=[ID], created_by=["USER", "other"], flow_version="1"),
    FlowRunQuery(parent="subflow", auto_scheduled=False, parameters={"region": "eu", "rows": 12}),
    FlowRunQuery(parent=[ID], ancestor=pd.DataFrame({"flow_run_id": [ID]}), auto_scheduled=True),
    FlowRunQuery(parent=[], ancestor=[], created_by=[], parameters={}),
    FlowRunQuery(parameters={"a=b": 1, "list": [1, 2]}),
    FlowRunQuery(has_deployment=True, has_work_queue=False, idempotency_key=["k"], parent_task_run=[ID], ids_not=[ID]),
    FlowRunQuery(since="1d", until="+1d", time_field="next_scheduled_start_time", created_by=["USER", ID]),
    TaskRunQuery(has_flow_run=False, has_subflow_run=True, ids_not=[ID]),
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("query", QUERIES, ids=repr)
def test_the_controls_say_the_query_that_they_got(query: Any) -> None:
    assert FilterControls(query).value == query
    controls = FilterControls(TaskRunQuery(name_like="before", since="1h", flow_runs=[ID]))
    controls.value = query
    assert controls.value == query


BLANK = FilterControls(FlowRunQuery())
"""Controls for a property test, which would take seconds to make anew each time."""


def words(query_type: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(query_type)} - {"since", "until", "flow_runs"}


def test_every_criterion_has_a_control() -> None:
    fields = FilterControls(TaskRunQuery()).fields
    assert {*SET, *SET_OF_TASK_RUNS} == words(TaskRunQuery)
    assert {*SET, *SET_OF_FLOW_RUNS} == words(FlowRunQuery)
    assert {*SET, *SET_OF_FLOW_RUNS, *SET_OF_TASK_RUNS} == {*fields}


@pytest.mark.parametrize("query_type", [TaskRunQuery, FlowRunQuery])
def test_every_control_has_its_place_and_every_order_a_name(query_type: type[Any]) -> None:
    controls = FilterControls(query_type())
    offered = {entry["word"] for _, entries in controls.bar.menu for entry in entries}
    assert offered == words(query_type) - {*IN_SIGHT}
    assert {word for group in GROUPS.values() for word in group} | {*IN_SIGHT} == {*controls.fields}
    assert {*dict(controls.fields["sort"].widget.options).values()} == {*query_type.sorts}
    assert {*dict(controls.fields["time_field"].widget.options).values()} >= {*query_type.time_fields}


@pytest.mark.parametrize("word", [*SET, *SET_OF_FLOW_RUNS, *SET_OF_TASK_RUNS])
def test_a_control_sets_its_criterion_and_removes_it(word: str) -> None:
    plain: Any = FlowRunQuery(since="1d") if word in SET_OF_FLOW_RUNS else TaskRunQuery(since="1d")
    controls = FilterControls(plain)
    widget = controls.fields[word].widget
    before, (put, said) = widget.value, (SET | SET_OF_FLOW_RUNS | SET_OF_TASK_RUNS)[word]
    widget.value = put
    assert controls.value == plain.replace(**{word: said})
    assert controls.fields[word].is_set
    widget.value = before
    assert controls.value == plain


@pytest.mark.parametrize("word", sorted({*words(FlowRunQuery)} - {"tags_any", "name_like"}))
def test_no_choice_shows_as_a_blank(word: str) -> None:
    widget = FilterControls(FlowRunQuery(limit=None)).fields[word].widget
    for value in [value for _, value in getattr(widget, "options", ()) if not isinstance(widget, StateField)]:
        widget.value = value
        assert widget.label


def chips(controls: FilterControls) -> dict[str, str]:
    return {chip["word"]: f"{chip['label']}: {chip['text']}" for chip in controls.bar.chips}


def test_what_only_flow_runs_have_is_shown_and_said_of_them_only() -> None:
    controls = FilterControls(FlowRunQuery(parent="subflow", parameters={"rows": 12}, tags_all="prod"))
    assert chips(controls) == {
        "parent": "parent: Subflow runs only",
        "parameters": "parameters: rows=12",
        "tags_all": "tags all: prod",
    }
    assert dict(controls.bar.menu)["Flow runs only"]
    controls.kind.value = "task_run"
    assert {*chips(controls)} == {"tags_all"}
    assert not dict(controls.bar.menu)["Flow runs only"]
    assert controls.value == TaskRunQuery(tags_all="prod")
    controls.kind.value = "flow_run"
    assert controls.value == FlowRunQuery(parent="subflow", parameters={"rows": 12}, tags_all="prod")
    controls.value = TaskRunQuery()
    controls.kind.value = "flow_run"
    assert controls.value == FlowRunQuery()


def test_the_order_stays_when_the_kind_changes() -> None:
    controls = FilterControls(FlowRunQuery(sort="START_TIME_DESC", tags_any="prod"))
    controls.kind.value = "task_run"
    assert controls.value == TaskRunQuery(tags_any="prod", sort="START_TIME_DESC")


@given(st.dictionaries(st.text(), JSON, max_size=3))
def test_parameters_come_back_as_they_were(parameters: dict[str, Any]) -> None:
    query = FlowRunQuery(parameters=parameters)
    assert repr(BLANK.value) == repr(FlowRunQuery())
    BLANK.value = query
    assert repr(BLANK.value) == repr(query)
    BLANK.value = FlowRunQuery()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=eu", "eu"),
        ("a = eu west ", "eu west"),
        ("a=12", 12),
        ('a="12"', "12"),
        ("a=true", True),
        ("a=null", None),
        ("a=", ""),
        ("a=b=c", "b=c"),
        ("a=NaN", "NaN"),
        ('a="[1, 2"', "[1, 2"),
        ('a={"b": [1]}', {"b": [1]}),
    ],
)
def test_a_parameter_is_json_where_it_is_json(text: str, value: object) -> None:
    controls = FilterControls(FlowRunQuery())
    controls.fields["parameters"].widget.value = [text]
    assert controls.value == FlowRunQuery(parameters={"a": value})


@pytest.mark.parametrize(
    ("word", "put", "says"),
    [
        ("parameters", ["region"], "such as region=eu; not 'region'"),
        ("parameters", ["a=1", "a=2"], "two values for 'a'"),
        ("parameters", ["a=[1, 2"], "'[1, 2' begins as JSON and is none"),
        ("ancestor", ["nightly"], "ancestor takes run ids"),
        ("state_type_not", ["FAILD"], "Did you mean 'FAILED'"),
    ],
)
def test_a_text_that_cannot_be_is_said_in_place(word: str, put: list[str], says: str) -> None:
    explorer = explore(FlowRunQuery(), connection=DEAD)
    explorer.controls.fields[word].widget.value = put
    assert says in html.unescape(explorer.screen.status.value)
    explorer.controls.fields[word].widget.value = []
    assert explorer.query == FlowRunQuery()
    assert says not in html.unescape(explorer.screen.status.value)


@pytest.mark.parametrize(
    ("choice", "since"),
    [
        *(("Last 15 min", "15m"), ("Last hour", "1h"), ("Last 6 h", "6h"), ("Last 24 h", "1d")),
        *(("Last 7 days", "7d"), ("Last 30 days", "30d")),
    ],
)
def test_a_quick_window(choice: str, since: str) -> None:
    controls = FilterControls(TaskRunQuery())
    controls.window.choice.label = choice
    assert controls.value == TaskRunQuery(since=since)
    controls.window.choice.label = "Any time"
    assert controls.value == TaskRunQuery()


def test_a_window_from_one_moment_to_another() -> None:
    controls = FilterControls(TaskRunQuery(since="1d"))
    assert controls.window.since.layout.display == "none"
    controls.window.choice.value = CUSTOM
    assert controls.window.since.layout.display is None
    span = controls.value.until - controls.value.since
    assert span == timedelta(days=1), "it begins with the window that was chosen before"
    controls.window.since.value, controls.window.until.value = datetime(2026, 1, 1, 6), datetime(2026, 1, 1, 7)
    assert controls.value == TaskRunQuery(since="2026-01-01T06:00Z", until="2026-01-01T07:00Z")
    controls.window.until.value = None
    assert controls.value == TaskRunQuery(since="2026-01-01T06:00Z")


def test_what_only_code_can_say_is_a_chip_that_can_be_removed() -> None:
    controls = FilterControls(TaskRunQuery(flow_runs=[ID], tags_any=[]))
    assert chips(controls) == {
        "flow_runs": "flow runs: 1 id",
        "tags_any": "tags any: none, which matches nothing",
    }
    assert {chip["word"]: chip["can_edit"] for chip in controls.bar.chips} == {"flow_runs": False, "tags_any": True}
    controls.kind.value = "flow_run"
    assert controls.value == FlowRunQuery(tags_any=[])
    controls.kind.value = "task_run"
    controls.remove("flow_runs")
    assert controls.value == TaskRunQuery(tags_any=[])
    controls.fields["tags_any"].widget.value = ["prod"]
    assert controls.value == TaskRunQuery(tags_any="prod")
    assert controls.kept.value == {}


def test_flow_runs_of_which_to_give_the_children_are_a_chip() -> None:
    controls = FilterControls(FlowRunQuery(parent=[ID], parameters={"": [1, 2]}))
    assert chips(controls) == {"parent": "parent: 1 id", "parameters": "parameters: {'': [1, 2]}"}
    controls.fields["parent"].widget.value = "top_level"
    assert controls.value == FlowRunQuery(parent="top_level", parameters={"": [1, 2]})
    controls.remove("parameters")
    assert controls.value == FlowRunQuery(parent="top_level")
    assert controls.kept.value == {}


@pytest.mark.parametrize("word", sorted({*SET, *SET_OF_FLOW_RUNS, *SET_OF_TASK_RUNS} - {*IN_SIGHT}))
def test_a_chip_says_what_is_set_and_removes_that_alone(word: str) -> None:
    others = {"tags_any": ("a",), "flow": ("b",), "name_like": "c", "since": "1h"}
    kind: Any = FlowRunQuery if word in SET_OF_FLOW_RUNS else TaskRunQuery
    controls = FilterControls(kind(**others))
    controls.fields[word].widget.value = (SET | SET_OF_FLOW_RUNS | SET_OF_TASK_RUNS)[word][0]
    assert {*chips(controls)} == {word, "tags_any", "flow"}
    controls.bar.tell({"do": "remove", "word": word})
    assert controls.value == kind(**{other: value for other, value in others.items() if other != word})
    assert {*chips(controls)} == {"tags_any", "flow"} - {word}


def test_many_values_are_cut_in_a_chip_and_counted() -> None:
    controls = FilterControls(TaskRunQuery(flow=[f"flow-{number}" for number in range(1_200)]))
    assert chips(controls) == {"flow": "flow: flow-0, flow-1, flow-2, flow-3, … (1,200 in all)"}
    controls.fields["state_type"].widget.value = ["FAILED", "CRASHED"]
    assert chips(controls)["state_type"] == "state: Failed, Crashed"


def test_clear_leaves_the_kind_the_window_the_order_and_the_limit() -> None:
    rest = {"since": "1h", "sort": "NAME_ASC", "limit": 7}
    controls = FilterControls(TaskRunQuery(flow_runs=[ID], name_like="x", tags_any="a", state_type="FAILED", **rest))
    told: list[object] = []
    controls.on_change(lambda: told.append(controls.value))
    controls.bar.tell({"do": "clear"})
    assert told == [TaskRunQuery(**rest)]
    assert not controls.bar.can_clear


def test_explore_begins_with_the_last_day_and_reads_nothing() -> None:
    explorer = explore(connection=DEAD)
    assert explorer.query == TaskRunQuery(since="1d")
    assert "Press Load to read task runs of the last 24 h" in explorer.screen.empty.text
    assert explorer.screen.views.layout.display == "none"
    pd.testing.assert_frame_equal(explorer.frame, frames.empty(schema.TASK_RUNS))
    pd.testing.assert_frame_equal(explorer.intervals, frames.empty(schema.INTERVALS))
    assert repr(explorer) == "RunExplorer(TaskRunQuery(since='1d'))"


def test_explore_takes_a_query_or_criteria() -> None:
    assert explore(FlowRunQuery(flow="a"), limit=5).query == FlowRunQuery(flow="a", limit=5)
    assert explore(state_type="failed").query == TaskRunQuery(state_type="FAILED")
    with pytest.raises(QueryError, match="Did you mean"):
        explore(state_typ="failed")


def test_no_control_touches_the_network() -> None:
    asked: list[object] = []

    class Refusing:
        async def handle_async_request(self, request: object) -> None:
            asked.append(request)

    explorer = RunExplorer(TaskRunQuery(), connection=Connection("http://127.0.0.1:9/api", transport=Refusing()))
    for word, (put, _) in (SET | SET_OF_FLOW_RUNS).items():
        explorer.controls.fields[word].widget.value = put
    for _, choice in explorer.controls.window.choice.options:
        explorer.controls.window.choice.value = choice
    explorer.controls.kind.value = "flow_run"
    explorer.page.theme = "dark"
    explorer.screen.views.counts.by.value = "tags"
    explorer.controls.clear()
    assert explorer.query == FlowRunQuery(sort="NAME_ASC", limit=None)
    assert asked == []
    assert not explorer.screen.standing.failure


def test_state_types_have_their_counts_while_the_other_filters_are_those_that_were_loaded() -> None:
    explorer = explore(connection=DEAD)
    controls, screen = explorer.controls, explorer.screen
    states = controls.fields["state_type"].widget
    screen.frame.attrs[frames.ATTRS] = {"as_of": "2026-01-31T10:42:07+00:00", "truncated": False}
    screen.standing.loaded = explorer.query
    screen.show_counts({"FAILED": 3})
    assert states.counts == {"FAILED": 3}
    states.value = ["FAILED"]
    assert states.counts == {"FAILED": 3}
    controls.fields["name_like"].widget.value = "load"
    assert states.counts == {}
    controls.fields["name_like"].widget.value = ""
    assert states.counts == {"FAILED": 3}
    controls.kind.value = "flow_run"
    assert states.counts == {}


def test_a_criterion_that_cannot_be_is_said_in_place() -> None:
    explorer = explore(connection=DEAD)
    window = explorer.controls.window
    window.choice.value = CUSTOM
    window.since.value, window.until.value = datetime(2026, 1, 2), datetime(2026, 1, 1)
    with pytest.raises(QueryError, match="is after until"):
        _ = explorer.query
    assert "is after until" in html.unescape(explorer.screen.status.value)
    assert "is after until" in repr(explorer)
    explorer.load()
    assert explorer.load_button.layout.display is None
    window.choice.value = (None, None)
    assert "is after" not in explorer.screen.status.value


def test_a_dead_server_is_one_sentence() -> None:
    explorer = explore(connection=DEAD)
    explorer.load_button.click()
    explorer.join()
    assert "Nothing answers at http://127.0.0.1:9/api" in explorer.screen.status.value
    assert "nbviz-error" in explorer.screen.status.value
    assert explorer.load_button.layout.display is None
    assert explorer.screen.progress.layout.display == "none"


@pytest.mark.parametrize(("column", "most"), [("task_run_id", 1_000), ("flow_run_id", 200)])
def test_the_timeline_and_the_time_say_which_runs_they_lack(column: str, most: int) -> None:
    views = RunViews(Page())
    runs = pd.DataFrame({column: ["x"] * (most + 1)})
    views.show_intervals(frames.empty(schema.INTERVALS), runs, of="a query")
    views.selected_index = [*views.titles].index("Time")
    views.selected_index = [*views.titles].index("Timeline")
    for view in (views.timeline, views.time):
        assert f"The first {most:,} of {most + 1:,} runs: state histories cost requests." in view.caption.value
    views.show_intervals(frames.empty(schema.INTERVALS), runs.head(most), of="a query")
    views.selected_index = [*views.titles].index("Time")
    assert "first" not in views.timeline.caption.value + views.time.caption.value


def test_times_are_shown_and_typed_in_a_time_zone() -> None:
    begin = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    explorer = explore(since=begin, until=begin + timedelta(hours=6), tz="Europe/Berlin", connection=DEAD)
    window = explorer.controls.window
    assert (window.since.value, window.since.description) == (datetime(2026, 1, 31, 10, 30), "From (Europe/Berlin)")
    window.until.value = datetime(2026, 1, 31, 12)
    assert explorer.query.until == datetime(2026, 1, 31, 11, tzinfo=UTC)
    berlin = ZoneInfo("Europe/Berlin")
    said = "from 2026-01-31 10:30 Europe/Berlin to 2026-01-31 12:00 Europe/Berlin"
    assert criteria_text(explorer.query, zone=berlin) == said
    assert explorer.screen.views.table.content["zone"] == "Europe/Berlin"
    with pytest.raises(QueryError, match="Europe/Berlin"):
        explore(tz="Berlin")


@pytest.mark.parametrize(
    ("rows", "attrs", "query", "counts", "says"),
    [
        (2, {"matched": 2}, TaskRunQuery(since="1d"), {}, "2 task runs · last 24 h · as of 10:42:07 UTC · complete"),
        (
            2,
            {"matched": 2},
            TaskRunQuery(state_type=["FAILED", "CRASHED"]),
            {"FAILED": 2, "COMPLETED": 14_310},
            "2 of 14,312 task runs · FAILED, CRASHED · any time · as of 10:42:07 UTC · complete",
        ),
        (
            2,
            {"matched": 18_240, "truncated": True},
            FlowRunQuery(),
            {},
            "Showing the first 2 of 18,240 flow runs · any time · as of 10:42:07 UTC · not complete",
        ),
        (
            0,
            {"matched": 0},
            TaskRunQuery(state_type="FAILED"),
            {"FAILED": 0, "COMPLETED": 7},
            "No task runs match. 7 match in other states. FAILED · any time · as of 10:42:07 UTC · complete",
        ),
        (
            1,
            {"matched": None},
            TaskRunQuery(),
            {"FAILED": None},
            "1 task run · any time · as of 10:42:07 UTC · complete",
        ),
    ],
)
def test_the_summary_says_how_much_of_what(
    rows: int, attrs: dict[str, Any], query: Any, counts: dict[str, int | None], says: str
) -> None:
    runs = pd.DataFrame({"task_run_id": ["x"] * rows})
    runs.attrs[frames.ATTRS] = {"as_of": "2026-01-31T10:42:07+00:00", "truncated": False, "reason": None} | attrs
    assert summary(runs, query, counts)[1] == says
