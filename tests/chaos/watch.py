"""Compares, twice a second, what the services show with living processes and accepted runs."""

from __future__ import annotations

import contextlib
import hashlib
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass

from services.errors import DatabaseUnavailable, NotFound
from services.models import LIVE, Run, RunFilter, State
from services.rundir import RunDir
from tests.chaos import sight
from tests.chaos.accepted import RESULT, Accepted
from tests.chaos.load import ME, Api, Unanswered
from tests.chaos.sight import Row, Tree, Trees
from tests.chaos.violations import Violations
from tests.chaos.world import World

CHECK_INTERVAL_S = 0.5
LIST_INTERVAL_S = 5.0  # of all runs
RESULT_CHECKS = 3  # runs whose results are requested at each check
#: Limits in seconds, while the installation is able to work.
LIMITS = {
    "shown as running without processes": ("I4", 10.0),
    "shown as running without Snakemake": ("I4", 10.0),
    "shown as waiting or finished with running processes": ("I4", 10.0),
    "canceled with processes left": ("I6", 15.0),
}
LIVE_FILTER = RunFilter(state=sorted(LIVE), limit=200)


@dataclass
class Settled:
    """A finished run as it was first seen."""

    resumes: int
    run: Run
    manifest: str


class Watch(threading.Thread):
    """Checks the invariants continuously."""

    def __init__(self, world: World, accepted: Accepted, violations: Violations, seed: int) -> None:
        super().__init__(name="watch", daemon=True)
        self._world = world
        self._accepted = accepted
        self._violations = violations
        self._random = random.Random(f"watch {seed}")
        self._runs = world.settings.data / "runs"
        self._stopping = threading.Event()
        self._ages: dict[tuple[str, str], float] = {}
        self._before = time.monotonic()
        self._was_able = False
        self._paged = 0.0
        self._api = Api(world.settings.api_port)
        self.longest: Counter[str] = Counter()  # s
        self.done: Counter[str] = Counter()
        self.able_seconds = 0.0
        self.slowest_503 = 0.0  # s
        self.live: dict[str, Run] = {}
        self.trees: Trees = {}
        self.settled: dict[str, Settled] = {}

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.wait(CHECK_INTERVAL_S):
            try:
                self.check()
            except DatabaseUnavailable:
                self._ask_api()
                self._was_able, self._before = False, time.monotonic()
            except Exception as error:
                self._violations.add("harness", f"a check failed: {error!r}")
                raise

    def check(self) -> None:
        """Compare once. Raises DatabaseUnavailable."""
        services = self._world.services
        live = {run.id: run for run in services.runs.list(ME, LIVE_FILTER).items}
        trees = sight.trees(sight.table(), self._runs, set(live), before=self.trees)
        shown = dict(live)
        for run_id in set(trees) - set(live):
            shown[run_id] = services.runs.get(ME, run_id)
        self.live, self.trees = live, trees
        self.done["checks"] += 1
        self.done["processes seen"] += sum(
            len(tree.workers) + (tree.supervisor is not None)
            for run in trees.values()
            for tree in run.values()
        )
        for run_id, attempts in trees.items():
            self._check_single_attempt(run_id, attempts)
        self._age(self._mismatches(shown, trees))
        for run_id in self._random.sample(sorted(live), min(RESULT_CHECKS, len(live))):
            self._check_results(run_id)
        if time.monotonic() - self._paged > LIST_INTERVAL_S:
            self.check_all_runs()

    # ---- I4, I6: shown states and living processes -----------------------------------------------

    def _mismatches(self, shown: dict[str, Run], trees: Trees) -> set[tuple[str, str]]:
        found = set()
        for run_id, run in shown.items():
            alive = trees.get(run_id, {})
            for what in _differences(run, alive):
                found.add((run_id, what))
            entry = self._accepted.get(run_id)
            if entry is not None and entry.canceled_at is not None:
                old = [t for n, t in alive.items() if n <= entry.canceled_attempt and t.workers]
                if old:
                    found.add((run_id, "canceled with processes left"))
        return found

    def _age(self, mismatches: set[tuple[str, str]]) -> None:
        """Add to the age of mismatches the time in which the installation was able to work."""
        now, able = time.monotonic(), self._world.able
        passed = now - self._before if able and self._was_able else 0.0
        self._before, self._was_able = now, able
        self.able_seconds += passed
        ages = {}
        for run_id, what in mismatches:
            added = passed if run_id not in self._world.frozen else 0.0
            age = self._ages.get((run_id, what), 0.0) + added
            ages[run_id, what] = age
            self.longest[what] = max(self.longest[what], age)  # type: ignore[assignment]
            invariant, limit = LIMITS[what]
            if age > limit:
                self._violations.add(invariant, f"{what}, for more than {limit:.0f} s", run_id)
        self._ages = ages

    # ---- I2: one attempt at a time ---------------------------------------------------------------

    def _check_single_attempt(self, run_id: str, attempts: dict[int, Tree]) -> None:
        known = {number: tree for number, tree in attempts.items() if number != sight.UNKNOWN}
        busy = {number: tree for number, tree in known.items() if self._may_write(run_id, number)}
        if len(busy) < 2:
            return
        still = {
            number: [process for process in _processes(tree) if process.refresh()]
            for number, tree in busy.items()
        }
        if sum(map(bool, still.values())) > 1:
            words = "; ".join(f"{n}: {[(p.pid, p.name) for p in still[n]]}" for n in still)
            self._violations.add("I2", f"two attempts are alive: {words}", run_id)

    def _may_write(self, run_id: str, number: int) -> bool:
        """Return whether an attempt may still write: its exit record does not exist yet."""
        tree = self.trees.get(run_id, {}).get(number, Tree())
        ended = RunDir(self._runs / run_id).attempt(number).exit.exists()
        return bool(tree.workers) or (tree.supervisor is not None and not ended)

    # ---- I5: published results ------------------------------------------------------------------

    def _check_results(self, run_id: str) -> None:
        """Check that a run that was not complete a moment ago has no results."""
        services = self._world.services
        self.done["requests for results"] += 1
        results = [result.path for result in services.results.list(ME, run_id)]
        with contextlib.suppress(NotFound):
            results.append(str(services.results.path(ME, run_id, RESULT)))
        try:
            status, content = self._api.call("GET", f"/runs/{run_id}/results")
            results += content["data"] if status == 200 else []
            status, _ = self._api.call("GET", f"/runs/{run_id}/results/{RESULT}")
            results += [RESULT] if status == 200 else []
        except Unanswered:
            self.done["requests without an answer"] += 1
        if results and (state := services.runs.get(ME, run_id).state) is not State.COMPLETE:
            self._violations.add("I5", f"results of a run that is {state}: {results}", run_id)

    def _ask_api(self) -> None:
        """Measure how long the API takes to return 503 while the database is unavailable."""
        began = time.monotonic()
        try:
            self._api.call("GET", "/runs")
        except Unanswered as answer:
            if answer.status == 503:
                self.done["503 of the API"] += 1
                self.slowest_503 = max(self.slowest_503, time.monotonic() - began)

    # ---- I1, I7: stored runs -------------------------------------------------------------------

    def check_all_runs(self) -> None:
        """Check that no run is lost and no finished run changes."""
        before = {entry.run_id: entry.resumes for entry in self._accepted.all()}
        there = set()
        after = None
        while True:
            page = self._world.services.runs.list(ME, RunFilter(limit=200, after=after))
            for run in page.items:
                there.add(run.id)
                if run.state.final and run.id in before:
                    self._check_unchanged(run, before[run.id])
            if (after := page.next) is None:
                break
        for run_id in before.keys() - there:
            self._violations.add("I1", "an accepted run is not results", run_id)
        self.done["checks of all runs"] += 1
        self._paged = time.monotonic()

    def _check_unchanged(self, run: Run, resumes: int) -> None:
        entry = self._accepted.get(run.id)
        if entry is None or entry.resumes != resumes or resumes % 2:
            return  # it is being resumed
        now = Settled(resumes, run, self._manifest(run))
        known = self.settled.setdefault(run.id, now)
        if known.resumes != resumes:
            self.settled[run.id] = now
        elif known != now:
            words = f"it changed after it had finished: {_changed_fields(known.run, run)}"
            self._violations.add("I7", words, run.id)

    def _manifest(self, run: Run) -> str:
        if run.state is not State.COMPLETE:
            return ""
        content = RunDir(self._runs / run.id).manifest.read_bytes()
        return hashlib.sha256(content).hexdigest()


def _differences(run: Run, alive: dict[int, Tree]) -> list[str]:
    """Return how the shown state of a run differs from its living processes."""
    workers = any(tree.workers for tree in alive.values())
    supervised = any(tree.supervisor for tree in alive.values())
    if run.state not in LIVE:
        return ["shown as waiting or finished with running processes"] if workers else []
    if not workers and not supervised:
        return ["shown as running without processes"]
    if run.state is State.RUNNING and not workers:
        return ["shown as running without Snakemake"]
    return []


def _processes(tree: Tree) -> list[Row]:
    return [*([tree.supervisor] if tree.supervisor else []), *tree.workers]


def _changed_fields(old: Run, new: Run) -> str:
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    changed = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    return str(changed or "its manifest")[:1000]
