"""A short version of `make chaos`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from services.settings import HERE

RUNS, FAULTS, SEED = 12, 10, 340  # with this seed nearly all of the faults differ
TEST_TIMEOUT_S = 900.0  # it takes a minute on an idle machine


@pytest.mark.timeout(TEST_TIMEOUT_S + 20)
def test_no_fault_causes_a_violation():
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
        output, _ = process.communicate(timeout=TEST_TIMEOUT_S)
    finally:
        if process.poll() is None:
            os.killpg(
                process.pid, signal.SIGKILL
            )  # the processes of the installation are tethered to it
            process.communicate()
    assert process.returncode == 0, output
    assert f"{RUNS} runs, {FAULTS} faults" in output
    assert "\n0 violations" in output
