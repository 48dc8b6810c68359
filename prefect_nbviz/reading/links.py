"""Where runs are to be seen in Prefect's own UI."""

from __future__ import annotations

from urllib.parse import urlsplit

from prefect_nbviz.query import RunKind
from prefect_nbviz.reading.addresses import public_address
from prefect_nbviz.reading.connection import Connection


def ui_address(connection: Connection, kind: RunKind, run_id: str) -> str | None:
    """Give the address of a run in Prefect's UI, without secrets; None where there is none to follow.

    It is `PREFECT_UI_URL` if that is set, else what follows from the address of the API, as Prefect's own
    `prefect.utilities.urls.url_for` has it.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/settings-ref#ui_url
    """
    base = public_address(_ui_url(connection) or "").removesuffix("/api")
    if urlsplit(base).scheme not in {"http", "https"}:
        return None
    return f"{base}/runs/{kind.replace('_', '-')}/{run_id}"


def _ui_url(connection: Connection) -> str | None:
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_CLOUD_API_URL,
        PREFECT_CLOUD_UI_URL,
        PREFECT_UI_URL,
    )

    api_url = connection.api_url
    if api_url is None or api_url.rstrip("/") == (PREFECT_API_URL.value() or "").rstrip("/"):
        own: str | None = PREFECT_UI_URL.value()
        return own
    cloud, cloud_ui = PREFECT_CLOUD_API_URL.value(), PREFECT_CLOUD_UI_URL.value()
    if cloud and cloud_ui and api_url.startswith(cloud):
        in_cloud = api_url.removeprefix(cloud).replace("/accounts/", "/account/").replace("/workspaces/", "/workspace/")
        return f"{cloud_ui}{in_cloud}"
    return api_url
