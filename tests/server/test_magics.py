"""The magics in a real kernel, on a real server: what they read, and what its tab key offers."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.server

CELL = """
%load_ext prefect_nbviz
failed = %prefect_runs task --state FAILED --since 1d --limit none
of_variable = %prefect_states failed
of_line = %prefect_states task --state FAILED --since 1d --limit none
exact = %prefect_states failed --exact yes
ids = [*failed["task_run_id"]]
of_ids = %prefect_states {" ".join(ids)}
checks = %prefect_check
same = [of_variable.drop(columns="source").equals(one.drop(columns="source")) for one in (of_line, exact, of_ids)]
ends = of_variable.groupby("run_id").tail(1)["state_type"]
print(len(failed) > 1, *same, set(ends), len(ends) == len(failed), set(exact["source"]), len(checks) > 5)
"""


@pytest.fixture(scope="module")
def kernel(demo_server) -> Iterator[BlockingKernelClient]:
    manager, client = start_new_kernel(env=os.environ | demo_server.environment)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_the_ways_to_name_runs_give_the_same_states(kernel) -> None:
    texts: list[str] = []
    reply = kernel.execute_interactive(
        CELL, timeout=120, output_hook=lambda message: texts.append(message["content"].get("text", ""))
    )
    assert reply["content"]["status"] == "ok", reply["content"]
    said = "True True True True {'FAILED'} True {'server'} True"
    assert said in "".join(texts)


@pytest.mark.parametrize("use_jedi", [False, True])
@pytest.mark.parametrize(
    ("code", "start", "offered"),
    [
        ("%prefect_runs flow --has-work", 19, ["--has-work-queue"]),
        ("x = 1\nruns = %prefect_runs --state-type=fai", 40, ["FAILED"]),
        ("%prefect_explore --tz Europe/Berl", 22, ["Europe/Berlin"]),
        ("%prefect_states of_var", 16, ["of_variable"]),
        ("%prefect_che", 0, ["%prefect_check"]),
    ],
)
def test_the_kernel_completes(kernel, code: str, start: int, offered: list[str], *, use_jedi: bool) -> None:
    kernel.execute(f"%config IPCompleter.use_jedi = {use_jedi}", reply=True, timeout=60)
    content = kernel.complete(code, reply=True, timeout=60)["content"]
    assert content["matches"] == offered
    assert content["cursor_start"] == start
    assert content["cursor_end"] == len(code)
