"""Counts on a real server: those of task runs whose flow runs a limit cuts, and bins around changes of clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.states import Scheduled

from prefect_nbviz import (
    Connection,
    FlowRunQuery,
    TaskRunQuery,
    count_runs,
    read_run_counts,
    read_state_type_counts,
    read_task_runs,
)
from prefect_nbviz.errors import IncompleteWarning

pytestmark = pytest.mark.server

CUT = r"^Of the flow runs: Read the first 9 of \d+ flow runs that match"
CHANGES = [
    ("Africa/Cairo", date(2026, 4, 24)),
    ("America/Santiago", date(2026, 4, 5)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("Asia/Beirut", date(2026, 10, 25)),
    ("America/Havana", date(2026, 3, 8)),
    ("America/Havana", date(2026, 11, 1)),
]


@pytest.mark.parametrize("unwanted", [None, "nothing is named so"])
@pytest.mark.parametrize("run_count_min", [None, 1])
def test_flow_runs_cut_by_their_limit(unwanted: str | None, run_count_min: int | None, connection: Connection) -> None:
    parents = FlowRunQuery(state_type=["COMPLETED", "FAILED"], sort="START_TIME_ASC", limit=9)
    query = TaskRunQuery(flow_runs=parents, name_not=unwanted, run_count_min=run_count_min)
    with pytest.warns(IncompleteWarning, match=CUT):
        rows = read_task_runs(query, limit=None, connection=connection, progress=False)
    with pytest.warns(IncompleteWarning, match=CUT):
        assert count_runs(query, connection=connection, progress=False) == len(rows) > 9
    with pytest.warns(IncompleteWarning, match=CUT):
        counted = read_run_counts(query, connection=connection, progress=False)
    assert counted["runs"].sum() == len(rows)
    attrs = counted.attrs["prefect_nbviz"]
    assert (attrs["truncated"], attrs["reason"]) == (True, rows.attrs["prefect_nbviz"]["reason"])
    with pytest.warns(IncompleteWarning, match=CUT):
        by_type = read_state_type_counts(query, connection=connection)
    assert run_count_min or sum(by_type.values()) == len(rows)


@pytest.fixture(scope="module")
def around_changes(demo_server) -> Iterator[dict[str, list[datetime]]]:
    """Flow runs around the midnights at which clocks change; by name, when they are to start."""
    with SyncPrefectClient(demo_server.api_url) as client:
        ids = []
        times: dict[str, list[datetime]] = {}
        for tz, day in CHANGES:
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(tz)).astimezone(ZoneInfo("UTC"))
            times[f"{tz} {day}"] = [noon + timedelta(hours=hours, minutes=30) for hours in (-13, -12, -11, 13)]
            for time in times[f"{tz} {day}"]:
                run = client.create_flow_run(scheduled, name=f"{tz} {day}", state=Scheduled(scheduled_time=time))
                ids.append(run.id)
        yield times
        for one in ids:
            client.delete_flow_run(one)


@flow(name="daily_ingest")  # one that is there
def scheduled() -> None:
    """Is never run."""


@pytest.mark.parametrize(("tz", "day"), CHANGES)
def test_bins_of_days_whose_midnight_the_clocks_change(
    tz: str, day: date, around_changes: dict[str, list[datetime]], connection: Connection
) -> None:
    query = FlowRunQuery(name=f"{tz} {day}")
    counted = read_run_counts(query, freq="1D", tz=tz, connection=connection, progress=False)
    by_day = counted.groupby(counted["bin_start"].dt.tz_convert(tz).dt.strftime("%Y-%m-%d"))["runs"].sum()
    expected = Counter(f"{time.astimezone(ZoneInfo(tz)):%Y-%m-%d}" for time in around_changes[f"{tz} {day}"])
    assert by_day.to_dict() == expected
    hours = read_run_counts(query, freq="1h", tz=tz, connection=connection, progress=False)
    assert hours["runs"].sum() == expected.total()
    assert set(hours["bin_end"] - hours["bin_start"]) == {pd.Timedelta(hours=1)}


def test_bins_of_business_days_hold_the_weekend(
    around_changes: dict[str, list[datetime]], connection: Connection
) -> None:
    name = "Asia/Beirut 2026-03-29"  # a Sunday
    counted = read_run_counts(FlowRunQuery(name=name), freq="B", connection=connection, progress=False)
    assert counted["runs"].sum() == len(around_changes[name])
    last = counted.iloc[-1]
    assert (f"{last['bin_start']:%a}", f"{last['bin_end']:%a}") == ("Fri", "Mon")
