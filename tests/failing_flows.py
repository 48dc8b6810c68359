"""Run flows that fail in the ways in which one failure brings others down, with the environment of a private server."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from prefect import allow_failure, flow, get_client, task
from prefect.runtime import task_run

from prefect_nbviz.demo.flows import _recorded


@task
def read(row: int) -> int:
    if row < 0:
        raise ValueError(f"no row {row}")
    return row


@task
def read_all(rows: list[int]) -> list[int]:
    return [read(row) for row in rows]


@flow
def copy(rows: list[int]) -> list[int]:
    return read_all(rows)


@flow
def load(rows: list[int]) -> list[int]:
    return copy(rows)


@flow
def nightly(rows: list[int]) -> list[int]:
    """Fail three flows and one call deep."""
    return load(rows)


@flow
def tolerant() -> int:
    """Complete though a task failed, and another never began."""
    failed = read.submit(-2)
    read.submit(failed).wait()
    return 1


@task
def report(rows: Any) -> None:
    raise TypeError("nothing to report")


@flow
def reporting() -> None:
    """Fail in a task that takes the failure of another."""
    report(allow_failure(read.submit(-3)))


@flow
def own() -> None:
    """Fail without a task that does."""
    read(1)
    raise RuntimeError("of its own")


@task
def nap() -> None:
    for _ in range(40):
        time.sleep(0.1)


@task(timeout_seconds=1)
def hurry() -> None:
    nap()


@flow
def hurried() -> None:
    """Have a task that is interrupted by the timeout of the one that called it."""
    hurry()


@task
def leave() -> None:
    raise SystemExit(3)


@flow
def leaving() -> None:
    leave()


@flow
def crashing() -> None:
    """Crash by a task of a subflow."""
    leaving()


@task(retries=1)
def unsteady() -> int:
    if task_run.run_count == 1:
        raise ConnectionError("try again")
    return 1


@task
def write(day: int) -> int:
    if day == 1:
        raise OSError("disk is full")
    return day


@task
def close(day: int) -> int:
    if day > 0:
        raise OSError("file is gone")
    return day


@flow
def daily(day: int) -> None:
    """Have a task that passes after a retry, one that passes the next day, and one that never passes again."""
    unsteady()
    write(day, return_state=True)
    close(day)


def main() -> None:
    calls = [nightly, tolerant, reporting, own, hurried, crashing]
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(_run, one, *([[1, -1]] if one is nightly else [])) for one in calls]
        for day in range(3):
            _run(daily, day)
        for run in runs:
            run.result()
    with get_client(sync_client=True) as client:
        _recorded(client)


def _run(one: Any, *arguments: object) -> None:
    with suppress(SystemExit):
        one(*arguments, return_state=True)


if __name__ == "__main__":
    main()
