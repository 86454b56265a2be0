"""Tables, files and folders that are recognised in the configuration of a workflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Fact:
    """A value of the configuration that names a table, a file or a folder."""

    path: tuple[str, ...]
    kind: str  # "sheet", "file" or "folder"
    rows: dict[str, Any] | None = None  # schema of a row of a sheet
    how: str = ""  # how it was recognised


@dataclass(frozen=True)
class Observed:
    """What Snakemake was seen to read."""

    configfiles: tuple[str, ...] = ()
    config_schema: str | None = None


def recognise(folder: Path, config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Fact]:  # noqa: ARG001
    """Return the facts about a workflow."""
    return []


def observed(folder: Path) -> Observed | None:  # noqa: ARG001
    """Return what Snakemake was seen to read; None if it was not observed."""
    return None
