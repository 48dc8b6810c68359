"""What a check found: one value for each thing looked at, made of versions, addresses and numbers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from prefect_nbviz.abilities import Abilities
from prefect_nbviz.errors import ServerError
from prefect_nbviz.reading.pages import PAGE

Outcome = Literal["ok", "warning", "error", "not checked"]

OUTCOMES: tuple[Outcome, ...] = ("ok", "warning", "error", "not checked")

OLDEST_SERVER = (3, 0, 11)
"""The oldest server that was ever tried."""

FASTAPI_TOO_NEW = (0, 151)
"""The first fastapi that the server of Prefect 3.8.8 does not work with: null for `limit` gets a 422 from 0.151 to
0.154, and the server does not import from 0.155 on."""

MOST_SKEW = 5.0
"""Seconds that two clocks may differ."""

DATE_RESOLUTION = 2.0
"""Seconds that an HTTP date may be behind the clock that it tells: it has whole seconds, and uvicorn, which serves
Prefect's API, renews it once a second."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    check: str
    """What was looked at."""

    outcome: Outcome
    """How it is."""

    found: str
    """What is there."""

    what_to_do: str | None = None
    """What helps."""


def numbers(version: str) -> tuple[int, ...]:
    """Give the numbers of a version.

    Examples
    --------
    >>> numbers("0.151.0")
    (0, 151, 0)
    """
    return Abilities.of(version).version


def address(url: str | None, source: str) -> Finding:
    """Tell the server's address; without secrets, as it is given.

    Examples
    --------
    >>> address("http://127.0.0.1:4200/api", "profile 'local'").found
    "http://127.0.0.1:4200/api (from profile 'local')"
    """
    if url is not None:
        return Finding("server address", "ok", f"{url} (from {source})")
    return Finding(
        "server address",
        "error",
        f"no API URL is set (in {source})",
        "Run `prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api` for a server of your own, or `prefect cloud "
        "login` for Prefect Cloud, and restart the kernel.",
    )


def ephemeral(*, is_url_set: bool, is_enabled: bool) -> Finding:
    """Tell whether Prefect's own client would start a server behind the user's back."""
    name = "temporary server"
    if is_url_set:
        return Finding(name, "ok", "none: an API URL is set")
    if not is_enabled:
        return Finding(name, "ok", "none: PREFECT_SERVER_EPHEMERAL_ENABLED is off")
    return Finding(
        name,
        "warning",
        "Prefect would start one for each flow that runs without an API URL; prefect_nbviz starts none and reads none",
        "Set an API URL as above before flows run, so that there is one server that keeps their history.",
    )


def failure(check: str, error: ServerError) -> Finding:
    """Tell what an error says: what is wrong before its first colon, what to do behind it."""
    found, _, remedy = str(error).partition(": ")
    if "refused the request" in found:
        return Finding(check, "error", str(error), "See the server's log.")
    if "CERTIFICATE" in str(error.__cause__):
        found, remedy = f"{found} ({error.__cause__})", "set PREFECT_API_SSL_CERT_FILE to the file that vouches for it."
    return Finding(check, "error", found, remedy[:1].upper() + remedy[1:])


def versions(client: str, server: str | None) -> Finding:
    """Tell whether the client and the server fit.

    Examples
    --------
    >>> versions("3.8.8", "3.4.25").found
    'client 3.8.8, server 3.4.25, which is older: done here instead are end_time of task runs, created_by'
    """
    name = "versions"
    if server is None:
        return Finding(name, "ok", f"client {client}; Prefect Cloud tells no version")
    both, abilities = f"client {client}, server {server}", Abilities.of(server)
    if abilities.version < OLDEST_SERVER:
        oldest = ".".join(map(str, OLDEST_SERVER))
        return Finding(name, "warning", f"{both}, which was never tried", f"Upgrade the server to {oldest} or newer.")
    if abilities.version[:2] > numbers(client)[:2]:
        return Finding(
            name, "warning", f"{both}, which is newer than the client", "Run `pip install -U prefect` where you read."
        )
    if abilities.version < numbers(client):
        here = ", ".join(abilities.done_here()) or "nothing more than with the newest"
        return Finding(name, "ok", f"{both}, which is older: done here instead are {here}")
    return Finding(name, "ok", both)


def local_server(fastapi: str | None) -> Finding:
    """Tell whether the fastapi that is installed here lets a server start here."""
    name = "fastapi for a local server"
    if fastapi is None:
        return Finding(name, "ok", "not installed: no server can be started here, and reading needs none")
    if numbers(fastapi) < FASTAPI_TOO_NEW:
        return Finding(name, "ok", fastapi)
    return Finding(
        name,
        "warning",
        f"{fastapi} is too new: a Prefect server of this installation refuses its own client's requests (422), or does "
        "not start; reading from a server elsewhere is not touched by it",
        "Only if a server is to be started here: pip install 'prefect_nbviz[demo]', which brings one below 0.151.",
    )


def nulls(*, are_taken: bool) -> Finding:
    """Tell whether the server takes null for `limit`, as Prefect's own client sends it."""
    name = "null for an unset limit"
    if are_taken:
        return Finding(name, "ok", "taken")
    return Finding(
        name,
        "warning",
        "refused (422), as by a Prefect server with fastapi 0.151 to 0.154: prefect_nbviz sends none, but most reads of "
        "Prefect's own client fail",
        "Where the server is installed: pip install 'fastapi<0.151', and restart it.",
    )


def page(limit: int | None) -> Finding:
    """Tell how many rows the server gives at once; None: more than `PAGE`."""
    name = "rows in a page"
    if limit is None:
        return Finding(name, "ok", f"more than {PAGE}; {PAGE} are asked for")
    slow = f"; reads take {PAGE / limit:.3g} times as many requests as with {PAGE}" if limit < PAGE else ""
    return Finding(name, "ok", f"{limit}{slow}")


def history(noun: str, count: int, oldest: str | None) -> Finding:
    """Tell how many runs there are, and since when.

    Examples
    --------
    >>> history("flow runs", 1234, "2026-01-02T03:04:05.678901Z").found
    '1,234, the first expected to start at 2026-01-02 03:04:05 UTC'
    """
    if count and oldest is not None:
        begin = datetime.fromisoformat(oldest).astimezone(UTC)
        return Finding(noun, "ok", f"{count:,}, the first expected to start at {begin:%Y-%m-%d %H:%M:%S} UTC")
    return Finding(
        noun,
        "warning",
        "none",
        "Run a flow with this server's PREFECT_API_URL; if some did run, see whether this is their server or workspace.",
    )


def clock(skew: float, tolerance: float) -> Finding:
    """Tell how far the server's clock is ahead of this machine's, in seconds, give or take `tolerance`.

    Examples
    --------
    >>> clock(61.0, 0.6).found
    "the server's is 61.0 s ahead of this machine's, give or take 0.6 s"
    """
    name = "clocks"
    way = "ahead of" if skew > 0 else "behind"
    apart = f"the server's is {abs(skew):.1f} s {way} this machine's, give or take {tolerance:.1f} s"
    if abs(skew) <= tolerance:
        return Finding(name, "ok", f"the same, give or take {tolerance:.1f} s")
    if abs(skew) <= MOST_SKEW:
        return Finding(name, "ok", apart)
    return Finding(
        name,
        "warning",
        apart,
        "Set both by NTP: since='1h' and the like count from this machine's clock, the times of runs from theirs.",
    )


def columns(found: list[Finding]) -> Mapping[str, list[Any]]:
    """Give findings as the columns of a frame."""
    return {word: [getattr(one, word) for one in found] for word in ("check", "outcome", "found", "what_to_do")}
