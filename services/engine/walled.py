"""`python -m services.engine.walled FILE MODULE …`: run a module behind the wall of a run.

For a Snakemake outside of the fork server: a preview, or the report of a run. FILE is the number of
an open file with a pickled Confinement.
"""

from __future__ import annotations

import os
import pickle
import runpy
import sys
from dataclasses import dataclass

from services.engine import confinement
from services.host.launcher import program
from services.host.wall import Wall
from services.rundir import RunDir
from services.settings import Settings


@dataclass(frozen=True)
class Confinement:
    """The run directory to which a process is confined, and its wall."""

    settings: Settings
    wall: Wall
    rundir: RunDir

    def command(self, module: str, *words: str) -> tuple[int, list[str]]:
        """Return a file to pass on and to close, and the command line that runs a module."""
        order = os.memfd_create("confinement")
        os.write(order, pickle.dumps(self))
        os.lseek(order, 0, os.SEEK_SET)
        return order, program("services.engine.walled", str(order), module, *words)


def main() -> None:
    with open(int(sys.argv[1]), "rb") as file:  # noqa: PTH123 - it has no path
        order = pickle.load(file)
    del sys.argv[:2]
    confinement.enter(order.settings, order.wall, order.rundir)
    sys.path.insert(0, os.environ["PYTHONPATH"])  # its own folder can no longer be listed
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
