"""What each criterion means, for the docstrings of queries: it stands below each field, where `help` does not look."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
from itertools import pairwise
from textwrap import indent
from types import ModuleType
from typing import Any, TypeVar

C = TypeVar("C", bound=type[Any])


def with_meanings(query_type: C) -> C:
    """Put what each field of a dataclass means into its docstring, as parameters below the first line.

    Without its source, as where only compiled files are, the docstring stays as it is.
    """
    modules = {base.__module__ for base in query_type.__mro__ if dataclasses.is_dataclass(base)}
    meanings = {word: meaning for name in modules for word, meaning in _meanings(sys.modules[name]).items()}
    words = [field.name for field in dataclasses.fields(query_type)]
    if meanings.keys() >= {*words}:
        summary, rest = inspect.cleandoc(query_type.__doc__ or "").split("\n\n", maxsplit=1)
        listed = "\n".join(f"{word}\n{indent(meanings[word], '    ')}" for word in words)
        query_type.__doc__ = f"{summary}\n\nParameters\n----------\n{listed}\n\n{rest}\n"
    return query_type


def _meanings(module: ModuleType) -> dict[str, str]:
    """Give the text below each annotated name in the classes of a module."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except OSError:
        return {}
    meanings = {}
    for one in tree.body:
        for field, below in pairwise(one.body if isinstance(one, ast.ClassDef) else ()):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=word)), ast.Expr(value=ast.Constant(value=str(text))):
                    meanings[word] = inspect.cleandoc(text)
    return meanings
