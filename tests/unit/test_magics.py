"""The magics: what a line says, and what it does not take."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_nbviz.errors import QueryError
from prefect_nbviz.magic_lines import parse
from prefect_nbviz.magics import PrefectMagics
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery

ID = "0f9c2f5e-7a8b-4a52-8e52-7a4f7e6f0001"
NEXT = FlowRunQuery(until="+1d", time_field="next_scheduled_start_time")
DEAD = "http://127.0.0.1:9/api"


@pytest.mark.parametrize(
    ("line", "query"),
    [
        ("", TaskRunQuery()),
        ("task", TaskRunQuery()),
        ("flow --since 1d", FlowRunQuery(since="1d")),
        ("--tags-any prod etl", TaskRunQuery(tags_any=["prod", "etl"])),
        ("--tags-any prod --tags-any=etl", TaskRunQuery(tags_any=["prod", "etl"])),
        ("--state failed --state Crashed", TaskRunQuery(state_type=["FAILED", "CRASHED"])),
        ("--state Late TimedOut", TaskRunQuery(state_name=["Late", "TimedOut"])),
        ("--state-type FAILED", TaskRunQuery(state_type="FAILED")),
        ("--state-name Failed", TaskRunQuery(state_name="Failed")),
        ("--name-like 'load orders' --limit none", TaskRunQuery(name_like="load orders", limit=None)),
        ("--limit 10,000", TaskRunQuery(limit=10_000)),
        (f"--flow-runs {ID}", TaskRunQuery(flow_runs=ID)),
        ("--flow-runs parents", TaskRunQuery(flow_runs=FlowRunQuery(tags_all="prod"))),
        ("--untagged no --run-count-min 2", TaskRunQuery(untagged=False, run_count_min=2)),
        ("--run-count-min none --start-time-fallback no", TaskRunQuery(start_time_fallback=False)),
        ("--state-type-not failed --state-name-not Late", TaskRunQuery(state_type_not="FAILED", state_name_not="Late")),
        ("--work-pool k8s --work-queue a b", TaskRunQuery(work_pool="k8s", work_queue=["a", "b"])),
        ("--name-not a --tag-keys project_id", TaskRunQuery(name_not="a", tag_keys="project_id")),
        ("flow --parent top_level", FlowRunQuery(parent="top_level")),
        ("flow --parent subflow", FlowRunQuery(parent="subflow")),
        ("flow --parent TOP_LEVEL", FlowRunQuery(parent="top_level")),
        (f"flow --parent {ID} --ancestor {ID}", FlowRunQuery(parent=[ID], ancestor=[ID])),
        ("flow --parent frame --ancestor frame", FlowRunQuery(parent=[ID], ancestor=[ID])),
        ("flow --auto-scheduled yes --created-by USER", FlowRunQuery(auto_scheduled=True, created_by="USER")),
        ("--has-flow-run no --has-subflow-run yes", TaskRunQuery(has_flow_run=False, has_subflow_run=True)),
        ("flow --has-deployment no --has-work-queue yes", FlowRunQuery(has_deployment=False, has_work_queue=True)),
        (
            f"flow --created-by USER {ID} --idempotency-key k",
            FlowRunQuery(created_by=["USER", ID], idempotency_key="k"),
        ),
        (f"flow --ids-not {ID} --parent-task-run tasks", FlowRunQuery(ids_not=ID, parent_task_run=ID)),
        ("--ids-not some", TaskRunQuery(ids_not=[ID])),
        ("flow --until +1d --time-field next_scheduled_start_time", NEXT),
        ("flow --flow-version 1.2", FlowRunQuery(flow_version="1.2")),
        ("flow --parameters region=eu rows=12", FlowRunQuery(parameters={"region": "eu", "rows": 12})),
        ("""flow --parameters='at=[1, {"b": null}]'""", FlowRunQuery(parameters={"at": [1, {"b": None}]})),
        ("flow --parameters wanted", FlowRunQuery(parameters={"day": 7})),
        ("flow --deployment daily/nightly --sort name_asc", FlowRunQuery(deployment="daily/nightly", sort="NAME_ASC")),
    ],
)
def test_a_line_says_a_query(line: str, query: object) -> None:
    names = {
        "parents": FlowRunQuery(tags_all="prod"),
        "frame": pd.DataFrame({"flow_run_id": [ID]}),
        "tasks": pd.DataFrame({"task_run_id": [ID]}),
        "some": [ID],
        "wanted": {"day": 7},
        "subflow": "a variable of the same name as a word",
    }
    assert parse(line, names=names) == query


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--tag-any prod", "Did you mean '--tags-any'"),
        ("flow --flow-runs x", "There is no option '--flow-runs'."),
        ("--since", "--since needs a value, as in --since 1d."),
        ("--since 1d 2d", "--since takes one value, not 2"),
        ("--limit many", "--limit takes a number"),
        ("--untagged perhaps", "--untagged takes yes or no, not 'perhaps'"),
        ("--untagged", "--untagged needs a value, as in --untagged yes."),
        ("--run-count-min often", "--run-count-min takes a number"),
        ("--parameters region=eu", "There is no option '--parameters'."),
        ("flow --parameters region", "--parameters takes a name and a value, such as region=eu; not 'region'."),
        ("flow --parameters a=1 a=2", "--parameters has two values for 'a'"),
        ('flow --parameters config={"a":1}', """'{a:1}' begins as JSON and is none: .*'config={"a": 1}'"""),
        ("flow --parameters 'note=[x'", """'[x' begins as JSON and is none: .*'note="{a"'"""),
        (
            "--state failed TimedOut",
            "write --state-name Failed TimedOut for either name, or --state-type failed --state-",
        ),
        ("--state Late --state RUNNING", "--state takes state types or state names, not both (RUNNING is a type, Late"),
        ("flow --parent top", "Did you mean 'top_level'?"),
        ("flows", "Did you mean 'flow'?"),
        ("task nightly", "write --name nightly"),
        ("--name 'nightly", "A quotation mark is open"),
        ("--state-type FAILD", "Did you mean 'FAILED'?"),
    ],
)
def test_a_line_that_cannot_be_gets_one_sentence(line: str, says: str) -> None:
    with pytest.raises(QueryError, match=re.escape(says).replace(r"\.\*", ".*")) as caught:
        parse(line, names={})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("prefect_states faled", "Did you mean 'failed'?"),
        ("prefect_states failed more", "takes task, flow, one variable, or ids; not 'failed more'."),
        ("prefect_states failed --state FAILED", "--state is for runs that are yet to be read, not for 'failed'."),
        ("prefect_states failed --exact perhaps", "--exact takes yes or no"),
        ("prefect_states failed --exact", "--exact needs a value, as in --exact yes."),
        ("prefect_states number", "Runs are a frame as read_task_runs() or read_flow_runs() gives it"),
        ("prefect_states task --nam x", "Did you mean '--name"),
        ("prefect_explore --tz Europe/Berlyn", "Did you mean 'Europe/Berlin'"),
        ("prefect_explore --tz", "--tz needs a value, as in --tz Europe/Berlin."),
        ("prefect_runs --tz UTC", "There is no option '--tz'."),
        ("prefect_check all", "%prefect_check takes nothing after it, not 'all'."),
    ],
)
def test_a_magic_that_cannot_be_gets_one_sentence(shell: InteractiveShell, line: str, says: str) -> None:
    shell.user_ns |= {"failed": pd.DataFrame({"task_run_id": []}), "number": 5}
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        shell.run_line_magic(*line.split(maxsplit=1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["prefect_runs", "prefect_states", "prefect_explore", "prefect_check"])
def test_each_magic_has_help_that_begins_with_what_it_does(shell: InteractiveShell, capsys: Any, name: str) -> None:
    shell.run_cell(f"%{name}?").raise_error()
    shown = capsys.readouterr().out
    assert f"%{name}" in shown.partition("Examples")[2]


def test_every_criterion_is_an_option_and_in_the_help() -> None:
    fields = {field.name for kind in (TaskRunQuery, FlowRunQuery) for field in dataclasses.fields(kind)}
    for word in sorted(fields):
        assert f"--{word.replace('_', '-')} " in str(PrefectMagics.prefect_runs.__doc__)


def test_explore_gives_the_explorer(shell: InteractiveShell) -> None:
    assert shell.run_line_magic("prefect_explore", "").query == TaskRunQuery(since="1d")
    assert shell.run_line_magic("prefect_explore", "flow --state FAILED").query == FlowRunQuery(state_type="FAILED")


def test_the_explorer_takes_a_time_zone(shell: InteractiveShell) -> None:
    for line, query in {"": TaskRunQuery(since="1d"), "--name a": TaskRunQuery(name="a")}.items():
        explorer = shell.run_line_magic("prefect_explore", f"{line} --tz Europe/Berlin")
        assert explorer.query == query
        assert any("Europe/Berlin" in str(one.get_state()) for one in all_in(explorer))


def all_in(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from all_in(child)


def test_values_come_from_python(shell: InteractiveShell) -> None:
    shell.user_ns["wanted"] = "prod"
    shell.run_cell("explorer = %prefect_explore --tags-any $wanted {'e' + 'tl'}").raise_error()
    assert shell.user_ns["explorer"].query == TaskRunQuery(tags_any=["prod", "etl"])


@pytest.mark.parametrize("value", [{"a": 1}, {"a": {"b": [True, "x"]}}, "{a"])
def test_the_quoting_that_is_recommended_works(shell: InteractiveShell, value: object) -> None:
    shell.run_cell(f"explorer = %prefect_explore flow --parameters 'config={json.dumps(value)}'").raise_error()
    assert shell.user_ns["explorer"].query == FlowRunQuery(parameters={"config": value})


def test_a_bad_option_is_no_traceback(shell: InteractiveShell, capsys: Any) -> None:
    with pytest.raises(UsageError, match="Did you mean '--state"):
        shell.run_line_magic("prefect_runs", "--stat FAILED")
    shell.run_cell("%prefect_runs --stat FAILED")
    shown = "".join(capsys.readouterr())
    assert "UsageError: There is no option '--stat'" in shown
    assert "Traceback" not in shown


def test_a_server_that_does_not_answer_is_one_sentence(shell: InteractiveShell) -> None:
    with temporary_settings({PREFECT_API_URL: DEAD}), pytest.raises(UsageError, match="Nothing answers at"):
        shell.run_line_magic("prefect_runs", "flow --limit 1")
