"""`python -m bench.bare <at once> <Snakefile> <cores> [warm]`: fork Snakemake and do nothing else.

The process has imported Snakemake; with `warm` it is prepared like the fork server of Rundesk. It
reads names of folders, one per line, executes the Snakefile in each, and prints `done` when all
folders before an empty line have finished. No database, no supervisor, no reports.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from pathlib import Path
from typing import NoReturn

from services.engine.warmup import import_snakemake, warm_up


def main() -> None:
    at_once, snakefile, cores = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    if sys.argv[4:] == ["warm"]:
        warm_up()
    else:
        import_snakemake()
        gc.collect()
        gc.freeze()
    print("ready", flush=True)
    running = 0
    for line in sys.stdin:
        if running == at_once or not line.strip():
            for _ in range(1 if line.strip() else running):
                reap()
                running -= 1
        if not line.strip():
            print("done", flush=True)
        elif os.fork() == 0:
            execute(Path(line.strip()), snakefile, cores)
        else:
            running += 1


def reap() -> None:
    """Wait for one run to end. Raises SystemExit when it failed."""
    _, status = os.wait()
    if status:
        raise SystemExit(f"a bare run ended with status {status}")


def execute(place: Path, snakefile: str, cores: str) -> NoReturn:
    """Run Snakemake in a forked process, with the arguments that Rundesk uses."""
    code = 1
    try:
        os.setsid()
        place.mkdir(parents=True)
        os.chdir(place)
        console = os.open("console.log", os.O_WRONLY | os.O_CREAT, 0o644)
        for stream in (1, 2):
            os.dup2(console, stream)
        from snakemake.cli import main as snakemake

        words = ["--snakefile", snakefile, "--directory", str(place), "--cores", cores]
        words += ["--scheduler", "greedy", "--profile", "none", "--workflow-profile", "none"]
        snakemake([*words, "--rerun-incomplete", "--nocolor"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        atexit._run_exitfuncs()  # removes the cache folder of the run
        os._exit(code)


if __name__ == "__main__":
    main()
