"""The layout of a workflow folder: its Snakefile, manifest, files and digest."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from services.catalogue.configuration import SNAKEFILES, Broken, mapping
from services.catalogue.overlays import OVERLAY, SheetWords
from services.catalogue.requirements import Needs
from services.catalogue.schemas import Form, first, form_of
from services.errors import Message
from services.models import Example, Highlight
from services.params.safe_text import with_safe_texts

MANIFEST = "rundesk.yaml"
NO_SNAKEFILE = Message("invalid_workflow", "The workflow has neither {path} nor {other}.")
INVALID_MANIFEST = Message("invalid_workflow", "{file} is invalid at {path}: {error}.")
READMES = ("config/README.md", "README.md")
NEVER_COPIED = {".git", ".snakemake", "__pycache__"}  # at any depth
OUTPUTS = {"results", "logs"}  # at the top: of a run within the repository
OWN = ".rundesk"  # what Rundesk keeps about an added workflow
#: Of these, what its form depends on: it belongs to a version of the workflow.
OF_VERSION = {f"{OWN}/observed.json", f"{OWN}/overlay.yaml"}
EXAMPLE = "example"  # files of the example in the manifest, which are no part of the workflow


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
    sheets: dict[str, str | SheetWords] = Field(
        {}, description="Parameters that are sample sheets: file with the schema of a row"
    )
    folders: list[str] = Field([], description="Parameters that are folders of files")
    texts: list[str] = Field([], description="Parameters that are neither files nor folders")
    highlights: list[Highlight] = []
    license: str = Field("", description="SPDX identifier, or an address")
    needs: Annotated[Needs, BeforeValidator(_needs)] = Needs()
    example: Example | None = None


def snapshot_folder(data: Path, digest: str) -> Path:
    """Return the path of the frozen copy of the workflow with that digest."""
    return data / "workflows" / digest


def files(folder: Path) -> list[str]:
    """Return the files of a workflow that its digest covers, relative to its folder."""
    return [path for path, _ in _stats(folder) if (folder / path).is_file()]


def copy_files(folder: Path, target: Path, *, examples: bool = False) -> None:
    """Copy the files of a workflow to `target`; links within the workflow stay links, as in git.

    With `examples` the files of its example are copied, too.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path, _ in _stats(folder, examples=examples):
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if (link := inner_link(folder, path)) is not None:
            copy.symlink_to(link)
        else:
            shutil.copy2(folder / path, copy)


def inner_link(folder: Path, path: str) -> str | None:
    """Return where a link within a workflow leads, relative to its own folder; else None.

    A link to a path that does not exist is one as well: git keeps it. A link out of the workflow
    is None, and so is what is no link.
    """
    place = folder / path
    if not place.is_symlink():
        return None
    aim = Path(os.path.normpath(place.parent / place.readlink()))
    real, root = place.resolve(), folder.resolve()
    if not aim.is_relative_to(folder) and aim.is_relative_to(root):
        aim = folder / aim.relative_to(root)
    inside = real.is_relative_to(root) and aim.is_relative_to(folder)
    return os.path.relpath(aim, place.parent) if inside else None


def form(folder: Path, replaced: Mapping[str, str] | None = None) -> Form:
    """Return the form of the workflow in a folder; see `form_of`. Raises Broken."""
    manifest = manifest_of(folder)
    sheets = {name: rows for name, rows in manifest.sheets.items() if isinstance(rows, str)}
    made = form_of(folder, manifest.files, sheets, replaced=replaced)
    return dataclasses.replace(made, schema=with_safe_texts(made.schema))


def params_schema(folder: Path) -> dict[str, Any]:
    """Return the schema of the parameters of the workflow in a folder. Raises Broken."""
    return form(folder).schema


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
        if (link := inner_link(folder, path)) is not None:
            content = f"-> {link}"
        else:
            with (folder / path).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path}\0{content}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _stats(folder: Path, *, examples: bool = False) -> Iterator[tuple[str, os.stat_result]]:
    """The workflow's files and the links within it with their stat, in a stable order."""
    left_out = OUTPUTS if examples or not (folder / MANIFEST).exists() else {*OUTPUTS, EXAMPLE}
    for root, folders, names in os.walk(folder):
        parent = os.path.relpath(root, folder)
        skipped = NEVER_COPIED | left_out if parent == "." else NEVER_COPIED
        folders[:] = sorted(name for name in folders if name not in skipped)
        links = [name for name in folders if Path(root, name).is_symlink()]
        for name in sorted([*names, *links]):
            path = os.path.normpath(f"{parent}/{name}")
            if name.endswith(".pyc") or (path.startswith(f"{OWN}/") and path not in OF_VERSION):
                continue
            place = folder / path
            if place.is_symlink() and inner_link(folder, path) is not None:
                yield path, place.lstat()
            elif name not in links and place.is_file():
                yield path, place.stat()


def manifest_of(folder: Path) -> Manifest:
    """Return the manifest in a folder, or the defaults if there is none. Raises Broken.

    What the operator's overlay says takes its place, except for files and sample sheets: these are
    facts about the configuration (`recognition`).
    """
    manifest = _manifest(folder / MANIFEST)
    overlay = _manifest(folder / OVERLAY)
    given = overlay.model_fields_set - {"files", "sheets", "folders", "texts"}
    return manifest.model_copy(update={name: getattr(overlay, name) for name in given})


def _manifest(path: Path) -> Manifest:
    if not path.exists():
        return Manifest()
    try:
        return Manifest.model_validate(mapping(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        text = INVALID_MANIFEST(file=path.name, path=where, error=first["msg"])
        raise Broken(text) from error
