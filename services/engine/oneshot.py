"""A Snakemake beside the runs: short-lived, bounded in every way, ended with all it started.

To read a Snakefile is to execute it, so portal and API never do that themselves.
"""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from services.host import processes
from services.host.launcher import program
from services.host.tether import tethered
from services.settings import HERE, MIB

PATIENCE = 60.0  # s that it may take
SWEEPING = 5.0  # s to end what a Snakefile may have started
LARGEST = 128 * MIB  # of a file that it may write
SHOWN = 65536  # bytes of what it printed that are kept, its last ones


@dataclass(frozen=True)
class Said:
    """How it went."""

    code: int | None  # None: ended, as it took too long
    output: str  # both streams


def snakemake(words: Sequence[str], *, patience: float = PATIENCE, largest: int = LARGEST) -> Said:
    """Run `snakemake` with these words. Raises OSError when it cannot be started."""
    with tempfile.TemporaryFile() as console:
        with started(words, console, largest=largest) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
            code = process.poll()
        return Said(code, _end(console))


@contextlib.contextmanager
def started(
    words: Sequence[str], console: IO[bytes], *, largest: int
) -> Iterator[subprocess.Popen[bytes]]:
    """`snakemake` with these words, until the end of the block, and nothing that it started after.

    Both streams go to `console`; no file that it writes is longer than `largest` bytes.
    """
    name = f"aside-{secrets.token_hex(12)}"
    process = subprocess.Popen(
        tethered(*program("snakemake", *words)),
        cwd=HERE,
        env={**processes.environment(), processes.TAG: f"{name}:1"},
        stdin=subprocess.DEVNULL,
        stdout=console,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        with contextlib.suppress(ProcessLookupError):  # it is over already
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest, largest))
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        processes.end(lambda: processes.tagged(name), patience=SWEEPING)


def _end(console: IO[bytes]) -> str:
    console.seek(max(0, console.seek(0, os.SEEK_END) - SHOWN))
    return console.read().decode("utf-8", "replace")
