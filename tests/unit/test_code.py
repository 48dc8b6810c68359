"""The code behind a query: short where the query is, safe with strangers' text, and it loses no filter and no page."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from rest_server import Rest, flow_run, serving, task_run

from prefect_nbviz import FlowRunQuery, TaskRunQuery
from prefect_nbviz.client_filters import as_client_can, times
from prefect_nbviz.query import QUERY_TYPES, RunQuery
from prefect_nbviz.recipe import Recipe, make_recipe

ID = "01a20b04-e9ce-7607-9e7c-0fb4c7e2a82c"
NOW = datetime(2026, 1, 10, tzinfo=UTC)
HOSTILE = [
    "'; rm -rf /; '",
    '"; import os; os.abort(); "',
    "$(x)",
    "`x`",
    "a\nEOF\nx",
    "{x} %s %n",
    "\\",
    "\\(env)",
    "<img src=x>",
    "é 'É' ü",
    "FlowRunFilterEvil(",
    "'''",
    "a  b\t",
]

needs_jq = pytest.mark.skipif(
    shutil.which("jq") is None and os.environ.get("CI") != "true", reason="needs jq: apt-get install jq"
)


def run_python(code: str, url: str) -> list[str]:
    namespace: dict[str, Any] = {}
    with temporary_settings({PREFECT_API_URL: url}):
        exec(compile(code, "generated", "exec"), namespace)
    return [str(run.id) for run in namespace["runs"]]


def run_shell(code: str, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PREFECT_API_URL": url, "no_proxy": "127.0.0.1", **more}
    return subprocess.run(["bash", "-c", code], capture_output=True, text=True, env=environment, check=False)


def recipe_of(query: RunQuery, now: datetime) -> Recipe:
    return make_recipe(query, lambda step: step.code, now=now)


def test_a_simple_query_is_simple_python() -> None:
    assert FlowRunQuery(tags_all="prod", since="1d", limit=None, sort="ID_DESC").to_python() == (
        "from datetime import datetime, timedelta, timezone\n"
        "\n"
        "from prefect.client.orchestration import get_client\n"
        "from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterStartTime, FlowRunFilterTags\n"
        "from prefect.client.schemas.sorting import FlowRunSort\n"
        "\n"
        "now = datetime.now(timezone.utc)\n"
        "\n"
        "with get_client(sync_client=True) as client:\n"
        "    found, offset = {}, 0\n"
        "    while page := client.read_flow_runs(\n"
        "        flow_run_filter=FlowRunFilter(\n"
        "            tags=FlowRunFilterTags(all_=['prod']),\n"
        "            start_time=FlowRunFilterStartTime(after_=now - timedelta(days=1), before_=now),\n"
        "        ),\n"
        "        sort=FlowRunSort.ID_DESC,\n"
        "        offset=offset,\n"
        "    ):\n"
        "        found |= {run.id: run for run in page}\n"
        "        offset += len(page)\n"
        "\n"
        "runs = list(found.values())\n"
    )


def test_order_steps_and_limit_are_a_line_each() -> None:
    code = TaskRunQuery(tags_none="dev", limit=5).to_python()
    assert code.endswith(
        "# What Prefect cannot filter by:\n"
        "runs = [run for run in found.values() if not set(['dev']) & set(run.tags)]\n"
        "# Only by id can pages be read without repeats or gaps, so that the order is made here.\n"
        "runs.sort(key=lambda run: run.expected_start_time, reverse=True)\n"
        "runs = runs[:5]\n"
    )


def test_one_page_is_one_curl() -> None:
    assert FlowRunQuery(ids=ID, name_not="it's", limit=None, sort="NAME_ASC").to_curl() == (
        'curl -fsS "$PREFECT_API_URL/flow_runs/filter" \\\n'
        '  ${PREFECT_API_AUTH_STRING:+-u "$PREFECT_API_AUTH_STRING"} \\\n'
        '  ${PREFECT_API_KEY:+-H "Authorization: Bearer $PREFECT_API_KEY"} \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"""  -d '{{"flow_runs": {{"id": {{"any_": ["{ID}"]}}}}, "sort": "ID_DESC", "limit": 200}}' |\n"""
        """  jq -n 'input | map(select(.name | IN("it'"'"'s") | not)) | sort_by(.name)'\n"""
    )


def everything(kind: str, text: list[str]) -> dict[str, Any]:
    words = ["name", "name_not", "flow", "deployment", "work_pool", "work_queue", "tags_all", "tags_any", "tags_none"]
    words += ["tag_keys", "state_name", "state_name_not"]
    more: dict[str, Any] = {"name_like": text[0], "run_count_min": 2, "untagged": False, "ids_not": ID}
    if kind == "flow_run":
        words += ["created_by", "flow_version", "idempotency_key"]
        more |= {"auto_scheduled": True, "parameters": {text[0]: [*text, {text[-1]: None}]}, "parent": ID}
        more |= {"has_deployment": True, "has_work_queue": False, "parent_task_run": ID}
    else:
        more |= {"has_flow_run": True, "has_subflow_run": False}
    return dict.fromkeys(words, text) | more


def hostile_queries() -> list[RunQuery]:
    queries: list[RunQuery] = []
    for text in [*([one] for one in HOSTILE), HOSTILE]:
        for limit in (None, 3):
            flow_runs = FlowRunQuery(**everything("flow_run", text), since="1d", limit=limit)
            tree = flow_runs.replace(ancestor=ID, sort="DURATION_ASC", ids=[ID])
            task_runs = TaskRunQuery(**everything("task_run", text), since="1d", limit=limit, flow_runs=tree)
            queries += [flow_runs, tree, task_runs, task_runs.replace(state_name=None, tags_any=None, flow_runs=None)]
    return queries


@pytest.mark.parametrize("query", hostile_queries())
def test_strangers_text_stays_text(query: RunQuery) -> None:
    code = query.to_python()
    names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    imported = {
        name.name for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom) for name in node.names
    }
    assert not names & {"os", "x", "env"}
    assert imported <= names
    assert "FlowRunFilterEvil" not in imported
    assert all(len(line) <= 100 for line in code.splitlines() if "'" not in line and '"' not in line)
    assert subprocess.run(["bash", "-n"], input=query.to_curl(), text=True, check=False).returncode == 0


@needs_jq
@pytest.mark.parametrize("text", HOSTILE)
def test_the_shell_runs_nothing_of_strangers(text: str, tmp_path) -> None:
    run = task_run(1) | {"name": text.upper(), "tags": [text], "parameters": {text: text}}
    query = FlowRunQuery(tags_any=text, name_like=text.lower(), name_not="x", parameters={text: text})
    rest = Rest([run])
    with serving(rest) as url:
        done = run_shell(f"cd {tmp_path}; {query.to_curl()}", url)
    assert [row["id"] for row in json.loads(done.stdout)] == [run["id"]], done.stderr
    assert rest.asked[0]["flow_runs"]["tags"] == {"any_": [text]}


def test_no_key_and_no_address(monkeypatch) -> None:
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_secret")
    monkeypatch.setenv("PREFECT_API_URL", "https://someone.example/api")
    for query in (FlowRunQuery(since="1d"), TaskRunQuery(ids=ID), TaskRunQuery(sort="ID_DESC", limit=1)):
        for text in (query.to_python(), query.to_curl(), query.to_json()):
            assert "pnu_secret" not in text
            assert "someone" not in text


@needs_jq
@pytest.mark.parametrize(
    ("variables", "header"),
    [
        ({}, None),
        ({"PREFECT_API_AUTH_STRING": "me:it's \"a $secret"}, "Basic bWU6aXQncyAiYSAkc2VjcmV0"),
        ({"PREFECT_API_KEY": "pnu_secret"}, "Bearer pnu_secret"),
        ({"PREFECT_API_KEY": "pnu_secret", "PREFECT_API_AUTH_STRING": "me:you"}, "Bearer pnu_secret"),
    ],
)
def test_who_asks_comes_from_the_environment(variables: dict[str, str], header: str | None) -> None:
    for query in (FlowRunQuery(limit=1, sort="ID_DESC"), TaskRunQuery(limit=None)):
        rest = Rest([task_run(1)])
        with serving(rest) as url:
            done = run_shell(query.to_curl(), url, **variables)
        assert len(json.loads(done.stdout)) == 1, done.stderr
        assert {*rest.authorizations} == {header}


def test_relative_times_stay_relative() -> None:
    query = TaskRunQuery(since="1.5h", until="+2w", flow_runs=FlowRunQuery(until="2026-01-01T00:00+01:00", limit=None))
    code = query.to_python()
    assert "after_=now - timedelta(hours=1.5)" in code
    assert "before_=now + timedelta(weeks=2)" in code
    assert "before_=datetime.fromisoformat('2026-01-01T00:00:00+01:00')" in code
    assert "now = " not in TaskRunQuery(until=NOW).to_python()


VALUES: list[Any] = [0, 1, True, False, 1.0, 0.0, None, "1", [1], [True], {"a": [0]}, {"a": [False]}, {}, []]


@needs_jq
@pytest.mark.parametrize("wanted", VALUES, ids=repr)
def test_parameters_are_compared_as_json_compares(wanted: Any) -> None:
    rows = [flow_run(number) | {"parameters": {"p": value}} for number, value in enumerate(VALUES)]
    query = FlowRunQuery(parameters={"p": wanted}, limit=None, sort="ID_DESC")
    (step,) = query.plan().steps
    expected = sorted((row["id"] for row in rows if step.keeps(row)), reverse=True)
    numbers = {0: 2, 1: 2}.get(wanted, 1) if isinstance(wanted, int | float) and not isinstance(wanted, bool) else 1
    assert len(expected) == numbers
    with serving(Rest(rows)) as url:
        assert run_python(query.to_python(), url) == expected
        assert [row["id"] for row in json.loads(run_shell(query.to_curl(), url).stdout)] == expected


def test_code_compares_plainly_where_that_is_the_same() -> None:
    assert "is_same" not in FlowRunQuery(parameters={"region": "eu", "rows": 12, "none": None}).to_python()


def set_fields(body: Any) -> Any:
    """Drop what the client adds to a body: unset fields, its plain operator."""
    if not isinstance(body, dict):
        return body
    kept = {word: set_fields(value) for word, value in body.items() if value is not None and value != "and_"}
    return {word: value for word, value in kept.items() if value != {}}


OF_KIND: dict[str, dict[str, Any]] = {
    "flow_run": {"created_by": ["USER", ID]},
    "task_run": {"has_flow_run": False, "has_subflow_run": True},
}


def queries_of_every_filter() -> list[RunQuery]:
    shared: dict[str, Any] = {"ids": ID, "limit": None, "until": NOW, "since": datetime(2026, 1, 1, tzinfo=UTC)}
    return [
        QUERY_TYPES[kind](**(everything(kind, ["a", "b/c"]) | shared | {"work_pool": None, "time_field": field} | more))
        for kind in ("flow_run", "task_run")
        for field in QUERY_TYPES[kind].time_fields
        for more in ({"start_time_fallback": False}, {"state_type_not": "FAILED", **OF_KIND[kind]})
    ]


def test_the_client_drops_no_filter() -> None:
    for query in queries_of_every_filter():
        recipe = as_client_can(recipe_of(query, NOW), times(query, NOW))
        rest = Rest([])
        with serving(rest) as url:
            assert run_python(query.to_python(), url) == []
        asked = [
            set_fields({w: v for w, v in body.items() if w not in ("sort", "limit", "offset")}) for body in rest.asked
        ]
        assert [plain(body) for body in asked] == [plain(set_fields(body)) for body in recipe.bodies]


def plain(body: Any) -> str:
    """Give a body as text: the client writes whole seconds without their fractions."""
    return re.sub(r"\.0+Z", "Z", json.dumps(body, sort_keys=True))


@needs_jq
@pytest.mark.parametrize("sort", TaskRunQuery.sorts)
def test_all_pages_in_order(sort: str) -> None:
    limit = 12 if sort.endswith("_DESC") else None
    query = TaskRunQuery(sort=sort, limit=limit, tags_none="odd", tags_any=["a", "b"])
    rows = [task_run(number) for number in range(30)]
    expected = [row["id"] for row in in_order([row for row in rows if not row["tags"]], sort)][:limit]
    with serving(Rest(rows)) as url:
        assert run_python(query.to_python(), url) == expected
        assert [row["id"] for row in json.loads(run_shell(query.to_curl(), url).stdout)] == expected


def in_order(rows: list[dict[str, Any]], sort: str) -> list[dict[str, Any]]:
    field, _, direction = sort.lower().rpartition("_")

    def key(row: dict[str, Any]) -> Any:
        start, end = row["start_time"], row["end_time"]
        if field == "duration":
            return datetime.fromisoformat(end) - datetime.fromisoformat(start) if start and end else None
        value = (start or row["expected_start_time"]) if field == "start_time" else row.get(field)
        return datetime.fromisoformat(value) if value and field.endswith("_time") else value

    by_id = sorted(rows, key=lambda row: row["id"], reverse=True)
    keyed = sorted((row for row in by_id if key(row) is not None), key=key, reverse=direction == "desc")
    return keyed + [row for row in by_id if key(row) is None]


@needs_jq
@pytest.mark.parametrize("breaks_at", [1, 2, 4])
def test_a_read_that_breaks_gives_nothing_rather_than_less(breaks_at: int) -> None:
    for query in (
        TaskRunQuery(),
        TaskRunQuery(flow_runs=FlowRunQuery()),
        TaskRunQuery(flow_runs=FlowRunQuery(ancestor=ID)),
    ):
        rest = Rest([task_run(number) for number in range(20)])
        rest.breaks_at = breaks_at
        with serving(rest) as url:
            done = run_shell(query.to_curl(), url)
        assert done.stdout == ""
        assert done.returncode != 0
        assert "500" in done.stderr


def test_an_empty_choice_asks_nothing() -> None:
    assert run_python(TaskRunQuery(tags_any=[]).to_python(), "http://nowhere.invalid/api") == []
    assert json.loads(run_shell(TaskRunQuery(flow_runs=[]).to_curl(), "").stdout) == []
