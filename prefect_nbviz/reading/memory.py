"""Whether what is to be read fits into memory."""

from __future__ import annotations

import re
from pathlib import Path

from prefect_nbviz.errors import QueryError

BYTES_A_ROW = 3_000
"""What a run takes at most while it is read, with usual parameters: its row, and its part of the frame."""

_MEMINFO = Path("/proc/meminfo")
_CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def free() -> int | None:
    """Give the bytes that this process may still take; None where the system does not tell."""
    told = [int(kilobytes) * 1024 for kilobytes in re.findall(r"MemAvailable: +(\d+) kB", _text(_MEMINFO))]
    told += [int(text) for text in map(_text, _CONTAINER_LIMITS) if text.strip().isdigit()]
    return min(told, default=None)


def refuse_too_many(rows: int, noun: str) -> None:
    """Refuse to read more runs than fit.

    Raises
    ------
    QueryError
        They would not fit, as far as the system tells.
    """
    there, needed = free(), rows * BYTES_A_ROW
    if there is not None and needed > there:
        raise QueryError(
            f"{rows:,} {noun} match, and reading them all takes about {needed / 1e9:,.1f} GB of memory, of which "
            f"{there / 1e9:,.1f} GB are free: narrow the query or set a limit (limit={rows} reads them all the same)."
        )


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
