"""Python expressions as trees, and how they are laid out in lines of at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

COLUMNS = 100
_STEP = 4


@dataclass(frozen=True)
class Group:
    """Something in brackets: a call, a list, a generator."""

    head: str
    """What comes before the opening bracket, such as the name of a class."""

    items: tuple[tuple[str, Node], ...]
    """What is inside, each with what comes before it, such as `limit=`."""

    brackets: str = "()"
    each: str = ""
    """What makes it a generator of its one item, such as `for tag in tags`."""

    def flat(self) -> str:
        """Give it as one line."""
        inside = ", ".join(before + (item if isinstance(item, str) else item.flat()) for before, item in self.items)
        return self.head + self.brackets[0] + inside + (f" {self.each}" if self.each else "") + self.brackets[1]

    def names(self) -> Iterator[str]:
        """Give what is called in it."""
        yield self.head
        for _, item in self.items:
            if isinstance(item, Group):
                yield from item.names()


Node = str | Group
"""An expression: as it is written, or in brackets that may be broken into lines."""


def call(name: str, /, **arguments: Node) -> Group:
    """Give a call with keywords.

    Examples
    --------
    >>> call("f", a="1", b=listed(["2", "3"])).flat()
    'f(a=1, b=[2, 3])'
    """
    return Group(name, tuple((f"{word}=", value) for word, value in arguments.items()))


def listed(items: list[str]) -> Group:
    """Give a list of expressions."""
    return Group("", tuple(("", item) for item in items), "[]")


def laid_out(node: Node, *, before: str = "", indent: int = 0) -> str:
    """Give an expression as it follows `before` in a line, broken into lines where it is too long.

    Examples
    --------
    >>> print(laid_out(call("f", a=repr("x" * 60), b=repr("y" * 30)), before="z = "))
    z = f(
        a='xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
        b='yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy',
    )
    """
    margin = " " * indent
    if isinstance(node, str) or len(line := f"{margin}{before}{node.flat()}") < COLUMNS:
        return f"{margin}{before}{node}" if isinstance(node, str) else line
    inner = indent + _STEP
    end = "" if node.each else ","
    lines = [laid_out(item, before=word, indent=inner) + end for word, item in node.items]
    each = [" " * inner + node.each] if node.each else []
    return "\n".join([f"{margin}{before}{node.head}{node.brackets[0]}", *lines, *each, f"{margin}{node.brackets[1]}"])
