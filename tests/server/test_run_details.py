"""The panel of one run and its log lines against a real server: retries, tracebacks, and flows that call flows."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from prefect.client.orchestration import SyncPrefectClient

from prefect_nbviz import Connection, FlowRunQuery, TaskRunQuery, read_flow_runs, read_logs, read_states, read_task_runs
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.widgets.details import RunDetails
from prefect_nbviz.widgets.run_logs import FEW

pytestmark = pytest.mark.server

STEPS = 230
FLOW = f"""
import os
os.environ["PREFECT_LOGGING_LEVEL"] = "INFO"
from prefect import flow, get_run_logger, task
from prefect.runtime import task_run

@task(retries=2, retry_delay_seconds=0.2)
def fit(rows):
    logger = get_run_logger()
    for step in range({STEPS} if task_run.run_count == 3 else 1):
        logger.info("step %d", step)
    logger.warning("no gradient")
    raise ConnectionError(f"<b>lost</b> in attempt {{task_run.run_count}}")

@task
def load(): return [1]

@flow(flow_run_name="details-child")
def child(): load()

@flow(flow_run_name="details-parent")
def parent(rows: int = 3):
    get_run_logger().info("begins")
    child()
    fit.with_options(task_run_name="details-fit")(load.with_options(task_run_name="details-load").submit())

parent(return_state=True)
"""


@pytest.fixture(scope="module")
def connection(empty_server: PrivateServer) -> Iterator[Connection]:
    child = empty_server.run("-W", "ignore", "-c", FLOW, log=empty_server.home / "details.log")
    until(lambda: child.exit_code is not None)
    assert child.exit_code == 0, child.last_words(30)
    there = Connection(empty_server.api_url)
    until(lambda: len(read_task_runs(name="details-fit", state_type="FAILED", connection=there)) == 1)
    until(lambda: "Finished in state" in lines(there, "details-parent", with_task_runs=False)["message"].iloc[-1])
    yield there
    with SyncPrefectClient(empty_server.api_url) as client:  # others find the server as it was
        for flow_id in read_flow_runs(name_like="details-", connection=there)["flow_id"]:
            client.delete_flow(flow_id)


def until(done: Any) -> None:
    for _ in range(80):
        if done():
            return
        time.sleep(0.5)
    raise AssertionError("it takes too long")


def run_of(connection: Connection, name: str) -> pd.DataFrame:
    read: Any = read_task_runs if name in {"details-fit", "details-load"} else read_flow_runs
    frame: pd.DataFrame = read(name=name, connection=connection, progress=False)
    assert len(frame) == 1
    return frame


def lines(connection: Connection, name: str, **options: Any) -> pd.DataFrame:
    return read_logs(run_of(connection, name), limit=None, connection=connection, progress=False, **options)


def test_the_lines_of_a_flow_run_with_and_without_those_of_its_tasks(connection: Connection) -> None:
    every = lines(connection, "details-parent")
    assert every["timestamp"].is_monotonic_increasing
    assert not every.attrs["prefect_nbviz"]["truncated"]
    own = lines(connection, "details-parent", with_task_runs=False)
    rest = every[every["task_run_id"].isna()].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, rest, check_categorical=False)
    assert own["message"].tolist()[1] == "begins"
    of_task = lines(connection, "details-fit")
    assert set(of_task["logger_name"]) == {"prefect.task_runs"}
    is_of_task = every["task_run_id"] == run_of(connection, "details-fit")["task_run_id"].iloc[0]
    assert set(of_task["message"]) == set(every[is_of_task]["message"])
    steps = [text for text in of_task["message"] if text.startswith("step ")]
    assert steps[2:] == [f"step {step}" for step in range(STEPS)]


def test_the_newest_lines_of_a_level(connection: Connection) -> None:
    loud = lines(connection, "details-fit", level_min="WARNING")
    assert loud["level_name"].value_counts().to_dict() == {"WARNING": 3, "ERROR": 2}
    assert loud["message"].str.contains("Traceback (most recent call last)", regex=False).sum() == 1
    ids = [run_of(connection, name).iloc[0, 0] for name in ("details-fit", "details-child")]
    assert len(read_logs(ids, limit=None, connection=connection)) == len(lines(connection, "details-fit")) + len(
        lines(connection, "details-child")
    )


class Panel:
    """The panel of a run as a person sees it."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.details = RunDetails(connection=connection)
        self.followed: list[FlowRunQuery | TaskRunQuery] = []
        self.details.on_follow(self.followed.append)
        self.details.show(run_of(connection, name))
        self.details.join()

    def text(self, part: str) -> str:
        said: list[str] = []
        parser = HTMLParser()
        parser.handle_data = said.append
        parser.feed(getattr(self.details, part))
        return " ".join(said)

    def press(self, label: str) -> FlowRunQuery | TaskRunQuery | None:
        buttons = re.findall(r'data-do="([^"]+)">(.*?)</button>', self.details.related + self.details.logs)
        [word] = [word for word, text in buttons if re.sub("<[^>]+>", "", text) == label]
        self.followed.clear()
        self.details.heed(word)
        self.details.join()
        return self.followed[0] if self.followed else None


def test_a_failed_run_shows_its_attempts_and_what_it_says(connection: Connection) -> None:
    panel = Panel(connection, "details-fit")
    assert "attempt 3 of 3" in panel.text("head")
    assert "<b>lost</b> in attempt 3" in panel.text("head")
    history = panel.text("history")
    assert [f"Attempt {number}" in history for number in (1, 2, 3, 4)] == [True, True, True, False]
    states = read_states(run_of(connection, "details-fit"), connection=connection)
    shown = re.findall(r"</span>([A-Za-z]+)</span><time", panel.details.history)
    assert shown == states["state_name"].tolist()
    assert "details-load" in panel.text("facts")
    assert f"{connection.api_url}".removesuffix("/api") + "/runs/task-run/" in panel.details.head


def test_the_buttons_lead_up_and_down(connection: Connection) -> None:
    parent = Panel(connection, "details-parent")
    tasks, flows = parent.press("3 task runs"), parent.press("1 subflow run")
    assert isinstance(tasks, TaskRunQuery)
    assert isinstance(flows, FlowRunQuery)
    assert {"details-fit", "details-load"} < set(read_task_runs(tasks, connection=connection)["name"])
    assert read_flow_runs(flows, connection=connection)["name"].tolist() == ["details-child"]
    child = Panel(connection, "details-child")
    up, stands = child.press("Parent flow run details-parent"), child.press("Its task run in the parent child-0")
    assert read_flow_runs(up, connection=connection)["name"].tolist() == ["details-parent"]
    assert read_task_runs(stands, connection=connection)["name"].tolist() == ["child-0"]
    fit = Panel(connection, "details-fit")
    assert fit.press("Flow run details-parent") == up
    assert fit.press("All task runs of its flow run") == tasks
    before = fit.press("1 upstream task run")
    assert read_task_runs(before, connection=connection)["name"].tolist() == ["details-load"]


def test_the_logs_in_the_panel(connection: Connection) -> None:
    panel = Panel(connection, "details-fit")
    panel.press("Show logs")
    assert panel.details.logs.count("<li ") == FEW
    assert "there are more" in panel.text("logs")
    panel.press("Show 1,000 lines")
    assert "all there are" in panel.text("logs")
    assert "ConnectionError: <b>lost</b> in attempt 3" in panel.text("logs")
