"""Runs a short-lived Snakemake outside of a run, with limits, and ends all that it started.

Reading a Snakefile executes it, so portal and API never do that in their own process.
"""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from services.engine.confinement import leave_nothing
from services.engine.walled import Confinement
from services.host import processes
from services.host.launcher import program
from services.host.tether import tethered
from services.settings import HERE, MIB

ONESHOT_TIMEOUT_S = 60.0
LEFTOVERS_TIMEOUT_S = 5.0  # to end what a Snakefile may have started
MAX_FILE_BYTES = 128 * MIB  # of a file that it may write
OUTPUT_TAIL_BYTES = 65536  # kept of its output


@dataclass(frozen=True)
class Result:
    """How a Snakemake ended, and what it printed."""

    code: int | None  # None: killed after the timeout
    output: str  # the end of both streams


def snakemake(
    words: Sequence[str],
    *,
    patience: float = ONESHOT_TIMEOUT_S,
    largest: int = MAX_FILE_BYTES,
    module: str = "snakemake",
    variables: Mapping[str, str] | None = None,
    confined: Confinement | None = None,
) -> Result:
    """Run `snakemake` with these arguments, for at most `patience` seconds.

    `module` is another module to run in its place, `variables` are further environment variables,
    `confined` puts a wall around it. No file that it writes is longer than `largest` bytes. Raises
    OSError when it cannot be started.
    """
    with tempfile.TemporaryFile() as console:
        with snakemake_process(
            words,
            console,
            largest=largest,
            module=module,
            variables=variables,
            confined=confined,
        ) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
            code = process.poll()
        return Result(code, _read_tail(console))


@contextlib.contextmanager
def snakemake_process(
    words: Sequence[str],
    console: IO[bytes],
    *,
    largest: int,
    module: str = "snakemake",
    variables: Mapping[str, str] | None = None,
    confined: Confinement | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `snakemake` with these arguments until the end of the block; then end all it started.

    `module` is another module to run in its place, `variables` are further environment variables,
    `confined` puts a wall around it. Both streams go to `console`; no file that it writes is longer
    than `largest` bytes.
    """
    name = f"aside-{secrets.token_hex(12)}"
    order, command = (
        confined.command(module, *words) if confined else (None, program(module, *words))
    )
    also = confined.settings.run_variables if confined else ()
    try:
        process = subprocess.Popen(
            tethered(*command),
            cwd=HERE,
            env={
                **processes.environment(also),
                **(variables or {}),
                processes.TAG: f"{name}:1",
            },
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[] if order is None else [order],
        )
    finally:
        if order is not None:
            os.close(order)
    try:
        with contextlib.suppress(ProcessLookupError):  # it has exited already
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest, largest))
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        processes.end(lambda: processes.tagged(name), patience=LEFTOVERS_TIMEOUT_S)
        if confined is not None:
            leave_nothing(confined.rundir)


def _read_tail(console: IO[bytes]) -> str:
    console.seek(max(0, console.seek(0, os.SEEK_END) - OUTPUT_TAIL_BYTES))
    return console.read().decode("utf-8", "replace")
