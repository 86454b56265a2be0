"""The installation as a whole: queue, limits and statistics."""

from __future__ import annotations

from pydantic import Field

from services.models.base import Model
from services.models.states import State


class Line(Model):
    """The queue as a whole: the runs of all users, without naming these."""

    waiting: int = Field(description="Number of queued runs, counted up to 1000")
    working: int = Field(description="Number of running runs")
    places: int = Field(description="Maximum number of running runs")
    cores: int = Field(description="Number of cores that all runs share")
    taken: int = Field(description="Number of cores in use by running runs")
    reason: str = Field(description="Why no run can start; empty: runs can start")


class Limits(Model):
    """The limits of this server. Null means no limit."""

    upload_bytes: int = Field(description="Maximum size of a file in bytes")
    body_bytes: int = Field(description="Maximum size of a JSON body in bytes")
    runs: int = Field(description="Maximum number of running runs")
    runs_per_owner: int | None = Field(description="Maximum number of running runs per owner")
    cores_per_run: int = Field(description="Maximum number of cores of a run")
    seconds_per_attempt: float | None = Field(description="Maximum duration of an attempt")
    log_bytes: int = Field(
        description="Maximum size of the log of an attempt; more is cut in the middle"
    )
    retries: int = Field(description="Maximum number of retries of a run whose jobs fail")
    page: int = Field(description="Maximum number of items of a page")
    import_hosts: list[str] = Field(description="Hosts from which files may be imported")
    inbox: bool = Field(description="Whether files can be imported from the inbox")
    submissions_per_minute: int | None = Field(description="Maximum number of new runs per minute")
    uploads_per_minute: int | None = Field(description="Maximum number of uploads per minute")


class WorkflowStatistics(Model):
    """The number of runs of a workflow."""

    workflow: str
    runs: dict[State, int] = Field(description="Number of runs in each state")
    seconds: float | None = Field(description="Median time of the last completed runs in seconds")


class Statistics(Model):
    """The number of runs that the user may see."""

    runs: dict[State, int] = Field(description="Number of runs in each state")
    workflows: list[WorkflowStatistics] = Field(description="Workflows that have runs, by name")
