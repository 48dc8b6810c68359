"""What a server can do, by its version: as seen on real servers from 3.0.11 on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from prefect_nbviz.criteria import RunKind


@dataclass(frozen=True)
class Abilities:
    """What a server can do, by its version."""

    version: tuple[int, ...] = (99,)
    """Its version; Prefect Cloud does not tell one and can do all."""

    @classmethod
    def of(cls, text: str | None) -> Abilities:
        """Read a version such as `3.4.25` or `3.7.0rc1`.

        Examples
        --------
        >>> Abilities.of("3.7.0rc1").version
        (3, 7, 0)
        """
        return cls() if text is None else cls(tuple(int(part) for part in re.findall(r"\d+", text)[:3]))

    @property
    def filters_flow_runs_by_any_tag(self) -> bool:
        """Whether flow runs can be filtered by `tags.any_`: seen from 3.1.15, not in 3.0.11."""
        return self.version >= (3, 1, 15)

    def filters_by_end_time(self, kind: RunKind) -> bool:
        """Whether runs can be filtered by `end_time`: flow runs always; task runs seen from 3.6.29, not in 3.4.25."""
        return kind == "flow_run" or self.version >= (3, 6, 29)

    @property
    def filters_by_creator(self) -> bool:
        """Whether flow runs can be filtered by `created_by`: seen from 3.6.29, not in 3.4.25."""
        return self.version >= (3, 6, 29)

    @property
    def takes_unstarted_at_expected_start(self) -> bool:
        """Whether a window of start times has flow runs that did not start, at their expected start.

        Seen from 3.4.2, not in 3.4.0; there they are asked for apart.
        """
        return self.version >= (3, 4, 2)

    def done_here(self) -> list[str]:
        """Say in words what this server cannot do and the reader does instead, beside what no server can.

        Examples
        --------
        >>> Abilities.of("3.4.25").done_here()
        ['end_time of task runs', 'created_by']
        """
        lacks = {
            "start_time of flow runs that did not start": not self.takes_unstarted_at_expected_start,
            "tags_any of flow runs": not self.filters_flow_runs_by_any_tag,
            "end_time of task runs": not self.filters_by_end_time("task_run"),
            "created_by": not self.filters_by_creator,
        }
        return [criterion for criterion, is_lacking in lacks.items() if is_lacking]


NEWEST, OLDEST = Abilities(), Abilities((3,))
"""What the newest server of Prefect 3 can do, and what each can."""
