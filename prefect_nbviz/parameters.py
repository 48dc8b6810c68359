"""Values of a flow run's parameters: compared as JSON compares, and as the texts that people write."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from prefect_nbviz.errors import QueryError


class Parameters(dict[str, Any]):
    """Values by name that do not change, so that a query can be kept in a set; equal where JSON says so.

    Examples
    --------
    >>> Parameters(b=1) == Parameters(b=1.0), Parameters(b=1) == Parameters(b=True)
    (True, False)
    """

    def __hash__(self) -> int:  # type: ignore[override]
        """Give the same for equals."""
        return hash(repr(sorted(self)))

    def __eq__(self, other: object) -> bool:
        """Say whether another dict holds the same."""
        return is_same(dict(self), dict(other) if isinstance(other, Mapping) else other)

    def __ne__(self, other: object) -> bool:
        """Say whether it does not."""
        return not self == other


def is_same(one: Any, other: Any) -> bool:
    """Compare two values as JSON does: 1 is 1.0, and is not true.

    Examples
    --------
    >>> is_same([1, {"a": 0}], [1.0, {"a": 0}]), is_same([1], [True])
    (True, False)
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def parameters_or_none(word: str, value: object) -> Parameters | None:
    """Take values by name that JSON can hold, numpy's too, or None.

    Examples
    --------
    >>> import numpy as np
    >>> parameters_or_none("parameters", {"rows": np.int64(3)})
    {'rows': 3}
    """
    if value is None:
        return None
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            return Parameters(json.loads(json.dumps({**value}, allow_nan=False, default=_plain)))
    raise QueryError(f"{word} takes values that JSON can hold, by name, such as {{'region': 'eu'}}; not {value!r}.")


def _plain(value: Any) -> Any:
    """Give what numpy and pandas hold as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")


def parameter_values(word: str, texts: Iterable[str]) -> dict[str, Any]:
    """Take values by name out of texts such as `region=eu`; what is JSON after the `=` is read as JSON.

    Raises
    ------
    QueryError
        A text is no name with a value, a name comes twice, or a value begins as JSON and is none.

    Examples
    --------
    >>> parameter_values("parameters", ["region=eu", "rows=12", 'code="12"', "full=true"])
    {'region': 'eu', 'rows': 12, 'code': '12', 'full': True}
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not name or not equals:
            raise QueryError(f"{word} takes a name and a value, such as region=eu; not {text!r}.")
        if name in values:
            raise QueryError(f"{word} has two values for {name!r}, and a run has one: leave one out.")
        values[name] = _json_or_text(value)
        if values[name] == value and value.startswith(_BEGINS):
            raise QueryError(
                f"{word}: {value!r} begins as JSON and is none: write JSON, which a magic wants in quotation marks, as in "
                f"'{name}={{\"a\": 1}}'; for text add double quotes, as in '{name}=\"{{a\"'."
            )
    return values


def parameter_texts(values: Mapping[str, Any]) -> list[str]:
    """Give the texts that `parameter_values` reads as these values.

    Examples
    --------
    >>> parameter_texts({"region": "eu", "rows": 12, "code": "12", "full": True})
    ['region=eu', 'rows=12', 'code="12"', 'full=true']
    """
    return [f"{name}={_text_of(value)}" for name, value in values.items()]


_BEGINS = ("{", "[")


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")  # so that NaN and Infinity, which Python would take, stay text


def _text_of(value: Any) -> str:
    is_plain = (
        isinstance(value, str) and _json_or_text(value) == value == value.strip() and not value.startswith(_BEGINS)
    )
    return value if is_plain else json.dumps(value, ensure_ascii=False)
