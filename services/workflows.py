"""The catalogue: workflows in Snakemake's standard layout, read from folders, unmodified.

Beside the layout a small manifest, `rundesk.yaml`, says what the layout cannot. Without a manifest
everything is derived; without a schema one is inferred from `config/config.yaml`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services import params
from services.disk import told_when_full
from services.errors import Conflict, NotFound
from services.models import Actor, Example, Highlight, Workflow
from services.needs import Needs
from services.settings import Settings

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
MANIFEST = "rundesk.yaml"
SNAKEFILES = ("workflow/Snakefile", "Snakefile")
CONFIGS = ("config/config.yaml", "config/config.yml", "config.yaml")
SCHEMAS = tuple(
    f"{folder}/{name}"
    for folder in ("workflow/schemas", "schemas", "config")
    for name in ("config.schema.yaml", "config.schema.yml", "config.schema.json", "schema.yaml")
)
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
    highlights: list[Highlight] = []
    needs: Needs = Needs()
    example: Example | None = None


class Broken(Exception):
    """A workflow's files do not fit; the message says which and why."""


@dataclass(frozen=True)
class _Read:
    """A workflow as it was when its files had this fingerprint."""

    fingerprint: int
    workflow: Workflow
    needs: Needs


class Catalogue:
    """The workflows of all folders; each is read again when its files change."""

    def __init__(self, settings: Settings) -> None:
        self._folders = settings.workflow_folders
        self._data = settings.data
        self._known: dict[Path, _Read] = {}

    def list(self, actor: Actor) -> Sequence[Workflow]:  # noqa: ARG002 - the same for everybody
        """All workflows by title; broken ones too, with their problems."""
        found = {name: self._read(folder) for name, folder in self._places().items()}
        return sorted(found.values(), key=lambda workflow: workflow.title.lower())

    def get(self, actor: Actor, name: str) -> Workflow:  # noqa: ARG002 - the same for everybody
        """One workflow. Raises NotFound."""
        return self._read(self.folder(name))

    def folder(self, name: str) -> Path:
        """Where a workflow lies now. Raises NotFound."""
        place = self._places().get(name)
        if place is None:
            raise NotFound("There is no such workflow.", field="workflow")
        return place

    def snapshot(self, workflow: Workflow) -> Path:
        """The frozen copy of a workflow's files, made when it is not there yet.

        Raises DiskFull, Conflict when the files change meanwhile; then nothing is left behind.
        """
        copy = kept(self._data, workflow.digest)
        if copy.exists():
            return copy
        draft = copy.with_name(f".{secrets.token_hex(8)}")
        ignored = shutil.ignore_patterns(*NOT_WORKFLOW)
        try:
            with told_when_full():
                draft.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(self.folder(workflow.name), draft, ignore=ignored)
                if digest(draft) != workflow.digest:
                    raise Conflict("The workflow is being changed.", hint="Try again in a moment.")
                draft.rename(copy)
        except OSError:
            if not copy.exists():  # else another process was first
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return copy

    def _places(self) -> dict[str, Path]:
        places: dict[str, Path] = {}
        for root in self._folders:
            for folder in sorted(root.iterdir()) if root.is_dir() else ():
                if folder.is_dir() and NAME.fullmatch(folder.name):
                    places.setdefault(folder.name, folder)
        return places

    def _read(self, folder: Path) -> Workflow:
        fingerprint = hash(tuple((path, s.st_size, s.st_mtime_ns) for path, s in _stats(folder)))
        known = self._known.get(folder)
        if known is None or known.fingerprint != fingerprint:
            known = _Read(fingerprint, *_parsed(folder))
            self._known[folder] = known
        needs = known.needs.looked_up()
        changed: dict[str, Any] = {"needs": needs}
        if known.workflow.available and not all(need.met for need in needs):
            changed["available"] = False
            changed["problems"] = [
                f"The {need.kind} {need.name} is not installed on this host."
                for need in needs
                if not need.met
            ]
        return known.workflow.model_copy(update=changed)


def kept(data: Path, digest: str) -> Path:
    """Where the frozen copy of the workflow with that digest lies."""
    return data / "workflows" / digest


def highlights(folder: Path) -> list[Highlight]:
    """Which results of the workflow in a folder come first. Raises Broken."""
    return _manifest(folder).highlights


def _parsed(folder: Path) -> tuple[Workflow, Needs]:
    name = folder.name
    try:
        manifest = _manifest(folder)
        snakefile(folder)
        schema = _schema(folder, manifest)
    except Broken as error:
        broken = Workflow(
            name=name, title=name, digest=digest(folder), available=False, problems=[str(error)]
        )
        return broken, Needs()
    workflow = Workflow(
        name=name,
        title=manifest.title or name.replace("-", " ").replace("_", " ").capitalize(),
        summary=manifest.summary,
        category=manifest.category,
        version=manifest.version,
        digest=digest(folder),
        takes=manifest.takes,
        gives=manifest.gives,
        available=True,
        problems=[],
        params_schema=schema,
        readme=_text(_first(folder, READMES)),
        example=manifest.example,
        highlights=manifest.highlights,
    )
    return workflow, manifest.needs


def snakefile(folder: Path) -> Path:
    """The Snakefile of a workflow. Raises Broken when there is none."""
    found = _first(folder, SNAKEFILES)
    if found is None:
        raise Broken(f"There is no {' and no '.join(SNAKEFILES)}.")
    return found


def default_config(folder: Path) -> dict[str, Any]:
    """The workflow's own `config/config.yaml`; empty when it has none. Raises Broken."""
    found = _first(folder, CONFIGS)
    return _mapping(found) if found else {}


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


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.exists():
        return Manifest()
    try:
        return Manifest.model_validate(_mapping(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Broken(f"{MANIFEST}: {where}: {first['msg']}.") from error


def _schema(folder: Path, manifest: Manifest) -> dict[str, Any]:
    found = _first(folder, SCHEMAS)
    schema = _mapping(found) if found else infer(default_config(folder))
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path))
        name = found.relative_to(folder) if found else "the inferred schema"
        raise Broken(f"{name}: {where}: {error.message[:300]}.") from error
    for group in params.groups(schema):
        for name, pattern in manifest.files.items():
            if name in group.fields:
                group.fields[name]["format"] = "file-path"
                if pattern:
                    group.fields[name]["pattern"] = pattern
    return schema


def infer(config: Mapping[str, Any]) -> dict[str, Any]:
    """A schema for a configuration that has none: its keys, with its values as defaults."""
    return {
        "type": "object",
        "properties": {str(name): _inferred(value) for name, value in config.items()},
    }


def _inferred(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "boolean", "default": value}
        case int():
            return {"type": "integer", "default": value}
        case float():
            return {"type": "number", "default": value}
        case list():
            kinds = {_inferred(item)["type"] for item in value if item is not None}
            items = {"type": kinds.pop()} if len(kinds) == 1 else {}
            return {"type": "array", "items": items, "default": value}
        case dict():
            return {**infer(value), "additionalProperties": True}
        case None:
            return {"type": ["string", "number", "boolean", "null"], "default": None}
        case _:
            return {"type": "string", "default": str(value)}


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _mapping(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OSError) as error:
        where = " ".join(str(error).split())
        raise Broken(f"{path.name} cannot be read: {where[:300]}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Broken(f"{path.name} must hold names and values.")
    return found


def _text(path: Path | None) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path else ""
