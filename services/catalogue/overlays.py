"""What an operator says about the values of a workflow's configuration, beside the workflow.

An overlay has the form of a `rundesk.yaml` and is kept as `.rundesk/overlay.yaml` in the folder of
an added workflow. Names are dotted paths into the configuration, such as `ref.fasta`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

OVERLAY = ".rundesk/overlay.yaml"
Location = tuple[str, ...]


@dataclass(frozen=True)
class SheetWords:
    """What an overlay says about a sample sheet."""

    schema_path: str = ""
    files: tuple[str, ...] | None = None  # the columns that name files

    def applied(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row schema with exactly these columns of files."""
        if self.files is None:
            return dict(rows)
        properties = {
            name: {key: value for key, value in column.items() if key != "format"}
            for name, column in rows.get("properties", {}).items()
        }
        for name in self.files:
            properties[name] = {"type": "string", **properties.get(name, {}), "format": "file-path"}
        return {**rows, "properties": properties}


@dataclass(frozen=True)
class Overlay:
    """The overlay of a workflow; empty without one."""

    sheets: Mapping[Location, SheetWords]
    files: Mapping[Location, str]  # to the pattern of their names
    folders: frozenset[Location]
    texts: frozenset[Location]  # no files, whatever they look like


def overlay_of(folder: Path) -> Overlay:
    """Return the overlay of the workflow in a folder. What it cannot read is left out."""
    try:
        given = yaml.safe_load((folder / OVERLAY).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        given = None
    given = given if isinstance(given, Mapping) else {}
    return Overlay(
        sheets={location(name): _sheet(words) for name, words in _pairs(given, "sheets")},
        files={location(name): str(pattern or "") for name, pattern in _pairs(given, "files")},
        folders=frozenset(map(location, given.get("folders") or ())),
        texts=frozenset(map(location, given.get("texts") or ())),
    )


def location(name: Any) -> Location:
    """Return the path into the configuration that a dotted name says."""
    return tuple(str(name).split("."))


def _pairs(given: Mapping[str, Any], key: str) -> Any:
    pairs = given.get(key)
    return pairs.items() if isinstance(pairs, Mapping) else ()


def _sheet(words: Any) -> SheetWords:
    if isinstance(words, Mapping):
        files = words.get("files")
        named = tuple(map(str, files)) if isinstance(files, list) else None
        return SheetWords(str(words.get("schema") or ""), named)
    return SheetWords(str(words or ""))
