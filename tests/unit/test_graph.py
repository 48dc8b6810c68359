"""The graph of a flow run: what is read of the server's answer, and bars that are as long as the runs."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pandas as pd
import pytest
from fake_server import FakeServer
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import frames, plot_flow_run_graph, read_flow_run_graph, schema
from prefect_nbviz.charts.graph import MAX_RUNS_DRAWN
from prefect_nbviz.errors import FrameError, RefusedError
from prefect_nbviz.states import STATE_TYPES, TERMINAL_STATE_TYPES

RUN = "0000abcd-0000-4000-8000-000000000000"
AS_OF = pd.Timestamp("2026-01-01T01:00Z")
MAX_PAYLOAD = 1_000_000
Node = dict[str, Any]


def node(number: int, *upstream: int, **fields: Any) -> Node:
    same = {"kind": "task-run", "label": f"task {number}", "state_type": "COMPLETED", "artifacts": [], "children": []}
    times = {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01.5Z"}
    edges = {"parents": [{"id": run_id(one)} for one in upstream], "encapsulating": []}
    return {"id": run_id(number), **same, **times, **edges, **fields}


def run_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


class GraphServer(FakeServer):
    """A server with one graph, of no more nodes than it gives."""

    def __init__(self, nodes: list[Node], *, most: int = 10_000) -> None:
        super().__init__([])
        self.nodes, self.most = nodes, most

    def _answer(self, url: httpx.URL, body: dict[str, Any]) -> httpx.Response:
        if not url.path.endswith(f"/{RUN}/graph-v2"):
            return super()._answer(url, body)
        if len(self.nodes) > self.most:
            detail = f"The graph of flow run {RUN} has more than {self.most} nodes."
            return httpx.Response(400, json={"detail": detail})
        return httpx.Response(200, json={"nodes": [[one["id"], one] for one in self.nodes], "states": []})


def read(*nodes: Node) -> pd.DataFrame:
    return read_flow_run_graph(RUN, connection=GraphServer([*nodes]).connection, progress=False)


def made(rows: list[tuple[str, int, int | None]], **fields: Any) -> pd.DataFrame:
    """Give the graph of runs of which each has a state type, a start and a length, in milliseconds."""
    start = pd.Timestamp("2026-01-01T00:00Z")
    columns = {
        "run_kind": ["task_run"] * len(rows),
        "run_id": [f"run-{number}" for number in range(len(rows))],
        "run_name": [f"task {number}" for number in range(len(rows))],
        "flow_run_id": [RUN] * len(rows),
        "state_type": [kind for kind, *_ in rows],
        "start_time": pd.Series([start + pd.Timedelta(milliseconds=at) for _, at, _ in rows], dtype=schema.TIME),
        "end_time": pd.Series(
            [pd.NaT if long is None else start + pd.Timedelta(milliseconds=at + long) for _, at, long in rows],
            dtype=schema.TIME,
        ),
        "upstream_run_ids": [()] * len(rows),
        "encapsulating_run_ids": [()] * len(rows),
    }
    graph = frames.typed(columns | fields, schema.FLOW_RUN_GRAPH)
    graph.attrs[frames.ATTRS] = {"as_of": AS_OF.isoformat(), "matched": len(graph)}
    return graph


def test_each_node_is_a_row() -> None:
    subflow = node(2, kind="flow-run", label="etl / odd-bat", end_time=None, state_type="RUNNING")
    inner = node(3, 1, 1, encapsulating=[{"id": run_id(1)}])
    graph = read(node(1), subflow, inner)
    assert graph["run_kind"].tolist() == ["task_run", "flow_run", "task_run"]
    assert graph["flow_run_id"].tolist() == [RUN, run_id(2), RUN]
    assert graph["upstream_run_ids"].tolist() == [(), (), (run_id(1),)]
    assert graph["encapsulating_run_ids"].tolist() == [(), (), (run_id(1),)]
    assert (graph["end_time"] - graph["start_time"]).dt.total_seconds().fillna(-1).tolist() == [1.5, -1, 1.5]
    assert read().dtypes.equals(frames.empty(schema.FLOW_RUN_GRAPH).dtypes)


def test_a_graph_that_is_refused_for_its_size_is_not_taken_for_one_that_is_not_there() -> None:
    server = GraphServer([node(number) for number in range(4)], most=3)
    with pytest.raises(RefusedError, match=rf"more than 3 nodes\. Read its rows: read_task_runs\(flow_runs='{RUN}'"):
        read_flow_run_graph(RUN, connection=server.connection, progress=False)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(STATE_TYPES), st.integers(0, 9_000_000), st.none() | st.integers(0, 9_000)),
        min_size=1,
        max_size=8,
    )
)
def test_a_bar_is_as_long_as_its_run(rows: list[tuple[str, int, int | None]]) -> None:
    graph = made(rows)
    fig = plot_flow_run_graph(graph)
    bars = {
        run: (bar.name, pd.Timestamp(base, tz="UTC"), length, opacity)
        for bar in fig.data
        if bar.type == "bar"
        for run, base, length, opacity in zip(bar.customdata, bar.base, bar.x, bar.marker.opacity, strict=True)
    }
    assert [*fig.layout.yaxis.categoryarray] == graph["run_name"].tolist()
    for run in graph.itertuples():
        is_open = pd.isna(run.end_time)
        end = max(AS_OF, run.start_time) if is_open else run.end_time
        name, base, length, opacity = bars[run.run_id]
        assert (name, base, length) == (
            run.state_type,
            run.start_time,
            (end - run.start_time) / pd.Timedelta(milliseconds=1),
        )
        assert (opacity < 1) == is_open


def test_what_hovers_says_no_more_than_the_graph() -> None:
    rows = [("COMPLETED", 0, 1_500), ("SCHEDULED", 0, None), ("RUNNING", 0, None)]
    fig = plot_flow_run_graph(made(rows), tz="Asia/Kolkata")
    texts = {bar.name: bar.hovertext[0] for bar in fig.data}
    assert texts["COMPLETED"].split("<br>")[1:] == [
        "task run, now COMPLETED",
        "from 2026-01-01 05:30:00 IST",
        "for 1.5 s, waits included",
    ]
    assert "when it ran first or was to start<br>not ended after 1 h" in texts["SCHEDULED"]
    assert texts["RUNNING"].endswith("from 2026-01-01 05:30:00 IST<br>not ended after 1 h")
    assert "waits included, in the colour of its present state type" in fig.layout.title.subtitle.text


def test_of_many_runs_the_longest_are_drawn() -> None:
    kinds = sorted(TERMINAL_STATE_TYPES)
    rows = [(kinds[place % len(kinds)], place, (place * 37) % 10_000) for place in range(10_000)]
    fig = plot_flow_run_graph(made(rows, run_name=["<b>name</b>" * 20] * len(rows)))
    text = fig.to_json()
    assert len(text) < MAX_PAYLOAD
    assert "<b>name" not in json.dumps([trace["y"] for trace in json.loads(text)["data"]])
    assert fig.layout.title.subtitle.text.startswith("1,000 runs drawn, of 10,000 that match, the longest; ")
    lengths = [length for bar in fig.data for length in bar.x]
    assert (len(lengths), min(lengths)) == (MAX_RUNS_DRAWN, 9_000)


def test_it_says_what_is_missing() -> None:
    assert plot_flow_run_graph(read()).layout.annotations[0].text == "No runs to draw"
    lost = made([("RUNNING", 0, None)])
    lost.attrs.clear()
    with pytest.raises(FrameError, match="does not say when it was read"):
        plot_flow_run_graph(lost)
    with pytest.raises(FrameError, match="no start_time"):
        plot_flow_run_graph(lost.assign(start_time=pd.Series([pd.NaT], dtype=schema.TIME)))
