"""Workflows added to a desk: checked before they are there, and there at once or not at all.

They lie in `<data>/catalogue/<name>`. Workflows are programs, so only an administrator adds them.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import secrets
import shutil
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.access.actors import check_admin
from services.admin.sources import Source
from services.catalogue import Catalogue
from services.catalogue.catalogue import NAME
from services.catalogue.deployment import declared, gone, unmet
from services.catalogue.layout import files, snakefile
from services.catalogue.requirements import told
from services.engine import oneshot
from services.errors import Conflict, Invalid, NotFound, Problem
from services.files import Files
from services.host.disk import disk_full_as_error
from services.models import Actor, AddedWorkflow, Workflow
from services.runs.previews import Previews
from services.settings import Settings

ORIGIN = ".rundesk/source.json"  # of an added workflow: where it came from
LINTED, LINT = re.compile(r"Lints for (.+?)(?: \(line| /|:)"), re.compile(r" {4}\* (.+)")
ADMIN = "adds and removes workflows"
LINTS = 5  # remarks of Snakemake's that are told
NO_INPUT = ("MissingInputException", "This is needed")  # what a user would have given


@dataclass(frozen=True)
class Examined:
    """What was found about a workflow."""

    workflow: Workflow
    failures: Sequence[str]  # why it cannot be taken
    remarks: Sequence[str]  # what should be known of it


class Additions:
    """Adds, lists and removes the workflows of `<data>/catalogue`."""

    def __init__(self, settings: Settings, files: Files, workflows: Catalogue) -> None:
        self._settings = settings
        self._files = files
        self._workflows = workflows
        self._root = settings.catalogue

    def add(
        self, actor: Actor, source: str, *, name: str = "", replacing: bool = False
    ) -> tuple[AddedWorkflow, Sequence[str]]:
        """Check a workflow and add it; what should be known of it, in words.

        Raises Invalid with every reason why it cannot be taken, Conflict for a name that is taken.
        """
        check_admin(actor, ADMIN)
        found = Source.read(source)
        name = name or found.name
        self._check_name(name, replacing=replacing)
        with self._draft() as draft:
            folder = draft / name
            with disk_full_as_error():
                commit = found.fetch(folder)
            examined = self._examine(actor, folder)
            if examined.failures:
                problems = [Problem("source", words) for words in examined.failures]
                raise Invalid(f"{name} cannot be added.", problems=problems)
            origin = folder / ORIGIN
            origin.parent.mkdir(exist_ok=True)
            said = {"source": found.shown, "ref": found.ref, "commit": commit}
            origin.write_text(json.dumps(said | {"added": datetime.now(UTC).isoformat()}))
            self._place(folder, draft / "old", replacing=replacing)
        return self._read(actor, name), examined.remarks

    def list(self, actor: Actor) -> Sequence[AddedWorkflow]:
        """What was added here, by name."""
        check_admin(actor, ADMIN)
        names = sorted(path.parent.parent.name for path in self._root.glob(f"*/{ORIGIN}"))
        return [self._read(actor, name) for name in names if NAME.fullmatch(name)]

    def remove(self, actor: Actor, name: str) -> None:
        """Take a workflow out of the catalogue; its runs stay. Raises NotFound."""
        check_admin(actor, ADMIN)
        if not NAME.fullmatch(name) or not (self._root / name).is_dir():
            raise NotFound(f"No workflow {name} was added to this desk.")
        with self._draft() as draft:
            (self._root / name).rename(draft / name)

    def _check_name(self, name: str, *, replacing: bool) -> None:
        if not NAME.fullmatch(name):
            raise Invalid(f"“{name}” is no name for a workflow.", field="name", hint=NAME.pattern)
        with contextlib.suppress(NotFound):
            if self._workflows.folder(name) != self._root / name:
                raise Conflict(f"This desk has another workflow {name}.", hint="Give it a name.")
            if not replacing:
                raise Conflict(f"{name} was added already.", hint="Replace it, or remove it first.")

    def _place(self, folder: Path, old: Path, *, replacing: bool) -> None:
        target = self._root / folder.name
        if replacing and target.exists():
            target.rename(old)
        try:
            folder.rename(target)
        except OSError as error:  # somebody else was first
            raise Conflict(f"{folder.name} was added already.") from error

    @contextlib.contextmanager
    def _draft(self) -> Iterator[Path]:
        """A folder on the same file system that no catalogue looks into; gone afterwards."""
        draft = self._root / f".{secrets.token_hex(8)}"
        with disk_full_as_error():
            draft.mkdir(parents=True)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _read(self, actor: Actor, name: str) -> AddedWorkflow:
        known: dict[str, Any] = json.loads((self._root / name / ORIGIN).read_bytes())
        return AddedWorkflow(name=name, workflow=self._workflows.get(actor, name), **known)

    def _examine(self, actor: Actor, folder: Path) -> Examined:
        """Look at a workflow: cheap checks first; it is executed only when these find nothing."""
        alone = replace(self._settings, workflows=(folder.parent,))
        catalogue = Catalogue(alone)
        workflow = catalogue.get(actor, folder.name)
        lacking = told(workflow.needs) + gone(declared(folder) & set(self._settings.software))
        broken = not workflow.available and not lacking
        failures = list(workflow.problems) if broken else _unreadable(folder)
        remarks = [] if broken else list(workflow.problems)
        if not failures:
            said = unmet(folder, self._settings.software)
            remarks += [words for words in said if words not in remarks]
            plan = Previews(alone, self._files, catalogue).graph(actor, folder.name)
            if not workflow.available and not plan.rules:
                remarks.append("It could not be planned here before that is installed.")
            else:
                for words in plan.problems:
                    missing = any(kind in words for kind in NO_INPUT)
                    (remarks if missing else failures).append(_planned(words, missing=missing))
        if not failures:
            remarks += _lints(folder)
        return Examined(workflow, failures, remarks)


def _planned(words: str, *, missing: bool) -> str:
    return (
        f"By its own configuration alone it has nothing to work on: {words}" if missing else words
    )


def _unreadable(folder: Path) -> list[str]:
    """Files that no parser gets through, with their lines; Snakemake does not always name them."""
    found = []
    for path in files(folder):
        if path.endswith((".smk", "Snakefile")):
            text = (folder / path).read_bytes()
            try:
                list(tokenize.tokenize(io.BytesIO(text).readline))
            except tokenize.TokenError as error:
                found.append(f"{path}, line {error.args[1][0]}: {error.args[0]}.")
            except SyntaxError as error:
                found.append(f"{path}, line {error.lineno}: {error.msg}.")
    return found


def _lints(folder: Path) -> list[str]:
    """What Snakemake's own linter remarks."""
    main = snakefile(folder)
    words = ["--snakefile", str(main), "--directory", str(folder), "--lint"]
    said = oneshot.snakemake([*words, "--profile", "none", "--workflow-profile", "none"])
    shutil.rmtree(folder / ".snakemake", ignore_errors=True)
    remarks: dict[str, dict[str, None]] = {}  # where each applies
    where = ""
    for line in said.output.splitlines():
        if place := LINTED.match(line):
            where = place[1]
        elif remark := LINT.match(line):
            remarks.setdefault(remark[1].rstrip(".: "), {})[where] = None
    return [
        f"Snakemake's linter: {remark} ({', '.join(places)})."
        for remark, places in list(remarks.items())[:LINTS]
    ]
