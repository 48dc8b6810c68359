"""The columns of every frame that this package gives: name, dtype, meaning.

Times are UTC with microseconds, durations are timedeltas in microseconds, `state_type` is an
ordered categorical in the order of a run's life, text that repeats is categorical, and tags
and upstream ids are tuples of text (so that a frame can be de-duplicated and exploded).
"""

from __future__ import annotations

from dataclasses import dataclass

from prefect_nbviz.states import STATE_TYPES

TEXT = "str"
REPEATED_TEXT = "category"
STATE_TYPE = "state_type"
TIME = "datetime64[us, UTC]"
DURATION = "timedelta64[us]"
COUNT = "int64"
NUMBER = "float64"
FLAG = "bool"
FLAG_IF_KNOWN = "boolean"
TUPLE = "object"


@dataclass(frozen=True)
class Column:
    """One column of a frame."""

    name: str
    """Its name, the same in every frame that has it, so that frames join without renaming."""

    dtype: str
    """Its pandas dtype; `STATE_TYPE` stands for the ordered categorical of `states.STATE_TYPES`."""

    meaning: str
    """What it holds, with its unit; which field of the server's answer it comes from."""


_STATE = (
    Column("state_type", STATE_TYPE, "type of the present state: " + ", ".join(STATE_TYPES)),
    Column("state_name", REPEATED_TEXT, "name of the present state, such as Late, AwaitingRetry, TimedOut"),
    Column(
        "state_message", REPEATED_TEXT, "what the present state says, such as the error; missing if it says nothing"
    ),
)
_STATE_ID = Column("state_id", TEXT, "id of the present state; histories only grow, so that with it none has changed")

_TIMES = (
    Column("expected_start_time", TIME, "when it was meant to start; a task run: when it became Pending"),
    Column("start_time", TIME, "when it first ran; missing if it never did"),
    Column("end_time", TIME, "when it reached its final state; missing while it has none"),
    Column("duration", DURATION, "end_time - start_time, with waits between attempts; missing until both stand"),
)

FLOW_RUNS = (
    Column("flow_run_id", TEXT, "id of the flow run"),
    Column("name", TEXT, "name of the flow run"),
    Column("flow_name", REPEATED_TEXT, "name of its flow"),
    Column("deployment_name", REPEATED_TEXT, "name of its deployment; missing if it has none"),
    *_STATE,
    *_TIMES,
    Column(
        "lateness",
        DURATION,
        "start_time - expected_start_time, never below zero; of a run that still waits, as_of - "
        "expected_start_time once that has passed; missing for others",
    ),
    Column("run_count", COUNT, "how many times it entered a running state"),
    Column("tags", TUPLE, "its tags, a tuple of text"),
    Column("parameters", TEXT, "its parameters, as JSON text"),
    Column("work_pool_name", REPEATED_TEXT, "name of its work pool; missing if it has none"),
    Column("work_queue_name", REPEATED_TEXT, "name of its work queue; missing if it has none"),
    Column("parent_task_run_id", TEXT, "of a subflow run, the task run in its parent that stands for it"),
    Column("auto_scheduled", FLAG, "whether a schedule made it"),
    Column("flow_version", REPEATED_TEXT, "version of its flow"),
    Column("created", TIME, "when the server made its record"),
    Column("updated", TIME, "when the server last changed its record"),
    Column("flow_id", TEXT, "id of its flow"),
    Column("deployment_id", TEXT, "id of its deployment"),
    Column("work_pool_id", TEXT, "id of its work pool"),
    Column("work_queue_id", TEXT, "id of its work queue"),
    _STATE_ID,
)

TASK_RUNS = (
    Column("task_run_id", TEXT, "id of the task run"),
    Column("flow_run_id", TEXT, "id of its flow run; missing for a task that ran outside a flow"),
    Column("flow_run_name", REPEATED_TEXT, "name of its flow run"),
    Column("flow_name", REPEATED_TEXT, "name of the flow of its flow run"),
    Column("name", TEXT, "name of the task run"),
    Column("task_key", REPEATED_TEXT, "key of its task, the same in every run of the same code"),
    *_STATE,
    *_TIMES,
    Column("run_count", COUNT, "how many times it entered a running state"),
    Column("tags", TUPLE, "its tags, a tuple of text"),
    Column("upstream_task_run_ids", TUPLE, "ids of the task runs whose results it took, a tuple of text"),
    _STATE_ID,
)

RUNS = {"flow_run": FLOW_RUNS, "task_run": TASK_RUNS}
"""The columns of the runs of each kind."""

STATES = (
    Column("run_kind", REPEATED_TEXT, "flow_run or task_run"),
    Column("run_id", TEXT, "flow_run_id or task_run_id, as run_kind says"),
    Column("run_name", TEXT, "name of the run"),
    Column("flow_run_id", TEXT, "the flow run itself, or the one that a task run belongs to"),
    Column("state_type", STATE_TYPE, "type of the state"),
    Column("state_name", REPEATED_TEXT, "name of the state"),
    Column("timestamp", TIME, "when the run entered it"),
    Column("message", TEXT, "what it says, such as the error; missing if it says nothing"),
    Column("scheduled_time", TIME, "of a scheduled state, when the run is to start or to try again"),
    Column(
        "source",
        REPEATED_TEXT,
        "how it was obtained: server (the history that the server keeps) or row (rebuilt from the row of a task run)",
    ),
)

INTERVALS = (
    Column("run_kind", REPEATED_TEXT, "flow_run or task_run"),
    Column("run_id", TEXT, "flow_run_id or task_run_id, as run_kind says"),
    Column("run_name", TEXT, "name of the run"),
    Column("flow_run_id", TEXT, "the flow run itself, or the one that a task run belongs to"),
    Column("state_type", STATE_TYPE, "type of the state stayed in"),
    Column("state_name", REPEATED_TEXT, "name of the state stayed in"),
    Column("attempt", COUNT, "number of the attempt, from 1; a wait for a retry belongs to the attempt it waits for"),
    Column("start_time", TIME, "when the run entered the state"),
    Column("end_time", TIME, "when it left it; as_of if is_open; start_time if the state is terminal"),
    Column("duration", DURATION, "end_time - start_time"),
    Column("is_open", FLAG, "whether the run was still in this state at as_of"),
    Column("message", TEXT, "what the state says, such as the error"),
)

FLOW_RUN_GRAPH = (
    Column("run_kind", REPEATED_TEXT, "flow_run (a subflow) or task_run"),
    Column("run_id", TEXT, "flow_run_id or task_run_id, as run_kind says"),
    Column("run_name", TEXT, "name of the task run; of a subflow the name of its flow, a slash and that of the run"),
    Column("flow_run_id", TEXT, "the subflow run itself, or the flow run that a task run belongs to"),
    Column("state_type", STATE_TYPE, "type of the present state"),
    Column("start_time", TIME, "when it first ran; its expected start if it never did, which the graph does not tell"),
    Column("end_time", TIME, "when it reached its final state; missing while it has none"),
    Column("upstream_run_ids", TUPLE, "ids of the task runs whose results it took, a tuple of text"),
    Column("encapsulating_run_ids", TUPLE, "ids of the task runs that called it, a tuple of text"),
)

LOGS = (
    Column("timestamp", TIME, "when the line was logged"),
    Column("level", COUNT, "its level as a number: 10 DEBUG, 20 INFO, 30 WARNING, 40 ERROR, 50 CRITICAL"),
    Column("level_name", REPEATED_TEXT, "the name of its level; of one without a name, Level and the number"),
    Column("logger_name", REPEATED_TEXT, "name of its logger, such as prefect.task_runs"),
    Column("message", TEXT, "what it says, with the traceback if it has one"),
    Column("flow_run_id", TEXT, "id of the flow run that it is from; missing for a task that ran outside a flow"),
    Column("task_run_id", TEXT, "id of the task run that it is from; missing if it is from the flow run itself"),
)


FUTURES = (
    *TASK_RUNS,
    Column(
        "is_known",
        FLAG_IF_KNOWN,
        "whether the server knows the task run, which it records in the background; missing if that could not be read",
    ),
)

RUN_COUNTS = (
    Column("bin_start", TIME, "beginning of the bin, which it holds"),
    Column("bin_end", TIME, "end of the bin, which it does not hold"),
    Column("state_type", STATE_TYPE, "type of the present state of the runs"),
    Column("state_name", REPEATED_TEXT, "name of the present state of the runs"),
    Column("runs", COUNT, "how many runs were expected to start in the bin and are in that state now"),
)

CHECKS = (
    Column("check", TEXT, "what was looked at"),
    Column("outcome", REPEATED_TEXT, "ok, warning, error or not checked, in this order; not checked: found says why"),
    Column("found", TEXT, "what is there"),
    Column("what_to_do", TEXT, "what helps, as a sentence; missing if there is nothing to do"),
)


def names(columns: tuple[Column, ...]) -> list[str]:
    """Give the names of columns, in their order.

    Examples
    --------
    >>> names(STATES)[:2]
    ['run_kind', 'run_id']
    """
    return [column.name for column in columns]
