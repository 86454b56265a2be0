"""Living processes, read from /proc independently of the engine, which is under test."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from services.rundir import RunDir
from tests.helpers.waiting import until

TAG = b"RUNDESK_RUN="
UNKNOWN = 0  # number of an unknown attempt


@dataclass(frozen=True)
class Row:
    """A living process."""

    pid: int
    start: int  # clock ticks since boot
    parent: int
    name: str
    tag: tuple[str, int] | None = None  # run and attempt, from its environment

    def refresh(self) -> Row | None:
        """Return the process as it is now; None when it has ended, even if its pid was reused."""
        now = row(self.pid)
        return now if now is not None and now.start == self.start else None

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; return whether the process existed."""
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                if self.refresh() is not None:
                    signal.pidfd_send_signal(handle, number)
                    return True
            finally:
                os.close(handle)
        return False


@dataclass
class Tree:
    """The living processes of one attempt of a run."""

    supervisor: Row | None = None
    snakemake: Row | None = None
    jobs: list[Row] = field(default_factory=list)

    @property
    def workers(self) -> list[Row]:
        """The processes that may write to the run directory."""
        return [*([self.snakemake] if self.snakemake else []), *self.jobs]


Trees = dict[str, dict[int, Tree]]  # run → attempt → its living processes


def row(pid: int) -> Row | None:
    """Return a process; None when it does not exist or is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    if fields[0] in "ZXx":
        return None
    return Row(pid, int(fields[19]), int(fields[1]), head.partition("(")[2])


def kill_processes(*targets: Row | None) -> int:
    """Send SIGKILL to all and wait until they have ended; return how many existed."""
    struck = [target for target in targets if target and target.signal(signal.SIGKILL)]
    for target in struck:
        until(lambda target=target: target.refresh() is None)
    return len(struck)


def table() -> dict[int, Row]:
    """Return all living processes by pid."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
    return {pid: found for pid in pids if (found := row(pid)) is not None}


def trees(rows: dict[int, Row], runs: Path, wanted: set[str], before: Trees) -> Trees:
    """Return the living processes of the runs in `wanted`, and of all runs with tagged processes.

    `before` is an earlier result, used for a Snakemake whose supervisor has ended.
    """
    found: Trees = {}
    for process in rows.values():
        tag = _tag(process.pid)
        if tag is not None and (tag[0] in wanted or (runs / tag[0]).is_dir()):
            found.setdefault(tag[0], {}).setdefault(tag[1], Tree()).jobs.append(process)
    for run_id in wanted | set(found):
        for lock in RunDir(runs / run_id).internal.glob("attempt-*/lock"):
            if supervisor := _holder(lock, rows):
                number = int(lock.parent.name.partition("-")[2])
                tree = found.setdefault(run_id, {}).setdefault(number, Tree())
                tree.supervisor = supervisor
                below = [child for child in rows.values() if child.parent == supervisor.pid]
                tree.snakemake = next((c for c in below if c.name == "snakemake"), None)
                known = {job.pid for job in tree.jobs}
                tree.jobs += [c for c in below if c != tree.snakemake and c.pid not in known]
    _add_strays(found, rows, runs, before)
    return found


def _add_strays(found: Trees, rows: dict[int, Row], runs: Path, before: Trees) -> None:
    """Add Snakemakes in a run directory without a living supervisor."""
    known = {
        tree.snakemake.pid for run in found.values() for tree in run.values() if tree.snakemake
    }
    for process in rows.values():
        # A process just forked for a job still has the name of its parent.
        if process.name == "snakemake" and not {process.pid, process.parent} & known:
            with contextlib.suppress(OSError):
                folder = Path(f"/proc/{process.pid}/cwd").readlink()
                if folder.parent == runs:
                    number = _attempt(process, before.get(folder.name, {}))
                    found.setdefault(folder.name, {}).setdefault(number, Tree()).jobs.append(
                        process
                    )


def _attempt(process: Row, before: dict[int, Tree]) -> int:
    for number, tree in before.items():
        if any((row.pid, row.start) == (process.pid, process.start) for row in tree.workers):
            return number
    return UNKNOWN


def _tag(pid: int) -> tuple[str, int] | None:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    for entry in environ.split(b"\0") if TAG in environ else ():
        if entry.startswith(TAG):
            run_id, _, attempt = entry[len(TAG) :].decode(errors="replace").partition(":")
            return (run_id, int(attempt)) if attempt.isdigit() else None
    return None


def _holder(lock: Path, rows: dict[int, Row]) -> Row | None:
    """Return the living supervisor whose identity is in a lock."""
    with contextlib.suppress(OSError, ValueError):
        text = lock.read_text().strip()
        if text:
            identity = json.loads(text)
            holder = rows.get(identity["pid"])
            if holder is not None and holder.start == identity["start"]:
                return holder
    return None
