"""What the pages show of runs: read in one go, and once for all who look at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.access.actors import scope
from services.database import Database
from services.errors import NotFound
from services.models import LIVE, Actor, Graph, Job, JobFilter, Line, Page, Run, RunFilter, State
from services.runs import Runs
from services.runs.steps import graph_of
from services.single_flight import ShortCache


@dataclass(frozen=True)
class Board:
    """A page of the list of runs."""

    page: Page[Run]
    counts: dict[State, int]  # of all runs, whatever the filter
    left: dict[str, float]  # seconds until a run is over, for those where that can be judged
    line: Line  # the queue as a whole


@dataclass(frozen=True)
class RunView:
    """A run with its steps."""

    run: Run
    graph: Graph
    left: float | None  # seconds until it is over, judged by earlier runs; below 0: overdue


@dataclass(frozen=True)
class JobsView:
    """Some jobs of the present attempt, in the order they started."""

    jobs: Sequence[Job]
    total: int  # that fit the filter


class Views:
    """Answers are up to a second old, unless `forget` is called."""

    def __init__(self, database: Database, runs: Runs) -> None:
        self._runs = runs
        self._store = database.runs
        self._jobs = database.jobs
        self._shared = ShortCache()

    def forget(self) -> None:
        """Look anew: runs were changed."""
        self._shared.forget()

    def board(self, actor: Actor, wanted: RunFilter) -> Board:
        """The list of runs, newest first."""
        key = ("board", scope(actor), wanted.model_dump_json())
        return self._shared.get(key, lambda: self._board(actor, wanted))

    def run(self, actor: Actor, run_id: str) -> RunView:
        """One run. Raises NotFound."""
        key = ("run", scope(actor), run_id)
        return self._shared.get(key, lambda: self._run(actor, run_id))

    def jobs(self, actor: Actor, run_id: str, wanted: JobFilter) -> JobsView:
        """Jobs of a run. Raises NotFound."""
        attempt = self.run(actor, run_id).run.attempts
        number = attempt[-1].number if attempt else 0
        key = ("jobs", run_id, number, wanted.model_dump_json())
        return self._shared.get(key, lambda: self._some(run_id, number, wanted))

    def _board(self, actor: Actor, wanted: RunFilter) -> Board:
        page = self._runs.list(actor, wanted)
        now = datetime.now(UTC)
        left = {
            run.id: seconds for run in page.items if (seconds := self._left(run, now)) is not None
        }
        return Board(page, self._runs.counts(actor), left, self._runs.queue(actor))

    def _run(self, actor: Actor, run_id: str) -> RunView:
        run = self._runs.get(actor, run_id)
        plan = self._store.plan(run_id)
        if plan is None:
            raise NotFound("There is no such run.")
        graph = graph_of(run, plan, self._jobs.count(run_id, plan.attempt))
        return RunView(run, graph, self._left(run, datetime.now(UTC)))

    def _some(self, run_id: str, attempt: int, wanted: JobFilter) -> JobsView:
        return JobsView(*self._jobs.page(run_id, attempt, wanted))

    def _left(self, run: Run, now: datetime) -> float | None:
        """Seconds until a live run is over, judged by earlier runs of its workflow."""
        if run.state not in LIVE or run.state is State.CANCELING or not run.attempts:
            return None
        usual = self._runs.usual_seconds(run.workflow)
        return None if usual is None else usual - (now - run.attempts[-1].started).total_seconds()
