"""Runs a module as a program that starts and ends faster.

`python -m services.host.launcher MODULE …` does what `python -m MODULE …` does.

Modules leave next to no cyclic garbage when they are imported, and a process that ends gives all
its memory back anyway. Python looks for garbage all the same: after every 700 objects while it
imports, and among all objects before it ends. Without that a `snakemake --version` takes about
three quarters of the processor time (`bench.startup`).
"""

from __future__ import annotations

import atexit
import gc
import runpy
import sys

OBJECTS = 100_000  # made and kept, between two looks for garbage among the youngest


def program(module: str, *words: str) -> list[str]:
    """The command line that runs a module so."""
    return [sys.executable, "-m", "services.host.launcher", module, *words]


if __name__ == "__main__":
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
