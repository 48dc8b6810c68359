"""Tags and parameters as columns: every value is there, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_nbviz import parameter_columns, tag_columns
from prefect_nbviz.errors import FrameError

WORD = st.sampled_from(["a", "b", "", "c d", "<i>"])
TAGS = st.lists(st.tuples(WORD, WORD).map(":".join) | WORD, max_size=4, unique=True).map(tuple)
LEAF = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
KEY = st.sampled_from(["x", "y", "z"])
PARAMETERS = st.dictionaries(KEY, LEAF | st.dictionaries(KEY, LEAF, max_size=2), max_size=3)


@settings(max_examples=50)
@given(st.lists(TAGS, max_size=5))
def test_tags_are_those_of_a_plain_loop(tags: list[tuple[str, ...]]) -> None:
    runs = pd.Series(tags, index=range(3, 3 + len(tags)), dtype="object").to_frame("tags")
    table = tag_columns(runs)
    pairs = [[tag.split(":") for tag in one if ":" in tag and not tag.startswith(":")] for one in tags]
    keys = sorted({key for one in pairs for key, _ in one})
    assert table.columns.tolist() == ["tags", *(f"tag.{key}" for key in keys)]
    for key in keys:
        expected = [", ".join(value for other, value in one if other == key) for one in pairs]
        has_one = [any(other == key for other, _ in one) for one in pairs]
        assert table[f"tag.{key}"].notna().tolist() == has_one
        assert table[f"tag.{key}"].fillna("").tolist() == expected
    pd.testing.assert_frame_equal(table[["tags"]], runs)


@settings(max_examples=50)
@given(st.lists(PARAMETERS, max_size=5))
def test_parameters_are_what_the_json_holds(values: list[dict[str, Any]]) -> None:
    runs = pd.DataFrame({"parameters": pd.Series(map(json.dumps, values), dtype="str")})
    table = parameter_columns(runs)
    for place, one in enumerate(values):
        row = {name: value for name, value in table.iloc[place].items() if name != "parameters" and value is not None}
        flat = {}
        for key, value in one.items():
            inner = (
                {f"{key}.{part}": leaf for part, leaf in value.items()} if isinstance(value, dict) and value else None
            )
            flat |= {key: value} if inner is None else inner
        assert row == {f"parameter.{key}": value for key, value in flat.items() if value is not None}


def test_keys_choose_and_what_is_not_there_is_refused() -> None:
    runs = pd.DataFrame({"tags": [("a:1", "b:2")], "parameters": ['{"n": {"m": [1]}}']})
    runs.attrs["prefect_nbviz"] = {"matched": 5}
    table = tag_columns(parameter_columns(runs, keys=["n.m"]), keys=["b", "z"])
    assert table.columns.tolist() == ["tags", "parameters", "parameter.n.m", "tag.b", "tag.z"]
    assert table["parameter.n.m"].iloc[0] == [1]
    assert table["tag.z"].isna().all()
    assert table.attrs == runs.attrs
    assert tag_columns(runs.head(0), keys=["b"])["tag.b"].dtype == "str"
    with pytest.raises(FrameError, match="lacks 'tags'"):
        tag_columns(pd.DataFrame())
    with pytest.raises(FrameError, match="lacks 'parameters'"):
        parameter_columns(pd.DataFrame())
