"""What is kept of earlier reads is bounded, and nobody gets what somebody else read."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pandas as pd

from prefect_nbviz import Connection, FlowRunQuery, TaskRunQuery
from prefect_nbviz.reading.past_reads import Kept, PastReads, key_of


def some(rows: int) -> Kept:
    return Kept(pd.DataFrame({"a": range(rows)}), datetime(2026, 1, 1, tzinfo=UTC))


def test_the_memory_is_bounded_and_drops_what_was_not_used_for_longest() -> None:
    memory = PastReads(at_least=2, most_reads=2, most_rows=10)
    for key, rows in {"a": 2, "b": 2, "few": 1, "many": 11}.items():
        memory.put(key, some(rows))
    assert [memory.get(key) is not None for key in ("b", "few", "many", "a")] == [True, False, False, True]
    memory.put("c", some(2))
    assert [memory.get(key) is not None for key in ("a", "b", "c")] == [True, False, True]
    memory.put("d", some(9))
    assert [memory.get(key) is not None for key in ("a", "c", "d")] == [False, False, True]
    memory.put("d", some(1))
    assert memory.get("d") is None, "what has shrunk is not kept as it was"


def test_keys_tell_servers_people_and_queries_apart_and_show_no_secret() -> None:
    query = TaskRunQuery(tags_all=["prod"], limit=None)
    url, transport = "http://me:secret@one.invalid/api", httpx.AsyncHTTPTransport()
    keys = [
        key_of(Connection(url), query),
        key_of(Connection(url.replace("secret", "other")), query),
        key_of(Connection(url, api_key="secret"), query),
        key_of(Connection(url, transport=transport), query),
        key_of(Connection(url), query.replace(tags_all=["dev"])),
        key_of(Connection(url), FlowRunQuery(tags_all=["prod"], limit=None)),
    ]
    assert len({*keys}) == len(keys)
    assert key_of(Connection(url), query.replace()) == keys[0]
    assert "secret" not in repr(keys)
