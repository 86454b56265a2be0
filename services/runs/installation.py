"""The installation as a whole: its queue, its limits, and statistics of the runs."""

from __future__ import annotations

from services.access.actors import scope
from services.database import Database
from services.errors import Message, NotReady
from services.models import (
    MAX_PAGE_SIZE,
    MAX_RETRIES,
    Actor,
    Limits,
    Line,
    State,
    Statistics,
    WorkflowStatistics,
)
from services.runs.queue_position import Queue
from services.settings import MIB, Settings

NO_RUN_STARTS = Message("system_error", "Not ready: {reason}")


class Installation:
    """Answers questions about all runs together."""

    def __init__(self, settings: Settings, database: Database, queue: Queue) -> None:
        self._settings = settings
        self._store = database.runs
        self._queue = queue

    def queue(self, actor: Actor) -> Line:  # noqa: ARG002 - every actor gets the same
        """Return the queue as a whole."""
        return self._queue.line()

    def check_ready(self) -> None:
        """Raise NotReady while no run can start, and DatabaseUnavailable."""
        if reason := self._queue.obstacle():
            raise NotReady(NO_RUN_STARTS(reason=reason))

    def limits(self, actor: Actor) -> Limits:  # noqa: ARG002
        """Return the limits on requests and runs."""
        settings = self._settings
        return Limits(
            upload_bytes=settings.max_upload * MIB,
            body_bytes=settings.max_body * MIB,
            runs=settings.max_runs,
            runs_per_owner=settings.max_runs_per_owner or None,
            cores_per_run=settings.cores_per_run,
            seconds_per_attempt=settings.walltime * 60 or None,
            log_bytes=settings.max_console * MIB,
            retries=MAX_RETRIES,
            page=MAX_PAGE_SIZE,
            import_hosts=list(settings.import_hosts),
            inbox=settings.inbox_folder is not None,
            submissions_per_minute=settings.rate_submit or None,
            uploads_per_minute=settings.rate_uploads or None,
        )

    def statistics(self, actor: Actor) -> Statistics:
        """Return the number of runs by state and by workflow, of those that the actor may see."""
        tally = self._store.tally(scope(actor))
        return Statistics(
            runs={state: sum(states[state] for states in tally.values()) for state in State},
            workflows=[
                WorkflowStatistics(workflow=name, runs=states, seconds=self.usual_seconds(name))
                for name, states in tally.items()
            ],
        )

    def usual_seconds(self, workflow: str) -> float | None:
        """Return the median time of a workflow's last completed runs; None when it has none."""
        return self._queue.usual_seconds(workflow)
