"""The report: a query read, and written as one page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from prefect_nbviz.charts.clock import zone_of
from prefect_nbviz.errors import ReadInterrupted, ReportError
from prefect_nbviz.query import RunQuery, query_to_show
from prefect_nbviz.reading import Connection
from prefect_nbviz.reading.runs import read_runs
from prefect_nbviz.reading.worker import Report
from prefect_nbviz.reporting.contents import Contents, checked
from prefect_nbviz.reporting.page import page_of
from prefect_nbviz.reporting.place import Place


def report(
    query: RunQuery | pd.DataFrame | None = None,
    path: str | os.PathLike[str] = "runs.html",
    *,
    connection: Connection | None = None,
    tz: str = "UTC",
    title: str | None = None,
    overwrite: bool = False,
    progress: bool | Report = True,
    **criteria: Any,
) -> Path:
    """Write what happened to runs as one HTML page, for people who have no notebook.

    The page holds all that it shows, plotly too, and asks nobody for anything: it can be mailed, kept, and opened
    without a network. It says what was asked, how much of that was read, as of when and from which server, then counts
    over time, failures by message, durations, the timeline of states, where the time went, how many ran at once and,
    of flow runs, how late they started. Of thousands of runs only the first ones have their state histories read, as
    in the explorer, and the page says so.

    Parameters
    ----------
    query
        What is asked, or a frame of runs that was read already, whole in its columns and with its attrs. Unless told:
        the task runs of the last day.
    path
        The file to write; its folder is there.
    connection
        Another server than that of the active Prefect profile.
    tz
        Name of the time zone of all times, such as `"Europe/Berlin"`.
    title
        What stands above it all; "Flow runs" or "Task runs" with the filter unless told.
    overwrite
        Whether to write over a file that is there.
    progress
        As in `read_flow_runs`.
    **criteria
        The fields of the query, of `TaskRunQuery` where none is given: `report(state_type="FAILED", since="7d")`.

    Returns
    -------
    pathlib.Path
        The file, about 2 MB, of which plotly is nearly all.

    Raises
    ------
    ReportError
        It cannot be written there; nothing is read then. If that turns out only after the reading, its `frame` has
        the runs.
    QueryError, FrameError
        A criterion or time zone that cannot be; a frame that lacks columns.
    NotConnectedError, UnreachableError, AuthenticationError, RefusedError, ReadInterrupted
        As in `read_flow_runs`; after an interrupt, `frame` has the runs. Where only what comes after the runs could
        not be read, the page says so instead.

    See Also
    --------
    explore : the same to work with.

    Examples
    --------
    >>> report(since="7d", tags_any="prod", tz="Europe/Berlin")  # doctest: +SKIP
    PosixPath('runs.html')
    """
    zone = zone_of(tz)
    with Place(Path(path), overwrite=overwrite) as place:
        if isinstance(query, pd.DataFrame):
            asked, runs = None, checked(query, criteria)
        else:
            asked = query_to_show(query, criteria)
            runs = read_runs(asked, connection, progress=progress)
        try:
            contents = Contents.gathered(asked, runs, zone=zone, title=title, connection=connection, progress=progress)
            place.write(page_of(contents).encode("utf-8", "replace"))
        except (ReadInterrupted, ReportError) as error:
            error.frame = runs
            raise
    return Path(path)
