"""Programs that start and end sooner are the same programs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.host.launcher import OBJECTS, program
from services.settings import HERE

TOLD = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_freeze_count()))  # called before what was registered earlier
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
    (tmp_path / "told.py").write_text(TOLD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "told"


def test_module_is_the_program_with_its_words_and_its_exit_code(module):
    done = subprocess.run(
        program(module, "-a", "b c"), cwd=HERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines() == [
        "__main__ ['-a', 'b c'] True",
        f"{OBJECTS} True",
        "0",
    ]


def test_garbage_is_left_alone_when_it_ends(tmp_path, monkeypatch):
    (tmp_path / "loud.py").write_text(LOUD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for command, said in ((program("loud"), ""), ([sys.executable, "-m", "loud"], "collected\n")):
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
        assert done.stdout == said
