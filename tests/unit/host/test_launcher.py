"""Programs behave the same with the launcher and without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.host.launcher import GC_THRESHOLD, program
from services.settings import HERE

SCRIPT = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_freeze_count()))  # called before those registered earlier
print(__name__, sys.argv[1:], sys.modules["__main__"].__dict__ is globals())
print(gc.get_threshold()[0], gc.isenabled())
sys.exit(3)
"""

LOUD = """
class Loud:
    def __del__(self):
        print("collected")
one = Loud()
one.itself = one
del one
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "script"


def test_launched_module_gets_its_arguments_and_returns_its_exit_code(module):
    done = subprocess.run(
        program(module, "-a", "b c"), cwd=HERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines() == [
        "__main__ ['-a', 'b c'] True",
        f"{GC_THRESHOLD} True",
        "0",
    ]


def test_launched_module_does_not_collect_garbage_at_exit(tmp_path, monkeypatch):
    (tmp_path / "loud.py").write_text(LOUD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    plain = [sys.executable, "-m", "loud"]
    for command, output in ((program("loud"), ""), (plain, "collected\n")):
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
        assert done.stdout == output
