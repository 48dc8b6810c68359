"""Files of runs, as bytes: CSV and Parquet with the values of the frame, not with what a person reads."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pandas as pd

from prefect_nbviz.errors import PrefectNbvizError


def csv_bytes(runs: pd.DataFrame) -> bytes:
    """Give a frame as CSV in UTF-8.

    Values are exact: times are ISO text with their zone, lengths of time pandas' text with microseconds, tags a JSON
    list. A text that begins with `=` stays as it is, too, which a spreadsheet takes for a formula.

    Examples
    --------
    >>> csv_bytes(pd.DataFrame({"name": ["=1+1", "a,b"]})).decode().splitlines()
    ['name', '=1+1', '"a,b"']
    """
    texts = {str(name): runs[name].map(_as_json) for name in runs if runs[name].dtype == object}
    return runs.assign(**texts).to_csv(index=False).encode("utf-8", "backslashreplace")


def parquet_bytes(runs: pd.DataFrame) -> bytes:
    """Give a frame as Parquet, with its attrs.

    Raises
    ------
    PrefectNbvizError
        pyarrow is not installed.

    Examples
    --------
    >>> parquet_bytes(pd.DataFrame({"name": ["load"]}))[:4]
    b'PAR1'
    """
    file = io.BytesIO()
    try:
        runs.to_parquet(file, engine="pyarrow", index=False)
    except ImportError as error:
        raise PrefectNbvizError("Parquet needs pyarrow in this kernel: pip install pyarrow.") from error
    return file.getvalue()


WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {"csv": csv_bytes, "parquet": parquet_bytes}
"""What makes a file, by the end of its name."""


def _as_json(value: Any) -> Any:
    return json.dumps([*value], ensure_ascii=False) if isinstance(value, tuple) else value
