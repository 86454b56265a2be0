"""Find, identify and end processes on Linux, using /proc.

A process is identified by its PID and its start time, because PIDs are reused. A zombie is treated
as dead, because it can neither write nor hold a lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

TAG = "RUNDESK_RUN"  # variable of all processes of a run: "<run id>:<attempt>"
PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36  # linux/prctl.h
END_INTERVAL_S = 0.02  # between attempts to end processes
IDENTITY_BYTES = 128  # written at once
DEAD = frozenset("ZXx")
#: Variables that runs inherit, and the prefix of more of them. Others may hold secrets.
PASSED_VARIABLES = frozenset(
    (
        *("PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "LANG", "LANGUAGE"),
        *("LD_LIBRARY_PATH", "JAVA_HOME", "PERL5LIB", "R_HOME", "R_LIBS", "R_LIBS_SITE"),
        *("CONDA_EXE", "CONDA_PREFIX", "MAMBA_EXE", "MAMBA_ROOT_PREFIX", "MODULEPATH"),
        *("OMP_NUM_THREADS", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"),
        *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"),
    )
)
PASSED_PREFIX = "LC_"


@dataclass(frozen=True)
class Process:
    """A process, distinguished from later ones with the same PID."""

    pid: int
    start: int  # clock ticks since boot


@dataclass(frozen=True)
class Identity:
    """A process, distinguished also from those before a reboot."""

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
        """Whether this process is still running; a zombie is not."""
        stat = _stat(self.pid)
        same = stat is not None and stat.start == self.start and stat.state not in DEAD
        return same and self.boot == boot_id()

    def write(self, file: int) -> None:
        """Overwrite the content of an open file with this identity, in one write."""
        os.pwrite(file, json.dumps(asdict(self)).encode().ljust(IDENTITY_BYTES), 0)

    @classmethod
    def read(cls, file: int) -> Identity | None:
        """Return the identity in an open file; None if there is none."""
        text = os.pread(file, IDENTITY_BYTES, 0).strip()
        return cls(**json.loads(text)) if text else None


@dataclass(frozen=True)
class _Stat:
    state: str
    parent: int
    start: int


def boot_id() -> str:
    """Return the id of this boot of the host."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def out_of_memory_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory since the boot."""
    with contextlib.suppress(OSError), open("/proc/vmstat", encoding="utf-8") as file:  # noqa: PTH123
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def descendants(root: int) -> list[Process]:
    """Return all live processes below the process `root`."""
    stats = {pid: stat for pid in _pids() if (stat := _stat(pid))}
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    below, todo = [], list(children.get(root, ()))
    while todo:
        pid = todo.pop()
        below.append(pid)
        todo.extend(children.get(pid, ()))
    return [Process(pid, stats[pid].start) for pid in below if stats[pid].state not in DEAD]


def tagged(run_id: str, attempt: int | None = None) -> list[Process]:
    """Return the live processes whose environment has the tag of a run, or of one attempt.

    This also finds processes with another session, parent or group. A process that was forked
    without executing a program shows the environment of its parent instead.
    """
    tag = f"{TAG}={run_id}:{'' if attempt is None else attempt}".encode()
    return _live(pid for pid in _pids() if _has_tag(pid, tag, exact=attempt is not None))


def holding(path: Path) -> list[Process]:
    """Return the live processes, other than this one, that have `path` open."""
    name = str(path.resolve())
    return _live(pid for pid in _pids() if pid != os.getpid() and _has_open(pid, name))


def end(find: Callable[[], Iterable[Process]], *, patience: float) -> bool:
    """SIGKILL the processes that `find` returns until there are none; False after `patience` s."""
    deadline = time.monotonic() + patience
    while alive := list(find()):
        if time.monotonic() > deadline:
            return False
        for process in alive:
            send(process, signal.SIGKILL)
        time.sleep(END_INTERVAL_S)
    return True


def send(process: Process, number: signal.Signals) -> None:
    """Send a signal to this process; do nothing if it has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        handle = os.pidfd_open(process.pid)
        try:
            stat = _stat(process.pid)
            if stat is not None and stat.start == process.start:
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)


def send_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group; do nothing if it is empty."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def reap() -> Iterator[tuple[int, int]]:
    """Reap dead children and yield their PIDs and wait statuses."""
    with contextlib.suppress(ChildProcessError):
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            yield child


def childless() -> bool:
    """Return whether this process has no child, dead or alive.

    A subreaper without children has no descendants.
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def become_subreaper() -> None:
    """Make this process the parent of all processes below it whose own parents end."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have this process killed when the thread that forked it ends.

    Raises ProcessLookupError if it has ended already.
    """
    prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        raise ProcessLookupError(f"parent {parent} has ended")


def rename(name: str) -> None:
    """Set the name that ps and top show, at most 15 bytes."""
    prctl(PR_SET_NAME, name.encode()[:15])


def prctl(option: int, argument: int | bytes) -> None:
    """Change a property of this process (prctl(2)). Raises OSError."""
    if _libc().prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may contain anything
    return _Stat(state=fields[0], parent=int(fields[1]), start=int(fields[19]))


def _live(pids: Iterable[int]) -> list[Process]:
    stats = ((pid, _stat(pid)) for pid in pids)
    return [Process(pid, stat.start) for pid, stat in stats if stat and stat.state not in DEAD]


def _has_tag(pid: int, tag: bytes, *, exact: bool) -> bool:
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    if tag not in environ:
        return False
    entries = environ.split(b"\0")
    return tag in entries if exact else any(entry.startswith(tag) for entry in entries)


def _has_open(pid: int, path: str) -> bool:
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{name}") == path:  # noqa: PTH115
                    return True
    return False


def environment(also: Collection[str] = (), of: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of runs: without secrets, and with Rundesk's programs first.

    `also`: names of more variables to pass on.
    """
    passed = PASSED_VARIABLES | {*also}
    visible = {
        name: value
        for name, value in of.items()
        if name in passed or name.startswith(PASSED_PREFIX)
    }
    programs = str(Path(sys.executable).parent)
    return {**visible, "PATH": os.pathsep.join([programs, visible.get("PATH", os.defpath)])}
