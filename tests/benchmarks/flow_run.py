"""What the timeline of one flow run of 200 task runs costs, beside the server's own graph of it.

    python tests/benchmarks/flow_run.py [--rounds 15]

On a real server with a made history: `GET /flow_runs/{id}/graph-v2`, one bare page of the 200 rows, the least that
tells all states as bare HTTP (that page, and a history for each task run whose row does not tell it), our reading of
the rows, and our whole way: the rows, the states, the stays, the figure, as JSON. Beside it our way over the graph: the
frame, and the figure as JSON; and the endpoint as it is cold: asked through a client of Prefect's that is opened for it.
All take turns, each round with another flow run.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable

import httpx
from prefect.client.orchestration import SyncPrefectClient
from reading import Wire, seeded_server
from turns import medians

from prefect_nbviz import (
    Connection,
    plot_flow_run_graph,
    plot_state_timeline,
    read_flow_run_graph,
    read_states,
    read_task_runs,
    state_intervals,
)


def of_each(runs: list[str], call: Callable[[str], object]) -> Callable[[], object]:
    """Give a call for the next run each time."""
    turns = itertools.cycle(runs)
    return lambda: call(next(turns))


def histories_of(run: str, address: str) -> list[str]:
    """Give what is asked for one history each: those that the rows do not tell."""
    wire = Wire()
    server = Connection(address, transport=wire)
    read_states(read_task_runs(flow_runs=run, limit=None, connection=server, progress=False), connection=server)
    return [str(request.url) for request in wire.sent if request.url.path.endswith("/task_run_states/")]


def cold(run: str, address: str) -> object:
    """Ask for the graph through a client of Prefect's that is opened for it."""
    with SyncPrefectClient(address) as prefect:
        return prefect.request("GET", "/flow_runs/{id}/graph-v2", path_params={"id": run})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    told = parser.parse_args()
    with seeded_server(told.rounds + 1) as address, httpx.Client(base_url=f"{address}/", timeout=60) as client:
        runs = [run["id"] for run in client.post("flow_runs/filter", json={}).json()]
        server = Connection(address)
        needed = {run: histories_of(run, address) for run in runs}

        def graph(run: str) -> object:
            return client.get(f"flow_runs/{run}/graph-v2").raise_for_status()

        def page(run: str) -> object:
            return client.post("task_runs/filter", json={"flow_runs": {"id": {"any_": [run]}}}).raise_for_status()

        def least(run: str) -> object:
            return page(run), [client.get(url).raise_for_status() for url in needed[run]]

        def rows(run: str) -> object:
            return read_task_runs(flow_runs=run, limit=None, connection=server, progress=False)

        def states(run: str) -> object:
            return read_states(rows(run), connection=server, progress=False)

        def timeline(run: str) -> object:
            return plot_state_timeline(state_intervals(states(run))).to_json()

        def frame(run: str) -> object:
            return read_flow_run_graph(run, connection=server, progress=False)

        def graph_timeline(run: str) -> object:
            return plot_flow_run_graph(frame(run)).to_json()

        calls = (graph, page, least, rows, states, timeline, frame, graph_timeline, lambda run: cold(run, address))
        for call in calls:  # what is imported is measured elsewhere
            call(runs[-1])
        seconds = medians(*(of_each(runs[:-1], call) for call in calls), rounds=told.rounds)
    graph_of, *others = seconds
    times = [f"{one:.3f} s, {one / graph_of:.1f} times" for one in others]
    histories = sum(map(len, needed.values())) / len(needed)
    print(
        f"flow run: 200 task runs, its graph endpoint {graph_of:.3f} s; one bare page of its rows {times[0]}; with the "
        f"{histories:.0f} histories that rows do not tell {times[1]}; our rows {times[2]}; with all states {times[3]}; "
        f"with the figure {times[4]}; our frame of its graph {times[5]}; with the figure {times[6]} (goal 1); the endpoint "
        f"through a client of Prefect's opened for it {times[7]}; medians of {told.rounds}"
    )


if __name__ == "__main__":
    main()
