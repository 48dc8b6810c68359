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
INTERRUPTED = """
import os, signal

def stop(done, total):
    if done > 3:
        os.kill(os.getpid(), signal.SIGINT)  # as the kernel's stop button does

states = nbv.read_states(runs, exact=True, progress=stop)
print("it went on")
"""
WHAT_IS_LEFT = """
import sys; frame = sys.last_value.frame
print(0 < frame["run_id"].nunique() < len(runs), frame.attrs["prefect_nbviz"]["truncated"])
"""
INSIDE_A_TASK = """
async def inside():
    return len(nbv.read_flow_runs(limit=None))
print(await inside() > 20)
"""
EXPLORER = """
explorer = nbv.explore(limit=12)
display(explorer)
explorer.load_button.click()
explorer.join()
"""


def test_reads_in_a_kernel(demo_server, tmp_path) -> None:
    sources = (CELL, INTERRUPTED, WHAT_IS_LEFT, INSIDE_A_TASK, EXPLORER)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in sources])
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | demo_server.environment)
    first, interrupted, left, second, _ = (
        "".join(out["text"] for out in cell.outputs if out.get("name") == "stdout") for cell in notebook.cells
    )
    number, five, is_running = first.split()
    assert int(number) > 50
    assert (five, is_running) == ("5", "True")
    assert second.strip() == "True"
    assert interrupted == ""
    [error] = [out for out in notebook.cells[1].outputs if out.output_type == "error"]
    assert error.ename == "ReadInterrupted"
    assert error.evalue.endswith("It was interrupted. What there is: import sys; frame = sys.last_value.frame")
    assert left.strip() == "True True"
    widget, saved = (out["data"] for out in notebook.cells[4].outputs if out.output_type == "display_data")
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert "Saved picture from" in saved["text/html"]
    assert saved["text/html"].count("<tr>") == 1 + 10
    assert "The first 10 of 12." in saved["text/html"]
