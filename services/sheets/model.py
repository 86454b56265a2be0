"""Sheets, their issues, and row schemas with the headers that their columns may have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from services.errors import Message, Text
from services.models import Model
from services.params.names import folded
from services.params.schema import is_file

MAX_ROWS = 10_000  # of a sheet
MAX_COLUMNS = 200  # of a sheet
MAX_ISSUES = 200  # listed for one sheet; a further one gives the number of the others

MORE_ISSUES = Message(
    "invalid",
    "{count} more problems are not listed.",
    one="One more problem is not listed.",
    hint="Fix the problems above first.",
)


class Issue(Model):
    """An error or a warning about a sheet."""

    row: int | None = Field(
        None,
        description="Number of the row, from 1: as in a spreadsheet, or of the rows sent as JSON",
    )
    column: str = Field("", description="Header of the column; empty: the whole row or sheet")
    cell: str = Field("", description="Cell in a spreadsheet, for instance B7")
    name: str = Field("", description="Property of the row schema")
    index: int | None = Field(None, description="Index in `records`, from 0")
    code: str = Field("", description="Code of the problem; it never changes its meaning")
    message: str = Field(description="The problem in one sentence")
    hint: str = Field("", description="What to do next, where it is not obvious")
    args: dict[str, Any] = Field({}, description="The values in the message, by name")
    severity: Literal["error", "warning"] = "error"

    @classmethod
    def of(cls, text: Text, **fields: Any) -> Issue:
        """Return an issue with the sentence, code and values of a text, and these other fields."""
        return cls(code=text.code, message=str(text), hint=text.hint, args=text.args, **fields)


class Column(Model):
    """A column of a sheet."""

    name: str = Field(description="Property of the row schema; for an unknown column its header")
    header: str = Field(description="Header as it is written in the sheet")
    letter: str = Field(description="Letter of the column in a spreadsheet: A, B, …, AA")
    known: bool = Field(description="Whether the row schema has this column")


class Sheet(Model):
    """A table that was read."""

    records: list[dict[str, Any]] = Field(
        description="One object for each row, without its empty cells"
    )
    rows: list[int] = Field(description="For each record the number of its row, from 1")
    metadata: dict[str, str] = Field(description="Names and values above the table")
    columns: list[Column] = Field(description="Columns from left to right")
    issues: list[Issue] = Field(description="Errors and warnings, ordered by row")

    @property
    def ok(self) -> bool:
        """Whether the sheet has no errors; it may have warnings."""
        return all(issue.severity == "warning" for issue in self.issues)


@dataclass(frozen=True)
class RowSchema:
    """A row schema: of an object, or of an array of objects."""

    given: Mapping[str, Any]

    @cached_property
    def row(self) -> dict[str, Any]:
        """The schema of one row."""
        items = self.given.get("items")
        return dict(items) if isinstance(items, Mapping) else dict(self.given)

    @property
    def properties(self) -> dict[str, dict[str, Any]]:
        properties = self.row.get("properties", {}).items()
        return {name: schema for name, schema in properties if isinstance(schema, dict)}

    @property
    def required(self) -> list[str]:
        return list(self.row.get("required", []))

    @property
    def closed(self) -> bool:
        """Whether it allows no further columns."""
        return self.row.get("additionalProperties") is False

    @property
    def files(self) -> list[str]:
        """The columns whose cells are files."""
        return [name for name, schema in self.properties.items() if is_file(schema)]

    @cached_property
    def keys(self) -> list[tuple[str, ...]]:
        """Columns whose combined values must be unique."""
        properties = self.properties.items()
        single = [(name,) for name, schema in properties if schema.get("unique") is True]
        keys = self.given.get("uniqueEntries") or self.row.get("uniqueEntries") or []
        if keys and all(isinstance(name, str) for name in keys):
            keys = [keys]
        return list(dict.fromkeys([*single, *(tuple(names) for names in keys)]))

    def find_column(self, header: str) -> tuple[str, int] | None:
        """Return the property that a header names, and the rank of this name among its headers.

        The name of a property ranks first, then its title, then its aliases in their order.
        """
        key = simple(header)
        if key in self._headers:
            return self._headers[key]
        for pattern, name, rank in self._patterns:
            if pattern.fullmatch(key):
                return name, rank
        return None

    @cached_property
    def _headers(self) -> dict[str, tuple[str, int]]:
        """Properties and ranks by the headers that they may have, as `simple` returns these."""
        found: dict[str, tuple[str, int]] = {}
        for name in self.properties:
            found.setdefault(simple(name), (name, 0))
        for name, schema in self.properties.items():
            found.setdefault(simple(str(schema.get("title", ""))), (name, 1))
        for name, alias, rank in self._aliases:
            if "*" not in alias:
                found.setdefault(simple(alias), (name, rank))
        found.pop("", None)
        return found

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str, int]]:
        """The aliases with an asterisk, which stands for any text: factor value[*]."""
        return [
            (re.compile(".+".join(map(re.escape, map(simple, alias.split("*"))))), name, rank)
            for name, alias, rank in self._aliases
            if "*" in alias and simple(alias)
        ]

    @cached_property
    def _aliases(self) -> list[tuple[str, str, int]]:
        return [
            (name, str(alias), rank)
            for name, schema in self.properties.items()
            for rank, alias in enumerate(schema.get("aliases", []), 2)
        ]

    def title(self, name: str) -> str:
        """Return the title of a column, or else its name."""
        return str(self.properties.get(name, {}).get("title") or name)


def simple(header: str) -> str:
    """Return a header without differences of case, width, blanks and punctuation."""
    return "".join(letter for letter in folded(header) if letter.isalnum())


def letter(index: int) -> str:
    """Return the letters of a column in a spreadsheet by its index from 0: A … Z, AA …"""
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def cut(issues: Sequence[Issue]) -> list[Issue]:
    """Return the first issues by row and column; the last one gives the number of the others."""
    ordered = sorted(issues, key=lambda issue: (issue.row or 0, len(issue.cell), issue.cell))
    rest = ordered[MAX_ISSUES:]
    if not rest:
        return ordered
    errors = any(issue.severity == "error" for issue in rest)
    more = Issue.of(MORE_ISSUES(count=len(rest)), severity="error" if errors else "warning")
    return [*ordered[:MAX_ISSUES], more]
