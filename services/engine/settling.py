"""Brings a run from the end of its Snakemake to its final state. Every step may be repeated.

The supervisor settles its attempt; when it is gone too, the reconciler does so with the same code.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from services.catalogue.layout import manifest_of, snapshot_folder
from services.catalogue.requirements import versions
from services.database import Database
from services.database.runs import Outcome
from services.engine import causes, reporter
from services.engine.publishing import Limits, PublishingStopped, publish, targets_of
from services.engine.snakemake_metadata import recorded_outputs
from services.errors import Message, TransitionRefused
from services.host.atomic import write_atomically
from services.host.disk import no_room
from services.logs import tail
from services.models import Cause, CauseKind, Model, Publishing, State
from services.rundir import RunDir
from services.settings import Settings

log = logging.getLogger("rundesk.settling")

GIB = 1024**3
PUBLISH_TIMEOUT_S = 12 * 3600.0  # to list the results of a run; the rest is left out then
RETRY_DELAYS_S = (1.0, 5.0, 30.0)  # of the next attempt, by failures of the installation
LOG_TAIL_BYTES = 65_536  # of the end of a log that are read

CAUSE_UNKNOWN = Message(
    "system_error",
    "The run failed, and its cause could not be determined.",
    hint="The log of the server contains the error.",
)
DISK_FULL_AFTER_END = Message(
    "system_error",
    "The run succeeded, but its results could not be published because the disk is full.",
    hint=causes.CONTACT_OPERATORS,
)
NOT_PUBLISHED = Message(
    "system_error",
    "The run succeeded, but its results could not be published: {error}",
    hint="Resume the run: finished jobs are not executed again.",
)
ATTEMPT_FAILED = Message("executor_error", "Attempt {number} failed ({failures} of {limit}).")


class PreparationFailure(Model):
    """Why Snakemake was never started."""

    cause: Cause
    hopeless: bool = False  # another attempt would fail the same way


class ExitRecord(Model):
    """How an attempt ended: `exit.json`."""

    exit_code: int | None = None  # None: killed by a signal, or unknown
    signal: int | None = None
    canceled: bool = False
    overtime: bool = False  # stopped by Rundesk at the time limit
    shutdown: bool = False
    started: datetime | None = None  # None: Snakemake was never started
    ended: datetime
    cause: Cause | None = None
    hopeless: bool = False  # another attempt would end the same way
    unlisted: bool = False  # it succeeded, and its results could not be published
    note: str = ""  # for the history, such as results that are left out

    @property
    def state(self) -> State:
        """The final state of the attempt itself."""
        if self.canceled:
            return State.CANCELED
        if self.exit_code == 0:
            return State.SYSTEM_ERROR if self.unlisted else State.COMPLETE
        by_workflow = self.overtime or self.exit_code is not None
        return State.EXECUTOR_ERROR if by_workflow else State.SYSTEM_ERROR

    def write(self, path: Path) -> None:
        """Write the record atomically; it survives a power failure."""
        with write_atomically(path, durable=True) as file:
            file.write(self.model_dump_json())

    @classmethod
    def read(cls, path: Path) -> ExitRecord | None:
        """Read a record; None when the file does not exist."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None


@dataclass(frozen=True)
class AttemptTarget:
    """An attempt of a run, and where its files are."""

    settings: Settings
    run_id: str
    number: int
    digest: str = ""  # of the workflow; "": the database has it

    @property
    def rundir(self) -> RunDir:
        return RunDir.of(self.settings.data, self.run_id)

    def read_evidence(self) -> causes.Evidence:
        """Read what the attempt left behind, as far as it is readable."""
        files = self.rundir.attempt(self.number)
        records = list(reporter.read(files.errors))
        names = {name for record in records for name in record.get("log", ())}
        return causes.Evidence(
            attempt=self.number,
            records=records,
            console=_read_tail(files.console),
            logs={name: text for name in names if (text := self._tail_of_log(name))},
        )

    def _tail_of_log(self, name: str) -> str:
        """Return the end of a log that the run names; "" for a file outside of its directory."""
        path = self.rundir.root / name
        return _read_tail(path) if self.rundir.contains(path) else ""


def find_cause(
    attempt: AttemptTarget,
    explain: Callable[[causes.Evidence], Cause | None] = causes.explain,
    **circumstances: Any,
) -> Cause | None:
    """Return the cause of an end under these circumstances (fields of Evidence).

    Never raises: a run is settled whatever its files contain.
    """
    try:
        return explain(replace(attempt.read_evidence(), **circumstances))
    except Exception:
        log.exception("the files of an attempt could not be interpreted")
        text = CAUSE_UNKNOWN()
        return Cause(kind=CauseKind.UNKNOWN, message=str(text), hint=text.hint)


def publish_results(
    attempt: AttemptTarget,
    record: ExitRecord,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
    wait: Callable[[float], object] = time.sleep,
    progress: Publishing | None = None,
) -> ExitRecord:
    """Publish the results of an attempt that succeeded; return the record of its end after that.

    Needs the attempt's digest, and no database. Repeats it after 1, 5 and 30 s when the storage
    fails: the jobs have ended well, so another attempt would not help. Raises PublishingStopped.
    """
    for seconds in (*RETRY_DELAYS_S, None):
        published, storage_failed = _publish(attempt, record, is_stopped, progress)
        if not storage_failed or seconds is None:
            break
        wait(seconds)
    return published


def _publish(
    attempt: AttemptTarget,
    record: ExitRecord,
    is_stopped: Callable[[], bool],
    progress: Publishing | None,
) -> tuple[ExitRecord, bool]:
    """Publish the results once; return the record, and whether the storage failed."""
    if record.state is not State.COMPLETE:
        return record, False
    began = time.monotonic()
    limits = Limits(
        attempt.settings.max_output * GIB,
        is_stopped,
        lambda: time.monotonic() - began > PUBLISH_TIMEOUT_S,
    )
    try:
        manifest = manifest_of(snapshot_folder(attempt.settings.data, attempt.digest))
        used = _engine_versions() | versions(manifest.needs.modules)
        attempt.rundir.software.write_text(json.dumps(used), encoding="utf-8")
        outputs = sorted(recorded_outputs(attempt.rundir.root))
        note = publish(
            attempt.rundir,
            outputs,
            manifest.highlights,
            limits=limits,
            targets=targets_of(attempt.rundir),
            cache=attempt.settings.cache,
            progress=progress,
        )
    except PublishingStopped:
        raise
    except Exception as error:
        log.exception("the results could not be published")
        fields = {"cause": _publishing_failure(error), "unlisted": True, "hopeless": True}
        return record.model_copy(update=fields), isinstance(error, OSError)
    return record.model_copy(update={"note": note}), False


@functools.cache
def _engine_versions() -> dict[str, str]:
    """Return the versions of what executes runs: those in memory, even if newer are installed."""
    return versions(["snakemake", "rundesk"])


def record_end(attempt: AttemptTarget, database: Database, record: ExitRecord) -> State:
    """Replay spooled records, close the jobs and change the state of the run.

    Returns the new state. Raises what `settle` raises.
    """
    apply = partial(database.jobs.apply, attempt.run_id, attempt.number)
    spool = reporter.Spool(attempt.rundir.attempt(attempt.number).spool)
    spool.drain(reporter.skip_unstorable(apply, lambda error: log.error("not stored: %s", error)))
    database.jobs.close(attempt.run_id, attempt.number, record.state, now=record.ended)
    return _transition_after(attempt, database, record, _outcome(attempt, database, record))


def _outcome(attempt: AttemptTarget, database: Database, record: ExitRecord) -> Outcome:
    """Return how an attempt ended, and how many such failures are allowed.

    Failures of the workflow and of the system are counted apart, each since the run was submitted
    or resumed. A run is not tried again after a failure that would repeat itself, nor after one of
    the workflow unless retries were requested.
    """
    state, code = record.state, -record.signal if record.signal is not None else record.exit_code
    if state not in (State.EXECUTOR_ERROR, State.SYSTEM_ERROR):
        return Outcome(state, code)
    run = database.runs.get(attempt.run_id, None)
    failures = database.runs.failures(attempt.run_id, attempt.number)[state] + 1
    retries = run.retries if run else 0
    limit = 1 + retries if state is State.EXECUTOR_ERROR else attempt.settings.attempts
    return Outcome(state, code, failures, failures if record.hopeless else limit)


def _transition_after(
    attempt: AttemptTarget, database: Database, record: ExitRecord, outcome: Outcome
) -> State:
    """Move the run to its state after this attempt, or back to the queue; return that state."""
    end = partial(database.runs.end, attempt.run_id, attempt.number, now=record.ended)
    if outcome.failures is not None and outcome.failures < (outcome.limit or 0):
        if record.started is not None:
            with contextlib.suppress(TransitionRefused):  # recorded already
                database.runs.start(attempt.run_id, attempt.number, now=record.started)
        note = ATTEMPT_FAILED(number=attempt.number, failures=outcome.failures, limit=outcome.limit)
        with contextlib.suppress(TransitionRefused):
            return end(
                State.QUEUED,
                note=str(note),
                cause=record.cause,
                outcome=outcome,
                not_before=_retry_time(record, outcome),
            ).state
        # Canceled meanwhile: nothing else keeps a live attempt from the queue.
        outcome = Outcome(State.CANCELED, outcome.exit_code)
        return end(State.CANCELED, cause=causes.canceled_cause(), outcome=outcome).state
    end = partial(end, outcome.state, cause=record.cause, outcome=outcome, note=record.note)
    if record.started is not None:  # a short run, or the database was unavailable at its start
        with contextlib.suppress(TransitionRefused):  # recorded already
            return end(started=record.started).state
    return end().state


def _retry_time(record: ExitRecord, outcome: Outcome) -> datetime | None:
    """Return when a run is tried again: later after each failure of the installation."""
    if outcome.state is not State.SYSTEM_ERROR or not outcome.failures:
        return None
    seconds = RETRY_DELAYS_S[min(outcome.failures, len(RETRY_DELAYS_S)) - 1]
    return record.ended + timedelta(seconds=seconds)


def _publishing_failure(error: Exception) -> Cause:
    if no_room(error):
        return causes.disk_full(DISK_FULL_AFTER_END())
    text = NOT_PUBLISHED(error=error)
    return Cause(kind=CauseKind.UNKNOWN, message=str(text), hint=text.hint)


def _read_tail(path: Path) -> str:
    try:
        return tail(path, LOG_TAIL_BYTES)
    except OSError:
        return ""
