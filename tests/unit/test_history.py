"""Counts over time as a chart: every count is a bar, where its bin is."""

from __future__ import annotations

import pandas as pd
import pytest

from prefect_nbviz import frames, plot_run_counts, schema
from prefect_nbviz.errors import FrameError, QueryError


def run_counts(*rows: tuple[str, str, str, str, int]) -> pd.DataFrame:
    columns = zip(schema.names(schema.RUN_COUNTS), zip(*rows, strict=True), strict=True)
    return frames.typed({name: list(values) for name, values in columns}, schema.RUN_COUNTS)


COUNTS = run_counts(
    ("2026-03-28T23:00Z", "2026-03-29T22:00Z", "COMPLETED", "Completed", 7),
    ("2026-03-28T23:00Z", "2026-03-29T22:00Z", "FAILED", "TimedOut", 1),
    ("2026-03-29T22:00Z", "2026-03-30T22:00Z", "COMPLETED", "<b>mine</b>", 2),
)


COUNTS.attrs["prefect_nbviz"] = {"matched": 10}


def test_each_count_is_a_bar_as_wide_as_its_bin() -> None:
    fig = plot_run_counts(COUNTS, tz="Europe/Berlin")
    bars = {bar.name: bar for bar in fig.data}
    assert ([*bars["Completed"].x], [*bars["Completed"].y]) == (["2026-03-29T00:00:00"], [7])
    assert bars["Completed"].width[0] == 23 * 3_600_000
    assert sum(sum(bar.y) for bar in fig.data) == COUNTS["runs"].sum()
    assert fig.layout.title.subtitle.text == "all 10 runs that match"
    assert plot_run_counts(COUNTS.head(1)).layout.title.subtitle.text == "7 runs drawn, of 10 that match"
    assert fig.layout.xaxis.title.text == "expected start (Europe/Berlin)"


def test_a_bar_says_its_state_its_runs_and_its_bin() -> None:
    bars = {bar.name: bar for bar in plot_run_counts(COUNTS, tz="Europe/Berlin").data}
    assert [*bars["TimedOut"].hovertext] == ["2026-03-30T00:00:00"]
    assert [*bars["TimedOut"].meta] == ["FAILED", "TimedOut"]
    assert {bar.hovertemplate for bar in bars.values()} == {
        "<b>%{fullData.name}: %{y:,}</b><br>%{x|%Y-%m-%d %H:%M:%S} to %{hovertext|%Y-%m-%d %H:%M:%S}<extra></extra>"
    }


def test_names_are_escaped() -> None:
    fig = plot_run_counts(COUNTS)
    assert not any("<b>mine" in bar.name for bar in fig.data)
    assert any("&lt;b&gt;mine" in bar.name for bar in fig.data)


def test_nothing_to_draw() -> None:
    fig = plot_run_counts(frames.empty(schema.RUN_COUNTS), theme="dark")
    assert fig.layout.annotations[0].text == "No runs to count"


def test_bad_input_is_said() -> None:
    with pytest.raises(FrameError, match=r"lacks 'bin_start', .* as read_run_counts\(\) gives it"):
        plot_run_counts(pd.DataFrame({"runs": [1]}))
    with pytest.raises(QueryError, match=r"tz cannot be 'Berlin'"):
        plot_run_counts(COUNTS, tz="Berlin")
