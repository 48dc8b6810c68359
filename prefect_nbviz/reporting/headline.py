"""The head of a report: the numbers that are looked at first, and what they are of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from prefect_nbviz import percentiles
from prefect_nbviz.analysis.lateness import LATE_AFTER
from prefect_nbviz.analysis.suspects import suspect_runs
from prefect_nbviz.charts.words import duration_text
from prefect_nbviz.query_text import criteria_text
from prefect_nbviz.reporting.contents import Contents
from prefect_nbviz.reporting.listing import share_text
from prefect_nbviz.states import FAILURE_TYPES, TERMINAL_STATE_TYPES


@dataclass(frozen=True)
class Figure:
    """A number in large letters."""

    name: str
    """What it is."""

    value: str
    """The number."""

    note: str
    """What it is of."""

    state: str = ""
    """A state type whose colour it has."""


def figures(contents: Contents) -> Iterator[Figure]:
    """Give the numbers of all runs that were read."""
    runs = contents.runs
    count, kinds = len(runs), runs["state_type"]
    failed = int(kinds.isin(FAILURE_TYPES).sum())
    ended = int(kinds.isin(TERMINAL_STATE_TYPES).sum())
    yield Figure("Runs" if count != 1 else "Run", f"{count:,}", how_many(contents))
    if not count:
        return
    state = "FAILED" if failed else ""
    yield Figure("Failed or crashed", f"{failed:,}", f"{share_text(failed, count)} of them", state)
    done = int((kinds == "COMPLETED").sum())
    yield Figure("Completed", f"{done:,}", f"{share_text(done, count)} of them", "COMPLETED" if done else "")
    yield Figure("Not ended", f"{count - ended:,}", f"{share_text(count - ended, count)} of them")
    yield from _lengths(runs)
    yield from _late(runs)


def _lengths(runs: pd.DataFrame) -> Iterator[Figure]:
    micros = runs["duration"].dropna().to_numpy(dtype="timedelta64[us]").astype(np.int64)
    if len(micros):
        group = np.zeros(len(micros), dtype=np.int64)
        half, most = percentiles.of_groups(micros, group, groups=1, percents=[50, 95])[0].tolist()
        note = f"95 of 100 took no longer than {duration_text(most)}"
        yield Figure("Median duration", duration_text(half), note)


def _late(runs: pd.DataFrame) -> Iterator[Figure]:
    if "lateness" in runs and runs["lateness"].notna().any():
        late = int((runs["lateness"] > LATE_AFTER).sum())
        after = f"by more than {duration_text(LATE_AFTER)}"
        yield Figure("Late starts", f"{late:,}", after)


def how_many(contents: Contents) -> str:
    """Say of how many that match the runs are.

    There may be more that match than is known: then it is said that there are more.
    """
    about, held = contents.about, len(contents.runs)
    if held < about["read"]:
        return f"chosen from {about['read']:,} that were read"
    if not about["truncated"]:
        return "all that match"
    matched = about["matched"]
    return f"of {matched:,} that match" if isinstance(matched, int) and matched > held else "of more that match"


def facts(contents: Contents) -> Iterator[tuple[str, str]]:
    """Say what was asked, what was read of it, when and from where."""
    about, held, noun = contents.about, len(contents.runs), contents.noun
    yield "Filter", criteria_text(contents.query, zone=contents.zone)
    yield "Runs", f"{held:,} {noun if held == 1 else noun + 's'}, {how_many(contents)}"
    yield "Complete", "yes" if contents.is_all else f"no. {about.get('reason') or ''}".strip()
    yield "Order", _order(contents.query.sort)
    if held:
        yield "Spans", _span(contents)
        yield "State histories", histories(contents)
        yield "Doubtful records", _doubts(contents)
    yield "As of", f"{datetime.fromisoformat(about['as_of']).astimezone(contents.zone):%Y-%m-%d %H:%M:%S}"
    yield "Time zone", contents.zone.key
    yield "Server", str(about.get("server", "not known"))


def histories(contents: Contents) -> str:
    """Say of how many runs there are state histories."""
    held, runs = contents.with_histories, len(contents.runs)
    if held == runs:
        return "of all these runs" if runs > 1 else "of this run"
    return f"of the first {held:,} of {runs:,} runs, since each history may cost a request" if held else "of no run"


def _doubts(contents: Contents) -> str:
    """Say how many runs have a row that cannot be right; their numbers count all the same."""
    frame = {"flow_runs": contents.runs} if contents.query.kind == "flow_run" else {"task_runs": contents.runs}
    found = suspect_runs(**frame)
    kinds = ", ".join(
        f"{str(word).replace('_', ' ')}: {count:,}" for word, count in found["problem"].value_counts().items() if count
    )
    return f"{found['run_id'].nunique():,}, which count nevertheless ({kinds})" if len(found) else "none"


def _order(sort: str) -> str:
    word, _, way = sort.rpartition("_")
    ways = {"ASC": "from the lowest", "DESC": "from the highest"}
    if word.endswith("TIME"):
        ways = {"ASC": "the earliest first", "DESC": "the latest first"}
    return f"by {word.lower().replace('_', ' ')}, {ways.get(way, way)}"


def _span(contents: Contents) -> str:
    times = contents.runs["expected_start_time"].dropna()
    if times.empty:
        return "no run has an expected start"
    begin, end = (f"{one.tz_convert(contents.zone):%Y-%m-%d %H:%M}" for one in (times.min(), times.max()))
    return f"expected starts from {begin} to {end}" if begin != end else f"expected start {begin}"
