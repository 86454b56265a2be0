"""Runs: how far they are, how they went, and why they failed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import ConfigDict, Field

from services.models.base import MAX_PAGE_SIZE, Model
from services.models.files import FileId
from services.models.states import State
from services.models.submissions import RunId, Submission


class Progress(Model):
    """Counters of the present attempt."""

    total: int = 0
    done: int = 0
    failed: int = 0


class CauseKind(StrEnum):
    """Why a run did not complete."""

    RULE_FAILED = "RULE_FAILED"  # a job of the workflow failed
    MISSING_OUTPUT = "MISSING_OUTPUT"  # a job ended well without making what it promised
    WORKFLOW_INVALID = (
        "WORKFLOW_INVALID"  # Snakemake could not read it, or found no way to the target
    )
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"
    WALLTIME = "WALLTIME"
    KILLED = "KILLED"  # ended by a signal that was not ours
    HOST_LOST = "HOST_LOST"  # the processes vanished
    STAGING_FAILED = "STAGING_FAILED"  # the desk could not prepare the run
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"


class Cause(Model):
    """Why an attempt ended as it did, in words."""

    kind: CauseKind
    message: str = Field(description="One sentence")
    rule: str | None = None
    job: str | None = Field(None, description="Id of the job that failed first")
    log: str = Field("", description="Last lines of the log of that job, or of Snakemake")
    hint: str = Field("", description="What to do next")


class Attempt(Model):
    """One execution of a run."""

    number: int
    host: str
    started: datetime
    ended: datetime | None = None
    state: State | None = Field(
        None, description="How it ended: EXECUTOR_ERROR by the workflow, SYSTEM_ERROR by the desk"
    )
    exit_code: int | None = Field(None, description="Negative: the signal that ended Snakemake")
    cause: Cause | None = None
    failures: int | None = Field(
        None,
        description="Attempts that failed so since it was submitted or resumed",
    )
    limit: int | None = Field(None, description="At how many of these the run is given up")


class Change(Model):
    """One line of a run's history."""

    state: State
    at: datetime
    note: str = ""


class Waiting(Model):
    """Where a run stands in the queue."""

    position: int = Field(description="1 is next")
    seconds: float | None = Field(
        description="Until it starts, judged by earlier runs; null when there were none"
    )
    reason: str = Field("", description="What keeps it from starting; empty: only its turn")


class Run(Submission):
    """A run and all that is known of it."""

    id: RunId
    state: State
    queue: Waiting | None = Field(None, description="Its place while it is QUEUED")
    unreachable: datetime | None = Field(
        None, description="Since when its host gives no sign of life; null: it does"
    )
    progress: Progress
    created: datetime
    started: datetime | None
    ended: datetime | None
    error: str | None = Field(description="Why it did not complete, in one sentence")
    cause: Cause | None
    attempts: list[Attempt]
    history: list[Change]


class RunFilter(Model):
    """Which runs to list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: list[RunId] = Field(
        [], max_length=200, description="These runs; others and unknown ones are left out"
    )
    state: list[State] = Field([], description="Any of these states")
    workflow: str | None = Field(None, max_length=64, description="Name of the workflow")
    owner: str | None = Field(None, max_length=200, description="Who submitted it")
    file: FileId | None = Field(None, description="A file that is among its inputs")
    text: str | None = Field(None, max_length=200, description="Part of name, tag, workflow or id")
    after: str | None = Field(None, max_length=200, description="Token of the page before")
    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE, description="How many at most")
