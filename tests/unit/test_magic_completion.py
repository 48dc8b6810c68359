"""What the tab key offers after the magics."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from prefect_nbviz.errors import QueryError
from prefect_nbviz.magic_completion import completions
from prefect_nbviz.magic_lines import KINDS, options_of, parse
from prefect_nbviz.query import FlowRunQuery
from prefect_nbviz.states import STATE_NAMES, STATE_TYPES

NAMES = {
    "runs": pd.DataFrame({"flow_run_id": ["x"]}),
    "tasks": pd.DataFrame({"task_run_id": ["x"], "flow_run_id": ["x"]}),
    "sales": pd.DataFrame({"amount": [1]}),
    "nightly": FlowRunQuery(tags_all="prod"),
    "some": ["x"],
    "wanted": {"region": "eu"},
    "text": "x",
    "print": print,
}


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("%prefect_runs --state-ty", ["--state-type", "--state-type-not"]),
        ("%prefect_runs --flow-", ["--flow-runs"]),
        ("%prefect_runs flow --flow-", ["--flow-version"]),
        ("%prefect_runs --since 1d --sin", []),
        ("%prefect_runs fl", ["flow"]),
        ("%prefect_runs --state-type ", [*STATE_TYPES]),
        ("%prefect_runs --state-type fai", ["FAILED"]),
        ("%prefect_runs --state-type=fai", ["FAILED"]),
        ("%prefect_runs --state-name Tim", ["TimedOut"]),
        ("%prefect_runs --state c", ["CANCELLING", "COMPLETED", "CRASHED", "CANCELLED", "Cached"]),
        ("%prefect_runs --state FAILED FAI", []),
        ("%prefect_runs --sort NAME", ["NAME_ASC", "NAME_DESC"]),
        ("%prefect_runs --time-field ", ["start_time", "end_time", "expected_start_time"]),
        ("%prefect_runs flow --time-field next", ["next_scheduled_start_time"]),
        ("failed = %prefect_runs --untagged ", ["yes", "no"]),
        ("  prefect_runs --untagged n", ["no"]),
        ("%prefect_runs --flow-runs ", ["nightly", "runs", "some", "tasks"]),
        ("%prefect_runs flow --parent ", ["top_level", "subflow", "runs", "some", "tasks"]),
        ("%prefect_runs flow --parent-task-run ", ["some", "tasks"]),
        ("%prefect_runs flow --parameters ", ["wanted"]),
        ("%prefect_runs --ids ", ["some"]),
        ("%prefect_runs --name ", []),
        ("%prefect_runs --name 'a ", []),
        ("%prefect_runs --tz", []),
        ("%prefect_explore --tz Europe/Ber", ["Europe/Berlin"]),
        ("%prefect_states r", ["runs"]),
        ("%prefect_states runs ", ["--exact"]),
        ("%prefect_states runs --exact ", ["yes", "no"]),
        ("%prefect_check ", []),
        ("prefect_runs", []),
        ("x = runs.he", []),
    ],
)
def test_what_can_follow(text: str, offered: list[str]) -> None:
    assert completions(text, NAMES)[1] == offered


def test_more_values_or_options_follow_a_value() -> None:
    _, offered = completions("%prefect_runs --state-type FAILED ", {})
    assert {*STATE_TYPES} - {*offered} == {"FAILED"}
    assert {*options_of("task")} <= {*offered}


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_offered_and_every_offered_value_is_taken(kind: str) -> None:
    assert [*KINDS, *options_of(kind)] == completions("%prefect_runs ", {})[1] or kind == "flow"
    assert options_of(kind) == completions(f"%prefect_runs {kind} ", {})[1]
    for option in options_of(kind):
        for value in completions(f"%prefect_runs {kind} {option} ", {})[1]:
            assert parse(f"{kind} {option} {value}", names={}) is not None


@given(st.text(max_size=40))
def test_any_text_is_answered_with_what_could_replace_its_end(text: str) -> None:
    fragment, offered = completions(f"%prefect_runs {text}", NAMES)
    assert text.endswith(fragment)
    assert all(one.casefold().startswith(fragment.casefold()) for one in offered)


@pytest.mark.parametrize("use_jedi", [True, False])
def test_ipython_offers_that_alone(shell: InteractiveShell, use_jedi: bool) -> None:
    shell.run_line_magic("reload_ext", "prefect_nbviz")
    shell.Completer.use_jedi = use_jedi
    shell.user_ns |= NAMES
    assert offered(shell, "1 + 1\n%prefect_runs --state-name Tim") == (33, ["TimedOut"])
    assert offered(shell, "%prefect_runs flow --parent-task-run ") == (37, ["some", "tasks"])
    assert offered(shell, "%prefect_runs flow --has-work") == (19, ["--has-work-queue"])
    with pytest.warns(PendingDeprecationWarning):
        assert shell.Completer.complete(line_buffer="%prefect_runs --state-name ")[1] == [*STATE_NAMES]
    assert offered(shell, "runs.flow_run")[1][-1].endswith("flow_run_id")


def offered(shell: InteractiveShell, code: str) -> tuple[int, list[str]]:
    with provisionalcompleter():
        found = [*shell.Completer.completions(code, len(code))]
    return min(one.start for one in found) if found else len(code), [one.text for one in found]


def test_a_line_that_is_refused_is_no_reason_to_fail() -> None:
    with pytest.raises(QueryError):
        parse("flows --nothing x", names={})
    assert completions("%prefect_runs flows --nothing x ", {})[1]
    assert completions("%prefect_runs --nothing ", {})[1] == []


def test_looking_for_variables_runs_nothing_of_theirs() -> None:
    class Sly:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    assert completions("%prefect_states sl", {"sly": Sly()})[1] == []
