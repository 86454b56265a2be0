"""Add and claim runs directly in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.database.queue import Claim, QueueStore
from services.database.runs import RunStore
from services.models import File, Input, Run, Submission

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LEASE = timedelta(seconds=30)


def add_run(
    store: RunStore,
    name: str = "run",
    *,
    owner: str = "ann",
    cores: int = 1,
    inputs: Sequence[File] = (),
    priority: int = 0,
    retries: int = 0,
    **key: str,
) -> Run:
    """Queue a run of a workflow that does not exist."""
    accepted = Submission(
        name=name,
        workflow="w",
        workflow_title="W",
        workflow_version="",
        digest="d",
        owner=owner,
        tags=[],
        params={"$where": 1, "a.b": 2**70},
        inputs=[_input(file) for file in inputs],
        cores=cores,
        priority=priority,
        retries=retries,
    )
    run, _ = store.add(accepted, now=NOW, **key)
    return run


def _input(file: File) -> Input:
    return Input(
        field="f", file=file.id, name=file.name, path="f", size=file.size, sha256=file.sha256
    )


def claim_run(queue: QueueStore, now: datetime = NOW, **limits: Any) -> Claim | None:
    """Claim the next queued run for the host "host"."""
    return queue.claim(host="host", now=now, lease=LEASE, **limits)
