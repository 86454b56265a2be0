"""What a drawn form holds: its values, their problems, and the places to show these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from services.errors import Problem
from ui.forms.form_state import FieldProblem
from ui.streamlit_internals import Container


@dataclass
class Form:
    """The values and problems of a drawn form, and the containers for its problems."""

    values: dict[str, Any] = field(default_factory=dict)  # empty ones left out
    problems: list[Problem] = field(default_factory=list)  # of values that could not be read
    slots: dict[str, Container] = field(default_factory=dict)  # for the problems of each field
    labels: dict[str, str] = field(default_factory=dict)  # the title of each field
    tables: set[str] = field(default_factory=set)  # paths of fields that are drawn as tables
    keys: dict[str, str] = field(default_factory=dict)  # widget key → path of the field
    shown: dict[str, Any] = field(default_factory=dict)  # widget key → what the browser shows
    reported: Sequence[FieldProblem] = ()  # problems that a submission had

    def add_nested(self, name: str, inner: Form, old: str = "", new: str = "") -> None:
        """Add a nested form as the value `name`; replace the prefix `old` of its paths by `new`."""

        def renamed(path: str) -> str:
            return new + path.removeprefix(old)

        if inner.values:
            self.values[name] = inner.values
        for problem in inner.problems:
            path = renamed(problem.field.removeprefix("params."))
            self.problems.append(problem.at(f"params.{path}"))
        self.slots |= {renamed(path): slot for path, slot in inner.slots.items()}
        self.labels |= {renamed(path): label for path, label in inner.labels.items()}
        self.tables |= {renamed(path) for path in inner.tables}
        self.keys |= {key: renamed(path) for key, path in inner.keys.items()}
        self.shown |= inner.shown

    def add_slot(self, path: str, label: str) -> None:
        """Add a container for the problems of a field that was drawn."""
        self.slots[path] = st.container(gap="xxsmall", key=f"problems-{path}")
        self.labels[path] = label
