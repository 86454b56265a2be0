"""Runs: their progress, attempts, history, and causes of failure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError

from services.models.base import MAX_PAGE_SIZE, Model
from services.models.files import FileId
from services.models.states import State
from services.models.submissions import RunId, Submission


def _refuse_number(value: object) -> object:
    """Refuse seconds since 1970, which pydantic accepts as a time, and dates without a time."""
    if isinstance(value, str) and ":" not in value:
        raise PydanticKnownError("datetime_parsing", {"error": "it is not a date with a time"})
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_refuse_number)]


class Progress(Model):
    """Job counters of the current attempt."""

    total: int = 0
    done: int = 0
    failed: int = 0


class CauseKind(StrEnum):
    """Why a run did not complete."""

    RULE_FAILED = "RULE_FAILED"  # a job of the workflow failed
    MISSING_OUTPUT = "MISSING_OUTPUT"  # a job succeeded without creating its outputs
    WORKFLOW_INVALID = "WORKFLOW_INVALID"  # Snakemake cannot read it, or cannot plan its jobs
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"
    WALLTIME = "WALLTIME"
    KILLED = "KILLED"  # ended by a signal that Rundesk did not send
    HOST_LOST = "HOST_LOST"  # the processes vanished
    STAGING_FAILED = "STAGING_FAILED"  # the run could not be prepared
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"


class Cause(Model):
    """Why an attempt did not complete."""

    kind: CauseKind
    message: str = Field(description="The cause in one sentence")
    rule: str | None = None
    job: str | None = Field(None, description="Id of the job that failed first")
    log: str = Field("", description="Last lines of the log of that job, or of Snakemake's output")
    hint: str = Field("", description="What to do next, where it is not obvious")


class Attempt(Model):
    """One execution of a run."""

    number: int
    host: str
    started: datetime
    ended: datetime | None = None
    state: State | None = Field(
        None,
        description="Final state: EXECUTOR_ERROR if the workflow failed, SYSTEM_ERROR otherwise",
    )
    exit_code: int | None = Field(
        None, description="Exit code of Snakemake; negative: the signal that ended it"
    )
    cause: Cause | None = None
    failures: int | None = Field(
        None,
        description="Attempts that failed in this way since the run was submitted or resumed",
    )
    limit: int | None = Field(
        None, description="Number of failures after which the run is not started again"
    )


class Change(Model):
    """An entry in the history of a run."""

    state: State
    at: datetime
    note: str = ""


class Waiting(Model):
    """The position of a run in the queue."""

    position: int = Field(description="Position in the queue; 1 is next")
    seconds: float | None = Field(
        description="Estimated seconds until it starts, from earlier runs; null: unknown"
    )
    reason: str = Field("", description="Why it does not start; empty: it waits for its turn")


class Publishing(BaseModel):
    """How far the results of a run are listed."""

    files: int = Field(0, description="Files that are listed")
    total_files: int = Field(0, description="Files to list; 0: not yet known")
    bytes: int = Field(0, description="Bytes of these files that were read")
    total_bytes: int = Field(0, description="Bytes to read; 0: not yet known")


class Run(Submission):
    """A run with its state, attempts and history."""

    id: RunId
    state: State
    queue: Waiting | None = Field(None, description="Position in the queue while the run is QUEUED")
    unreachable: datetime | None = Field(
        None, description="Time since which its host does not respond; null: it responds"
    )
    progress: Progress
    publishing: Publishing | None = Field(
        None, description="How far the results are listed, after the last job; null: not under way"
    )
    created: datetime
    started: datetime | None
    ended: datetime | None
    error: str | None = Field(description="Why the run did not complete, in one sentence")
    cause: Cause | None
    attempts: list[Attempt]
    history: list[Change]


class RunFilter(Model):
    """Selects runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: list[RunId] = Field(
        [], max_length=200, description="Runs with these ids; unknown ids are ignored"
    )
    state: list[State] = Field([], description="Runs in any of these states")
    workflow: str | None = Field(None, max_length=64, description="Runs of this workflow")
    owner: str | None = Field(None, max_length=200, description="Runs of this user")
    file: FileId | None = Field(None, description="Runs that have this file among their inputs")
    text: str | None = Field(
        None, max_length=200, description="Text in the name, a tag, the workflow or the id"
    )
    tag: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(
        [], max_length=20, description="Runs with all of these tags"
    )
    since: Time | None = Field(
        None, description="Runs submitted at this time or later", examples=["2026-03-01T00:00:00Z"]
    )
    until: Time | None = Field(
        None, description="Runs submitted before this time", examples=["2026-04-01T00:00:00Z"]
    )
    sort: Literal["-created", "created"] = Field(
        "-created", description="Order by submission: -created: newest first; created: oldest first"
    )
    view: Literal["full", "summary"] = Field(
        "full",
        description="summary: without params, inputs, attempts, history and cause, which are empty",
    )
    after: str | None = Field(None, max_length=200, description="Token `next` of the previous page")
    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE, description="Maximum number of runs")

    @property
    def oldest_first(self) -> bool:
        return self.sort == "created"
