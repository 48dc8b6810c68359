"""The text after a magic: which kind of run, which options with which values, and the query that they say."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from prefect_nbviz.criteria import SUBFLOW, TOP_LEVEL
from prefect_nbviz.errors import QueryError, did_you_mean
from prefect_nbviz.parameters import parameter_values
from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
from prefect_nbviz.states import STATE_TYPES

KINDS: Mapping[str, type[FlowRunQuery | TaskRunQuery]] = {"task": TaskRunQuery, "flow": FlowRunQuery}
FLAGS = (
    *("untagged", "start_time_fallback", "auto_scheduled"),
    *("has_deployment", "has_work_queue", "has_flow_run", "has_subflow_run"),
)
"""Criteria that take yes or no."""

_NUMBERS = ("limit", "run_count_min")
SINGLE = ("name_like", "since", "until", "time_field", "sort", *FLAGS, *_NUMBERS)
"""Criteria that take one value."""

_NAMED = ("ids", "ids_not", "flow_runs", "parent", "parent_task_run", "ancestor", "parameters")
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}
_EXAMPLES = {
    **dict.fromkeys(("--since", "--until"), "1d"),
    **dict.fromkeys((*(f"--{word.replace('_', '-')}" for word in FLAGS), "--exact"), "yes"),
    "--run-count-min": "2",
    "--parameters": "region=eu",
    "--parent": TOP_LEVEL,
    "--tz": "Europe/Berlin",
}


@dataclass(frozen=True)
class MagicLine:
    """What the text after a magic says, before it is made a query."""

    words: tuple[str, ...]
    """What stands before any option: `task` or `flow`, or what runs are in."""

    options: tuple[tuple[str, tuple[str, ...]], ...]
    """Each option, dashes included, with the values that follow it; one may come again."""

    @classmethod
    def read(cls, line: str) -> Self:
        """Take a line apart.

        Raises
        ------
        QueryError
            A quotation mark is open, or an option has no value.

        Examples
        --------
        >>> MagicLine.read("flow --tags-any 'a b' c --since=1d")
        MagicLine(words=('flow',), options=(('--tags-any', ('a b', 'c')), ('--since', ('1d',))))
        """
        try:
            words, options = split(shlex.split(line))
        except ValueError as error:
            raise QueryError(f"A quotation mark is open in: {line}") from error
        for option, values in options:
            if not values:
                raise QueryError(f"{option} needs a value, as in {option} {_EXAMPLES.get(option, 'VALUE')}.")
        return cls(tuple(words), tuple((option, tuple(values)) for option, values in options))

    def take(self, option: str) -> tuple[str | None, MagicLine]:
        """Give the one value of an option that is no criterion, and the line without it.

        Raises
        ------
        QueryError
            It has several values.
        """
        values = [value for name, some in self.options if name == option for value in some]
        rest = tuple(one for one in self.options if one[0] != option)
        return one_value(option, values) if values else None, dataclasses.replace(self, options=rest)

    def query(self, names: Mapping[str, Any]) -> FlowRunQuery | TaskRunQuery:
        """Give the query that it says; `names` are the variables that options may name.

        Raises
        ------
        QueryError
            An option that does not exist, or a value that cannot be.
        """
        kind, *more = self.words or ("task",)
        if kind not in KINDS:
            raise QueryError(f"The first word is task or flow, not {kind!r}.{did_you_mean(kind, KINDS)}")
        if more:
            raise QueryError(f"{more[0]!r} stands before any option: write --name {more[0]} for a name.")
        criteria: dict[str, list[str]] = {}
        states: list[str] = []
        for option, values in self.options:
            if option == "--state":
                states += values
            else:
                criteria.setdefault(_word(kind, option), []).extend(values)
        if states:
            criteria.setdefault(_state_word(states), []).extend(states)
        return KINDS[kind](**{word: _value(word, values, names) for word, values in criteria.items()})


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
    return MagicLine.read(line).query(names)


def split(tokens: list[str]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Give the words before any option, and each option with the values that follow it.

    Examples
    --------
    >>> split(["flow", "--limit=5", "--name", "a", "b"])
    (['flow'], [('--limit', ['5']), ('--name', ['a', 'b'])])
    """
    words: list[str] = []
    options: list[tuple[str, list[str]]] = []
    for token in tokens:
        if token.startswith("--"):
            option, has_value, value = token.partition("=")
            options.append((option, [value] if has_value else []))
        else:
            (options[-1][1] if options else words).append(token)
    return words, options


def options_of(kind: str) -> list[str]:
    """Give the options of a kind of runs, `--state` first.

    Examples
    --------
    >>> options_of("task")[:3]
    ['--state', '--ids', '--ids-not']
    """
    words = ("state", *(field.name for field in dataclasses.fields(KINDS[kind])))
    return [f"--{word.replace('_', '-')}" for word in words]


def one_value(option: str, values: list[str]) -> str:
    """Give the value of an option that takes one.

    Raises
    ------
    QueryError
        There are several.
    """
    if len(values) > 1:
        raise QueryError(f"{option} takes one value, not {len(values)}: put quotes around a value that holds spaces.")
    return values[0]


def flag(option: str, text: str) -> bool:
    """Take yes or no.

    Raises
    ------
    QueryError
        It is neither.
    """
    if text.casefold() not in _YES_NO:
        raise QueryError(f"{option} takes yes or no, not {text!r}.")
    return _YES_NO[text.casefold()]


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
    known = options_of(kind)
    if option not in known:
        raise QueryError(f"There is no option {option!r}.{did_you_mean(option, known)} There are: {', '.join(known)}.")
    return option.removeprefix("--").replace("-", "_")


def _value(word: str, values: list[str], names: Mapping[str, Any]) -> Any:
    if word == "parent" and values in ([TOP_LEVEL], [SUBFLOW]):
        return values[0]
    if word in _NAMED and len(values) == 1 and values[0] in names:
        return names[values[0]]
    if word == "parameters":
        return parameter_values("--parameters", values)
    if word == "parent" and len(values) == 1:
        return values[0]
    return _single(word, values) if word in SINGLE else values


def _single(word: str, values: list[str]) -> Any:
    option = f"--{word.replace('_', '-')}"
    value = one_value(option, values)
    if word in FLAGS:
        return flag(option, value)
    return _number(option, value) if word in _NUMBERS else value


def _number(option: str, text: str) -> int | None:
    if text.casefold() in {"none", "all"}:
        return None
    try:
        return int(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise QueryError(f"{option} takes a number, or none for no bound; not {text!r}.") from None
