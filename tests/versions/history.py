"""Runs of many kinds, written by the Prefect of whatever Python runs this: 3.0.11 or newer."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any

from prefect import flow, get_client, tags, task

NOW = datetime.now(UTC)

PATIENCE = 120.0
"""Seconds that the server may take to record what ran."""

STEADY = 5
"""How many looks in a row must see the same."""

SCHEDULES = metadata.version("sqlalchemy") < "2.1"
"""Whether the server can make the runs of a schedule: with sqlalchemy 2.1 that of Prefect 3.8.8 answers 503."""

MANY = 205
"""Task runs of one flow run: more than fill a page."""


@task(tags=["etl"], task_run_name="extract {table}_50%")
def extract(table: str) -> list[int]:
    return [len(table)]


@task(tags=["etl", "warehouse", "project_id:7"])
def load(rows: list[int]) -> int:
    return len(rows)


@task
def count(number: int) -> int:
    return number


@task(retries=1, retry_delay_seconds=1, tags=["gpu"])
def flaky(times: list[int]) -> int:
    times.append(1)
    if len(times) < 2:
        raise ValueError("not yet")
    return len(times)


@task(tags=["billing"])
def broken() -> None:
    raise ValueError("broken")


@task(timeout_seconds=0.2)
def slow() -> None:
    time.sleep(1)


@flow(version="2")
def ingest(table: str = "orders", region: str = "eu") -> int:
    return load(extract(table))


@flow
def many() -> None:
    count.map(list(range(MANY))).wait()


@flow(retries=1, log_prints=False)
def stumble() -> None:
    flaky([])
    after = count.submit(broken.submit())
    slow(return_state=True)
    after.wait()
    raise ValueError("stumbled")


@flow
def grandchild() -> int:
    return count(1)


@flow
def child() -> int:
    return grandchild()


@flow
def parent() -> int:
    return child() + child()


def main() -> None:
    with get_client(sync_client=True) as client:
        deploy(client)
        run(ingest, "orders", with_tags=("prod", "nightly", "project_id:7"))
        run(ingest, "customers", "us", with_tags=("prod", "project_id: 12"))
        run(ingest.with_options(flow_run_name="in 50%_done", version="3"), with_tags=("dev",))
        run(ingest)
        run(parent, with_tags=("prod", "tree"))
        run(stumble, with_tags=("dev", "nightly"))
        run(many)
        wait_until_recorded(client)


def run(one: Any, *arguments: Any, with_tags: tuple[str, ...] = ()) -> None:
    with tags(*with_tags), suppress(Exception):
        one(*arguments, return_state=True)


def deploy(client: Any) -> None:
    """Schedule runs, late ones too, on the bare HTTP client: the typed calls changed with the versions."""
    send(client, "/work_pools/", name="old-pool", type="process")
    schedule = {"interval": 86_400, "anchor_date": (NOW + timedelta(hours=12)).isoformat()}
    deployment = send(
        client,
        "/deployments/",
        name="nightly",
        flow_id=send(client, "/flows/", name="ingest")["id"],
        tags=["prod"],
        work_pool_name="old-pool",
        enforce_parameter_schema=False,
        schedules=[{"schedule": schedule, "active": SCHEDULES}],
    )
    if SCHEDULES:
        send(client, f"/deployments/{deployment['id']}/schedule")  # before the server's own service does
    for hours in (-2, -1, 2, 5):
        details = {"scheduled_time": (NOW + timedelta(hours=hours)).isoformat()}
        state = {"type": "SCHEDULED", "name": "Scheduled", "state_details": details}
        send(client, f"/deployments/{deployment['id']}/create_flow_run", state=state, tags=["dev"])


def send(client: Any, path: str, **body: Any) -> Any:
    answer = client._client.post(path, json=body)
    return answer.json() if answer.content else None


def wait_until_recorded(client: Any) -> None:
    """Wait until the counts of all states stay as they are and what is late is marked so."""
    seen: list[tuple[int, ...]] = []
    deadline = time.monotonic() + PATIENCE
    while len(seen) < STEADY or len({*seen[-STEADY:]}) > 1 or not seen[-1][0] or seen[-1][1]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"The server did not record all runs: {seen[-1]}")
        time.sleep(0.5)
        seen.append(
            (
                counted(client, "flow_runs", ["Late"]),
                counted(client, "task_runs", ["Pending", "Running", "Retrying", "AwaitingRetry"]),
                counted(client, "flow_runs"),
                counted(client, "task_runs"),
            )
        )


def counted(client: Any, table: str, names: list[str] | None = None) -> int:
    return int(send(client, f"/{table}/count", **({table: {"state": {"name": {"any_": names}}}} if names else {})))


if __name__ == "__main__":
    main()
