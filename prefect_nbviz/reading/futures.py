"""The present states of submitted tasks, as a frame."""

from __future__ import annotations

import asyncio
from typing import Any

import pandas as pd

from prefect_nbviz import frames, schema
from prefect_nbviz.query import TaskRunQuery
from prefect_nbviz.reading.connection import Connection, Server
from prefect_nbviz.reading.reader import Reader
from prefect_nbviz.reading.subjects import run_ids
from prefect_nbviz.reading.worker import Progress, Report, run
from prefect_nbviz.states import TERMINAL_STATE_TYPES

_SECONDS_BETWEEN_LOOKS = 0.5


def read_futures(
    futures: Any,
    *,
    wait: bool = False,
    timeout: float | None = None,
    connection: Connection | None = None,
    progress: bool | Report = True,
) -> pd.DataFrame:
    """Read the present states of submitted tasks, without waiting for them.

    Prefect's own `future.state` asks the server for one task at a time, and
    `prefect.futures.resolve_futures_to_states` waits for all; this asks for all at once.

    Parameters
    ----------
    futures
        What `task.submit` or `task.map` gives, a `PrefectFutureList`, or any number of futures.
    wait
        Wait until all have ended, with a bar; an interrupt leaves the tasks running.
    timeout
        How many seconds to wait at most; None for as long as it takes. What has not ended by then
        is given as it is.
    connection, progress
        As in `read_flow_runs`.

    Returns
    -------
    pandas.DataFrame
        One row for each future in their order, with the columns of `schema.FUTURES`: those of task runs and
        `is_known`. A task that the server does not know yet (it records them in the background) has
        `is_known` False, state PENDING and no times. `attrs["prefect_nbviz"]` tells `matched` (futures)
        and `read` (those that the server knows).

    Raises
    ------
    FrameError
        Something that is no future.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be read.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/python/prefect-futures

    Examples
    --------
    >>> read_futures(transform.map(range(40)), wait=True)  # doctest: +SKIP
    """
    ids = run_ids(futures)

    async def work(state: Progress) -> pd.DataFrame:
        state.total = len(ids)
        async with (connection or Connection()).open() as server:
            known = await _read(server, ids, state)
            loop = asyncio.get_running_loop()
            deadline = None if timeout is None else loop.time() + timeout
            while wait and state.done < len(ids) and (deadline is None or loop.time() < deadline):
                await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
                known = await _read(server, ids, state)
            return known

    return _with_unknown(run(work, progress=progress, unit="tasks"), ids)


async def _read(server: Server, ids: list[str], state: Progress) -> pd.DataFrame:
    answer = await Reader(server, TaskRunQuery(ids=ids, limit=None), Progress()).read()
    state.done = int(answer.frame["state_type"].isin(TERMINAL_STATE_TYPES).sum())
    return answer.frame


def _with_unknown(known: pd.DataFrame, ids: list[str]) -> pd.DataFrame:
    unknown = [run_id for run_id in ids if run_id not in set(known["task_run_id"])]
    blank: dict[str, Any] = {column.name: [None] * len(unknown) for column in schema.TASK_RUNS}
    blank |= {
        "task_run_id": unknown,
        "state_type": ["PENDING"] * len(unknown),
        "state_name": ["Pending"] * len(unknown),
        "run_count": [0] * len(unknown),
        "tags": [()] * len(unknown),
        "upstream_task_run_ids": [()] * len(unknown),
    }
    both = {name: [*known[name], *values] for name, values in blank.items()}
    both["is_known"] = [True] * len(known) + [False] * len(unknown)
    frame = frames.typed(both, schema.FUTURES).set_index("task_run_id", drop=False).loc[ids].reset_index(drop=True)
    frame.attrs[frames.ATTRS] = known.attrs[frames.ATTRS] | {"matched": len(ids), "read": len(known)}
    return frame
