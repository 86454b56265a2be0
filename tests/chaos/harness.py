"""The phases of the test: load and faults with continuous checks, then a phase without faults."""

from __future__ import annotations

import contextlib
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from services.errors import DatabaseUnavailable, NotFound
from services.models import CauseKind, Run, State
from tests.chaos import world as worlds
from tests.chaos.accepted import Accepted, Entry
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.load import ME, Load
from tests.chaos.strikes import Field
from tests.chaos.verdict import Verdict
from tests.chaos.watch import Watch

FAULT_INTERVAL_S = 1.5  # mean time between two faults
DISK_FULL_REPORT_S = 5.0  # in which a run may still fail because the disk was full
RUNS_AHEAD = 20  # submitted before their share of the faults
RECOVERY_TIMEOUT_S = 60.0  # from the last fault until everything responds
DRAIN_TIMEOUT_S, DRAIN_TIMEOUT_PER_RUN_S = 180.0, 1.0  # after that, until all runs have finished
TARGET_TIMEOUT_S = 4.0  # that a fault waits for a target
NO_TARGET_TIMEOUT_S = 60.0  # without any target
USUAL_START_S = 4.0  # of the installation, on an idle host


class Chaos:
    """One test, from an empty folder to the verdict. Every wait is limited."""

    def __init__(
        self, *, runs: int, faults: int, seed: int, pace: float = FAULT_INTERVAL_S
    ) -> None:
        self.runs, self.faults, self.seed, self.pace = runs, faults, seed, pace
        self.folder = Path(tempfile.mkdtemp(prefix=f"rundesk-chaos-{seed}-"))
        self.world = worlds.build(self.folder, seed)
        self.violations = self.world.violations
        self.accepted = Accepted()
        self.watch = Watch(self.world, self.accepted, self.violations, seed)
        self.load = Load(
            self.world,
            self.accepted,
            self.violations,
            runs=runs,
            seed=seed,
            allowed=self._allowed_runs,
        )
        self.verdict = Verdict(self.world, self.accepted, self.violations)
        self.struck: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.slowness = 1.0  # of the host; it extends timeouts
        self.healed: Counter[str] = Counter()
        self._random = random.Random(f"faults {seed}")
        self.violations.describe = self._describe

    def go(self) -> None:
        """Execute all phases; afterwards only the evidence of violations is left."""
        try:
            self._timed("starting", self.world.start)
            self.slowness = max(1.0, self.seconds["starting"] / USUAL_START_S)
            self.load.patience *= self.slowness
            self.watch.start()
            self.load.start()
            self._timed("faults", self._strike_all)
            self._timed("settling", self._settle)
            self._timed("verdict", self._judge)
        except Exception as error:
            self.violations.add("harness", f"the harness failed: {error!r}")
            raise
        finally:
            self._end()

    def _timed(self, what: str, phase: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            phase()
        finally:
            self.seconds[what] = time.monotonic() - began

    def _allowed_runs(self) -> int:
        """Return how many runs may be submitted by now: in proportion to the faults so far."""
        share = sum(self.struck.values()) / max(1, self.faults)
        return min(RUNS_AHEAD, 4 + self.runs // 16) + int(self.runs * share)

    # ---- faults ----------------------------------------------------------------------------------

    def _strike_all(self) -> None:
        targets = random.Random(f"targets {self.seed}")
        field = Field(self.world, self.watch, self.accepted, self.violations, targets)
        last = time.monotonic()
        while sum(self.struck.values()) < self.faults:
            time.sleep(self.pace * self._random.uniform(0.1, 1.9))
            if self._strike(field):
                last = time.monotonic()
            elif time.monotonic() - last > NO_TARGET_TIMEOUT_S * self.slowness:
                raise RuntimeError("no fault found a target for too long")

    def _strike(self, field: Field) -> bool:
        """Draw a fault and wait briefly for a target; return whether it struck."""
        fault: Fault = self._random.choices(FAULTS, [fault.weight for fault in FAULTS])[0]
        end = time.monotonic() + TARGET_TIMEOUT_S
        target = ""
        while not target and time.monotonic() < end:
            time.sleep(0.05)
            with contextlib.suppress(DatabaseUnavailable):
                target = fault.strike(field)
        if target:
            self.struck[fault.name] += 1
            print(f"{sum(self.struck.values()):4d}  {fault.name}: {target}", flush=True)
        return bool(target)

    # ---- without faults --------------------------------------------------------------------------

    def _settle(self) -> None:
        """Undo all faults; then every run must finish, and a run without faults must complete."""
        self.world.undo_faults()
        self._within(RECOVERY_TIMEOUT_S, self.world.is_healthy, "the installation is not healthy")
        self._within(RECOVERY_TIMEOUT_S, lambda: self.load.submitted, "not all runs were submitted")
        drain = DRAIN_TIMEOUT_S + DRAIN_TIMEOUT_PER_RUN_S * self.runs
        self._within(drain, self._all_finished, "runs have not finished")
        self.load.stop()
        self.load.join(RECOVERY_TIMEOUT_S)
        self._within(DRAIN_TIMEOUT_S, self._all_finished, "runs have not finished")
        again = [entry for entry in self.accepted.all() if self._failed_because_of_fault(entry)]
        for entry in again:
            entry.hurt.clear()  # no fault affects it any more
            self.load.resume(entry)
        drain = DRAIN_TIMEOUT_S + DRAIN_TIMEOUT_PER_RUN_S * len(again)
        self._within(drain, self._all_finished, "resumed runs have not finished")

    def _met_full_disk(self, run: Run) -> bool:
        """Return whether a run failed because the disk was full.

        `Entry.hurt` does not say so for a run whose submission was answered only after that.
        """
        if run.ended is None or run.cause is None or run.cause.kind is not CauseKind.DISK_FULL:
            return False
        ended = run.ended.timestamp()
        return any(start <= ended <= end + DISK_FULL_REPORT_S for start, end in self.world.full)

    def _failed_because_of_fault(self, entry: Entry) -> bool:
        """Return whether a fault made a run fail, so that it must complete when it is resumed."""
        try:
            run = self.world.patient.runs.get(ME, entry.run_id)
        except NotFound:  # the verdict reports it
            return False
        failed = run.state in (State.EXECUTOR_ERROR, State.SYSTEM_ERROR)
        if failed and (entry.hurt or run.state is State.SYSTEM_ERROR or self._met_full_disk(run)):
            kind = run.cause.kind if run.cause else "no cause"
            self.healed[f"{run.state} {kind}"] += 1
            return True
        return False

    def _all_finished(self) -> bool:
        with contextlib.suppress(DatabaseUnavailable):
            counts = self.world.services.runs.counts(ME)
            return not any(count for state, count in counts.items() if not state.final)
        return False

    def _within(self, seconds: float, condition: Callable[[], bool], otherwise: str) -> None:
        seconds *= self.slowness
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.violations.add("I3", f"{otherwise} after {seconds:.0f} s without faults")
                return
            time.sleep(0.2)

    def _judge(self) -> None:
        time.sleep(2.0)  # until the supervisors have ended
        self.watch.stop()
        self.watch.join(RECOVERY_TIMEOUT_S)
        self.watch.check()
        self.watch.check_all_runs()
        self.verdict.check_all()

    # ---- the end ---------------------------------------------------------------------------------

    def _end(self) -> None:
        self.load.stop()
        self.watch.stop()
        self.world.end()
        if self.violations.found:
            shutil.copytree(self.folder / "logs", self.folder / "evidence" / "logs")
        self.world.disk.remove()
        for path in self.folder.iterdir():
            if path.name != "evidence":
                shutil.rmtree(path, ignore_errors=True)
        if not self.violations.found:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _describe(self, run_id: str) -> str:
        return self.world.services.runs.get(ME, run_id).model_dump_json(indent=1)
