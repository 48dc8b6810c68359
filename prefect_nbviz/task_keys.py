"""Keys of tasks: the name of the function, and a part of a hash of its code."""

from __future__ import annotations

import re

_HASH = re.compile(r"-[0-9a-f]{8}$")


def task_name(key: str) -> str:
    """Give the name of a task from its key, so that it stays the same where its code changes.

    Examples
    --------
    >>> task_name("load_orders-3f2a1c9d"), task_name("my-task")
    ('load_orders', 'my-task')
    """
    return _HASH.sub("", key)


def code_hash(key: str) -> str:
    """Give the part of a key that changes with the code of its task; nothing if it has none.

    Examples
    --------
    >>> code_hash("load_orders-3f2a1c9d"), code_hash("my-task")
    ('3f2a1c9d', '')
    """
    return key[len(task_name(key)) :].removeprefix("-")
