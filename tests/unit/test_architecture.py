"""The shape of the package: imports run down the floors, and the public face is what it says."""

from __future__ import annotations

import ast
import builtins
import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import prefect_nbviz

PACKAGE = Path(prefect_nbviz.__file__).parent

FLOORS = {
    "arrays": 0,
    "states": 0,
    "errors": 0,
    "meanings": 0,
    "schema": 1,
    "forms": 1,
    "criteria": 1,
    "abilities": 2,
    "bins": 2,
    "client_filters": 2,
    "curl_code": 2,
    "filters": 2,
    "frames": 2,
    "json_code": 2,
    "layout": 2,
    "order": 2,
    "percentiles": 2,
    "parameters": 1,
    "plan": 2,
    "prelude": 2,
    "python_code": 2,
    "query": 2,
    "query_text": 2,
    "recipe": 2,
    "steps": 2,
    "tables": 2,
    "task_keys": 1,
    "window": 1,
    "reading": 3,
    "charts": 3,
    "analysis": 3,
    "gathering": 4,
    "reporting": 5,
    "widgets": 6,  # above the reports, since the explorer makes one of what it shows
    "cli": 7,
    "demo": 7,
    "magic_completion": 7,
    "magic_lines": 7,
    "magics": 7,
}
"""A module imports from floors below its own, and from its own part."""

MAY_IMPORT = {
    "prefect": {"reading", "demo"},
    "httpx": {"reading"},
    "plotly": {"charts", "reporting", "widgets"},
    "ipywidgets": {"widgets"},
    "anywidget": {"widgets"},
    "traitlets": {"widgets"},
    "IPython": {"magics", "widgets"},
    "jinja2": {"reporting"},
    "markupsafe": {"reporting"},
}
"""The heavy packages, and the only parts that may know them."""


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_down_the_floors(path: Path) -> None:
    part = part_of(path)
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package == "prefect_nbviz":
            other = rest.split(".")[0]
            # The siblings of floors 1, 2 and 7 are single modules; a part may always import itself.
            is_below = other == "__version__" or FLOORS[other] < FLOORS[part] or other == part
            same_low_floor = FLOORS.get(other) == FLOORS[part] in {1, 2, 7}
            assert is_below or same_low_floor, f"{part} (floor {FLOORS[part]}) imports {name}"
        elif package in MAY_IMPORT:
            assert part in MAY_IMPORT[package], f"{part} imports {package}"


def test_no_import_cycle_between_modules() -> None:
    graph = {}
    for path in modules():
        name = ".".join(("prefect_nbviz", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        graph[name] = imports(path)
    known = set(graph)
    edges = {
        name: {found for found in (one if one in known else one.rpartition(".")[0] for one in names) if found in known}
        for name, names in graph.items()
    }
    done: set[str] = set()
    while leaves := {name for name in known - done if edges[name] - {name} <= done}:
        done |= leaves
    assert known == done, f"a cycle among {sorted(known - done)}"


def test_the_public_names_are_sorted_and_there() -> None:
    assert prefect_nbviz.__all__ == sorted(prefect_nbviz.__all__)
    assert set(prefect_nbviz.__all__) == set(prefect_nbviz._HOMES)
    for name in prefect_nbviz.__all__:
        assert getattr(prefect_nbviz, name).__doc__, f"{name} has no docstring"


@pytest.mark.parametrize("name", prefect_nbviz.__all__)
def test_a_person_can_copy_the_examples(name: str) -> None:
    told = doctest.DocTestParser().get_examples(getattr(prefect_nbviz, name).__doc__)
    code = "".join(one.source for one in told if not one.options.get(doctest.SKIP))
    used, made = set(), {"pd", "datetime", "UTC", *prefect_nbviz.__all__, *dir(builtins)}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.ImportFrom):
            made |= {alias.name for alias in node.names}
    assert used <= made


def test_the_readme_has_every_public_name_in_a_table() -> None:
    rows = [line for line in (PACKAGE.parent / "README.md").read_text().splitlines() if line.startswith("|")]
    said = {*re.findall(r"\w+", " ".join(rows))}
    assert {*prefect_nbviz.__all__} - said == {"load_ipython_extension"}, "IPython calls that"


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ["prefect", "scipy", "httpx", "plotly", "ipywidgets", "anywidget", "IPython"]
    code = f"import sys, prefect_nbviz; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_charts_do_not_import_the_figure_widget() -> None:
    code = (
        "import sys, prefect_nbviz; prefect_nbviz.plot_state_counts; "
        "print([m for m in ('prefect', 'ipywidgets', 'anywidget') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
