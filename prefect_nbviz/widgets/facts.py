"""What there is to know of one run, as HTML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

import pandas as pd

from prefect_nbviz.charts.words import duration_text, run_name
from prefect_nbviz.query import RunKind
from prefect_nbviz.reading.record import RunRecord
from prefect_nbviz.states import TERMINAL_STATE_TYPES
from prefect_nbviz.widgets.markup import markup, state_class, state_text, time_text, value_of

KINDS = {"flow_run": "Flow run", "task_run": "Task run"}

_MOST_NAMES = 10
_WORTH_SAYING = pd.Timedelta(seconds=1)
"""No run starts at the very moment that it was meant to."""

_ABOUT = {
    "flow_name": "Flow",
    "flow_run_name": "Flow run",
    "deployment_name": "Deployment",
    "work_pool_name": "Work pool",
    "work_queue_name": "Work queue",
    "flow_version": "Flow version",
    "task_key": "Task key",
}
_IDS = {
    "task_run_id": "Task run",
    "flow_run_id": "Flow run",
    "flow_id": "Flow",
    "deployment_id": "Deployment",
    "parent_task_run_id": "Parent task run",
}


def head_html(kind: RunKind, row: pd.Series[Any], record: RunRecord | None, stays: pd.DataFrame, zone: tzinfo) -> str:
    """Give what a run is called, its state and what that says."""
    address = None if record is None else record.address
    link = "" if address is None else _link(address)
    state = _state(row, stays, zone) + _attempt(row, record, stays)
    return (
        f'<div class="nbviz-run-kind"><span>{KINDS[kind]}</span>{link}</div>'
        f"<h3>{markup(run_name(value_of(row, 'name')))}</h3>"
        f'<p class="nbviz-run-state">{state}</p>{_message(row, stays)}'
    )


def _link(address: str) -> str:
    return f'<a href="{markup(address)}" target="_blank" rel="noopener noreferrer" data-key="ui">Open in Prefect</a>'


def _state(row: pd.Series[Any], stays: pd.DataFrame, zone: tzinfo) -> str:
    kind, name = value_of(row, "state_type"), value_of(row, "state_name")
    state = "" if kind is None else f"<strong>{state_text(kind, name)}</strong>"
    since = stays["start_time"].iloc[-1] if len(stays) else value_of(row, "end_time")
    return state if since is None else f'{state} <span class="nbviz-quiet">since {time_text(since, zone)}</span>'


def _attempt(row: pd.Series[Any], record: RunRecord | None, stays: pd.DataFrame) -> str:
    """Say which attempt it is, where there may be several."""
    number = int(stays["attempt"].max()) if len(stays) else value_of(row, "run_count") or 0
    most = None if record is None or record.retries is None else record.retries + 1
    if number < 1 or (number == 1 and most in {None, 1}):
        return ""
    of = f" of {most}" if most is not None and most >= number else ""
    return f' <span class="nbviz-pill">attempt {number:,}{of}</span>'


def _message(row: pd.Series[Any], stays: pd.DataFrame) -> str:
    message = value_of(stays.iloc[-1], "message") if len(stays) else value_of(row, "state_message")
    if not message:
        return ""
    kind = state_class(value_of(row, "state_type"))
    return f'<pre class="nbviz-message {kind}" tabindex="0" role="region" aria-label="What its state says">{markup(message)}</pre>'


def facts_html(kind: RunKind, row: pd.Series[Any], record: RunRecord | None, zone: tzinfo) -> str:
    """Give its times, tags, parameters, what it belongs to, and ids."""
    as_of = None if record is None else record.as_of
    zone_name = f'<span class="nbviz-quiet">{markup(zone)}</span>'
    groups = [
        _section(f"Times {zone_name}", _pairs(_times(row, as_of, zone))),
        _section("Tags", _tags(row)),
        _section("About", _pairs(_about(row, record))),
        _section("Parameters", _parameters(row)) if kind == "flow_run" else "",
        _section("Ids", "".join(_ids(row))),
    ]
    read = "" if as_of is None else f'<p class="nbviz-quiet">As of {time_text(as_of, zone)}</p>'
    return f'<div class="nbviz-groups">{"".join(groups)}</div>{read}'


def _section(title: str, content: str) -> str:
    return f"<div><h4>{title}</h4>{content}</div>" if content else ""


def _pairs(pairs: Iterator[tuple[str, str]]) -> str:
    shown = "".join(f"<dt>{word}</dt><dd>{value}</dd>" for word, value in pairs)
    return f'<dl class="nbviz-facts">{shown}</dl>' if shown else ""


def _times(row: pd.Series[Any], as_of: datetime | None, zone: tzinfo) -> Iterator[tuple[str, str]]:
    begin, end = value_of(row, "start_time"), value_of(row, "end_time")
    has_ended = value_of(row, "state_type") in TERMINAL_STATE_TYPES
    for word, title in {"expected_start_time": "Expected", "start_time": "Started", "end_time": "Ended"}.items():
        moment = value_of(row, word)
        nothing = "never" if has_ended else "not yet"
        yield title, time_text(moment, zone) if moment is not None else f'<span class="nbviz-quiet">{nothing}</span>'
    if begin is not None and end is not None:
        yield "Duration", _length(end - begin)
    elif begin is not None and as_of is not None and not has_ended:
        yield "Duration", f"{_length(pd.Timestamp(as_of) - begin)} so far"
    late = value_of(row, "lateness")
    if late is not None and late >= _WORTH_SAYING:
        yield "Late by", _length(late)


def _length(length: pd.Timedelta) -> str:
    return duration_text(max(length, pd.Timedelta(0)))


def _tags(row: pd.Series[Any]) -> str:
    tags = value_of(row, "tags") or ()
    chips = "".join(f'<li class="nbviz-chip">{markup(tag)}</li>' for tag in tags)
    return f'<ul class="nbviz-chips">{chips}</ul>' if chips else ""


def _about(row: pd.Series[Any], record: RunRecord | None) -> Iterator[tuple[str, str]]:
    for word, title in _ABOUT.items():
        value = value_of(row, word)
        if value is not None:
            yield title, markup(value)
    if value_of(row, "auto_scheduled"):
        yield "Made by", "a schedule"
    names = [] if record is None else [markup(name) for _, name in record.upstream]
    if names:
        more = len(names) - _MOST_NAMES
        yield "Upstream", ", ".join(names[:_MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _parameters(row: pd.Series[Any]) -> str:
    text = value_of(row, "parameters")
    if text is None:
        return ""
    try:
        shown = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        shown = text
    if shown == "{}":
        return '<p class="nbviz-quiet">none</p>'
    return f'<pre class="nbviz-json" tabindex="0" role="region" aria-label="Parameters">{markup(shown)}</pre>'


def _ids(row: pd.Series[Any]) -> Iterator[str]:
    for word, title in _IDS.items():
        value = value_of(row, word)
        if value is not None:
            shown = markup(value)
            copy = f'<button type="button" data-copy="{shown}" aria-label="Copy the id: {title}">Copy</button>'
            yield f'<div class="nbviz-ids"><span class="nbviz-quiet">{title}</span>{copy}<code>{shown}</code></div>'
