"""Addresses of servers, as far as they may be shown."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

from prefect_nbviz.errors import UnreachableError


def public_address(url: str) -> str:
    """Give an address without user, password and query.

    Examples
    --------
    >>> public_address("https://me:secret@example.org/api?key=x")
    'https://example.org/api'
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # it might hold a password all the same
        return "(what is set)"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def is_here(url: str) -> bool:
    """Say whether an address is on this machine."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host in {"localhost", "::1"} or host.startswith("127.")


@contextlib.contextmanager
def addresses_read(url: str) -> Iterator[None]:
    """Say in words that an address cannot be read; its cause would show the password in it."""
    import httpx

    try:
        yield
    except (httpx.InvalidURL, ValueError):
        raise no_address(public_address(url)) from None


def no_address(address: str) -> UnreachableError:
    """Say that what is set is no address."""
    return UnreachableError(
        f"{address} is no address of a server: PREFECT_API_URL looks like http://127.0.0.1:4200/api, with http:// or "
        "https:// in front."
    )
