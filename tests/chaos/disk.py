"""A small disk for the data folder, which a fault can fill."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

DISK_BYTES = 1 << 30  # bytes
FILL_CHUNK_BYTES = 1 << 20
MOUNTS_VARIABLE = "RUNDESK_CHAOS_MOUNTS"  # set in a process that has its own mounts


def run_with_own_mounts() -> None:
    """Execute this command again in a mount namespace of its own, where the host permits that.

    Its mounts are invisible to other processes and disappear with its last process.
    """
    if MOUNTS_VARIABLE in os.environ or shutil.which("unshare") is None:
        return
    ways = ["--mount"], ["--mount", "--user", "--map-root-user"]
    for options in ways:
        try_it = ["unshare", *options, "mount", "-t", "tmpfs", "none", "/mnt"]
        if subprocess.run(try_it, capture_output=True, check=False, timeout=10).returncode == 0:
            os.environ[MOUNTS_VARIABLE] = "own"
            command = [sys.executable, "-m", "tests.chaos", *sys.argv[1:]]
            os.execvp("unshare", ["unshare", *options, *command])


class Disk:
    """The file system of the data folder; small where one could be mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.small = os.environ.get(MOUNTS_VARIABLE) == "own"
        if self.small:
            options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
            subprocess.run(["mount", *options], check=True, timeout=10)

    @property
    def filler(self) -> Path:
        return self.folder / "filler"

    def fill(self) -> None:
        """Write until the disk is full to the last byte."""
        with self.filler.open("wb", buffering=0) as file:
            for size in (FILL_CHUNK_BYTES, 4096, 1):
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
