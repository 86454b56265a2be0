"""A wall around a process and all that it starts: which files it reaches, no network, no signals.

Landlock, a security module of Linux, takes rights away from the calling thread for good; no
privilege is needed for it. Namespaces give the process a network, a `/tmp` and shared memory of its
own, where the host lets this account make them. What neither of them can do on this host is missing
from `support()`. Sources: landlock(7), user_namespaces(7), capabilities(7), linux/landlock.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import socket
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.host.launcher import program
from services.host.processes import prctl
from services.settings import HERE

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
GET_VERSION, PATH_BENEATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE = 1 << 13, 1 << 14
FIRST_RIGHTS = (1 << 13) - 1  # all of ABI 1: also to make and remove files, folders, sockets …
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE  # those that a rule of a file may have
READ = EXECUTE | READ_FILE | READ_DIR
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1
#: ABI 1 (Linux 5.13) forbids every move of a file to another folder; too many programs do that.
MIN_ABI, TRUNCATE_ABI, TCP_ABI, SCOPE_ABI = 2, 3, 4, 6
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE = 24, 38, 4  # linux/prctl.h
NEW_NS, NEW_IPC, NEW_USER, NEW_NET = 0x20000, 0x8000000, 0x10000000, 0x40000000  # linux/sched.h
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE = 442, -100, 0x8000  # since Linux 5.12
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18  # linux/mount.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h
CAPABILITY_VERSION, LAST_CAPABILITY = 0x20080522, 40  # linux/capability.h
#: What root keeps: to use files of other owners as far as the wall lets it (CHOWN, DAC_OVERRIDE,
#: FOWNER, FSETID), and to become another account (SETGID, SETUID).
KEPT_BY_ROOT = (0, 1, 3, 4, 6, 7)

PROBE_TIMEOUT_S = 30.0

#: What programs of the host are, and what they read. `without` leaves the data folder out.
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/proc"),
    *("/sys", "/nix", "/gnu", "/snap", "/run/current-system", "/run/systemd/resolve"),
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
GRAPHICS = ("nvidia*", "kfd", "dri")  # below /dev
SHARED_MEMORY = Path("/dev/shm")
TEMPORARY = (Path("/tmp"), Path("/var/tmp"))


@dataclass(frozen=True)
class Wall:
    """What a process and all that it starts may do."""

    reads: Sequence[Path]  # folders and files, in addition to the programs of the host
    writes: Sequence[Path]
    scratch: Path  # stands for /tmp where the host allows that; one of `writes`
    network: bool = False
    mounts: bool = False  # it makes containers, which Landlock's rules for files do not allow


@dataclass(frozen=True)
class Support:
    """Which parts of a wall stand on this host."""

    files: bool  # only the files of the wall can be read and written
    network: bool  # no network at all
    tcp: bool  # no TCP connection; other protocols where `network` is missing
    signals: bool  # no signal to a process outside
    mounts: bool  # the rest of the host is read-only; /tmp, shared memory and /run are its own

    @property
    def complete(self) -> bool:
        return self.files and (self.network or self.tcp) and self.signals


def confine(wall: Wall) -> Support:
    """Put a wall around this process, which has one thread; return which parts stand.

    Raises OSError when a part fails that this kernel has: then the process must not go on.
    """
    libc = _libc()
    separate = _separate(libc, wall)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    abi = _abi(libc)
    if abi >= MIN_ABI:
        _restrict(libc, wall, abi, network_left=wall.network or separate.network)
    _drop_capabilities(libc)
    return Support(
        files=abi >= MIN_ABI and not wall.mounts,
        network=separate.network,
        tcp=abi >= TCP_ABI and not wall.network,
        signals=abi >= SCOPE_ABI,
        mounts=separate.mounts,
    )


@functools.cache
def support() -> Support:
    """Return which parts of a wall stand on this host: builds one in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        command = program("services.host.wall", scratch)
        done = subprocess.run(
            command, cwd=HERE, capture_output=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    return Support(*(word == b"True" for word in done.stdout.split() or [b""] * 5))


def without(root: Path, hidden: Iterable[Path]) -> Iterator[Path]:
    """Yield `root`, or what is in it apart from the paths `hidden`, as few paths as possible."""
    inside = [path for path in hidden if path.is_relative_to(root)]
    if not inside:
        yield root
    elif root not in inside:
        with contextlib.suppress(OSError):  # not a folder, or not readable
            for child in root.iterdir():
                yield from without(child, inside)


# ---- Landlock ------------------------------------------------------------------------------------


def _abi(libc: ctypes.CDLL) -> int:
    """Return the version of Landlock of this kernel; 0 without Landlock."""
    return max(0, int(libc.syscall(CREATE_RULESET, None, 0, GET_VERSION)))


def _restrict(libc: ctypes.CDLL, wall: Wall, abi: int, *, network_left: bool) -> None:
    files = 0
    if not wall.mounts:
        files = FIRST_RIGHTS | REFER | (TRUNCATE if abi >= TRUNCATE_ABI else 0)
    tcp = BIND_TCP | CONNECT_TCP if abi >= TCP_ABI and not network_left else 0
    scoped = ABSTRACT_SOCKETS | SIGNALS if abi >= SCOPE_ABI else 0
    size = 24 if abi >= SCOPE_ABI else 16 if abi >= TCP_ABI else 8
    if not (files or tcp or scoped):
        return
    attributes = struct.pack("=QQQ", files, tcp, scoped)[:size]
    ruleset = _checked(libc.syscall(CREATE_RULESET, attributes, size, 0))
    try:
        if files:
            for path, rights in _rules(wall, files):
                _add(libc, ruleset, path, rights)
        _checked(libc.syscall(RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _rules(wall: Wall, every: int) -> Iterator[tuple[Path, int]]:
    for path in wall.reads:
        yield path, READ
    devices = [*map(Path, DEVICES), SHARED_MEMORY]
    devices += [path for name in GRAPHICS for path in Path("/dev").glob(name)]
    temporary = [path for path in TEMPORARY if _is_scratch(path, wall)]
    for path in (*devices, *temporary, *wall.writes):
        yield path, every


def _add(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    """Add a rule for a path. A path that does not exist, or may not be looked up, needs none."""
    try:
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(file).st_mode):
            rights &= FILE_RIGHTS
        rule = struct.pack("=Qi", rights, file)
        _checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0))
    finally:
        os.close(file)


# ---- namespaces ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Separate:
    """What a process has of its own."""

    network: bool
    mounts: bool


def _separate(libc: ctypes.CDLL, wall: Wall) -> _Separate:
    """Give this process namespaces of its own, as far as the host lets this account make them."""
    wanted = NEW_NS | NEW_IPC | (0 if wall.network else NEW_NET)
    user, group = os.geteuid(), os.getegid()
    if wall.mounts:  # a container needs the mounts of the host, and a user namespace of its own
        wanted = 0 if wall.network else NEW_NET
    if not wanted:
        return _Separate(network=False, mounts=False)
    if libc.unshare(wanted) != 0:
        if not has_user_namespaces():
            return _Separate(network=False, mounts=False)
        _checked(libc.unshare(wanted | NEW_USER))
        _map(user, group)
    if not wall.network:
        with contextlib.suppress(OSError):
            _bring_up_loopback()
    mounted = bool(wanted & NEW_NS) and _mount(libc, wall)
    return _Separate(network=not wall.network, mounts=mounted)


@functools.cache
def has_user_namespaces() -> bool:
    """Return whether this account may make a user namespace, and use mounts in it.

    Tries it in a fork: a process whose account could not be kept in its namespace is of no use.
    """
    if (pid := os.fork()) == 0:
        code = 1
        try:
            libc = _libc()
            user, group = os.geteuid(), os.getegid()
            if libc.unshare(NEW_USER | NEW_NS | NEW_IPC | NEW_NET) == 0:
                _map(user, group)
                private = libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
                code = int(private != 0)
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def _map(user: int, group: int) -> None:
    """Keep the account of this process in a new user namespace. Raises OSError."""
    prctl(PR_SET_DUMPABLE, 1)  # else these files are root's
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        Path("/proc/self", name).write_text(line, encoding="ascii")


def _bring_up_loopback() -> None:
    """Start the loopback device of a new network: programs talk to themselves through it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
        flags = struct.unpack("16sH14x", answer)[1] | IFF_UP
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))


def _mount(libc: ctypes.CDLL, wall: Wall) -> bool:
    """Make all mounts read-only but those of the wall; mount a /tmp, /dev/shm and /run of its own.

    A run with network keeps /run, where the resolver of the host is.
    """

    def mount(source: str, target: Path, kind: str, flags: int, data: str = "") -> bool:
        words = (source.encode(), str(target).encode(), kind.encode())
        return bool(libc.mount(*words, ctypes.c_ulong(flags), data.encode()) == 0)

    if not mount("none", Path("/"), "", MS_REC | MS_PRIVATE):
        return False
    temporary = [path for path in TEMPORARY if _is_scratch(path, wall)]
    writable = [*temporary, *(path for path in wall.writes if path.is_dir())]
    done = all(
        mount(str(wall.scratch if path in temporary else path), path, "", MS_BIND | MS_REC)
        for path in writable
    )
    done = done and _set_read_only(libc, Path("/"), read_only=True)
    if done and not all(_set_read_only(libc, path, read_only=False) for path in writable):
        done = not _set_read_only(libc, Path("/"), read_only=False)
    own = MS_NOSUID | MS_NODEV
    if SHARED_MEMORY.is_dir():
        done = mount("tmpfs", SHARED_MEMORY, "tmpfs", own, "mode=1777") and done
    run = Path("/run")
    if not wall.network and run.is_dir() and not _needed(run, wall):
        done = mount("tmpfs", run, "tmpfs", own) and done
    return done


def _set_read_only(libc: ctypes.CDLL, path: Path, *, read_only: bool) -> bool:
    """Make the mount at a path, and those below it, read-only or writable for this process.

    On a read-only mount not even permissions or times can be changed, which Landlock allows.
    """
    attributes = struct.pack("=QQQQ", *((1, 0) if read_only else (0, 1)), 0, 0)
    words = (AT_FDCWD, str(path).encode(), AT_RECURSIVE, attributes, len(attributes))
    return bool(libc.syscall(MOUNT_SETATTR, *words) == 0)


def _is_scratch(path: Path, wall: Wall) -> bool:
    """Return whether the scratch folder can stand for a folder: nothing in it is needed."""
    return path.is_dir() and not path.is_symlink() and not _needed(path, wall)


def _needed(folder: Path, wall: Wall) -> bool:
    return any(path.is_relative_to(folder) for path in (*wall.reads, *wall.writes, wall.scratch))


# ---- privileges ----------------------------------------------------------------------------------


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Give up the privileges of this process, for good; root keeps a few about files.

    Without the others neither `/proc` nor a device nor a mount leads around the wall.
    """
    kept = KEPT_BY_ROOT if os.geteuid() == 0 else ()
    for capability in range(LAST_CAPABILITY + 1):
        if capability not in kept:
            with contextlib.suppress(OSError):  # not privileged, or a later kernel's
                prctl(PR_CAPBSET_DROP, capability)
    header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    mask = sum(1 << capability for capability in kept) & _permitted(libc, header)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    data = struct.pack("=6I", low, low, 0, high, high, 0)
    _checked(libc.capset(header, data))


def _permitted(libc: ctypes.CDLL, header: bytes) -> int:
    data = ctypes.create_string_buffer(24)
    _checked(libc.capget(header, data))
    _, low, _, _, high, _ = struct.unpack("=6I", data.raw)
    return int(low | high << 32)


# ---- the C library -------------------------------------------------------------------------------


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno() or errno.EINVAL
        raise OSError(number, f"the wall around a run cannot be built: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    print(*vars(confine(Wall(reads=(), writes=(), scratch=Path(sys.argv[1])))).values(), flush=True)
    os._exit(0)  # it can no longer read what the end of Python needs
