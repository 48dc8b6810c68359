"""Filters under names: what was saved comes back, and a file that is broken is left as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from made_queries import queries

from prefect_nbviz.errors import PresetError, QueryError
from prefect_nbviz.query import FlowRunQuery, RunQuery, TaskRunQuery
from prefect_nbviz.widgets.controls import FilterControls
from prefect_nbviz.widgets.presets import LONGEST_NAME, PresetStore, built_in_presets

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def store(tmp_path: Path) -> PresetStore:
    return PresetStore(tmp_path / "settings" / "presets.json")


@pytest.fixture
def controls(store: PresetStore) -> FilterControls:
    return FilterControls(TaskRunQuery(since="1d", tags_any="prod"), presets=store)


def shown(controls: FilterControls, *, own: bool = True) -> list[str]:
    return [preset["name"] for preset in controls.bar.presets if preset["is_own"] is own]


BLANK = FilterControls(TaskRunQuery())
"""Controls for a property test, which would take seconds to make anew each time."""


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(queries)
def test_a_query_comes_back_by_a_preset_by_json_and_chip_by_chip(tmp_path: Path, query: RunQuery) -> None:
    BLANK.presets.store = PresetStore(tmp_path / "presets.json")
    BLANK.value = query
    BLANK.bar.tell({"do": "save", "name": "it"})
    assert not BLANK.bar.is_wrong
    text = BLANK.bar.json
    for way in ({"do": "load", "name": "it", "is_own": True}, {"do": "apply", "text": text}):
        BLANK.value = FlowRunQuery()
        BLANK.bar.tell(way)
        assert BLANK.value == query
    words = [chip["word"] for chip in BLANK.bar.chips]
    for word in words:
        BLANK.remove(word)
        assert word not in [chip["word"] for chip in BLANK.bar.chips]
    kept = ("since", "until", "sort", "limit", "name_like")
    assert BLANK.value == type(query)(**{word: getattr(query, word) for word in kept})


def test_a_preset_is_saved_loaded_and_deleted(controls: FilterControls, store: PresetStore) -> None:
    bar = controls.bar
    bar.tell({"do": "presets"})
    assert shown(controls) == []
    assert not store.path.exists(), "to look writes nothing"
    bar.tell({"do": "save", "name": f" {HOSTILE} "})
    assert (bar.message, bar.is_wrong, shown(controls)) == (f"Saved “{HOSTILE}”.", False, [HOSTILE])
    assert json.loads(store.path.read_text()) == {HOSTILE: {"kind": "task_run", "tags_any": ["prod"], "since": "1d"}}
    controls.value = FlowRunQuery(flow="x")
    bar.tell({"do": "load", "name": HOSTILE, "is_own": True})
    assert controls.value == TaskRunQuery(since="1d", tags_any="prod"), "the window stays relative"
    controls.clear()
    bar.tell({"do": "save", "name": HOSTILE})
    assert bar.message == f"Saved “{HOSTILE}” in the place of the one before."
    other = FilterControls(TaskRunQuery(), presets=PresetStore(store.path))
    other.presets.load(HOSTILE)
    assert other.value == TaskRunQuery(since="1d")
    other.presets.delete(HOSTILE)
    bar.tell({"do": "load", "name": HOSTILE, "is_own": True})
    assert (bar.message, bar.is_wrong) == (f"There is no preset {HOSTILE!r}.", True)
    assert shown(controls) == []


@pytest.mark.parametrize("kind", ["task_run", "flow_run"])
def test_each_built_in_preset_can_be_loaded(controls: FilterControls, kind: Any) -> None:
    for name, query in built_in_presets(kind).items():
        controls.kind.value = kind
        controls.bar.tell({"do": "load", "name": name, "is_own": False})
        assert controls.value == query
        assert name in shown(controls, own=False)


@pytest.mark.parametrize("name", ["", "   ", "two\nlines", "x" * (LONGEST_NAME + 1)])
def test_a_name_that_cannot_be(controls: FilterControls, store: PresetStore, name: str) -> None:
    controls.bar.tell({"do": "save", "name": name})
    assert controls.bar.is_wrong
    assert controls.bar.message.startswith("A preset needs a name of one line")
    assert not store.path.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"a": "b"}'])
def test_a_broken_file_says_so_and_is_left_as_it_is(controls: FilterControls, store: PresetStore, content: str) -> None:
    store.path.parent.mkdir()
    store.path.write_text(content)
    controls.bar.tell({"do": "presets"})
    assert controls.bar.is_wrong
    for ways in (
        {"do": "save", "name": "x"},
        {"do": "delete", "name": "a"},
        {"do": "load", "name": "a", "is_own": True},
    ):
        controls.bar.tell(ways)
        assert controls.bar.is_wrong
        assert "presets.json is broken and left as it is" in controls.bar.message
        assert "\n" not in controls.bar.message
    assert store.path.read_text() == content
    assert shown(controls, own=False), "those that are built in are there all the same"
    assert [path.name for path in store.path.parent.iterdir()] == ["presets.json"]


def test_one_preset_that_is_no_query_leaves_the_others(controls: FilterControls, store: PresetStore) -> None:
    store.save("good", TaskRunQuery(flow="x"))
    store.path.write_text(json.dumps(json.loads(store.path.read_text()) | {"new": {"kind": "task_run", "hue": 1}}))
    with pytest.raises(QueryError, match="no criterion 'hue'"):
        store.load("new")
    controls.bar.tell({"do": "presets"})
    assert shown(controls) == ["good", "new"]
    assert "no criterion 'hue'" in controls.bar.presets[-1]["about"]
    store.save("third", FlowRunQuery())
    assert json.loads(store.path.read_text())["new"] == {"kind": "task_run", "hue": 1}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PresetError, match=r"cannot be (read|written) \("):
        PresetStore(tmp_path / "file" / "presets.json").save("x", TaskRunQuery())


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    store = PresetStore(tmp_path / "link.json")
    store.save("x", TaskRunQuery())
    assert store.path.is_symlink()
    assert PresetStore(tmp_path / "real.json").names() == ["x"]


def test_what_cannot_be_said_as_json_is_said_in_the_menu(controls: FilterControls) -> None:
    for text, says in (("{", "This is no JSON"), ('{"kind": "task_run", "since": "x"}', "since cannot be")):
        controls.bar.tell({"do": "apply", "text": text})
        assert controls.bar.is_wrong
        assert says in controls.bar.message
    assert controls.value == TaskRunQuery(since="1d", tags_any="prod")
