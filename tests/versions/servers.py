"""A private Prefect server of any version, with a history that this version's own Python wrote."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Self

from prefect_nbviz.demo.child import Child
from prefect_nbviz.demo.server import PrivateServer

PATIENCE = 240.0
"""Seconds that a history may take; 20 to 60 are usual."""

HISTORY = Path(__file__).with_name("history.py")

MAIN = ("-c", "from prefect.cli import app; app()")
"""Prefect's command: 3.0.11 has no `python -m prefect`."""


AFTER = {"PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "PT1S"}
"""A plain number of seconds is refused by servers about 3.1."""


class VersionServer(PrivateServer):
    """A private server that another Python runs."""

    def __init__(self, python: Path, *, version: str) -> None:
        super().__init__(settings=AFTER)
        self.version = version
        self._python = python

    def run(self, *arguments: str, log: Path) -> Child:
        """Start that Python instead of this one."""
        words = (*MAIN, *arguments[2:]) if arguments[:2] == ("-m", "prefect") else arguments
        child = Child([str(self._python), *words], environment=self.environment, folder=self.home, log=log)
        self._children.append(child)
        child.start()
        return child

    def write_history(self) -> Self:
        """Run some flows to their end, and wait until the server has recorded them."""
        flows = self.run("-W", "ignore", str(HISTORY), log=self.home / "history.log")
        deadline = time.monotonic() + PATIENCE
        while flows.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.2)
        assert flows.exit_code == 0, flows.last_words(20)
        return self
