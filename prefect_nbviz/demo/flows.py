"""Run the sample flows, with the environment of a private server.

`python -m prefect_nbviz.demo.flows` writes a run of every kind of state, then keeps some running until it is ended;
with `history` or `live` behind it, it does one of the two.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import get_client, tags
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments import run_deployment

from prefect_nbviz.demo import samples
from prefect_nbviz.demo.server import FIGURES
from prefect_nbviz.errors import DemoError

WORK_POOL = "demo-pool"
WORK_QUEUE = "high"
AHEAD_HOURS = (2, 8, 30)
STEADY = 4
"""How many times in a row the counts must be the same."""

STUCK = 40
"""How many times, when something still seems to move."""

PATIENCE = 180.0
"""Seconds that the server may take to record what ran; 1 to 3 are usual."""


def write_history() -> dict[str, int]:
    """Write runs in every state that does not need a process to stay, and wait until the server has recorded them.

    Returns
    -------
    dict
        How many `flow runs` and `task runs` the server holds.

    See Also
    --------
    https://docs.prefect.io/v3/concepts/states
    """
    with get_client(sync_client=True) as client:
        _deploy(client)
        strands = (_ingest, _ingest_more, _batch, _train, _sync, _bill, _stumble)
        with ThreadPoolExecutor(len(strands)) as pool:  # side by side: the client waits 2 s when SQLite is locked
            lanes = [pool.submit(strand) for strand in strands]
        for lane in lanes:
            lane.result()
        return _recorded(client)


def keep_running() -> None:
    """Keep one flow run with tasks running and one paused, say when the server knows of both, and never come back."""
    with ThreadPoolExecutor() as pool, get_client(sync_client=True) as client:
        runs = [
            pool.submit(_run, samples.stream_events, with_tags=["prod", "stream"]),
            pool.submit(_run, samples.approve_release, with_tags=["prod", "project_id:7"]),
        ]
        _wait_for(lambda: _live(client), "the live runs")
        print(f"{FIGURES}one more is running, and one is paused.", flush=True)
        for run in runs:
            run.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the history, then keep the live runs; print a line of figures after each.

    Parameters
    ----------
    arguments
        `["history"]` or `["live"]` for one of the two; those of the process when left out.
    """
    parts = [*(sys.argv[1:] if arguments is None else arguments)] or ["history", "live"]
    if "history" in parts:
        began = time.monotonic()
        figures = ", ".join(f"{count} {kind}" for kind, count in write_history().items())
        print(f"{FIGURES}{figures} in {time.monotonic() - began:.0f} s.", flush=True)
    if "live" in parts:
        keep_running()
    return 0


def _ingest() -> None:
    _run(samples.daily_ingest, "orders", 80, with_tags=["prod", "nightly", "project_id:7"])
    _run(samples.daily_ingest, "customers", 60, with_tags=["prod", "nightly", "project_id:12"])


def _ingest_more() -> None:
    _run(samples.daily_ingest, "orders", 12, with_tags=["dev"])
    _run(samples.daily_ingest, "clicks", 8)
    _run(samples.daily_ingest.with_options(flow_run_name=samples.HOSTILE_NAME), with_tags=["<b>dev</b>"], rows=2)


def _batch() -> None:
    _run(samples.nightly_batch, with_tags=["prod", "nightly"])
    _run(samples.probe)


def _train() -> None:
    _slow_down()
    _run(samples.train_model, with_tags=["prod", "project_id:7"])
    _run(samples.train_model, with_tags=["dev", "project_id:7"])


def _sync() -> None:
    _waver()
    _run(samples.sync_inventory, with_tags=["prod"])
    _run(samples.sync_inventory, 6, with_tags=["dev", "nightly"])
    _run(samples.cleanup_files, with_tags=["dev"])


def _bill() -> None:
    _run(samples.billing_rollup, [1001, 1002, 1003], with_tags=["prod", "nightly", "billing"])
    _run(samples.billing_rollup, [1004, 4711, 1005], with_tags=["prod", "billing", "project_id:12"])
    _run(samples.billing_rollup, [4712, 4713], with_tags=["dev", "billing"])


def _stumble() -> None:
    _run(samples.export_report, 3, with_tags=["prod"])
    _run(samples.export_report, 40, with_tags=["prod", "nightly"])
    _run(samples.export_archive, with_tags=["nightly"])
    _run(samples.reindex_search, with_tags=["prod", "search"])
    _run(samples.reindex_search, 1, with_tags=["dev", "search"])


def _waver() -> None:
    for _ in range(5):
        _run(samples.price_feed, with_tags=["prod", "market"])
    for version in (samples.SOUND_VERSION,) * 2 + (samples.BROKEN_VERSION,) * 2:
        _run(samples.publish_catalog.with_options(version=version), with_tags=["prod", "shop"])


def _slow_down() -> None:
    for version in (samples.QUICK_VERSION,) * 5 + (samples.SLOW_VERSION,) * 5:
        _run(samples.score_customers.with_options(version=version), with_tags=["prod", "scores"])


def _run(one: Callable[..., Any], *arguments: object, with_tags: Iterable[str] = (), **more: object) -> None:
    with tags(*with_tags), suppress(SystemExit):  # a crash ends its flow run, not the demo
        one(*arguments, **more, return_state=True)


def _deploy(client: SyncPrefectClient) -> None:
    client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))
    client.create_work_queue(WORK_QUEUE, work_pool_name=WORK_POOL)
    _schedule(samples.daily_ingest, "nightly", ["prod", "nightly"], late_hours=(1, 5, 26))
    _schedule(samples.train_model, "weekly", ["prod", "gpu"], late_hours=(3,))
    _schedule(samples.export_report, "monthly", ["dev"], late_hours=())


def _schedule(one: Any, name: str, with_tags: list[str], *, late_hours: Iterable[int]) -> None:
    deployment = one.to_deployment(
        name, interval=timedelta(hours=6), tags=with_tags, work_pool_name=WORK_POOL, work_queue_name=WORK_QUEUE
    )
    deployment.apply()
    now = datetime.now(UTC)
    for hours in (*(-late for late in late_hours), *AHEAD_HOURS):
        run_deployment(f"{one.name}/{name}", scheduled_time=now + timedelta(hours=hours), timeout=0, as_subflow=False)


def _recorded(client: SyncPrefectClient) -> dict[str, int]:
    """Wait until no task run changes any more and late runs are marked: the server records in the background.

    Where it was too busy to record an end, a task run stays as it was: that is what Prefect does.
    """
    seen: list[tuple[int, int, int, int]] = []

    def settled() -> bool:
        moving = _count(client, "task_runs", ["Pending", "Running", "Retrying", "AwaitingRetry"])
        unmarked = _count(client, "flow_runs", ["Scheduled"], expected_start_time={"before_": _now()})
        seen.append((_count(client, "flow_runs"), _count(client, "task_runs"), moving, unmarked))
        looks = STUCK if moving or unmarked else STEADY
        return len(seen) >= looks and len(set(seen[-looks:])) == 1

    _wait_for(settled, "all runs")
    return dict(zip(("flow runs", "task runs"), seen[-1][:2], strict=True))


def _live(client: SyncPrefectClient) -> bool:
    consuming = _count(client, "task_runs", ["Running"], name={"like_": samples.consume.name})
    return consuming == samples.PARTITIONS and _count(client, "flow_runs", ["Paused"]) > 0


def _count(client: SyncPrefectClient, kind: str, names: list[str] | None = None, **criteria: object) -> int:
    named = {"state": {"name": {"any_": names}}} if names else {}
    response = client.request("POST", f"/{kind}/count", json={kind: {**named, **criteria}})  # type: ignore[arg-type]
    response.raise_for_status()
    return int(response.json())


def _wait_for(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise DemoError(f"The private server did not record {what} within {PATIENCE:.0f} s.")
        time.sleep(0.5)


def _now() -> str:
    return datetime.now(UTC).isoformat()


if __name__ == "__main__":
    sys.exit(main())
