"""The table of runs in JupyterLab, in a real browser: sorted, searched, selected, columns chosen, saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from notebook_page import add_cells

from prefect_nbviz.demo.lab import NOTEBOOK

pytestmark = pytest.mark.browser

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
NAME = "table.ipynb"
ROWS = 600
CELL = f"""\
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import ipywidgets as ipw
from made_frames import task_runs
from prefect_nbviz.widgets.page import Page
from prefect_nbviz.widgets.table import RunTable
runs = task_runs({ROWS})
runs.loc[2, "name"] = '<img src="x" onerror="alert(1)">'
table = RunTable()
table.show(runs)
ipw.VBox([Page(), table], _dom_classes=("nbviz",))
"""
ASK = (
    "print('SELECTED', [*runs.index[runs['task_run_id'].isin(table.selected)]], table.columns, table.content['number'])"
)


@pytest.fixture(scope="module")
def address(lab: tuple[Path, str]) -> str:
    folder, address = lab
    add_cells(folder / NAME, CELL, ASK)
    return address.replace(NOTEBOOK, NAME)
