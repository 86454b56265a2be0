"""The catalogue: workflows in Snakemake's standard layout, read from folders, unmodified.

Beside the layout a small manifest, `rundesk.yaml`, says what the layout cannot. Without a manifest
everything is derived; without a schema one is inferred from `config/config.yaml`.
"""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.catalogue.deployment import declared, gone
from services.catalogue.layout import (
    NOT_WORKFLOW,
    READMES,
    _stats,
    digest,
    kept,
    manifest_of,
    snakefile,
)
from services.catalogue.requirements import Needs, told
from services.catalogue.schemas import Broken, first, schema_of
from services.errors import Conflict, NotFound
from services.host.disk import disk_full_as_error
from services.models import Actor, Workflow
from services.settings import Settings

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class _Read:
    """A workflow as it was when its files had this fingerprint."""

    fingerprint: int
    workflow: Workflow
    needs: Needs
    declared: frozenset[str]  # ways to install software that its rules name


class Catalogue:
    """The workflows of all folders; each is read again when its files change."""

    def __init__(self, settings: Settings) -> None:
        self._folders = settings.workflow_folders
        self._data = settings.data
        self._software = frozenset(settings.software)
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
            with disk_full_as_error():
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
            known = _Read(fingerprint, *_parsed(folder), declared(folder))
            self._known[folder] = known
        needs, installers = known.needs.looked_up(), sorted(known.declared & self._software)
        changed: dict[str, Any] = {"needs": needs}
        lacking = gone(installers) if installers else told(needs)
        if known.workflow.available and lacking:
            changed |= {"available": False, "problems": lacking}
        return known.workflow.model_copy(update=changed)


def _parsed(folder: Path) -> tuple[Workflow, Needs]:
    name = folder.name
    try:
        manifest = manifest_of(folder)
        snakefile(folder)
        schema = schema_of(folder, manifest.files, manifest.sheets)
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
        readme=_text(first(folder, READMES)),
        example=manifest.example,
        highlights=manifest.highlights,
    )
    return workflow, manifest.needs


def _text(path: Path | None) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path else ""
