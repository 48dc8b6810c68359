"""The magics: what a line says, and what it does not take."""

from __future__ import annotations

import atexit
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from prefect_nbviz.errors import QueryError
from prefect_nbviz.magics import PrefectMagics, parse
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery

ID = "0f9c2f5e-7a8b-4a52-8e52-7a4f7e6f0001"
DEAD = "http://127.0.0.1:9/api"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[InteractiveShell]:
    shell = InteractiveShell(ipython_dir=str(tmp_path), config=Config(HistoryManager={"enabled": False}))
    shell.extension_manager.load_extension("prefect_nbviz")
    yield shell
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()


@pytest.mark.parametrize(
    ("line", "query"),
    [
        ("", TaskRunQuery()),
        ("task", TaskRunQuery()),
        ("flow --since 1d", FlowRunQuery(since="1d")),
        ("--tags-any prod etl", TaskRunQuery(tags_any=["prod", "etl"])),
        ("--tags-any prod --tags-any=etl", TaskRunQuery(tags_any=["prod", "etl"])),
        ("--state failed TimedOut Crashed", TaskRunQuery(state_type=["FAILED", "CRASHED"], state_name="TimedOut")),
        ("--state-type FAILED", TaskRunQuery(state_type="FAILED")),
        ("--state-name Failed", TaskRunQuery(state_name="Failed")),
        ("--name-like 'load orders' --limit none", TaskRunQuery(name_like="load orders", limit=None)),
        ("--limit 10,000", TaskRunQuery(limit=10_000)),
        (f"--flow-runs {ID}", TaskRunQuery(flow_runs=ID)),
        ("--flow-runs parents", TaskRunQuery(flow_runs=FlowRunQuery(tags_all="prod"))),
        ("flow --deployment daily/nightly --sort name_asc", FlowRunQuery(deployment="daily/nightly", sort="NAME_ASC")),
    ],
)
def test_a_line_says_a_query(line: str, query: object) -> None:
    assert parse(line, names={"parents": FlowRunQuery(tags_all="prod")}) == query


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--tag-any prod", "Did you mean '--tags-any'"),
        ("flow --flow-runs x", "There is no option '--flow-runs'."),
        ("--since", "--since needs a value, as in --since 1d."),
        ("--since 1d 2d", "--since takes one value, not 2"),
        ("--limit many", "--limit takes a number"),
        ("flows", "Did you mean 'flow'?"),
        ("task nightly", "write --name nightly"),
        ("--name 'nightly", "A quotation mark is open"),
        ("--state-type FAILD", "Did you mean 'FAILED'?"),
    ],
)
def test_a_line_that_cannot_be_gets_one_sentence(line: str, says: str) -> None:
    with pytest.raises(QueryError, match=says.replace("?", r"\?").replace("(", r"\(")):
        parse(line, names={})


def test_every_criterion_is_an_option_and_in_the_help() -> None:
    fields = [field.name for field in dataclasses.fields(TaskRunQuery)]
    for word in fields:
        assert f"--{word.replace('_', '-')} " in str(PrefectMagics.prefect_runs.__doc__)


def test_explore_gives_the_explorer(shell: InteractiveShell) -> None:
    assert shell.run_line_magic("prefect_explore", "").query == TaskRunQuery(since="1d")
    assert shell.run_line_magic("prefect_explore", "flow --state FAILED").query == FlowRunQuery(state_type="FAILED")


def test_values_come_from_python(shell: InteractiveShell) -> None:
    shell.user_ns["wanted"] = "prod"
    shell.run_cell("explorer = %prefect_explore --tags-any $wanted {'e' + 'tl'}").raise_error()
    assert shell.user_ns["explorer"].query == TaskRunQuery(tags_any=["prod", "etl"])


def test_a_bad_option_is_no_traceback(shell: InteractiveShell, capsys: Any) -> None:
    with pytest.raises(UsageError, match="Did you mean '--state"):
        shell.run_line_magic("prefect_runs", "--stat FAILED")
    shell.run_cell("%prefect_runs --stat FAILED")
    shown = "".join(capsys.readouterr())
    assert "UsageError: There is no option '--stat'" in shown
    assert "Traceback" not in shown


def test_a_server_that_does_not_answer_is_one_sentence(shell: InteractiveShell) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: PLC0415 - takes seconds

    with temporary_settings({PREFECT_API_URL: DEAD}), pytest.raises(UsageError, match="Nothing answers at"):
        shell.run_line_magic("prefect_runs", "flow --limit 1")
