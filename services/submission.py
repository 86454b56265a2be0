"""Checks a submission and turns it into what a run is accepted as."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from services import params
from services.errors import Forbidden, Invalid, NotFound, Problem
from services.files import Files
from services.models import Actor, File, Input, RunRequest, Submission, Workflow
from services.settings import Settings
from services.workflows import Catalogue

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


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
        if request.priority > 0 and not actor.admin:
            raise Forbidden(
                "Only an administrator may put a run before those of others.",
                field="priority",
                hint="Use a priority of 0 or below.",
            )
        workflow = self._available(actor, request.workflow)
        given = self._given(actor, workflow, request)
        checked = params.check(workflow.params_schema, given)
        self._workflows.snapshot(workflow)
        with self._files.unchanging():
            yield Submission(
                name=request.name.strip() or _usual_name(workflow, request),
                workflow=workflow.name,
                workflow_title=workflow.title,
                workflow_version=workflow.version,
                digest=workflow.digest,
                owner=actor.id,
                tags=distinct(request.tags),
                params=checked,
                inputs=self._inputs(actor, workflow, checked),
                cores=self._settings.cores_per_run,
                priority=request.priority,
                retries=request.retries,
            )

    def _available(self, actor: Actor, name: str) -> Workflow:
        names = [workflow.name for workflow in self._workflows.list(actor)]
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(names)}."
            raise Invalid("There is no such workflow.", field="workflow", hint=hint)
        workflow = self._workflows.get(actor, name)
        if not workflow.available:
            hint = " ".join(workflow.problems)
            raise Invalid("This workflow cannot run on this desk.", field="workflow", hint=hint)
        return workflow

    def _given(self, actor: Actor, workflow: Workflow, request: RunRequest) -> Mapping[str, Any]:
        """The parameters of a request; those of the example with its files registered."""
        if request.example and request.params is not None:
            raise Invalid("Send params or example, not both.", field="params")
        if not request.example:
            if request.params is None:
                hint = 'Send the parameters, or "example": true.'
                raise Invalid("This is needed.", field="params", hint=hint)
            return request.params
        if workflow.example is None:
            raise Invalid("This workflow has no example.", field="example")
        given = dict(workflow.example.params)
        folder = self._workflows.folder(workflow.name)
        for value in params.file_values(workflow.params_schema, given):
            with (folder / value.value).open("rb") as stream:
                file = self._files.register(actor, Path(value.value).name, stream)
            if value.index is None:
                given[value.field] = file.id
            else:
                given[value.field] = [*given[value.field]]
                given[value.field][value.index] = file.id
        return given

    def _inputs(self, actor: Actor, workflow: Workflow, checked: Mapping[str, Any]) -> list[Input]:
        """The files that parameters name, as the actor may read them. Raises Invalid."""
        defaults = params.defaults(workflow.params_schema)
        inputs: dict[str, Input] = {}
        problems = []
        for value in params.file_values(workflow.params_schema, checked):
            where = value.field if value.index is None else f"{value.field}.{value.index}"
            if checked[value.field] == defaults.get(value.field):
                continue  # a path of the workflow's own
            try:
                file = self._files.get(actor, value.value)
            except NotFound:
                hint = "Use the id of a file that you registered."
                problems.append(Problem(f"params.{where}", "There is no such file.", hint))
                continue
            if value.pattern and not re.search(value.pattern, file.name):
                words = f"{file.name} is not a file of the kind that is asked for here."
                hint = f"Its name must match {value.pattern}"
                problems.append(Problem(f"params.{where}", words, hint))
                continue
            path = _staged_path(value.field, file, taken=inputs)
            inputs[path] = Input(
                field=where,
                file=file.id,
                name=file.name,
                path=path,
                size=file.size,
                sha256=file.sha256,
            )
        if problems:
            raise Invalid("The parameters do not fit the workflow.", problems=problems)
        return list(inputs.values())


def distinct(tags: Iterable[str]) -> list[str]:
    """Tags without blanks around them, each once."""
    return list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def _staged_path(field: str, file: File, taken: Mapping[str, Input]) -> str:
    """A safe path: workflows paste names into shell lines and derive sample names of them."""
    name = UNSAFE.sub("_", file.name).lstrip("._-")[-100:] or "file"
    folder = f"inputs/{UNSAFE.sub('_', field).lstrip('._-') or 'file'}"
    path, number = f"{folder}/{name}", 1
    while path in taken:
        number += 1
        stem, dot, rest = name.partition(".")
        path = f"{folder}/{stem}-{number}{dot}{rest}"
    return path


def _usual_name(workflow: Workflow, request: RunRequest) -> str:
    return f"{workflow.title}, example" if request.example else workflow.title
