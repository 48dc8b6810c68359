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

LEAF_FAILURES = (
    Column("run_kind", REPEATED_TEXT, "flow_run or task_run"),
    Column("run_id", TEXT, "flow_run_id or task_run_id, as run_kind says"),
    Column("run_name", TEXT, "name of the run"),
    Column("flow_run_id", TEXT, "the flow run itself, or the one that a task run belongs to"),
    Column("flow_name", REPEATED_TEXT, "name of the flow of that"),
    Column("task_key", REPEATED_TEXT, "key of the task; missing for flow runs"),
    Column("state_type", STATE_TYPE, "FAILED or CRASHED"),
    Column("state_name", REPEATED_TEXT, "name of the state, such as Failed, TimedOut, Crashed"),
    Column("message", REPEATED_TEXT, "what the state says; missing if it says nothing"),
    Column("pattern", REPEATED_TEXT, "that of FAILURES"),
    Column("failed_time", TIME, "when it ended, or started, or was to start if it has no such time"),
    Column("run_count", COUNT, "how many attempts it had"),
    Column("path", TUPLE, "from the root down to it, a tuple of text: flows by their names, task runs by theirs"),
    Column(
        "is_whole_path", FLAG, "whether the frames surely hold all that it is within; if not, path has what they hold"
    ),
    Column("root_flow_run_id", TEXT, "id of the flow run that it is all within; missing if that is not in the frames"),
    Column("root_flow_run_name", TEXT, "name of that"),
    Column("root_state_type", STATE_TYPE, "type of the state of that; COMPLETED: it was put up with"),
    Column("brought_down", COUNT, "how many other runs of the frames failed or crashed because of it, or may have"),
    Column("brought_down_ids", TUPLE, "their ids, a tuple of text"),
    Column("held_back", COUNT, "how many runs of the frames never began because of it: their state is NotReady"),
    Column("other_messages", TUPLE, "what those that it brought down say of their own, a tuple of text"),
    Column("is_deepest", FLAG, "whether the frames hold all runs that could have brought it down, and none did"),
)

FAILURE_RATES = (
    Column("runs", COUNT, "how many runs"),
    Column("ended", COUNT, "how many of them passed or failed: completed + failed + crashed"),
    Column("completed", COUNT, "how many are COMPLETED"),
    Column("failed", COUNT, "how many are FAILED, so TimedOut too"),
    Column("crashed", COUNT, "how many are CRASHED"),
    Column("cancelled", COUNT, "how many are CANCELLED, which is neither"),
    Column("not_ended", COUNT, "how many are in any other state"),
    Column(
        "failed_share", NUMBER, "(failed + crashed) / ended, from 0 to 1; missing where ended is 0, as are the next"
    ),
    Column("low", NUMBER, "lower end of the 95 % Wilson interval of the share"),
    Column("high", NUMBER, "upper end of it"),
)

OUTAGES = (
    Column("began", TIME, "when the first run failed: end_time"),
    Column("recovered", TIME, "when the first run after it completed: end_time; as_of if is_open"),
    Column("length", DURATION, "recovered - began"),
    Column("is_open", FLAG, "whether none has completed since"),
    Column("failed_runs", COUNT, "how many runs failed or crashed in it"),
    Column("first_run_id", TEXT, "id of the run that failed first"),
    Column("recovered_by", TEXT, "id of the run that completed; missing if is_open"),
)

RECOVERY = (
    Column("runs", COUNT, "how many runs completed, failed or crashed"),
    Column("outages", COUNT, "how many outages there are, that which is open among them"),
    Column("is_down", FLAG, "whether the last outage is open: no run has completed since it began"),
    Column("down_since", TIME, "when that began; missing unless is_down"),
    Column("median", DURATION, "median of the lengths, until as_of of that which is open; missing without outages"),
    Column("p95", DURATION, "95th percentile of them; likewise"),
    Column("longest", DURATION, "the longest of them; likewise"),
    Column("down", DURATION, "sum of them"),
    Column("observed", DURATION, "from the first end of a run to as_of"),
    Column("between_failures", DURATION, "(observed - down) / outages: time up for each outage; missing without"),
)

FLAKY_TASKS = (
    Column("flow_name", REPEATED_TEXT, "name of the flow that it ran in; missing if it ran outside of one"),
    Column("task_key", REPEATED_TEXT, "key of the task, which changes with its code"),
    Column("verdict", REPEATED_TEXT, "broken, flaky or stable"),
    Column("since", TIME, "expected start of the flow run with which that began; missing if stable"),
    Column("is_current", FLAG, "whether it was in the last flow run that had a task of its name in that flow"),
    Column("runs", COUNT, "how many task runs completed, failed or crashed"),
    Column("failed_runs", COUNT, "how many of them failed or crashed"),
    Column("passed_after_retry", COUNT, "how many of them completed with a run_count above 1"),
    Column("flow_runs", COUNT, "how many flow runs have one of them"),
    Column("failed_flow_runs", COUNT, "how many of those have one that failed or crashed"),
    Column("passed_next_time", COUNT, "how often a flow run without a failure followed one with, of the same version"),
    Column("longest_recovered", COUNT, "the most flow runs with a failure in a row that such a one ever followed"),
    Column("failing_now", COUNT, "how many of the last flow runs in a row have a failure"),
    Column("last_run", TIME, "expected start of the last flow run"),
)
