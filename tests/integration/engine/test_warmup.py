"""What the nursery does before it forks, in processes of their own: it changes the process."""

from __future__ import annotations

import subprocess
import sys

from services.settings import HERE

#: What a rehearsal must leave as it was; prints what it did not.
REHEARSAL = """
import logging, os, signal, sys, threading
from services.engine import warmup

warmup.import_snakemake()
from snakemake import workflow
from snakemake.logging import logger
logging.basicConfig(level="INFO")


def state():
    return {
        "threads": threading.enumerate(),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "words": list(sys.argv),
        "names": {name: id(value) for name, value in vars(workflow).items()},
        "handlers": (logging.getLogger().handlers[:], logger.handlers[:]),
        "files": sorted(os.listdir("/proc/self/fd")),
        "streams": [os.readlink(f"/proc/self/fd/{stream}") for stream in (1, 2)],
    }


before = state()
warmup.rehearse()
after = state()
print([name for name in before if before[name] != after[name]])
"""
FAILING = """
from services.engine import warmup

warmup.import_snakemake()
warmup.REHEARSED = warmup.REHEARSED.replace("echo", "exit 1; echo")
warmup.warm_up()
print("goes on")
"""
COMPACT = """
import os
from services.engine import warmup

kept = [bytes([number % 251]) * 100_000 for number in range(300)]
warmup.compact()
print(all(block == bytes([number % 251]) * 100_000 for number, block in enumerate(kept)))
"""


def said(script: str) -> tuple[str, str]:
    """What a script says on both streams, once it ended well."""
    done = subprocess.run([sys.executable, "-c", script], cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_rehearsal_leaves_nothing_in_its_process():
    assert said(REHEARSAL) == ("[]", "")


def test_rehearsal_that_fails_is_told_and_holds_up_nothing():
    words, log = said(FAILING)
    assert words == "goes on"
    assert "the rehearsal failed: runs start slower" in log


def test_memory_keeps_what_is_in_it_when_it_is_compacted():
    assert said(COMPACT) == ("True", "")
