"""From the end of Snakemake to the final state of the run. Every step may be repeated.

The supervisor settles its attempt; when it is gone too, the reconciler does it by the same code.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from services.database import Database
from services.engine import causes, reporter
from services.errors import DatabaseUnavailable, TransitionRefused
from services.models import Cause, CauseKind, Model, State
from services.results import publish
from services.rundir import RunDir
from services.runs import tail
from services.settings import Settings
from services.workflows import read as read_workflow

log = logging.getLogger("rundesk.settling")

END_OF_LOG = 16_384  # bytes of a log that are looked at
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class Ended(Model):
    """How an attempt ended: `exit.json`."""

    exit_code: int | None = None  # None: ended by a signal, or nobody knows
    signal: int | None = None
    canceled: bool = False
    shutdown: bool = False
    started: datetime | None = None
    ended: datetime
    cause: Cause | None = None

    def write(self, path: Path) -> None:
        """Whole or not at all, and still there after a power cut."""
        draft = path.with_suffix(".part")
        with draft.open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @classmethod
    def read(cls, path: Path) -> Ended | None:
        """None when there is none."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None


@dataclass(frozen=True)
class Attempt:
    """One attempt and where its things are."""

    settings: Settings
    run_id: str
    number: int

    @property
    def rundir(self) -> RunDir:
        return RunDir.of(self.settings.data, self.run_id)

    def evidence(self) -> causes.Evidence:
        """What the attempt left behind, as far as it can be read."""
        place = self.rundir.attempt(self.number)
        records = list(reporter.read(place.errors))
        names = {name for record in records for name in record.get("log", ())}
        return causes.Evidence(
            attempt=self.number,
            records=records,
            console=_end(place.console),
            logs={name: text for name in names if (text := _end(self.rundir.root / name))},
        )


def settle(attempt: Attempt, database: Database, ended: Ended) -> State:
    """Replay what was spooled, publish, close the jobs and move the run on; returns where to.

    Raises DatabaseUnavailable: then do it again. Raises TransitionRefused when the attempt is not
    the run's present one any more.
    """
    target = verdict(ended, attempt)
    if target is State.COMPLETE:
        try:
            _publish(attempt, database)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            log.exception("the results could not be listed")
            ended = ended.model_copy(update={"cause": _unpublished(error)})
            target = State.SYSTEM_ERROR
    apply = partial(database.jobs.apply, attempt.run_id, attempt.number)
    spool = reporter.Spool(attempt.rundir.attempt(attempt.number).spool)
    spool.drain(reporter.tolerant(apply, lambda error: log.error("not stored: %s", error)))
    jobs = State.SYSTEM_ERROR if target is State.QUEUED else target
    database.jobs.close(attempt.run_id, attempt.number, jobs, now=ended.ended)
    return _move(attempt, database, ended, target)


def verdict(ended: Ended, attempt: Attempt) -> State:
    """What becomes of the run. Only what was not the workflow's fault is tried again."""
    if ended.canceled:
        return State.CANCELED
    if ended.exit_code == 0:
        return State.COMPLETE
    if ended.exit_code is not None:
        return State.EXECUTOR_ERROR
    again = attempt.number < attempt.settings.attempts
    return State.QUEUED if again else State.SYSTEM_ERROR


def produced(rundir: RunDir) -> list[str]:
    """Files that jobs made in all attempts, by the records Snakemake itself trusts when it resumes.

    What jobs reported can lack the last moments of a killed attempt; these records cannot. Each is
    a file named by the path in base64, cut into folders where it is long (Snakemake 9.27,
    persistence/file.py).
    """
    root = rundir.root / ".snakemake" / "metadata"
    found = []
    for path in root.rglob("*"):
        if path.is_file():
            name = "".join(part.removeprefix("@") for part in path.relative_to(root).parts)
            with contextlib.suppress(ValueError):
                found.append(urlsafe_b64decode(name).decode())
    return sorted(found)


def _publish(attempt: Attempt, database: Database) -> None:
    run = database.runs.get(attempt.run_id, None)
    folder = attempt.settings.data / "workflows" / (run.digest if run else "")
    publish(attempt.rundir, produced(attempt.rundir), read_workflow(folder).highlights)


def _move(attempt: Attempt, database: Database, ended: Ended, target: State) -> State:
    transition = partial(database.runs.transition, attempt.run_id, attempt=attempt.number)
    if ended.started is not None:  # the database may have been away when it began
        with contextlib.suppress(TransitionRefused):
            transition(State.RUNNING, now=ended.started)
    code = -ended.signal if ended.signal is not None else ended.exit_code
    note = f"attempt {attempt.number} ended" if target is State.QUEUED else ""
    cause = ended.cause
    try:
        transition(target, now=ended.ended, note=note, cause=cause, exit_code=code)
    except TransitionRefused:
        if target is not State.QUEUED:
            raise
        target = State.CANCELED  # asked for since
        cause = causes.explain(causes.Evidence(attempt.number, canceled=True))
        asked = [State.CANCELING]  # never a run that is back in the queue already
        transition(target, now=ended.ended, only_from=asked, cause=cause, exit_code=code)
    return target


def _unpublished(error: Exception) -> Cause:
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return Cause(
            kind=CauseKind.DISK_FULL,
            message="The run ended well, but the disk is full: its results could not be listed.",
            hint="Tell the operators of this desk; then run it again.",
        )
    return Cause(
        kind=CauseKind.UNKNOWN,
        message=f"The run ended well, but its results could not be listed: {error}",
    )


def _end(path: Path) -> str:
    try:
        return tail(path, END_OF_LOG)
    except OSError:
        return ""
