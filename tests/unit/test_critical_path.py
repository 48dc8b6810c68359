"""The critical path: as networkx finds it in the graph of starts and ends, on any task runs."""

from __future__ import annotations

import json
from typing import Any

import networkx as nx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import critical_path, frames, plot_critical_path, tables
from prefect_nbviz.charts.critical_path import MAX_TASK_RUNS_DRAWN
from prefect_nbviz.errors import FrameError

BEGIN = pd.Timestamp("2026-03-01", tz="UTC")
SECOND = pd.Timedelta(1, unit="s")
RUN = st.tuples(st.integers(0, 12), st.integers(0, 6), st.sets(st.integers(0, 11), max_size=4))
RUNS = st.lists(RUN, min_size=1, max_size=10)


def frame(rows: list[Any]) -> pd.DataFrame:
    """Make task runs of start, length and the places of upstreams, which may be nowhere; None: it has not ended."""
    start = [BEGIN + row[0] * SECOND for row in rows]
    end = [pd.NaT if row[1] is None else BEGIN + (row[0] + row[1]) * SECOND for row in rows]
    return pd.DataFrame(
        {
            "task_run_id": pd.Series([f"run-{place}" for place in range(len(rows))], dtype="str"),
            "flow_run_id": "f",
            "name": pd.Series([f"name {place}" for place in range(len(rows))], dtype="str"),
            "state_type": ["RUNNING" if row[1] is None else "COMPLETED" for row in rows],
            "state_name": ["Running" if row[1] is None else "Completed" for row in rows],
            "start_time": pd.Series(start, dtype="datetime64[us, UTC]"),
            "end_time": pd.Series(end, dtype="datetime64[us, UTC]"),
            "upstream_task_run_ids": pd.Series(
                [tuple(f"run-{one}" for one in sorted(row[2])) for row in rows], dtype="object"
            ),
        }
    )


def dependencies(rows: list[Any]) -> dict[int, list[tuple[int, bool]]]:
    """Give for each task run the ones that it depends on, and whether each is around it, by the definition."""
    order = sorted(range(len(rows)), key=lambda place: (rows[place][0], sum(rows[place][:2]), place))
    held: dict[int, list[tuple[int, bool]]] = {place: [] for place in order}
    for run in order:
        for up in rows[run][2]:
            if up >= len(rows) or order.index(up) >= order.index(run):
                continue
            if sum(rows[up][:2]) <= rows[run][0]:
                held[run].append((up, False))
            elif rows[up][0] < rows[run][0]:
                held[run].append((up, True))
    return held


def graph(rows: list[Any], lengths: list[int]) -> nx.DiGraph[Any]:
    """Give the graph of starts and ends, with task runs as long as told and with the waits that they had."""
    begin, found = min(row[0] for row in rows), nx.DiGraph()
    for run, ups in dependencies(rows).items():
        found.add_edge((run, "start"), (run, "end"), weight=lengths[run])
        ready = [rows[up][0] if is_around else sum(rows[up][:2]) for up, is_around in ups]
        if not ups:
            found.add_edge("source", (run, "start"), weight=rows[run][0] - begin)
        for up, is_around in ups:
            found.add_edge((up, "start" if is_around else "end"), (run, "start"), weight=rows[run][0] - max(ready))
            if is_around and sum(rows[run][:2]) <= sum(rows[up][:2]):
                found.add_edge((run, "end"), (up, "end"), weight=0)
    return found


def took(rows: list[Any], lengths: list[int]) -> int:
    return int(nx.dag_longest_path_length(graph(rows, lengths)))


@settings(max_examples=60)
@given(RUNS)
def test_slack_and_saving_are_those_of_the_graph(rows: list[Any]) -> None:
    path = critical_path(frame(rows)).set_index("task_run_id")
    lengths = [row[1] for row in rows]
    whole = took(rows, lengths)
    assert whole == max(sum(row[:2]) for row in rows) - min(row[0] for row in rows)
    for place in range(len(rows)):
        slack, saving = (int(path.loc[f"run-{place}", name] / SECOND) for name in ("slack", "saving"))

        def with_length(length: int, place: int = place) -> int:
            return took(rows, [*lengths[:place], length, *lengths[place + 1 :]])

        assert with_length(lengths[place] + slack) == whole
        assert with_length(lengths[place] + slack + 1) == whole + 1
        assert with_length(0) == whole - saving
        if lengths[place]:
            assert with_length(lengths[place] - 1) == whole - min(1, saving)


@settings(max_examples=40)
@given(RUNS)
def test_the_path_is_a_longest_one_and_adds_up_to_the_whole(rows: list[Any]) -> None:
    table = critical_path(frame(rows))
    path = table[table["path_place"] > 0].sort_values("path_place")
    assert path["path_place"].tolist() == [*range(1, len(path) + 1)]
    assert (path["slack"] == pd.Timedelta(0)).all()
    ups, at = dependencies(rows), int(path["task_run_id"].iloc[-1][4:])
    assert sum(rows[at][:2]) == max(sum(row[:2]) for row in rows)
    walked, length, is_around = [], 0, False
    while True:  # by the definition, with what each waited for found by a plain loop
        walked += [] if is_around else [at]
        length += 0 if is_around else rows[at][1]
        if not ups[at]:
            break
        ready = {up: rows[up][0] if around else sum(rows[up][:2]) for up, around in ups[at]}
        length += rows[at][0] - max(ready.values())
        row = table.set_index("task_run_id").loc[f"run-{at}"]
        assert row["wait"] == (rows[at][0] - max(ready.values())) * SECOND
        at = int(row["waited_for"][4:])
        assert ready[at] == max(ready.values())
        is_around = dict(ups[int(row.name[4:])])[at]
    assert path["task_run_id"].tolist() == [f"run-{place}" for place in reversed(walked)]
    assert length + rows[at][0] - min(row[0] for row in rows) == took(rows, [row[1] for row in rows])


@settings(max_examples=25)
@given(RUNS)
def test_the_attrs_count_what_is_not_linked(rows: list[Any]) -> None:
    about = critical_path(frame(rows)).attrs[frames.ATTRS]
    ups = dependencies(rows)
    assert about["unused_links"] == sum(len(row[2]) for row in rows) - sum(map(len, ups.values()))
    assert about["unlinked"] == sum(
        not ups[run] and any(sum(other[:2]) <= row[0] for place, other in enumerate(rows) if place != run)
        for run, row in enumerate(rows)
    )
    assert about["begin"] == (BEGIN + min(row[0] for row in rows) * SECOND).isoformat()


def test_what_has_not_ended_is_said_and_what_never_ran_took_no_time() -> None:
    runs = frame([(0, 5, ()), (1, None, (0,)), (7, 1, (0, 1)), (9, 0, (2,))])
    runs.loc[3, "start_time"] = pd.NaT
    runs.attrs[frames.ATTRS] = {"matched": 9, "truncated": True}
    path = critical_path(runs)
    assert path["task_run_id"].tolist() == ["run-0", "run-2", "run-3", "run-1"]
    assert path["path_place"].tolist() == [1, 2, 3, 0]
    assert path["duration"].dt.total_seconds().tolist()[:3] == [5, 1, 0]
    assert path[["start_time", "end_time", "slack", "saving", "wait"]].iloc[3].isna().all()
    assert path.attrs[frames.ATTRS]["not_ended"] == 1
    assert path.attrs[frames.ATTRS]["unused_links"] == 2
    assert path.attrs[frames.ATTRS]["truncated"]


def test_nothing_gives_every_column_and_what_cannot_be_is_refused() -> None:
    for runs in (frame([]), frame([(0, None, ())]).head(0)):
        path = critical_path(runs)
        assert path.dtypes.map(str).to_dict() == frames.empty(tables.CRITICAL_PATH).dtypes.map(str).to_dict()
        assert path.attrs[frames.ATTRS]["end"] is None
    assert len(critical_path(frame([(0, None, ())]))) == 1
    with pytest.raises(FrameError, match="are of 2: pass"):
        critical_path(frame([(0, 1, ()), (0, 1, ())]).assign(flow_run_id=["f", "g"]))
    with pytest.raises(FrameError, match="twice"):
        critical_path(pd.concat([frame([(0, 1, ())])] * 2))
    with pytest.raises(FrameError, match="lacks 'upstream_task_run_ids'"):
        critical_path(frame([]).drop(columns="upstream_task_run_ids"))


def drawn(fig: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in fig.data}


def test_the_chart_shows_the_path_its_waits_and_slack() -> None:
    rows = [(0, 5, ()), (1, 2, ()), (6, 4, (0, 1)), (8, 1, ()), (1, None, ())]
    fig = plot_critical_path(critical_path(frame(rows)), tz="Asia/Kolkata")
    traces = drawn(fig)
    assert [*traces] == ["path", "wait", "others", "slack"]
    assert traces["path"].customdata == ("run-0", "run-2")
    assert traces["path"].base[1] == "2026-03-01T05:30:06.000000"
    assert traces["path"].x.tolist() == [5_000, 4_000]
    assert traces["others"].customdata == ("run-1", "run-3")
    assert traces["wait"].y == ("name 0", "name 2", "name 2", None)
    assert traces["slack"].x[:2] == ("2026-03-01T05:30:03.000000", "2026-03-01T05:30:05.000000")
    assert fig.layout.title.subtitle.text == "4 runs drawn, of 5; 1 has not ended"
    assert fig.layout.annotations[0].text.split("<br>") == [
        "The path: 2 task runs, 9 s of 10 s",
        "waits 1 s",
        "Most to save: 1 s by name 0",
        "1 later task run has no recorded upstream:",
        "what they waited for is not known",
    ]


@pytest.mark.parametrize("chain", [3, 150])
def test_of_many_task_runs_the_path_comes_first_and_the_rest_is_said(chain: int) -> None:
    links = [(2 * place, 2, (place - 1,) if place else ()) for place in range(chain)]
    fig = plot_critical_path(critical_path(frame(links + [(0, 1, ())] * (300 - chain))))
    traces = drawn(fig)
    assert len(traces["path"].y) == min(chain, MAX_TASK_RUNS_DRAWN)
    assert sum(len(traces[name].y) for name in ("path", "others") if name in traces) == MAX_TASK_RUNS_DRAWN
    said = "the path, and those of least slack" if chain == 3 else "the longest of the 150 on the path"
    assert fig.layout.title.subtitle.text == f"60 runs drawn, of 300; {said}"
    assert f"The path: {chain} task runs" in fig.layout.annotations[0].text


def test_nothing_to_draw_says_so_and_names_stay_text() -> None:
    for rows in ([], [(0, None, ())]):
        fig = plot_critical_path(critical_path(frame(rows)))
        assert fig.layout.annotations[0].text == "No task runs that have ended to draw"
    runs = frame([(0, 1, ()), (1, 1, (0,))]).assign(name="<img src=x onerror=alert(1)>%{x}$y$", state_name="<img>")
    assert "<img" not in json.dumps(json.loads(plot_critical_path(critical_path(runs)).to_json()))
