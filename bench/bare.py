"""`python -m bench.bare <at once> <Snakefile> <cores> [warm]`: forks Snakemake, and nothing more.

It has imported Snakemake; `warm` has it do all that the fork server does before it forks. Reads
names of folders, one a line, and executes the Snakefile in each; says `done` when all lines up to
an empty one are through. No database, no supervisor, no reports.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from pathlib import Path
from typing import NoReturn

from services.database.shutdown import leave_quickly
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
                reaped()
                running -= 1
        if not line.strip():
            print("done", flush=True)
        elif os.fork() == 0:
            execute(Path(line.strip()), snakefile, cores)
        else:
            running += 1


def reaped() -> None:
    """One more has ended; the bench ends when it failed."""
    _, status = os.wait()
    if status:
        raise SystemExit(f"a bare run ended with status {status}")


def execute(place: Path, snakefile: str, cores: str) -> NoReturn:
    """Snakemake in a process just forked, with the arguments that the desk gives."""
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
        leave_quickly()
        atexit._run_exitfuncs()  # else each run leaves a cache folder behind
        os._exit(code)


if __name__ == "__main__":
    main()
