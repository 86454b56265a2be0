"""Ways to strike the desk. Each says what it struck; nothing, when there was nothing to strike."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.errors import TransitionRefused
from services.models import RunFilter, State
from tests.chaos.accepted import Accepted
from tests.chaos.load import ME
from tests.chaos.sight import Row, Tree, killed
from tests.chaos.violations import Violations
from tests.chaos.watch import Watch
from tests.chaos.world import World

STOPPED = (0.3, 8.0)  # s that a process is stopped
AWAY = (6.0, 14.0)  # s that the database is away
FULL = (1.0, 4.0)  # s that the disk is full
MOMENT = 3.0  # s that a strike waits for the right moment
INSTANT = 0.03  # s; within it a start or an end is done, on an idle machine
POISON = 987_654  # a number of jobs that no run has
STARTING = RunFilter(state=[State.INITIALIZING], limit=1)


@dataclass(frozen=True)
class Field:
    """What faults have to work with."""

    world: World
    watch: Watch
    accepted: Accepted
    violations: Violations
    random: random.Random

    def tree(self, wanted: Callable[[Tree], bool]) -> tuple[str, Tree] | None:
        """A run at work, and what lives of it."""
        found = [
            (run_id, tree)
            for run_id, attempts in list(self.watch.trees.items())
            for tree in attempts.values()
            if wanted(tree)
        ]
        return self.random.choice(found) if found else None


Strike = Callable[[Field], str]  # what was struck; "" when there was nothing to strike


def kill(name: str) -> Strike:
    """SIGKILL to a process of the desk."""

    def strike(field: Field) -> str:
        target = field.world.of(name)
        return _said(target) if target and killed(target) else ""

    return strike


def stop(name: str) -> Strike:
    """SIGSTOP to a process of the desk, SIGCONT a little later."""

    def strike(field: Field) -> str:
        target = field.world.of(name)
        if target is None:
            return ""
        trouble = f"{name} {target.pid} stopped"
        if name not in ("api", "worker"):
            field.world.troubles.add(trouble)
        return _stop(field, target, lambda: field.world.troubles.discard(trouble))

    return strike


def kill_at_a_start(name: str) -> Strike:
    """SIGKILL to a process of the desk in the moment in which a run is being started."""

    def strike(field: Field) -> str:
        target = field.world.of(name)
        if target is None:
            return ""
        end = time.monotonic() + MOMENT
        while time.monotonic() < end:
            if field.world.services.runs.list(ME, STARTING).items:
                time.sleep(field.random.uniform(0.0, INSTANT))
                return _said(target) if killed(target) else ""
        return ""

    return strike


def at_an_end(number: signal.Signals) -> Strike:
    """A supervisor is killed or stopped just after its Snakemake has ended: it has much to do."""

    def strike(field: Field) -> str:
        found = field.tree(lambda tree: tree.supervisor is not None and tree.snakemake is not None)
        if found is None:
            return ""
        run_id, tree = found
        assert tree.supervisor is not None
        assert tree.snakemake is not None
        end = time.monotonic() + MOMENT
        while tree.snakemake.again():
            if time.monotonic() > end:
                return ""
            time.sleep(0.001)
        time.sleep(field.random.uniform(0.0, INSTANT))
        if number is signal.SIGSTOP:
            return _freeze(field, run_id, tree.supervisor)
        return _said(tree.supervisor) if killed(tree.supervisor) else ""

    return strike


def kill_supervisor(field: Field) -> str:
    found = field.tree(lambda tree: tree.supervisor is not None)
    target = found[1].supervisor if found else None
    return _said(target) if target and killed(target) else ""


def kill_snakemake(field: Field) -> str:
    found = field.tree(lambda tree: tree.snakemake is not None)
    target = found[1].snakemake if found else None
    return _said(target) if target and killed(target) else ""


def kill_job(field: Field) -> str:
    """After that its run may fail, by Snakemake's word; it says so, and can be resumed."""
    if (found := field.tree(lambda tree: bool(tree.jobs))) is None:
        return ""
    run_id, tree = found
    if (entry := field.accepted.get(run_id)) is None:
        return ""
    entry.hurt.add("a job was killed")
    target = field.random.choice(tree.jobs)
    return _said(target) if killed(target) else ""


def kill_whole_run(field: Field) -> str:
    """Supervisor, Snakemake and jobs at once, and the runner with them."""
    if (found := field.tree(lambda tree: tree.supervisor is not None)) is None:
        return ""
    _, tree = found
    if tree.supervisor is None or tree.supervisor.again() is None:
        return ""
    others = killed(tree.supervisor, field.world.of("runner"), *tree.workers) - 1
    return f"{_said(tree.supervisor)} and {others} others"


def crash(field: Field) -> str:
    """All that the desk and its runs have, at once: what a host that fails leaves behind."""
    names = ("runner", "nursery", "db", "mongod", "api")
    targets = [field.world.of(name) for name in names]
    for attempts in list(field.watch.trees.values()):
        for tree in attempts.values():
            targets += [tree.supervisor, *tree.workers]
    struck = killed(*targets)
    return f"{struck} processes" if struck else ""


def away(field: Field) -> str:
    """mongod killed, and its keeper stopped so that it does not start it again for a while."""
    keeper, mongod = field.world.of("db"), field.world.of("mongod")
    if keeper is None or mongod is None:
        return ""
    seconds = field.random.uniform(*AWAY)
    trouble = f"mongod {mongod.pid} away"
    field.world.troubles.add(trouble)
    said = _stop(field, keeper, lambda: field.world.troubles.discard(trouble), seconds)
    return said if killed(mongod) else ""


def freeze(part: str) -> Strike:
    """SIGSTOP to a process of a run, SIGCONT a little later."""

    def strike(field: Field) -> str:
        choice = (lambda t: t.jobs) if part == "jobs" else lambda t: [getattr(t, part)]
        found = field.tree(lambda tree: any(choice(tree)))
        if found is None:
            return ""
        run_id, tree = found
        return _freeze(field, run_id, field.random.choice([row for row in choice(tree) if row]))

    return strike


def restart(field: Field) -> str:
    """SIGTERM to everything, supervisors included, as when a host shuts down in order."""
    trees = [tree for attempts in list(field.watch.trees.values()) for tree in attempts.values()]
    struck = [tree.supervisor.signal(signal.SIGTERM) for tree in trees if tree.supervisor]
    field.world.restart()
    return f"3 processes, {sum(struck)} supervisors"


def fill_disk(field: Field) -> str:
    """Not a byte more fits; a little later it does. Jobs may fail by that, and say so."""
    if not field.world.disk.small:
        return ""
    field.world.troubles.add("disk full")
    over, begun = set(field.watch.settled), time.time()

    def free() -> None:
        for entry in field.accepted.all():
            if entry.run_id not in over:  # before it was full
                entry.hurt.add("the disk was full")
        field.world.disk.free()
        field.world.full.append((begun, time.time()))
        field.world.troubles.discard("disk full")

    seconds = field.random.uniform(*FULL)
    field.world.later(seconds, free)
    field.world.disk.fill()
    return f"for {seconds:.1f} s"


def stale_writer(field: Field) -> str:
    """Write as an attempt that is over: nothing of it may be taken."""
    settled = [known for known in list(field.watch.settled.values()) if known.run.attempts]
    if not settled:
        return ""
    failed = [known for known in settled if known.run.state is not State.COMPLETE]
    known = field.random.choice(failed or settled)  # of these something could come back
    run = known.run
    number = field.random.choice(run.attempts).number
    database, now = field.world.services.database, datetime.now(UTC)
    store, queue = database.runs, database.queue
    taken = []
    for what, write in {
        "renew": lambda: queue.renew(run.id, number, now=now, lease=timedelta(minutes=1)),
        "complete": lambda: store.end(run.id, number, State.COMPLETE, now=now),
        "run": lambda: store.start(run.id, number, now=now),
        "requeue": lambda: store.end(run.id, number, State.QUEUED, now=now, note="stale"),
    }.items():
        try:
            write()
        except TransitionRefused:
            continue
        taken.append(what)
    store.report(run.id, number, {"progress.done": POISON})
    entry = field.accepted.get(run.id)
    after = field.world.services.runs.get(ME, run.id)
    same = entry is not None and entry.resumes == known.resumes
    if (same and (taken or after != run)) or after.progress.done == POISON:
        words = f"attempt {number} wrote after its end: {', '.join(taken) or 'progress'}"
        field.violations.add("I7", words, run.id)
    return f"attempt {number} of {len(run.attempts)}, {run.state}"


def _freeze(field: Field, run_id: str, target: Row) -> str:
    field.world.frozen.append(run_id)
    return _stop(field, target, lambda: field.world.frozen.remove(run_id))


def _stop(field: Field, target: Row, then: Callable[[], None], seconds: float = 0.0) -> str:
    seconds = seconds or field.random.uniform(*STOPPED)

    def go_on() -> None:
        target.signal(signal.SIGCONT)
        then()

    field.world.later(seconds, go_on)
    return f"{_said(target)} for {seconds:.1f} s" if target.signal(signal.SIGSTOP) else ""


def _said(target: Row) -> str:
    return f"{target.name} {target.pid}"
