"""Runs: submit, look, cancel. What executes them is in `services.engine`."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services import params
from services.access import scope
from services.database import Database
from services.errors import Conflict, Invalid, NotFound, Problem, TransitionRefused
from services.files import Files
from services.models import (
    Actor,
    Cause,
    CauseKind,
    File,
    Graph,
    Input,
    Job,
    Page,
    Run,
    RunFilter,
    RunRequest,
    State,
    Step,
    Submission,
    Workflow,
)
from services.rundir import RunDir
from services.settings import Settings
from services.workflows import Catalogue

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
CANCELED = Cause(kind=CauseKind.CANCELED, message="Canceled on request.")


class Runs:
    """The runs of all owners."""

    def __init__(
        self, settings: Settings, database: Database, files: Files, workflows: Catalogue
    ) -> None:
        self._settings = settings
        self._store = database.runs
        self._jobs = database.jobs
        self._files = files
        self._workflows = workflows

    def submit(
        self, actor: Actor, request: RunRequest, *, idempotency_key: str | None = None
    ) -> Run:
        """Check a submission and queue it.

        The same key again returns the same run. Raises Invalid with every problem, Conflict when
        the key was used for another body.
        """
        body = _body(request)
        key = _checked_key(idempotency_key)
        if key and (there := self._store.by_key(actor.id, key)):
            return _same(*there, body)
        workflow = self._available(actor, request.workflow)
        given = self._given(actor, workflow, request)
        checked = params.check(workflow.params_schema, given)
        self._workflows.snapshot(workflow)
        with self._files.unchanging():
            accepted = Submission(
                name=request.name.strip() or _usual_name(workflow, request),
                workflow=workflow.name,
                workflow_title=workflow.title,
                workflow_version=workflow.version,
                digest=workflow.digest,
                owner=actor.id,
                tags=list(dict.fromkeys(tag.strip() for tag in request.tags if tag.strip())),
                params=checked,
                inputs=list(self._inputs(actor, workflow, checked)),
                cores=self._settings.cores_per_run,
            )
            stored = self._store.add(accepted, now=datetime.now(UTC), key=key, body=body)
        return _same(*stored, body)

    def get(self, actor: Actor, run_id: str) -> Run:
        run = self._store.get(run_id, scope(actor))
        if run is None:
            raise NotFound("There is no such run.")
        return run

    def list(self, actor: Actor, wanted: RunFilter) -> Page[Run]:
        """Newest first."""
        return self._store.page(wanted, scope(actor))

    def counts(self, actor: Actor) -> dict[State, int]:
        """How many runs are in each state."""
        return self._store.counts(scope(actor))

    def jobs(self, actor: Actor, run_id: str) -> Sequence[Job]:
        """The jobs of the present attempt that have started, in that order."""
        self.get(actor, run_id)
        plan = self._store.plan(run_id)
        return self._jobs.list(run_id, plan.attempt) if plan else []

    def job(self, actor: Actor, run_id: str, job_id: str) -> Job:
        self.get(actor, run_id)
        job = self._jobs.get(run_id, job_id)
        if job is None:
            raise NotFound("There is no such job.")
        return job

    def graph(self, actor: Actor, run_id: str) -> Graph:
        """Rules in the order they first ran, those still to come last."""
        run = self.get(actor, run_id)
        plan = self._store.plan(run_id)
        if plan is None:
            raise NotFound("There is no such run.")
        jobs = self._jobs.list(run_id, plan.attempt)
        rules = dict.fromkeys([*(job.rule for job in jobs), *plan.jobs])
        steps = [
            _step(rule, [job for job in jobs if job.rule == rule], plan.jobs.get(rule, 0), run)
            for rule in rules
        ]
        return Graph(steps=steps, links=plan.links)

    def cancel(self, actor: Actor, run_id: str) -> Run:
        """Stop a run: at once when it waits, else its processes are ended. Conflict when it is over."""
        self.get(actor, run_id)
        now = datetime.now(UTC)
        try:
            return self._store.transition(
                run_id, State.CANCELED, now=now, only_from=[State.QUEUED], cause=CANCELED
            )
        except TransitionRefused:
            pass
        try:
            return self._store.transition(run_id, State.CANCELING, now=now)
        except TransitionRefused:
            run = self.get(actor, run_id)
        if run.state is State.CANCELING:
            return run
        raise Conflict(f"The run is over: it is {run.state}.")

    def log(self, actor: Actor, run_id: str) -> Path:
        """What Snakemake printed in the last attempt. NotFound before it printed anything."""
        run = self.get(actor, run_id)
        number = run.attempts[-1].number if run.attempts else 0
        path = RunDir.of(self._settings.data, run_id).attempt(number).console
        if not path.is_file():
            raise NotFound("This run has no log yet.")
        return path

    def job_log(self, actor: Actor, run_id: str, job_id: str) -> Path:
        """The log file of a job's rule. NotFound when the rule names none or it is not there."""
        job = self.job(actor, run_id, job_id)
        home = RunDir.of(self._settings.data, run_id).root
        for name in job.log:
            path = (home / name).resolve()
            if path.is_relative_to(home.resolve()) and path.is_file():
                return path
        raise NotFound("This job has no log file.")

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

    def _inputs(
        self, actor: Actor, workflow: Workflow, checked: Mapping[str, Any]
    ) -> Sequence[Input]:
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


def tail(path: Path, size: int = 65536) -> str:
    """The last `size` bytes of a text file, from the start of a line; what is no UTF-8 is replaced."""
    with path.open("rb") as file:
        start = max(0, file.seek(0, 2) - size)
        file.seek(start)
        text = file.read(size).decode("utf-8", "replace")
    return text.partition("\n")[2] if start else text


def _step(rule: str, jobs: Sequence[Job], planned: int, run: Run) -> Step:
    count = {state: sum(job.state is state for job in jobs) for state in State}
    seconds = [
        (job.ended - job.started).total_seconds()
        for job in jobs
        if job.state is State.COMPLETE and job.started and job.ended
    ]
    total = max(planned, len(jobs))
    if count[State.EXECUTOR_ERROR]:
        state = State.EXECUTOR_ERROR
    elif total and count[State.COMPLETE] == total:
        state = State.COMPLETE
    elif run.state.final:
        state = State.SYSTEM_ERROR if count[State.SYSTEM_ERROR] else State.CANCELED
    else:
        state = State.RUNNING if jobs else State.QUEUED
    return Step(
        rule=rule,
        state=state,
        total=total,
        done=count[State.COMPLETE],
        failed=count[State.EXECUTOR_ERROR],
        running=count[State.RUNNING],
        mean_seconds=sum(seconds) / len(seconds) if seconds else None,
    )


def _staged_path(field: str, file: File, taken: Mapping[str, Input]) -> str:
    """A safe path for an input: workflows paste names into shell lines and derive samples of them."""
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


def _body(request: RunRequest) -> str:
    """A digest of what a submission asks for."""
    text = json.dumps(request.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _checked_key(key: str | None) -> str | None:
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise Invalid(
            "An idempotency key has 1 to 200 visible ASCII characters.", field="Idempotency-Key"
        )
    return key


def _same(run: Run, stored: str, body: str) -> Run:
    if stored != body:
        raise Conflict(
            "This idempotency key was used for another submission.",
            field="Idempotency-Key",
            hint="Use a new key for a new submission.",
        )
    return run
