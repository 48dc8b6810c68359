"""What is parsed of the rows of the server's answers: the fields that are needed, and texts that repeat once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import GenericAlias
from typing import Any

import msgspec


class State(msgspec.Struct, frozen=True, gc=False):
    """What is parsed of the present state of a run: all else that frames tell of it stands in the row too."""

    message: str | None = None


class TaskInput(msgspec.Struct, frozen=True, gc=False):
    """What is parsed of an input of a task run: where it comes from, and its id if that is a run."""

    input_type: str
    id: str | None = None


_TYPES: Mapping[str, tuple[Any, Any]] = {
    "tags": (tuple[str, ...], ()),
    "state": (State | None, None),
    "task_inputs": (dict[str, tuple[TaskInput, ...]] | None, None),
}
"""Of fields that are not taken as they come, their type, and what stands where they lack."""

_REPEATED = frozenset(
    {
        "state_type",
        "state_name",
        "state",
        "tags",
        "flow_run_id",
        "task_key",
        "flow_id",
        "deployment_id",
        "work_pool_id",
        "work_pool_name",
    }
)


def _field(row: Any, name: str) -> Any:
    return getattr(row, name)


@lru_cache(maxsize=64)
def rows_of(fields: frozenset[str]) -> Any:
    """Give the type of an answer of rows of which some fields are parsed; one that an old server lacks is None."""
    row = msgspec.defstruct(
        "Run",
        [(name, *_TYPES.get(name, (Any, None))) for name in sorted(fields)],
        namespace={"__getitem__": _field, "repeated": tuple(sorted(fields & _REPEATED))},
        gc=False,  # a hundred thousand rows would have Python look through all that it holds, again and again
    )
    return GenericAlias(list, row)


def share_texts(rows: Iterable[Any], texts: dict[Any, Any]) -> None:
    """Let rows have in the place of texts that repeat those of earlier rows, which `texts` holds: each is kept once."""
    for row in rows:
        for name in row.repeated:
            text = getattr(row, name)
            setattr(row, name, texts.setdefault(text, text))
