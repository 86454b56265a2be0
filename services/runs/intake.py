"""Checks a submission and turns it into what a run is accepted as."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.catalogue import Catalogue
from services.errors import Forbidden, Invalid, NotFound, Problem
from services.files import Files, contents
from services.models import Actor, File, Input, RunRequest, Submission, Workflow
from services.params import file_values, validation
from services.params.file_values import FileValue
from services.rundir import safe
from services.runs import samplesheets
from services.runs.samplesheets import Library, Opened, Registered
from services.settings import Settings


@dataclass(frozen=True)
class Checked:
    """A request that fits; nothing of it was stored."""

    workflow: Workflow
    submission: Submission
    sources: dict[str, Path]  # files of the workflow's own example, by sha256


class Intake:
    """What stands between a request and the queue."""

    def __init__(self, settings: Settings, files: Files, workflows: Catalogue) -> None:
        self._settings = settings
        self._files = files
        self._workflows = workflows

    @contextlib.contextmanager
    def accepting(self, actor: Actor, request: RunRequest) -> Iterator[Submission]:
        """The checked submission; while it is being stored, none of its files can be deleted.

        Raises Invalid with every problem, Forbidden for a priority that is not the actor's.
        """
        _check_priority(actor, request)
        workflow = self._available(actor, request.workflow)
        given = self._given(actor, workflow, request)
        checked = validation.check(workflow.params_schema, given)
        library = Registered(self._files, actor)
        if contents.is_needed(workflow.params_schema):  # before the lock: reading may take a while
            draft = self._submission(actor, request, workflow, checked, library)
            contents.check(workflow.params_schema, draft.inputs, self._files.blob)
        self._workflows.snapshot(workflow)
        with self._files.lock():
            yield self._submission(actor, request, workflow, checked, library)

    def check(self, actor: Actor, request: RunRequest) -> Checked:
        """The same checks for a request that is only tried; raises what `accepting` raises."""
        _check_priority(actor, request)
        workflow = self._available(actor, request.workflow)
        beside = _Beside(self._workflows.folder(workflow.name))
        given = self._wanted(workflow, request)
        checked = validation.check(workflow.params_schema, given)
        library = beside if request.example else Registered(self._files, actor)
        accepted = self._submission(actor, request, workflow, checked, library)
        blob = beside.sources.__getitem__ if request.example else self._files.blob
        contents.check(workflow.params_schema, accepted.inputs, blob)
        return Checked(workflow, accepted, beside.sources)

    def _submission(
        self,
        actor: Actor,
        request: RunRequest,
        workflow: Workflow,
        checked: dict[str, Any],
        library: Library,
    ) -> Submission:
        """What a request with `checked` parameters is accepted as; its files are in `library`."""
        opened = samplesheets.opened(library, workflow.params_schema, checked)
        return Submission(
            name=request.name.strip() or _usual_name(workflow, request),
            workflow=workflow.name,
            workflow_title=workflow.title,
            workflow_version=workflow.version,
            digest=workflow.digest,
            owner=actor.id,
            tags=distinct(request.tags),
            params=opened.params,
            inputs=self._inputs(library, workflow, opened),
            sheets=opened.tables,
            cores=self._settings.cores_per_run,
            priority=request.priority,
            retries=request.retries,
        )

    def _available(self, actor: Actor, name: str) -> Workflow:
        try:
            workflow = self._workflows.get(actor, name)
        except NotFound as error:
            names = [workflow.name for workflow in self._workflows.list(actor)]
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."
            raise Invalid("There is no such workflow.", field="workflow", hint=hint) from error
        if not workflow.available:
            hint = " ".join(workflow.problems)
            raise Invalid("This workflow cannot run on this desk.", field="workflow", hint=hint)
        return workflow

    def _given(self, actor: Actor, workflow: Workflow, request: RunRequest) -> Mapping[str, Any]:
        """The parameters of a request; those of the example with its files registered."""
        given = self._wanted(workflow, request)
        if not request.example:
            return given
        folder = self._workflows.folder(workflow.name)
        for value in list(file_values.file_values(workflow.params_schema, given)):
            with (folder / value.value).open("rb") as stream:
                file = self._files.register(actor, Path(value.value).name, stream)
            given = file_values.with_file(given, value, file.id)
        return given

    def _wanted(self, workflow: Workflow, request: RunRequest) -> dict[str, Any]:
        """The parameters of a request, or those of the example as the workflow has them."""
        if request.example and request.params is not None:
            raise Invalid("Send params or example, not both.", field="params")
        if not request.example:
            if request.params is None:
                hint = 'Send the parameters, or "example": true.'
                raise Invalid("This is needed.", field="params", hint=hint)
            return dict(request.params)
        if workflow.example is None:
            raise Invalid("This workflow has no example.", field="example")
        folder = self._workflows.folder(workflow.name)
        return samplesheets.with_rows(workflow.params_schema, workflow.example.params, folder)

    def _inputs(self, library: Library, workflow: Workflow, opened: Opened) -> list[Input]:
        """The files that parameters name, as they are in the library. Raises Invalid."""
        defaults = validation.defaults(workflow.params_schema)
        values = [
            value
            for value in opened.files(workflow.params_schema)
            if not file_values.stands_in(defaults, value)  # else a path of its own
        ]
        known = library.by_ids({str(value.value) for value in values})
        inputs: list[Input] = []
        taken: dict[str, str] = {}  # path → file
        problems = []
        for value in values:
            file, where = known.get(str(value.value)), f"params.{value.place}"
            if file is None:
                hint = "Use the id of a file that you registered."
                problems.append(Problem(where, "There is no such file.", hint))
            elif value.pattern and not re.search(value.pattern, file.name):
                words = f"{file.name} is not a file of the kind that is asked for here."
                problems.append(Problem(where, words, f"Its name must match {value.pattern}"))
            else:
                inputs.append(_input(value.place, file, _staged_path(value, file, taken)))
        if problems:
            raise Invalid("The parameters do not fit the workflow.", problems=problems)
        return inputs


class _Beside:
    """Files of a workflow's own example, which stand for registered ones: a path is an id."""

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
        found = self._folder / path
        with found.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self.sources[sha256] = found
        return File(
            id=sha256[:24],
            name=found.name,
            size=found.stat().st_size,
            sha256=sha256,
            kind="",
            owner="",
            created=datetime.now(UTC),
        )


def _check_priority(actor: Actor, request: RunRequest) -> None:
    if request.priority > 0 and not actor.admin:
        raise Forbidden(
            "Only an administrator may put a run before those of others.",
            field="priority",
            hint="Use a priority of 0 or below.",
        )


def distinct(tags: Iterable[str]) -> list[str]:
    """Tags without blanks around them, each once."""
    return list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def _input(field: str, file: File, path: str) -> Input:
    return Input(
        field=field, file=file.id, name=file.name, path=path, size=file.size, sha256=file.sha256
    )


def _staged_path(value: FileValue, file: File, taken: dict[str, str]) -> str:
    """A safe path: workflows paste names into shell lines and derive sample names of them.

    A file that several rows of a sheet name, or several objects of a list, is staged once.
    """
    name = safe(file.name)[-100:]
    folder = "/".join(["inputs", *map(safe, value.names)])
    path, number = f"{folder}/{name}", 1
    while path in taken and not (len(value.names) > 1 and taken[path] == file.id):
        number += 1
        stem, dot, rest = name.partition(".")
        path = f"{folder}/{stem}-{number}{dot}{rest}"
    taken[path] = file.id
    return path


def _usual_name(workflow: Workflow, request: RunRequest) -> str:
    return f"{workflow.title}, example" if request.example else workflow.title
