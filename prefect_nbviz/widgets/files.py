"""Files of runs: their names, and CSV and Parquet with the values of the frame, not with what a person reads."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

import pandas as pd

from prefect_nbviz import frames
from prefect_nbviz.errors import PrefectNbvizError


def file_name(runs: pd.DataFrame, suffix: str, *, zone: tzinfo = UTC) -> str:
    """Give the name of a file of runs, which says when they were read.

    Examples
    --------
    >>> runs = pd.DataFrame({"flow_run_id": []})
    >>> runs.attrs[frames.ATTRS] = {"as_of": "2026-01-31T10:42:07+00:00"}
    >>> file_name(runs, "csv")
    'flow_runs_2026-01-31_104207.csv'
    """
    as_of = runs.attrs.get(frames.ATTRS, {}).get("as_of")
    moment = datetime.fromisoformat(as_of) if as_of else datetime.now(UTC)
    kind = frames.id_column(runs).removesuffix("_id")
    return f"{kind}s_{moment.astimezone(zone):%Y-%m-%d_%H%M%S}.{suffix}"


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
