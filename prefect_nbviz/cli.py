"""The command `prefect-nbviz`."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from prefect_nbviz.demo.lab import PrivateLab, check_lab
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.errors import DemoError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: 0 when it did what was asked, 1 when it could not.

    Parameters
    ----------
    arguments
        What follows `prefect-nbviz`; that of the process when left out.

    Examples
    --------
    >>> main(["demo", "--port", "8899", "--no-browser"])  # doctest: +SKIP
    0
    """
    options = _parser().parse_args(arguments)
    try:
        with _stopped_by_signals():
            _demo(options.port, browser=not options.no_browser)
    except DemoError as error:
        print(f"prefect-nbviz: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    print("Stopped; nothing is left behind.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prefect-nbviz", description="Explore Prefect runs in a notebook.")
    parser.add_argument("--version", action="version", version=f"prefect-nbviz {_version()}")
    commands = parser.add_subparsers(required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="open JupyterLab on a private Prefect server with sample runs",
        description="Open JupyterLab on a private Prefect server with sample runs. "
        "Your own server, profiles and Jupyter settings are not touched; Ctrl-C stops and removes everything.",
    )
    demo.add_argument("--no-browser", action="store_true", help="open no browser; print the notebook's address")
    demo.add_argument("--port", type=_port, help="JupyterLab's port (default: a free one)")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 2**16:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text}")
    return port


def _version() -> str:
    try:
        return importlib.metadata.version("prefect_nbviz")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed: run from its sources)"


def _demo(port: int | None, *, browser: bool) -> None:
    if os.name != "posix":
        raise DemoError("The demo runs on Linux and macOS; on Windows, run it in WSL.")
    check_lab(port)
    _say("Starting a private Prefect server (the first start takes up to 20 s) …")
    with PrivateServer() as server:
        try:
            _say(f"  It runs at {server.api_url.removesuffix('/api')}, its files are in {server.home}")
            _say("Running sample flows (about a minute) …")
            server.fill(lambda line: _say(f"  {line}"))
            _say("Opening JupyterLab …" if browser else "Starting JupyterLab …")
            with PrivateLab(server.home, server.environment, port=port, browser=browser) as lab:
                _say(f"Notebook: {lab.wait_until_it_answers()}")
                _say("Ctrl-C stops everything: the server, the flows, JupyterLab and its kernels.")
                _watch(server, lab)
        except KeyboardInterrupt:
            _say("\nStopping …")
            raise


def _watch(server: PrivateServer, lab: PrivateLab) -> None:
    while not lab.is_shut_down():
        server.check_alive()
        time.sleep(0.5)
    _say("JupyterLab was shut down. Stopping …")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM interrupt once; those that follow do not disturb the clearing away."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
