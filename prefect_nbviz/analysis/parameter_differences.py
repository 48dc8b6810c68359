"""Differences of parameters: what two sets of flow runs were given that is not the same."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import msgspec
import pandas as pd

from prefect_nbviz import frames, schema, tables
from prefect_nbviz.analysis.value_columns import flat

_SIDES = ("before", "after")


def parameter_differences(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Give the parameters that differ between two flow runs, or two sets of them, and no others.

    Parameters
    ----------
    before, after
        Flow runs with their `parameters` as JSON text. One without any counts as one that has none of them.

    Returns
    -------
    pandas.DataFrame
        A row for each parameter whose values before are not those after, in the order of the alphabet, with the
        columns of `tables.PARAMETER_DIFFERENCES`. What is inside of a parameter is under its path, such as
        `config.region`. To have none is told from null, as a value of its own; 1 is told from 1.0 and from "1"; the
        order of the keys of an object does not count, that of a list does. How many runs have each value makes no
        difference.

        `attrs["prefect_nbviz"]` has `before` and `after`: those of the two frames, with `runs`.

    Raises
    ------
    FrameError
        A frame has no `parameters`.

    Examples
    --------
    >>> before = pd.DataFrame({"parameters": ['{"rows": 3, "config": {"region": "eu"}}', '{"rows": 5}']})
    >>> after = pd.DataFrame({"parameters": ['{"rows": 3}', '{"rows": 5}']})
    >>> parameter_differences(before, after)[["parameter", "values_before", "values_after"]].to_numpy().tolist()
    [['config.region', ('"eu"',), ()]]
    """
    sides = dict(zip(_SIDES, (before, after), strict=True))
    for runs in sides.values():
        frames.require(runs, ["parameters"], made_by="read_flow_runs()")
    found = {side: _values(runs) for side, runs in sides.items()}
    names = sorted({*found["before"]} | {*found["after"]})
    rows = [{"parameter": name} | _both(found, name, sides) for name in names]
    rows = [row for row in rows if _differs(row)]
    data = {name: [row[name] for row in rows] for name in schema.names(tables.PARAMETER_DIFFERENCES)}
    table = frames.typed(data, tables.PARAMETER_DIFFERENCES)
    about = {
        side: copy.deepcopy(runs.attrs.get(frames.ATTRS, {})) | {"runs": len(runs)} for side, runs in sides.items()
    }
    is_cut = any(bool(one.get("truncated")) for one in about.values())
    table.attrs[frames.ATTRS] = {"kind": "parameter_differences", "truncated": is_cut, **about}
    return table


def _values(runs: pd.DataFrame) -> dict[str, Counter[str]]:
    """Give how many runs have each value of each parameter."""
    found: dict[str, Counter[str]] = {}
    for text, many in runs["parameters"].astype("object").value_counts().items():  # runs of a schedule are much alike
        for name, value in flat(msgspec.json.decode(str(text))).items():
            found.setdefault(name, Counter())[msgspec.json.encode(value, order="sorted").decode()] += many
    return found


def _both(found: dict[str, dict[str, Counter[str]]], name: str, sides: dict[str, pd.DataFrame]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for side, runs in sides.items():
        values = sorted(found[side].get(name, Counter()).items(), key=lambda one: (-one[1], one[0]))
        row |= {
            f"values_{side}": tuple(value for value, _ in values),
            f"runs_{side}": tuple(many for _, many in values),
        }
        row[f"without_{side}"] = len(runs) - sum(row[f"runs_{side}"])
    return row


def _differs(row: dict[str, Any]) -> bool:
    before, after = ({*row[f"values_{side}"]} | ({None} if row[f"without_{side}"] else set()) for side in _SIDES)
    return before != after
