"""Cost of starting Snakemake with the launcher of Rundesk, compared with `python -m`.

`python -m bench.startup [--rounds 10]`: processor time of `snakemake --version`, which imports all
of Snakemake and exits.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

from bench.stand import environment, ratio, reported, taking_turns
from services.host.launcher import program
from services.settings import HERE

WORDS = ("snakemake", "--version")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args(arguments).rounds
    with reported("Processor time of `snakemake --version`"):
        ways = {"plain": [sys.executable, "-m", *WORDS], "rundesk": program(*WORDS)}
        for command in ways.values():
            spent(command)  # warm-up, which compiles the modules
        results = taking_turns(rounds, {name: partial(spent, way) for name, way in ways.items()})
        for name, seconds in results.items():
            print(f"  {name:7} {statistics.median(seconds):.2f} s")
        print(f"  rundesk takes {ratio(results['rundesk'], results['plain']):.2f} of plain")


def spent(command: Sequence[str]) -> float:
    """Return the processor time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=HERE, env=environment(), stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
