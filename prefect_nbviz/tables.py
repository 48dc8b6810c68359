"""The columns of the tables that answer a question about runs, as `schema` has those of what is read."""

from __future__ import annotations

from prefect_nbviz.schema import COUNT, DURATION, FLAG, NUMBER, REPEATED_TEXT, STATE_TYPE, TEXT, TIME, TUPLE, Column

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
    Column(
        "not_ready",
        DURATION,
        "type PENDING, name NotReady: an upstream run failed, and Prefect leaves the run so for good",
    ),
    Column("late", DURATION, "type SCHEDULED, name Late: the server marks it some seconds after the expected start"),
    Column("awaiting_slot", DURATION, "type SCHEDULED, name AwaitingConcurrencySlot"),
    Column("awaiting_retry", DURATION, "type SCHEDULED, name AwaitingRetry"),
    Column("pending", DURATION, "type PENDING, any other name"),
    Column("running", DURATION, "type RUNNING, any name, so Retrying too"),
    Column("paused", DURATION, "type PAUSED, any name, so Suspended too"),
    Column("cancelling", DURATION, "type CANCELLING"),
    Column(
        "other", DURATION, "what is left: SCHEDULED by other names, from an end to a start after it, no stay at all"
    ),
    Column(
        "spent",
        DURATION,
        "total - scheduled - not_ready: a schedule makes its runs days before they are due, and what is not ready never runs",
    ),
    Column("total", DURATION, "from the first state to the end of the last stay, of each run, summed"),
)

DURATION_TREND = (
    Column("bin_start", TIME, "beginning of the bin, which it holds"),
    Column("bin_end", TIME, "end of the bin, which it does not hold"),
    Column(
        "count", COUNT, "how many of the runs that started in the bin have a duration; all that follows is of these"
    ),
    Column("without_duration", COUNT, "how many more have none yet"),
    Column("p10", DURATION, "10th percentile of their durations; missing where count is 0, as are p50 and p90"),
    Column("p50", DURATION, "median of their durations"),
    Column("p90", DURATION, "90th percentile of their durations"),
)

DURATION_OUTLIERS = (
    Column("run_id", TEXT, "flow_run_id, or task_run_id of task runs"),
    Column("run_name", TEXT, "name of the run"),
    Column("start_time", TIME, "when it started"),
    Column("duration", DURATION, "how long it took"),
    Column("median", DURATION, "median of its group"),
    Column("ratio", NUMBER, "duration / median; missing where the median is 0"),
    Column("score", NUMBER, "modified z-score of the logarithm of its duration: above 0 where it took longer"),
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

SUSPECTS = (
    Column("run_kind", REPEATED_TEXT, "flow_run or task_run"),
    Column("run_id", TEXT, "flow_run_id or task_run_id, as run_kind says"),
    Column("run_name", TEXT, "name of the run"),
    Column("flow_name", REPEATED_TEXT, "name of its flow; missing where only its states are known"),
    Column("problem", REPEATED_TEXT, "a word of problems.PROBLEMS"),
    Column("found", TEXT, "what its record says, as a sentence, times in UTC"),
    Column("usual_cause", REPEATED_TEXT, "what leaves such records, with public issues where known"),
    Column("what_to_do", REPEATED_TEXT, "what helps, as a sentence"),
)
