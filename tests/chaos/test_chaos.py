"""A short run of the chaos that `make chaos` lets loose for longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from services.settings import HERE

RUNS, FAULTS, SEED = 12, 10, 340  # with this seed nearly all of the faults differ
PATIENCE = 900.0  # s; it takes a minute on an idle machine


@pytest.mark.timeout(PATIENCE + 20)
def test_every_promise_holds_whatever_is_killed_or_stopped():
    sizes = [f"--runs={RUNS}", f"--faults={FAULTS}", f"--seed={SEED}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos", *sizes],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # the desk's processes are tethered to it
            process.communicate()
    assert process.returncode == 0, said
    assert f"{RUNS} runs, {FAULTS} faults" in said
    assert "\n0 violations" in said
