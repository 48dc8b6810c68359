"""Columns of values: what the tags `key:value` and the parameters of runs say, a column for each key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pandas as pd

from prefect_nbviz import frames


def tag_columns(runs: pd.DataFrame, *, keys: Iterable[str] | None = None) -> pd.DataFrame:
    """Add a column for each key of the tags of the form `key:value`.

    A tag is cut at its first colon, and white space around key and value does not count. A tag without a colon,
    or without a key, is none of these. Of a key that a run has several times, its values are joined with `", "`, in
    the order of the tags.

    Parameters
    ----------
    runs
        Flow runs or task runs, with their `tags`. They are not changed.
    keys
        The keys that get a column, in this order, also where no run has one; None for all, in the order of the
        alphabet.

    Returns
    -------
    pandas.DataFrame
        `runs` with a column of text `tag.key` for each key, missing where a run has none; its attrs stay.

    Raises
    ------
    FrameError
        `runs` has no `tags`.

    Examples
    --------
    >>> runs = pd.DataFrame({"tags": [("prod", "project_id: 7"), ("team:a", "team:b"), ()]})
    >>> tag_columns(runs)[["tag.project_id", "tag.team"]].to_numpy().tolist()
    [['7', nan], [nan, 'a, b'], [nan, nan]]
    """
    frames.require(runs, ["tags"], made_by="read_flow_runs() or read_task_runs()")
    held = [_of_tags(tags) for tags in runs["tags"].tolist()]
    return _added(runs, held, "tag", keys, "str")


def parameter_columns(runs: pd.DataFrame, *, keys: Iterable[str] | None = None) -> pd.DataFrame:
    """Add a column for each parameter, with those inside of parameters under their path.

    Parameters
    ----------
    runs
        Flow runs, with their `parameters` as JSON text. They are not changed.
    keys
        The paths that get a column, in this order, such as `"rows"` or `"config.region"`, also where no run has
        one; None for all, in the order of the alphabet.

    Returns
    -------
    pandas.DataFrame
        `runs` with a column `parameter.path` for each path, of Python's values: numbers, text, True, False, lists,
        and empty objects as dicts; None where a run has none, or null. A key that holds a dot reads like a path: of
        two that are then the same, the later in the JSON counts. The attrs stay.

    Raises
    ------
    FrameError
        `runs` has no `parameters`.

    Examples
    --------
    >>> runs = pd.DataFrame({"parameters": ['{"rows": 3, "config": {"region": "eu"}}', '{"rows": 5}']})
    >>> parameter_columns(runs, keys=["rows", "config.region"]).iloc[:, 1:].to_numpy().tolist()
    [[3, 'eu'], [5, None]]
    """
    frames.require(runs, ["parameters"], made_by="read_flow_runs()")
    texts = runs["parameters"].astype("object").tolist()
    held = [flat(msgspec.json.decode(text)) if isinstance(text, str) else {} for text in texts]
    return _added(runs, held, "parameter", keys, "object")


def _of_tags(tags: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in tags:
        key, colon, value = (part.strip() for part in tag.partition(":"))
        if key and colon:
            found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """Give what is inside of objects under its path; empty objects stay.

    Examples
    --------
    >>> flat({"rows": 3, "config": {"region": "eu", "more": {}}})
    {'rows': 3, 'config.region': 'eu', 'config.more': {}}
    """
    return _flat(values, "", {})


def _flat(values: dict[str, Any], before: str, found: dict[str, Any]) -> dict[str, Any]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            _flat(value, f"{before}{key}.", found)
        else:
            found[before + key] = value
    return found


def _added(
    runs: pd.DataFrame, held: list[dict[str, Any]], kind: str, keys: Iterable[str] | None, dtype: str
) -> pd.DataFrame:
    shown = sorted(set().union(*held)) if keys is None else [*dict.fromkeys(keys)]
    added = {f"{kind}.{key}": pd.Series([one.get(key) for one in held], index=runs.index, dtype=dtype) for key in shown}
    found = pd.concat([runs, pd.DataFrame(added, index=runs.index)], axis=1)
    found.attrs = runs.attrs
    return found
