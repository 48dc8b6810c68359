"""The way to the server: Prefect's own client, and its failures in words."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from prefect_nbviz.abilities import Abilities
from prefect_nbviz.errors import (
    AuthenticationError,
    NotConnectedError,
    QueryError,
    RefusedError,
    ServerError,
    UnreachableError,
)

if TYPE_CHECKING:  # Prefect and httpx take seconds to import: only when the first query runs
    import httpx
    from prefect.client.orchestration import PrefectClient


@dataclass(frozen=True)
class Connection:
    """Which server to read from.

    Without arguments it is the one of the active Prefect profile and its environment
    (`PREFECT_API_URL`, `PREFECT_API_KEY`, …), as Prefect's own client takes it. No server is ever
    started: where Prefect would start an ephemeral one, `NotConnectedError` says so.

    Examples
    --------
    >>> Connection("http://someone:secret@127.0.0.1:4200/api")
    Connection(api_url='http://127.0.0.1:4200/api')

    See Also
    --------
    https://docs.prefect.io/v3/how-to-guides/self-hosted/server-cli
    """

    api_url: str | None = None
    """Address of another server's API, such as `http://127.0.0.1:4200/api`; the profile's key is not sent there."""

    api_key: str | None = field(default=None, repr=False)
    """A key for `api_url`. It is never shown."""

    transport: httpx.AsyncBaseTransport | None = field(default=None, repr=False, compare=False)
    """What carries the requests instead of the network."""

    def __post_init__(self) -> None:
        """Refuse what is no address; what it is may be secret, and is not told."""
        for word, value in (("an address", self.api_url), ("a key", self.api_key)):
            if not isinstance(value, str | None):
                raise QueryError(f"Connection takes {word} as text, as in {_EXAMPLE}, not {type(value).__name__}.")
        object.__setattr__(self, "api_url", self.api_url and self.api_url.strip())

    def __repr__(self) -> str:
        """Show the address without secrets."""
        return f"Connection(api_url={public_address(self.api_url)!r})" if self.api_url else "Connection()"

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Server]:
        """Open the server for requests.

        Raises
        ------
        NotConnectedError
            No API URL is set.
        """
        async with self._client() as client:
            yield Server(client)

    def _client(self) -> PrefectClient:
        from prefect.client.orchestration import PrefectClient, get_client  # noqa: PLC0415 - takes seconds
        from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 - likewise

        settings = {"transport": self.transport} if self.transport is not None else None
        api_url = PREFECT_API_URL.value() if self.api_url is None else self.api_url
        if not api_url:
            raise NotConnectedError(
                "No Prefect API URL is set: run `prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api` "
                "for a server of your own, or `prefect cloud login` for Prefect Cloud, and restart the kernel."
            )
        with _addresses_read(api_url):
            if self.api_url is not None:
                return PrefectClient(api_url, api_key=self.api_key, httpx_settings=settings)
            return get_client(httpx_settings=settings)


_EXAMPLE = 'Connection("http://127.0.0.1:4200/api")'


def as_connection(connection: Connection | None) -> Connection:
    """Give the connection that a person meant: that of the active profile for None.

    Raises
    ------
    QueryError
        It is something else, such as an address.
    """
    if isinstance(connection, Connection | None):
        return connection or Connection()
    raise QueryError(f"connection takes a Connection, as in connection={_EXAMPLE}, not {type(connection).__name__}.")


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    content: Any
    """The JSON, parsed."""

    headers: Mapping[str, str]
    """Its headers, by names in any case."""


class Server:
    """An open server: requests go out, parsed JSON comes back."""

    def __init__(self, client: PrefectClient) -> None:
        self._client = client
        self.address = public_address(str(client.api_url))
        """Its address, without secrets."""
        self._abilities: Abilities | None = None

    async def version(self) -> str | None:
        """Ask for the server's version (`GET /admin/version`); Prefect Cloud tells none."""
        is_cloud = self._client.server_type.name == "CLOUD"
        return None if is_cloud else str(await self.request("GET", "/admin/version"))

    async def abilities(self) -> Abilities:
        """Ask for the server's version, once, and give what it can do."""
        if self._abilities is None:
            self._abilities = Abilities.of(await self.version())
        return self._abilities

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """Send one request and give its answer, parsed.

        Raises
        ------
        UnreachableError, AuthenticationError, RefusedError
            As they say; Prefect's client has tried again by then where that makes sense.
        """
        return (await self.ask(method, path, **options)).content

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        """Send one request and give its answer, parsed, with its headers; raises as `request` does."""
        import httpx  # noqa: PLC0415 - Prefect brings it, and it is as slow

        try:
            response = await self._client.request(method, path, **options)  # type: ignore[arg-type]
            return Reply(orjson.loads(response.content), response.headers)
        except httpx.HTTPStatusError as error:
            raise self._refusal(error.response) from self._cause(error)
        except httpx.ConnectError as error:
            raise UnreachableError(
                f"Nothing answers at {self.address}: start that server (`prefect server start`), or set "
                "PREFECT_API_URL to the right address."
            ) from self._cause(error)
        except httpx.UnsupportedProtocol as error:
            raise _no_address(self.address) from self._cause(error)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"{self.address} stopped answering ({type(error).__name__}): see whether the server is well, "
                "then read again."
            ) from self._cause(error)
        except ValueError as error:  # no JSON, or of another shape: Prefect's client parses its CSRF token too
            raise RefusedError(
                f"{self.address} did not answer with JSON: is it the address of the API? It usually ends in /api."
            ) from error

    def _cause(self, error: Exception) -> Exception | None:
        """Keep the cause of a failure, unless its text holds more of the address than may be shown."""
        return error if str(self._client.api_url).rstrip("/") == self.address else None

    def _refusal(self, response: httpx.Response) -> ServerError:
        status = response.status_code
        if status in {401, 403}:
            return AuthenticationError(
                f"{self.address} refused the key ({status}): run `prefect cloud login`, or set PREFECT_API_KEY (Cloud) "
                "or PREFECT_API_AUTH_STRING (your own server) to one that may read there."
            )
        if status == 404:  # noqa: PLR2004 - an HTTP status
            return RefusedError(
                f"{self.address} knows no such path ({status}): is it the address of the API? It usually ends in /api."
            )
        return RefusedError(f"{self.address} refused the request ({status}): {_detail(response)}")


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


@contextlib.contextmanager
def _addresses_read(url: str) -> Iterator[None]:
    """Say in words that an address cannot be read; its cause would show the password in it."""
    import httpx  # noqa: PLC0415 - Prefect brings it, and it is as slow

    try:
        yield
    except (httpx.InvalidURL, ValueError):
        raise _no_address(public_address(url)) from None


def _no_address(address: str) -> UnreachableError:
    return UnreachableError(
        f"{address} is no address of a server: PREFECT_API_URL looks like http://127.0.0.1:4200/api, with http:// or "
        "https:// in front."
    )


def _detail(response: httpx.Response) -> str:
    text = response.text
    try:
        answer = orjson.loads(response.content)
        text = str(answer.get("detail") or answer.get("exception_detail") or answer)
    except (orjson.JSONDecodeError, AttributeError):
        pass
    return text[:300]
