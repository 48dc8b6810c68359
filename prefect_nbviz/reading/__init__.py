"""Reading runs and their states from a Prefect server."""

from prefect_nbviz.reading.connection import Connection
from prefect_nbviz.reading.histories import read_states
from prefect_nbviz.reading.runs import read_flow_runs, read_state_type_counts, read_task_runs

__all__ = ["Connection", "read_flow_runs", "read_state_type_counts", "read_states", "read_task_runs"]
