"""A small disk for the desk alone, which a fault can fill."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SIZE = 1 << 30  # bytes
BLOCK = 1 << 20
MARK = "RUNDESK_CHAOS_MOUNTS"  # set for a process that has its own mounts


def with_own_mounts() -> None:
    """Become this command again among mounts of its own, where the host permits that.

    What is mounted there is seen by nobody else and is gone with the last process.
    """
    if MARK in os.environ or shutil.which("unshare") is None:
        return
    ways = ["--mount"], ["--mount", "--user", "--map-root-user"]
    for options in ways:
        try_it = ["unshare", *options, "mount", "-t", "tmpfs", "none", "/mnt"]
        if subprocess.run(try_it, capture_output=True, check=False, timeout=10).returncode == 0:
            os.environ[MARK] = "own"
            command = [sys.executable, "-m", "tests.chaos", *sys.argv[1:]]
            os.execvp("unshare", ["unshare", *options, *command])


class Disk:
    """Where the desk's data folder is; small when it could be mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.small = os.environ.get(MARK) == "own"
        if self.small:
            options = ["-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
            subprocess.run(["mount", *options], check=True, timeout=10)

    @property
    def filler(self) -> Path:
        return self.folder / "filler"

    def fill(self) -> None:
        """Until not one byte more goes in."""
        with self.filler.open("wb", buffering=0) as file:
            for size in (BLOCK, 4096, 1):
                try:
                    while file.write(b"\0" * size) == size:
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        self.filler.unlink(missing_ok=True)

    def remove(self) -> None:
        if self.small:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False, timeout=10)
