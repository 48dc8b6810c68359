"""What charts say: lengths of time, labels, and strangers' text."""

from __future__ import annotations

import html
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_nbviz.charts.words import cut, duration_text, safe, unique_labels


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0 s"),
        (1, "1 µs"),
        (1_500, "1.5 ms"),
        (420_000, "420 ms"),
        (999_600, "1 s"),
        (1_700_000, "1.7 s"),
        (59_960_000, "1 min"),
        (123_000_000, "2 min 3 s"),
        (3_599_600_000, "1 h"),
        (3_720_000_000, "1 h 2 min"),
        (86_399_900_000, "1 d"),
        (183_600_000_000, "2 d 3 h"),
    ],
)
def test_lengths_are_said_in_two_units_at_most(micros: int, text: str) -> None:
    assert duration_text(micros) == text


@given(st.lists(st.tuples(st.text(max_size=60), st.uuids()), unique_by=lambda pair: pair[1], max_size=20))
def test_labels_are_always_unique_and_safe(pairs: list[tuple[str, Any]]) -> None:
    labels = unique_labels([text for text, _ in pairs], [str(key) for _, key in pairs])
    assert len({*labels}) == len(pairs)
    assert not any("<" in label or "$" in label or "\n" in label for label in labels)


@given(st.text())
def test_safe_text_reads_as_what_was_written(text: str) -> None:
    assert html.unescape(safe(text)) == "".join(letter if letter.isprintable() else " " for letter in text)


@given(st.text(max_size=80), st.integers(3, 40))
def test_cut_text_keeps_its_ends(text: str, length: int) -> None:
    short = cut(text, length)
    assert len(short) <= length
    assert short == text or (text.startswith(short.split("…")[0]) and "…" in short)
