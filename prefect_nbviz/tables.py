"""The columns of the tables that answer a question about runs, as `schema` has those of what is read."""

from __future__ import annotations

from prefect_nbviz.schema import (
    COUNT,
    DURATION,
    FLAG,
    FLAG_IF_KNOWN,
    NUMBER,
    REPEATED_TEXT,
    STATE_TYPE,
    TEXT,
    TIME,
    TUPLE,
    Column,
)

FAILURES = (
    Column("pattern", TEXT, "what the states say, with what varies masked; missing if they say nothing"),
    Column("runs", COUNT, "how many runs failed or crashed with it"),
    Column("state_names", TUPLE, "names of their states, a tuple of text"),
    Column("flow_names", TUPLE, "names of their flows, a tuple of text"),
    Column("task_keys", TUPLE, "keys of their tasks, a tuple of text; empty for flow runs"),
    Column("first_seen", TIME, "when the first of them ended, or started, or was to start if it has no such time"),
    Column("last_seen", TIME, "likewise, the last of them"),
    Column("example_run_id", TEXT, "id of the last of them"),
    Column("example_message", TEXT, "what the state of that run says, whole"),
)

TIME_SPENT = (
    Column("runs", COUNT, "how many runs"),
    Column("open_runs", COUNT, "how many of them are still in their last state, until as_of"),
    Column("scheduled", DURATION, "type SCHEDULED, name Scheduled: not due yet, or not marked Late yet"),
    Column("late", DURATION, "type SCHEDULED, name Late: the server marks it some seconds after the expected start"),
    Column("awaiting_slot", DURATION, "type SCHEDULED, name AwaitingConcurrencySlot"),
    Column("awaiting_retry", DURATION, "type SCHEDULED, name AwaitingRetry"),
    Column("pending", DURATION, "type PENDING, any name"),
    Column("running", DURATION, "type RUNNING, any name, so Retrying too"),
    Column("paused", DURATION, "type PAUSED, any name, so Suspended too"),
    Column("cancelling", DURATION, "type CANCELLING"),
    Column(
        "other", DURATION, "what is left: SCHEDULED by other names, from an end to a start after it, no stay at all"
    ),
    Column("spent", DURATION, "total - scheduled, since a schedule makes its runs days before they are due"),
    Column("total", DURATION, "from the first state to the end of the last stay, of each run, summed"),
)

LATENESS = (
    Column("runs", COUNT, "how many runs have a lateness; all that follows is of these"),
    Column("waiting", COUNT, "how many of them have not started yet, and count until as_of"),
    Column("without_lateness", COUNT, "how many more have none: not due yet, or ended without a start"),
    Column("late", COUNT, "how many have a lateness that is longer than the threshold"),
    Column("late_share", NUMBER, "late / runs, from 0 to 1; missing where runs is 0"),
    Column("p50", DURATION, "median of the lateness; missing where runs is 0, as are p95 and max"),
    Column("p95", DURATION, "95th percentile of the lateness"),
    Column("max", DURATION, "longest lateness"),
)

SCHEDULE_GAPS = (
    Column("deployment_id", TEXT, "id of the deployment"),
    Column("flow_name", REPEATED_TEXT, "name of its flow"),
    Column("deployment_name", REPEATED_TEXT, "name of the deployment"),
    Column("gap_start", TIME, "expected start of the last run before the gap"),
    Column("gap_end", TIME, "expected start of the first run after it; until if is_open"),
    Column("length", DURATION, "gap_end - gap_start"),
    Column("median_spacing", DURATION, "median of the lengths between the expected starts that follow each other"),
    Column("missing_runs", COUNT, "runs that would have been due in between at that spacing"),
    Column("is_open", FLAG, "whether no run follows"),
)

CONCURRENCY = (
    Column("group", REPEATED_TEXT, "the value that is counted apart, as text; missing if there is none"),
    Column("time", TIME, "when the number changed"),
    Column("running", COUNT, "how many runs were running from then on, until the next row of the group"),
)

CONCURRENCY_TABLE = (
    Column("group", REPEATED_TEXT, "that of CONCURRENCY"),
    Column("most", COUNT, "the most runs that were running at once"),
    Column("most_since", TIME, "when they first were that many"),
    Column("mean", NUMBER, "how many were running on average over the time from the first to the last of all groups"),
)

CRITICAL_PATH = (
    Column("task_run_id", TEXT, "id of the task run"),
    Column("name", TEXT, "name of the task run"),
    Column("state_type", STATE_TYPE, "type of its state"),
    Column("state_name", REPEATED_TEXT, "name of its state"),
    Column("start_time", TIME, "when it first ran; end_time if it never did; missing if it has not ended"),
    Column("end_time", TIME, "when it ended; missing if it has not ended"),
    Column("duration", DURATION, "end_time - start_time, with waits between attempts"),
    Column("waited_for", TEXT, "id of the recorded upstream task run that was ready last; missing if none is recorded"),
    Column("ready_time", TIME, "when that one had ended, or started if it runs around this one"),
    Column("wait", DURATION, "start_time - ready_time"),
    Column("path_place", COUNT, "place on the critical path, from 1; 0 if it is not on it"),
    Column("slack", DURATION, "how much longer it could have taken without moving the end"),
    Column("saving", DURATION, "how much earlier the end would have been, had it taken no time"),
)

RUN_GRID = (
    Column("flow_name", REPEATED_TEXT, "name of the flow"),
    Column("flow_run_id", TEXT, "id of the flow run"),
    Column("flow_run_name", REPEATED_TEXT, "name of the flow run"),
    Column("flow_run_time", TIME, "when it started, or was to start; if its row is not known, when its first task was"),
    Column(
        "flow_run_duration",
        DURATION,
        "its duration; if its row is not known, from the first start to the last end of its task runs",
    ),
    Column("flow_state_type", STATE_TYPE, "type of its state; missing if its row is not known"),
    Column("flow_state_name", REPEATED_TEXT, "name of its state; missing if its row is not known"),
    Column("is_flow_run_known", FLAG, "whether the row of the flow run was there"),
    Column("task", REPEATED_TEXT, "name of the task, without the hash of its code; missing if there is no task run"),
    Column("task_place", COUNT, "place of the task in the usual order of its flow, from 1; 0 if there is no task run"),
    Column("task_keys", TUPLE, "keys of the task, a tuple of text: other code has another"),
    Column("runs", COUNT, "how many task runs; a mapped task has many, a flow run that ran no task 0"),
    Column("state_type", STATE_TYPE, "the worst state type of them, in the order of `WORST_FIRST`"),
    Column("state_name", REPEATED_TEXT, "name of most states of that type; of as many, the first in the alphabet"),
    Column("failed", COUNT, "how many of them failed or crashed"),
    Column("attempts", COUNT, "the largest run_count of them"),
    Column("start_time", TIME, "when the first of them started"),
    Column("end_time", TIME, "when the last of them ended; missing while one has not ended"),
    Column("duration", DURATION, "end_time - start_time: the time that passed, however many ran at once"),
    Column("summed_duration", DURATION, "the sum of the durations of those that have one; missing if none has"),
    Column("task_run_ids", TUPLE, "their ids, a tuple of text, in the order of their start"),
)

COMPARISON = (
    Column("runs_before", COUNT, "how many runs before"),
    Column("runs_after", COUNT, "how many runs after"),
    Column("left_out_before", COUNT, "how many of them do not count for durations"),
    Column("left_out_after", COUNT, "likewise after"),
    Column("timed_before", COUNT, "how many units have a duration"),
    Column("timed_after", COUNT, "likewise after"),
    Column("p50_before", DURATION, "median of the durations of the units; missing where none has one"),
    Column("p50_after", DURATION, "likewise after"),
    Column("change", DURATION, "p50_after - p50_before"),
    Column("change_low", DURATION, "lower end of an interval that holds the true change with about 95%"),
    Column("change_high", DURATION, "upper end of it"),
    Column("ratio", NUMBER, "p50_after / p50_before"),
    Column(
        "longer_share",
        NUMBER,
        "of all pairs of a unit before and one after, the share in which that after took longer, equal ones half",
    ),
    Column("p_duration", NUMBER, "p-value of the durations: Mann-Whitney U, two-sided"),
    Column("p_duration_holm", NUMBER, "the same, corrected by Holm for all tests of the table"),
    Column("ended_before", COUNT, "how many units have a run that completed, failed or crashed"),
    Column("ended_after", COUNT, "likewise after"),
    Column("failed_before", COUNT, "in how many of these a run failed or crashed"),
    Column("failed_after", COUNT, "likewise after"),
    Column("p_failure", NUMBER, "p-value of the failures: Fisher's exact test, two-sided"),
    Column("p_failure_holm", NUMBER, "the same, corrected by Holm for all tests of the table"),
    Column("task_keys_before", TUPLE, "keys of the task, a tuple of text; empty for flow runs"),
    Column("task_keys_after", TUPLE, "likewise after"),
    Column(
        "code_changed", FLAG_IF_KNOWN, "whether the keys say that the code of the task differs; missing: they do not"
    ),
    Column("finding", REPEATED_TEXT, "what can be said: new, gone, or of slower, faster, fails more and fails less"),
)

PARAMETER_DIFFERENCES = (
    Column("parameter", TEXT, "its name; of one inside of another its path"),
    Column("values_before", TUPLE, "its distinct values as JSON text, a tuple, that of most runs first"),
    Column("runs_before", TUPLE, "how many runs have each of them, a tuple of numbers"),
    Column("without_before", COUNT, "how many runs have none"),
    Column("values_after", TUPLE, "likewise after"),
    Column("runs_after", TUPLE, "likewise after"),
    Column("without_after", COUNT, "likewise after"),
)
