"""Every failure that `check` knows, caused; and no secret in what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pandas as pd
import prefect
import pytest
from fake_server import FakeServer, flow_run, task_run
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_ENABLED,
    Profile,
    temporary_settings,
)

from prefect_nbviz import Connection, check, read_task_runs, schema
from prefect_nbviz.reading import checking, findings
from prefect_nbviz.reading.worker import run

KEY = "pnu_thisisasecretkey"
MOMENT = "2026-01-01T00:00:00Z"
OF_SERVER = ("versions", "null for an unset limit", "rows in a page", "flow runs", "task runs", "clocks")


@pytest.fixture
def server() -> FakeServer:
    """A server as it should be."""
    fake = FakeServer([task_run(1)])
    fake.version = prefect.__version__
    fake.flow_runs = [flow_run(1, expected_start_time=MOMENT)]
    fake.headers = {"Date": format_datetime(datetime.now(UTC), usegmt=True)}
    return fake


@pytest.fixture
def no_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        yield


def told(connection: Connection | FakeServer | None = None) -> pd.DataFrame:
    """The checks, by name."""
    used = connection.connection if isinstance(connection, FakeServer) else connection
    return check(connection=used).set_index("check")


def answers(server: FakeServer, path: str, answer: Callable[[dict[str, Any]], httpx.Response | None]) -> None:
    """Let a server answer one path otherwise."""

    def before(_: int) -> httpx.Response | None:
        _, asked, body = server.requests[-1]
        return answer(body) if asked.endswith(path) else None

    server.before_answer = before


def test_all_is_well(server: FakeServer) -> None:
    frame = check(connection=server.connection)
    assert list(frame) == schema.names(schema.CHECKS)
    assert frame["outcome"].tolist() == ["ok"] * len(frame)
    assert frame["outcome"].cat.ordered
    assert frame["outcome"].cat.categories.tolist() == ["ok", "warning", "error", "not checked"]
    assert frame["what_to_do"].isna().all()
    assert frame["check"].is_unique
    assert {method for method, *_ in server.requests} == {"GET", "POST"}


def test_no_api_url(no_url: None) -> None:
    rows = told()
    assert rows.loc["server address", "outcome"] == "error"
    assert "`prefect cloud login`" in rows.loc["server address", "what_to_do"]
    assert rows.loc[["reachable", "authentication", *OF_SERVER], "outcome"].eq("not checked").all()
    assert rows.loc["clocks", "found"] == "not checked: no API URL is set"


@pytest.mark.parametrize(("is_enabled", "outcome"), [(True, "warning"), (False, "ok")])
def test_a_server_that_prefect_would_start(no_url: None, is_enabled: bool, outcome: str) -> None:
    with temporary_settings({PREFECT_SERVER_EPHEMERAL_ENABLED: is_enabled}):
        row = told().loc["temporary server"]
    assert row["outcome"] == outcome
    assert ("Prefect would start one" in row["found"]) is is_enabled


def test_where_the_address_comes_from(dead_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    profile = Profile(name="mine", settings={PREFECT_API_URL: dead_address})
    with prefect.context.use_profile(profile, include_current_context=False):
        assert told().loc["server address", "found"] == f"{dead_address} (from profile 'mine')"
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:1/api"}):
            monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
            assert (
                "the environment variable PREFECT_API_URL, which goes before profile 'mine')"
                in (told().loc["server address", "found"])
            )
    monkeypatch.delenv("PREFECT_API_URL")
    with temporary_settings({PREFECT_API_URL: dead_address}):
        assert "a file of settings or this process" in told().loc["server address", "found"]
    assert "Connection(api_url=…)" in told(Connection(dead_address)).loc["server address", "found"]


def test_nothing_answers(dead_address: str) -> None:
    rows = told(Connection(dead_address))
    assert rows.loc["reachable", "outcome"] == "error"
    assert rows.loc["reachable", "found"] == f"Nothing answers at {dead_address}"
    assert rows.loc["reachable", "what_to_do"].startswith("Start that server (`prefect server start`)")
    assert rows.loc[["authentication", *OF_SERVER], "outcome"].eq("not checked").all()


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/api", "127.0.0.1:4200/api", "http://[half/api"])
def test_an_address_that_cannot_be_one(url: str) -> None:
    row = told(Connection(url)).loc["reachable"]
    assert row["outcome"] == "error"
    assert row["what_to_do"]


def test_an_answer_that_does_not_come() -> None:
    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(60)
            return httpx.Response(200, request=request)

    slow = Connection("http://fake.invalid/api", transport=Slow())
    rows = {one.check: one for one in run(lambda _: checking.look(slow, patience=0.1), progress=False, unit="checks")}
    assert rows["reachable"].outcome == "error"
    assert "did not answer within 0.1 s" in rows["reachable"].found
    assert "proxy" in str(rows["reachable"].what_to_do)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key(server: FakeServer, status: int) -> None:
    server.before_answer = lambda _: httpx.Response(status, json={"detail": "Unauthorized"})
    rows = told(Connection("http://fake.invalid/api", api_key=KEY, transport=server))
    assert rows.loc["reachable", "outcome"] == "ok"
    assert rows.loc["authentication", "outcome"] == "error"
    assert f"refused the key ({status})" in rows.loc["authentication", "found"]
    assert "PREFECT_API_AUTH_STRING" in rows.loc["authentication", "what_to_do"]
    assert rows.loc[[*OF_SERVER], "outcome"].eq("not checked").all()
    assert KEY not in rows.reset_index().to_csv()


@pytest.mark.parametrize(
    ("answer", "found", "what_to_do"),
    [
        (httpx.Response(200, text="<html>a page</html>"), "did not answer with JSON", "usually ends in /api"),
        (httpx.Response(404, json={}), "knows no such path (404)", "usually ends in /api"),
        (httpx.Response(500, json={"exception_message": "Boom"}), "refused the request (500)", "server's log"),
    ],
)
def test_something_else_answers(server: FakeServer, answer: httpx.Response, found: str, what_to_do: str) -> None:
    server.before_answer = lambda _: answer
    row = told(server).loc["reachable"]
    assert row["outcome"] == "error"
    assert found in row["found"]
    assert what_to_do in row["what_to_do"]


def test_one_thing_that_fails_leaves_the_others(server: FakeServer) -> None:
    server.refuses = "/admin/version"
    rows = told(server)
    assert rows.loc["versions", "outcome"] == "error"
    assert "refused the request (500)" in rows.loc["versions", "found"]
    assert rows.drop("versions")["outcome"].eq("ok").all()


@pytest.mark.parametrize(
    ("version", "outcome", "found"),
    [
        ("2.20.4", "warning", "never tried"),
        ("3.0.10", "warning", "never tried"),
        (
            "3.0.11",
            "ok",
            "are start_time of flow runs that did not start, tags_any of flow runs, end",
        ),
        ("3.1.15", "ok", "did not start, end_time of task runs, created_by"),
        ("3.4.25", "ok", "done here instead are end_time of task runs, created_by"),
        ("3.6.29", "ok", "nothing more than with the newest"),
        ("3.99.0", "warning", "newer than the client"),
        ("4.0.0", "warning", "newer than the client"),
    ],
)
def test_versions(server: FakeServer, version: str, outcome: str, found: str) -> None:
    server.version = version
    row = told(server).loc["versions"]
    assert row["outcome"] == outcome
    assert f"client {prefect.__version__}, server {version}" in row["found"]
    assert found in row["found"]
    assert pd.isna(row["what_to_do"]) is (outcome == "ok")


def test_prefect_cloud_tells_no_version(server: FakeServer) -> None:
    cloud = Connection("https://api.prefect.cloud/api/accounts/a/workspaces/w", api_key=KEY, transport=server)
    rows = told(cloud)
    assert rows["outcome"].eq("ok").all()
    assert rows.loc["versions", "found"].endswith("Prefect Cloud tells no version")
    assert KEY not in rows.reset_index().to_csv()


@pytest.mark.parametrize(
    ("fastapi", "outcome"),
    [(None, "ok"), ("0.150.0", "ok"), ("0.151.0", "warning"), ("0.160.2", "warning"), ("1.0.0", "warning")],
)
def test_a_fastapi_that_lets_no_server_start_here(fastapi: str | None, outcome: str) -> None:
    found = findings.local_server(fastapi)
    assert found.outcome == outcome
    assert ("pip install 'prefect_nbviz[demo]'" in str(found.what_to_do)) is (outcome == "warning")


def test_a_server_that_refuses_null(server: FakeServer) -> None:
    detail = [{"type": "int_type", "loc": ["body", "limit"], "msg": "Input should be a valid integer"}]
    answers(
        server,
        "/flow_runs/filter",
        lambda body: httpx.Response(422, json={"detail": detail}) if body.get("limit", 0) is None else None,
    )
    rows = told(server)
    assert rows.loc["null for an unset limit", "outcome"] == "warning"
    assert "fastapi 0.151 to 0.154" in rows.loc["null for an unset limit", "found"]
    assert rows.drop("null for an unset limit")["outcome"].eq("ok").all()


@pytest.mark.parametrize(
    ("limit", "found"),
    [(50, "50; reads take 4 times as many requests as with 200"), (200, "200"), (500, "more than 200; 200 are")],
)
def test_rows_in_a_page(server: FakeServer, limit: int, found: str) -> None:
    server.page_limit = limit
    assert told(server).loc["rows in a page", "found"].startswith(found)


def test_a_server_that_ran_nothing(server: FakeServer) -> None:
    server.rows, server.flow_runs = [], []
    rows = told(server)
    assert rows.loc[["flow runs", "task runs"], "outcome"].eq("warning").all()
    assert "see whether this is their server or workspace" in rows.loc["flow runs", "what_to_do"]


@pytest.mark.parametrize(
    ("seconds", "outcome", "found"),
    [
        (90, "warning", r"ahead of this machine's, give or take 1\.\d s"),
        (-90, "warning", r"behind this machine's, give or take 1\.\d s"),
        (4, "ok", r"ahead of this machine's"),
        (0, "ok", r"^the same, give or take 1\.\d s"),
    ],
)
def test_clocks_that_differ(server: FakeServer, seconds: int, outcome: str, found: str) -> None:
    server.headers = {"Date": format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)}
    row = told(server).loc["clocks"]
    assert row["outcome"] == outcome
    assert pd.Series([row["found"]]).str.contains(found).all()


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}])
def test_a_server_that_tells_no_date(server: FakeServer, headers: dict[str, str]) -> None:
    server.headers = headers
    assert told(server).loc["clocks", "outcome"] == "not checked"


@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_password_in_the_address_is_shown_nowhere(server: FakeServer, status: int) -> None:
    if status != 200:
        server.before_answer = lambda _: httpx.Response(status, json={})
    rows = told(Connection("http://me:hunter2@fake.invalid/api?token=hunter2", transport=server))
    assert "hunter2" not in rows.reset_index().to_csv()
    assert rows.loc["server address", "found"].startswith("http://fake.invalid/api ")


def test_a_password_in_an_address_that_cannot_be_one() -> None:
    rows = told(Connection("http://me:hunter2@127.0.0.1:port/api"))
    assert "hunter2" not in rows.reset_index().to_csv()


def test_names_behind_ids_are_read_past_a_small_page() -> None:
    server = FakeServer([task_run(n, flow_run_id=f"{n:08x}-1111-4000-8000-000000000000") for n in range(120)])

    def some(body: dict[str, Any]) -> httpx.Response:
        wanted = body["flow_runs"]["id"]["any_"][:50]
        return httpx.Response(200, json=[{"id": one, "name": f"run {one}", "flow_id": "f"} for one in wanted])

    answers(server, "/flow_runs/filter", some)
    frame = read_task_runs(connection=server.connection, progress=False)
    assert (frame["flow_run_name"].astype("str") == "run " + frame["flow_run_id"]).all()
