"""The layout of a workflow folder: its Snakefile, manifest, files and digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.catalogue.requirements import Needs
from services.catalogue.schemas import Broken, first, mapping, schema_of
from services.errors import Message
from services.models import Example, Highlight

MANIFEST = "rundesk.yaml"
SNAKEFILES = ("workflow/Snakefile", "Snakefile")
NO_SNAKEFILE = Message("invalid_workflow", "The workflow has neither {path} nor {other}.")
INVALID_MANIFEST = Message("invalid_workflow", "{file} is invalid at {path}: {error}.")
READMES = ("config/README.md", "README.md")
NOT_WORKFLOW = {"example", ".git", ".snakemake", "__pycache__", ".rundesk", "results", "logs"}


def _needs(value: Any) -> Any:
    """`needs: network` is short for `needs: {network: true}`."""
    return {"network": True} if value == "network" else value


class Manifest(BaseModel):
    """`rundesk.yaml`; every field is optional."""

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
    needs: Annotated[Needs, BeforeValidator(_needs)] = Needs()
    example: Example | None = None


def snapshot_folder(data: Path, digest: str) -> Path:
    """Return the path of the frozen copy of the workflow with that digest."""
    return data / "workflows" / digest


def files(folder: Path) -> list[str]:
    """Return the files of a workflow that its digest covers, relative to its folder."""
    return [path for path, _ in _stats(folder)]


def params_schema(folder: Path) -> dict[str, Any]:
    """Return the schema of the parameters of the workflow in a folder. Raises Broken."""
    manifest = manifest_of(folder)
    return schema_of(folder, manifest.files, manifest.sheets)


def snakefile(folder: Path) -> Path:
    """Return the path of the Snakefile of a workflow. Raises Broken when it has none."""
    path = first(folder, SNAKEFILES)
    if path is None:
        raise Broken(NO_SNAKEFILE(path=SNAKEFILES[0], other=SNAKEFILES[1]))
    return path


def digest(folder: Path) -> str:
    """Return the sha256 over the names and contents of a workflow's files, without examples."""
    total = hashlib.sha256()
    for path, _ in _stats(folder):
        with (folder / path).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
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
    """Return the manifest in a folder, or the defaults if there is none. Raises Broken."""
    path = folder / MANIFEST
    if not path.exists():
        return Manifest()
    try:
        return Manifest.model_validate(mapping(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        text = INVALID_MANIFEST(file=MANIFEST, path=where, error=first["msg"])
        raise Broken(text) from error
