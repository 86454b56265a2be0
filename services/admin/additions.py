"""Workflows that administrators add: checked first, then moved to `<data>/catalogue/<name>`.

Workflows are programs, so only an administrator may add them.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import secrets
import shutil
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.access.actors import check_admin
from services.admin import judgement, manifests
from services.admin.sources import Source
from services.catalogue import Catalogue, observations, snakefiles
from services.catalogue import secrets as secrets_of
from services.catalogue.catalogue import NAME
from services.catalogue.deployment import unmet_requirements
from services.catalogue.example import sets_of_test_data
from services.catalogue.layout import files, form, snakefile
from services.catalogue.overlays import OVERLAY
from services.catalogue.requirements import VARIABLE
from services.catalogue.shell_quoting import unquoted_values
from services.engine import observing, oneshot
from services.errors import Conflict, Invalid, Message, NotFound, Problem, Text
from services.files import Files
from services.host.disk import disk_full_as_error
from services.models import Actor, AddedWorkflow, RunRequest, Workflow
from services.runs.previews import Previews
from services.settings import Settings

ORIGIN = ".rundesk/source.json"  # in an added workflow: its source, ref and commit
LINTED, LINT = re.compile(r"Lints for (.+?)(?: \(line| /|:)"), re.compile(r" {4}\* (.+)")
MAX_NAMED_VALUES = 10  # of a file, that are not quoted
MAX_LINTER_REMARKS = 5
PLACEHOLDER = "unset"  # of an environment variable, in a plan
MISSING_INPUT = "MissingInputException"  # Snakemake's error for files that users would provide

WORKFLOWS_FOR_ADMINS = Message(
    "forbidden", "Only an administrator can list, add or remove added workflows."
)
WORKFLOW_REFUSED = Message("invalid_workflow", "The workflow {name} cannot be added.")
WORKFLOW_NOT_ADDED = Message("not_found", "No workflow named {name} was added to Rundesk.")
INVALID_NAME = Message(
    "wrong_format",
    "“{name}” is not a valid name for a workflow.",
    hint="A name has 1 to 64 lowercase letters, digits, dots, underscores and hyphens, and starts"
    " with a letter or a digit.",
)
NAME_TAKEN = Message(
    "already_exists", "Another workflow is named {name}.", hint="Choose another name."
)
ALREADY_ADDED = Message(
    "already_exists",
    "The workflow {name} was already added.",
    hint="Replace it, or remove it first.",
)
SYNTAX_ERROR = Message("invalid_workflow", "{file}, line {line}: {error}.")
INVALID_DEFAULTS = Message(
    "invalid_workflow", "The default configuration is invalid at {field}: {problem}"
)
DEFAULTS_INCOMPLETE = Message(
    "workflow_remark", "The default configuration needs a change at {field}: {problem}"
)
PREVIEW_FAILED = Message(
    "workflow_remark",
    "Snakemake plans the workflow in its own folder, but not in the folder of a run: {problem}",
)
PLAN_FAILED = Message("invalid_workflow", "Snakemake could not plan the workflow: {problem}")
VALUES_REQUIRED = Message(
    "workflow_remark", "The workflow has no default value for {field}: {problem}"
)
INPUT_REQUIRED = Message(
    "workflow_remark",
    "The workflow cannot run with its default configuration because input files are missing:"
    " {problem}",
)
NOT_PLANNED = Message(
    "workflow_remark", "The workflow could not be planned because its requirements are not met."
)
WRAPPERS = Message(
    "workflow_remark",
    "Snakemake fetches {count} wrappers from the Snakemake wrapper repository on github.com when"
    " their jobs start: {names}.",
    one="Snakemake fetches the wrapper {names} from the Snakemake wrapper repository on github.com"
    " when its job starts.",
    hint="Runs fail on a server without access to this host.",
)
REMOTE_MODULES = Message(
    "workflow_remark",
    "Snakemake fetches modules of the workflow from other repositories for each plan and run:"
    " {names}.",
    hint="Runs fail on a server without access to these hosts.",
)
UNQUOTED_VALUES = Message(
    "workflow_remark",
    "Shell commands in {file} do not quote values that users may choose: {names}.",
    hint="Append :q to each name, and Snakemake quotes the value.",
)
LINTER_REMARK = Message("workflow_remark", "Snakemake's linter: {remark} ({files}).")


@dataclass(frozen=True)
class Examined:
    """The result of checking a workflow."""

    workflow: Workflow
    failures: Sequence[Text]  # why it cannot be added
    remarks: Sequence[Text]  # limitations and problems of style


class Additions:
    """Adds, lists and removes the workflows of `<data>/catalogue`."""

    def __init__(self, settings: Settings, files: Files, workflows: Catalogue) -> None:
        self._settings = settings
        self._files = files
        self._workflows = workflows
        self._root = settings.catalogue

    def add(
        self,
        actor: Actor,
        source: str,
        *,
        name: str = "",
        replacing: bool = False,
        overlay: str = "",
    ) -> tuple[AddedWorkflow, Sequence[Text]]:
        """Check a workflow and add it; return it with the remarks about it.

        `overlay` is YAML in the form of a `rundesk.yaml`, which says more about the workflow. When
        a workflow is replaced and no overlay is given, it keeps the one that it has.

        Raises Forbidden, Invalid with every reason why it cannot be added, Conflict for a name that
        is in use, DiskFull.
        """
        check_admin(actor, WORKFLOWS_FOR_ADMINS())
        origin = Source.read(source)
        name = name or origin.name
        self._check_name(name, replacing=replacing)
        with self._draft() as draft:
            folder = draft / name
            with disk_full_as_error():
                commit = origin.fetch(folder)
                overlay = overlay or self.overlay(actor, name)
                if overlay:
                    (folder / OVERLAY).parent.mkdir(exist_ok=True)
                    (folder / OVERLAY).write_text(overlay, encoding="utf-8")
            examined = self._examine(actor, folder)
            if examined.failures:
                problems = [Problem("source", text) for text in examined.failures]
                raise Invalid(WORKFLOW_REFUSED(name=name), problems=problems)
            record = {"source": origin.public_address, "ref": origin.ref, "commit": commit}
            (folder / ORIGIN).parent.mkdir(exist_ok=True)
            (folder / ORIGIN).write_text(
                json.dumps(record | {"added": datetime.now(UTC).isoformat()})
            )
            self._move(folder, draft / "old", replacing=replacing)
        return self._read(actor, name), examined.remarks

    def overlay(self, actor: Actor, name: str) -> str:
        """Return the overlay of an added workflow as YAML, "" without one. Raises Forbidden."""
        check_admin(actor, WORKFLOWS_FOR_ADMINS())
        path = self._root / name / OVERLAY
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def manifest(self, actor: Actor, name: str) -> str:
        """Return a `rundesk.yaml` with what is known of a workflow, for its authors to correct.

        Raises Forbidden, NotFound.
        """
        check_admin(actor, WORKFLOWS_FOR_ADMINS())
        workflow, folder = self._workflows.get(actor, name), self._workflows.folder(name)
        return manifests.exported(folder, workflow)

    def set_secret(self, actor: Actor, name: str, variable: str, value: str | None) -> None:
        """Set an environment variable of the runs of a workflow; None removes it.

        Raises Forbidden, NotFound for the workflow, Invalid for the variable.
        """
        check_admin(actor, WORKFLOWS_FOR_ADMINS())
        self._workflows.folder(name)
        secrets_of.set_variable(self._settings.data, name, variable, value)

    def list(self, actor: Actor) -> Sequence[AddedWorkflow]:
        """Return the added workflows by name. Raises Forbidden."""
        check_admin(actor, WORKFLOWS_FOR_ADMINS())
        names = sorted(path.parent.parent.name for path in self._root.glob(f"*/{ORIGIN}"))
        return [self._read(actor, name) for name in names if NAME.fullmatch(name)]

    def remove(self, actor: Actor, name: str) -> None:
        """Remove a workflow from the catalogue; its runs stay. Raises Forbidden, NotFound."""
        check_admin(actor, WORKFLOWS_FOR_ADMINS())
        if not NAME.fullmatch(name) or not (self._root / name).is_dir():
            raise NotFound(WORKFLOW_NOT_ADDED(name=name))
        with self._draft() as draft:
            (self._root / name).rename(draft / name)
        secrets_of.forget(self._settings.data, name)

    def _check_name(self, name: str, *, replacing: bool) -> None:
        if not NAME.fullmatch(name):
            raise Invalid(INVALID_NAME(name=name), field="name")
        with contextlib.suppress(NotFound):
            if self._workflows.folder(name) != self._root / name:
                raise Conflict(NAME_TAKEN(name=name))
            if not replacing:
                raise Conflict(ALREADY_ADDED(name=name))

    def _move(self, folder: Path, old: Path, *, replacing: bool) -> None:
        target = self._root / folder.name
        if replacing and target.exists():
            target.rename(old)
        try:
            folder.rename(target)
        except OSError as error:  # another process was first
            raise Conflict(ALREADY_ADDED(name=folder.name)) from error

    @contextlib.contextmanager
    def _draft(self) -> Iterator[Path]:
        """Yield a folder on the same file system that no catalogue reads; removed afterwards."""
        draft = self._root / f".{secrets.token_hex(8)}"
        with disk_full_as_error():
            draft.mkdir(parents=True)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _read(self, actor: Actor, name: str) -> AddedWorkflow:
        record: dict[str, Any] = json.loads((self._root / name / ORIGIN).read_bytes())
        return AddedWorkflow(name=name, workflow=self._workflows.get(actor, name), **record)

    def _examine(self, actor: Actor, folder: Path) -> Examined:
        """Check a workflow; its code is executed only if the cheaper checks find no failure."""
        alone = replace(self._settings, workflows=(folder.parent,))
        workflow, problems = _looked_up(alone, actor, folder.name)
        failures = [text for text in problems if text.code == "invalid_workflow"]
        remarks = [text for text in problems if text not in failures]
        if not failures:
            failures = _syntax_errors(folder)
        if not failures:
            unmet = unmet_requirements(folder, self._settings.software)
            remarks += [text for text in unmet if text not in remarks]
            unmet_needs = [need for need in workflow.needs if not need.met]
            if workflow.available or (
                unmet_needs and all(need.kind == VARIABLE for need in unmet_needs)
            ):
                workflow, found = self._plan(actor, alone, folder)
                for text in found:
                    (failures if text.code == "invalid_workflow" else remarks).append(text)
            else:
                remarks.append(NOT_PLANNED())
        if not failures:
            remarks += [*_remote_sources(folder), *_quoting_remarks(folder)]
            remarks += _linter_remarks(folder)
        return Examined(workflow, failures, remarks)

    def _plan(self, actor: Actor, alone: Settings, folder: Path) -> tuple[Workflow, Sequence[Text]]:
        """Plan a workflow as its authors do, and then as a run of it would be planned."""
        records = _observe(folder, secrets_of.variables(self._settings.data, folder.name))
        observations.keep(folder, records)
        found = list(judgement.verdict(folder, records))
        workflow, _ = _looked_up(alone, actor, folder.name)
        refused = any(text.code == "invalid_workflow" for text in found)
        if (
            not refused
            and workflow.available
            and (workflow.example is not None or judgement.is_planned(records[0]))
        ):
            previews = Previews(alone, self._files, Catalogue(alone))
            found += _plan_problems(previews, actor, workflow)
        return workflow, found


def _observe(folder: Path, secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the records of plans of a workflow: with its own configuration, then its test data.

    Environment variables that are not set yet have a placeholder in these plans. Further sets of
    test data are planned only until one of them can be.
    """
    variables = dict.fromkeys(snakefiles.variables(folder), PLACEHOLDER) | dict(secrets)
    records = [observing.record_of(folder, variables=variables)]
    if not judgement.is_read(records[0]) and not records[0].get("configfiles"):
        # its authors name the configuration on the command line
        files = [
            file.path for file in form(folder).configuration.files if (folder / file.path).is_file()
        ]
        if files:
            record = observing.record_of(folder, "", files, variables)
            records[0] = record | {"configfiles": []}  # the Snakefile names none
    for data in sets_of_test_data(folder, records[0].get("configfiles", ())):
        names = [data.configfile] if data.configfile else []
        records.append(observing.record_of(folder, data.base, names, variables))
        if judgement.is_planned(records[-1]):
            break
    return records


def _looked_up(settings: Settings, actor: Actor, name: str) -> tuple[Workflow, Sequence[Text]]:
    """Return a workflow as a catalogue reads it now, with its problems."""
    catalogue = Catalogue(settings)
    return catalogue.get(actor, name), catalogue.problems(name)


def _plan_problems(previews: Previews, actor: Actor, workflow: Workflow) -> Iterator[Text]:
    """Why a workflow cannot be planned with its example, or else its defaults.

    Missing values and input files are remarks only: users provide them. So is what is wrong with
    an example that was recognized, because authors did not declare it.
    """
    example = workflow.example is not None
    declared = workflow.example is not None and not workflow.example.base
    request = RunRequest(workflow=workflow.name, example=example, params=None if example else {})
    try:
        previews.validate(actor, request)
    except Invalid as error:
        for problem in error.problems or [Problem("workflow", error.text)]:
            message = INVALID_DEFAULTS if declared else DEFAULTS_INCOMPLETE
            message = VALUES_REQUIRED if problem.code == "missing" else message
            yield message(field=problem.field, problem=problem.message)
        return
    for words in previews.graph(actor, workflow.name).problems:
        if MISSING_INPUT in words:
            yield INPUT_REQUIRED(problem=words)
        else:
            yield (PLAN_FAILED if declared else PREVIEW_FAILED)(problem=words)


def _remote_sources(folder: Path) -> Iterator[Text]:
    """Yield a remark for the code that Snakemake fetches from other hosts during runs."""
    if wrappers := snakefiles.wrappers(folder):
        yield WRAPPERS(count=len(wrappers), names=judgement.named(wrappers))
    if modules := snakefiles.remote_modules(folder):
        yield REMOTE_MODULES(names=judgement.named(modules))


def _syntax_errors(folder: Path) -> list[Text]:
    """Syntax errors with file and line, which Snakemake does not always name."""
    errors = []
    for path in files(folder):
        if path.endswith((".smk", "Snakefile")):
            text = (folder / path).read_bytes()
            try:
                list(tokenize.tokenize(io.BytesIO(text).readline))
            except tokenize.TokenError as error:
                line, reason = error.args[1][0], error.args[0]
                errors.append(SYNTAX_ERROR(file=path, line=line, error=reason))
            except SyntaxError as error:
                errors.append(SYNTAX_ERROR(file=path, line=error.lineno, error=error.msg))
    return errors


def _quoting_remarks(folder: Path) -> list[Text]:
    """Return a remark for each file with values in shell commands that are not quoted."""
    return [
        UNQUOTED_VALUES(file=path, names=", ".join(names[:MAX_NAMED_VALUES]))
        for path, names in unquoted_values(folder).items()
    ]


def _linter_remarks(folder: Path) -> list[Text]:
    """The first remarks of Snakemake's linter."""
    main = snakefile(folder)
    words = ["--snakefile", str(main), "--directory", str(folder), "--lint"]
    linter = oneshot.snakemake([*words, "--profile", "none", "--workflow-profile", "none"])
    shutil.rmtree(folder / ".snakemake", ignore_errors=True)
    remarks: dict[str, dict[str, None]] = {}  # remark to the files it applies to
    file = ""
    for line in linter.output.splitlines():
        if match := LINTED.match(line):
            file = match[1]
        elif remark := LINT.match(line):
            remarks.setdefault(remark[1].rstrip(".: "), {})[file] = None
    return [
        LINTER_REMARK(remark=remark, files=", ".join(paths))
        for remark, paths in list(remarks.items())[:MAX_LINTER_REMARKS]
    ]
