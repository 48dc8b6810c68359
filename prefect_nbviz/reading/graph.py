"""Read the graph of one flow run: its task runs and subflow runs, in one request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.errors import FrameError, RefusedError
from prefect_nbviz.reading.answer import Answer
from prefect_nbviz.reading.connection import Connection, Server, as_connection
from prefect_nbviz.reading.subjects import resolved, subjects
from prefect_nbviz.reading.worker import Progress, Report, run


def read_flow_run_graph(
    flow_run: Any, *, connection: Connection | None = None, progress: bool | Report = True
) -> pd.DataFrame:
    """Read the graph that Prefect draws of a flow run: one row for each task run and subflow run, in one request.

    It is the quickest way to all that a flow run started. It tells the present state type of each run, when it ran,
    and which runs' results it took. It does not tell the names of states, when a run was pending, late or waited for a
    retry, how often it ran, or messages: for these read the rows (`read_task_runs`) and the histories (`read_states`).
    Nor does it tell which runs took the result of a subflow, so that `critical_path` needs the rows.

    Parameters
    ----------
    flow_run
        One flow run: its id, a row or a frame of one row as `read_flow_runs` gives it, or a run object of Prefect's
        client.
    connection
        As in `read_flow_runs`.
    progress
        As in `read_flow_runs`; there is one request.

    Returns
    -------
    pandas.DataFrame
        One row for each run, in the order of their start and end, with the columns of `schema.FLOW_RUN_GRAPH`; times
        are UTC. A subflow is one row, its own, without the runs in it and without the task run that stands for it.
        `attrs["prefect_nbviz"]` tells `flow_run_id`, `matched` and `read` (both how many runs there are), `requests`,
        `truncated` (never: the server gives all of a graph or refuses it) and `reason`.

    Raises
    ------
    FrameError
        `flow_run` is none of these, or not one flow run.
    NotConnectedError, UnreachableError, AuthenticationError
        The server could not be read.
    RefusedError
        It has no such flow run; or the graph has more runs than it gives, 10,000 unless it is told otherwise
        (`PREFECT_API_MAX_FLOW_RUN_GRAPH_NODES`).

    See Also
    --------
    plot_flow_run_graph : draws it.
    https://docs.prefect.io/v3/api-ref/rest-api/server/flow-run-graph/read-flow-run-graph-v2

    Examples
    --------
    >>> graph = read_flow_run_graph(read_flow_runs(limit=1))  # doctest: +SKIP
    """
    flow_run_id = _one_flow_run(flow_run)

    async def work(state: Progress) -> Answer:
        async with as_connection(connection).open(state) as server:
            as_of = datetime.now(UTC)
            return Answer(_frame(await _nodes(server, flow_run_id), flow_run_id, server, as_of), ())

    return run(work, progress=progress, unit="requests").warn(stacklevel=2)


class _Edge(msgspec.Struct, gc=False):
    id: str


class _Node(msgspec.Struct, gc=False):
    kind: str
    id: str
    label: str
    state_type: str
    start_time: str
    end_time: str | None = None
    parents: tuple[_Edge, ...] = ()
    encapsulating: tuple[_Edge, ...] = ()


class _Graph(msgspec.Struct, gc=False):
    nodes: list[tuple[str, _Node]]


def _one_flow_run(flow_run: Any) -> str:
    asked = subjects(flow_run)
    if len(asked) != 1:
        raise FrameError(f"A graph is that of one flow run, not of {len(asked):,} runs: take one of them.")
    if asked[0]["run_kind"] == "task_run":
        raise FrameError("A graph is that of a flow run, and this is a task run: pass its flow_run_id.")
    run_id: str = asked[0]["run_id"]
    return run_id


async def _nodes(server: Server, flow_run_id: str) -> list[_Node]:
    try:
        graph: _Graph = await server.request("GET", f"/flow_runs/{flow_run_id}/graph-v2", shape=_Graph)
    except RefusedError as error:
        raise await _explained(server, flow_run_id, error) from error
    return [node for _, node in graph.nodes]


async def _explained(server: Server, flow_run_id: str, error: RefusedError) -> RefusedError:
    """Say why there is no graph: the server says the same of an id that it does not know as of a wrong address."""
    if "more than" in str(error):
        return RefusedError(f"{error} Read its rows: read_task_runs(flow_runs={flow_run_id!r}, limit=None).")
    (found,) = await resolved(server, [{"run_kind": None, "run_id": flow_run_id}])
    if found["run_kind"] == "task_run":
        return RefusedError(f"{flow_run_id} is a task run: pass the id of its flow run, {found['flow_run_id']}.")
    if found["run_name"] is None:
        return RefusedError(f"{server.address} has no flow run {flow_run_id}: it was deleted, or is on another server.")
    return error


def _frame(nodes: Sequence[_Node], flow_run_id: str, server: Server, as_of: datetime) -> pd.DataFrame:
    graph = frames.typed(_columns(nodes, flow_run_id), schema.FLOW_RUN_GRAPH)
    graph.attrs[frames.ATTRS] = {
        "kind": "flow_run_graph",
        "flow_run_id": flow_run_id,
        "server": server.address,
        "as_of": as_of.isoformat(),
        "matched": len(graph),
        "read": len(graph),
        "requests": server.requests,
        "truncated": False,
        "reason": None,
    }
    return graph


def _columns(nodes: Sequence[_Node], flow_run_id: str) -> dict[str, list[Any]]:
    return {
        "run_kind": [node.kind.replace("-", "_") for node in nodes],
        "run_id": [node.id for node in nodes],
        "run_name": [node.label for node in nodes],
        "flow_run_id": [node.id if node.kind == "flow-run" else flow_run_id for node in nodes],
        "state_type": [node.state_type for node in nodes],
        "start_time": [node.start_time for node in nodes],
        "end_time": [node.end_time for node in nodes],
        "upstream_run_ids": [_ids(node.parents) for node in nodes],
        "encapsulating_run_ids": [_ids(node.encapsulating) for node in nodes],
    }


def _ids(edges: Sequence[_Edge]) -> tuple[str, ...]:
    """Give the ids of edges, each once: the server repeats one for each run that it took results of itself."""
    return tuple(dict.fromkeys(edge.id for edge in edges))
