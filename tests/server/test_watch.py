"""Tasks watched while they run: from within a flow as text and in a notebook's cell, and from another process by ids."""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from prefect_nbviz import Connection, read_futures, read_states, schema, watch
from prefect_nbviz.demo.child import Child
from prefect_nbviz.demo.server import PrivateServer

pytestmark = pytest.mark.server

FLOW = """
import json, time
from pathlib import Path
import prefect_nbviz as nbv
from prefect import flow, task
from prefect.futures import resolve_futures_to_states, wait
from prefect.task_runners import ThreadPoolTaskRunner

@task
def part(n: int) -> int:
    while n > 5 and not Path("go-on").exists():
        time.sleep(0.05)
    if n % 4 == 1:
        raise ValueError(f"<b>no rows</b> in part {n}")
    return n

@task(retries=1, retry_delay_seconds=0.2)
def shaky() -> None:
    raise ConnectionError("lost")

@task
def store(n: int) -> int:
    return n

@flow(name="watched", task_runner=ThreadPoolTaskRunner(max_workers=3))
def watched() -> dict:
    parts = part.map(range(12))
    futures = [*parts, *store.map(parts), shaky.submit()]
    begin = time.monotonic()
    panel = nbv.watch(futures)
    took = time.monotonic() - begin
    print("IDS", json.dumps([str(one.task_run_id) for one in futures]), flush=True)
    wait(futures)
    frame = panel.wait(120)
    states = [
        {"type": one.type.value, "name": one.name, "message": one.message, "at": one.timestamp.isoformat()}
        for one in resolve_futures_to_states(futures)
    ]
    return {
        "took": took, "states": states, "stays": panel.states["run_id"].nunique(),
        "frame": json.loads(frame[["state_type", "state_name", "state_message"]].to_json(orient="records")),
        "ends": [None if one is nbv_pd.NaT else one.isoformat() for one in frame["end_time"]],
    }

import pandas as nbv_pd
print("ANSWER", json.dumps(watched()), flush=True)
"""
LEFT = """
import time
import prefect_nbviz as nbv
from prefect import flow, task

@task
def slow() -> None:
    time.sleep(0.5)

@flow
def leaves() -> None:
    global panel
    panel = nbv.watch(slow.submit())

leaves()
print("LEFT", flush=True)
"""
CELL = """
import threading, time
import prefect_nbviz as nbv
from prefect import flow, task

is_seen = threading.Event()

@task
def slow(n):
    assert n == 0 or is_seen.wait(60)

@flow
def flow_in_the_cell():
    global panel
    futures = slow.map(range(2))
    panel = nbv.watch(futures)
    while panel.frame["state_type"].tolist() != ["COMPLETED", "RUNNING"]:
        time.sleep(0.05)  # the watch goes on while this cell is busy
    is_seen.set()
    panel.wait(60)

flow_in_the_cell()
panel
"""


class Listener(NotebookClient):
    """Keeps what widgets are told, and when cells end."""

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        content = msg["content"]
        if msg["msg_type"] == "comm_msg":
            self.heard.append(str(content["data"].get("state", {}).get("value", "")))
        elif msg["msg_type"] == "status":
            self.heard.append(content["execution_state"])
        return super().process_message(msg, cell, cell_index)


def line(child: Child, word: str) -> Any:
    """Wait for a line that a process prints, and give the JSON behind its first word."""
    return json.loads(wait_for(child, word).removeprefix(word) or "null")


def wait_for(child: Child, beginning: str) -> str:
    """Wait for a line that a process prints, and give it."""
    for _ in range(600):
        for one in child.lines():
            if one.startswith(beginning):
                return one
        assert child.exit_code in {None, 0}, child.last_words(30)
        time.sleep(0.2)
    raise AssertionError(child.last_words(30))


def test_a_flow_is_watched_while_it_runs(empty_server: PrivateServer) -> None:
    child = empty_server.run("-c", FLOW, log=empty_server.home / "watch.log")
    ids = line(child, "IDS ")
    connection = Connection(empty_server.api_url)
    beside = watch(ids, connection=connection)
    half = {"COMPLETED": 4, "FAILED": 2, "RUNNING": 3, "PENDING": 16}
    for _ in range(600):
        if beside.frame["state_type"].value_counts().loc[[*half]].to_dict() == half:
            break
        time.sleep(0.1)
    assert beside.frame["is_known"].tolist() == [True] * 9 + [False] * 16
    wait_for(child, "6 of 25 done · 3 running · 2 failed · 16 waiting")
    (empty_server.home / "go-on").touch()
    frame = beside.wait(120)
    answer = line(child, "ANSWER ")

    assert answer["took"] < 30
    for row, state, end in zip(answer["frame"], answer["states"], answer["ends"], strict=True):
        assert row == {f"state_{word}": state[word] for word in ("type", "name", "message")}
        assert end == (state["at"] if state["type"] != "PENDING" else None)
    names = [state["name"] for state in answer["states"]]
    assert (names.count("Failed"), names.count("NotReady"), names.count("Completed")) == (4, 3, 18)
    assert answer["stays"] == len(ids)

    assert frame["task_run_id"].tolist() == ids
    assert frame["state_name"].tolist() == names
    assert frame.columns.tolist() == schema.names(schema.FUTURES)
    again = read_futures(ids, wait=True, connection=connection, progress=False)
    pd.testing.assert_frame_equal(again, frame)  # one that is not ready is not waited for
    states = read_states(ids, connection=connection, progress=False)
    assert beside.states.equals(states)

    said = [one for one in child.lines() if not one.startswith(("IDS", "ANSWER"))]
    assert said[0] == "25 tasks"
    assert re.fullmatch(r"22 of 25 done · 4 failed · 3 not ready · \d+:\d\d", said[-1])
    assert (
        len([one for one in said if re.fullmatch(r"part-\w+ failed: ValueError: <b>no rows</b> in part \d", one)]) == 3
    )


def test_a_watch_does_not_keep_a_process_from_ending(empty_server: PrivateServer) -> None:
    child = empty_server.run("-c", LEFT, log=empty_server.home / "left.log")
    line(child, "LEFT")
    for _ in range(100):
        if child.exit_code is not None:
            break
        time.sleep(0.1)
    assert child.exit_code == 0
    assert not [one for one in child.lines() if "Traceback" in one or "Exception" in one]


def test_a_panel_goes_on_while_its_cell_is_busy(empty_server: PrivateServer, tmp_path) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in (CELL, "panel")]
    where = {"metadata": {"path": str(tmp_path)}}
    client = Listener(nbformat.v4.new_notebook(cells=cells), timeout=120, resources=where)
    client.heard = []
    client.execute(env=os.environ | empty_server.environment)
    while_busy = "".join(client.heard[: client.heard.index("idle")])
    assert "<b>1 of 2 done</b>" in while_busy
    assert "1 running" in while_busy
    assert "Done, as of" in while_busy
    for cell in cells:
        [output] = cell.outputs
        assert "application/vnd.jupyter.widget-view+json" in output["data"], "the panel is shown once, and nothing else"
