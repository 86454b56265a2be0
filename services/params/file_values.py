"""The files that parameters name, and replacing their ids, names or paths.

A file may be a parameter of its own, an item of a list, a part of an object or a cell of a sample
sheet; these may be nested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from services.params.schema import Schema, flatten, is_file, is_folder, is_sheet, is_table, part_of


@dataclass(frozen=True)
class FileValue:
    """A file that a parameter names."""

    path: tuple[str | int, ...]  # ("reads",), ("reads", 0), ("samples", 0, "fastq_1")
    value: str
    pattern: str | None = None  # regular expression that its name must match
    description: str = ""  # of the parameter, item, part or column

    @property
    def field(self) -> str:
        """The parameter."""
        return str(self.path[0])

    @property
    def names(self) -> list[str]:
        """The path without the indexes of lists."""
        return [part for part in self.path if isinstance(part, str)]

    def is_below(self, dotted_path: str) -> bool:
        """Return whether the file is below a parameter: a cell of a sheet, or a file in a list."""
        return self.dotted_path.startswith(f"{dotted_path}.")

    @property
    def dotted_path(self) -> str:
        """The path as in errors and inputs: "reads", "reads.0", "samples.0.fastq_1"."""
        return ".".join(map(str, self.path))


def file_values(schema: Schema, given: Mapping[str, Any]) -> Iterator[FileValue]:
    """Yield every file that the parameters `given` name, in the order of the schema."""
    for name, field in flatten(schema, given)["properties"].items():
        if name in given:
            yield from _within((name,), field, given[name])


def _within(path: tuple[str | int, ...], field: Schema, value: Any) -> Iterator[FileValue]:
    description = str(field.get("description", ""))
    if is_table(field):
        if isinstance(value, str) and value:
            # A sheet is rewritten for the run, so its name does not matter.
            pattern = None if is_sheet(field) else field.get("pattern")
            yield FileValue(path, value, pattern, description)
        elif isinstance(value, list) and is_sheet(field):
            row = field["rows"].get("items", field["rows"])
            for index, record in enumerate(value):
                yield from _within((*path, index), row, record)
    elif is_file(field):
        if (isinstance(value, str) and value) or isinstance(path[-1], int):
            yield FileValue(path, value, field.get("pattern"), description)
    elif isinstance(value, list) and isinstance(items := field.get("items"), dict):
        for index, item in enumerate(value):
            yield from _within((*path, index), {"description": description, **items}, item)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if (part := part_of(field, name)) is not None:
                yield from _within((*path, name), part, inner)


def folders(schema: Schema, given: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """Return the dotted paths of the parameters whose files are staged into one folder each.

    Values that are the same in `own` are paths in the workflow.
    """
    found = _folders(flatten(schema, given)["properties"], given, "")
    return [path for path in found if value_at(given, path) != value_at(own, path)]


def _folders(fields: Schema, given: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, field in fields.items():
        value = given.get(name)
        if not isinstance(field, dict):
            continue
        if is_folder(field) and isinstance(value, list) and value:
            yield prefix + name
        elif isinstance(value, Mapping) and isinstance(inner := field.get("properties"), dict):
            yield from _folders(inner, value, f"{prefix}{name}.")


def with_file(given: Mapping[str, Any], value: FileValue, file: str) -> dict[str, Any]:
    """Return a copy of the parameters `given` in which `file` replaces the text of `value`."""
    changed: dict[str, Any] = _replaced(given, value.path, file)
    return changed


def _replaced(node: Any, path: tuple[str | int, ...], text: str) -> Any:
    if not path:
        return text
    changed: Any = [*node] if isinstance(node, list) else dict(node)
    changed[path[0]] = _replaced(node[path[0]], path[1:], text)
    return changed


def is_at(values: Any, value: FileValue) -> bool:
    """Return whether other parameters, such as the defaults, have the same text at that path."""
    for part in value.path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return False
    return bool(values == value.value)


def value_at(node: Any, dotted_path: str) -> Any:
    """Return the value at a dotted path of parameters; None where there is none."""
    if isinstance(node, Mapping):
        if dotted_path in node:
            return node[dotted_path]
        for key in sorted(map(str, node), key=len, reverse=True):
            if dotted_path.startswith(f"{key}."):
                return value_at(node.get(key), dotted_path.removeprefix(f"{key}."))
    return None


def is_below(dotted_path: str, parents: Iterable[str]) -> bool:
    """Return whether a dotted path is one of these paths, or below one of them."""
    return any(dotted_path == parent or dotted_path.startswith(f"{parent}.") for parent in parents)


def put(node: Any, dotted_path: str, text: Any) -> None:
    """Set the value at a path of parameters in place, as `FileValue.dotted_path` writes it."""
    keys = range(len(node)) if isinstance(node, list) else sorted(node, key=len, reverse=True)
    for key in keys:
        if dotted_path == str(key):
            node[key] = text
            return
        if dotted_path.startswith(f"{key}."):
            put(node[key], dotted_path.removeprefix(f"{key}."), text)
            return
