"""Runs: submit, look, cancel. What executes them is in `services.engine`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.access.actors import check_may_change, scope
from services.catalogue import Catalogue
from services.database import Database
from services.engine.causes import canceled_cause
from services.errors import Conflict, Invalid, NotFound, TransitionRefused
from services.files import Files
from services.models import (
    Actor,
    Graph,
    Job,
    Limits,
    Line,
    Page,
    Run,
    RunChanges,
    RunFilter,
    RunRequest,
    State,
    Statistics,
    WorkflowStatistics,
)
from services.rundir import RunDir
from services.runs.intake import Intake, distinct
from services.runs.queue_position import Queue
from services.runs.steps import graph_of
from services.settings import MIB, Settings
from services.single_flight import Together


class Runs:
    """The runs of all owners."""

    def __init__(
        self, settings: Settings, database: Database, files: Files, workflows: Catalogue
    ) -> None:
        self._settings = settings
        self._store = database.runs
        self._jobs = database.jobs
        self._queue = Queue(settings, database)
        self._intake = Intake(settings, files, workflows)
        self._watched = Together()

    def submit(
        self, actor: Actor, request: RunRequest, *, idempotency_key: str | None = None
    ) -> Run:
        """Check a submission and queue it.

        The same key again returns the same run. Raises Invalid with every problem, Forbidden for
        a priority that is not the actor's, Conflict when the key was used for another body.
        """
        check_may_change(actor)
        body = _body(request)
        key = _checked_key(idempotency_key)
        if key and (there := self._store.by_key(actor.id, key)):
            return self._queue.placed([_same(*there, body)])[0]
        with self._intake.accepting(actor, request) as accepted:
            stored = self._store.add(accepted, now=datetime.now(UTC), key=key, body=body)
        return self._queue.placed([_same(*stored, body)])[0]

    def get(self, actor: Actor, run_id: str) -> Run:
        owner = scope(actor)
        found = self._watched.get((owner, run_id), lambda: self._look(run_id, owner))
        if found is None:
            raise NotFound("There is no such run.")
        return found

    def _look(self, run_id: str, owner: str | None) -> Run | None:
        run = self._store.get(run_id, owner)
        return self._queue.placed([run])[0] if run else None

    def list(self, actor: Actor, wanted: RunFilter) -> Page[Run]:
        """Newest first."""
        page = self._store.page(wanted, scope(actor))
        return Page(items=self._queue.placed(page.items), next=page.next)

    def counts(self, actor: Actor) -> dict[State, int]:
        """How many runs are in each state."""
        return self._store.counts(scope(actor))

    def again(self, actor: Actor, run_id: str, *, idempotency_key: str | None = None) -> Run:
        """Submit a run once more, as it was: parameters, name, tags, retries. Raises Invalid.

        With the workflow as it is now, in the actor's name and with a priority that is anybody's.
        """
        run = self.get(actor, run_id)
        request = RunRequest(
            workflow=run.workflow,
            params=run.params,
            name=run.name,
            tags=run.tags,
            priority=min(run.priority, 0),
            retries=run.retries,
        )
        return self.submit(actor, request, idempotency_key=idempotency_key)

    def queue(self, actor: Actor) -> Line:  # noqa: ARG002 - the same for everybody
        """The queue as a whole."""
        return self._queue.line()

    def limits(self, actor: Actor) -> Limits:  # noqa: ARG002
        """What may be sent and run at most."""
        settings = self._settings
        return Limits(
            upload_bytes=settings.max_upload * MIB,
            body_bytes=settings.max_body * MIB,
            runs=settings.max_runs,
            runs_per_owner=settings.max_runs_per_owner or None,
            cores_per_run=settings.cores_per_run,
            seconds_per_attempt=settings.walltime * 60 or None,
            log_bytes=settings.max_console * MIB,
            retries=5,
            page=200,
            import_hosts=list(settings.import_hosts),
            inbox=settings.inbox_folder is not None,
            submissions_per_minute=settings.rate_submit or None,
            uploads_per_minute=settings.rate_uploads or None,
        )

    def statistics(self, actor: Actor) -> Statistics:
        """Runs by state and by workflow."""
        tally = self._store.tally(scope(actor))
        return Statistics(
            runs={state: sum(one[state] for one in tally.values()) for state in State},
            workflows=[
                WorkflowStatistics(workflow=name, runs=states, seconds=self.usual_seconds(name))
                for name, states in tally.items()
            ],
        )

    def usual_seconds(self, workflow: str) -> float | None:
        """Median time of the last completed runs of a workflow here; None when there is none."""
        return self._queue.usual_seconds(workflow)

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
        return graph_of(run, plan, self._jobs.count(run_id, plan.attempt))

    def update(self, actor: Actor, run_id: str, changes: RunChanges) -> Run:
        """Change what people call a run: its name and its tags."""
        check_may_change(actor)
        run = self.get(actor, run_id)
        fields: dict[str, Any] = {}
        if changes.name is not None:
            fields["name"] = changes.name.strip() or run.workflow_title
        if changes.tags is not None:
            fields["tags"] = distinct(changes.tags)
        if not fields:
            return run
        changed = self._store.describe(run_id, **fields)
        if changed is None:
            raise NotFound("There is no such run.")
        return self._queue.placed([changed])[0]

    def cancel(self, actor: Actor, run_id: str) -> Run:
        """Stop a run: at once while it waits, else by ending its processes. Conflict when over."""
        check_may_change(actor)
        while not (run := self.get(actor, run_id)).state.final:
            if run.state is State.CANCELING:
                return run
            waits = run.state is State.QUEUED
            target, cause = (State.CANCELED, canceled_cause()) if waits else (State.CANCELING, None)
            with contextlib.suppress(TransitionRefused):  # it has just moved on: look again
                return self._store.transition(
                    run_id, target, now=datetime.now(UTC), only_from=[run.state], cause=cause
                )
        raise Conflict(f"The run is over: it is {run.state}.")

    def resume(self, actor: Actor, run_id: str) -> Run:
        """Queue a run for its next attempt; finished jobs are kept. Conflict when it cannot."""
        check_may_change(actor)
        run = self.get(actor, run_id)
        try:
            return self._store.requeue(run, now=datetime.now(UTC), note="Resumed.")
        except TransitionRefused:
            state = self.get(actor, run_id).state
        raise Conflict(f"Only a run that failed or was canceled can be resumed: this is {state}.")

    def delete(self, actor: Actor, run_id: str) -> None:
        """Forget a run and everything it made. Conflict while it is not over."""
        check_may_change(actor)
        run = self.get(actor, run_id)
        if not self._store.delete(run_id):
            raise Conflict(f"The run is {run.state}.", hint="Cancel it first.")
        self._jobs.delete(run_id)
        shutil.rmtree(RunDir.of(self._settings.data, run_id).root, ignore_errors=True)

    def log(self, actor: Actor, run_id: str) -> Path:
        """What Snakemake printed in the last attempt. NotFound before it printed anything."""
        run = self.get(actor, run_id)
        number = run.attempts[-1].number if run.attempts else 0
        path = RunDir.of(self._settings.data, run_id).attempt(number).console
        if not path.is_file():
            raise NotFound("This run has no log yet.")
        return path

    def software(self, actor: Actor, run_id: str) -> dict[str, str]:
        """Versions of what took part, by name; empty before the run has started."""
        self.get(actor, run_id)
        path = RunDir.of(self._settings.data, run_id).software
        found: dict[str, str] = json.loads(path.read_bytes()) if path.is_file() else {}
        return found

    def job_log(self, actor: Actor, run_id: str, job_id: str) -> Path:
        """The log file of a job's rule. NotFound when the rule names none or it is not there."""
        job = self.job(actor, run_id, job_id)
        home = RunDir.of(self._settings.data, run_id).root
        for name in job.log:
            path = (home / name).resolve()
            if path.is_relative_to(home.resolve()) and path.is_file():
                return path
        raise NotFound("This job has no log file.")


def _body(request: RunRequest) -> str:
    """A digest of what a submission asks for."""
    text = json.dumps(request.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _checked_key(key: str | None) -> str | None:
    if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise Invalid(
            "An idempotency key has 1 to 200 visible ASCII characters.",
            field="header.Idempotency-Key",
        )
    return key


def _same(run: Run, stored: str, body: str) -> Run:
    if stored != body:
        raise Conflict(
            "This idempotency key was used for another submission.",
            field="header.Idempotency-Key",
            hint="Use a new key for a new submission.",
        )
    return run
