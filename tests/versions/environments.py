"""Python environments with an older Prefect and packages of its date, made by uv and kept for the next time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DATES = {
    "3.0.11": "2024-11-01",
    "3.1.15": "2025-02-05",
    "3.4.25": "2025-10-28",
    "3.6.29": "2026-05-05",
}
"""When each was the newest: with packages of today none of them starts a server."""

OLDEST_CLIENT = "3.1.15"
"""The oldest client that reads: `client.request`, which does the talking, is not in 3.1.6 and before."""

PANDAS_DATE = "2026-10-10"
"""Our own needs, which are newer than the oldest clients."""

NEEDS = ("pandas>=3.0", "tqdm", "msgspec")
"""What a read with our package needs beside Prefect."""

FOLDER = "PREFECT_NBVIZ_VERSIONS"
"""The environment variable that says where environments are kept."""


def python_of(version: str) -> Path:
    """Give the Python that has this Prefect, and what a read with our package needs; made if need be, in 5 to 60 s."""
    home = folder() / f"prefect-{version}-python-{sys.version_info.major}.{sys.version_info.minor}"
    python, done = home / "bin" / "python", home / "done"
    if not done.exists() or done.read_text(encoding="utf-8") != " ".join(NEEDS):
        _uv("venv", "--clear", "--python", sys.executable, str(home))
        date = ("--exclude-newer", DATES[version], "--exclude-newer-package", f"pandas={PANDAS_DATE}")
        _uv("pip", "install", "--python", str(python), *date, f"prefect=={version}", *NEEDS)
        done.write_text(" ".join(NEEDS), encoding="utf-8")
    return python


def folder() -> Path:
    """Give the folder that environments are kept in."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(FOLDER) or cache / "prefect-nbviz-versions")


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"uv {' '.join(arguments)}: {done.stderr}"
