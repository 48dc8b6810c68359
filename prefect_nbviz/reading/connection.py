"""The way to the server: Prefect's own client, and its failures in words."""

from __future__ import annotations

import contextlib
import http
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from prefect_nbviz import forms
from prefect_nbviz.abilities import Abilities
from prefect_nbviz.errors import (
    AuthenticationError,
    NotConnectedError,
    QueryError,
    RefusedError,
    ServerError,
    UnreachableError,
)
from prefect_nbviz.reading import certificates
from prefect_nbviz.reading.addresses import addresses_read, is_here, no_address, public_address
from prefect_nbviz.reading.gate import Gate
from prefect_nbviz.reading.patience import INTERRUPTED, Patience
from prefect_nbviz.reading.worker import Progress

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

    patience: float = field(default=60.0, repr=False)
    """Seconds that a request may take with all its tries, until the read gives what it has.

    Within them it is sent again where the server asks to wait, fails, breaks off or restarts; an error of the server's
    own (500) or an answer that is cut off, four times in all. It takes the place of `PREFECT_CLIENT_MAX_RETRIES`. A
    server that does not answer at the first try, or refuses the key, is not asked again.
    """

    most_requests: int | None = field(default=None, repr=False)
    """Requests that reading histories may take; one that needs more says so before it begins, and reads none."""

    def __post_init__(self) -> None:
        """Refuse what is no address, which may be secret and is not told, and bounds that would let nothing be read."""
        for word, value in (("an address", self.api_url), ("a key", self.api_key)):
            if not isinstance(value, str | None):
                raise QueryError(f"Connection takes {word} as text, as in {_EXAMPLE}, not {type(value).__name__}.")
        if not self.patience > 0:
            raise QueryError(f"patience is a number of seconds above 0, not {self.patience!r}.")
        object.__setattr__(self, "most_requests", forms.count_or_none("most_requests", self.most_requests))
        object.__setattr__(self, "api_url", self.api_url and self.api_url.strip())

    def __repr__(self) -> str:
        """Show the address without secrets."""
        return f"Connection(api_url={public_address(self.api_url)!r})" if self.api_url else "Connection()"

    @contextlib.asynccontextmanager
    async def open(self, progress: Progress | None = None) -> AsyncIterator[Server]:
        """Open the server for requests.

        Parameters
        ----------
        progress
            Told what is being waited for; stopping it ends all requests.

        Raises
        ------
        NotConnectedError
            No API URL is set.
        """
        gate, patience = Gate(), Patience(self.patience, progress or Progress())
        with _tries_counted_here():
            async with self._client([gate.see, patience.see]) as client:
                if is_here(str(client.api_url)):  # most such servers are one process, whose work takes longest
                    gate.useful = 2
                if _is_cloud(client):  # it has no CSRF tokens, and a first request alone would take as long again
                    await gate.open()
                yield Server(client, gate, patience)

    def _client(self, hooks: Sequence[Callable[[httpx.Response], Awaitable[None]]]) -> PrefectClient:
        from prefect.client.orchestration import PrefectClient, get_client
        from prefect.settings import PREFECT_API_URL

        api_url = PREFECT_API_URL.value() if self.api_url is None else self.api_url
        if not api_url:
            raise NotConnectedError(
                "No Prefect API URL is set: run `prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api` "
                "for a server of your own, or `prefect cloud login` for Prefect Cloud, and restart the kernel."
            )
        settings: dict[str, Any] = {"event_hooks": {"response": hooks}}
        if is_here(api_url):  # to compress an answer would take this machine a third of a page's time
            settings["headers"] = {"Accept-Encoding": "identity"}
        if self.transport is not None:
            settings["transport"] = self.transport
        with addresses_read(api_url):
            if (known := certificates.known()) is not None:
                settings["verify"] = known
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

    def __init__(self, client: PrefectClient, gate: Gate, patience: Patience) -> None:
        self._client = client
        self._gate = gate
        self._patience = patience
        self.address = public_address(str(client.api_url))
        """Its address, without secrets."""
        self.requests = 0
        """How many were sent, apart from what was sent again."""
        self._abilities: Abilities | None = None
        self._failure: ServerError | None = None

    async def version(self) -> str | None:
        """Ask for the server's version (`GET /admin/version`); Prefect Cloud tells none."""
        return None if _is_cloud(self._client) else str(await self.request("GET", "/admin/version"))

    async def abilities(self) -> Abilities:
        """Ask for the server's version, once, and give what it can do."""
        if self._abilities is None:
            self._abilities = Abilities.of(await self.version())
        return self._abilities

    async def request(self, method: str, path: str, *, shape: Any = Any, **options: Any) -> Any:
        """Send one request and give its answer, parsed; of objects only what their `shape` names.

        Raises
        ------
        UnreachableError, AuthenticationError, RefusedError
            As they say; where that makes sense it has been tried again by then.
        """
        return (await self.ask(method, path, shape=shape, **options)).content

    async def ask(self, method: str, path: str, *, shape: Any = Any, **options: Any) -> Reply:
        """Send one request and give its answer, parsed, with its headers; raises as `request` does.

        Where the first failed before the server had answered well, those that waited for it fail with it.
        """
        self.requests += 1
        async with self._gate:
            if self._failure is not None:
                raise self._failure
            try:
                return await self._answered(lambda: self._send(method, path, shape, options))
            except ServerError as error:
                self._failure = None if self._gate.is_open else error
                raise

    async def _answered(self, send: Callable[[], Awaitable[Reply]]) -> Reply:
        """Send as often as makes sense, and put failures in words."""
        import httpx

        try:
            return await self._patience.spend(send)
        except TimeoutError as error:
            reason = self._patience.reason
            raise UnreachableError(reason if reason == INTERRUPTED else f"{self.address} {reason}") from error
        except httpx.HTTPStatusError as error:
            raise self._refusal(error.response) from self._cause(error)
        except httpx.ConnectError as error:
            raise UnreachableError(
                f"Nothing answers at {self.address}: start that server (`prefect server start`), or set "
                "PREFECT_API_URL to the right address."
            ) from self._cause(error)
        except httpx.UnsupportedProtocol as error:
            raise no_address(self.address) from self._cause(error)
        except httpx.DecodingError as error:
            raise UnreachableError(
                f"{self.address} gave an answer that is cut off: see whether the server and a proxy in front of it are "
                "well, then read again."
            ) from self._cause(error)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"{self.address} stopped answering ({type(error).__name__}): see whether the server is well, "
                "then read again."
            ) from self._cause(error)
        except ValueError as error:  # no JSON, or of another shape: Prefect's client parses its CSRF token too
            raise RefusedError(
                f"{self.address} did not answer with JSON: is it the address of the API? It usually ends in /api."
            ) from error

    async def _send(self, method: str, path: str, shape: Any, options: Mapping[str, Any]) -> Reply:
        import httpx

        begin, beside = time.perf_counter(), self._gate.under_way
        response = await self._client.request(method, path, **options)  # type: ignore[arg-type]
        alike = (path, len(response.content).bit_length())
        self._gate.time(time.perf_counter() - begin, beside=beside, alike=alike)
        try:
            return Reply(msgspec.json.decode(response.content, type=shape), response.headers)
        except msgspec.DecodeError as error:
            is_cut_off = "json" in response.headers.get("content-type", "")
            if isinstance(error, msgspec.ValidationError) or not is_cut_off:
                raise ValueError(str(error)) from error
            raise httpx.DecodingError("no whole JSON", request=response.request) from error

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
        if status == http.HTTPStatus.NOT_FOUND:
            return RefusedError(
                f"{self.address} knows no such path ({status}): is it the address of the API? It usually ends in /api."
            )
        return RefusedError(f"{self.address} refused the request ({status}): {_detail(response)}")


def _is_cloud(client: PrefectClient) -> bool:
    return client.server_type.name == "CLOUD"


@contextlib.contextmanager
def _tries_counted_here() -> Iterator[None]:
    """Let Prefect's client try once, and wait as the server asks: its own tries may take many minutes in all."""
    from prefect.context import get_settings_context

    now = get_settings_context()
    client = now.settings.client.model_copy(update={"max_retries": 0})
    # `temporary_settings` would do the same, but reads all settings anew, which takes as long as a small read.
    with now.model_copy(update={"settings": now.settings.model_copy(update={"client": client})}):
        yield


def _detail(response: httpx.Response) -> str:
    text = response.text
    try:
        answer = msgspec.json.decode(response.content)
        text = str(answer.get("detail") or answer.get("exception_detail") or answer)
    except (msgspec.DecodeError, AttributeError):
        pass
    return text[:300]
