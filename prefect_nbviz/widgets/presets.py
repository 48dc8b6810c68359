"""Filters under names: a few that are built in, and those that a person saved."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_config_dir

from prefect_nbviz.errors import PresetError, did_you_mean
from prefect_nbviz.query import QUERY_TYPES, FlowRunQuery, RunKind, RunQuery, query_from_json

LONGEST_NAME = 80
"""Characters of a name at most."""


def built_in_presets(kind: RunKind) -> dict[str, RunQuery]:
    """Give the filters that need no saving, for a kind of run.

    Examples
    --------
    >>> built_in_presets("task_run")["Failed in the last 24 h"]
    TaskRunQuery(state_type=['FAILED', 'CRASHED'], since='1d')
    """
    runs = QUERY_TYPES[kind]
    return {
        "Failed in the last 24 h": runs(state_type=("FAILED", "CRASHED"), since="1d"),
        "Running now": runs(state_type="RUNNING"),
        "Late flow runs": FlowRunQuery(state_name="Late"),
        "Retried in the last 24 h": runs(run_count_min=2, since="1d"),
        "Longest in the last 24 h": runs(since="1d", sort="DURATION_DESC"),
    }


class PresetStore:
    """The filters that a person saved, in a file that outlives kernels.

    Each call reads the file, so that several notebooks share it. It holds no address and no key.

    Parameters
    ----------
    path
        The file; unless told, `prefect_nbviz/presets.json` in Jupyter's folder for settings.

    See Also
    --------
    https://docs.jupyter.org/en/latest/use/jupyter-directories.html
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(jupyter_config_dir()) / "prefect_nbviz" / "presets.json"
        """The file."""

    def names(self) -> list[str]:
        """Give the names, in order.

        Raises
        ------
        PresetError
            The file cannot be read, or is broken.
        """
        return sorted(self._read(), key=str.casefold)

    def load(self, name: str) -> FlowRunQuery | Any:
        """Give the query of a name.

        Raises
        ------
        PresetError
            There is none of that name, or the file is broken.
        QueryError
            It is no query that this version knows.
        """
        return query_from_json(json.dumps(self._named(name)[name]))

    def save(self, name: str, query: RunQuery) -> str:
        """Keep a query under a name, in the place of what had it before; give the name without blanks around it.

        Raises
        ------
        PresetError
            The name cannot be, or the file is broken, which is then left as it is, or cannot be written.
        """
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise PresetError(f"A preset needs a name of one line, with {LONGEST_NAME} characters at most.")
        self._write(self._read() | {name: json.loads(query.to_json())})
        return name

    def delete(self, name: str) -> None:
        """Forget a name.

        Raises
        ------
        PresetError
            There is none of that name, or the file is broken, which is then left as it is, or cannot be written.
        """
        self._write({other: value for other, value in self._named(name).items() if other != name})

    def _named(self, name: str) -> dict[str, Any]:
        presets = self._read()
        if name not in presets:
            raise PresetError(f"There is no preset {name!r}.{did_you_mean(name, presets)}")
        return presets

    def _read(self) -> dict[str, Any]:
        try:
            presets = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise PresetError(f"{self.path} cannot be read ({error.strerror}).") from error
        except (ValueError, RecursionError) as error:
            raise self._broken(f"it is no JSON: {error}") from error
        if not isinstance(presets, dict) or not all(isinstance(one, dict) for one in presets.values()):
            raise self._broken("it holds something else than filters by their names")
        return presets

    def _broken(self, why: str) -> PresetError:
        return PresetError(f"{self.path} is broken and left as it is ({why}): mend it, or move it away.")

    def _write(self, presets: Mapping[str, Any]) -> None:
        """Put a whole new file in the place of the old, so that nobody ever reads half of one."""
        target = Path(os.path.realpath(self.path))
        draft: str | None = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=target.parent, prefix=target.name)
            os.close(handle)
            Path(draft).write_text(json.dumps(presets, indent=2), encoding="utf-8")
            Path(draft).replace(target)
        except OSError as error:
            raise PresetError(f"{self.path} cannot be written ({error.strerror}).") from error
        finally:
            if draft is not None:
                with contextlib.suppress(FileNotFoundError):
                    Path(draft).unlink()
