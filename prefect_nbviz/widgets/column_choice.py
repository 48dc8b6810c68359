"""The choice of a column, of those that some runs have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as ipw
import pandas as pd


class ColumnChoice(ipw.Dropdown):
    """A choice of columns by what people call them; the first choice is always there.

    Parameters
    ----------
    description
        What stands over it.
    columns
        Names of columns by what they are called.

    Examples
    --------
    >>> choice = ColumnChoice("By", {"All runs": "", "Flow": "flow_name", "Deployment": "deployment_name"})
    >>> choice.value = "deployment_name"
    >>> choice.offer(pd.DataFrame({"flow_name": ["ingest"]}))
    >>> choice.options, choice.value
    ((('All runs', ''), ('Flow', 'flow_name')), '')
    """

    def __init__(self, description: str, columns: Mapping[str, str]) -> None:
        self._columns = [*columns.items()]
        super().__init__(description=description, options=self._columns)
        self.add_class("nbviz-field")

    def offer(self, runs: pd.DataFrame) -> None:
        """Offer the columns that runs have; the chosen one stays if it is among them."""
        first, *others = self._columns
        options = [first, *(choice for choice in others if choice[1] in runs.columns)]
        if options != [*self.options]:
            before = self.value
            self.options: Any = options
            self.value: Any = before if before in dict(options).values() else first[1]
