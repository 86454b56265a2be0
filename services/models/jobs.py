"""The parts of a run: jobs, steps and results."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from services.models.base import Model
from services.models.states import State

JobId = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,6}-[0-9]{1,9}$",
        description="Identifier of a job: numbers of the attempt and of Snakemake's job",
        examples=["1-7"],
    ),
]


class Job(Model):
    """A job as Snakemake reported it."""

    id: JobId
    rule: str
    state: State
    wildcards: dict[str, str]
    started: datetime | None
    ended: datetime | None
    threads: int = 1
    input: list[str] = []
    output: list[str] = []
    log: list[str] = []
    resources: dict[str, Any] = {}
    reason: str = ""
    command: str = ""
    tries: int = Field(1, description="Number of times that Snakemake started the job")


class JobFilter(Model):
    """Selects jobs of a run."""

    state: list[State] = Field([], description="Jobs in any of these states")
    rule: str | None = Field(None, description="Jobs of this rule")
    skip: int = Field(0, ge=0, description="Number of jobs to skip, in order of start")
    limit: int = Field(200, ge=1, le=1000, description="Maximum number of jobs")


class Step(Model):
    """A rule of a run with the counters of its jobs."""

    rule: str
    state: State | None = Field(
        description="State of the rule; null: the run finished without starting a job of it"
    )
    total: int
    done: int
    failed: int
    running: int
    mean_seconds: float | None = Field(description="Mean time of its finished jobs in seconds")


class Graph(Model):
    """The rules of a run and the dependencies between them."""

    steps: list[Step]
    links: list[tuple[str, str]] = Field(
        description="Pairs of a rule and a rule that depends on it"
    )


class Result(Model):
    """A published result."""

    path: str = Field(description="Path relative to the run directory, with / as separator")
    size: int = Field(description="Size in bytes")
    sha256: str
    kind: str = Field(
        description="Kind of file by its name: report, table, image, text, … or other"
    )
    title: str = Field("", description="Title of a result that the workflow highlights")
    rule: str | None = Field(None, description="Rule that created it; null: unknown")
    job: str | None = Field(None, description="Id of the job that created it; null: unknown")
    link: str = Field(
        "",
        description="URL with which a browser shows it without a token, for one to two hours",
    )
