"""No run is lost, met twice or out of order at a seam, however the server orders its ties."""

from __future__ import annotations

import warnings

import httpx
import pytest
from fake_server import FakeServer, task_run
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import read_task_runs
from prefect_nbviz.errors import IncompleteWarning

MANY = "2026-01-01T00:00:00.{:06d}Z"
MOMENTS = st.integers(0, 6).map(lambda second: f"2026-01-01T00:00:{second:02d}{'.500000' if second % 2 else ''}Z")
HISTORIES = st.lists(st.tuples(MOMENTS, st.sampled_from("abc"), st.sets(st.sampled_from(["x", "y", "z"]))), max_size=40)
SORTS = st.sampled_from(["EXPECTED_START_TIME_DESC", "EXPECTED_START_TIME_ASC", "NAME_ASC", "NAME_DESC", "ID_DESC"])


def expected(rows: list[dict], sort: str) -> list[str]:
    column, _, direction = sort.rpartition("_")
    rows = sorted(rows, key=lambda row: row["id"], reverse=True)
    # Fractions of a second are of one width or absent, so that text with its Z cut off sorts as time does.
    rows.sort(key=lambda row: row[column.lower()].removesuffix("Z"), reverse=direction == "DESC")
    return [row["id"] for row in rows]


@settings(max_examples=80)
@given(
    history=HISTORIES,
    sort=SORTS,
    page_limit=st.integers(2, 7),
    limit=st.none() | st.integers(1, 12),
    tags=st.fixed_dictionaries(
        {}, optional={f"tags_{word}": st.lists(st.sampled_from("xyz"), max_size=3) for word in ("all", "any", "none")}
    ),
    seed=st.integers(0, 3),
)
def test_rows_and_order_whatever_the_ties(history, sort, page_limit, limit, tags, seed) -> None:
    rows = [
        task_run(number, expected_start_time=when, name=name, tags=sorted(has))
        for number, (when, name, has) in enumerate(history)
    ]
    server = FakeServer(rows, page_limit=page_limit, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # truncated, unknown tags: looked at elsewhere
        frame = read_task_runs(connection=server.connection, sort=sort, limit=limit, progress=False, **tags)

    matching = [
        row
        for row in rows
        if set(tags.get("tags_all", ())) <= set(row["tags"])
        and ("tags_any" not in tags or set(tags["tags_any"]) & set(row["tags"]))
        and not set(tags.get("tags_none", ())) & set(row["tags"])
    ]
    assert list(frame["task_run_id"]) == expected(matching, sort)[:limit]
    attrs = frame.attrs["prefect_nbviz"]
    assert attrs["matched"] == len(matching)
    assert attrs["read"] == len(frame)
    assert attrs["truncated"] == (len(frame) < len(matching))


def test_a_limit_reads_no_more_than_it_needs() -> None:
    rows = [task_run(n, expected_start_time=f"2026-01-01T00:00:00.{n:06d}Z") for n in range(1000)]
    server = FakeServer(rows)
    with pytest.warns(IncompleteWarning, match=r"first 10 of 1,000 task runs"):
        read_task_runs(connection=server.connection, limit=10, progress=False)
    pages = [body["limit"] for _, path, body in server.requests if path.endswith("/filter") and "sort" in body]
    assert pages == [12]


def test_a_server_with_smaller_pages_is_read_all_the_same() -> None:
    rows = [task_run(n, expected_start_time=f"2026-01-01T00:00:00.{n:06d}Z") for n in range(120)]
    server = FakeServer(rows, page_limit=50)
    assert len(read_task_runs(connection=server.connection, progress=False)) == 120
    refused = [body for _, path, body in server.requests if path.endswith("/filter") and body.get("limit", 0) > 50]
    assert len(refused) == 1


@pytest.mark.parametrize("limit", [5, 9])
def test_names_stay_in_the_order_of_the_database(limit: int) -> None:
    names = ["a0", "B0", "a1", "B1", "a2", "B2", "D0", "a3", "B3"]
    server = FakeServer([task_run(number, name=name) for number, name in enumerate(names)], page_limit=3)
    server.collate = str.casefold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteWarning)
        frame = read_task_runs(connection=server.connection, sort="NAME_ASC", limit=limit, progress=False)
    assert frame["name"].tolist() == sorted(names, key=str.casefold)[:limit]


def test_no_known_flow_is_called_unknown_however_many_are_asked_for() -> None:
    names = [f"flow-{number}" for number in range(450)]
    server = FakeServer([])

    def page_of_flows(_: int) -> httpx.Response | None:
        _, path, body = server.requests[-1]
        asked = body.get("flows", {}).get("name", {}).get("any_", [])
        return (
            httpx.Response(200, json=[{"name": name} for name in asked[:200]])
            if path.endswith("/flows/filter")
            else None
        )

    server.before_answer = page_of_flows
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_task_runs(flow=names, connection=server.connection, progress=False).empty


def asked(server: FakeServer) -> list[str]:
    return [path.removeprefix("/api") for _, path, _ in server.requests]


@pytest.mark.parametrize(("rows", "beside"), [(199, []), (200, ["/task_runs/count", "/task_runs/filter"])])
def test_one_flow_run_takes_a_page_and_its_names(rows: int, beside: list[str]) -> None:
    one = "00000001-0000-4000-8000-000000000000"
    server = FakeServer([task_run(n, flow_run_id=one, expected_start_time=MANY.format(n)) for n in range(rows)])
    frame = read_task_runs(flow_runs=one, limit=None, connection=server.connection)
    assert len(frame) == frame.attrs["prefect_nbviz"]["matched"] == rows
    assert sorted(asked(server)) == sorted(
        ["/csrf-token", "/task_runs/filter", *beside, "/flow_runs/filter", "/flows/filter"]
    )


def test_the_version_is_asked_for_only_where_it_matters() -> None:
    server = FakeServer([task_run(n) for n in range(3)])
    read_task_runs(limit=None, connection=server.connection)
    assert "/admin/version" not in asked(server)
    read_task_runs(limit=None, time_field="end_time", since="2026-01-01T00:00:00Z", connection=server.connection)
    assert "/admin/version" in asked(server)


def test_one_request_goes_first_for_the_token_of_all() -> None:
    server = FakeServer([task_run(n, expected_start_time=MANY.format(n)) for n in range(900)])
    assert len(read_task_runs(limit=None, connection=server.connection)) == 900
    assert asked(server).count("/csrf-token") == 1
