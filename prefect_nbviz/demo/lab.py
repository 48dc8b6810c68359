"""A private JupyterLab on one notebook: its own settings, token and working folder."""

from __future__ import annotations

import http
import importlib.util
import json
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from prefect_nbviz.demo.child import Child
from prefect_nbviz.demo.server import HOST, http_status
from prefect_nbviz.errors import DemoError

PACKAGE = Path(__file__).parents[1]
NOTEBOOK = "explore.ipynb"
PATIENCE = 90.0
"""Seconds that a start may take; 2 to 5 are usual."""

OFFLINE = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
    "--LanguageServerManager.autodetect=False",  # it would ask npm, which leaves a folder in HOME
)


class PrivateLab:
    """JupyterLab at a copy of the notebook `explore.ipynb`, with copies of the others beside it.

    Parameters
    ----------
    folder
        Takes the copies of the notebooks and all of Jupyter's own files; it exists.
    environment
        The environment variables of the kernel, apart from Jupyter's own.
    port
        Where it listens; None leaves the choice to Jupyter.
    browser
        Whether it opens the notebook in the browser.

    See Also
    --------
    https://jupyterlab.readthedocs.io/en/stable/getting_started/starting.html
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], *, port: int | None, browser: bool) -> None:
        self._token = secrets.token_urlsafe(24)
        self._runtime = folder / "jupyter" / "runtime"
        working_folder = folder / "notebooks"
        working_folder.mkdir()
        for notebook in find_notebook().parent.glob("*.ipynb"):
            shutil.copy(notebook, working_folder)
        _write_settings(folder / "jupyter" / "config")
        self._child = Child(
            _command(port, browser=browser),
            environment=_jupyter_environment(folder / "jupyter", environment, self._token),
            folder=working_folder,
            log=folder / "jupyter.log",
        )

    def __enter__(self) -> Self:
        """Start it."""
        try:
            self._child.start()
        except BaseException:
            self._child.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it and its kernels; it may have ended already."""
        self._child.stop()

    def wait_until_it_answers(self) -> str:
        """Give the address of the notebook, token included, once it answers there.

        Raises
        ------
        DemoError
            JupyterLab ended by itself, or does not answer.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            port = self._port()
            path = f"/lab/tree/{NOTEBOOK}?token={self._token}"
            if port is not None and http_status(port, "GET", path) == http.HTTPStatus.OK:
                return f"http://{HOST}:{port}{path}"
            if self._child.exit_code is not None:
                raise DemoError(f"JupyterLab ended by itself. Its last words: {self._child.last_words()}")
            time.sleep(0.2)
        raise DemoError(f"JupyterLab did not answer within {PATIENCE:.0f} s; try once more.")

    def is_shut_down(self) -> bool:
        """Tell whether the person has shut it down, from its menu.

        Raises
        ------
        DemoError
            It ended in another way.
        """
        if self._child.exit_code:
            raise DemoError(f"JupyterLab ended by itself. Its last words: {self._child.last_words()}")
        return self._child.exit_code == 0

    def _port(self) -> int | None:
        for file in self._runtime.glob("jpserver-*.json"):
            text = file.read_text(encoding="utf-8")
            return int(json.loads(text)["port"]) if text.endswith("}") else None
        return None


def check_lab(port: int | None) -> None:
    """Raise when JupyterLab cannot start, before anything else takes its time.

    Parameters
    ----------
    port
        Where it is to listen; None for any.

    Raises
    ------
    DemoError
        JupyterLab or the notebook is not installed, or the port is not free.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise DemoError("JupyterLab is not installed; install it with: pip install 'prefect_nbviz[demo]'")
    find_notebook()
    if port is None:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise DemoError(
                f"Port {port} cannot be used ({error.strerror}): "
                "choose another with --port, or leave --port out to take a free one."
            ) from error


def find_notebook() -> Path:
    """Give the notebook, as a wheel installs it or as a clone holds it.

    Raises
    ------
    DemoError
        There is none.
    """
    for folder in (PACKAGE / "notebooks", PACKAGE.parent / "notebooks"):
        if (folder / NOTEBOOK).is_file():
            return folder / NOTEBOOK
    raise DemoError(f"The notebook {NOTEBOOK} is missing from {PACKAGE}: install prefect_nbviz again.")


def _command(port: int | None, *, browser: bool) -> list[str]:
    where = [] if port is None else [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    how = [] if browser else ["--no-browser"]
    if os.geteuid() == 0:
        how.append("--allow-root")
    return [sys.executable, "-m", "jupyterlab", NOTEBOOK, f"--ServerApp.ip={HOST}", *where, *how, *OFFLINE]


def _write_settings(config: Path) -> None:
    """Keep JupyterLab from asking on its first page whether it may fetch news: it would cover the notebook."""
    file = config / "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}), encoding="utf-8")


def _jupyter_environment(own: Path, environment: Mapping[str, str], token: str) -> dict[str, str]:
    inherited = {
        name: value for name, value in environment.items() if not name.startswith(("JUPYTER", "JPY_", "IPYTHON"))
    }
    return inherited | {
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_DATA_DIR": str(own / "data"),
        "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "1",  # so that the kernel is this Python, whatever the person has installed
        "JUPYTER_TOKEN": token,
        "IPYTHONDIR": str(own / "ipython"),
    }
