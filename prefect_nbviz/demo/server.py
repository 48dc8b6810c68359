"""A private Prefect server: its own process, port, settings and SQLite database, gone without a trace when it stops."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from prefect_nbviz.demo.child import Child, signals_held
from prefect_nbviz.errors import DemoError

HOST = "127.0.0.1"
PATIENCE = 120.0
"""Seconds that a start may take; 5 to 30 are usual."""

FILL_PATIENCE = 300.0
"""Seconds that the sample flows may take; 30 to 60 are usual."""

FIGURES = "demo: "
"""What a line of figures begins with, in what the sample flows print."""

SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
"""What the private server and its clients are told, beside where they find each other."""

FASTAPI_TOO_NEW = (
    "The private Prefect server cannot work: the installed fastapi is too new for it. "
    "Install one that fits with: pip install 'prefect_nbviz[demo]'"
)


class PrivateServer:
    """A Prefect server that nobody else uses and that touches nothing of the person's own.

    Parameters
    ----------
    settings
        Further environment variables for the server and for what talks to it.
    history
        A database to begin with, of which it takes a copy; without one it begins with an empty one.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/settings-ref

    Examples
    --------
    >>> with PrivateServer() as server:  # doctest: +SKIP
    ...     print(server.api_url)
    http://127.0.0.1:41237/api
    """

    home: Path
    """The temporary folder that holds all of it, the clients' `PREFECT_HOME` too."""

    api_url: str
    """The address of its API, which ends in `/api`."""

    environment: dict[str, str]
    """The environment variables of a process that is to talk to it."""

    def __init__(self, *, settings: Mapping[str, str] | None = None, history: Path | None = None) -> None:
        self._settings = dict(settings or {})
        self._history = history
        self._children: list[Child] = []
        self._server: Child | None = None
        self._samples: Child | None = None

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self.api_url.removesuffix("/api").rpartition(":")[2])

    @property
    def database(self) -> Path:
        """The file of the SQLite database."""
        return self.home / "prefect.db"

    @property
    def log(self) -> Path:
        """The file with what the server printed."""
        return self.home / "server.log"

    def start(self) -> Self:
        """Start it and wait until it answers, 5 to 30 seconds.

        Raises
        ------
        DemoError
            It ended before it answered, or does not answer, or does not work with the installed fastapi.
        """
        self.api_url = f"http://{HOST}:{_free_port()}/api"
        try:
            with signals_held():
                self.home = Path(tempfile.mkdtemp(prefix="prefect-nbviz-"))
            if self._history is not None:
                shutil.copy(self._history, self.database)
            self.environment = private_environment(self.home, self.api_url) | self._settings
            where = ("--host", HOST, "--port", str(self.port))
            self._server = self.run("-m", "prefect", "server", "start", *where, log=self.log)
            self._wait_until_healthy(self._server)
        except BaseException:
            self.stop()
            raise
        return self

    def run(self, *arguments: str, log: Path) -> Child:
        """Start this Python with the environment that talks to the server; it ends when the server is stopped.

        Parameters
        ----------
        arguments
            What follows `python`, such as `-m`, `prefect_nbviz.demo.flows`.
        log
            The file that takes what it prints.
        """
        child = Child([sys.executable, *arguments], environment=self.environment, folder=self.home, log=log)
        self._children.append(child)
        child.start()
        return child

    def fill(self, say: Callable[[str], object] = print) -> None:
        """Run the sample flows, about a minute; one goes on running and one stays paused until the server stops.

        Parameters
        ----------
        say
            Takes each of the two lines of figures, as soon as it is known.

        Raises
        ------
        DemoError
            The sample flows, or the server, ended by themselves.
        """
        self._samples = self.run("-W", "ignore", "-m", "prefect_nbviz.demo.flows", log=self.home / "flows.log")
        deadline = time.monotonic() + FILL_PATIENCE
        for count in (1, 2):
            while len(figures := self._figures(self._samples)) < count:
                self.check_alive()
                if time.monotonic() > deadline:
                    raise DemoError(f"The sample flows were not done within {FILL_PATIENCE:.0f} s; try once more.")
                time.sleep(0.2)
            say(figures[count - 1])

    @staticmethod
    def _figures(samples: Child) -> list[str]:
        return [line.removeprefix(FIGURES) for line in samples.lines() if line.startswith(FIGURES)]

    def check_alive(self) -> None:
        """Raise when the server or its sample flows have ended by themselves.

        Raises
        ------
        DemoError
            One of them has ended.
        """
        if self._server is not None and self._server.exit_code is not None:
            raise _ended(self._server)
        if self._samples is not None and self._samples.exit_code is not None:
            raise DemoError(f"The sample flows ended by themselves. Their last words: {self._samples.last_words()}")

    def stop(self) -> None:
        """End it and remove its folder; a server that has stopped stays so."""
        while self._children:  # the server, which came first, goes last
            self._children[-1].stop()
            self._children.pop()
        if hasattr(self, "home"):
            shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def _wait_until_healthy(self, child: Child) -> None:
        deadline = time.monotonic() + PATIENCE
        while http_status(self.port, "GET", "/api/health") != http.HTTPStatus.OK:
            if child.exit_code is not None:
                raise _ended(child)
            if time.monotonic() > deadline:
                raise DemoError(
                    f"The private Prefect server did not answer within {PATIENCE:.0f} s; "
                    f"try once more. Its last words: {child.last_words()}"
                )
            time.sleep(0.2)
        # fastapi 0.151 to 0.154 let it start, and then it refuses the nulls that Prefect's client sends
        if (
            http_status(self.port, "POST", "/api/flow_runs/filter", {"limit": None})
            == http.HTTPStatus.UNPROCESSABLE_ENTITY
        ):
            raise DemoError(FASTAPI_TOO_NEW)


def private_environment(home: Path, api_url: str) -> dict[str, str]:
    """Give the environment variables of a process that talks to a private server and to no other.

    Parameters
    ----------
    home
        Its `PREFECT_HOME`: settings, profiles, database and stored results.
    api_url
        The address of the server's API.
    """
    package_folder = str(Path(__file__).parents[2])  # so that a child imports this very package from any folder
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("PREFECT_")}
    return (
        inherited
        | SETTINGS
        | {
            "PREFECT_HOME": str(home),
            "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
            "PREFECT_API_URL": api_url,
            "PYTHONPATH": _joined(os.pathsep, package_folder, os.environ.get("PYTHONPATH")),
            "NO_PROXY": _joined(",", HOST, os.environ.get("NO_PROXY") or os.environ.get("no_proxy")),
            "no_proxy": _joined(",", HOST, os.environ.get("no_proxy") or os.environ.get("NO_PROXY")),
        }
    )


def _joined(separator: str, first: str, rest: str | None) -> str:
    return first + separator + rest if rest else first


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def http_status(port: int, method: str, path: str, body: object = None) -> int | None:
    """Give the HTTP status that a local server answers with, or None when it does not answer.

    Parameters
    ----------
    port
        Its port on 127.0.0.1.
    method, path
        The request.
    body
        What to send, as JSON.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=10)  # it knows no proxy
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _ended(child: Child) -> DemoError:
    if any("Body() got an unexpected keyword argument" in line for line in child.lines()):
        return DemoError(FASTAPI_TOO_NEW)
    return DemoError(f"The private Prefect server ended by itself. Its last words: {child.last_words()}")
