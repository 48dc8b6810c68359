"""The same queries of servers old and new, by clients old and new, against SQL on the server's own database.

`pip install '.[test,versions]' && pytest -m versions` runs it, in seven to ten minutes: the first time uv makes the
environments of `environments.DATES`, which are kept (in the user's cache, or in `$PREFECT_NBVIZ_VERSIONS`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from versions import grid
from versions.environments import DATES, OLDEST_CLIENT, python_of
from versions.servers import VersionServer

from prefect_nbviz import Connection, check

TESTS = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.versions,
    pytest.mark.skipif(sys.version_info >= (3, 13), reason="the oldest servers have no packages for newer Pythons"),
]


@pytest.fixture(scope="module", params=DATES)
def old_server(request: pytest.FixtureRequest) -> Iterator[VersionServer]:
    with VersionServer(python_of(request.param), version=request.param) as server:
        yield server.write_history()


@pytest.fixture(scope="module")
def present_server() -> Iterator[VersionServer]:
    with VersionServer(Path(sys.executable), version="present") as server:
        yield server.write_history()


def test_what_an_old_server_gives_is_what_sql_gives(old_server: VersionServer) -> None:
    queries = grid.queries(old_server.database)
    wrong = grid.wrong(queries, old_server.api_url, old_server.database)
    assert not wrong, "\n".join(wrong)
    assert len(queries) >= 120


def test_the_states_of_an_old_server(old_server: VersionServer) -> None:
    grid.ask_histories(old_server.api_url, old_server.database)


def test_the_history_of_an_old_server_has_all_kinds(old_server: VersionServer) -> None:
    names = {
        name
        for kind in ("flow_run", "task_run")
        for (name,) in grid.select(old_server.database, grid.STATE_NAMES[kind])
    }
    assert names >= {"Completed", "Failed", "TimedOut", "NotReady", "Late", "Scheduled"}


def test_what_a_check_tells_of_an_old_server(old_server: VersionServer) -> None:
    rows = check(connection=Connection(old_server.api_url)).set_index("check")
    assert rows["outcome"].eq("ok").all(), rows[rows["outcome"] != "ok"].to_string()
    assert f"server {old_server.version}, which is older" in rows.loc["versions", "found"]


def test_the_oldest_client_reads_from_the_present_server(present_server: VersionServer) -> None:
    told = subprocess.run(
        [python_of(OLDEST_CLIENT), TESTS / "versions" / "grid.py", present_server.api_url, present_server.database],
        env=present_server.environment | {"PYTHONPATH": f"{TESTS.parent}:{TESTS}", "PREFECT_API_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    assert json.loads(told.stdout)["queries"] >= 120


def test_the_oldest_client_is_the_one_that_is_asked_for() -> None:
    assert f'"prefect>={OLDEST_CLIENT},<4"' in (TESTS.parent / "pyproject.toml").read_text()
