"""What a run consists of and what it left: jobs, steps, results."""

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
        description="Attempt and Snakemake's job number",
        examples=["1-7"],
    ),
]


class Job(Model):
    """One job of Snakemake, as it reported it."""

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
    tries: int = Field(1, description="How often Snakemake started it")


class JobFilter(Model):
    """Which jobs of a run to show."""

    state: list[State] = Field([], description="Any of these states")
    rule: str | None = Field(None, description="Name of the rule")
    skip: int = Field(0, ge=0, description="How many to pass over, in order of start")
    limit: int = Field(200, ge=1, le=1000, description="How many at most")


class Step(Model):
    """A rule of a run with its counters."""

    rule: str
    state: State | None = Field(description="null: the run is over, and no job of it ever started")
    total: int
    done: int
    failed: int
    running: int
    mean_seconds: float | None = Field(description="Mean time of its finished jobs")


class Graph(Model):
    """The rules of a run and what waits for what."""

    steps: list[Step]
    links: list[tuple[str, str]] = Field(description="From rule, to rule")


class Result(Model):
    """A published result."""

    path: str = Field(description="Relative to the run directory, with / between folders")
    size: int = Field(description="bytes")
    sha256: str
    kind: str = Field(description="report, table, image, text, … or other")
    title: str = Field("", description="Set for the results the workflow highlights")
    rule: str | None = Field(None, description="Rule that made it; null: no job said so")
    job: str | None = Field(None, description="Id of the job that made it")
