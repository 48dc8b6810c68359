"""What a read gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from prefect_nbviz.errors import IncompleteWarning, UnknownNameWarning, warn
from prefect_nbviz.reading.past_reads import Kept


@dataclass(frozen=True)
class Answer:
    """The frame, and what there is to warn of."""

    frame: pd.DataFrame
    """What was read."""

    missing: Sequence[str]
    """What it lacks, in sentences."""

    unknown: Sequence[str] = ()
    """Which names nothing on the server has, in sentences."""

    kept: Kept | None = None
    """What to read it again from, where that can be."""

    def warn(self, *, stacklevel: int) -> pd.DataFrame:
        """Warn of it, and give the frame."""
        for sentence in self.unknown:
            warn(sentence, UnknownNameWarning, stacklevel=stacklevel + 1)
        for sentence in self.missing:
            warn(sentence, IncompleteWarning, stacklevel=stacklevel + 1)
        return self.frame
