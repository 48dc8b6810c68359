"""Kin: which runs are within which, and which of those that failed brought others down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import union_categoricals

from prefect_nbviz.arrays import Flags, Integers
from prefect_nbviz.errors import FrameError
from prefect_nbviz.states import FAILURE_TYPES

NOT_READY = "NotReady"
"""The name of the state of a run that never began, since an upstream did not complete."""

COLUMNS = (
    "flow_run_id",
    "name",
    "flow_name",
    "state_type",
    "state_name",
    "state_message",
    "expected_start_time",
    "start_time",
    "end_time",
    "run_count",
)
"""What both kinds of runs must have."""

_RAISED = r"^(?:Flow|Task) run encountered an exception:? "
_OWN_TIMEOUTS = {"flow_run": r"^Flow run exceeded timeout of \d", "task_run": r"^Task run exceeded timeout of \d"}
_INTERRUPTED = r"an unexpected exception: CancelledError|cancelled by the runtime environment"
_DEEPEST = 100  # no call in Prefect goes as deep: more is a circle


@dataclass(frozen=True)
class Kin:
    """Flow runs, then task runs, by number, and how they hang together."""

    runs: pd.DataFrame
    """A row for each: `run_id`, `run_kind`, and what both kinds have."""

    parent: Integers
    """The run that each is within: of a task run the one that called it, or its flow run; of a subflow run the task
    run that stands for it. -1 if there is none here."""

    is_top: Flags
    """Whether each is within no other, here or elsewhere."""

    lacks_upstream: Flags
    """Whether a recorded upstream of each is not here: it may be what called it."""

    upstream: Integers
    """Of each link between task runs, the one that the other depends on."""

    downstream: Integers
    """Of each link, the other."""

    @classmethod
    def of(cls, flow_runs: pd.DataFrame, task_runs: pd.DataFrame) -> Self:
        """Find what is within what.

        Raises
        ------
        FrameError
            A run is there twice.
        """
        flows, tasks = pd.Index(flow_runs["flow_run_id"]), pd.Index(task_runs["task_run_id"])
        if not (flows.is_unique and tasks.is_unique):
            raise FrameError("The frames hold a run twice: pass some without duplicates.")
        above = _places(tasks, flow_runs["parent_task_run_id"], shift=len(flows))
        below = _places(flows, task_runs["flow_run_id"], shift=0)
        upstream, downstream, lacks = _links(tasks, task_runs["upstream_task_run_ids"])
        around = _around(task_runs, upstream, downstream)
        caller = _last_to_start(task_runs, upstream[around], downstream[around])
        inner = np.where(caller >= 0, caller + len(flows), below)
        is_top = np.append(flow_runs["parent_task_run_id"].isna(), task_runs["flow_run_id"].isna() & (caller < 0))
        links = (upstream[~around] + len(flows), downstream[~around] + len(flows))
        lacks = np.append(np.zeros(len(flows), dtype=bool), lacks)
        return cls(_joined(flow_runs, task_runs), np.append(above, inner), is_top.astype(bool), lacks, *links)

    def paths(self, number: Integers) -> Iterator[Integers]:
        """Give some runs, then what each is within, and so on; -1 where that is at its end."""
        for _ in range(_DEEPEST):
            if not (number >= 0).any():
                return
            yield number
            number = np.append(self.parent, -1)[number]

    def causes(self) -> tuple[Integers, Integers]:
        """Give pairs of runs of which the first brought the second down, or may have, or kept it from beginning.

        What fails brings down what it is within and what depends on it. But a crash comes from crashes only; and a run
        that exceeded its own timeout, or was interrupted by that of a run around it, has brought down those that were
        interrupted in it. Of several that may have brought a run down, those of the same message did, if there are any.
        """
        failed = self.runs["state_type"].isin(FAILURE_TYPES).to_numpy()
        crashed = (self.runs["state_type"] == "CRASHED").to_numpy()
        waits = (self.runs["state_name"] == NOT_READY).to_numpy()
        cause, effect = self._within(failed, crashed)
        counts = (failed | waits)[self.upstream] & (failed | waits)[self.downstream]
        counts &= ~(failed[self.downstream] & waits[self.upstream])
        is_flow_run = (self.runs["run_kind"] == "flow_run").to_numpy(dtype=bool)
        stands = np.flatnonzero(is_flow_run & waits & (self.parent >= 0) & waits[self.parent])
        cause = np.concatenate([cause, self.upstream[counts], self.parent[stands]])
        effect = np.concatenate([effect, self.downstream[counts], stands])
        same = self._same(cause, effect)
        has_same = np.zeros(len(self.runs), dtype=bool)
        has_same[effect[same]] = True
        kept = same | ~has_same[effect]
        return cause[kept], effect[kept]

    def _within(self, failed: Flags, crashed: Flags) -> tuple[Integers, Integers]:
        """Give the pairs of those that failed in one that did."""
        inner = np.flatnonzero(failed & (self.parent >= 0) & failed[self.parent])
        outer = self.parent[inner]
        own, interrupted = failed & timed_out(self.runs), failed & says(self.runs, _INTERRUPTED)
        stopped = own.copy()
        while (more := interrupted[inner] & stopped[outer] & ~stopped[inner]).any():
            stopped[inner[more]] = True
        turned = stopped[outer] & stopped[inner] & ~own[inner]
        upward = ~stopped[outer] & (crashed[inner] | ~crashed[outer])
        return np.append(inner[upward], outer[turned]), np.append(outer[upward], inner[turned])

    def _same(self, one: Integers, other: Integers) -> Flags:
        said = self.raised
        same: Flags = (said[one] >= 0) & (said[one] == said[other])
        return same

    @property
    def raised(self) -> Integers:
        """The number of what each says, be it a flow run or a task run that raised it; -1 if nothing."""
        number, texts = pd.factorize(self.runs["state_message"])
        said = pd.factorize(pd.Series(texts, dtype="str").str.replace(_RAISED, "", regex=True))[0]
        found: Integers = np.append(said, -1)[number]
        return found

    @property
    def path_names(self) -> npt.NDArray[np.object_]:
        """What each is called in a path: a flow run as its flow; a task run that stands for a flow run has no name."""
        is_flow_run = (self.runs["run_kind"] == "flow_run").to_numpy()
        flows, names = (self.runs[word].astype(object) for word in ("flow_name", "name"))
        called = names.where(~is_flow_run | flows.isna(), flows).to_numpy(dtype=object)
        called = np.where(pd.isna(called), "", called)
        called[self.parent[is_flow_run & (self.parent >= 0)]] = None
        return called


def says(runs: pd.DataFrame, look: str) -> Flags:
    """Say of each run whether its message has this look, a regular expression.

    Examples
    --------
    >>> says(pd.DataFrame({"state_message": ["no row 7", None]}), "row")
    array([ True, False])
    """
    number, texts = pd.factorize(runs["state_message"])
    fits = pd.Series(texts, dtype="str").str.contains(look, regex=True).to_numpy(dtype=bool)
    found: Flags = np.append(fits, False)[number]
    return found


def timed_out(runs: pd.DataFrame) -> Flags:
    """Say of each run whether it took longer than it may itself; what one says "of None" is the timeout of another.

    A task run that stands for a flow run says what that says, and is not meant.
    """
    found = np.zeros(len(runs), dtype=bool)
    for kind, look in _OWN_TIMEOUTS.items():
        found |= (runs["run_kind"] == kind).to_numpy(dtype=bool) & says(runs, look)
    return found


def _joined(flow_runs: pd.DataFrame, task_runs: pd.DataFrame) -> pd.DataFrame:
    parts = [
        part[[*COLUMNS]].assign(run_kind=kind, run_id=part[f"{kind}_id"], task_key=part.get("task_key"))
        for kind, part in (("flow_run", flow_runs), ("task_run", task_runs))
    ]
    columns = {name: _stacked([part[name] for part in parts]) for name in parts[0]}
    return pd.DataFrame(columns)


def _stacked(parts: list[pd.Series[Any]]) -> pd.Series[Any]:
    """Put one column under another; text that repeats stays so, since as text it would be looked up row by row."""
    if all(isinstance(part.dtype, pd.CategoricalDtype) and not part.dtype.ordered for part in parts):
        return pd.Series(union_categoricals(parts))
    if len({str(part.dtype) for part in parts}) == 1:
        return pd.concat(parts, ignore_index=True)
    return pd.Series(np.concatenate([part.to_numpy(dtype=object) for part in parts]), dtype=object)


def _places(ids: pd.Index[Any], wanted: pd.Series[Any], *, shift: int) -> Integers:
    """Give where ids are, -1 for those that are not there."""
    number, distinct = pd.factorize(wanted)
    found = np.append(ids.get_indexer(pd.Index(distinct)), -1)[number]
    places: Integers = np.where(found < 0, -1, found + shift)
    return places


def _links(ids: pd.Index[Any], upstream_ids: pd.Series[Any]) -> tuple[Integers, Integers, Flags]:
    """Give the pairs of upstream and downstream that are here, and of which task runs an upstream is not."""
    sizes = upstream_ids.map(len).to_numpy(dtype=np.int64)
    wanted = pd.Series([*chain.from_iterable(upstream_ids)], dtype=object)
    upstream = _places(ids, wanted, shift=0)
    downstream = np.repeat(np.arange(len(ids)), sizes)
    here = (upstream >= 0) & (upstream != downstream)
    lacks = np.bincount(downstream[upstream < 0], minlength=len(ids)) > 0
    return upstream[here], downstream[here], lacks


def _around(task_runs: pd.DataFrame, upstream: Integers, downstream: Integers) -> Flags:
    """Say of each link whether the upstream was running when the other started: it called it."""
    start, end = (task_runs[word].to_numpy(dtype="datetime64[us]") for word in ("start_time", "end_time"))
    not_ended = np.isnat(end[upstream]) & ~np.isnat(start[downstream])
    around: Flags = (start[upstream] <= start[downstream]) & (not_ended | (start[downstream] < end[upstream]))
    return around


def _last_to_start(task_runs: pd.DataFrame, upstream: Integers, downstream: Integers) -> Integers:
    """Give for each task run the upstream that started last, -1 if it has none."""
    start = task_runs["start_time"].to_numpy(dtype="datetime64[us]").astype(np.int64)
    order = np.lexsort((upstream, start[upstream]))
    found = np.full(len(task_runs), -1, dtype=np.int64)
    found[downstream[order]] = upstream[order]  # of several, the last that is written stays
    return found
