"""Submits, returns, changes and cancels runs. `services.engine` executes them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.access.actors import check_may_change, scope
from services.catalogue import Catalogue
from services.database import Database
from services.engine.causes import canceled_cause
from services.errors import (
    Conflict,
    Invalid,
    KeyReused,
    Message,
    NotFound,
    TransitionRefused,
)
from services.files import Files
from services.models import (
    Actor,
    Graph,
    Job,
    Page,
    Run,
    RunChanges,
    RunFilter,
    RunRequest,
    State,
)
from services.rundir import RunDir
from services.runs.intake import Intake, distinct
from services.runs.queue_position import Queue
from services.runs.steps import graph_of
from services.settings import Settings
from services.single_flight import SingleFlight

log = logging.getLogger(__name__)

DELETED = ".deleted-"  # begins the names of folders of deleted runs
RUN_ID = re.compile(r"[0-9a-f]{24}")
JOB_ID = re.compile(r"[0-9]{1,6}-[0-9]{1,9}")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")
IDEMPOTENCY_FIELD = "header.Idempotency-Key"

RUN_NOT_FOUND = Message("not_found", "Run not found.")
MALFORMED_RUN_ID = Message(
    "not_found", RUN_NOT_FOUND.template, hint="A run id has 24 hexadecimal characters."
)
JOB_NOT_FOUND = Message("not_found", "Job not found.")
MALFORMED_JOB_ID = Message(
    "not_found",
    JOB_NOT_FOUND.template,
    hint="A job id has the numbers of the attempt and of the job, for instance 1-7.",
)
RUN_FINISHED = Message("wrong_state", "The run has already finished: its state is {state}.")
NOT_RESUMABLE = Message(
    "wrong_state", "Only failed or canceled runs can be resumed; this run is {state}."
)
NOT_DELETABLE = Message(
    "wrong_state", "The run is {state}; only finished runs can be deleted.", hint="Cancel it first."
)
FILES_REMAIN = Message(
    "system_error",
    "The run was not deleted, because its files cannot be removed: {reason}.",
    hint="Contact the administrator.",
)
NO_LOG = Message("not_found", "This run has no log yet.")
NO_JOB_LOG = Message("not_found", "This job has no log file.")
WRONG_KEY = Message(
    "wrong_format", "An idempotency key must have 1 to 200 visible ASCII characters."
)
REUSED_KEY = Message(
    "not_unique",
    "This idempotency key was used for a different submission.",
    hint="Use a new key for each submission.",
)


def run_not_found(run_id: str) -> NotFound:
    """Return the error for a run that does not exist or belongs to another user."""
    return NotFound(RUN_NOT_FOUND() if RUN_ID.fullmatch(run_id) else MALFORMED_RUN_ID())


def job_not_found(job_id: str) -> NotFound:
    """Return the error for a job that does not exist."""
    return NotFound(JOB_NOT_FOUND() if JOB_ID.fullmatch(job_id) else MALFORMED_JOB_ID())


#: What a run lacks in a summary.
SUMMARY: dict[str, Any] = {
    "params": {},
    "inputs": [],
    "attempts": [],
    "history": [],
    "cause": None,
}


class Runs:
    """The runs of all owners."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        files: Files,
        workflows: Catalogue,
        queue: Queue,
    ) -> None:
        self._settings = settings
        self._store = database.runs
        self._jobs = database.jobs
        self._queue = queue
        self._intake = Intake(settings, files, workflows)
        self._watched = SingleFlight()

    def submit(
        self, actor: Actor, request: RunRequest, *, idempotency_key: str | None = None
    ) -> Run:
        """Check a submission and queue it.

        The same key again returns the same run. Raises Invalid with every problem, Forbidden for a
        priority reserved for administrators, Conflict for a key used with another body.
        """
        check_may_change(actor)
        body = _body(request)
        key = _checked_key(idempotency_key)
        if key and (earlier := self._store.by_key(actor.id, key)):
            return self._queue.with_positions([_same(*earlier, body)])[0]
        with self._intake.accepting(actor, request) as accepted:
            stored = self._store.add(accepted, now=datetime.now(UTC), key=key, body=body)
        return self._queue.with_positions([_same(*stored, body)])[0]

    def get(self, actor: Actor, run_id: str) -> Run:
        """Return a run. Raises NotFound."""
        owner = scope(actor)
        run = self._watched.get((owner, run_id), lambda: self._read(run_id, owner))
        if run is None:
            raise run_not_found(run_id)
        return run

    def _read(self, run_id: str, owner: str | None) -> Run | None:
        run = self._store.get(run_id, owner)
        return self._queue.with_positions([run])[0] if run else None

    def list(self, actor: Actor, selection: RunFilter) -> Page[Run]:
        """Return a page of the runs that a filter selects."""
        page = self._store.page(selection, scope(actor))
        items = self._queue.with_positions(page.items)
        if selection.view == "summary":
            items = [run.model_copy(update=SUMMARY) for run in items]
        return page.model_copy(update={"items": items})

    def list_with_total(self, actor: Actor, selection: RunFilter) -> Page[Run]:
        """Return the same page with the number of runs that the filter selects."""
        return self._store.counted(self.list(actor, selection), selection, scope(actor))

    def counts(self, actor: Actor) -> dict[State, int]:
        """Return the number of runs in each state."""
        return self._store.counts(scope(actor))

    def resubmit(self, actor: Actor, run_id: str, *, idempotency_key: str | None = None) -> Run:
        """Submit a run again with its parameters, name, tags and retries. Raises Invalid.

        The new run belongs to the actor, uses the current version of the workflow, and has a
        priority of at most 0.
        """
        run = self.get(actor, run_id)
        request = RunRequest(
            workflow=run.workflow,
            params=None if run.base else run.params,
            example=bool(run.base),
            complete=run.complete,
            replacements=run.replacements,
            name=run.name,
            tags=run.tags,
            priority=min(run.priority, 0),
            retries=run.retries,
        )
        return self.submit(actor, request, idempotency_key=idempotency_key)

    def jobs(self, actor: Actor, run_id: str) -> Sequence[Job]:
        """Return the started jobs of the current attempt, in the order of their start."""
        self.get(actor, run_id)
        plan = self._store.plan(run_id)
        return self._jobs.list(run_id, plan.attempt) if plan else []

    def job(self, actor: Actor, run_id: str, job_id: str) -> Job:
        """Return a job of a run. Raises NotFound."""
        self.get(actor, run_id)
        job = self._jobs.get(run_id, job_id)
        if job is None:
            raise job_not_found(job_id)
        return job

    def graph(self, actor: Actor, run_id: str) -> Graph:
        """Return the rules in the order they first ran; those that have not run come last."""
        run = self.get(actor, run_id)
        plan = self._store.plan(run_id)
        if plan is None:
            raise run_not_found(run_id)
        return graph_of(run, plan, self._jobs.count(run_id, plan.attempt))

    def update(self, actor: Actor, run_id: str, changes: RunChanges) -> Run:
        """Change the name and the tags of a run."""
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
            raise run_not_found(run_id)
        return self._queue.with_positions([changed])[0]

    def cancel(self, actor: Actor, run_id: str) -> Run:
        """Cancel a run: at once while it is QUEUED, else by ending its processes.

        Raises Conflict when it has finished.
        """
        check_may_change(actor)
        while not (run := self.get(actor, run_id)).state.final:
            if run.state is State.CANCELING:
                return run
            queued = run.state is State.QUEUED
            target, cause = (
                (State.CANCELED, canceled_cause()) if queued else (State.CANCELING, None)
            )
            with contextlib.suppress(TransitionRefused):  # its state has just changed: try again
                return self._store.move(
                    run_id, target, now=datetime.now(UTC), only_from=[run.state], cause=cause
                )
        raise TransitionRefused(RUN_FINISHED(state=run.state))

    def resume(self, actor: Actor, run_id: str) -> Run:
        """Queue a run for its next attempt; finished jobs are kept.

        Raises Conflict unless it failed or was canceled.
        """
        check_may_change(actor)
        run = self.get(actor, run_id)
        try:
            return self._store.requeue(run, now=datetime.now(UTC), note="Resumed.")
        except TransitionRefused:
            state = self.get(actor, run_id).state
        raise TransitionRefused(NOT_RESUMABLE(state=state))

    def delete(self, actor: Actor, run_id: str) -> None:
        """Delete a run and its run directory. Raises Conflict unless it has finished.

        Nothing is deleted when its folders cannot be moved away. What cannot be removed after that
        is removed by `sweep`.
        """
        check_may_change(actor)
        run = self.get(actor, run_id)
        if not run.state.final:
            raise TransitionRefused(NOT_DELETABLE(state=run.state))
        rundir = RunDir.of(self._settings.data, run_id)
        moved = _moved_away(rundir.root, rundir.internal)
        if not self._store.delete(run_id):  # resumed meanwhile
            for folder, place in moved.items():
                place.rename(folder)
            raise TransitionRefused(NOT_DELETABLE(state=self.get(actor, run_id).state))
        self._jobs.delete(run_id)
        for place in moved.values():
            _remove(place)

    def sweep(self, now: datetime) -> int:  # noqa: ARG002 - it is a tick of the runner
        """Remove what is left of deleted runs; return how many folders there were."""
        rundir = RunDir.of(self._settings.data, "any")
        parents = {rundir.root.parent, rundir.internal.parent}
        found = [path for parent in parents for path in parent.glob(f"{DELETED}*")]
        for path in found:
            _remove(path)
        return len(found)

    def log(self, actor: Actor, run_id: str) -> Path:
        """Return the file with Snakemake's output of the last attempt.

        Raises NotFound before there is any output.
        """
        run = self.get(actor, run_id)
        number = run.attempts[-1].number if run.attempts else 0
        path = RunDir.of(self._settings.data, run_id).attempt(number).console
        if not path.is_file():
            raise NotFound(NO_LOG())
        return path

    def software(self, actor: Actor, run_id: str) -> dict[str, str]:
        """Return the versions of the software used, by name; empty before the run has started."""
        self.get(actor, run_id)
        path = RunDir.of(self._settings.data, run_id).software
        versions: dict[str, str] = json.loads(path.read_bytes()) if path.is_file() else {}
        return versions

    def job_log(self, actor: Actor, run_id: str, job_id: str) -> Path:
        """Return the log file of a job. Raises NotFound when its rule names none or none exists."""
        job = self.job(actor, run_id, job_id)
        rundir = RunDir.of(self._settings.data, run_id)
        for name in job.log:
            if rundir.contains(path := rundir.root / name):
                return path.resolve()
        raise NotFound(NO_JOB_LOG())


def _body(request: RunRequest) -> str:
    """Return a digest of a request."""
    text = json.dumps(request.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _checked_key(key: str | None) -> str | None:
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise Invalid(WRONG_KEY(), field=IDEMPOTENCY_FIELD)
    return key


def _same(run: Run, stored: str, body: str) -> Run:
    if stored != body:
        raise KeyReused(REUSED_KEY(), field=IDEMPOTENCY_FIELD)
    return run


def _moved_away(*folders: Path) -> dict[Path, Path]:
    """Rename folders of a run that is deleted; return their new places, by folder.

    Raises Conflict when one cannot be renamed; all of them are at their places then.
    """
    moved: dict[Path, Path] = {}
    for folder in folders:
        place = folder.with_name(f"{DELETED}{folder.name}-{secrets.token_hex(4)}")
        try:
            folder.rename(place)
        except FileNotFoundError:
            continue
        except OSError as error:
            for former, present in moved.items():
                present.rename(former)
            reason = os.strerror(error.errno or errno.EIO)
            raise Conflict(FILES_REMAIN(reason=reason)) from error
        moved[folder] = place
    return moved


def _remove(folder: Path) -> None:
    """Remove a folder of a deleted run as far as possible; log what remains."""
    failures: list[str] = []
    shutil.rmtree(folder, onerror=lambda _, path, error: failures.append(f"{path}: {error[1]}"))
    if failures:
        log.warning("a deleted run is not completely removed; trying again later: %s", failures[0])
