"""Sample flows and tasks, one for every kind of state that Prefect's own engine gives."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

from prefect import flow, task
from prefect.cache_policies import INPUTS
from prefect.client.schemas.objects import State
from prefect.flow_runs import pause_flow_run
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

DAY = 86_400
FIT_RETRIES = 2
PARTITIONS = 3
SOUND_VERSION, BROKEN_VERSION = "1.4", "1.5"
QUICK_VERSION, SLOW_VERSION = "2.0", "2.1"
REFUNDED_ORDERS = (4711, 4712, 4713)
HOSTILE_NAME = "<img src=x onerror=alert(1)>"
"""The name of one flow run and one task run: names come from strangers."""
_ASKED = itertools.count(1)
RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=4)


@task(tags=["etl"])
def extract(source: str, rows: int) -> list[int]:
    """Give the rows of a source."""
    time.sleep(0.05 * len(source) / 10)
    return [*range(rows)]


@task(tags=["etl", "cpu"])
def transform(row: int) -> int:
    """Change a row, some slower than others."""
    time.sleep(0.02 * (row % 5))
    return row * row


@task(tags=["etl", "warehouse"])
def load(rows: list[int]) -> int:
    """Write rows."""
    time.sleep(0.1)
    return len(rows)


@flow(name="daily_ingest", task_runner=RUNNER)
def daily_ingest(source: str = "orders", rows: int = 24) -> int:
    """Extract, transform every row as a mapped task, load."""
    return load(transform.map(extract(source, rows)).result())


@task(cache_policy=INPUTS, persist_result=True, tags=["features"])
def load_features(version: int) -> int:
    """Read features; the second run with the same version finds them in the cache."""
    time.sleep(0.4)
    return version


@task(retries=FIT_RETRIES, retry_delay_seconds=2, tags=["gpu"])
def fit(features: int) -> int:
    """Lose the connection twice, then fit."""
    time.sleep(0.2)
    if task_run.run_count <= FIT_RETRIES:
        raise ConnectionError(f"parameter server lost at step {task_run.run_count}00")
    return features


@task(tags=["gpu"])
def evaluate(model: int) -> int:
    """Judge a model."""
    time.sleep(0.1)
    return model


@flow(name="train_model")
def train_model(features: int = 7) -> int:
    """Train with features that may be cached and a fit that is retried."""
    return evaluate(fit(load_features(features)))


@task(tags=["billing"])
def sum_orders(order: int) -> int:
    """Add the lines of an order up, and stumble over a refund."""
    time.sleep(0.1)
    if order in REFUNDED_ORDERS:
        raise ValueError(f"negative amount in order {order}")
    return order


@task(tags=["billing", "mail"])
def send_invoice(total: int) -> int:
    """Send an invoice; it is never ready when the sum failed."""
    return total


@flow(name="billing_rollup", task_runner=RUNNER)
def billing_rollup(orders: Sequence[int]) -> list[int]:
    """Sum and invoice every order."""
    sums = [sum_orders.submit(order) for order in orders]
    return [invoice.result() for invoice in send_invoice.map(sums)]


@task(timeout_seconds=1, tags=["reports"])
def render_pages(pages: int) -> int:
    """Render pages, a tenth of a second each, but for one second at most."""
    for _ in range(pages):
        time.sleep(0.1)
    return pages


@flow(name="export_report")
def export_report(pages: int = 3) -> int:
    """Render a report and load its size."""
    return load([render_pages(pages)])


@flow(name="export_archive", timeout_seconds=1)
def export_archive() -> None:
    """Take longer than the flow itself may."""
    for _ in range(40):
        time.sleep(0.1)


@flow(name="sync_inventory", retries=1, retry_delay_seconds=1)
def sync_inventory(rows: int = 3) -> int:
    """Fail on the first attempt, pass on the second."""
    read = extract("inventory", rows)
    if flow_run.run_count == 1:
        raise TimeoutError("warehouse did not answer within 30 s")
    return load(read)


@task(tags=["search"])
def build_index(shards: int) -> None:
    """Leave the process in the middle of the work, as an out-of-memory kill would."""
    time.sleep(0.1 * shards)
    raise SystemExit(137)


@flow(name="reindex_search")
def reindex_search(shards: int = 2) -> None:
    """Crash."""
    build_index(shards)


@task(tags=["market"])
def fetch_prices(market: str) -> int:
    """Ask a vendor who refuses every other time: it is flaky."""
    time.sleep(0.1)
    if next(_ASKED) % 2 == 0:
        raise ConnectionError(f"the vendor of {market} answered 503")
    return len(market)


@flow(name="price_feed")
def price_feed(market: str = "FX") -> int:
    """Fetch prices and write them."""
    return load([fetch_prices(market)])


@task(tags=["shop"])
def check_columns(columns: Sequence[str]) -> int:
    """Miss a column that the new version no longer makes: it is broken."""
    time.sleep(0.1)
    if flow_run.flow_version == BROKEN_VERSION:
        raise KeyError(f"no column 'sku' among {len(columns)}")
    return len(columns)


@flow(name="publish_catalog", version=BROKEN_VERSION)
def publish_catalog(columns: Sequence[str] = ("name", "price")) -> int:
    """Check what is to be published and write it."""
    return load([check_columns(columns)])


@task(tags=["scores"])
def load_history(customers: int) -> list[int]:
    """Give what customers bought."""
    time.sleep(0.05)
    return [*range(customers)]


@task(tags=["scores", "cpu"])
def score(history: Sequence[int], customer: int) -> int:
    """Score a customer, which the new version does slowly; the first one bought most."""
    time.sleep((0.3 if flow_run.flow_version == SLOW_VERSION else 0.05) * (1 if customer else 2))
    return len(history)


@task(tags=["scores"])
def rank(scores: Sequence[int]) -> int:
    """Put customers in order."""
    time.sleep(0.05)
    return sum(scores)


@flow(name="score_customers", version=SLOW_VERSION, task_runner=RUNNER)
def score_customers(customers: int = 2) -> int:
    """Score every customer, then rank them: who waits for whom is recorded."""
    history: Any = load_history.submit(customers)
    scores: Any = [score.submit(history, one) for one in range(customers)]
    return rank.submit(scores).result()


@task(tags=["etl"])
def purge(bucket: str) -> State[Any]:
    """Call itself off."""
    return Cancelled(message=f"{bucket} is under legal hold")


@flow(name="cleanup_files")
def cleanup_files(bucket: str = "raw-2024") -> State[Any]:
    """Call itself off when its task does."""
    purge(bucket, return_state=True)
    return Cancelled(message="called off by the operator")


@flow(name="nightly_batch")
def nightly_batch() -> None:
    """Run two subflows, of which one fails."""
    daily_ingest("customers", 12)
    export_report(20, return_state=True)


@task(tags=["stream"])
def consume(partition: int) -> int:
    """Read a stream that does not end."""
    time.sleep(DAY)
    return partition


@flow(name="probe")
def probe() -> None:
    """Run one task whose name is not to be trusted."""
    load.with_options(task_run_name=HOSTILE_NAME)([1])


@flow(name="stream_events", task_runner=RUNNER)
def stream_events(partitions: int = PARTITIONS) -> None:
    """Go on until the process is ended."""
    load(extract("events", 5))
    for future in consume.map(range(partitions)):
        future.wait()


@flow(name="approve_release")
def approve_release(version: str = "2.4.0") -> None:
    """Wait for a person who does not come."""
    extract(version, 2)
    pause_flow_run(timeout=DAY, poll_interval=60)
