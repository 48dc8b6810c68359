"""What reads gave that nothing but a limit cut, kept in this process so that reading again asks only for what can have changed."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from prefect_nbviz.query import RunQuery
from prefect_nbviz.reading.connection import Connection

AT_LEAST = 5_000
"""Rows of a read that is worth keeping; fewer are read in seconds."""

PAYS_FROM = 600
"""Rows of a read from which on reading again takes no more requests, and of the server half the time or less."""

MOST_READS = 4
MOST_ROWS = 300_000
"""Rows that are kept in all: some 200 MB where nobody else holds their frames any more."""

_SALT = secrets.token_bytes(16)


@dataclass(frozen=True)
class Kept:
    """The runs of a query, as they were."""

    frame: pd.DataFrame
    """As the caller got it, and `rows.RUN_TIME`."""

    as_of: datetime
    """When the read began."""

    is_cut: bool = False
    """Whether a limit left out others that match, which come after its last row."""


class PastReads:
    """The reads that were used last, for any thread.

    Parameters
    ----------
    at_least, most_reads, most_rows
        What is kept: reads of so many rows or more, no more than so many reads, and rows in all.
    """

    def __init__(self, *, at_least: int = AT_LEAST, most_reads: int = MOST_READS, most_rows: int = MOST_ROWS) -> None:
        self._at_least = at_least
        self._most_reads = most_reads
        self._most_rows = most_rows
        self._reads: OrderedDict[Hashable, Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Kept | None:
        """Give what is kept under a key."""
        with self._lock:
            if key in self._reads:
                self._reads.move_to_end(key)
            return self._reads.get(key)

    def put(self, key: Hashable, kept: Kept) -> None:
        """Keep a read in the place of an older one; what was not used for longest makes room."""
        with self._lock:
            self._reads.pop(key, None)
            if self._at_least <= len(kept.frame) <= self._most_rows:
                self._reads[key] = kept
            while len(self._reads) > self._most_reads or self._rows() > self._most_rows:
                self._reads.popitem(last=False)

    def _rows(self) -> int:
        return sum(len(kept.frame) for kept in self._reads.values())


def key_of(connection: Connection, query: RunQuery) -> Hashable:
    """Give the key of a query to a server as somebody who may read there; no secret can be read from it."""
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY, PREFECT_API_URL

    hidden = [setting.value() for setting in (PREFECT_API_KEY, PREFECT_API_AUTH_STRING)]
    who = [
        connection.api_url,
        connection.api_key,
        PREFECT_API_URL.value(),
        *(one and one.get_secret_value() for one in hidden),
    ]
    text = json.dumps([who, query.kind, query.criteria()], sort_keys=True)
    return connection.transport, hashlib.blake2b(text.encode(), key=_SALT).digest()
