"""Implementations of the faults. Each returns a description of its target, "" without one."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.errors import TransitionRefused
from services.models import RunFilter, State
from services.rundir import RunDir
from tests.chaos.accepted import Accepted
from tests.chaos.load import ME
from tests.chaos.sight import Row, Tree, kill_processes
from tests.chaos.violations import Violations
from tests.chaos.watch import Watch
from tests.chaos.world import World

STOP_RANGE_S = (0.3, 8.0)  # that a process is stopped
OUTAGE_RANGE_S = (6.0, 14.0)  # that the database is unavailable
STORAGE_LOCKED_RANGE_S = (1.0, 5.0)  # that no folder of a run can be created
DISK_FULL_RANGE_S = (1.0, 4.0)  # that the disk is full
MOMENT_TIMEOUT_S = 3.0  # that a fault waits for the right moment
RACE_WINDOW_S = 0.03  # duration of a start or an end, on an idle machine
IMPOSSIBLE_JOB_COUNT = 987_654  # a number of jobs that no run has
STARTING_RUNS = RunFilter(state=[State.INITIALIZING], limit=1)


@dataclass(frozen=True)
class Field:
    """The objects that faults use."""

    world: World
    watch: Watch
    accepted: Accepted
    violations: Violations
    random: random.Random

    def tree(self, wanted: Callable[[Tree], bool]) -> tuple[str, Tree] | None:
        """Choose a run with living processes that satisfy `wanted`."""
        found = [
            (run_id, tree)
            for run_id, attempts in list(self.watch.trees.items())
            for tree in attempts.values()
            if wanted(tree)
        ]
        return self.random.choice(found) if found else None


Strike = Callable[[Field], str]  # returns a description of the target; "" without one


def kill(name: str) -> Strike:
    """Send SIGKILL to a process of the installation."""

    def strike(field: Field) -> str:
        target = field.world.find_process(name)
        return _describe(target) if target and kill_processes(target) else ""

    return strike


def stop(name: str) -> Strike:
    """Send SIGSTOP to a process of the installation, and SIGCONT a little later."""

    def strike(field: Field) -> str:
        target = field.world.find_process(name)
        if target is None:
            return ""
        trouble = f"{name} {target.pid} stopped"
        if name not in ("api", "worker"):
            field.world.troubles.add(trouble)
        return _stop(field, target, lambda: field.world.troubles.discard(trouble))

    return strike


def kill_at_start(name: str) -> Strike:
    """Send SIGKILL to a process of the installation while a run is starting."""

    def strike(field: Field) -> str:
        target = field.world.find_process(name)
        if target is None:
            return ""
        end = time.monotonic() + MOMENT_TIMEOUT_S
        while time.monotonic() < end:
            if field.world.services.runs.list(ME, STARTING_RUNS).items:
                time.sleep(field.random.uniform(0.0, RACE_WINDOW_S))
                return _describe(target) if kill_processes(target) else ""
        return ""

    return strike


def strike_at_end(number: signal.Signals) -> Strike:
    """Kill or stop a supervisor just after its Snakemake has ended."""

    def strike(field: Field) -> str:
        found = field.tree(lambda tree: tree.supervisor is not None and tree.snakemake is not None)
        if found is None:
            return ""
        run_id, tree = found
        assert tree.supervisor is not None
        assert tree.snakemake is not None
        end = time.monotonic() + MOMENT_TIMEOUT_S
        while tree.snakemake.refresh():
            if time.monotonic() > end:
                return ""
            time.sleep(0.001)
        time.sleep(field.random.uniform(0.0, RACE_WINDOW_S))
        if number is signal.SIGSTOP:
            return _freeze(field, run_id, tree.supervisor)
        return _describe(tree.supervisor) if kill_processes(tree.supervisor) else ""

    return strike


def kill_supervisor(field: Field) -> str:
    found = field.tree(lambda tree: tree.supervisor is not None)
    target = found[1].supervisor if found else None
    return _describe(target) if target and kill_processes(target) else ""


def kill_snakemake(field: Field) -> str:
    found = field.tree(lambda tree: tree.snakemake is not None)
    target = found[1].snakemake if found else None
    return _describe(target) if target and kill_processes(target) else ""


def kill_job(field: Field) -> str:
    """Kill a job; its run may then fail with a cause, and can be resumed."""
    if (found := field.tree(lambda tree: bool(tree.jobs))) is None:
        return ""
    run_id, tree = found
    if (entry := field.accepted.get(run_id)) is None:
        return ""
    entry.hurt.add("a job was killed")
    target = field.random.choice(tree.jobs)
    return _describe(target) if kill_processes(target) else ""


def kill_whole_run(field: Field) -> str:
    """Kill a supervisor, its Snakemake, its jobs and the runner at the same time."""
    if (found := field.tree(lambda tree: tree.supervisor is not None)) is None:
        return ""
    _, tree = found
    if tree.supervisor is None or tree.supervisor.refresh() is None:
        return ""
    others = kill_processes(tree.supervisor, field.world.find_process("runner"), *tree.workers) - 1
    return f"{_describe(tree.supervisor)} and {others} others"


def kill_everything(field: Field) -> str:
    """Kill all processes of the installation and of its runs, as when the host fails."""
    names = ("runner", "fork server", "db", "mongod", "api")
    targets = [field.world.find_process(name) for name in names]
    for attempts in list(field.watch.trees.values()):
        for tree in attempts.values():
            targets += [tree.supervisor, *tree.workers]
    struck = kill_processes(*targets)
    return f"{struck} processes" if struck else ""


def stop_database(field: Field) -> str:
    """Kill mongod, and stop its keeper so that it is not restarted for a while."""
    keeper, mongod = field.world.find_process("db"), field.world.find_process("mongod")
    if keeper is None or mongod is None:
        return ""
    seconds = field.random.uniform(*OUTAGE_RANGE_S)
    trouble = f"mongod {mongod.pid} stopped"
    field.world.troubles.add(trouble)
    description = _stop(field, keeper, lambda: field.world.troubles.discard(trouble), seconds)
    return description if kill_processes(mongod) else ""


def freeze(part: str) -> Strike:
    """Send SIGSTOP to a process of a run, and SIGCONT a little later."""

    def strike(field: Field) -> str:
        choice = (lambda t: t.jobs) if part == "jobs" else lambda t: [getattr(t, part)]
        found = field.tree(lambda tree: any(choice(tree)))
        if found is None:
            return ""
        run_id, tree = found
        return _freeze(field, run_id, field.random.choice([row for row in choice(tree) if row]))

    return strike


def restart(field: Field) -> str:
    """Send SIGTERM to all processes, supervisors included, as when a host shuts down."""
    trees = [tree for attempts in list(field.watch.trees.values()) for tree in attempts.values()]
    struck = [tree.supervisor.signal(signal.SIGTERM) for tree in trees if tree.supervisor]
    field.world.restart()
    return f"3 processes, {sum(struck)} supervisors"


def fill_disk(field: Field) -> str:
    """Fill the disk for a short time. Jobs may fail because of that, with a cause."""
    if not field.world.disk.small:
        return ""
    field.world.troubles.add("disk full")
    finished, start = set(field.watch.settled), time.time()

    def free() -> None:
        for entry in field.accepted.all():
            if entry.run_id not in finished:  # before the disk was full
                entry.hurt.add("the disk was full")
        field.world.disk.free()
        field.world.full.append((start, time.time()))
        field.world.troubles.discard("disk full")

    seconds = field.random.uniform(*DISK_FULL_RANGE_S)
    field.world.later(seconds, free)
    field.world.disk.fill()
    return f"for {seconds:.1f} s"


def lock_storage(field: Field) -> str:
    """Let nobody create a folder of a run for some seconds. No run may be lost by that."""
    rundir = RunDir.of(field.world.settings.data, "any")
    folders = sorted({str(rundir.root.parent), str(rundir.internal.parent)})
    command = shutil.which("chattr")
    if not command or subprocess.call([command, "+i", *folders], stderr=subprocess.DEVNULL):
        return ""  # only root may, and not on every file system
    field.world.troubles.add("storage locked")

    def unlock() -> None:
        subprocess.check_call([command, "-i", *folders])
        field.world.troubles.discard("storage locked")

    seconds = field.random.uniform(*STORAGE_LOCKED_RANGE_S)
    field.world.later(seconds, unlock)
    return f"for {seconds:.1f} s"


def stale_writer(field: Field) -> str:
    """Write to the database as an attempt that has ended: nothing may be accepted."""
    settled = [known for known in list(field.watch.settled.values()) if known.run.attempts]
    if not settled:
        return ""
    failed = [known for known in settled if known.run.state is not State.COMPLETE]
    known = field.random.choice(failed or settled)  # these could change their state
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
    store.report(run.id, number, {"progress.done": IMPOSSIBLE_JOB_COUNT})
    entry = field.accepted.get(run.id)
    after = field.world.services.runs.get(ME, run.id)
    same = entry is not None and entry.resumes == known.resumes
    if (same and (taken or after != run)) or after.progress.done == IMPOSSIBLE_JOB_COUNT:
        words = f"attempt {number} wrote after its end: {', '.join(taken) or 'progress'}"
        field.violations.add("I7", words, run.id)
    return f"attempt {number} of {len(run.attempts)}, {run.state}"


def _freeze(field: Field, run_id: str, target: Row) -> str:
    field.world.frozen.append(run_id)
    return _stop(field, target, lambda: field.world.frozen.remove(run_id))


def _stop(field: Field, target: Row, then: Callable[[], None], seconds: float = 0.0) -> str:
    seconds = seconds or field.random.uniform(*STOP_RANGE_S)

    def resume() -> None:
        target.signal(signal.SIGCONT)
        then()

    field.world.later(seconds, resume)
    return f"{_describe(target)} for {seconds:.1f} s" if target.signal(signal.SIGSTOP) else ""


def _describe(target: Row) -> str:
    return f"{target.name} {target.pid}"
