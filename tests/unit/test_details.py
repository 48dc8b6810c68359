"""The panel of one run: what it says in each state, where its buttons lead, and that no stranger's text becomes HTML."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pandas as pd
import pytest
from fake_server import Row, flow_run, task_run
from log_server import LogServer, line
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

from prefect_nbviz import Connection, FlowRunQuery, TaskRunQuery, read_flow_runs, read_states, read_task_runs
from prefect_nbviz.analysis.intervals import state_intervals
from prefect_nbviz.reading.links import ui_address
from prefect_nbviz.widgets.details import NO_RUN, RunDetails
from prefect_nbviz.widgets.run_logs import FEW
from prefect_nbviz.widgets.strip import MOST_STAYS, history_html

HOSTILE = "\"'><img src=x onerror=alert(1)><script>alert(2)</script></pre>&lt;"
FLOW_RUN, CHILD = (flow_run(number)["id"] for number in (0xF0, 0xF1))
TASK_RUN, FIRST = (task_run(number)["id"] for number in (0xA0, 0xA1))
PARTS = ("head", "note", "history", "related", "logs", "facts")
TAGS = re.compile(r"div|span|h[345]|p|pre|[ou]l|li|dl|dt|dd|a|b|strong|time|code|button")
ATTRIBUTES = re.compile(r"class|style|title|href|target|rel|tabindex|type|role|aria-[a-z]+|data-(do|copy|key)")


class Server(LogServer):
    """A flow run that called another and failed twice, with two task runs."""

    def __init__(self, name: str = "daily", *, lines: int = 3) -> None:
        parents = {"parent_task_run_id": None, "parent_flow_run_id": None, "work_pool_name": name}
        mine = {
            "name": name,
            "tags": [name],
            "state_type": "FAILED",
            "state_name": name,
            "end_time": "2026-01-01T00:01:00Z",
        }
        super().__init__(
            [line(number, number % 60, flow_run_id=FLOW_RUN, message=name, name=name) for number in range(lines)],
            [
                task_run(
                    0xA0, **mine, flow_run_id=FLOW_RUN, task_inputs={"x": [{"input_type": "task_run", "id": FIRST}]}
                ),
                task_run(0xA1, name=f"first {name}", flow_run_id=FLOW_RUN),
            ],
        )
        self.rows[0]["empirical_policy"] = {"retries": 2}
        self.rows[0]["state"] = {"message": name}
        self.flow_runs = [
            flow_run(0xF0, **mine, **parents) | {"parameters": {name: [name]}, "flow_version": name},
            flow_run(0xF1, name="child") | parents | {"parent_task_run_id": FIRST, "parent_flow_run_id": FLOW_RUN},
        ]
        self.histories = dict.fromkeys((FLOW_RUN, TASK_RUN, FIRST, CHILD), history(name))
        self.gate = threading.Event()
        self.gate.set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        while not self.gate.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.01)
        return await super().handle_async_request(request)

    def _answer(self, url: httpx.URL, body: dict[str, Any]) -> httpx.Response:
        if url.path.endswith("/flow_run_states/"):
            return httpx.Response(200, json=self.histories[url.params["flow_run_id"]])
        return super()._answer(url, body)

    @property
    def flow_run(self) -> pd.DataFrame:
        return read_flow_runs(ids=FLOW_RUN, connection=self.connection, fresh=True)

    @property
    def task_run(self) -> pd.DataFrame:
        return read_task_runs(ids=TASK_RUN, connection=self.connection, fresh=True)

    def asked(self) -> int:
        return len([path for _, path, _ in self.requests if path.endswith("_states/")])


def history(message: str) -> list[Row]:
    kinds = [("PENDING", "Pending"), ("RUNNING", "Running"), ("SCHEDULED", "AwaitingRetry"), ("RUNNING", "Retrying")]
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second) for second in (0, 1, 3, 13, 60)]
    states = [*kinds, ("FAILED", message)]
    return [
        {"type": kind, "name": name, "timestamp": time.isoformat(), "message": message, "state_details": {}}
        for (kind, name), time in zip(states, times, strict=True)
    ]


class Reader(HTMLParser):
    """Reads HTML as a browser does: its tags, their attributes, and the text in between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(details: RunDetails) -> str:
    return Reader(" ".join(getattr(details, part) for part in PARTS)).text


def panel(server: Server, run: pd.DataFrame, **options: Any) -> RunDetails:
    details = RunDetails(connection=server.connection, **options)
    details.show(run)
    details.join()
    return details


@pytest.mark.parametrize("kind", ["flow_run", "task_run"])
def test_no_text_of_strangers_becomes_html(kind: str) -> None:
    server = Server(HOSTILE)
    details = panel(server, getattr(server, kind))
    details.heed("logs:show")
    details.join()
    for part in PARTS:
        read = Reader(getattr(details, part))
        assert all(map(TAGS.fullmatch, read.tags)), read.tags
        assert all(map(ATTRIBUTES.fullmatch, read.attributes)), read.attributes
        says_it = {"head", "history", "facts", "logs" if kind == "flow_run" else "related"}
        assert (HOSTILE in read.text) == (part in says_it), part
    assert Reader(details.facts).text.count(HOSTILE) >= 2


def test_without_a_run_it_says_how_to_see_one() -> None:
    server = Server()
    details = panel(server, server.flow_run.head(0))
    assert shown(details).split() == NO_RUN.split()
    details.show(read_task_runs(connection=server.connection))
    assert "2 runs are selected: click one of them" in shown(details)
    assert details.run_id is None
    details.heed("logs:show")
    details.heed("follow:0")
    assert server.asked() == 0


def test_it_says_at_once_what_the_row_has() -> None:
    server = Server()
    run = server.task_run
    server.gate.clear()
    details = RunDetails(connection=server.connection)
    details.show(run)
    assert "daily" in details.head
    assert "Reading…" in details.history
    assert "attempt" not in details.head
    assert "2026-01-01 00:01:00" in details.facts
    server.gate.set()
    details.join()
    assert "Reading…" not in shown(details)
    assert "attempt 2 of 3" in Reader(details.head).text
    assert "AwaitingRetry" in details.history


def test_a_frame_with_few_columns_will_do() -> None:
    server = Server()
    run = server.flow_run[["flow_run_id"]]
    server.before_answer = lambda _: httpx.Response(401)
    details = panel(server, run)
    assert FLOW_RUN in details.facts
    assert "None" not in shown(details)


def test_states_that_are_handed_in_are_shown_at_once() -> None:
    server = Server()
    run, states = server.task_run, read_states([TASK_RUN, FIRST], exact=True, connection=server.connection)
    server.gate.clear()
    details = RunDetails(connection=server.connection)
    details.show(run, states=states)
    assert details.history.count("<li>") == 5
    details.close()


def test_an_older_read_does_not_come_over_a_newer_run() -> None:
    server = Server()
    older, newer = server.task_run, read_task_runs(ids=FIRST, connection=server.connection)
    server.gate.clear()
    details = RunDetails(connection=server.connection)
    details.show(older)
    details.show(newer)
    server.gate.set()
    details.join()
    assert "first daily" in details.head
    assert TASK_RUN not in details.facts


def test_a_failure_is_said_and_can_be_tried_again() -> None:
    server = Server("night<ly>")
    run = server.flow_run
    server.before_answer = lambda _: httpx.Response(401)
    details = panel(server, run)
    said = Reader(details.note)
    assert said.text.startswith("The run could not be read. http://fake.invalid/api refused the key (401)")
    assert said.text.endswith("Retry")
    assert "night&lt;ly&gt;" in details.head
    assert details.history == ""
    server.before_answer = lambda _: None
    details.heed("retry")
    details.join()
    assert details.note == ""
    assert "AwaitingRetry" in details.history


def test_an_unforeseen_failure_is_said_too() -> None:
    server = Server()
    run = server.flow_run
    server.histories.clear()
    assert "The run could not be read. KeyError" in Reader(panel(server, run).note).text


def test_a_run_that_is_gone_stays_as_it_was() -> None:
    server = Server()
    run = server.flow_run
    server.flow_runs = []
    details = panel(server, run)
    assert "has this run no longer" in details.note
    assert "daily" in details.head


def test_it_is_read_again_only_if_it_can_have_changed() -> None:
    server = Server()
    details = panel(server, server.flow_run)
    before = server.asked()
    details.show(server.flow_run)
    details.join()
    assert server.asked() == before
    server.flow_runs[0]["name"] = "renamed"
    details.heed("logs:show")
    details.show(server.flow_run)
    details.join()
    assert server.asked() == before + 1
    assert "renamed" in details.head
    assert "all there are" in details.logs


def test_buttons_lead_to_the_runs_around_it() -> None:
    server = Server()
    followed: list[Any] = []

    def around(run: pd.DataFrame) -> dict[str, Any]:
        details = panel(server, run)
        details.on_follow(followed.append)
        followed.clear()
        for place in range(details.related.count("<button")):
            details.heed(f"follow:{place}")
        details.heed("follow:99")
        texts = [part.partition(">")[2] for part in details.related.split("<button")[1:]]
        return dict(zip((Reader(text).text for text in texts), followed, strict=True))

    assert around(server.flow_run) == {
        "2 task runs": TaskRunQuery(flow_runs=FLOW_RUN),
        "1 subflow run": FlowRunQuery(parent=FLOW_RUN),
    }
    assert around(server.task_run) == {
        "Flow run daily": FlowRunQuery(ids=FLOW_RUN),
        "All task runs of its flow run": TaskRunQuery(flow_runs=FLOW_RUN),
        "1 upstream task run": TaskRunQuery(ids=FIRST),
    }
    assert around(read_flow_runs(ids=CHILD, connection=server.connection)) == {
        "Parent flow run daily": FlowRunQuery(ids=FLOW_RUN),
        "Its task run in the parent first daily": TaskRunQuery(ids=FIRST),
    }
    first = around(read_task_runs(ids=FIRST, connection=server.connection))
    assert first["1 subflow run"] == FlowRunQuery(parent_task_run=FIRST)


def test_logs_are_read_when_they_are_asked_for() -> None:
    server = Server(lines=FEW + 50)
    details = panel(server, server.flow_run)
    lines = [path for _, path, _ in server.requests if path.endswith("/logs/filter")]
    assert not lines
    assert "Show logs" in details.logs

    def press(word: str) -> str:
        details.heed(f"logs:{word}")
        details.join()
        return Reader(details.logs).text

    assert "The newest 200 lines" in press("show")
    assert details.logs.count("<li ") == FEW
    text = press("more")
    assert f"{FEW + 50} lines: all there are" in text
    assert "Show 1,000" not in text
    server.lines.append(
        line(9_999, level=40, message="<i>last</i>", flow_run_id=FLOW_RUN, timestamp="2026-01-02T00:00:00Z")
    )
    assert "2026-01-02" in press("refresh")
    assert "<b>ERROR</b> &lt;i&gt;last&lt;/i&gt;" in details.logs
    server.before_answer = lambda _: httpx.Response(401)
    text = press("refresh")
    assert "The logs could not be read. http://fake.invalid/api refused the key" in text
    assert details.logs.count("<li ") == FEW + 53  # what was there stays, with a line for each of two days
    assert "Show logs" in press("hide")
    details.show(read_flow_runs(ids=FLOW_RUN, connection=Server().connection).head(0))
    assert details.logs == ""


def test_a_long_history_says_that_it_is_cut() -> None:
    many = [
        {"type": "SCHEDULED", "name": "Late", "timestamp": f"2026-01-{day:02}T{hour:02}:00:00Z", "message": None}
        for day in range(1, 11)
        for hour in range(24)
    ]
    server = Server()
    server.histories[FLOW_RUN] = many
    details = panel(server, server.flow_run)
    assert f"The newest {MOST_STAYS} of 240 states." in details.history
    assert details.history.count("<li>") == MOST_STAYS


def test_attempts_and_gaps_are_told_apart() -> None:
    server = Server()
    states = read_states(FLOW_RUN, connection=server.connection)
    again = states.assign(timestamp=states["timestamp"] + pd.Timedelta(hours=1))
    stays = state_intervals(pd.concat([states, again]), as_of=datetime(2026, 1, 2, tzinfo=UTC))
    html = history_html(stays, zone=ZoneInfo("Europe/Berlin"))
    assert [f"Attempt {number}</h5>" in html for number in range(1, 6)] == [True] * 4 + [False]
    assert html.count('class="nbviz-attempt"') == 4
    assert "ended for 59 min, then started again" in html
    assert "01:00:01" in html
    assert 'title="Running, 2 s\n2026-01-01 01:00:01+01:00 to 2026-01-01 01:00:03+01:00"' in html


def test_a_run_that_goes_on() -> None:
    server = Server()
    server.histories[TASK_RUN] = server.histories[TASK_RUN][:2]
    server.rows[0] |= {"state_type": "RUNNING", "state_name": "Running", "end_time": None}
    details = panel(server, server.task_run)
    assert "so far" in details.history
    assert "so far" in details.facts
    assert "not yet" in details.facts


CLOUD = "https://api.prefect.cloud/api"


@pytest.mark.parametrize(
    ("api_url", "ui_url", "address"),
    [
        ("http://127.0.0.1:4200/api", None, "http://127.0.0.1:4200/runs/flow-run/x"),
        ("https://me:secret@host/prefect/api?key=secret", None, "https://host/prefect/runs/flow-run/x"),
        (f"{CLOUD}/accounts/a/workspaces/w", None, "https://app.prefect.cloud/account/a/workspace/w/runs/flow-run/x"),
        ("http://server:4200/api", "https://me:secret@ui.example.org/", "https://ui.example.org/runs/flow-run/x"),
        ("http://server:4200/api", "javascript:alert(1)", None),
    ],
)
@pytest.mark.parametrize("is_of_profile", [True, False])
def test_where_prefect_shows_it(api_url: str, ui_url: str | None, address: str | None, *, is_of_profile: bool) -> None:
    connection = Connection() if is_of_profile else Connection(api_url)
    with temporary_settings({PREFECT_API_URL: api_url} | ({PREFECT_UI_URL: ui_url} if ui_url else {})):
        assert ui_address(connection, "flow_run", "x") == address


def test_the_address_of_another_server_than_that_of_the_profile() -> None:
    with temporary_settings({PREFECT_API_URL: "http://other/api", PREFECT_UI_URL: "http://ui.other"}):
        for_this = ui_address(Connection(f"{CLOUD}/accounts/a/workspaces/w"), "task_run", "x")
    assert for_this == "https://app.prefect.cloud/account/a/workspace/w/runs/task-run/x"


def test_nothing_goes_on_once_it_is_closed() -> None:
    server = Server()
    run = server.flow_run
    server.gate.clear()
    before = threading.active_count()
    details = RunDetails(connection=server.connection)
    details.show(run)
    details.heed("logs:show")
    details.close()
    details.join()
    assert threading.active_count() == before
