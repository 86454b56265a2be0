"""Checks requests for runs and turns them into submissions."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.catalogue import Catalogue
from services.engine.arguments import own_configuration
from services.errors import Forbidden, Invalid, Message, NotFound, Problem, Text
from services.files import Files, contents
from services.models import Actor, File, Input, RunRequest, Submission, Workflow
from services.params import file_values, validation
from services.params.file_names import accepted_name, wrong_file_name
from services.params.file_values import FileValue
from services.rundir import safe
from services.runs import run_files, samplesheets
from services.runs.paths import path_problems
from services.runs.samplesheets import Library, Registered, SheetParams
from services.settings import Settings

MAX_STAGED_NAME = 100  # characters

WORKFLOW_NOT_FOUND = Message("not_found", "Workflow not found.", hint="The workflows are {names}.")
NO_WORKFLOWS = Message("not_found", "Workflow not found.", hint="There are no workflows.")
MISSPELLED_WORKFLOW = Message("not_found", "Workflow not found.", hint="Did you mean {suggestion}?")
WORKFLOW_UNAVAILABLE = Message(
    "invalid_workflow", "This workflow is not available on this server.", hint="{reason}"
)
PARAMS_AND_EXAMPLE = Message("conflicting_fields", "Send either params or example, not both.")
NO_PARAMS = Message("missing", "Required.", hint='Send the parameters, or "example": true.')
NO_EXAMPLE = Message("not_found", "This workflow has no example.")
ADMIN_PRIORITY = Message(
    "forbidden",
    "Only an administrator may submit runs with a priority above 0.",
    hint="Use a priority of 0 or below.",
)


@dataclass(frozen=True)
class CheckedRequest:
    """A valid request; nothing of it is stored."""

    workflow: Workflow
    submission: Submission
    sources: dict[str, Path]  # files of the workflow's own example, by sha256


class Intake:
    """Turns valid requests into submissions."""

    def __init__(self, settings: Settings, files: Files, workflows: Catalogue) -> None:
        self._settings = settings
        self._files = files
        self._workflows = workflows

    @contextlib.contextmanager
    def accepting(self, actor: Actor, request: RunRequest) -> Iterator[Submission]:
        """Yield the submission; while it is being stored, none of its files can be deleted.

        Raises Invalid with every problem, Forbidden for a priority reserved for administrators.
        """
        _check_priority(actor, request)
        workflow = self._available(actor, request.workflow)
        library = Registered(self._files, actor)
        given = self._registered_params(actor, workflow, request, library)
        checked = _checked(workflow, request, given)
        if contents.is_needed(workflow.params_schema):  # before the lock: reading may take a while
            draft = self._submission(actor, request, workflow, checked, library)
            contents.check(workflow.params_schema, draft.inputs, self._files.blob)
        self._workflows.snapshot(workflow)
        with self._files.lock():
            yield self._submission(actor, request, workflow, checked, library)

    def check(self, actor: Actor, request: RunRequest) -> CheckedRequest:
        """Check a request without storing anything; raises what `accepting` raises."""
        _check_priority(actor, request)
        workflow = self._available(actor, request.workflow)
        example = _ExampleFiles(self._workflows.folder(workflow.name))
        library = example if request.example else Registered(self._files, actor)
        given = self._requested_params(workflow, request, library)
        checked = _checked(workflow, request, given)
        accepted = self._submission(actor, request, workflow, checked, library)
        blob = example.sources.__getitem__ if request.example else self._files.blob
        contents.check(workflow.params_schema, accepted.inputs, blob)
        return CheckedRequest(workflow, accepted, example.sources)

    def _submission(
        self,
        actor: Actor,
        request: RunRequest,
        workflow: Workflow,
        checked: dict[str, Any],
        library: Library,
    ) -> Submission:
        """Return the submission of a request with `checked` parameters and files in `library`."""
        schema, base = workflow.params_schema, _base(workflow, request)
        own = validation.defaults(schema)  # paths in the workflow
        if base:
            own = checked
        sheet_params = samplesheets.read_sheets(library, schema, checked, own)
        inputs = self._inputs(library, schema, sheet_params, own)
        samplesheets.check_tables(library, schema, sheet_params.params, own)
        self._check_paths(sheet_params, own)
        if request.replacements:
            configfiles = own_configuration(self._workflows.folder(workflow.name)).paths
            inputs += run_files.replacements(library, request.replacements, configfiles)
        return Submission(
            name=request.name.strip() or _default_name(workflow, request),
            workflow=workflow.name,
            workflow_title=workflow.title,
            workflow_version=workflow.version,
            digest=workflow.digest,
            owner=actor.id,
            tags=distinct(request.tags),
            params=sheet_params.params,
            inputs=inputs,
            sheets=sheet_params.tables,
            folders=file_values.folders(schema, sheet_params.params, own),
            base=base,
            cores=self._settings.cores_per_run,
            priority=request.priority,
            retries=request.retries,
            replacements=request.replacements,
            complete=request.complete,
            whole=True,
        )

    def _check_paths(self, sheet_params: SheetParams, own: Mapping[str, Any]) -> None:
        """Raise Invalid if, with sign-in, a parameter or cell names a path outside of the run."""
        if not self._settings.sign_in:
            return
        problems = list(path_problems(sheet_params.cells, own, self._settings.readable))
        if problems:
            raise Invalid(validation.INVALID_PARAMETERS(), problems=problems)

    def _available(self, actor: Actor, name: str) -> Workflow:
        try:
            workflow = self._workflows.get(actor, name)
        except NotFound as error:
            names = [workflow.name for workflow in self._workflows.list(actor)]
            raise Invalid(unknown_workflow(name, names), field="workflow") from error
        if not workflow.available:
            reason = " ".join(workflow.problems)
            raise Invalid(WORKFLOW_UNAVAILABLE(reason=reason), field="workflow")
        return workflow

    def _registered_params(
        self, actor: Actor, workflow: Workflow, request: RunRequest, library: Library
    ) -> Mapping[str, Any]:
        """Return the parameters of a request; registers the files of an example."""
        given = self._requested_params(workflow, request, library)
        if not request.example or _base(workflow, request):
            return given
        folder = self._workflows.folder(workflow.name)
        for value in list(file_values.file_values(workflow.params_schema, given)):
            with (folder / value.value).open("rb") as stream:
                file = self._files.register(actor, Path(value.value).name, stream)
            given = file_values.with_file(given, value, file.id)
        return given

    def _requested_params(
        self, workflow: Workflow, request: RunRequest, library: Library
    ) -> dict[str, Any]:
        """Return the parameters of a request, or those of the example as the workflow has them."""
        own = request.params is not None or request.config_file is not None
        if request.example and (own or request.replacements):
            raise Invalid(PARAMS_AND_EXAMPLE(), field="params")
        if not request.example:
            if not own:
                raise Invalid(NO_PARAMS(), field="params")
            params = request.params or {}
            if request.config_file is None:
                return dict(params)
            return run_files.merged(run_files.config_values(library, request.config_file), params)
        if workflow.example is None:
            raise Invalid(NO_EXAMPLE(), field="example")
        if workflow.example.base:  # its files are in the working directory of the run
            return dict(workflow.example.params)
        folder = self._workflows.folder(workflow.name)
        return samplesheets.with_rows(workflow.params_schema, workflow.example.params, folder)

    def _inputs(
        self,
        library: Library,
        schema: dict[str, Any],
        sheet_params: SheetParams,
        own: Mapping[str, Any],
    ) -> list[Input]:
        """Return the files that parameters name, as they are in the library. Raises Invalid.

        Values that are the same in `own` are paths in the workflow.
        """
        values = [
            value for value in sheet_params.files(schema) if not file_values.is_at(own, value)
        ]
        known = library.by_ids({str(value.value) for value in values})
        inputs: list[Input] = []
        taken: dict[str, str] = {}  # path → file
        problems = []
        for value in values:
            file, field = known.get(str(value.value)), f"params.{value.dotted_path}"
            if file is None:
                problems.append(Problem(field, samplesheets.FILE_NOT_FOUND()))
            elif (name := accepted_name(file.name, value.pattern)) is None:
                text = wrong_file_name(file.name, value.pattern or "", value.description)
                problems.append(Problem(field, text))
            else:
                path = _staged_path(value, name, file.id, taken)
                inputs.append(_input(value.dotted_path, file, path))
        if problems:
            raise Invalid(validation.INVALID_PARAMETERS(), problems=problems)
        return inputs


class _ExampleFiles:
    """The files of a workflow's own example in the role of registered files; a path is an id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.sources: dict[str, Path] = {}

    def by_ids(self, file_ids: Iterable[str]) -> dict[str, File]:
        return {path: self._file(path) for path in file_ids}

    def by_names(self, names: Iterable[str]) -> dict[str, Sequence[File]]:  # noqa: ARG002
        return {}

    def path(self, file_id: str) -> Path:
        return self._folder / file_id

    def _file(self, path: str) -> File:
        source = self._folder / path
        with source.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self.sources[sha256] = source
        return File(
            id=sha256[:24],
            name=source.name,
            size=source.stat().st_size,
            sha256=sha256,
            kind="",
            owner="",
            created=datetime.now(UTC),
        )


def _checked(workflow: Workflow, request: RunRequest, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a request with defaults filled in. Raises Invalid.

    Test data have a whole configuration of their own, which nothing is added to.
    """
    if _base(workflow, request):
        return dict(given)
    try:
        if request.complete:
            return validation.check_whole(workflow.params_schema, given)
        return validation.check(workflow.params_schema, given)
    except Invalid as error:
        if request.config_file is None:
            raise
        raise run_files.named_by_file(error, request.params or {}) from error


def _base(workflow: Workflow, request: RunRequest) -> str:
    """Return the folder of the workflow whose files an example finds in its working directory."""
    return workflow.example.base if request.example and workflow.example else ""


def _check_priority(actor: Actor, request: RunRequest) -> None:
    if request.priority > 0 and not actor.admin:
        raise Forbidden(ADMIN_PRIORITY(), field="priority")


def unknown_workflow(name: str, names: Sequence[str]) -> Text:
    """Return the sentence about a workflow that does not exist; `names` are those that do."""
    if near := difflib.get_close_matches(name, names, n=1):
        return MISSPELLED_WORKFLOW(suggestion=near[0])
    return WORKFLOW_NOT_FOUND(names=", ".join(names)) if names else NO_WORKFLOWS()


def distinct(tags: Iterable[str]) -> list[str]:
    """Return the tags without surrounding blanks, each of them once."""
    return list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def _input(field: str, file: File, path: str) -> Input:
    return Input(
        field=field, file=file.id, name=file.name, path=path, size=file.size, sha256=file.sha256
    )


def _staged_path(value: FileValue, file_name: str, file_id: str, taken: dict[str, str]) -> str:
    """Return a safe path: workflows use names in shell commands and derive sample names from them.

    A file that several rows of a sheet or several objects of a list name is staged once.
    """
    name = safe(file_name)[-MAX_STAGED_NAME:]
    folder = "/".join(["inputs", *map(safe, value.names)])
    path, number = f"{folder}/{name}", 1
    while path in taken and not (len(value.names) > 1 and taken[path] == file_id):
        number += 1
        stem, dot, rest = name.partition(".")
        path = f"{folder}/{stem}-{number}{dot}{rest}"
    taken[path] = file_id
    return path


def _default_name(workflow: Workflow, request: RunRequest) -> str:
    return f"{workflow.title}, example" if request.example else workflow.title
