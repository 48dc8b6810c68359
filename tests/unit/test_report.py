"""The page of a report: it says what it is of, escapes what strangers wrote, and is written whole or not at all."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_reports import HOSTILE, TASKS, contents, failed_flow_runs, task_runs

from prefect_nbviz import FlowRunQuery, TaskRunQuery, frames, report, schema
from prefect_nbviz.errors import FrameError, QueryError, ReportError, UnreachableError
from prefect_nbviz.reading import Connection
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.reporting.headline import facts, figures
from prefect_nbviz.reporting.page import page_of
from prefect_nbviz.reporting.place import Place
from prefect_nbviz.reporting.sections import MOST_BARS, sections

FLAKY = "Flaky tasks fail and then pass again, broken ones do not."
NOWHERE = Connection("http://127.0.0.1:9/api", patience=0.1)


class Elements(HTMLParser):
    """What a browser makes of a page, more or less: its elements, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        told = dict(attrs)
        self.ids += [str(told["id"])] if "id" in told else []
        self.links += [str(told["href"])] if "href" in told else []
        assert not [word for word in told if word.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_strangers_wrote_is_text_and_nothing_else() -> None:
    runs = task_runs(5, name=HOSTILE, message=HOSTILE)
    hostile = Elements(page_of(contents(runs, title=HOSTILE, notes=(HOSTILE,))))
    harmless = Elements(page_of(contents(task_runs(5), notes=("a",))))
    assert hostile.tags == harmless.tags
    assert hostile.ids == harmless.ids
    assert hostile.text.count("<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}") > 5


@settings(max_examples=40)
@given(text=st.text(max_size=40))
def test_any_text_is_escaped(text: str) -> None:
    runs = task_runs(0)  # such a page has no charts: this is about the template
    page = page_of(contents(runs, title=text, notes=(text,)))
    assert Elements(page).tags == Elements(page_of(contents(runs, notes=("a",)))).tags


def test_links_within_the_page_lead_somewhere() -> None:
    page = Elements(page_of(contents(task_runs(5))))
    assert {link[1:] for link in page.links if link.startswith("#")} <= {*page.ids}
    assert {link for link in page.links if not link.startswith("#")} == {
        f"http://a.test/runs/task-run/{one:032x}" for one in (0, 3)
    }


def test_the_browser_may_ask_nobody() -> None:
    page = page_of(contents(task_runs(5)))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    outside = re.sub(r'<script type="text/plain".*?</script>', "", page, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!#|http://a\.test/runs/)', outside)


@pytest.mark.parametrize("count", [0, 1, 40, MOST_BARS + 1])
def test_the_numbers_are_those_of_the_frame(count: int) -> None:
    runs = task_runs(count)
    numbers = {figure.name: figure.value for figure in figures(contents(runs))}
    failed = int((runs["state_type"] == "FAILED").sum())
    assert numbers["Run" if count == 1 else "Runs"] == str(count)
    if count:
        assert (numbers["Failed or crashed"], numbers["Completed"]) == (str(failed), str(count - failed))
        assert (numbers["Not ended"], numbers["Median duration"]) == ("0", "1 min 30 s")
    keys = [section.key for section in sections(contents(runs))]
    grid = ["grid"] if count > TASKS else []
    assert keys == (["states", "failures", *grid, "durations", "timeline", "spent", "concurrency"] if count else [])
    assert len(page_of(contents(runs)).encode()) < (2_100_000 if count else 10_000)


def test_a_part_says_that_it_is_one() -> None:
    cut = task_runs(4, matched=90, truncated=True, reason="Read the first 4 of 90 task runs that match.")
    page = Elements(page_of(contents(cut))).text
    assert "Not complete: 4 task runs, of 90 that match." in page
    assert "Read the first 4 of 90" in page
    chosen = task_runs(4, read=7)
    assert ("Runs", "4 task runs, chosen from 7 that were read") in [*facts(contents(chosen))]
    assert "Not complete: 4 task runs, chosen from 7" in Elements(page_of(contents(chosen))).text
    assert "Not complete" not in page_of(contents(task_runs(4)))


def test_a_share_of_failures_is_said_only_where_all_states_were_asked_for() -> None:
    whole = contents(task_runs(9))
    of_failed = Contents(**vars(whole) | {"query": TaskRunQuery(state_type="FAILED", limit=None)})
    both = [{section.key: section for section in sections(one)} for one in (whole, of_failed)]
    assert [one["failures"].figure is not None for one in both] == [True, False]
    captions = [[listing.caption for listing in one["failures"].listings] for one in both]
    assert captions == [["Messages of most runs.", "Failed last.", FLAKY], ["Messages of most runs.", "Failed last."]]


@pytest.mark.parametrize("count", [2, 203])
def test_of_flow_runs_each_failure_is_listed_once_and_what_was_not_looked_into_is_said(count: int) -> None:
    made = failed_flow_runs(count)
    (failures,) = (section for section in sections(made) if section.key == "failures")
    leaves = failures.listings[1]
    held = min(count, 200)
    assert {row[0].address.split("/")[-2] for row in leaves.rows} == {"task-run"}
    assert len(leaves.rows) == min(held, 20)
    part = ", of the first 200 of 203 flow runs that failed: the first 20 of 200." if count > held else "."
    assert leaves.caption == f"What failed by itself, the last first, with how many others it brought down{part}"


def test_where_what_failed_in_flow_runs_was_not_read_no_cause_is_told() -> None:
    unread = Contents(**vars(failed_flow_runs(2)) | {"failed_tasks": frames.empty(schema.TASK_RUNS)})
    (failures,) = (section for section in sections(unread) if section.key == "failures")
    assert [listing.caption for listing in failures.listings] == ["Messages of most runs.", "Failed last."]


def test_flaky_and_broken_tasks_are_told_only_of_all_runs() -> None:
    cut = contents(task_runs(9, matched=10, truncated=True, reason="Read the first 9 of 10."))
    (failures,) = (section for section in sections(cut) if section.key == "failures")
    assert FLAKY not in [listing.caption for listing in failures.listings]


def test_doubtful_records_are_counted() -> None:
    runs = task_runs(4)
    assert ("Doubtful records", "none") in [*facts(contents(runs))]
    odd = runs.assign(end_time=runs["start_time"] - pd.Timedelta("1h"))
    odd.attrs = runs.attrs
    found = facts(Contents(**vars(contents(runs)) | {"runs": odd}))
    (said,) = (value for name, value in found if name == "Doubtful records")
    assert said.startswith("4, which count nevertheless (ends before start: 4")


def test_histories_that_are_missing_are_said_to_be() -> None:
    whole = contents(task_runs(5))
    part = Contents(**vars(whole) | {"intervals": whole.intervals[:4]})
    says = {section.key: section.says for section in sections(part)}
    assert "of the first 2 of 5 runs" in says["timeline"]
    assert "of the first 2 of 5 runs" in says["spent"]
    assert "of the first 2 of 5 runs" in says["concurrency"]
    none = Contents(**vars(whole) | {"intervals": whole.intervals[:0]})
    assert {"timeline", "spent", "concurrency"}.isdisjoint(section.key for section in sections(none))
    assert ("State histories", "of no run") in [*facts(none)]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone/runs.html", "There is no folder"),
        (".", "is a folder"),
        ("there.html", "is there already: pass overwrite=True"),
    ],
)
def test_a_place_that_cannot_be_is_known_before_anything_is_read(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "there.html").write_text("mine")
    with pytest.raises(ReportError, match=said):
        report(path=tmp_path / path, connection=NOWHERE)
    assert (tmp_path / "there.html").read_text() == "mine"
    assert [*tmp_path.iterdir()] == [tmp_path / "there.html"]


def test_a_folder_that_refuses_is_known_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be written"):
        report(path="/proc/runs.html", connection=NOWHERE)


def test_a_read_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "there.html"
    path.write_text("mine")
    with pytest.raises(UnreachableError):
        report(path=path, connection=NOWHERE, overwrite=True)
    assert path.read_text() == "mine"
    assert [*tmp_path.iterdir()] == [path]


def test_a_frame_is_taken_as_it_is_and_what_cannot_be_read_of_it_is_said(tmp_path: Path) -> None:
    path = report(task_runs(3), tmp_path / "runs.html", connection=NOWHERE, title="<mine>")
    page = Elements(path.read_text())
    assert "The state histories could not be read. " in page.text
    assert page.text.count("<mine>") == 2
    assert path.stat().st_mode & 0o777 == 0o666 & ~_mask()
    assert [*tmp_path.iterdir()] == [path]


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_is_no_such_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.html"
    with pytest.raises(FrameError, match="lacks 'state_message'"):
        report(task_runs(3).drop(columns="state_message"), path)
    with pytest.raises(QueryError, match="limit would not be heard"):
        report(task_runs(3), path, limit=3)
    bare = task_runs(3)
    bare.attrs = {}
    with pytest.raises(FrameError, match="lost its attrs"):
        report(bare, path)
    with pytest.raises(QueryError, match="tz cannot be"):
        report(path=path, tz="Mars")
    assert not [*tmp_path.iterdir()]


def test_the_query_of_a_frame_is_said_in_words() -> None:
    query = FlowRunQuery(tags_any=["prod"], since="1d").criteria()
    runs = task_runs(2, query={"flow_runs": query, "limit": None})
    gathered = Contents.gathered(None, runs, zone=ZoneInfo("UTC"), title=None, connection=NOWHERE, progress=False)
    assert gathered.title == "Task runs: flow runs: tags any prod and since 1d · any time"


def test_a_secret_of_the_address_is_nowhere(tmp_path: Path) -> None:
    secret = Connection("http://user:hunter2@127.0.0.1:9/api", api_key="pnu_hunter2", patience=0.1)
    page = report(task_runs(3), tmp_path / "runs.html", connection=secret).read_text()
    assert "hunter2" not in page
    assert "127.0.0.1:9/runs/task-run/" in page


def test_a_place_keeps_what_was_there_until_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "runs.html"
    path.write_text("mine")
    with Place(path, overwrite=True) as place:
        assert path.read_text() == "mine"
        place.write(b"new")
    assert path.read_text() == "new"
