"""The course of events: load, faults, checks after each fault, and a calm in which all must end."""

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

PACE = 1.5  # s between two faults, on average
AFTER_FULL = 5.0  # s in which a run that a full disk ended may still say so
AHEAD = 20  # runs that are submitted before their share of the faults has struck
BACK = 60.0  # s in which the desk answers again after the last fault
DRAIN, DRAIN_PER_RUN = 180.0, 1.0  # s in which all runs end after that
TARGET = 4.0  # s that a fault waits for something to strike
NO_TARGET = 60.0  # s without anything to strike
USUAL_START = 4.0  # s until the desk answers for the first time, on an idle host


class Chaos:
    """One course, from an empty folder to the verdict. Every wait in it has an end."""

    def __init__(self, *, runs: int, faults: int, seed: int, pace: float = PACE) -> None:
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
            allowed=self._allowed,
        )
        self.verdict = Verdict(self.world, self.accepted, self.violations)
        self.struck: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self.slowness = 1.0  # of the host, with all that it does besides; for patience alone
        self.healed: Counter[str] = Counter()
        self._random = random.Random(f"faults {seed}")
        self.violations.describe = self._described

    def go(self) -> None:
        """Everything; at the end nothing of it is left but evidence of violations."""
        try:
            self._timed("starting", self.world.begin)
            self.slowness = max(1.0, self.seconds["starting"] / USUAL_START)
            self.load.patience *= self.slowness
            self.watch.start()
            self.load.start()
            self._timed("faults", self._strike_all)
            self._timed("settling", self._settle)
            self._timed("verdict", self._judge)
        except Exception as error:
            self.violations.add("harness", f"it failed: {error!r}")
            raise
        finally:
            self._end()

    def _timed(self, what: str, phase: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            phase()
        finally:
            self.seconds[what] = time.monotonic() - began

    def _allowed(self) -> int:
        """How many runs may have been submitted by now: their share of the faults."""
        share = sum(self.struck.values()) / max(1, self.faults)
        return min(AHEAD, 4 + self.runs // 16) + int(self.runs * share)

    # ---- faults ----------------------------------------------------------------------------------

    def _strike_all(self) -> None:
        targets = random.Random(f"targets {self.seed}")
        field = Field(self.world, self.watch, self.accepted, self.violations, targets)
        last = time.monotonic()
        while sum(self.struck.values()) < self.faults:
            time.sleep(self.pace * self._random.uniform(0.1, 1.9))
            if self._strike(field):
                last = time.monotonic()
            elif time.monotonic() - last > NO_TARGET * self.slowness:
                raise RuntimeError("there was nothing to strike for too long")

    def _strike(self, field: Field) -> bool:
        """Draw a fault and wait a moment for its target; whether there was one."""
        fault: Fault = self._random.choices(FAULTS, [fault.weight for fault in FAULTS])[0]
        end = time.monotonic() + TARGET
        said = ""
        while not said and time.monotonic() < end:
            time.sleep(0.05)
            with contextlib.suppress(DatabaseUnavailable):
                said = fault.strike(field)
        if said:
            self.struck[fault.name] += 1
            print(f"{sum(self.struck.values()):4d}  {fault.name}: {said}", flush=True)
        return bool(said)

    # ---- the calm --------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Undo all faults; then every run has to end, and a healthy one has to complete."""
        self.world.calm()
        self._within(BACK, self.world.whole, "the desk is not back")
        self._within(BACK, lambda: self.load.submitted, "not all runs were submitted")
        self._within(DRAIN + DRAIN_PER_RUN * self.runs, self._all_over, "runs are not over")
        self.load.stop()
        self.load.join(BACK)
        self._within(DRAIN, self._all_over, "runs are not over")
        again = [entry for entry in self.accepted.all() if self._failed_by_fault(entry)]
        for entry in again:
            entry.hurt.clear()  # nobody hurts it any more
            self.load.resume(entry)
        self._within(
            DRAIN + DRAIN_PER_RUN * len(again), self._all_over, "resumed runs are not over"
        )

    def _met_full_disk(self, run: Run) -> bool:
        """Also when its submission was answered only after that: nobody knew of it to mark it."""
        if run.ended is None or run.cause is None or run.cause.kind is not CauseKind.DISK_FULL:
            return False
        ended = run.ended.timestamp()
        return any(begun <= ended <= over + AFTER_FULL for begun, over in self.world.full)

    def _failed_by_fault(self, entry: Entry) -> bool:
        """Whether a run was made to fail by a fault, so that it completes when it is resumed."""
        try:
            run = self.world.patient.runs.get(ME, entry.run_id)
        except NotFound:  # the verdict says so
            return False
        failed = run.state in (State.EXECUTOR_ERROR, State.SYSTEM_ERROR)
        if failed and (entry.hurt or run.state is State.SYSTEM_ERROR or self._met_full_disk(run)):
            kind = run.cause.kind if run.cause else "no cause"
            self.healed[f"{run.state} {kind}"] += 1
            return True
        return False

    def _all_over(self) -> bool:
        with contextlib.suppress(DatabaseUnavailable):
            counts = self.world.services.runs.counts(ME)
            return not any(count for state, count in counts.items() if not state.final)
        return False

    def _within(self, seconds: float, condition: Callable[[], bool], otherwise: str) -> None:
        seconds *= self.slowness
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.violations.add("I3", f"{otherwise} after {seconds:.0f} s of calm")
                return
            time.sleep(0.2)

    def _judge(self) -> None:
        time.sleep(2.0)  # supervisors have said their last word, and end
        self.watch.stop()
        self.watch.join(BACK)
        self.watch.look()
        self.watch.page()
        self.verdict.give()

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

    def _described(self, run_id: str) -> str:
        return self.world.services.runs.get(ME, run_id).model_dump_json(indent=1)
