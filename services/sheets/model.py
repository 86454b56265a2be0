"""What a sheet is made of, and how its columns are told by their headers."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from services.models import Model
from services.params.schema import is_file

MOST_ROWS = 10_000  # of a sheet
MOST_COLUMNS = 200
MOST_ISSUES = 200  # told of one sheet; the last one says that there are more


class Issue(Model):
    """Something in a sheet that is wrong, or worth a look."""

    row: int | None = Field(
        None, description="As a spreadsheet numbers it, from 1; of rows sent as JSON: their place"
    )
    column: str = Field("", description="Header as it is written; empty: the whole row or sheet")
    cell: str = Field("", description="Its name in a spreadsheet, for instance B7")
    name: str = Field("", description="Property of the row schema")
    index: int | None = Field(None, description="Place in `records`, from 0")
    message: str = Field(description="One sentence")
    hint: str = Field("", description="What to do next, where it is not obvious")
    severity: Literal["error", "warning"] = "error"


class Column(Model):
    """A column of a sheet."""

    name: str = Field(description="Property of the row schema; the header itself when unknown")
    header: str = Field(description="As it is written")
    letter: str = Field(description="As a spreadsheet names it: A, B, …, AA")
    known: bool = Field(description="Whether the row schema has it")


class Sheet(Model):
    """A table that was read."""

    records: list[dict[str, Any]] = Field(description="One object for each row; empty cells absent")
    rows: list[int] = Field(description="For each record the row it was read from, from 1")
    metadata: dict[str, str] = Field(description="What stands above the table: names and values")
    columns: list[Column] = Field(description="Left to right")
    issues: list[Issue] = Field(description="By row")

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it; warnings do not count."""
        return all(issue.severity == "warning" for issue in self.issues)


@dataclass(frozen=True)
class RowSchema:
    """A row schema, of either form."""

    given: Mapping[str, Any]

    @cached_property
    def row(self) -> dict[str, Any]:
        """The schema of one row."""
        items = self.given.get("items")
        return dict(items) if isinstance(items, Mapping) else dict(self.given)

    @property
    def properties(self) -> dict[str, dict[str, Any]]:
        found = self.row.get("properties", {})
        return {name: one for name, one in found.items() if isinstance(one, dict)}

    @property
    def required(self) -> list[str]:
        return list(self.row.get("required", []))

    @property
    def closed(self) -> bool:
        """Whether it takes no column beyond its own."""
        return self.row.get("additionalProperties") is False

    @property
    def files(self) -> list[str]:
        """The columns whose cells are files."""
        return [name for name, one in self.properties.items() if is_file(one)]

    @cached_property
    def keys(self) -> list[tuple[str, ...]]:
        """Columns whose values together may occur only once."""
        single = [(name,) for name, one in self.properties.items() if one.get("unique") is True]
        wanted = self.given.get("uniqueEntries") or self.row.get("uniqueEntries") or []
        if wanted and all(isinstance(name, str) for name in wanted):
            wanted = [wanted]
        return list(dict.fromkeys([*single, *(tuple(names) for names in wanted)]))

    @cached_property
    def headers(self) -> dict[str, str]:
        """Every header that means a property, as `simple` has it."""
        found: dict[str, str] = {}
        for words in (_name, _title, _aliases):  # a name counts before somebody else's alias
            for name, one in self.properties.items():
                for header in words(name, one):
                    found.setdefault(simple(header), name)
        found.pop("", None)
        return found

    def title(self, name: str) -> str:
        """What people call a column."""
        return str(self.properties.get(name, {}).get("title") or name)


def simple(header: str) -> str:
    """A header without what people write differently: case, width, blanks, punctuation."""
    folded = unicodedata.normalize("NFKC", header).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


def letter(place: int) -> str:
    """The name of a column by its place from 0: A … Z, AA …"""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def cut(issues: Sequence[Issue]) -> list[Issue]:
    """The first issues, by row and from left to right; a last one says how many more there are."""
    ordered = sorted(issues, key=lambda issue: (issue.row or 0, len(issue.cell), issue.cell))
    if len(ordered) <= MOST_ISSUES:
        return ordered
    worst = any(issue.severity == "error" for issue in ordered[MOST_ISSUES:])
    more = Issue(
        message=f"There are {len(ordered) - MOST_ISSUES} more.",
        hint="Mend these first.",
        severity="error" if worst else "warning",
    )
    return [*ordered[:MOST_ISSUES], more]


def _name(name: str, schema: Mapping[str, Any]) -> list[str]:  # noqa: ARG001 - one of three alike
    return [name]


def _title(name: str, schema: Mapping[str, Any]) -> list[str]:  # noqa: ARG001
    return [str(schema.get("title", ""))]


def _aliases(name: str, schema: Mapping[str, Any]) -> list[str]:  # noqa: ARG001
    return [str(alias) for alias in schema.get("aliases", [])]
