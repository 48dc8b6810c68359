"""Which server, which version, what may go wrong: a row for each thing looked at."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.errors import AuthenticationError, NotConnectedError, RefusedError, ServerError, UnreachableError
from prefect_nbviz.reading import findings
from prefect_nbviz.reading.addresses import public_address
from prefect_nbviz.reading.connection import Connection, Server, as_connection
from prefect_nbviz.reading.findings import Finding
from prefect_nbviz.reading.pages import PAGE
from prefect_nbviz.reading.worker import Progress, run

PATIENCE = 20.0
"""Seconds that one answer may take; Prefect's client alone would try for minutes."""

REACHABLE, AUTHENTICATION = "reachable", "authentication"

_NOTHING: dict[str, Any] = {"flow_runs": {"id": {"any_": []}}}
_PAGE_LIMIT = re.compile(r"less than or equal to (\d+)")

T = TypeVar("T")
Look = Callable[[Server], Awaitable[Finding]]


def check(*, connection: Connection | None = None) -> pd.DataFrame:
    """Look at what a read depends on: the server, its version, its limits, its history, the clocks.

    It reads only, starts no server, and never raises for a bad connection: the failure is a row
    that says what to do, and what depends on it is `not checked`.

    Parameters
    ----------
    connection
        Another server than that of the active Prefect profile.

    Returns
    -------
    pandas.DataFrame
        One row for each thing looked at, with the columns of `schema.CHECKS`; `outcome` is an
        ordered categorical. No key and no password is in it. pandas shortens long text on the
        screen: `pd.set_option("display.max_colwidth", None)` shows it all.

    See Also
    --------
    https://docs.prefect.io/v3/concepts/settings-and-profiles
    https://docs.prefect.io/v3/api-ref/rest-api/server/admin/read-version

    Examples
    --------
    >>> checks = check()  # doctest: +SKIP
    >>> checks[checks["outcome"] != "ok"]  # doctest: +SKIP
    """

    async def work(_: Progress) -> list[Finding]:
        return await look(as_connection(connection), patience=PATIENCE)

    data = findings.columns(run(work, progress=False, unit="checks"))
    frame = frames.typed(data, schema.CHECKS)
    return frame.assign(outcome=pd.Categorical(frame["outcome"], categories=findings.OUTCOMES, ordered=True))


async def look(connection: Connection, *, patience: float) -> list[Finding]:
    """Look at everything, one thing after the other, each answer within `patience` seconds."""
    found = [*_settings(connection), findings.local_server(_version_of("fastapi"))]
    try:
        async with connection.open() as server:
            return found + await _server(server, patience)
    except NotConnectedError:
        return found + _not_checked((REACHABLE, AUTHENTICATION, *LOOKS), "no API URL is set")
    except UnreachableError as error:
        return [
            *found,
            findings.failure(REACHABLE, error),
            *_not_checked((AUTHENTICATION, *LOOKS), "it is no address of a server"),
        ]


def _settings(connection: Connection) -> list[Finding]:
    """Look at where the address comes from."""
    from prefect.context import get_settings_context
    from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_EPHEMERAL_ENABLED

    url, source = connection.api_url, "Connection(api_url=…)"
    if url is None:
        profile = get_settings_context().profile
        url, source = PREFECT_API_URL.value(), f"profile {profile.name!r}"
        if "PREFECT_API_URL" in os.environ:
            source = f"the environment variable PREFECT_API_URL, which goes before profile {profile.name!r}"
        elif url and PREFECT_API_URL not in profile.settings:
            source = f"a file of settings or this process; not from profile {profile.name!r}"
    return [
        findings.address(public_address(url) if url else None, source),
        findings.ephemeral(is_url_set=bool(url), is_enabled=bool(PREFECT_SERVER_EPHEMERAL_ENABLED.value())),
    ]


def _version_of(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _not_checked(checks: tuple[str, ...], why: str) -> list[Finding]:
    return [Finding(check, "not checked", f"not checked: {why}") for check in checks]


async def _server(server: Server, patience: float) -> list[Finding]:
    """Look at whether the server answers us, and only then at the rest."""
    begin = time.monotonic()
    try:
        await _in_time(server.request("POST", "/flow_runs/count", json={}), server, patience)
    except AuthenticationError as error:
        return [
            Finding(REACHABLE, "ok", f"{server.address} answers"),
            findings.failure(AUTHENTICATION, error),
            *_not_checked((*LOOKS,), "the key was refused"),
        ]
    except ServerError as error:
        return [
            findings.failure(REACHABLE, error),
            *_not_checked((AUTHENTICATION, *LOOKS), "the server does not answer as it should"),
        ]
    return [
        Finding(REACHABLE, "ok", f"{server.address} answers, the first time in {time.monotonic() - begin:.2f} s"),
        Finding(AUTHENTICATION, "ok", "reading is allowed"),
        *[await _finding(name, one, server, patience) for name, one in LOOKS.items()],
    ]


async def _finding(name: str, one: Look, server: Server, patience: float) -> Finding:
    """Look at one thing; a failure is what was found."""
    try:
        return await _in_time(one(server), server, patience)
    except ServerError as error:
        return findings.failure(name, error)


async def _in_time(answer: Awaitable[T], server: Server, patience: float) -> T:
    try:
        return await asyncio.wait_for(answer, patience)
    except TimeoutError:
        raise UnreachableError(
            f"{server.address} did not answer within {patience:g} s: see whether the server is well and a proxy or "
            "firewall lets you through."
        ) from None


async def _versions(server: Server) -> Finding:
    return findings.versions(str(_version_of("prefect")), await server.version())


async def _nulls(server: Server) -> Finding:
    try:
        await server.request("POST", "/flow_runs/filter", json={**_NOTHING, "limit": None})
    except RefusedError as error:
        if "(422)" not in str(error):
            raise
        return findings.nulls(are_taken=False)
    return findings.nulls(are_taken=True)


async def _page(server: Server) -> Finding:
    try:
        await server.request("POST", "/flow_runs/filter", json={**_NOTHING, "limit": PAGE + 1})
    except RefusedError as error:
        told = _PAGE_LIMIT.search(str(error))
        if told is None:
            raise
        return findings.page(int(told[1]))
    return findings.page(None)


def _history(table: str) -> Look:
    async def one(server: Server) -> Finding:
        first = {"sort": "EXPECTED_START_TIME_ASC", "limit": 1}
        rows = await server.request("POST", f"/{table}/filter", json=first)
        count = await server.request("POST", f"/{table}/count", json={})
        return findings.history(table.replace("_", " "), int(count), rows[0]["expected_start_time"] if rows else None)

    return one


async def _clock(server: Server) -> Finding:
    """Compare the Date of an answer with the middle of the time that it took."""
    begin, since = datetime.now(UTC), time.monotonic()
    reply = await server.ask("POST", "/task_runs/count", json={})
    trip = time.monotonic() - since
    try:
        date = parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        return Finding("clocks", "not checked", "not checked: the server's answers have no date")
    skew = (date.astimezone(UTC) - begin).total_seconds() + (findings.DATE_RESOLUTION - trip) / 2
    return findings.clock(skew, (findings.DATE_RESOLUTION + trip) / 2)


LOOKS: dict[str, Look] = {
    "versions": _versions,
    "null for an unset limit": _nulls,
    "rows in a page": _page,
    "flow runs": _history("flow_runs"),
    "task runs": _history("task_runs"),
    "clocks": _clock,
}
"""What is looked at once the server answers."""
