"""What an operator says about the values of a workflow's configuration, beside the workflow.

An overlay has the form of a `rundesk.yaml` and is kept as `.rundesk/overlay.yaml` in the folder of
an added workflow. Names are dotted paths into the configuration, such as `ref.fasta`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.catalogue.configuration import Broken, mapping

MANIFEST = "rundesk.yaml"
OVERLAY = ".rundesk/overlay.yaml"
Location = tuple[str, ...]


class SheetWords(BaseModel):
    """What an overlay says about a sample sheet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: str = Field("", alias="schema", description="File of the workflow with the row schema")
    columns: list[str] = Field([], description="Columns, where no schema and no table says them")
    files: list[str] | None = Field(None, description="Columns whose cells name files")

    def applied(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row schema with these columns, and with exactly these columns of files."""
        properties = {name: {"type": "string"} for name in self.columns}
        properties |= rows.get("properties", {})
        if self.files is not None:
            properties = {
                name: {key: value for key, value in column.items() if key != "format"}
                for name, column in properties.items()
            }
            for name in self.files:
                column = {"type": "string", **properties.get(name, {})}
                properties[name] = {**column, "format": "file-path"}
        return {**rows, "properties": properties}


@dataclass(frozen=True)
class Overlay:
    """The overlay of a workflow; empty without one."""

    sheets: Mapping[Location, SheetWords]
    files: Mapping[Location, str]  # to the pattern of their names
    folders: frozenset[Location]
    texts: frozenset[Location]  # no files, whatever they look like

    @property
    def locations(self) -> Iterator[Location]:
        """Yield every path that the overlay says something about."""
        yield from (*self.sheets, *self.files, *self.folders, *self.texts)


def overlay_of(folder: Path) -> Overlay:
    """Return the overlay of the workflow in a folder, over its manifest.

    What cannot be read is left out: `layout.manifest_of` reports it.
    """
    merged: dict[str, Any] = {"sheets": {}, "files": {}, "folders": [], "texts": []}
    for name in (MANIFEST, OVERLAY):
        given = _read(folder / name)
        for key in ("sheets", "files"):
            merged[key] |= given[key] if isinstance(given.get(key), Mapping) else {}
        for key in ("folders", "texts"):
            merged[key] += given[key] if isinstance(given.get(key), list) else []
    return Overlay(
        sheets={location(name): _sheet(words) for name, words in merged["sheets"].items()},
        files={location(name): str(pattern or "") for name, pattern in merged["files"].items()},
        folders=frozenset(map(location, merged["folders"])),
        texts=frozenset(map(location, merged["texts"])),
    )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return mapping(path) if path.is_file() else {}
    except Broken:
        return {}


def location(name: Any) -> Location:
    """Return the path into the configuration that a dotted name says."""
    return tuple(str(name).split("."))


def _sheet(words: Any) -> SheetWords:
    try:
        return SheetWords.model_validate(words if isinstance(words, Mapping) else {"schema": words})
    except ValidationError:
        return SheetWords()
