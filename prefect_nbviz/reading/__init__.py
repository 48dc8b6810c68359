"""Reading runs and their states from a Prefect server."""

from prefect_nbviz.reading.connection import Connection
from prefect_nbviz.reading.futures import read_futures
from prefect_nbviz.reading.histories import read_states
from prefect_nbviz.reading.logs import read_logs
from prefect_nbviz.reading.offers import Offers, read_offers
from prefect_nbviz.reading.runs import read_flow_runs, read_state_type_counts, read_task_runs
from prefect_nbviz.reading.tallies import count_runs, read_run_counts

__all__ = [
    "Connection",
    "Offers",
    "count_runs",
    "read_flow_runs",
    "read_futures",
    "read_logs",
    "read_offers",
    "read_run_counts",
    "read_state_type_counts",
    "read_states",
    "read_task_runs",
]
