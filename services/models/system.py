"""The desk as a whole."""

from __future__ import annotations

from pydantic import Field

from services.models.base import Model
from services.models.states import State


class Line(Model):
    """The queue as a whole: everybody's runs, without saying whose."""

    waiting: int = Field(description="Runs that wait; 1000 at most")
    working: int = Field(description="Runs at work")
    places: int = Field(description="Runs at once")
    cores: int = Field(description="Cores that all runs share")
    taken: int = Field(description="Cores that the runs at work have")
    reason: str = Field(description="What keeps every run from starting; empty: nothing")


class Limits(Model):
    """What this desk takes at most; null: no limit."""

    upload_bytes: int = Field(description="Of a file")
    body_bytes: int = Field(description="Of a JSON body")
    runs: int = Field(description="Runs at once")
    runs_per_owner: int | None = Field(description="Runs at once of one owner")
    cores_per_run: int
    seconds_per_attempt: float | None
    log_bytes: int = Field(description="Of the log of an attempt; more is cut in the middle")
    retries: int = Field(description="Of a run whose jobs fail")
    page: int = Field(description="Entries of a page")
    import_hosts: list[str] = Field(description="Hosts that files are fetched from")
    inbox: bool = Field(description="Whether files of the server may be registered")
    submissions_per_minute: int | None
    uploads_per_minute: int | None


class WorkflowStatistics(Model):
    """The runs of a workflow."""

    workflow: str
    runs: dict[State, int] = Field(description="How many are in each state")
    seconds: float | None = Field(description="Median time of the last completed ones")


class Statistics(Model):
    """What has been run, as far as the asker may see it."""

    runs: dict[State, int] = Field(description="How many runs are in each state")
    workflows: list[WorkflowStatistics] = Field(description="Those that were run, by name")
