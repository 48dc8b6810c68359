"""What the explorer does beside the kernel: it looks again, backs off, recovers, and stops."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pandas as pd
import pytest
from fake_server import FakeServer, task_run

from prefect_nbviz import TaskRunQuery, read_states, read_task_runs
from prefect_nbviz.widgets.background import Background, Turn
from prefect_nbviz.widgets.explorer import RunExplorer, explore
from prefect_nbviz.widgets.histories import Histories
from prefect_nbviz.widgets.live import EVERY, LONGEST, LiveSwitch
from prefect_nbviz.widgets.pace import Pace

PATIENCE = 20
"""Seconds that a thread has to come round; a test does not wait longer than it takes."""


def run(number: int, state: str = "RUNNING", **fields: Any) -> dict[str, Any]:
    end = None if state == "RUNNING" else "2026-01-01T00:00:02Z"
    name = state.capitalize()
    fields = {"state_id": f"{state}-{number}", "run_count": 2, "end_time": end, "state_name": name} | fields
    return task_run(number, state_type=state, **fields)


def history(*states: str) -> list[dict[str, Any]]:
    return [
        {"type": state, "name": state.capitalize(), "timestamp": f"2026-01-01T00:00:0{second}Z", "message": None}
        for second, state in enumerate(states)
    ]


class Server(FakeServer):
    """A server with histories, that tells when it was asked for runs, and can be away."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        super().__init__([*rows])
        self.asked = threading.Semaphore(0)
        self.is_away = False
        self.before_answer = self._look

    def put(self, row: dict[str, Any], *states: str) -> None:
        self.rows = [one for one in self.rows if one["id"] != row["id"]] + [row]
        self.histories[row["id"]] = history(*states)

    def paths(self, end: str) -> int:
        return sum(path.endswith(end) for _, path, _ in self.requests)

    def _look(self, _: int) -> httpx.Response | None:
        if self.requests[-1][1].endswith("_runs/filter"):
            self.asked.release()
        return httpx.Response(403, json={}) if self.is_away else None


@pytest.fixture
def server() -> Server:
    server = Server()
    server.put(run(1, "COMPLETED"), "RUNNING", "COMPLETED")
    server.put(run(2), "RUNNING")
    return server


@pytest.fixture
def explorer(server: Server) -> Any:
    explorer = explore(TaskRunQuery(), connection=server.connection)
    explorer.live.pace = Pace(first=0.01, usual=0.01, longest=0.5)
    yield explorer
    explorer.close()
    explorer.join()


def wait_for(explorer: RunExplorer, text: str) -> None:
    """Wait until the status has a text."""
    seen = threading.Event()

    def look(_: object = None) -> None:
        if text in explorer.screen.status.value:
            seen.set()

    explorer.screen.status.observe(look, "value")
    look()
    assert seen.wait(PATIENCE), explorer.screen.status.value
    explorer.screen.status.unobserve(look, "value")


def test_a_live_explorer_shows_what_happens(server: Server, explorer: RunExplorer) -> None:
    explorer.live.value = True
    wait_for(explorer, "● live")
    assert explorer.frame["state_type"].tolist().count("RUNNING") == 1
    explorer.screen.views.selected = (run(2)["id"],)
    server.put(run(2, "FAILED"), "RUNNING", "FAILED")
    wait_for(explorer, "1 changed")
    server.put(run(3), "RUNNING")
    wait_for(explorer, "1 new")
    explorer.live.value = False
    explorer.join()
    assert {*explorer.frame["state_type"]} == {"COMPLETED", "FAILED", "RUNNING"}
    assert explorer.selection["state_type"].tolist() == ["FAILED"]
    assert explorer.intervals["run_id"].nunique() == 3
    pd.testing.assert_frame_equal(
        explorer.states, read_states(explorer.frame, connection=server.connection, progress=False)
    )


def test_what_is_paused_stays_and_says_what_waits(server: Server, explorer: RunExplorer) -> None:
    explorer.live.value = True
    wait_for(explorer, "● live")
    explorer.live.pause_button.value = True
    wait_for(explorer, ", no changes waiting")
    shown, drawn = explorer.frame, explorer.screen.views.table.content
    server.put(run(2, "FAILED"), "RUNNING", "FAILED")
    wait_for(explorer, ", 1 change waiting")
    server.put(run(3), "RUNNING")
    wait_for(explorer, ", 2 changes waiting")
    assert explorer.frame is shown
    assert explorer.screen.views.table.content is drawn
    explorer.load()
    wait_for(explorer, ", no changes waiting")
    assert len(explorer.frame) == 3
    server.put(run(4), "RUNNING")
    wait_for(explorer, ", 1 change waiting")
    explorer.live.pause_button.value = False
    wait_for(explorer, "1 new")
    assert "● live" in explorer.screen.status.value
    explorer.live.pause_button.value = True
    explorer.live.value = False
    assert not explorer.live.is_paused
    assert "Paused" not in explorer.screen.status.value


def test_a_look_draws_what_is_in_front_once(server: Server, explorer: RunExplorer) -> None:
    views = explorer.screen.views
    views.selected_index = views.titles.index("Counts")
    drawn = []
    views.counts.chart.observe(lambda change: drawn.append(change["new"]), "number")
    explorer.load()
    drawn.clear()
    server.put(run(3), "RUNNING")
    explorer._loader._read(Turn(), quietly=True)
    assert len(explorer.frame) == 3
    assert len(drawn) == 1


def test_it_says_that_the_server_is_away_and_recovers(server: Server, explorer: RunExplorer) -> None:
    explorer.live.value = True
    wait_for(explorer, "● live")
    held = explorer.frame
    server.is_away = True
    wait_for(explorer, "trying again every")
    assert "refused the key" in explorer.screen.status.value
    assert len(explorer.frame) == len(held)
    server.put(run(3), "RUNNING")
    server.is_away = False
    wait_for(explorer, "● live")
    assert len(explorer.frame) == 3
    assert "refused" not in explorer.screen.status.value


def test_other_filters_are_followed_while_it_is_live(explorer: RunExplorer) -> None:
    explorer.live.value = True
    wait_for(explorer, "2 task runs")
    explorer.controls.value = explorer.query.replace(state_type="RUNNING")
    wait_for(explorer, "1 of 2 task runs · RUNNING")


def test_histories_that_cannot_have_changed_are_not_read_again(server: Server) -> None:
    histories = Histories(server.connection)

    def read() -> pd.DataFrame:
        runs = read_task_runs(connection=server.connection, progress=False)
        states = histories.read(runs, progress=lambda *_: None)
        expected = read_states(runs, connection=server.connection, progress=False)
        pd.testing.assert_frame_equal(states, expected)
        return states

    read()
    before = server.paths("/task_run_states/")
    read()
    assert server.paths("/task_run_states/") - before == 2, "those of the comparison alone"
    server.put(run(2, "FAILED"), "RUNNING", "FAILED")
    before = server.paths("/task_run_states/")
    assert read()["state_type"].tolist().count("FAILED") == 1
    assert server.paths("/task_run_states/") - before == 3


def test_a_closed_explorer_looks_no_more(server: Server, explorer: RunExplorer) -> None:
    explorer.live.value = True
    wait_for(explorer, "live, every")
    explorer.page.is_shown = False
    explorer.join(PATIENCE)
    assert not explorer._loader.is_busy
    assert not explorer.live.value
    assert "●" not in explorer.screen.status.value


def test_new_work_ends_the_old() -> None:
    background, ended = Background(), []

    def work(turn: Turn) -> None:
        turn.wait(PATIENCE)
        ended.append(turn.is_stopped)

    for _ in range(3):
        background.start(work)
    background.stop()
    background.join()
    assert ended == [True, True, True]


def test_looks_at_a_server_that_is_slow_or_away_come_later() -> None:
    live = LiveSwitch()
    assert live.pace.pause == EVERY
    live.took(2 * EVERY)
    assert live.pace.pause == 2 * EVERY
    for _ in range(9):
        live.failed()
    assert live.pace.pause == LONGEST
    for _ in range(9):
        live.took(0.1)
    assert live.pace.pause == EVERY


def test_the_saved_picture_has_what_was_read_as_text(server: Server, explorer: RunExplorer) -> None:
    server.put(run(2, "FAILED", name="<img src=x>") | {"state": {"message": "<b>" + "7" * 300}}, "RUNNING", "FAILED")
    explorer.load()
    picture = explorer.screen.picture()
    assert "2 task runs · any time · as of" in picture
    assert "1 Completed" in picture
    assert "1 Failed" in picture
    assert '<td style="text-align: left">&lt;img src=x&gt;</td>' in picture
    assert "&lt;b&gt;" + "7" * 197 + "…" in picture
    assert "<img" not in picture
