"""The place of a report: a file that comes into being whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from prefect_nbviz.errors import ReportError


class Place:
    """A file that is written to in one go; until then what was there stays.

    Entering it finds out whether it can be written, before anything else takes its time.

    Parameters
    ----------
    path
        Where it is to be; its folder is there.
    overwrite
        Whether it may take the place of a file.

    Raises
    ------
    ReportError
        Nothing can be written there, or something is there that is not to be overwritten.

    Examples
    --------
    >>> with Place(Path("no/such/folder/runs.html"), overwrite=False) as place:
    ...     place.write(b"")
    Traceback (most recent call last):
    prefect_nbviz.errors.ReportError: There is no folder no/such/folder to write runs.html to: make it first.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self._path = path
        self._overwrite = overwrite

    def __enter__(self) -> Self:
        """Take a file beside it."""
        self._check()
        try:
            handle, name = tempfile.mkstemp(prefix=".runs-", suffix=".part", dir=self._path.parent)
        except OSError as error:
            raise self._unwritable(error) from error
        os.close(handle)
        self._part = Path(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing beside it."""
        self._part.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        """Write it, with the rights that the person's other new files have.

        Raises
        ------
        ReportError
            It cannot be written after all, such as on a disk that is full.
        """
        self._check()
        mask = os.umask(0)
        os.umask(mask)
        try:
            self._part.write_bytes(content)
            self._part.chmod(0o666 & ~mask)
            self._part.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from error

    def _check(self) -> None:
        path = self._path
        if path.is_dir():
            raise ReportError(f"{path} is a folder: name a file in it, such as {path / 'runs.html'}.")
        if not path.parent.is_dir():
            raise ReportError(f"There is no folder {path.parent} to write {path.name} to: make it first.")
        if path.exists() and not self._overwrite:
            raise ReportError(f"{path} is there already: pass overwrite=True to write over it, or another path.")

    def _unwritable(self, error: OSError) -> ReportError:
        return ReportError(f"{self._path} cannot be written ({error.strerror or error}): pass another path.")
