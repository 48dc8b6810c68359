"""The demo: every kind of state is there, nothing of the person's own is touched, nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from new_servers import Servers

from prefect_nbviz import Connection, explore
from prefect_nbviz.cli import main
from prefect_nbviz.demo.samples import HOSTILE_NAME
from prefect_nbviz.demo.server import FASTAPI_TOO_NEW, PrivateServer, private_environment
from prefect_nbviz.errors import DemoError

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
TOO_NEW = """def Body(default=None):
    pass

Body(min_items=1)
"""
EXPECTED = {
    ("flow_run", "CANCELLED", "Cancelled"),
    ("flow_run", "COMPLETED", "Completed"),
    ("flow_run", "CRASHED", "Crashed"),
    ("flow_run", "FAILED", "Failed"),
    ("flow_run", "FAILED", "TimedOut"),
    ("flow_run", "PAUSED", "Paused"),
    ("flow_run", "RUNNING", "Running"),
    ("flow_run", "SCHEDULED", "Late"),
    ("flow_run", "SCHEDULED", "Scheduled"),
    ("task_run", "CANCELLED", "Cancelled"),
    ("task_run", "COMPLETED", "Cached"),
    ("task_run", "COMPLETED", "Completed"),
    ("task_run", "CRASHED", "Crashed"),
    ("task_run", "FAILED", "Failed"),
    ("task_run", "FAILED", "TimedOut"),
    ("task_run", "PENDING", "NotReady"),
    ("task_run", "RUNNING", "Running"),
}
PASSED_THROUGH = {
    ("flow_run", "AwaitingRetry"),
    ("task_run", "AwaitingRetry"),
    ("task_run", "Retrying"),
}


def sql(server: PrivateServer, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(server.database)) as database:
        return database.execute(statement).fetchall()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_every_kind_of_state(demo_server: PrivateServer) -> None:
    both = " UNION ".join(f"SELECT '{kind}', state_type, state_name FROM {kind}" for kind in ("flow_run", "task_run"))
    assert set(sql(demo_server, both)) >= EXPECTED


def test_retries_were_waited_for(demo_server: PrivateServer) -> None:
    flow_runs = sql(demo_server, "SELECT DISTINCT 'flow_run', name FROM flow_run_state")
    task_runs = sql(demo_server, "SELECT DISTINCT 'task_run', name FROM task_run_state")
    assert {*flow_runs, *task_runs} >= PASSED_THROUGH


def test_enough_runs_to_look_at(demo_server: PrivateServer) -> None:
    assert sql(demo_server, "SELECT count(*) >= 25 FROM flow_run") == [(1,)]
    assert sql(demo_server, "SELECT count(*) >= 120 FROM task_run") == [(1,)]


@pytest.mark.parametrize("kind", ["flow_run", "task_run"])
def test_a_name_that_is_not_to_be_trusted(demo_server: PrivateServer, kind: str) -> None:
    assert (HOSTILE_NAME,) in sql(demo_server, f"SELECT name FROM {kind}")


def test_subflows_and_work_pools(demo_server: PrivateServer) -> None:
    assert sql(demo_server, "SELECT count(*) >= 2 FROM flow_run WHERE parent_task_run_id IS NOT NULL") == [(1,)]
    late = "SELECT count(*) >= 3 FROM flow_run WHERE state_name = 'Late' AND work_queue_id IS NOT NULL"
    assert sql(demo_server, late) == [(1,)]


def test_a_server_begins_without_runs(new_server: Servers) -> None:
    with new_server() as server:
        assert sql(server, "SELECT count(*) FROM flow_run") == [(0,)]
        explorer = explore(connection=Connection(server.api_url))
        explorer.load()
        assert explorer.screen.empty.text == "There are no task runs on this server yet."
        assert not explorer.screen.standing.failure


def test_nothing_of_the_persons_own_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_of_the_person")
    monkeypatch.setenv("PREFECT_API_URL", "https://api.prefect.cloud/api")
    environment = private_environment(Path("home"), "http://127.0.0.1:1/api")
    assert "pnu_of_the_person" not in environment.values()
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:1/api"


def test_a_server_that_cannot_start_says_why() -> None:
    server = PrivateServer(settings={"PREFECT_SERVER_DATABASE_CONNECTION_URL": "carrier+pigeon://loft"})
    with pytest.raises(DemoError, match=r"ended by itself. Its last words: .+"):
        server.start()
    assert not server.home.exists()
    server.stop()


def test_a_fastapi_that_is_too_new_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text(TOO_NEW)
    with pytest.raises(DemoError, match=re.escape(FASTAPI_TOO_NEW)):
        PrivateServer(settings={"PYTHONPATH": str(tmp_path)}).start()


def test_a_port_that_is_taken(taken_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--port", str(taken_port)]) == 1
    said = capsys.readouterr()
    assert re.fullmatch(rf"prefect-nbviz: Port {taken_port} cannot be used .* choose another with --port.*\n", said.err)
    assert said.out == ""


def test_jupyterlab_that_is_not_installed(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['jupyterlab'] = None; from prefect_nbviz.cli import main; sys.exit(main(['demo']))"
    done = subprocess.run([sys.executable, "-c", hide], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'prefect_nbviz[demo]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_while_its_server_starts(end: signal.Signals, tmp_path: Path) -> None:
    with start_demo(tmp_path) as demo:
        server_home = server_that_starts(demo)
        demo.send_signal(end)
        assert demo.wait(30) == 0
    assert_nothing_is_left(server_home, tmp_path)


def test_it_can_be_stopped_while_its_flows_run(tmp_path: Path) -> None:
    with start_demo(tmp_path) as demo:
        server_home = said(demo, r"files are in (.+)")
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(30) == 0
    assert_nothing_is_left(server_home, tmp_path)


def test_the_whole_demo(tmp_path: Path) -> None:
    with start_demo(tmp_path) as demo:
        server_home = said(demo, r"files are in (.+)")
        address = said(demo, r"Notebook: (http://127\.0\.0\.1:\d+/lab/tree/explore\.ipynb\?token=.+)")
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
        assert len(processes_of(server_home)) >= 3
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
    assert_nothing_is_left(server_home, tmp_path)


def start_demo(home: Path) -> subprocess.Popen[str]:
    theirs = {"HOME": str(home), "PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_API_KEY": "pnu_of_the_person"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "XDG_"))}
    command = [sys.executable, "-m", "prefect_nbviz.cli", "demo", "--no-browser"]
    return subprocess.Popen(command, env=inherited | theirs, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def said(demo: subprocess.Popen[str], pattern: str) -> str:
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if found := re.search(pattern, line):
            return found[1]
    raise AssertionError(f"never said {pattern}: {''.join(lines)}")


def server_that_starts(demo: subprocess.Popen[str]) -> str:
    """Wait until the demo has started a process, and give the folder of it."""
    children = Path(f"/proc/{demo.pid}/task/{demo.pid}/children")
    while demo.poll() is None:
        for child in children.read_text().split():
            with suppress(OSError):
                if found := re.search(rb"(?<=\0PREFECT_HOME=)[^\0]+", Path(f"/proc/{child}/environ").read_bytes()):
                    return os.fsdecode(found[0])
        time.sleep(0.05)
    raise AssertionError("it ended before it had started a server")


def processes_of(server_home: str) -> list[int]:
    mine = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"PREFECT_HOME={server_home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                mine.append(int(folder.name))
    return mine


def assert_nothing_is_left(server_home: str, home: Path) -> None:
    assert processes_of(server_home) == []
    assert not Path(server_home).exists()
    assert [*home.iterdir()] == []
