"""The graph of a flow run tells the same as the rows of what it started, as far as it tells."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from prefect_nbviz import Connection, plot_flow_run_graph, read_flow_run_graph, read_flow_runs, read_task_runs
from prefect_nbviz.demo.server import PrivateServer
from prefect_nbviz.errors import FrameError, RefusedError

pytestmark = pytest.mark.server


def told(runs: pd.DataFrame, id_column: str, **ids: str) -> dict[str, tuple[Any, ...]]:
    """Give by id what the graph is to tell of runs; a subflow stands for its task run."""
    start = runs["start_time"].fillna(runs["expected_start_time"])
    columns = (runs[id_column], runs["state_type"], start, runs["end_time"].astype(object))
    return {run: (*facts[:-1], None if pd.isna(facts[-1]) else facts[-1]) for run, *facts in zip(*columns, strict=True)}


def test_it_tells_what_the_rows_tell(demo_server: PrivateServer) -> None:
    connection = Connection(demo_server.api_url)
    flow_runs = read_flow_runs(limit=None, connection=connection)
    task_runs = read_task_runs(limit=None, connection=connection)
    subflow = flow_runs.dropna(subset=["parent_task_run_id"]).set_index("parent_task_run_id")["flow_run_id"]
    facts = told(flow_runs, "flow_run_id") | told(task_runs, "task_run_id")
    with_runs = flow_runs[flow_runs["end_time"].notna() & flow_runs["flow_run_id"].isin(task_runs["flow_run_id"])]
    kinds: set[str] = set()
    inner = linked = never_ran = again = 0
    for flow_run in with_runs["flow_run_id"]:
        rows = task_runs[task_runs["flow_run_id"] == flow_run].set_index("task_run_id")
        graph = read_flow_run_graph(flow_run, connection=connection, progress=False)
        assert {*graph["run_id"]} == {subflow.get(run, run) for run in rows.index}
        assert told(graph.assign(expected_start_time=pd.NaT), "run_id") == {run: facts[run] for run in graph["run_id"]}
        assert graph["start_time"].is_monotonic_increasing
        for run in graph[graph["run_kind"] == "task_run"].itertuples():
            row = rows.loc[run.run_id]
            assert run.run_name == row["name"]
            upstream = {one for one in row["upstream_task_run_ids"] if one not in subflow}
            assert {*run.upstream_run_ids, *run.encapsulating_run_ids} == upstream
            linked, inner = linked + len(run.upstream_run_ids), inner + len(run.encapsulating_run_ids)
            never_ran, again = never_ran + pd.isna(row["start_time"]), again + (row["run_count"] > 1)
        kinds |= {*graph["run_kind"]}
        about = graph.attrs["prefect_nbviz"]
        assert (about["read"], about["requests"], about["truncated"]) == (len(rows), 1, False)
    assert kinds == {"flow_run", "task_run"}
    assert min(inner, linked, never_ran, again) > 0  # the demo has all of these


def test_a_flow_run_may_come_in_any_form(demo_server: PrivateServer) -> None:
    connection = Connection(demo_server.api_url)
    subflows = read_flow_runs(connection=connection, limit=None).dropna(subset=["parent_task_run_id"])
    parent = read_task_runs(ids=subflows["parent_task_run_id"].tolist(), connection=connection)["flow_run_id"].iloc[0]
    frame = read_flow_runs(ids=parent, connection=connection)
    forms = (parent, frame, frame.iloc[0])
    names = [read_flow_run_graph(form, connection=connection)["run_name"].tolist() for form in forms]
    assert names[0] == names[1] == names[2]
    assert " / " in names[0][0]
    fig = plot_flow_run_graph(read_flow_run_graph(parent, connection=connection), tz="Europe/Berlin")
    assert "subflow run, now" in fig.data[0].hovertext[0]


def test_what_has_no_graph_is_said(demo_server: PrivateServer) -> None:
    connection = Connection(demo_server.api_url)
    task_run = read_task_runs(limit=None, connection=connection).dropna(subset=["flow_run_id"]).iloc[0]
    with pytest.raises(RefusedError, match=f"is a task run: pass the id of its flow run, {task_run['flow_run_id']}"):
        read_flow_run_graph(task_run["task_run_id"], connection=connection)
    with pytest.raises(RefusedError, match="has no flow run 00000000-0000-4000-8000-000000000000: it was deleted"):
        read_flow_run_graph("00000000-0000-4000-8000-000000000000", connection=connection)
    with pytest.raises(FrameError, match=r"not of \d+ runs"):
        read_flow_run_graph(read_flow_runs(limit=None, connection=connection), connection=connection)
