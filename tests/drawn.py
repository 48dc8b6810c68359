"""What a figure shows, and runs of which it is only of interest in which state they are."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from prefect_nbviz.states import STATE_NAMES


def runs_in(names: list[str], **columns: Any) -> pd.DataFrame:
    """Give a run in each of some states, with other columns."""
    types = [STATE_NAMES.get(name, "COMPLETED") for name in names]
    return pd.DataFrame({"state_type": types, "state_name": names, **columns})


def bars(fig: go.Figure) -> list[go.Bar]:
    """Give the traces that are bars."""
    return [trace for trace in fig.data if trace.type == "bar"]


def subtitle(fig: go.Figure) -> str:
    """Give what it says of how much it shows."""
    return str(fig.layout.title.subtitle.text)
