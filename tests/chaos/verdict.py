"""Final checks: every accepted run has the right state and results."""

from __future__ import annotations

import hashlib
from collections import Counter

from services.errors import NotFound
from services.models import CauseKind, Run, State
from services.rundir import RunDir
from services.settings import MIB
from tests.chaos import sight
from tests.chaos.accepted import FAILING_RULE, RESULT, Accepted, Entry, find_overlaps, read_ledger
from tests.chaos.load import ME, Api, Unanswered
from tests.chaos.violations import Violations
from tests.chaos.world import World


class Verdict:
    """Checks each run; `counts` are the final states."""

    def __init__(self, world: World, accepted: Accepted, violations: Violations) -> None:
        self._world = world
        self._accepted = accepted
        self._violations = violations
        self._api = Api(world.settings.api_port)
        self.counts: Counter[str] = Counter()
        self.attempts: Counter[int] = Counter()
        self.starts = 0  # of jobs, as written by the jobs
        self.hashes = 0  # results compared

    def check_all(self) -> None:
        for entry in self._accepted.all():
            self._check_run(entry)
        self._check_number_of_runs()
        self._check_nothing_alive()

    def _check_run(self, entry: Entry) -> None:
        try:
            run = self._world.patient.runs.get(ME, entry.run_id)
        except NotFound:
            self._violations.add("I1", "an accepted run no longer exists", entry.run_id)
            return
        for problem in wrong_final_state(entry, run, self._world.settings.attempts):
            invariant, words = problem
            self._violations.add(invariant, words, run.id)
        self._count(entry, run)
        self._history(run)
        self._results(entry, run)
        self._jobs(run)
        self._console(run)
        lines = read_ledger(self._world.folder / "ledger", run.id)
        self.starts += sum(line.what == "start" for line in lines)
        for words in find_overlaps(lines):
            self._violations.add("I2", words, run.id)

    def _count(self, entry: Entry, run: Run) -> None:
        used_up = run.state is State.SYSTEM_ERROR
        self.counts[f"{run.state}{' (attempts used up)' if used_up else ''}"] += 1
        self.attempts[len(run.attempts)] += 1

    def _history(self, run: Run) -> None:
        states = [change.state for change in run.history]
        if states.count(State.COMPLETE) > 1:
            self._violations.add("I2", "it completed more than once", run.id)
        if states[-1] is not run.state or [a.number for a in run.attempts] != list(
            range(1, len(run.attempts) + 1)
        ):
            self._violations.add("I2", f"its history is inconsistent: {states}", run.id)
        if any(attempt.ended is None for attempt in run.attempts):
            self._violations.add("I4", "an attempt of a finished run has no end", run.id)

    def _results(self, entry: Entry, run: Run) -> None:
        results = list(self._world.patient.results.list(ME, run.id))
        if run.state is not State.COMPLETE:
            if results:
                self._violations.add("I5", f"results of a run that is {run.state}", run.id)
            return
        self.hashes += 1
        wanted = [(RESULT, hashlib.sha256(entry.expected).hexdigest())]
        if [(result.path, result.sha256) for result in results] != wanted:
            found = [(result.path, result.size) for result in results]
            self._violations.add("I2", f"it published other results: {found}", run.id)
            return
        try:
            given = self._api.call("GET", f"/runs/{run.id}/results/{RESULT}")
        except Unanswered:
            self._violations.add("I3", "the API does not respond after the faults", run.id)
        else:
            if given != (200, entry.expected):
                self._violations.add("I2", f"the API returns other content: {given}", run.id)

    def _jobs(self, run: Run) -> None:
        jobs = self._world.patient.runs.jobs(ME, run.id)
        store = self._world.patient.database.jobs
        every = [job for attempt in run.attempts for job in store.list(run.id, attempt.number)]
        if running := [job.id for job in every if not job.state.final]:
            self._violations.add("I4", f"a finished run has running jobs: {running}", run.id)
        if run.state is State.COMPLETE:
            if run.progress.done != run.progress.total or run.progress.failed:
                self._violations.add("I4", f"complete with progress {run.progress}", run.id)
            if undone := [job.id for job in jobs if job.state is not State.COMPLETE]:
                self._violations.add("I4", f"complete with unfinished jobs: {undone}", run.id)

    def _console(self, run: Run) -> None:
        attempts = RunDir.of(self._world.settings.data, run.id).internal
        most = self._world.settings.max_console * MIB + MIB
        for path in attempts.glob("attempt-*/console.log"):
            if (size := path.stat().st_size) > most:
                self._violations.add("I4", f"its log has grown to {size} bytes", run.id)

    def _check_number_of_runs(self) -> None:
        """Check that there is one run per submission, however often it was sent."""
        there = sum(self._world.patient.runs.counts(ME).values())
        least = len(self._accepted)
        most = least + self._accepted.unanswered
        if not least <= there <= most:
            words = f"{least} runs were accepted, {there} exist"
            self._violations.add("I1" if there < least else "I2", words)

    def _check_nothing_alive(self) -> None:
        wanted = {entry.run_id for entry in self._accepted.all()}
        trees = sight.trees(sight.table(), self._world.settings.data / "runs", wanted, before={})
        for run_id, attempts in trees.items():
            left = [f"{row.name} {row.pid}" for tree in attempts.values() for row in tree.workers]
            if left:
                self._violations.add(
                    "I6", f"all runs have finished, and these processes are alive: {left}", run_id
                )


def wrong_final_state(entry: Entry, run: Run, attempts: int) -> list[tuple[str, str]]:
    """Return invariant and description of everything that is wrong with the end of a run."""
    found = []
    if not run.state.final:
        found.append(("I3", f"it is still {run.state}"))
    elif run.state is State.COMPLETE and entry.kind.fails:
        found.append(("I2", "a failing workflow is complete"))
    elif run.state is State.CANCELED and not entry.cancel_asked:
        found.append(("I4", "it is canceled without a request"))
    elif run.state is State.EXECUTOR_ERROR:
        found += _failed(entry, run)
    elif run.state is State.SYSTEM_ERROR and not entry.hurt and len(run.attempts) < attempts:
        found.append(("I3", f"it failed after {len(run.attempts)} attempts: {run.error}"))
    if run.state in (State.EXECUTOR_ERROR, State.SYSTEM_ERROR):
        cause = run.cause
        if cause is None or not cause.message or cause.kind is CauseKind.UNKNOWN:
            found.append(("I6", f"it failed without a cause: {cause}"))
    return found


def _failed(entry: Entry, run: Run) -> list[tuple[str, str]]:
    if not entry.kind.fails and not entry.hurt:
        return [("I4", f"a healthy workflow failed: {run.error}")]
    if entry.kind.fails and not entry.hurt and run.cause and run.cause.rule != FAILING_RULE:
        return [("I6", f"the cause names a rule other than the one that failed: {run.error}")]
    return []
