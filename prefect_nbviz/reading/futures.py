"""The present states of submitted tasks, as a frame."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pandas as pd

from prefect_nbviz.errors import ServerError
from prefect_nbviz.reading.answer import Answer
from prefect_nbviz.reading.connection import Connection, Server, as_connection
from prefect_nbviz.reading.subjects import run_ids
from prefect_nbviz.reading.tasks import Tasks
from prefect_nbviz.reading.worker import Progress, Report, run

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
        Wait until all have ended, with a bar; an interrupt leaves the tasks running, and its `frame` has their states
        (`ReadInterrupted`). A task that is `NotReady`, since one that it needs failed, never runs and is not waited for.
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
        `is_known` False, state PENDING and no times; one that could not be read has no `is_known` and no state.
        `attrs["prefect_nbviz"]` tells `matched` (futures), `read` (those that the server knows), `truncated` and
        `reason`.

    Raises
    ------
    FrameError
        Something that is no future of a task.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError
        The server could not be read at all.

    Warns
    -----
    IncompleteWarning
        The server failed in the middle, or no longer knows (four looks in a row) a task that it knew. Such rows are as
        they were last seen, and neither is waited for; a task that has never been known may still begin, and is waited
        for.

    See Also
    --------
    https://docs.prefect.io/v3/api-ref/python/prefect-futures

    Examples
    --------
    >>> read_futures(transform.map(range(40)), wait=True)  # doctest: +SKIP
    """
    ids = run_ids(futures)

    async def work(state: Progress) -> Answer:
        state.total = len(ids)
        async with as_connection(connection).open(state) as server:
            tasks = Tasks(ids, state)
            await tasks.look(server)
            await tasks.refuse_flow_runs(server)
            if wait:
                await _wait(tasks, server, timeout)
            return tasks.answer()

    return run(work, progress=progress, unit="tasks").warn(stacklevel=2)


async def _wait(tasks: Tasks, server: Server, seconds: float | None) -> None:
    """Look again until all have ended, or the time is over, or the server fails."""
    loop = asyncio.get_running_loop()
    deadline = math.inf if seconds is None else loop.time() + seconds
    while tasks.open and loop.time() < deadline and tasks.is_whole:
        await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        try:
            await tasks.look(server)
        except ServerError as error:
            tasks.break_off(f"The wait broke off, and the states are those of the last look before it. {error}")
            return
