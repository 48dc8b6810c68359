"""Problems: what the records of runs may show that cannot be right, with the usual cause and what helps."""

from __future__ import annotations

from dataclasses import dataclass

_ISSUE = "PrefectHQ/prefect #"


@dataclass(frozen=True)
class Problem:
    """One kind of problem."""

    words: str
    """What it is, behind a number of runs."""

    usual_cause: str
    """What in Prefect, or around it, leaves such records."""

    what_to_do: str
    """What helps."""


PROBLEMS = {
    "left_active": Problem(
        "still active in a finished flow run",
        "its process ended, or its last event was lost, before the server had written its end "
        f"({_ISSUE}18790, #19261, #20381, #21588); or it returned a state that was made before it ran",
        "See its log for how it ended. Its time counts as running until now, unless you leave it out.",
    ),
    "ends_before_start": Problem(
        "ended before the start",
        "the run gave back a state that was made before it ran, or its start and its end were told by two clocks that "
        "differ",
        "Take its length from its state history, or leave it out of what is said of lengths.",
    ),
    "starts_before_made": Problem(
        "started before the record was made",
        "the clock of the machine that told its start differs from that of the server, or its states were written "
        "by hand",
        "Compare the clocks: check() says how much that of this machine differs.",
    ),
    "starts_too_early": Problem(
        "started before the expected start",
        "the clocks of the machine that submitted it and of the one that ran it differ, or its states were written by "
        "hand",
        "Compare the clocks of the two machines.",
    ),
    "end_missing": Problem(
        "ended without an end time",
        f"a server that wrote no end for such an end ({_ISSUE}15944, #20367)",
        "Take the end from its state history; read_states(…, exact=True) gives it.",
    ),
    "end_unexpected": Problem(
        "with an end time, but not ended",
        "its state was set back by hand or by an automation after it had ended",
        "Take its state history for what it did; its duration is that of the earlier end.",
    ),
    "out_of_order": Problem(
        "with states out of order",
        "the run gave back a state that was made before it ran, states were forced through the API, or its process "
        "was lost and another took its place without an end in between",
        "Read the messages of its states: forced ones mostly say so. Times in its states count as they stand.",
    ),
    "run_count": Problem(
        "with a run count that does not fit the states",
        "states were forced through the API, or the server lost some of its events",
        "Trust the state history, where it is from the server, rather than run_count.",
    ),
    "states_missing": Problem(
        "without the states of having run",
        "the server lost the events of its states, or deleted some of them",
        "Its stays cannot be known: leave it out of what is said of times in states.",
    ),
    "state_differs": Problem(
        "with another last state than the row says",
        "an event came late and wrote over a newer state, or the server lost the last event",
        "Read it once more; if it stays so, see its log for how it ended.",
    ),
    "flow_run_gone": Problem(
        "whose flow run is gone",
        "its flow run was deleted while its last events were still on their way",
        "Nothing belongs to it any more: delete it, or leave it out.",
    ),
    "parent_gone": Problem(
        "whose parent task run is gone",
        "the task run that stood for it in its parent was deleted, or was never recorded",
        "It is a run of its own now: what is said by parent does not hold it.",
    ),
}
"""Every kind, by its word, in the order of `suspect_runs`."""
