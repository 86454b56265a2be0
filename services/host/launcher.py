"""Run a module as a program that starts and exits faster.

`python -m services.host.launcher MODULE …` does what `python -m MODULE …` does, with fewer garbage
collections. Imports create almost no cyclic garbage, and an exiting process returns its memory
anyway, yet Python collects after every 700 new objects during imports, and all objects at exit.
Without these collections `snakemake --version` takes about three quarters of the processor time
(`bench.startup`).
"""

from __future__ import annotations

import atexit
import gc
import runpy
import sys

GC_THRESHOLD = 100_000  # new objects between two collections of the youngest generation


def program(module: str, *words: str) -> list[str]:
    """Return the command line that runs a module with this launcher."""
    return [sys.executable, "-m", "services.host.launcher", module, *words]


if __name__ == "__main__":
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
