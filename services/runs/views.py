"""What the pages show of runs: read at once, and shared by all who look at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from services.access.actors import scope
from services.database import Database
from services.models import LIVE, Actor, Graph, Job, JobFilter, Line, Page, Run, RunFilter, State
from services.runs.events import Changes, changes_of
from services.runs.installation import Installation
from services.runs.service import Runs, run_not_found
from services.runs.steps import graph_of
from services.single_flight import ShortCache


@dataclass(frozen=True)
class Board:
    """A page of the list of runs."""

    page: Page[Run]
    counts: dict[State, int]  # of all runs, whatever the filter
    left: dict[str, float]  # estimated seconds until a run finishes, where earlier runs allow it
    line: Line  # the queue as a whole


@dataclass(frozen=True)
class RunView:
    """A run with its steps."""

    run: Run
    graph: Graph
    left: float | None  # estimated seconds until it finishes; below 0: overdue

    @cached_property
    def changes(self) -> Changes:
        """What clients that follow the run compare; all share it."""
        return changes_of(self.run, self.graph)


@dataclass(frozen=True)
class JobsView:
    """Some jobs of the current attempt, in the order of their start."""

    jobs: Sequence[Job]
    total: int  # that match the filter


class Views:
    """Reads what pages show. Answers are up to a second old, unless `forget` is called."""

    def __init__(self, database: Database, runs: Runs, installation: Installation) -> None:
        self._runs = runs
        self._installation = installation
        self._store = database.runs
        self._jobs = database.jobs
        self._shared = ShortCache()

    def forget(self) -> None:
        """Drop shared answers, because runs were changed."""
        self._shared.forget()

    def board(self, actor: Actor, selection: RunFilter) -> Board:
        """Return a page of the list of runs, newest first."""
        key = ("board", scope(actor), selection.model_dump_json())
        return self._shared.get(key, lambda: self._board(actor, selection))

    def run(self, actor: Actor, run_id: str) -> RunView:
        """Return a run with its steps. Raises NotFound."""
        key = ("run", scope(actor), run_id)
        return self._shared.get(key, lambda: self._run(actor, run_id))

    def jobs(self, actor: Actor, run_id: str, selection: JobFilter) -> JobsView:
        """Return some jobs of a run. Raises NotFound."""
        attempt = self.run(actor, run_id).run.attempts
        number = attempt[-1].number if attempt else 0
        key = ("jobs", run_id, number, selection.model_dump_json())
        return self._shared.get(key, lambda: self._read_jobs(run_id, number, selection))

    def _board(self, actor: Actor, selection: RunFilter) -> Board:
        page = self._runs.list(actor, selection)
        now = datetime.now(UTC)
        left = {
            run.id: seconds for run in page.items if (seconds := self._left(run, now)) is not None
        }
        return Board(page, self._runs.counts(actor), left, self._installation.queue(actor))

    def _run(self, actor: Actor, run_id: str) -> RunView:
        run = self._runs.get(actor, run_id)
        plan = self._store.plan(run_id)
        if plan is None:
            raise run_not_found(run_id)
        graph = graph_of(run, plan, self._jobs.count(run_id, plan.attempt))
        return RunView(run, graph, self._left(run, datetime.now(UTC)))

    def _read_jobs(self, run_id: str, attempt: int, selection: JobFilter) -> JobsView:
        return JobsView(*self._jobs.page(run_id, attempt, selection))

    def _left(self, run: Run, now: datetime) -> float | None:
        """Return the estimated seconds until a live run finishes, from earlier runs."""
        if run.state not in LIVE or run.state is State.CANCELING or not run.attempts:
            return None
        usual = self._installation.usual_seconds(run.workflow)
        return None if usual is None else usual - (now - run.attempts[-1].started).total_seconds()
