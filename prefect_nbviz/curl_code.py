"""The REST behind a query: a shell script of curl and jq that gives the same runs in the same order, as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from prefect_nbviz.criteria import RunCriteria
from prefect_nbviz.filters import IDS_PER_BODY
from prefect_nbviz.order import Body, Order
from prefect_nbviz.recipe import MAY_LACK, Parents, Recipe, Tree, make_recipe
from prefect_nbviz.steps import jq_among

_SHORT = 80
"""Letters of a jq program that stays in one line."""

_BASIC = '${PREFECT_API_AUTH_STRING:+-u "$PREFECT_API_AUTH_STRING"}'
_BEARER = '${PREFECT_API_KEY:+-H "Authorization: Bearer $PREFECT_API_KEY"}'

_READ_ALL = f"""\
# Filters on stdin, one JSON object a line: gives all runs of a table that match one of them, by id.
read_all() {{
  while read -r filters; do
    offset=0
    while :; do
      page=$(
        printf '%s' "$filters" | jq -c ". + {{sort: \\"ID_DESC\\", offset: $offset}}" |
          curl -fsS "$PREFECT_API_URL/$1/filter" \\
            {_BASIC} \\
            {_BEARER} \\
            -H 'Content-Type: application/json' -d @-
      ) || page='the server did not answer' # which jq refuses, so that nothing is left out in silence
      printf '%s\\n' "$page"
      rows=$(printf '%s' "$page" | jq length) || break 2
      [ "$rows" -gt 0 ] || break
      offset=$((offset + rows))
    done
  done | jq -cs 'add | unique_by(.id) | reverse'
}}"""

_READ_TREE = f"""\
# Ids of flow runs on stdin, as a JSON array: gives those of all flow runs below them.
read_tree() {{
  level=$(cat) tree='[]'
  while [ "$level" != '[]' ]; do
    children=$(
      printf '%s' "$level" |
        jq -c 'range(0; length; {IDS_PER_BODY}) as $i | {{flow_runs: {{parent_flow_run_id: {{any_: .[$i:$i + {IDS_PER_BODY}]}}}}}}' |
        read_all flow_runs
    ) || return
    level=$(printf '%s %s' "$children" "$tree" | jq -cs '[.[0][].id] - .[1]')
    tree=$(printf '%s %s' "$tree" "$level" | jq -cs add)
  done
  printf '%s\\n' "$tree"
}}"""

_MICROS = """\
def micros: if . then (.[:19] + "Z" | fromdateiso8601) * 1000000
      + (.[20:] + "000000" | sub("[^0-9]"; "000000") | .[:6] | tonumber) else null end;"""
"""A time as microseconds: as text, whole seconds would come after their fractions."""

_DURATION = (
    "def duration: if .start_time and .end_time then (.end_time | micros) - (.start_time | micros) else null end;"
)

_NOTHING: Body = {"flow_runs": {"id": {"any_": []}}}
"""The filter that no run matches."""

_KEYS = {"name": ".name", "start_time": ".start_time // .expected_start_time | micros", "duration": "duration"}


def curl_code(query: RunCriteria, *, now: datetime) -> str:
    """Give a shell script that prints what a query asks for, as a JSON array."""
    recipe = make_recipe(query, attrgetter("jq"), now=now)
    if not recipe.bodies:
        return "echo '[]' # an empty choice matches nothing\n"
    ending = _jq("-n", ["input", *_finished(recipe)])  # which fails where there is none, as a read that broke off
    if recipe.is_small:
        request = recipe.bodies[0] | {"sort": "ID_DESC", "limit": recipe.page}
        curl = _curl(recipe.table, shlex.quote(json.dumps(request)))
        return f"{curl}\n" if recipe.is_cut_by_page else f"{curl} |\n  {ending}\n"
    functions = [_READ_ALL, *([_READ_TREE] if _has_tree(recipe) else [])]
    return "\n\n".join(["# Needs curl and jq.", *functions, f"{_reading(recipe)} |\n  {ending}\n"])


def _curl(table: str, data: str) -> str:
    return f"""\
curl -fsS "$PREFECT_API_URL/{table}/filter" \\
  {_BASIC} \\
  {_BEARER} \\
  -H 'Content-Type: application/json' \\
  -d {data}"""


def _has_tree(recipe: Recipe) -> bool:
    inner = recipe.first.recipe if isinstance(recipe.first, Parents) else recipe
    return isinstance(inner.first, Tree)


def _reading(recipe: Recipe) -> str:
    """Give the pipeline that reads all rows."""
    reading = f"read_all {recipe.table}"
    match recipe.first:
        case None:
            return f"{_lines(map(json.dumps, recipe.bodies or [_NOTHING]))} |\n  {reading}"
        case Tree(roots, among):
            asked = [] if among is None else [f"{json.dumps(among)} as $asked", ". - (. - $asked)"]
            ids = f"{_lines([json.dumps(roots)])} |\n  read_tree |\n  {_jq('-c', [*asked, *_with_ids(recipe)])}"
        case Parents(parents, pools):
            of_pools = [] if pools is None else [f"map(select(.work_pool_name | {jq_among(pools)}))"]
            filters = [*_finished(parents), *of_pools, "map(.id)", *_with_ids(recipe)]
            ids = f"{_reading(parents)} |\n  {_jq('-c', filters)}"
    return f"{ids} |\n  {reading}"


def _lines(texts: Iterable[str]) -> str:
    """Give the command that prints lines; it is the shell's own, so that they may be long."""
    return " \\\n  ".join(["printf '%s\\n'", *map(shlex.quote, texts)])


def _with_ids(recipe: Recipe) -> list[str]:
    """Give the jq filters that make of ids the bodies that ask for them; of none those that find nothing."""
    size = IDS_PER_BODY
    chunks = f"range(0; [length, 1] | max; {size}) as $i"
    bodies = (f"{json.dumps(body)} * $ids" for body in recipe.bodies)
    return [chunks, f"{{flow_runs: {{id: {{any_: .[$i:$i + {size}]}}}}}} as $ids", ",\n      ".join(bodies)]


def _finished(recipe: Recipe) -> list[str]:
    """Give the jq filters that do what is done with the rows that were read, by id, descending."""
    several = len(recipe.conditions) > 1
    keeps = " and ".join(f"({condition})" if several else condition for condition in recipe.conditions)
    order = Order(recipe.sort)
    key = _KEYS.get(order.field, f".{order.field} | micros")
    filters = [f"map(select({keeps}))"] if keeps else []
    if recipe.sort != "ID_DESC" and order.is_descending:  # sort_by leaves ties as they are, null first
        filters.append(f"reverse | sort_by({key}) | reverse")
    elif recipe.sort != "ID_DESC":
        filters.append(f"sort_by(({key}) == null, ({key}))" if order.field in MAY_LACK else f"sort_by({key})")
    return filters if recipe.limit is None else [*filters, f".[:{recipe.limit}]"]


def _jq(option: str, filters: list[str]) -> str:
    """Give the command of a pipeline of filters, with the functions that they need."""
    program = " | ".join(filters) or "."
    functions = [_DURATION] if "duration" in program else []
    functions = [_MICROS, *functions] if "micros" in program or functions else []
    if len(program) < _SHORT and not functions:
        return f"jq {option} {shlex.quote(program)}"
    lines = [*functions, "\n    | ".join(filters)]
    return f"jq {option} {shlex.quote(''.join(f'{chr(10)}    {line}' for line in lines))}"
