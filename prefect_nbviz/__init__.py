"""Explore what happened to your Prefect runs: DataFrames that are complete or say what is missing, and charts.

See the README for a tour; `help(prefect_nbviz.read_task_runs)` for what a read gives.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_nbviz.analysis.comparison import compare_runs
    from prefect_nbviz.analysis.concurrency import concurrency_steps, concurrency_table
    from prefect_nbviz.analysis.counts import run_counts
    from prefect_nbviz.analysis.critical_path import critical_path
    from prefect_nbviz.analysis.durations import duration_table, duration_trend
    from prefect_nbviz.analysis.failure_rates import failure_rates
    from prefect_nbviz.analysis.failures import failure_table
    from prefect_nbviz.analysis.flaky_tasks import flaky_tasks
    from prefect_nbviz.analysis.grid import run_grid
    from prefect_nbviz.analysis.intervals import state_intervals
    from prefect_nbviz.analysis.lateness import lateness_table, schedule_gaps
    from prefect_nbviz.analysis.leaf_failures import leaf_failures
    from prefect_nbviz.analysis.outliers import duration_outliers
    from prefect_nbviz.analysis.parameter_differences import parameter_differences
    from prefect_nbviz.analysis.recovery import outages, recovery_table
    from prefect_nbviz.analysis.spent import time_spent
    from prefect_nbviz.analysis.suspects import suspect_runs
    from prefect_nbviz.analysis.value_columns import parameter_columns, tag_columns
    from prefect_nbviz.charts.comparison import plot_comparison
    from prefect_nbviz.charts.concurrency import plot_concurrency
    from prefect_nbviz.charts.counts import plot_state_counts
    from prefect_nbviz.charts.critical_path import plot_critical_path
    from prefect_nbviz.charts.durations import plot_durations
    from prefect_nbviz.charts.failure_rates import plot_failure_rates
    from prefect_nbviz.charts.graph import plot_flow_run_graph
    from prefect_nbviz.charts.grid import plot_run_grid
    from prefect_nbviz.charts.history import plot_run_counts
    from prefect_nbviz.charts.lateness import plot_lateness
    from prefect_nbviz.charts.outages import plot_outages
    from prefect_nbviz.charts.spent import plot_time_spent
    from prefect_nbviz.charts.timeline import plot_state_timeline
    from prefect_nbviz.charts.trend import plot_duration_trend
    from prefect_nbviz.magics import load_ipython_extension
    from prefect_nbviz.query import FlowRunQuery, TaskRunQuery, query_from_json
    from prefect_nbviz.reading.checking import check
    from prefect_nbviz.reading.connection import Connection
    from prefect_nbviz.reading.futures import read_futures
    from prefect_nbviz.reading.graph import read_flow_run_graph
    from prefect_nbviz.reading.histories import read_states
    from prefect_nbviz.reading.logs import read_logs
    from prefect_nbviz.reading.runs import read_flow_runs, read_state_type_counts, read_task_runs
    from prefect_nbviz.reading.tallies import count_runs, read_run_counts
    from prefect_nbviz.reporting.report import report
    from prefect_nbviz.widgets.explorer import RunExplorer, explore
    from prefect_nbviz.widgets.timeline import StateTimeline
    from prefect_nbviz.widgets.watch import TaskWatch, watch

__version__ = "0.1.0"

_HOMES = {
    "Connection": "reading.connection",
    "FlowRunQuery": "query",
    "RunExplorer": "widgets.explorer",
    "StateTimeline": "widgets.timeline",
    "TaskRunQuery": "query",
    "TaskWatch": "widgets.watch",
    "check": "reading.checking",
    "compare_runs": "analysis.comparison",
    "concurrency_steps": "analysis.concurrency",
    "concurrency_table": "analysis.concurrency",
    "count_runs": "reading.tallies",
    "critical_path": "analysis.critical_path",
    "duration_outliers": "analysis.outliers",
    "duration_table": "analysis.durations",
    "duration_trend": "analysis.durations",
    "explore": "widgets.explorer",
    "failure_rates": "analysis.failure_rates",
    "failure_table": "analysis.failures",
    "flaky_tasks": "analysis.flaky_tasks",
    "lateness_table": "analysis.lateness",
    "leaf_failures": "analysis.leaf_failures",
    "load_ipython_extension": "magics",
    "outages": "analysis.recovery",
    "parameter_columns": "analysis.value_columns",
    "parameter_differences": "analysis.parameter_differences",
    "plot_comparison": "charts.comparison",
    "plot_concurrency": "charts.concurrency",
    "plot_critical_path": "charts.critical_path",
    "plot_duration_trend": "charts.trend",
    "plot_durations": "charts.durations",
    "plot_failure_rates": "charts.failure_rates",
    "plot_flow_run_graph": "charts.graph",
    "plot_lateness": "charts.lateness",
    "plot_outages": "charts.outages",
    "plot_run_counts": "charts.history",
    "plot_run_grid": "charts.grid",
    "plot_state_counts": "charts.counts",
    "plot_state_timeline": "charts.timeline",
    "plot_time_spent": "charts.spent",
    "query_from_json": "query",
    "read_flow_run_graph": "reading.graph",
    "read_flow_runs": "reading.runs",
    "read_futures": "reading.futures",
    "read_logs": "reading.logs",
    "read_run_counts": "reading.tallies",
    "read_state_type_counts": "reading.runs",
    "read_states": "reading.histories",
    "read_task_runs": "reading.runs",
    "recovery_table": "analysis.recovery",
    "report": "reporting.report",
    "run_counts": "analysis.counts",
    "run_grid": "analysis.grid",
    "schedule_gaps": "analysis.lateness",
    "state_intervals": "analysis.intervals",
    "suspect_runs": "analysis.suspects",
    "tag_columns": "analysis.value_columns",
    "time_spent": "analysis.spent",
    "watch": "widgets.watch",
}
"""Where each public name lives: it is imported when first used, since Prefect, plotly and the widgets take seconds."""

__all__ = [
    "Connection",
    "FlowRunQuery",
    "RunExplorer",
    "StateTimeline",
    "TaskRunQuery",
    "TaskWatch",
    "check",
    "compare_runs",
    "concurrency_steps",
    "concurrency_table",
    "count_runs",
    "critical_path",
    "duration_outliers",
    "duration_table",
    "duration_trend",
    "explore",
    "failure_rates",
    "failure_table",
    "flaky_tasks",
    "lateness_table",
    "leaf_failures",
    "load_ipython_extension",
    "outages",
    "parameter_columns",
    "parameter_differences",
    "plot_comparison",
    "plot_concurrency",
    "plot_critical_path",
    "plot_duration_trend",
    "plot_durations",
    "plot_failure_rates",
    "plot_flow_run_graph",
    "plot_lateness",
    "plot_outages",
    "plot_run_counts",
    "plot_run_grid",
    "plot_state_counts",
    "plot_state_timeline",
    "plot_time_spent",
    "query_from_json",
    "read_flow_run_graph",
    "read_flow_runs",
    "read_futures",
    "read_logs",
    "read_run_counts",
    "read_state_type_counts",
    "read_states",
    "read_task_runs",
    "recovery_table",
    "report",
    "run_counts",
    "run_grid",
    "schedule_gaps",
    "state_intervals",
    "suspect_runs",
    "tag_columns",
    "time_spent",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'prefect_nbviz' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"prefect_nbviz.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
