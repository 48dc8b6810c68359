"""The explorer against a real server: what it shows is what a read gives, and failures keep what was there."""

from __future__ import annotations

import html
import re
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pandas as pd
import pytest

from prefect_nbviz.analysis.intervals import state_intervals
from prefect_nbviz.demo.samples import HOSTILE_NAME
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.errors import RefusedError
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
from prefect_nbviz.reading import Connection, read_flow_runs, read_state_type_counts, read_states, read_task_runs
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.reporting.page import page_of
from prefect_nbviz.widgets.explorer import RunExplorer, explore

pytestmark = pytest.mark.server

UTC = ZoneInfo("UTC")
ENDED = ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]
"""Runs that do not change while a test looks twice."""


class Cable(httpx.AsyncBaseTransport):
    """The network, until it is cut."""

    def __init__(self) -> None:
        self.is_cut_from: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_cut_from is not None and request.url.path.startswith(self.is_cut_from):
            raise httpx.ConnectError("cut", request=request)
        async with httpx.AsyncHTTPTransport(verify=False) as network:  # to read certificates would take longest
            response = await network.handle_async_request(request)
            await response.aread()
            return httpx.Response(
                response.status_code, content=response.content, headers={"Content-Type": "application/json"}
            )


@pytest.mark.parametrize(
    "query",
    [
        TaskRunQuery(since="1d", state_type=["FAILED", "CRASHED"]),
        TaskRunQuery(state_name="TimedOut", tags_any=["prod", "nightly"]),
        TaskRunQuery(flow_runs=FlowRunQuery(tags_all="prod", state_type=ENDED), state_type=ENDED, limit=7),
        TaskRunQuery(state_type=ENDED, run_count_min=2, start_time_fallback=False, sort="DURATION_DESC"),
        FlowRunQuery(state_type=ENDED, sort="NAME_ASC"),
        FlowRunQuery(state_type=ENDED, parent="top_level", untagged=False, state_name_not="TimedOut"),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore::prefect_nbviz.errors.IncompleteWarning")
def test_it_shows_what_a_read_gives(query: Any, connection: Connection) -> None:
    explorer = explore(query, connection=connection)
    explorer.load_button.click()
    explorer.join()
    assert not explorer.screen.standing.failure
    read = read_flow_runs if isinstance(query, FlowRunQuery) else read_task_runs
    expected = read(explorer.query, connection=connection)
    assert len(expected)
    pd.testing.assert_frame_equal(explorer.frame, expected)
    states = read_states(expected, connection=connection)
    pd.testing.assert_frame_equal(explorer.states, states)
    pd.testing.assert_frame_equal(explorer.intervals, state_intervals(states))
    counts = explorer.controls.fields["state_type"].widget.counts
    assert {kind: counts[kind] for kind in ENDED} == {
        kind: read_state_type_counts(query, connection=connection)[kind] for kind in ENDED
    }


def test_counts_are_those_of_the_whole_query(connection: Connection) -> None:
    explorer = explore(state_type="FAILED", limit=1, connection=connection)
    explorer.load()
    counts = explorer.controls.fields["state_type"].widget.counts
    assert len(explorer.frame) == 1
    assert counts["FAILED"] == len(read_task_runs(state_type="FAILED", connection=connection))
    assert counts["COMPLETED"] > counts["FAILED"] > 1
    assert f"Showing the first 1 of {counts['FAILED']} task runs" in explorer.screen.status.value
    assert explorer.screen.status.value.count("nbviz-warn") == 1, "the cut is said once"


def test_flow_runs_that_their_limit_left_out_are_said_once(connection: Connection) -> None:
    explorer = explore(TaskRunQuery(flow_runs=FlowRunQuery(sort="START_TIME_ASC", limit=9)), connection=connection)
    explorer.load()
    assert explorer.screen.status.value.count("Of the flow runs: Read the first 9 of") == 1


def test_a_name_nobody_has_is_a_note(connection: Connection, recwarn: pytest.WarningsRecorder) -> None:
    explorer = explore(tags_any=["prod", "prood"], connection=connection)
    explorer.load()
    assert "prood" in explorer.screen.status.value
    assert "nbviz-warn" in explorer.screen.status.value
    assert not recwarn.list


def test_changed_filters_dim_what_is_shown(connection: Connection) -> None:
    explorer = explore(state_type="FAILED", connection=connection)
    explorer.load()
    assert "nbviz-dim" not in explorer.screen.views._dom_classes
    explorer.controls.fields["state_type"].widget.value = ["CRASHED"]
    assert "Filters changed: press Load" in explorer.screen.status.value
    assert "nbviz-dim" in explorer.screen.views._dom_classes
    assert set(explorer.frame["state_type"]) == {"FAILED"}
    explorer.load()
    assert "Filters changed" not in explorer.screen.status.value
    assert "nbviz-dim" not in explorer.screen.views._dom_classes
    assert set(explorer.frame["state_type"]) == {"CRASHED"}


def test_nothing_that_matches_is_said(connection: Connection) -> None:
    explorer = explore(name=HOSTILE_NAME, state_type="CRASHED", connection=connection)
    explorer.load()
    assert "No task runs match" in explorer.screen.empty.text
    assert "1 match in other states." in explorer.screen.status.value
    assert html.escape(HOSTILE_NAME) in explorer.screen.status.value
    assert explorer.screen.views.layout.display == "none"
    assert explorer.frame.empty
    assert explorer.intervals.empty


def test_a_server_that_dies_keeps_what_was_loaded(demo_server: PrivateServer) -> None:
    cable = Cable()
    explorer = explore(state_type="FAILED", connection=Connection(demo_server.api_url, transport=cable))
    explorer.load()
    frame, intervals, shown = explorer.frame, explorer.intervals, explorer.screen.views.table.content
    assert len(frame)
    cable.is_cut_from = "/"
    explorer.controls.fields["state_type"].widget.value = ["COMPLETED"]
    explorer.load()
    assert "The task runs could not be read. Nothing answers at" in explorer.screen.status.value
    assert "Filters changed: press Load" in explorer.screen.status.value
    assert explorer.frame is frame
    assert explorer.intervals is intervals
    assert explorer.screen.views.table.content is shown


def test_a_server_that_dies_before_the_timeline_keeps_no_other_timeline(demo_server: PrivateServer) -> None:
    cable = Cable()
    explorer = explore(FlowRunQuery(state_type="FAILED"), connection=Connection(demo_server.api_url, transport=cable))
    explorer.load()
    assert len(explorer.intervals)
    cable.is_cut_from = "/api/flow_run_states"
    explorer.controls.value = explorer.query.replace(state_type="CRASHED")  # others, whose histories are not held
    explorer.load()
    assert "The timeline could not be read." in explorer.screen.status.value
    assert len(explorer.frame)
    assert explorer.intervals.empty
    views = explorer.screen.views
    views.selected_index = [*views.titles].index("Timeline")
    assert "No states to draw" in views.timeline.chart.figure


def asked_for_a_report(explorer: RunExplorer) -> list[tuple[dict[str, Any], list[bytes]]]:
    """Press the button, and give what was sent when all is done."""
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    button = explorer.screen.report_button
    button.send = lambda content, buffers=None: sent.append((content, buffers))
    button._handle_custom_msg({"from": "a view"}, [])
    button.join()
    assert not button.is_busy
    return sent


def test_the_report_is_of_what_is_shown_and_reads_none_of_it_again(demo_server: PrivateServer) -> None:
    cable = Cable()
    connection = Connection(demo_server.api_url, transport=cable)
    explorer = explore(state_type=ENDED, limit=20, connection=connection)
    explorer.load()
    whole = Contents.gathered(
        explorer.query, explorer.frame, zone=UTC, title=None, connection=connection, progress=False
    )
    assert not whole.notes
    cable.is_cut_from = "/"
    [(about, [page])] = asked_for_a_report(explorer)
    assert about["to"] == "a view"
    assert re.fullmatch(r"task_runs_\d{4}-\d\d-\d\d_\d{6}\.html", about["name"])
    assert page.decode() == page_of(whole)
    assert not explorer.screen.report_button.said


def test_a_report_that_cannot_be_made_says_why(connection: Connection) -> None:
    explorer = explore(state_type="FAILED", limit=1, connection=connection)
    explorer.load()
    button = explorer.screen.report_button
    refused = RefusedError("The server is closed.")

    def refuse(_: object) -> None:
        raise refused

    button._gather = refuse
    assert not asked_for_a_report(explorer)
    assert button.said == "The report could not be made. The server is closed."
    assert button.is_problem


def test_a_mistake_of_ours_is_not_silent() -> None:
    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, _: httpx.Request) -> httpx.Response:
            raise ZeroDivisionError("ours")

    explorer = RunExplorer(TaskRunQuery(), connection=Connection("http://127.0.0.1:9/api", transport=Broken()))
    with pytest.raises(ZeroDivisionError):
        explorer.load()
    assert "The task runs could not be read. ZeroDivisionError: ours" in explorer.screen.status.value
    assert explorer.load_button.layout.display is None
