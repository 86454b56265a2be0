"""Runs a command that ends when its parent does: `python tethered.py <parent pid> <command> …`.

Executed by path: it becomes the command, so there is no process in between, and no Python of ours
runs between fork and exec of a parent that may have threads.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tethered(*command: str) -> list[str]:
    """The command line that runs `command` tethered to the calling thread."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def tether(parent: int) -> None:
    """SIGTERM for this process when the thread that forked it ends; exits when it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:  # it ended before the tether held
        sys.exit(1)


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    tether(parent)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # one descriptor per connection
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
