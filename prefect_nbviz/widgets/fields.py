"""The control of each criterion: what stands on it, what it offers, and how its value is a criterion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ipywidgets as ipw

from prefect_nbviz.criteria import DEFAULT_LIMIT, SUBFLOW, TOP_LEVEL
from prefect_nbviz.errors import QueryError
from prefect_nbviz.parameters import parameter_texts, parameter_values
from prefect_nbviz.states import STATE_NAMES, STATE_TYPES
from prefect_nbviz.widgets.chips import StateField, TagField

ANY = ""
"""The value of a choice that says nothing. Not None: ipywidgets shows a choice of that value as a blank."""

LIMITS = {"100": 100, "1,000": 1_000, "10,000": 10_000, "All": ANY}
"""How many runs can be chosen to be read at most."""

SORTS = {
    "EXPECTED_START_TIME_DESC": "Expected start, newest first",
    "EXPECTED_START_TIME_ASC": "Expected start, oldest first",
    "START_TIME_DESC": "Start, newest first",
    "START_TIME_ASC": "Start, oldest first",
    "END_TIME_DESC": "End, newest first",
    "END_TIME_ASC": "End, oldest first",
    "NEXT_SCHEDULED_START_TIME_ASC": "Next scheduled start, soonest first",
    "DURATION_DESC": "Duration, longest first",
    "DURATION_ASC": "Duration, shortest first",
    "NAME_ASC": "Name, A to Z",
    "NAME_DESC": "Name, Z to A",
    "ID_DESC": "Id",
}
"""What each order is called."""

IN_SIGHT = ("name_like", "sort", "limit")
"""The criteria whose fields are always in sight, beside the state types and the window, and that need no chip."""

GROUPS = {
    "State": ("state_type", "state_name", "state_type_not", "state_name_not", "run_count_min"),
    "Tags": ("tags_any", "tags_all", "tags_none", "tag_keys", "untagged"),
    "Where it ran": ("flow", "deployment", "work_pool", "work_queue"),
    "Name and id": ("name", "name_not", "ids", "ids_not"),
    "Time": ("time_field", "start_time_fallback"),
    "Flow runs only": (
        *("parent", "parent_task_run", "ancestor", "created_by", "flow_version", "idempotency_key", "parameters"),
        *("has_deployment", "has_work_queue", "auto_scheduled"),
    ),
    "Task runs only": ("has_flow_run", "has_subflow_run"),
}
"""The criteria that the menu offers, by what stands over them."""

_CHIPS = {
    "state_type": "state",
    "state_type_not": "state is not",
    "state_name_not": "state name is not",
    "name_not": "name is not",
    "ids": "id",
    "ids_not": "id is not",
    "run_count_min": "run count at least",
    "parent_task_run": "parent task run",
    "ancestor": "below flow run",
    "time_field": "time is of",
    "start_time_fallback": "never started",
    "untagged": "without tags",
    "auto_scheduled": "made by a schedule",
}
"""What a chip is called, with its operator, where that is not the criterion's own words."""

_MANY = 4

_CREATORS = ("SCHEDULE", "DEPLOYMENT", "AUTOMATION", "USER")
_YES_NO = {"Any": ANY, "Yes": True, "No": False}
_MAX_NUMBER = 2**31 - 1


class Field:
    """The control of one criterion.

    Parameters
    ----------
    widget
        An ipywidget with a `value`, which says nothing but the default as it stands.
    """

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.label = ""
        """What stands on it."""
        self._plain = widget.value

    @property
    def is_set(self) -> bool:
        """Whether the control says something else than at first."""
        return bool(self.widget.value != self._plain)

    def clear(self) -> None:
        """Make it say nothing but the default."""
        self.widget.value = self._plain

    @property
    def text(self) -> str:
        """What the control says, for people; many values are cut, and then counted."""
        value = self.widget.value
        if not isinstance(value, list):
            return str(value)
        shown = ", ".join(one.capitalize() if one in STATE_TYPES else one for one in value[:_MANY])
        return shown if len(value) <= _MANY else f"{shown}, … ({len(value):,} in all)"

    @property
    def criterion(self) -> Any:
        """What the control says; None where it says nothing."""
        value = self.widget.value
        if isinstance(value, list):
            return tuple(value) or None
        return None if value == ANY else value

    def take(self, value: Any) -> bool:
        """Make the control say a criterion, and tell whether it can; if not, it says nothing."""
        self._put(value)
        is_said = bool(self.criterion == value)
        if not is_said:
            self.clear()
        return is_said

    def _put(self, value: Any) -> None:
        self.widget.value = [*(value or ())] if isinstance(self.widget.value, list) else ANY if value is None else value


class ChoiceField(Field):
    """The control of a criterion that is one of some values."""

    @property
    def text(self) -> str:
        """What the choice is called."""
        return str(self.widget.label)

    def _put(self, value: Any) -> None:
        choices = [choice for _, choice in self.widget.options]
        wanted = ANY if value is None else value
        self.widget.value = wanted if wanted in choices else self._plain


class LimitField(Field):
    """The control of the limit, which makes a choice of any number that code gives."""

    def _put(self, value: Any) -> None:
        wanted = ANY if value is None else value
        choices = LIMITS if wanted in LIMITS.values() else {f"{value:,}": value, **LIMITS}
        self.widget.options = [*choices.items()]
        self.widget.value = wanted


class NumberField(Field):
    """The control of a number from 1 up; 0 says nothing."""

    @property
    def criterion(self) -> int | None:
        """The number."""
        return self.widget.value or None

    def _put(self, value: Any) -> None:
        self.widget.value = value or 0


class ParametersField(Field):
    """The control of values by name, each a text such as `region=eu`."""

    @property
    def criterion(self) -> dict[str, Any] | None:
        """The values.

        Raises
        ------
        QueryError
            A text is no name with a value.
        """
        return parameter_values("parameters", self.widget.value) if self.widget.value else None

    def _put(self, value: Any) -> None:
        self.widget.value = parameter_texts(value or {})

    def take(self, value: Any) -> bool:
        """Make the control say the values, and tell whether it can; if not, it says nothing."""
        try:
            return super().take(value)
        except QueryError:  # a name that no text can begin with, such as one of spaces
            self.widget.value = []
            return False


def chip_label(word: str) -> str:
    """Give what the chip of a criterion is called, with its operator.

    Examples
    --------
    >>> chip_label("state_type_not"), chip_label("tags_any")
    ('state is not', 'tags any')
    """
    return _CHIPS.get(word, word.replace("_", " "))


def make_fields() -> dict[str, Field]:
    """Give the control of each criterion but the window, by its word.

    Examples
    --------
    >>> fields = make_fields()
    >>> fields["parameters"].widget.value = ["region=eu", "rows=12"]
    >>> fields["parameters"].criterion
    {'region': 'eu', 'rows': 12}
    """
    fields = {
        "state_type": Field(StateField()),
        "name_like": Field(ipw.Text(description="Name contains", placeholder="Name contains", continuous_update=False)),
        **{word: Field(TagField(**texts)) for word, texts in _texts().items()},
        **{word: ChoiceField(_choice(label, options)) for word, (label, options) in _choices().items()},
        "run_count_min": NumberField(
            ipw.BoundedIntText(description="Run count, at least (0: any)", max=_MAX_NUMBER, continuous_update=False)
        ),
        "limit": LimitField(ipw.Dropdown(description="At most", options=[*LIMITS.items()], value=DEFAULT_LIMIT)),
        "parameters": ParametersField(TagField(label="Parameters", placeholder="region=eu")),
    }
    for word, field in fields.items():
        field.label = getattr(field.widget, "description", "") or field.widget.label
        field.widget.add_class("nbviz-field").add_class(f"nbviz-field-{word}")
    return fields


def _texts() -> dict[str, dict[str, Any]]:
    """Give what stands on each field of texts."""
    return {
        "tags_any": {"label": "Tags: any of", "placeholder": "prod"},
        "tags_all": {"label": "Tags: all of"},
        "tags_none": {"label": "Tags: none of"},
        "tag_keys": {"label": "Tags: with keys", "placeholder": "project_id"},
        "name": {"label": "Name is"},
        "name_not": {"label": "Name is not"},
        "ids": {"label": "Run ids", "placeholder": "paste any number"},
        "ids_not": {"label": "Run ids: none of", "placeholder": "paste any number"},
        "flow": {"label": "Flow", "placeholder": "daily_ingest"},
        "deployment": {"label": "Deployment", "placeholder": "flow/deployment"},
        "work_pool": {"label": "Work pool"},
        "work_queue": {"label": "Work queue"},
        "state_type_not": {"label": "State type is not", "placeholder": "FAILED", "suggestions": [*STATE_TYPES]},
        "state_name": {"label": "State name", "placeholder": "TimedOut", "suggestions": [*STATE_NAMES]},
        "state_name_not": {"label": "State name is not", "placeholder": "Late", "suggestions": [*STATE_NAMES]},
        "parent_task_run": {"label": "Parent task run", "placeholder": "ids of task runs"},
        "ancestor": {"label": "Below flow runs (whole tree)", "placeholder": "ids of flow runs"},
        "created_by": {"label": "Created by", "placeholder": "SCHEDULE", "suggestions": [*_CREATORS]},
        "flow_version": {"label": "Flow version"},
        "idempotency_key": {"label": "Idempotency key"},
    }


def _choices() -> dict[str, tuple[str, dict[str, Any]]]:
    """Give what stands on each choice, and what it offers; the first says the default."""
    return {
        "untagged": ("Without tags", _YES_NO),
        "time_field": (
            "Time is of",
            {
                "Start": "start_time",
                "End": "end_time",
                "Expected start": "expected_start_time",
                "Next scheduled start (flow runs)": "next_scheduled_start_time",
            },
        ),
        "start_time_fallback": ("Runs that never started", {"Count at expected start": True, "Are left out": False}),
        "sort": ("Order", {label: sort for sort, label in SORTS.items()}),
        "parent": ("Parent", {"Any": ANY, "Top level only": TOP_LEVEL, "Subflow runs only": SUBFLOW}),
        "auto_scheduled": ("Made by a schedule", _YES_NO),
        "has_deployment": ("Has a deployment", _YES_NO),
        "has_work_queue": ("Has a work queue", _YES_NO),
        "has_flow_run": ("Has a flow run", _YES_NO),
        "has_subflow_run": ("Stands for a subflow run", _YES_NO),
    }


def _choice(label: str, options: Mapping[str, Any]) -> ipw.Dropdown:
    return ipw.Dropdown(description=label, options=[*options.items()])
