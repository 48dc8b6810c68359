"""The functions are plain calls where a loop is running already: in a real kernel, with its progress."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.server

CELL = """
import asyncio
loop = asyncio.get_running_loop()  # a kernel's cell has one
import prefect_nbviz as nbv
runs = nbv.read_task_runs(limit=None, flow="daily_ingest")
spans = nbv.state_intervals(nbv.read_states(runs.head(5)))
print(len(runs), spans["run_id"].nunique(), loop.is_running())
"""
INSIDE_A_TASK = """
async def inside():
    return len(nbv.read_flow_runs(limit=None))
print(await inside() > 20)
"""


def test_reads_in_a_kernel(demo_server, tmp_path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in (CELL, INSIDE_A_TASK)])
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | demo_server.environment)
    first, second = (
        "".join(out["text"] for out in cell.outputs if out.get("name") == "stdout") for cell in notebook.cells
    )
    number, five, is_running = first.split()
    assert int(number) > 50
    assert (five, is_running) == ("5", "True")
    assert second.strip() == "True"
