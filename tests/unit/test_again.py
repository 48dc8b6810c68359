"""Reading again gives what reading anew gives, and asks for little."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from fake_server import FakeServer, Row, flow_run, task_run
from hypothesis import event, given, settings
from hypothesis import strategies as st

from prefect_nbviz import FlowRunQuery, TaskRunQuery
from prefect_nbviz.errors import IncompleteWarning
from prefect_nbviz.order import iso
from prefect_nbviz.query import RunQuery
from prefect_nbviz.reading.connection import Server
from prefect_nbviz.reading.figures import Bins
from prefect_nbviz.reading.past_reads import Kept, PastReads
from prefect_nbviz.reading.reader import Answer, Reader
from prefect_nbviz.reading.runs import read_runs
from prefect_nbviz.reading.worker import Progress

BEFORE = datetime(2026, 1, 1, 12, tzinfo=UTC)
BETWEEN, NOW = BEFORE + timedelta(minutes=10), BEFORE + timedelta(minutes=20)
STEADY = 30
STATES = {"RUNNING": "Running", "COMPLETED": "Completed", "FAILED": "Failed"}
ENDED = ("COMPLETED", "FAILED")


def run_row(kind: str, number: int, *, minutes: int = 0, state: str = "COMPLETED", end: datetime | None = None) -> Row:
    """A run that was expected some minutes before the first read; no two sets of runs have the same sum of run times."""
    expected = BEFORE - timedelta(minutes=10 + minutes)
    make = flow_run if kind == "flow_run" else task_run
    return make(number) | {
        "state_type": state,
        "state_name": STATES[state],
        "expected_start_time": iso(expected),
        "start_time": iso(expected + timedelta(seconds=0.4 * (number % 9))),
        "end_time": iso(end or expected + timedelta(minutes=1, seconds=number)) if state in ENDED else None,
        "estimated_run_time": 2.0**number,
        "state_id": f"state-{number}",
        "state": {"message": f"{state} in a way"},
        "tags": [tag for bit, tag in enumerate("xy") if number >> bit & 1],
    }


async def read(
    server: Server, query: RunQuery, as_of: datetime, kept: Kept | None = None, columns: list[str] | None = None
) -> Answer:
    return await Reader(server, query, Progress(), columns=columns, as_of=as_of).read(kept)


def served(kind: str, rows: list[Row]) -> FakeServer:
    server = FakeServer([], page_limit=20)
    setattr(server, f"{kind[:4]}_runs" if kind == "flow_run" else "rows", rows)
    return server


def change(kind: str, rows: list[Row], what: str, at: int, minutes: int) -> None:
    """Change a run as Prefect, a person or a deletion may, between the two reads."""
    row, new = rows[at % len(rows)], max(int(one["id"][:8], 16) for one in rows) + 1
    anew = {"state_id": f"state-{at}-{what}", "state": {"message": what}}
    ended = anew | {"state_type": "COMPLETED", "state_name": "Completed", "end_time": iso(BETWEEN)}
    match what:
        case "new":
            rows.append(run_row(kind, new, minutes=minutes, state="RUNNING"))
        case "new and ended":
            rows.append(run_row(kind, new, minutes=minutes, state="FAILED", end=BETWEEN))
        case "new and ended long ago":
            rows.append(run_row(kind, new, minutes=minutes))
        case "deleted":
            rows.remove(row)
        case "runs again":
            row |= anew | {"state_type": "RUNNING", "state_name": "Retrying", "end_time": None, "run_count": 2}
        case "ended anew":
            row |= ended | {"run_count": row["run_count"] + 1}
        case "expected anew":
            row |= ended | {"expected_start_time": iso(BEFORE - timedelta(minutes=minutes)), "start_time": iso(BETWEEN)}
        case "set by hand" if row["state"] != anew["state"]:  # one that is set back cannot be seen
            other = "FAILED" if row["state_type"] == "COMPLETED" else "COMPLETED"
            row |= anew | {"state_type": other, "state_name": STATES[other], "end_time": row["end_time"] or iso(BEFORE)}


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "new",
                "new and ended",
                "new and ended long ago",
                "deleted",
                "runs again",
                "ended anew",
                "expected anew",
                "set by hand",
            ]
        ),
        st.integers(0, 60),
        st.integers(0, 60),
    ),
    max_size=6,
)
CRITERIA = st.sampled_from(
    [
        {},
        {"since": "50m"},
        {"since": "50m", "time_field": "expected_start_time"},
        {"since": "40m", "time_field": "end_time"},
        {"state_type": ["COMPLETED", "RUNNING"]},
        {"tags_none": ["x"]},
        {"tags_any": ["x", "y"]},
        {"limit": STEADY + 3},
    ]
)
SORTS = st.sampled_from(
    ["EXPECTED_START_TIME_DESC", "START_TIME_ASC", "END_TIME_DESC", "NAME_DESC", "DURATION_ASC", "ID_DESC"]
)

MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@settings(max_examples=12)
@given(
    kind=st.sampled_from(["task_run", "flow_run"]),
    seed=st.integers(0, 99),
    changes=CHANGES,
    criteria=CRITERIA,
    sort=SORTS,
    whole_seconds=st.booleans(),
    columns=st.sampled_from([None, ["tags", "state_message"], ["flow_name", "duration"]]),
)
def test_what_is_read_again_is_what_is_there(kind, seed, changes, criteria, sort, whole_seconds, columns) -> None:
    chance = random.Random(seed)
    rows = [
        run_row(kind, number, minutes=chance.randrange(60), state=chance.choice(["RUNNING", *ENDED, *ENDED]))
        for number in range(STEADY)
    ]
    server = served(kind, rows)
    server.sums_up_whole_seconds = whole_seconds
    if kind == "flow_run" and "tags_any" in criteria:
        criteria = {}  # flow runs of any tag are the server's business, and this one has no such filter
    query = (FlowRunQuery if kind == "flow_run" else TaskRunQuery)(**{"limit": None, "sort": sort} | criteria)

    async def work() -> tuple[Answer, ...]:
        async with server.connection.open() as opened:
            first = await read(opened, query, BEFORE, None, columns)
            for what, at, minutes in changes:
                change(kind, rows, what, at, minutes)
            again = await read(opened, query, NOW, first.kept, columns)
            once_more = await read(opened, query, NOW, again.kept, columns)
            return again, once_more, await read(opened, query, NOW, None, columns)

    again, once_more, fresh = asyncio.run(work())
    event(f"kept some: {again.frame.attrs['prefect_nbviz']['kept'] > 0}")
    pd.testing.assert_frame_equal(again.frame, fresh.frame)
    pd.testing.assert_frame_equal(once_more.frame, fresh.frame)


@settings(max_examples=15)
@given(
    kind=st.sampled_from(["task_run", "flow_run"]),
    seed=st.integers(0, 99),
    changes=CHANGES,
    criteria=st.sampled_from([{}, {"since": "50m"}, {"tags_none": ["x"]}]),
    sort=st.sampled_from(["EXPECTED_START_TIME_DESC", "EXPECTED_START_TIME_ASC"]),
    limit=st.integers(3, STEADY),
    columns=st.sampled_from([None, ["tags"]]),
)
def test_what_is_read_again_of_a_part_is_the_first_part(kind, seed, changes, criteria, sort, limit, columns) -> None:
    chance = random.Random(seed)
    rows = [
        run_row(kind, number, minutes=chance.randrange(60), state=chance.choice(["RUNNING", *ENDED, *ENDED]))
        for number in range(STEADY)
    ]
    server = served(kind, rows)
    query = (FlowRunQuery if kind == "flow_run" else TaskRunQuery)(limit=limit, sort=sort, **criteria)

    async def work() -> tuple[Answer, ...]:
        async with server.connection.open() as opened:
            first = await read(opened, query, BEFORE, None, columns)
            for what, at, minutes in changes:
                change(kind, rows, what, at, minutes)
            again = await read(opened, query, NOW, first.kept, columns)
            return first, again, await read(opened, query, NOW, None, columns)

    first, again, fresh = asyncio.run(work())
    event(f"of a part: {first.kept is not None and first.kept.is_cut}, kept some: {about(again)['kept'] > 0}")
    pd.testing.assert_frame_equal(again.frame, fresh.frame)
    assert about(again) | {"kept": 0} == about(fresh)
    assert (again.kept is None) == (fresh.kept is None)
    if again.kept is not None:
        assert again.kept.is_cut == fresh.kept.is_cut == about(fresh)["truncated"]


def about(answer: Answer) -> dict[str, Any]:
    return answer.frame.attrs["prefect_nbviz"]


def remembering(kind: str = "task_run", **criteria: Any) -> tuple[FakeServer, list[Row], Callable[..., pd.DataFrame]]:
    """A server with runs of long ago, its rows, and a reader with a memory of its own."""
    rows = [run_row(kind, number, minutes=number) for number in range(STEADY)]
    server, memory = served(kind, rows), PastReads(at_least=STEADY - 5)
    server.page_limit = 200
    query = (FlowRunQuery if kind == "flow_run" else TaskRunQuery)(**{"limit": None} | criteria)

    def read_it(**options: Any) -> pd.DataFrame:
        server.requests.clear()
        return read_runs(query, server.connection, progress=False, past_reads=memory, **options)

    return server, rows, read_it


def kept(frame: pd.DataFrame) -> int:
    return frame.attrs["prefect_nbviz"]["kept"]


@pytest.mark.parametrize("kind", ["task_run", "flow_run"])
def test_where_nothing_changed_no_row_is_read(kind: str) -> None:
    server, _, read_it = remembering(kind)
    first, again = read_it(), read_it()
    assert (kept(first), kept(again)) == (0, STEADY)
    pd.testing.assert_frame_equal(again, first)
    pages = [body for _, path, body in server.requests if path.endswith(f"{kind}s/filter") and body["limit"] > 1]
    assert len(pages) == 2, "one for the unfinished, one for those that ended since"
    assert len(server.requests) <= 14


@pytest.mark.filterwarnings("ignore::prefect_nbviz.errors.IncompleteWarning")
@pytest.mark.parametrize("kind", ["task_run", "flow_run"])
def test_of_a_part_only_what_changed_is_read_while_enough_is_left(kind: str) -> None:
    server, rows, read_it = remembering(kind, limit=STEADY - 5)
    first, again = read_it(), read_it()
    assert kept(again) == STEADY - 5 < again.attrs["prefect_nbviz"]["matched"] == STEADY
    pd.testing.assert_frame_equal(again, first)
    assert len(server.requests) <= 15
    rows += [run_row(kind, STEADY + new, state="RUNNING") | {"expected_start_time": iso(NOW)} for new in range(2)]
    pushed_out = read_it()
    assert kept(pushed_out) == STEADY - 7
    pd.testing.assert_frame_equal(pushed_out, read_it(fresh=True))
    del rows[3], rows[-2:]
    shrunk = read_it()
    assert kept(shrunk) == 0
    pd.testing.assert_frame_equal(shrunk, read_it(fresh=True))


@pytest.mark.filterwarnings("ignore::prefect_nbviz.errors.IncompleteWarning")
def test_where_all_takes_as_few_requests_all_is_read() -> None:
    server, rows, read_it = remembering()
    read_it()
    whole = len(server.requests)
    del rows[2:28:4]
    again = read_it()
    assert kept(again) == 0, "seven times in which something changed"
    pd.testing.assert_frame_equal(again, read_it(fresh=True))
    for row in rows[::2]:
        row |= {"state_type": "RUNNING", "end_time": None}
    read_it(fresh=True)
    assert kept(read_it()) == 0, "most may have changed"
    assert len(server.requests) == whole


@pytest.mark.parametrize("whole_seconds", [False, True])
def test_changes_by_hand_that_leave_the_counts_as_they_are_show_in_the_sums(whole_seconds) -> None:
    server, rows, read_it = remembering()
    server.sums_up_whole_seconds = whole_seconds
    rows[4] |= {"expected_start_time": rows[3]["expected_start_time"], "state_type": "FAILED", "state_name": "Failed"}
    read_it()
    rows[3], rows[4] = (
        rows[3] | {"state_type": "FAILED", "state_name": "Failed"},
        rows[4]
        | {
            "state_type": "COMPLETED",
            "state_name": "Completed",
        },
    )
    rows[20] = run_row("task_run", STEADY, minutes=20)
    again = read_it()
    assert kept(again) == STEADY - 3
    pd.testing.assert_frame_equal(again, read_it(fresh=True))


def test_a_new_name_is_seen_afresh() -> None:
    _, rows, read_it = remembering()
    read_it()
    rows[3]["name"] = "renamed"
    assert "renamed" not in {*read_it()["name"]}, "then the docstring says too much"
    assert "renamed" in {*read_it(fresh=True)["name"]}
    assert "renamed" in {*read_it()["name"]}


def test_the_frame_is_the_callers_own() -> None:
    _, _, read_it = remembering()
    first, again = read_it(), read_it()
    for frame in (first, again):
        frame.loc[:, "name"] = "mine"
        frame.index.name = frame.columns.name = "mine"
        frame["tags"] = [()] * STEADY
        frame.attrs.clear()
    pd.testing.assert_frame_equal(read_it(), read_it(fresh=True))


def test_a_server_that_gives_no_figures_is_read_whole() -> None:
    server, rows, read_it = remembering()
    read_it()
    del rows[3]
    server.refuses = "_runs/history"
    again = read_it()
    assert (len(again), kept(again)) == (STEADY - 1, 0)


def test_where_most_changed_all_is_read() -> None:
    _, rows, read_it = remembering()
    read_it()
    for row in rows[: STEADY // 2 + 1]:
        row["state_name"] = "Cached"
    again = read_it()
    assert kept(again) == 0
    assert (again["state_name"] == "Cached").sum() == STEADY // 2 + 1


def test_of_a_crowded_bin_only_what_is_near_the_change_is_read() -> None:
    moments = [BEFORE - timedelta(days=number // 100, seconds=10 * (number % 100)) for number in range(400)]
    rows = [
        task_run(number, expected_start_time=iso(when), start_time=iso(when), end_time=iso(when))
        for number, when in enumerate(moments)
    ]
    server, memory = FakeServer(rows), PastReads(at_least=1)
    for _ in range(2):
        read_runs(TaskRunQuery(limit=None), server.connection, past_reads=memory, progress=False)
    rows[250]["state_name"] = "Cached"
    del rows[50]
    again = read_runs(TaskRunQuery(limit=None), server.connection, past_reads=memory, progress=False)
    assert 380 < kept(again) < 399
    fresh = read_runs(TaskRunQuery(limit=None), server.connection, past_reads=memory, progress=False, fresh=True)
    pd.testing.assert_frame_equal(again, fresh)


def test_a_read_that_outgrew_its_limit_says_so() -> None:
    _, rows, read_it = remembering(limit=STEADY)
    assert not read_it().attrs["prefect_nbviz"]["truncated"]
    assert kept(read_it()) == STEADY
    rows.append(run_row("task_run", STEADY, minutes=3))
    with pytest.warns(IncompleteWarning, match=f"first {STEADY} of {STEADY + 1}"):
        assert len(read_it()) == STEADY


@pytest.mark.parametrize(
    ("version", "criteria"),
    [("3.4.25", {}), ("3.8.8", {"sort": "NEXT_SCHEDULED_START_TIME_ASC"}), ("3.8.8", {"name_like": "sk_"})],
)
def test_what_cannot_be_checked_is_read_whole(version: str, criteria: dict[str, Any]) -> None:
    server, rows, read_it = remembering(**criteria)
    server.version = version
    for row in rows:
        row["next_scheduled_start_time"] = None
    assert [kept(read_it()), kept(read_it())] == [0, 0]


@given(first=MOMENTS, seconds=st.floats(0, 1e8), places=st.sets(st.integers(0, 499)))
def test_bins_hold_all_times_and_spans_all_of_their_bins(first: datetime, seconds: float, places: set[int]) -> None:
    last = first + timedelta(seconds=seconds)
    bins = Bins.over(first, last, at_most=500)
    assert bins.start <= first
    assert last < bins.edge(bins.number)
    assert 1 <= bins.number <= 500
    assert [*bins.places(pd.Series([first, last]))] == [0, bins.number - 1]
    spans = [*bins.spans(places)]
    held = [place for place in range(500) if any(one <= bins.edge(place) <= other for one, other in spans)]
    assert {*held} >= places
    assert len(spans) == sum(place - 1 not in places for place in places)
