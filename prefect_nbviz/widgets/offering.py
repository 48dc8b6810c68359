"""What the fields offer: what the server has, asked for when a field is first opened, and the rows that were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from datetime import tzinfo
from functools import partial
from typing import Any

import pandas as pd

from prefect_nbviz.query import RunQuery
from prefect_nbviz.reading import Connection
from prefect_nbviz.reading.offers import Offers, Topic, read_offers
from prefect_nbviz.widgets.background import Background, Turn
from prefect_nbviz.widgets.fields import Field

_TOPICS: Mapping[str, Topic] = {
    "flow": "flow",
    "deployment": "deployment",
    "tags_any": "tags",
    "tags_all": "tags",
    "tags_none": "tags",
    "work_pool": "work_pool",
    "work_queue": "work_queue",
    "state_name": "state_name",
    "state_name_not": "state_name",
}
"""What the server is asked for when a field is opened."""

_COLUMNS = {
    "flow": "flow_name",
    "deployment": "deployment_name",
    "tags_any": "tags",
    "tags_all": "tags",
    "tags_none": "tags",
    "tag_keys": "tags",
    "work_pool": "work_pool_name",
    "work_queue": "work_queue_name",
    "name": "name",
    "name_not": "name",
    "state_name": "state_name",
    "state_name_not": "state_name",
    "flow_version": "flow_version",
}
"""The columns whose texts a field offers."""

_MOST = 2_000


class Offering:
    """Fills the lists of the fields, so that typing never waits for the server.

    Parameters
    ----------
    fields
        Those of the controls.
    query
        Gives what the controls say now; None where that cannot be.
    connection
        The server to ask; None for that of the active Prefect profile.
    zone
        The time zone of the moment that numbers are of.
    """

    def __init__(
        self,
        fields: Mapping[str, Field],
        *,
        query: Callable[[], RunQuery | None],
        connection: Connection | None,
        zone: tzinfo,
    ) -> None:
        self._fields = fields
        self._query = query
        self._connection = connection
        self._zone = zone
        self._own = {word: [*fields[word].widget.suggestions] for word in {*_TOPICS, *_COLUMNS}}
        self._rows: pd.DataFrame | None = None
        self._known: dict[Hashable, Offers] = {}
        self._background = Background()
        for word in _TOPICS:
            fields[word].widget.can_ask = True
            fields[word].widget.on_ask(partial(self._ask, word))

    def take_rows(self, runs: pd.DataFrame) -> None:
        """Offer also what some runs have, from the next time on that a field is opened."""
        self._rows = runs

    def open(self, word: str) -> None:
        """Offer what there is for a criterion; ask the server where it has not been asked."""
        if word in self._own:
            self._show(word)
        if word in _TOPICS and self._key(word) not in self._known:
            self._ask(word)

    def query_changed(self, word: str) -> None:
        """Count anew for the criterion that is edited, where its numbers are those of a query."""
        if _TOPICS.get(word) == "state_name":
            self.open(word)

    def join(self) -> None:
        """Wait until the server has answered."""
        self._background.join()

    def _ask(self, word: str) -> None:
        query = self._query()
        if query is None and _TOPICS[word] == "state_name":  # there is nothing that numbers could be of
            return
        self._fields[word].widget.note = "Asking the server…"
        self._background.start(partial(self._read, word, self._key(word), query))

    def _read(self, word: str, key: Hashable, query: Any, turn: Turn) -> None:
        try:
            offers = read_offers(_TOPICS[word], query, connection=self._connection, progress=lambda *_: turn.look())
        except KeyboardInterrupt:  # another field was opened meanwhile
            self._fields[word].widget.note = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, a person can type
            self._show(word, f"Type freely: the server could not be asked. {error}")
        else:
            self._known[key] = offers
            self._show(word)

    def _key(self, word: str) -> Hashable:
        """Give what an answer of the server holds for: numbers by state name, for one query but for those."""
        query = self._query() if _TOPICS[word] == "state_name" else None
        of_query = query and query.replace(state_name=None, state_name_not=None, sort="ID_DESC", limit=None)
        return _TOPICS[word], of_query

    def _show(self, word: str, trouble: str = "") -> None:
        offers = self._known.get(self._key(word)) if word in _TOPICS else None
        in_rows = self._in_rows(word)
        from_server = {} if offers is None else offers.texts
        counted = {text: runs for text, runs in from_server.items() if runs is not None}
        numbers = counted or in_rows
        texts = dict.fromkeys([*from_server, *in_rows, *self._own[word]])
        whose = self._whose(offers) if offers and counted else self._whose_rows(in_rows)
        offered = sorted(texts, key=lambda text: (-numbers.get(text, 0), text.casefold()))
        cut = f"The first {_MOST:,} of {len(offered):,}." if len(offered) > _MOST else ""
        widget = self._fields[word].widget
        with widget.hold_sync():
            widget.suggestions = offered[:_MOST]
            widget.counts = {text: numbers[text] for text in offered[:_MOST] if text in numbers}
            widget.note = " ".join(filter(None, (trouble, offers.note if offers else "", cut, whose)))

    def _whose(self, offers: Offers) -> str:
        as_of = f"{offers.as_of.astimezone(self._zone):%H:%M:%S} {self._zone}"
        return f"Numbers count the runs that match the other filters, as of {as_of}."

    def _whose_rows(self, in_rows: Mapping[str, int]) -> str:
        return f"Numbers count the {len(self._rows):,} rows shown." if in_rows and self._rows is not None else ""

    def _in_rows(self, word: str) -> Mapping[str, int]:
        column = _COLUMNS[word]
        if self._rows is None or column not in self._rows.columns:
            return {}
        texts = self._rows[column].explode().dropna().astype(str)
        if word == "tag_keys":
            texts = texts[texts.str.contains(":")].str.split(":").str[0]
        return Counter({str(text): int(runs) for text, runs in texts.value_counts().items() if text})
