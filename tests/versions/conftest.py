"""Nothing of this folder is collected unless it is asked for by its marker: `pytest -m versions`."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return None if "versions" in config.option.markexpr else True
