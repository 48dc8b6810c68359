"""The code tab: what is shown, as code that gives the same runs."""

from __future__ import annotations

import ast

import anywidget
import traitlets

from prefect_nbviz.query import RunQuery
from prefect_nbviz.widgets.page import STATIC

_NARROW = 88  # letters of a line


class CodeView(anywidget.AnyWidget):
    """A query as Python, as Python for Prefect's own client, as curl and as JSON, to be copied.

    Where the page is a notebook whose cells can be reached (JupyterLab and Notebook 7), what is Python can be put
    into a new cell; elsewhere there is no such button.

    Examples
    --------
    >>> from prefect_nbviz.query import FlowRunQuery
    >>> view = CodeView()
    >>> view.show(FlowRunQuery(since="1d"))
    >>> view.codes[0]["text"].splitlines()[-1]
    "runs = read_flow_runs(since='1d')"
    """

    _esm = STATIC / "code.js"

    codes = traitlets.List(traitlets.Dict()).tag(sync=True)
    """For each form `name`, `text`, `about`, a sentence, and `is_python`."""

    chosen = traitlets.Unicode("Python").tag(sync=True)
    """The name of the form that is shown."""

    def show(self, query: RunQuery) -> None:
        """Show a query; no key is in any of the forms."""
        forms = [
            ("Python", python_call(query), "Gives these runs as a DataFrame.", True),
            ("Prefect client", query.to_python(), "Gives these runs with Prefect's own client alone.", True),
            ("curl", query.to_curl(), "Gives these runs in a shell. Relative times count from now.", False),
            ("JSON", query.to_json(), "Keeps or passes on this filter: FlowRunQuery or TaskRunQuery.from_json.", False),
        ]
        self.codes = [
            {"name": name, "text": text, "about": about, "is_python": is_python}
            for name, text, about, is_python in forms
        ]


def python_call(query: RunQuery) -> str:
    """Give the call that reads what a query asks for.

    Examples
    --------
    >>> from prefect_nbviz.query import FlowRunQuery, TaskRunQuery
    >>> print(python_call(TaskRunQuery(state_type="FAILED", flow_runs=FlowRunQuery(tags_all="prod"))))
    from prefect_nbviz import FlowRunQuery, read_task_runs
    <BLANKLINE>
    runs = read_task_runs(state_type=['FAILED'], flow_runs=FlowRunQuery(tags_all=['prod']))
    """
    made = ast.parse(repr(query), mode="eval").body
    criteria = [ast.unparse(one) for one in getattr(made, "keywords", [])]
    nested = {one.func.id for one in ast.walk(made) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}
    read = f"read_{query.kind}s"
    names = sorted({read, *nested} - {type(query).__name__}, key=lambda name: (name.islower(), name))
    call = f"runs = {read}({', '.join(criteria)})"
    if len(call) > _NARROW:
        call = f"runs = {read}(\n" + "".join(f"    {one},\n" for one in criteria) + ")"
    return f"from prefect_nbviz import {', '.join(names)}\n\n{call}"
