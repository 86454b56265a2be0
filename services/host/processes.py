"""What is alive, what belongs to whom, and how it ends. Linux: everything is read from /proc.

A process is named by its number and its start time, because numbers are used again. A zombie is
dead: it can neither write nor hold a lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

TAG = "RUNDESK_RUN"  # environment of everything a run starts: "<run id>:<attempt>"
PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36  # linux/prctl.h
BETWEEN_LOOKS = 0.02  # s
IDENTITY_SIZE = 128  # bytes; written in one piece
DEAD = frozenset("ZXx")
OURS = ("RUNDESK_", "SNAKEMAKE_", "MONGODB_URI", "MONGOD")  # beginnings of variables of the desk


@dataclass(frozen=True)
class Process:
    """One process, never confused with a later one of the same number."""

    pid: int
    start: int  # clock ticks since boot


@dataclass(frozen=True)
class Identity:
    """A process, in words that stay true after a reboot."""

    boot: str
    pid: int
    start: int

    @classmethod
    def mine(cls) -> Identity:
        pid = os.getpid()
        stat = _stat(pid)
        return cls(boot_id(), pid, stat.start if stat else 0)

    @property
    def alive(self) -> bool:
        """Whether exactly this process still runs; a zombie does not."""
        stat = _stat(self.pid)
        same = stat is not None and stat.start == self.start and stat.state not in DEAD
        return same and self.boot == boot_id()

    def write(self, file: int) -> None:
        """Put it into an open file, whole, in place of what was there."""
        os.pwrite(file, json.dumps(asdict(self)).encode().ljust(IDENTITY_SIZE), 0)

    @classmethod
    def read(cls, file: int) -> Identity | None:
        """None when nobody wrote theirs."""
        text = os.pread(file, IDENTITY_SIZE, 0).strip()
        return cls(**json.loads(text)) if text else None


@dataclass(frozen=True)
class _Stat:
    state: str
    parent: int
    start: int


def boot_id() -> str:
    """Changes with every start of the host."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def out_of_memory_kills() -> int:
    """Processes that the kernel ended for want of memory since the host started."""
    with contextlib.suppress(OSError), open("/proc/vmstat", encoding="utf-8") as file:  # noqa: PTH123
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def descendants(root: int) -> list[Process]:
    """All living processes below `root`."""
    stats = {pid: stat for pid in _pids() if (stat := _stat(pid))}
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    found, todo = [], list(children.get(root, ()))
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo.extend(children.get(pid, ()))
    return [Process(pid, stats[pid].start) for pid in found if stats[pid].state not in DEAD]


def tagged(run_id: str, attempt: int | None = None) -> list[Process]:
    """Living processes whose environment carries the tag of a run, or of one attempt of it.

    Finds what escaped every other way: another session, another parent, another group. A process
    that was forked and never executed anything else shows its parent's environment instead.
    """
    wanted = f"{TAG}={run_id}:{'' if attempt is None else attempt}".encode()
    return _living(pid for pid in _pids() if _carries(pid, wanted, exact=attempt is not None))


def holding(path: Path) -> list[Process]:
    """Living processes, other than this one, that have `path` open."""
    wanted = str(path.resolve())
    return _living(pid for pid in _pids() if pid != os.getpid() and _has_open(pid, wanted))


def end(find: Callable[[], Iterable[Process]], *, patience: float) -> bool:
    """SIGKILL whatever `find` finds until it finds nothing more; False after `patience` seconds."""
    deadline = time.monotonic() + patience
    while found := list(find()):
        if time.monotonic() > deadline:
            return False
        for process in found:
            send(process, signal.SIGKILL)
        time.sleep(BETWEEN_LOOKS)
    return True


def send(process: Process, number: signal.Signals) -> None:
    """Signal exactly this process; nothing happens when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        handle = os.pidfd_open(process.pid)
        try:
            stat = _stat(process.pid)
            if stat is not None and stat.start == process.start:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def send_group(group: int, number: signal.Signals) -> None:
    """Signal a process group; nothing happens when nobody is in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def reap() -> Iterator[tuple[int, int]]:
    """Collect dead children; their numbers and wait statuses."""
    with contextlib.suppress(ChildProcessError):
        while (gone := os.waitpid(-1, os.WNOHANG))[0]:
            yield gone


def childless() -> bool:
    """Whether this process has no child, dead or alive; then a subreaper has no descendant."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def become_subreaper() -> None:
    """From now on orphans below this process become its children, whatever they do."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process when the thread that forked it ends. Raises when it is gone."""
    _prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        raise ProcessLookupError(f"parent {parent} is gone")


def rename(name: str) -> None:
    """The name that ps and top show; 15 bytes."""
    _prctl(PR_SET_NAME, name.encode()[:15])


def _prctl(option: int, argument: int | bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return _Stat(state=fields[0], parent=int(fields[1]), start=int(fields[19]))


def _living(pids: Iterable[int]) -> list[Process]:
    stats = ((pid, _stat(pid)) for pid in pids)
    return [Process(pid, stat.start) for pid, stat in stats if stat and stat.state not in DEAD]


def _carries(pid: int, wanted: bytes, *, exact: bool) -> bool:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    if wanted not in environ:
        return False
    entries = environ.split(b"\0")
    return wanted in entries if exact else any(entry.startswith(wanted) for entry in entries)


def _has_open(pid: int, wanted: str) -> bool:
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{name}") == wanted:  # noqa: PTH115
                    return True
    return False


def environment(of: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What runs may see of the desk's environment: none of its settings, its programs first."""
    kept = {name: value for name, value in of.items() if not name.startswith(OURS)}
    beside = str(Path(sys.executable).parent)
    return {**kept, "PATH": os.pathsep.join([beside, kept.get("PATH", os.defpath)])}
