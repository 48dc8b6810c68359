"""What `check` tells of a real server, and that it starts none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prefect_nbviz import Connection, check

pytestmark = pytest.mark.server

NO_SERVER = """
import subprocess, threading
import prefect_nbviz
started = []
subprocess.Popen.__init__ = lambda self, *arguments, **_: started.append(arguments)
rows = prefect_nbviz.check().set_index("check")
print(rows.loc["server address", "outcome"], rows.loc["temporary server", "outcome"], started)
"""


def test_all_is_well_on_the_demo_server(demo_server) -> None:
    rows = check(connection=Connection(demo_server.api_url)).set_index("check")
    assert rows["outcome"].eq("ok").all(), rows[rows["outcome"] != "ok"].to_string()
    assert rows.loc["rows in a page", "found"] == "200"
    assert rows.loc["null for an unset limit", "found"] == "taken"
    assert rows.loc["flow runs", "found"].partition(",")[0].isdigit()


def test_without_an_api_url_no_server_is_started(demo_server, tmp_path: Path) -> None:
    """Prefect's own default profile would start one: a new home has that profile."""
    environment = {name: value for name, value in demo_server.environment.items() if not name.startswith("PREFECT_")}
    environment |= {"PREFECT_HOME": str(tmp_path), "PREFECT_PROFILES_PATH": str(tmp_path / "profiles.toml")}
    told = subprocess.check_output([sys.executable, "-c", NO_SERVER], env=environment, cwd=tmp_path, text=True)
    assert told.strip() == "error warning []"
