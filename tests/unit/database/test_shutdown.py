"""The private part of PyMongo that `services/database/shutdown.py` uses."""

from __future__ import annotations

import subprocess
import sys

import pymongo

from services.database import shutdown
from services.settings import HERE

SCRIPT = """
import atexit, sys
from services.database import shutdown
if sys.argv[1] == "skip":
    shutdown.skip_monitor_shutdown()
called = set()
sys.setprofile(lambda frame, *_: called.add(frame.f_code.co_name))
atexit._run_exitfuncs()
sys.setprofile(None)
print(shutdown.FUNCTION in called)
"""


def called_at_exit(argument: str) -> bool:
    """Whether a process calls the function at its exit."""
    command = [sys.executable, "-c", SCRIPT, argument]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def test_exit_function_of_pymongo_is_where_shutdown_expects_it():
    assert shutdown.exit_function() is not None, (
        f"PyMongo {pymongo.version} has no {shutdown.MODULE}.{shutdown.FUNCTION}: find what it"
        " registers with atexit now, or processes of runs take half a second longer to end."
    )


def test_skip_monitor_shutdown_unregisters_the_exit_function():
    assert called_at_exit("keep"), (
        f"PyMongo {pymongo.version} does not register {shutdown.FUNCTION} with atexit any more:"
        " find what it registers now, or processes of runs take half a second longer to end."
    )
    assert not called_at_exit("skip")


def test_skip_monitor_shutdown_without_the_module_does_nothing(monkeypatch):
    monkeypatch.setattr(shutdown, "MODULE", "pymongo.moved")
    assert shutdown.exit_function() is None
    shutdown.skip_monitor_shutdown()
