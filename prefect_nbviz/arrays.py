"""Arrays: what kinds there are, and what stands in them for what is missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
"""Counts, places, and times and lengths of time in microseconds."""

Numbers = npt.NDArray[np.float64]
"""Shares and other numbers."""

Flags = npt.NDArray[np.bool_]
"""A yes or no for each."""

UNKNOWN = int(np.iinfo(np.int64).min)
"""What stands for a time or a length of time that is missing; made a time of numpy, it is `NaT`."""
