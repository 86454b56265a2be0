"""Recognizes which values of a configuration are sample sheets, files and folders of users.

The first of these that says something about a value decides: what the operator wrote in the overlay
of the workflow, what plans have shown (`observations`), what the Snakefile says where it reads a
table, and the names, texts and cells that authors usually choose. Nothing is executed here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from services.catalogue import file_words
from services.catalogue.configuration import Broken, mapping
from services.catalogue.observations import Observed, observed
from services.catalogue.overlays import Overlay, overlay_of
from services.catalogue.row_schemas import Table, header_of, row_schema
from services.catalogue.snakefiles import TableRead, tables_read

__all__ = ["Fact", "Observed", "observed", "recognise"]

Kind = Literal["sheet", "file", "files", "folder"]
Location = tuple[str, ...]
Schema = dict[str, Any]

#: Folders with test data, in which Snakemake is run as in the workflow's own folder.
TEST_FOLDERS = (".test", ".tests/integration", ".tests", "test", "tests")
#: Keys of a PEP that says no more than where its samples are.
PLAIN_PROJECT = frozenset({"pep_version", "sample_table", "name", "description"})


@dataclass(frozen=True)
class Fact:
    """What one value of the configuration is."""

    path: Location  # into the configuration
    kind: Kind
    rows: Schema | None  # of a sheet: the schema of a row
    how: Literal["planned", "read", "name", "cells", "overlay"]
    suffix: str = ""  # of a sheet: ".tsv" or ".csv", as the workflow reads it
    pattern: str = ""  # of a file: regular expression that its name must match


@dataclass(frozen=True)
class _Workflow:
    """What the rules of this module look at."""

    folder: Path
    config: Mapping[str, Any]
    seen: Observed
    read: Mapping[Location, TableRead]

    def existing(self, value: str) -> Path | None:
        """Return the file or folder of the repository or its test data that a value names."""
        for base in ("", *TEST_FOLDERS):
            path = self.folder / base / value
            if value and _inside(path, self.folder) and path.exists():
                return path
        return None


def recognise(folder: Path, config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Fact]:
    """Return what is known about the values of a workflow's configuration, in its order.

    `config` is the configuration as Snakemake reads it, and `schema` its JSON Schema, {} without
    one. Values of which nothing is known have no fact.
    """
    workflow = _Workflow(folder, config, observed(folder) or Observed([]), tables_read(folder))
    overlay = overlay_of(folder)
    facts = []
    known = dict(leaves(config))
    known |= {location: None for location in overlay.locations if location not in known}
    for location, value in known.items():
        fact = _corrected(workflow, overlay, location, value)
        if fact is None and location not in overlay.texts:
            field = field_at(schema, location)
            fact = _recognised(workflow, location, value, field)
        if fact is not None:
            facts.append(fact)
    return facts


def leaves(config: Any, location: Location = ()) -> Iterator[tuple[Location, Any]]:
    """Yield every value of a configuration that is no mapping, with its location."""
    if isinstance(config, Mapping):
        for name, value in config.items():
            yield from leaves(value, (*location, str(name)))
    elif location:
        yield location, config


def field_at(schema: Mapping[str, Any], location: Location) -> Mapping[str, Any]:
    """Return the schema of the value at a location; {} where there is none."""
    node: Any = schema
    for name in location:
        properties = node.get("properties") if isinstance(node, Mapping) else None
        node = properties.get(name) if isinstance(properties, Mapping) else None
    return node if isinstance(node, Mapping) else {}


def _corrected(
    workflow: _Workflow, overlay: Overlay, location: Location, value: Any
) -> Fact | None:
    """Return what the operator says about a value."""
    if location in overlay.sheets:
        table = _shipped(workflow, value)
        rows = row_schema(workflow.folder, overlay.sheets[location].rows, table)
        rows = overlay.sheets[location].applied(rows)
        return Fact(location, "sheet", rows, "overlay", _suffix(str(value), ""))
    if location in overlay.files:
        kind: Kind = "files" if isinstance(value, list) else "file"
        return Fact(location, kind, None, "overlay", pattern=overlay.files[location])
    if location in overlay.folders:
        return Fact(location, "folder", None, "overlay")
    return None


def _recognised(
    workflow: _Workflow, location: Location, value: Any, field: Mapping[str, Any]
) -> Fact | None:
    if isinstance(value, list):
        texts = [item for item in value if isinstance(item, str)]
        if texts and len(texts) == len(value):
            kinds = {_kind(workflow, location, text, field) for text in texts}
            kind = next(iter(kinds)) if len(kinds) == 1 else None
            if kind is not None and kind[0] != "folder":
                return Fact(location, "files", None, kind[1])
        return None
    if value is not None and not isinstance(value, str):
        return None
    text = value or ""
    fact = (
        _read_by_plan(workflow, location, text)
        or _given_as_pep(workflow, location)
        or _read_by_snakefile(workflow, location, text)
    )
    if fact is not None:
        return fact
    kind = _kind(workflow, location, text, field)
    if kind is None:
        return None
    if kind[0] == "file" and file_words.is_table(text):
        table = _shipped(workflow, text)
        if table is not None and len(table.columns) > 1:  # else it may be a list without a header
            rows = row_schema(workflow.folder, _schema_by_name(workflow, location), table)
            return Fact(location, "sheet", rows, kind[1], _suffix(text, table.separator))
    return Fact(location, kind[0], None, kind[1])


def _read_by_plan(workflow: _Workflow, location: Location, text: str) -> Fact | None:
    """Return the table that a plan has read at a location."""
    for read, config in workflow.seen.tables():
        if not read.get("header", True) or not text:
            continue
        there = _at(config, location)
        if isinstance(there, str) and _same(there, read["path"]):
            shipped = _shipped(workflow, there) or Table([], [], "")
            table = Table(
                list(read["columns"]) or shipped.columns, shipped.cells, read["separator"]
            )
            rows = row_schema(workflow.folder, read.get("schema", ""), table)
            return Fact(location, "sheet", rows, "planned", _suffix(there, read["separator"]))
    return None


def _given_as_pep(workflow: _Workflow, location: Location) -> Fact | None:
    """Return the samples of a portable encapsulated project (PEP) as a table.

    Snakemake takes a table in place of a project. Where the project changes its samples, by
    modifiers or further tables, a table cannot replace it.
    """
    for record in workflow.seen.records:
        there = _at(record.get("config", {}), location)
        if not isinstance(there, str) or there not in record.get("pep", ()):
            continue
        path = workflow.folder / record.get("base", "") / there
        try:
            project = mapping(path)
        except Broken:
            return None
        table = path.parent / str(project.get("sample_table", ""))
        if set(project) <= PLAIN_PROJECT and table.is_file() and (found := header_of(table)):
            return Fact(
                location, "sheet", row_schema(workflow.folder, "", found), "planned", ".csv"
            )
    return None


def _read_by_snakefile(workflow: _Workflow, location: Location, text: str) -> Fact | None:
    """Return the table that the Snakefile reads at a location."""
    read = workflow.read.get(location)
    if read is None or file_words.is_address(text):
        return None
    table = _shipped(workflow, text)
    if table is None and not read.schema:
        return Fact(location, "file", None, "read")
    rows = row_schema(workflow.folder, read.schema, table)
    return Fact(location, "sheet", rows, "read", _suffix(text, read.separator))


def _kind(
    workflow: _Workflow, location: Location, text: str, field: Mapping[str, Any]
) -> tuple[Kind, Literal["planned", "name"]] | None:
    """Return what a text names, and how it is known."""
    if file_words.is_address(text):
        return None
    written = file_words.is_output(location, text) or file_words.is_own(text)
    for record in workflow.seen.records:
        there = _at(record.get("config", {}), location)
        candidates = [item for item in (there if isinstance(there, list) else [there]) if item]
        for item in candidates:
            kind = _shown(record, item, workflow) if isinstance(item, str) else None
            if kind == "file" or (kind == "folder" and not written):
                return kind, "planned"
    name, help_text = location[-1], str(field.get("description", ""))
    if written:
        return None
    path = workflow.existing(text) if text else None
    if path is not None and path.is_file() and file_words.is_path(text):
        return "file", "name"
    if path is not None and path.is_dir() and text.strip("./"):
        return ("folder", "name") if file_words.is_folder_name(name, help_text) else None
    if file_words.is_file(name, text, help_text):
        return "file", "name"
    if file_words.is_folder(name, text, help_text):
        return "folder", "name"
    return None


def _shown(record: Mapping[str, Any], text: str, workflow: _Workflow) -> Kind | None:
    """Return what a plan has shown about a text of its configuration."""
    plain = os.path.normpath(text)
    if plain in (".", "/") or file_words.is_address(text):
        return None
    if plain in record.get("listed", ()):
        return "folder"
    if not file_words.is_path(text) and workflow.existing(text) is None:
        return None
    if any(_same(path, text) for path in (*record.get("opened", ()), *record.get("inputs", ()))):
        return "file" if not _is_folder(workflow, text) else "folder"
    below = f"{plain}{os.sep}"
    if any(path.startswith(below) for path in record.get("inputs", ())):
        return "folder"
    return None


def _is_folder(workflow: _Workflow, text: str) -> bool:
    path = workflow.existing(text)
    return path is not None and path.is_dir()


def _shipped(workflow: _Workflow, value: Any) -> Table | None:
    """Return the table of the repository or its test data that a value names.

    A table that is not shipped may have one of its name among the test data.
    """
    if not isinstance(value, str) or not value:
        return None
    path = workflow.existing(value)
    if path is None or not path.is_file():
        name = Path(value).name
        found = (
            path
            for base in ("config", *TEST_FOLDERS)
            for path in sorted((workflow.folder / base).glob(f"**/{name}"))
        )
        path = next((each for each in found if each.is_file()), None)
    return header_of(path) if path is not None else None


def _schema_by_name(workflow: _Workflow, location: Location) -> str:
    """Return the row schema whose name is that of a value: samples → samples.schema.yaml."""
    name = location[-1].lower()
    for folder in ("workflow/schemas", "schemas", "config/schemas", "workflow/schema"):
        for path in sorted((workflow.folder / folder).glob("*")):
            if path.name.split(".")[0].lower() in (name, name.rstrip("s"), f"{name}s"):
                return str(path.relative_to(workflow.folder))
    return ""


def _suffix(text: str, separator: str) -> str:
    if separator in ("\t", ","):
        return ".tsv" if separator == "\t" else ".csv"
    return ".csv" if re.search(r"[.]csv$", text, re.I) else ".tsv"


def _at(config: Any, location: Sequence[str]) -> Any:
    for name in location:
        if not isinstance(config, Mapping) or name not in config:
            return None
        config = config[name]
    return config


def _same(one: str, other: str) -> bool:
    return os.path.normpath(one) == os.path.normpath(other)


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
