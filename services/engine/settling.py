"""From the end of Snakemake to the final state of the run. Every step may be repeated.

The supervisor settles its attempt; when it is gone too, the reconciler does it by the same code.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from services.catalogue.layout import manifest_of, snapshot_folder
from services.catalogue.requirements import versions
from services.database import Database
from services.database.runs import Outcome
from services.engine import causes, reporter
from services.engine.publishing import publish
from services.engine.snakemake_metadata import made
from services.errors import TransitionRefused
from services.host.atomic import write_atomically
from services.host.disk import no_room
from services.logs import tail
from services.models import Cause, CauseKind, Model, State
from services.rundir import RunDir
from services.settings import Settings

log = logging.getLogger("rundesk.settling")

END_OF_LOG = 16_384  # bytes of a log that are looked at


class Unstarted(Model):
    """Why Snakemake was never started."""

    cause: Cause
    hopeless: bool = False  # it would be the same another time


class Ended(Model):
    """How an attempt ended: `exit.json`."""

    exit_code: int | None = None  # None: ended by a signal, or nobody knows
    signal: int | None = None
    canceled: bool = False
    overtime: bool = False  # ended by the desk because it took too long
    shutdown: bool = False
    started: datetime | None = None  # None: Snakemake never was
    ended: datetime
    cause: Cause | None = None
    hopeless: bool = False  # another attempt would end the same way
    unlisted: bool = False  # it ended well, and its results could not be listed

    @property
    def state(self) -> State:
        """What the attempt itself came to."""
        if self.canceled:
            return State.CANCELED
        if self.exit_code == 0:
            return State.SYSTEM_ERROR if self.unlisted else State.COMPLETE
        own = self.overtime or self.exit_code is not None
        return State.EXECUTOR_ERROR if own else State.SYSTEM_ERROR

    def write(self, path: Path) -> None:
        """Whole or not at all, and still there after a power cut."""
        with write_atomically(path, durable=True) as file:
            file.write(self.model_dump_json())

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
    digest: str = ""  # of the workflow; "": the database knows it

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


def why(
    attempt: Attempt, tell: Callable[[causes.Evidence], Cause | None] = causes.explain, **how: Any
) -> Cause | None:
    """The cause of an end that went `how`. Whatever lies about, a run is settled all the same."""
    try:
        return tell(replace(attempt.evidence(), **how))
    except Exception:
        log.exception("what the attempt left behind could not be understood")
        message = "It failed, and this desk could not find out why: see its log."
        return Cause(kind=CauseKind.UNKNOWN, message=message)


def settle(attempt: Attempt, database: Database, ended: Ended) -> State:
    """List the results and record the end; returns the state the run is in then.

    Raises DatabaseUnavailable: then do it again. Raises TransitionRefused when the attempt is not
    the run's present one any more.
    """
    if not attempt.digest and (run := database.runs.get(attempt.run_id, None)):
        attempt = replace(attempt, digest=run.digest)
    return record(attempt, database, listed(attempt, ended))


def listed(attempt: Attempt, ended: Ended) -> Ended:
    """Publish the results of an attempt that ended well; how it ended, that done.

    Needs the attempt's digest, and no database.
    """
    if ended.state is not State.COMPLETE:
        return ended
    try:
        manifest = manifest_of(snapshot_folder(attempt.settings.data, attempt.digest))
        used = _ours() | versions(manifest.needs.modules)
        attempt.rundir.software.write_text(json.dumps(used), encoding="utf-8")
        publish(attempt.rundir, sorted(made(attempt.rundir.root)), manifest.highlights)
    except Exception as error:
        log.exception("the results could not be listed")
        return ended.model_copy(update={"cause": _unpublished(error), "unlisted": True})
    return ended


@functools.cache
def _ours() -> dict[str, str]:
    """Versions of what executes runs: those in memory, also when newer ones are installed."""
    return versions(["snakemake", "rundesk"])


def record(attempt: Attempt, database: Database, ended: Ended) -> State:
    """Replay what was spooled, close the jobs and move the run on; raises as `settle` does."""
    apply = partial(database.jobs.apply, attempt.run_id, attempt.number)
    spool = reporter.Spool(attempt.rundir.attempt(attempt.number).spool)
    spool.drain(reporter.tolerant(apply, lambda error: log.error("not stored: %s", error)))
    database.jobs.close(attempt.run_id, attempt.number, ended.state, now=ended.ended)
    return _move(attempt, database, ended, _outcome(attempt, database, ended))


def _outcome(attempt: Attempt, database: Database, ended: Ended) -> Outcome:
    """What an attempt counts for. Failures by the workflow and by the desk are counted apart.

    Both only since the run was submitted or resumed. What would fail the same way again is given
    up at once, and the workflow's own failures unless more attempts were asked for.
    """
    state, code = ended.state, -ended.signal if ended.signal is not None else ended.exit_code
    if state not in (State.EXECUTOR_ERROR, State.SYSTEM_ERROR):
        return Outcome(state, code)
    run = database.runs.get(attempt.run_id, None)
    failures = database.runs.failures(attempt.run_id, attempt.number)[state] + 1
    own = 1 + (run.retries if run else 0)
    limit = own if state is State.EXECUTOR_ERROR else attempt.settings.attempts
    return Outcome(state, code, failures, failures if ended.hopeless else limit)


def _move(attempt: Attempt, database: Database, ended: Ended, outcome: Outcome) -> State:
    end = partial(database.runs.end, attempt.run_id, attempt.number, now=ended.ended)
    if outcome.failures is not None and outcome.failures < (outcome.limit or 0):
        if ended.started is not None:
            with contextlib.suppress(TransitionRefused):  # told already
                database.runs.start(attempt.run_id, attempt.number, now=ended.started)
        note = f"Attempt {attempt.number} failed ({outcome.failures} of {outcome.limit})."
        with contextlib.suppress(TransitionRefused):
            return end(State.QUEUED, note=note, cause=ended.cause, outcome=outcome).state
        # It was asked to cancel since: only that keeps a live attempt from the queue.
        cause = causes.explain(causes.Evidence(attempt.number, canceled=True))
        outcome = Outcome(State.CANCELED, outcome.exit_code)
        return end(State.CANCELED, cause=cause, outcome=outcome).state
    end = partial(end, outcome.state, cause=ended.cause, outcome=outcome)
    if ended.started is not None:  # a short run; or the database was away when it began
        with contextlib.suppress(TransitionRefused):  # told already
            return end(started=ended.started).state
    return end().state


def _unpublished(error: Exception) -> Cause:
    if no_room(error):
        return causes.disk_full(
            "The run ended well, but the disk is full: its results could not be listed."
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
