"""The catalogue: workflows in Snakemake's standard layout, read from folders, unmodified.

An optional manifest, `rundesk.yaml`, adds what the layout cannot express. Without it everything is
derived from the files; without a schema one is inferred from `config/config.yaml`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.catalogue import secrets, snakefiles
from services.catalogue.card import card_of
from services.catalogue.configuration import Broken
from services.catalogue.deployment import declared_methods, missing_installers
from services.catalogue.example import example_of
from services.catalogue.layout import (
    READMES,
    _stats,
    copy_files,
    digest,
    form,
    manifest_of,
    snakefile,
    snapshot_folder,
)
from services.catalogue.observations import missing_module, observed
from services.catalogue.requirements import Needs, missing_messages
from services.catalogue.schemas import Form, first
from services.errors import Conflict, Message, NotFound, Text
from services.host.atomic import draft_of
from services.host.disk import disk_full_as_error
from services.models import Actor, Need, Workflow
from services.params import file_values
from services.settings import Settings

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

NO_NETWORK = Message(
    "unmet_requirement",
    "The workflow needs the network, which runs on this server may not use.",
    hint="An operator allows it with RUNDESK_RUN_NETWORK=declared.",
)
WORKFLOW_NOT_FOUND = Message("not_found", "Workflow not found.")
WORKFLOW_CHANGING = Message(
    "wrong_state", "The files of the workflow are changing.", hint="Try again in a moment."
)


@dataclass(frozen=True)
class _Parsed:
    """A workflow as it was when its files had this fingerprint."""

    fingerprint: int
    workflow: Workflow
    needs: Needs
    broken: Text | None  # why its files cannot be used
    methods: frozenset[str]  # installation methods that its rules name


class Catalogue:
    """The workflows of all folders; each is read again when its files change."""

    def __init__(self, settings: Settings) -> None:
        self._folders = settings.workflow_folders
        self._data = settings.data
        self._software = frozenset(settings.software)
        self._network = settings.run_network == "declared" or settings.wall == "off"
        self._known: dict[Path, _Parsed] = {}

    def list(self, actor: Actor) -> Sequence[Workflow]:  # noqa: ARG002 - the same for everybody
        """Return all workflows by title, including unavailable ones with their problems."""
        workflows = map(self._read, self._workflow_folders().values())
        return sorted(workflows, key=lambda workflow: workflow.title.lower())

    def get(self, actor: Actor, name: str) -> Workflow:  # noqa: ARG002 - the same for everybody
        """Return a workflow. Raises NotFound."""
        return self._read(self.folder(name))

    def problems(self, name: str) -> Sequence[Text]:
        """Return why a workflow is not available; empty if it is. Raises NotFound."""
        parsed = self._parse(self.folder(name))
        return self._problems(parsed, self._needs(parsed))

    def folder(self, name: str) -> Path:
        """Return the present folder of a workflow. Raises NotFound."""
        folder = self._workflow_folders().get(name)
        if folder is None:
            raise NotFound(WORKFLOW_NOT_FOUND(), field="workflow")
        return folder

    def snapshot(self, workflow: Workflow) -> Path:
        """Return the path of the frozen copy of a workflow's files; it is created if missing.

        Raises DiskFull, Conflict when the files change meanwhile; then nothing is left behind.
        """
        copy = snapshot_folder(self._data, workflow.digest)
        if copy.exists():
            return copy
        try:
            with disk_full_as_error():
                copy.parent.mkdir(parents=True, exist_ok=True)
                with draft_of(copy, shared=True) as draft:
                    copy_files(self.folder(workflow.name), draft)
                    if digest(draft) != workflow.digest:
                        raise Conflict(WORKFLOW_CHANGING())
        except OSError:
            if not copy.exists():  # else another process was first
                raise
        return copy

    def _workflow_folders(self) -> dict[str, Path]:
        folders: dict[str, Path] = {}
        for root in self._folders:
            for folder in sorted(root.iterdir()) if root.is_dir() else ():
                if folder.is_dir() and NAME.fullmatch(folder.name):
                    folders.setdefault(folder.name, folder)
        return folders

    def _read(self, folder: Path) -> Workflow:
        parsed = self._parse(folder)
        needs = self._needs(parsed)
        update: dict[str, Any] = {"needs": needs}
        if problems := self._problems(parsed, needs):
            update |= {"available": False, "problems": [str(text) for text in problems]}
        return parsed.workflow.model_copy(update=update)

    def _needs(self, parsed: _Parsed) -> Sequence[Need]:
        return parsed.needs.looked_up(secrets.variables(self._data, parsed.workflow.name))

    def _problems(self, parsed: _Parsed, needs: Sequence[Need]) -> Sequence[Text]:
        if parsed.broken is not None:
            return [parsed.broken]
        methods = sorted(parsed.methods & self._software)
        if parsed.needs.network and not self._network:
            return [NO_NETWORK()]
        return missing_installers(methods) if methods else missing_messages(needs)

    def _parse(self, folder: Path) -> _Parsed:
        """Read a workflow's files, unless they are the same as the last time."""
        fingerprint = hash(tuple((path, s.st_size, s.st_mtime_ns) for path, s in _stats(folder)))
        known = self._known.get(folder)
        if known is None or known.fingerprint != fingerprint:
            known = _Parsed(fingerprint, *_read_files(folder), declared_methods(folder))
            self._known[folder] = known
        return known


def _read_files(folder: Path) -> tuple[Workflow, Needs, Text | None]:
    """The workflow in a folder, its requirements, and why its files cannot be used."""
    name = folder.name
    try:
        manifest = manifest_of(folder)
        snakefile(folder)
        found = form(folder)
    except Broken as error:
        broken = Workflow(name=name, title=name, digest=digest(folder), available=False)
        return broken, Needs(), error.text
    card = card_of(folder)
    workflow = Workflow(
        name=name,
        title=manifest.title or card.title or name.replace("-", " ").replace("_", " ").capitalize(),
        summary=manifest.summary or card.summary,
        category=manifest.category,
        version=manifest.version or card.version,
        license=manifest.license or card.license,
        digest=digest(folder),
        takes=manifest.takes,
        gives=manifest.gives,
        available=True,
        problems=[],
        params_schema=found.schema,
        config_files=_other_config_files(folder, found),
        readme=_text(first(folder, READMES)),
        example=manifest.example or example_of(folder, observed(folder)),
        highlights=manifest.highlights,
    )
    return workflow, _requirements(folder, manifest.needs), None


def _requirements(folder: Path, declared: Needs) -> Needs:
    """Return what a workflow needs: as declared, as its Snakefiles say, and as a plan has shown."""
    missing = missing_module(observed(folder))
    return Needs(
        executables=declared.executables,
        modules=[*dict.fromkeys([*declared.modules, *missing])],
        variables=[*dict.fromkeys([*declared.variables, *snakefiles.variables(folder)])],
    )


def _other_config_files(folder: Path, found: Form) -> Sequence[str]:
    """The files of the config folder apart from the configuration and its description.

    Files that are values of parameters are replaced there.
    """
    values = file_values.file_values(found.schema, found.configuration.params)
    own = {*found.configuration.paths, *(str(value.value) for value in values)}
    paths = [path for path in sorted((folder / "config").rglob("*")) if path.is_file()]
    names = [path.relative_to(folder).as_posix() for path in paths]
    return [name for name in names if name not in own and not name.endswith("README.md")]


def _text(path: Path | None) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path else ""
