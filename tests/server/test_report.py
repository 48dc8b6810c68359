"""A report of real runs: its numbers are those of the frames, and nothing that was read is lost."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from prefect_nbviz import (
    Connection,
    FlowRunQuery,
    TaskRunQuery,
    count_runs,
    failure_table,
    leaf_failures,
    read_flow_runs,
    read_task_runs,
    report,
)
from prefect_nbviz.demo.samples import HOSTILE_NAME
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.errors import IncompleteWarning, ReadInterrupted, ReportError

pytestmark = pytest.mark.server


def rows(page: str, caption: str) -> list[list[str]]:
    """Give the texts of the table that has a caption."""
    (table,) = re.findall(rf"<table[^>]*>\s*<caption>{caption}.*?</table>", page, flags=re.DOTALL)
    body = table.partition("<tbody>")[2]
    return [
        [unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", body, flags=re.DOTALL)
    ]


def number(page: str, name: str) -> str:
    (value,) = re.findall(rf"<dt>{name}</dt><dd><strong>([^<]*)</strong>", page)
    return unescape(value)


def test_the_numbers_of_flow_runs_are_those_of_their_frame(demo_server: PrivateServer, tmp_path: Path) -> None:
    query, connection = FlowRunQuery(since="2d", limit=None), Connection(demo_server.api_url)
    runs = read_flow_runs(query, connection=connection)
    page = report(query, tmp_path / "runs.html", connection=connection, tz="Europe/Berlin").read_text()
    counts = runs.groupby(["state_type", "state_name"], observed=True).size()
    assert {name: int(count) for name, count, _ in rows(page, "States")} == counts.droplevel(0).to_dict()
    assert [row[:2] for row in rows(page, "Messages")] == [
        [str(row.runs), row.pattern] for row in failure_table(runs).itertuples()
    ]
    failed = runs["state_type"].isin(["FAILED", "CRASHED"])
    assert number(page, "Runs") == str(len(runs))
    assert number(page, "Failed or crashed") == str(failed.sum())
    tasks = read_task_runs(flow_runs=runs[failed], state_type=["FAILED", "CRASHED"], connection=connection)
    assert [row[0] for row in rows(page, "What failed by itself")] == [*leaf_failures(runs, tasks)["run_name"]]
    late = (runs["lateness"] > pd.Timedelta("15s")).sum()
    assert number(page, "Late starts") == str(late) == str(sum(int(row[2]) for row in rows(page, "Those of most late")))
    assert f"<dd>{demo_server.api_url}</dd>" in page
    assert "Not complete" not in page
    assert HOSTILE_NAME not in page


def test_a_part_of_the_task_runs_is_said_to_be_one(demo_server: PrivateServer, tmp_path: Path) -> None:
    query, connection = TaskRunQuery(limit=20), Connection(demo_server.api_url)
    with pytest.warns(IncompleteWarning):
        page = report(query, tmp_path / "runs.html", connection=connection).read_text()
    matched = count_runs(query, connection=connection)
    assert f"20 task runs, of {matched:,} that match" in page
    assert f"All {matched:,} that match are counted, also those that were not read." in page


def test_runs_that_were_read_are_not_lost_when_the_place_is_gone_in_the_end(
    demo_server: PrivateServer, tmp_path: Path
) -> None:
    folder, runs = tmp_path / "folder", read_flow_runs(limit=None, connection=Connection(demo_server.api_url))
    folder.mkdir()

    def take_away(*_: object) -> None:
        for part in folder.glob("*"):
            part.unlink()
        if folder.exists():
            folder.rmdir()

    with pytest.raises(ReportError, match="There is no folder") as caught:
        report(runs, folder / "runs.html", connection=Connection(demo_server.api_url), progress=take_away)
    pd.testing.assert_frame_equal(caught.value.frame, runs)


def test_runs_that_were_read_are_not_lost_when_what_comes_after_is_interrupted(
    demo_server: PrivateServer, tmp_path: Path
) -> None:
    runs = read_flow_runs(limit=None, connection=Connection(demo_server.api_url))

    def stop(done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(ReadInterrupted) as caught:
        report(runs, tmp_path / "runs.html", connection=Connection(demo_server.api_url), progress=stop)
    pd.testing.assert_frame_equal(caught.value.frame, runs)
    assert not [*tmp_path.iterdir()]
