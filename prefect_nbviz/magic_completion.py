"""What the tab key offers in the line of a magic: options, their values, and variables that hold runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

import pandas as pd

from prefect_nbviz.criteria import SUBFLOW, TOP_LEVEL
from prefect_nbviz.magic_lines import FLAGS, KINDS, SINGLE, options_of, split
from prefect_nbviz.query import FlowRunQuery
from prefect_nbviz.states import STATE_NAMES, STATE_TYPES

_MAGIC = re.compile(
    r"\s*(?:[\w\s.,]+=\s*)?%?(?P<magic>prefect_(?:runs|states|explore))\s+(?P<before>.*?)(?P<fragment>\S*)", re.DOTALL
)
_MORE = {"prefect_explore": ("--tz",), "prefect_states": ("--exact",)}
_WORDS = {
    **dict.fromkeys((*FLAGS, "exact"), ("yes", "no")),
    **dict.fromkeys(("state_type", "state_type_not"), STATE_TYPES),
    **dict.fromkeys(("state_name", "state_name_not"), tuple(STATE_NAMES)),
    "state": (*STATE_TYPES, *(name for name in STATE_NAMES if name.upper() not in STATE_TYPES)),
    "created_by": ("AUTOMATION", "DEPLOYMENT", "SCHEDULE", "USER"),
    "since": ("1h", "6h", "1d", "7d"),
    "until": ("1h", "1d", "+1h", "+1d"),
    "limit": ("none",),
    "parent": (TOP_LEVEL, SUBFLOW),
}
_LISTS = (list, tuple, set, pd.Series, pd.Index, UUID)
_HOLDERS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("ids", "ids_not"), _LISTS),
    **dict.fromkeys(("parent", "parent_task_run", "ancestor", "runs"), (pd.DataFrame, *_LISTS)),
    "flow_runs": (pd.DataFrame, FlowRunQuery, *_LISTS),
    "parameters": (Mapping,),
}
_COLUMNS = {"parent_task_run": {"task_run_id"}, "runs": {"run_id", "task_run_id", "flow_run_id"}}
_RUN_TYPES = {"FlowRun", "TaskRun", "PrefectFuture"}


@dataclass(frozen=True)
class _Place:
    """Where the cursor is in the line of a magic."""

    magic: str
    """Name of the magic, without `%`."""

    words: tuple[str, ...]
    """What stands before any option."""

    options: tuple[tuple[str, tuple[str, ...]], ...]
    """Each option before the cursor with its values; the cursor is behind those of the last one."""

    names: Mapping[str, Any]
    """The variables there are."""


def completions(text: str, names: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Give what could stand at the end of a line.

    Parameters
    ----------
    text
        The line of the cell up to the cursor.
    names
        Variables that options may name.

    Returns
    -------
    tuple
        The end of the text that is to be replaced, and what could replace it; nothing where it is no line of a magic,
        or nothing is known.

    Examples
    --------
    >>> completions("%prefect_runs flow --sort name", {})
    ('name', ['NAME_ASC', 'NAME_DESC'])
    >>> completions("failed = %prefect_runs --untagged=", {})
    ('', ['yes', 'no'])
    """
    found = _MAGIC.fullmatch(text)
    if not found:
        return "", []
    before, fragment = found["before"], found["fragment"]
    try:
        tokens = shlex.split(before)
    except ValueError:  # within quotation marks
        return "", []
    if fragment.startswith("--") and "=" in fragment:
        option, _, fragment = fragment.partition("=")
        tokens.append(option)
    words, options = split(tokens)
    place = _Place(found["magic"], tuple(words), tuple((one, tuple(values)) for one, values in options), names)
    return fragment, [one for one in _candidates(place) if one.casefold().startswith(fragment.casefold())]


def _candidates(place: _Place) -> list[str]:
    """Give the values that may follow; and, where an option has a value or there is none yet, options."""
    if not place.options:
        return [*_first_words(place), *_options(place)]
    option, given = place.options[-1]
    word = option.removeprefix("--").replace("-", "_")
    if not given:
        return _values(word, place)
    more = [] if word in {*SINGLE, "tz", "exact"} else [one for one in _values(word, place) if one not in given]
    return [*more, *_options(place)]


def _first_words(place: _Place) -> list[str]:
    if place.words:
        return []
    return [*KINDS, *(_variables("runs", place.names) if place.magic == "prefect_states" else ())]


def _kind(place: _Place) -> str:
    return place.words[0] if place.words and place.words[0] in KINDS else "task"


def _options(place: _Place) -> list[str]:
    """Give the options of the magic but those that take one value and have it; of a variable's runs few matter."""
    given = {option for option, _ in place.options}
    is_variable = place.magic == "prefect_states" and bool(place.words) and place.words[0] not in KINDS
    known = [*([] if is_variable else options_of(_kind(place))), *_MORE.get(place.magic, ())]
    once = {f"--{word.replace('_', '-')}" for word in (*SINGLE, "tz", "exact")}
    return [option for option in known if option not in given & once]


def _values(word: str, place: _Place) -> list[str]:
    """Give the words that an option takes, then the variables."""
    kind = KINDS[_kind(place)]
    match word:
        case "sort":
            return [*kind.sorts]
        case "time_field":
            return [*kind.time_fields]
        case "tz":
            return sorted(available_timezones())
        case _:
            return [*_WORDS.get(word, ()), *_variables(word, place.names)]


def _variables(word: str, names: Mapping[str, Any]) -> Iterable[str]:
    """Give the names of the variables that hold what an option takes: a look at their types runs nothing of theirs."""
    return sorted(name for name, value in names.items() if word in _HOLDERS and _is_holder(word, value))


def _is_holder(word: str, value: object) -> bool:
    if issubclass(type(value), pd.DataFrame):  # isinstance would ask the value, which may be a stranger's
        columns = _COLUMNS.get(word, {"flow_run_id"})
        return pd.DataFrame in _HOLDERS[word] and not columns.isdisjoint(getattr(value, "columns", ()))
    is_run = word == "runs" and not _RUN_TYPES.isdisjoint(base.__name__ for base in type(value).__mro__)
    return is_run or issubclass(type(value), _HOLDERS[word])
