"""The Python behind a query: a script for Prefect's own client that gives the same runs in the same order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from operator import attrgetter

from prefect_nbviz.client_filters import Times, Variable, arguments, as_client_can, times
from prefect_nbviz.criteria import RunCriteria
from prefect_nbviz.filters import IDS_PER_BODY, merge
from prefect_nbviz.layout import COLUMNS, Group, Node, call, laid_out, listed
from prefect_nbviz.order import Body, Order
from prefect_nbviz.recipe import MAY_LACK, Parents, Recipe, Tree, make_recipe, nested

_READ_ALL = '''\
def read_all(read, sort, *alternatives):
    """Give all runs that match one of the alternatives, each once, by id, descending."""
    found = {}
    for filters in alternatives:
        offset = 0
        while page := read(**filters, sort=sort, offset=offset):
            found |= {run.id: run for run in page}
            offset += len(page)
    return sorted(found.values(), key=lambda run: run.id, reverse=True)'''
_BATCHES = f'''\
def batches(ids, size={IDS_PER_BODY}):
    """Cut ids into lists that one request can hold."""
    return [ids[start : start + size] for start in range(0, len(ids), size)]'''
_DURATION = '''\
def duration(run):
    """Give how long a run took, or None where it has not ended."""
    return run.end_time - run.start_time if run.start_time and run.end_time else None'''

_IS_SAME = '''\
def is_same(one, other):
    """Compare two values as JSON does: 1 is 1.0, and is not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)'''

_KEYS = {
    "start_time": "run.start_time or run.expected_start_time",
    "duration": "duration(run)",
}

_MODULES = (
    ("datetime", re.compile(r"datetime|timedelta|timezone")),
    ("prefect.client.orchestration", re.compile(r"get_client")),
    ("prefect.client.schemas.filters", re.compile(r"\w+Filter\w*")),
    ("prefect.client.schemas.sorting", re.compile(r"\w+Sort")),
)
"""Where names come from."""


def python_code(query: RunCriteria) -> str:
    """Give Python that reads what a query asks for, into a list `runs` of objects of Prefect's client."""
    now = datetime.now(UTC)
    recipe = make_recipe(query, attrgetter("code"), now=now)
    if not recipe.bodies:
        return "runs = []  # an empty choice matches nothing\n"
    script = _Script(times(query, now) | times(nested(query), now))
    script.answer(recipe)
    return str(script)


class _Script:
    """A script as it grows: the names and functions that it needs, and its lines."""

    def __init__(self, known: Times) -> None:
        written = " ".join(known.values())
        self._has_now = re.search(r"\bnow\b", written) is not None
        self._times = known
        self._names = {"get_client", *re.findall(r"\b(?:datetime|timedelta)\b", written)}
        self._names |= {"datetime", "timezone"} if self._has_now else set()
        self._functions: dict[str, None] = {}
        self._lines = ["with get_client(sync_client=True) as client:"]
        self._indent = 4

    def answer(self, recipe: Recipe) -> None:
        """Write what answers a recipe."""
        recipe = as_client_can(recipe, self._times)
        source = "runs"
        if recipe.first or len(recipe.bodies) > 1:
            self._read_all("runs", recipe)
        elif recipe.is_small:
            self._write(self._call(recipe, limit=str(recipe.page)), before="runs = ")
        else:
            source = "found.values()"
            self._write("found, offset = {}, 0")
            self._write(self._call(recipe, offset="offset"), before="while page := ", after=":")
            self._write("    found |= {run.id: run for run in page}")
            self._write("    offset += len(page)")
        self._indent = 0
        self._finish("runs", recipe, source)

    def _write(self, node: Node, *, before: str = "", after: str = "") -> None:
        if isinstance(node, Group):
            self._names |= set(node.names())
        self._lines.append(laid_out(node, before=before, indent=self._indent) + after)

    def _call(self, recipe: Recipe, **more: str) -> Group:
        filters = arguments(recipe.bodies[0], self._times)
        return call(f"client.read_{recipe.table}", **filters, sort=self._sort(recipe), **more)

    def _sort(self, recipe: Recipe) -> str:
        name = f"{recipe.kind.title().replace('_', '')}Sort"
        self._names.add(name)
        return f"{name}.ID_DESC"

    def _read_all(self, name: str, recipe: Recipe) -> None:
        """Read a union of filters, once what is read first has been."""
        self._functions |= {_READ_ALL: None}
        bodies, each = [*recipe.bodies], ""
        if recipe.first:
            each = self._read_first(recipe.first)
            ids = Variable("batch" if each else "ids")
            bodies = [merge(body, {"flow_runs": {"id": {"any_": ids}}}) for body in bodies]
        choices = [call("dict", **arguments(body, self._times)) for body in bodies]
        alternatives = [Group("*", (("", one),), each=each) for one in choices] if each else choices
        self._write_read_all(name, recipe, alternatives)

    def _write_read_all(self, name: str, recipe: Recipe, alternatives: list[Group]) -> None:
        items: list[Node] = [f"client.read_{recipe.table}", self._sort(recipe), *alternatives]
        self._write(Group("read_all", tuple(("", item) for item in items)), before=f"{name} = ")

    def _read_first(self, first: Tree | Parents) -> str:
        """Write what gives `ids`, and say how they come in batches, where there may be many."""
        if isinstance(first, Tree):
            self._read_tree(first)
        else:
            self._read_all("flow_runs", first.recipe)
            self._finish("flow_runs", first.recipe, "flow_runs")
            among = f" if run.work_pool_name in {[*first.work_pool]!r}" if first.work_pool is not None else ""
            self._write(f"ids = [run.id for run in flow_runs{among}]")
            if first.recipe.limit is not None and first.recipe.limit <= IDS_PER_BODY:
                return ""
        self._functions |= {_BATCHES: None}
        return "for batch in batches(ids)"

    def _read_tree(self, tree: Tree) -> None:
        self._functions |= {_BATCHES: None}
        self._write("# The tree below, a level at a time.")
        self._write(listed([repr(one) for one in tree.roots]), before="tree, level = {}, ")
        self._write("while level:")
        self._indent += 4
        below: Body = {"flow_runs": {"parent_flow_run_id": {"any_": Variable("batch")}}}
        alternative = Group("*", (("", call("dict", **arguments(below, {}))),), each="for batch in batches(level)")
        self._write_read_all("children", Recipe("flow_run", (), (), "ID_DESC", None, None), [alternative])
        self._write("level = [run.id for run in children if run.id not in tree]")
        self._write("tree |= dict.fromkeys(level)")
        self._indent -= 4
        self._write("ids = list(tree)")
        if tree.among is not None:
            self._write(listed([repr(one) for one in tree.among]), before="asked = ")
            self._write("ids = [one for one in ids if str(one) in asked]")

    def _finish(self, name: str, recipe: Recipe, source: str) -> None:
        """Write what is done with the rows that were read: conditions, order, cut."""
        if recipe.is_cut_by_page:
            return
        if self._indent == 0:
            self._lines.append("")
        if recipe.conditions:
            self._functions |= {_IS_SAME: None} if any("is_same(run." in one for one in recipe.conditions) else {}
            self._write("# What Prefect cannot filter by:")
            self._lines += _kept(name, source, recipe.conditions, self._indent)
        elif source != name:
            self._write(f"{name} = list({source})")
        is_sorted = recipe.sort != "ID_DESC" and (recipe.limit is not None or name == "runs")
        if is_sorted and not recipe.is_small:
            self._write("# Only by id can pages be read without repeats or gaps, so that the order is made here.")
        if is_sorted:
            self._write(f"{name}.sort({self._key(recipe.sort)})")
        if recipe.limit is not None:
            self._write(f"{name} = {name}[:{recipe.limit}]")

    def _key(self, sort: str) -> str:
        order = Order(sort)
        value = _KEYS.get(order.field, f"run.{order.field}")
        if order.field == "duration":
            self._functions |= {_DURATION: None}
        if order.field in MAY_LACK:
            value = f"({value} is {'not ' if order.is_descending else ''}None, {value})"
        return f"key=lambda run: {value}" + (", reverse=True" if order.is_descending else "")

    def __str__(self) -> str:
        """Give the text, with imports and functions before the lines."""
        imports = [_import(module, sorted(filter(names.fullmatch, self._names))) for module, names in _MODULES]
        head = [
            imports[0],
            "\n".join(filter(None, imports[1:])),
            "now = datetime.now(timezone.utc)" if self._has_now else "",
        ]
        lines = "\n".join(self._lines).rstrip("\n") + "\n"
        gap = "\n\n\n" if self._functions else "\n\n"
        return gap.join(["\n\n".join(filter(None, head)), *self._functions, lines])


def _import(module: str, names: list[str]) -> str:
    if not names:
        return ""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= COLUMNS:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def _kept(name: str, source: str, conditions: Iterable[str], indent: int) -> list[str]:
    margin, inner = " " * indent, " " * (indent + 4)
    test = "if " + " and ".join(conditions)
    line = f"{margin}{name} = [run for run in {source} {test}]"
    if len(line) <= COLUMNS:
        return [line]
    tests = ("if " + f"\n{inner}and ".join(conditions)).split("\n")
    return [
        f"{margin}{name} = [",
        f"{inner}run",
        f"{inner}for run in {source}",
        f"{inner}{tests[0]}",
        *tests[1:],
        f"{margin}]",
    ]
