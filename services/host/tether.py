"""Run a command that ends when its parent ends: `python tether.py <parent pid> <command> …`.

Executed by path. It replaces itself by the command, so there is no process in between, and no
Python code runs between fork and exec of a parent that may have threads.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tethered(*command: str) -> list[str]:
    """Return the command line that runs `command` until the calling thread ends."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def tether(parent: int) -> None:
    """Have SIGTERM sent to this process when the thread that forked it ends.

    Exits if it has ended already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # it ended before prctl
        sys.exit(1)


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    tether(parent)
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))  # one descriptor per connection
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
