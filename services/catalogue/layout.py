"""The layout of a workflow folder: its Snakefile, manifest, files and digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.catalogue.requirements import Needs
from services.catalogue.schemas import Broken, first, mapping, schema_of
from services.models import Example, Highlight

MANIFEST = "rundesk.yaml"
SNAKEFILES = ("workflow/Snakefile", "Snakefile")
READMES = ("config/README.md", "README.md")
NOT_WORKFLOW = {"example", ".git", ".snakemake", "__pycache__", ".rundesk", "results", "logs"}


class Manifest(BaseModel):
    """`rundesk.yaml`, everything optional."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    summary: str = ""
    category: str = "Other"
    version: str = ""
    takes: str = ""
    gives: str = ""
    files: dict[str, str] = Field({}, description="Parameters that are files: name pattern, or ''")
    sheets: dict[str, str] = Field(
        {}, description="Parameters that are sample sheets: file with the schema of a row"
    )
    highlights: list[Highlight] = []
    license: str = Field("", description="SPDX identifier, or an address")
    needs: Needs = Needs()
    example: Example | None = None


def kept(data: Path, digest: str) -> Path:
    """Where the frozen copy of the workflow with that digest lies."""
    return data / "workflows" / digest


def files(folder: Path) -> list[str]:
    """The files of the workflow in a folder, as its digest counts them."""
    return [path for path, _ in _stats(folder)]


def params_schema(folder: Path) -> dict[str, Any]:
    """The schema of the parameters of the workflow in a folder. Raises Broken."""
    manifest = manifest_of(folder)
    return schema_of(folder, manifest.files, manifest.sheets)


def snakefile(folder: Path) -> Path:
    """The Snakefile of a workflow. Raises Broken when there is none."""
    found = first(folder, SNAKEFILES)
    if found is None:
        raise Broken(f"There is no {' and no '.join(SNAKEFILES)}.")
    return found


def digest(folder: Path) -> str:
    """sha256 over the names and contents of a workflow's files, its examples left out."""
    total = hashlib.sha256()
    for path, _ in _stats(folder):
        content = hashlib.sha256((folder / path).read_bytes()).hexdigest()
        total.update(f"{path}\0{content}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _stats(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The workflow's files with their stat, in a stable order."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in NOT_WORKFLOW)
        for name in sorted(names):
            path = Path(root, name)
            if path.is_file() and not name.endswith(".pyc"):
                yield str(path.relative_to(folder)), path.stat()


def manifest_of(folder: Path) -> Manifest:
    """What the manifest in a folder says; all of it default without one. Raises Broken."""
    path = folder / MANIFEST
    if not path.exists():
        return Manifest()
    try:
        return Manifest.model_validate(mapping(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Broken(f"{MANIFEST}: {where}: {first['msg']}.") from error
