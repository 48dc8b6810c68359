"""IPython magics: `%prefect_runs` reads runs, `%prefect_explore` opens the explorer."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

import pandas as pd
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class

from prefect_nbviz.criteria import SUBFLOW, TOP_LEVEL
from prefect_nbviz.errors import PrefectNbvizError, QueryError, did_you_mean
from prefect_nbviz.parameters import parameter_values
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
from prefect_nbviz.reading import read_flow_runs, read_task_runs
from prefect_nbviz.states import STATE_TYPES

_KINDS: Mapping[str, type[FlowRunQuery | TaskRunQuery]] = {"task": TaskRunQuery, "flow": FlowRunQuery}
_FLAGS = (
    *("untagged", "start_time_fallback", "auto_scheduled"),
    *("has_deployment", "has_work_queue", "has_flow_run", "has_subflow_run"),
)
_NUMBERS = ("limit", "run_count_min")
_SINGLE = ("name_like", "since", "until", "time_field", "sort", *_FLAGS, *_NUMBERS)
_NAMED = ("ids", "ids_not", "flow_runs", "parent", "parent_task_run", "ancestor", "parameters")
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_EXAMPLES = {
    **dict.fromkeys(("--since", "--until"), "1d"),
    **dict.fromkeys((f"--{word.replace('_', '-')}" for word in _FLAGS), "yes"),
    "--run-count-min": "2",
    "--parameters": "region=eu",
    "--parent": TOP_LEVEL,
}


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add the magics: `%load_ext prefect_nbviz` calls this.

    See Also
    --------
    https://ipython.readthedocs.io/en/stable/config/extensions/
    """
    ipython.register_magics(PrefectMagics)


@magics_class
class PrefectMagics(Magics):
    """The line magics `%prefect_runs` and `%prefect_explore`."""

    @line_magic
    def prefect_runs(self, line: str) -> pd.DataFrame:
        """Read runs into a DataFrame: `%prefect_runs [task|flow] [--criterion value …]`.

        Task runs unless told `flow`. Criteria combine with *and*, several values of one with *or*
        (except in `--tags-all`, `--tags-none`, `--tag-keys`, `--parameters` and those that end in
        `-not`); repeat an option or list values after it, and quote a value that holds a space.
        `$name` and `{expression}` stand for values from Python.

            --state FAILED CRASHED     state types, or state names, but not both at once
            --state-type FAILED        state types only
            --state-type-not FAILED    none of these state types
            --state-name TimedOut      state names only, exact
            --state-name-not Late      none of these state names
            --run-count-min 2          entered a running state as often or more: those that were retried
            --tags-any prod etl        one or more of these tags
            --tags-all prod etl        all of these tags
            --tags-none dev            none of these tags
            --tag-keys project_id      a tag key:value for each of these keys
            --untagged yes             yes: without any tag; no: with some
            --name transform-0         exact names
            --name-not transform-0     none of these names
            --name-like transform      text that the name contains
            --flow daily_ingest        names of flows
            --deployment flow/nightly  names of deployments, with or without their flow
            --work-pool kubernetes     names of work pools
            --work-queue default       names of work queues
            --ids ID ID                ids of the runs
            --ids-not ID ID            none of these ids
            --since 1d  --until 1h     back from now (m, h, d, w), or ISO time with an offset
            --time-field end_time      what since and until are about
            --start-time-fallback no   leave out runs that never started, instead of taking the time they were
                                       expected at
            --sort NAME_ASC            order
            --limit 50                 at most as many, or none for all; 1,000 unless told

        Of task runs only:

            --flow-runs ID ID          ids of their flow runs
            --has-flow-run no          yes: of a flow run; no: ran on their own
            --has-subflow-run yes      yes: stand for a subflow run; no: do not

        Of flow runs only:

            --parent top_level         top_level, subflow, or ids of flow runs whose children to give
            --parent-task-run ID ID    ids of task runs: the subflow runs that they stand for
            --ancestor ID ID           ids of flow runs: all subflow runs below them
            --created-by SCHEDULE      who created it: SCHEDULE, DEPLOYMENT, AUTOMATION, USER, …, or ids
            --has-deployment no        yes: of a deployment; no: of none
            --has-work-queue no        yes: of a work queue; no: of none
            --idempotency-key KEY      keys that they were created with
            --flow-version 1.2         versions of the flow
            --auto-scheduled yes       yes: made by a schedule; no: by anything else
            --parameters region=eu rows=12
                                       values of parameters, read as JSON where they are JSON; else text

        `--flow-runs`, `--parent`, `--parent-task-run` and `--ancestor` also take the name of a variable that holds a
        frame or ids (`--flow-runs` a FlowRunQuery, too), `--ids` and `--ids-not` that of ids, and `--parameters` that
        of a dict.

        Examples
        --------
            %prefect_runs --state failed --since 1d
            failed = %prefect_runs task --tags-any prod etl --state FAILED CRASHED --limit none
            %prefect_runs flow --parent top_level --parameters region=eu
        """
        query = self._query(line)
        try:
            return read_flow_runs(query) if isinstance(query, FlowRunQuery) else read_task_runs(query)
        except PrefectNbvizError as error:
            raise UsageError(str(error)) from error

    @line_magic
    def prefect_explore(self, line: str) -> Any:
        """Open the explorer: `%prefect_explore [task|flow] [--criterion value …]`.

        Its controls begin with these criteria, which are those of `%prefect_runs` (see
        `%prefect_runs?`); without any, with the task runs of the last 24 hours.

        Examples
        --------
            %prefect_explore --state failed --since 7d
        """
        from prefect_nbviz.widgets.explorer import explore  # noqa: PLC0415 - plotly and the widgets take seconds

        return explore(self._query(line) if line.strip() else None)

    def _query(self, line: str) -> FlowRunQuery | TaskRunQuery:
        try:
            return parse(line, names=self.shell.user_ns if self.shell else {})
        except QueryError as error:
            raise UsageError(str(error)) from error


def parse(line: str, *, names: Mapping[str, Any]) -> FlowRunQuery | TaskRunQuery:
    """Give the query that the text after a magic says.

    Parameters
    ----------
    line
        The text: perhaps `task` or `flow`, then options, which are the fields of the query with
        dashes; and `--state`, which takes state types or state names.
    names
        Variables that options with ids, and `--parameters`, may name.

    Raises
    ------
    QueryError
        An option that does not exist, or a value that cannot be.

    Examples
    --------
    >>> parse("flow --state failed crashed --tags-any prod --limit none", names={})
    FlowRunQuery(tags_any=['prod'], state_type=['FAILED', 'CRASHED'], limit=None)
    """
    kind, options = _split(line)
    criteria: dict[str, list[str]] = {}
    states: list[str] = []
    for option, values in options:
        if option == "--state":
            states += values
        else:
            criteria.setdefault(_word(kind, option), []).extend(values)
    if states:
        criteria.setdefault(_state_word(states), []).extend(states)
    return _KINDS[kind](**{word: _value(word, values, names) for word, values in criteria.items()})


def _split(line: str) -> tuple[str, list[tuple[str, list[str]]]]:
    """Give the kind, and each option with the values that follow it."""
    try:
        tokens = shlex.split(line)
    except ValueError as error:
        raise QueryError(f"A quotation mark is open in: {line}") from error
    kind = tokens.pop(0) if tokens and not tokens[0].startswith("--") else "task"
    if kind not in _KINDS:
        raise QueryError(f"The first word is task or flow, not {kind!r}.{did_you_mean(kind, _KINDS)}")
    options: list[tuple[str, list[str]]] = []
    for token in tokens:
        if token.startswith("--"):
            option, has_value, value = token.partition("=")
            options.append((option, [value] if has_value else []))
        elif options:
            options[-1][1].append(token)
        else:
            raise QueryError(f"{token!r} stands before any option: write --name {token} for a name.")
    for option, values in options:
        if not values:
            raise QueryError(f"{option} needs a value, as in {option} {_EXAMPLES.get(option, 'VALUE')}.")
    return kind, options


def _state_word(values: list[str]) -> str:
    """Give the criterion that `--state` stands for: the values of one option combine with *or*, two options do not."""
    types = [value for value in values if value.upper() in STATE_TYPES]
    names = [value for value in values if value.upper() not in STATE_TYPES]
    if types and names:
        by_name = shlex.join(value.title() if value in types else value for value in values)
        raise QueryError(
            f"--state takes state types or state names, not both ({types[0]} is a type, {names[0]} a name): write "
            f"--state-name {by_name} for either name, or --state-type {shlex.join(types)} --state-name "
            f"{shlex.join(names)} for runs of both."
        )
    return "state_type" if types else "state_name"


def _word(kind: str, option: str) -> str:
    words = [field.name for field in dataclasses.fields(_KINDS[kind])]
    word = option.removeprefix("--").replace("-", "_")
    if word not in words:
        known = [f"--{one.replace('_', '-')}" for one in ("state", *words)]
        raise QueryError(f"There is no option {option!r}.{did_you_mean(option, known)} There are: {', '.join(known)}.")
    return word


def _value(word: str, values: list[str], names: Mapping[str, Any]) -> Any:
    if word == "parent" and values in ([TOP_LEVEL], [SUBFLOW]):
        return values[0]
    if word in _NAMED and len(values) == 1 and values[0] in names:
        return names[values[0]]
    if word == "parameters":
        return parameter_values("--parameters", values)
    if word == "parent" and len(values) == 1:
        return values[0]
    return _single(word, values) if word in _SINGLE else values


def _single(word: str, values: list[str]) -> Any:
    option, value = f"--{word.replace('_', '-')}", values[0]
    if len(values) > 1:
        raise QueryError(f"{option} takes one value, not {len(values)}: put quotes around a value that holds spaces.")
    if word in _FLAGS:
        return _flag(option, value)
    return _number(option, value) if word in _NUMBERS else value


def _flag(option: str, text: str) -> bool:
    if text.casefold() not in _YES_NO:
        raise QueryError(f"{option} takes yes or no, not {text!r}.")
    return _YES_NO[text.casefold()]


def _number(option: str, text: str) -> int | None:
    if text.casefold() in {"none", "all"}:
        return None
    try:
        return int(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise QueryError(f"{option} takes a number, or none for no bound; not {text!r}.") from None
