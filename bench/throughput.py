"""Many tiny runs: through the desk, and forked bare from a process that has Snakemake imported.

`python -m bench.throughput [--runs 200] [--rounds 3] [--at-once 4] [--warm]`. Both ways execute the
same one-job workflow as often and as many at once. The desk's way is measured from the first
`submit` to the end of the last run, with everything it does: check, store, claim, supervise,
report, list the results. With `--warm` the peer has done once what the fork server does before it
forks, too.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

from bench import stand
from bench.stand import Desk
from services.host import processes
from services.models import RunFilter, State

WORKFLOW = """\
rule all:
    input: "results/made"
rule make:
    output: "results/made"
    shell: "echo made > {output}"
"""
CORES = 1  # of each run, so that cores limit neither way
WARM_UP = 4
Seconds = dict[str, list[float]]  # by way, one for each round


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--warm", action="store_true", help="warm up the peer like the fork server")
    chosen = parser.parse_args(arguments)
    runs, at_once = chosen.runs, chosen.at_once
    what = f"throughput: {runs} tiny runs, {at_once} at once, {chosen.rounds} rounds, in turns"
    with stand.reported(what + (", the peer warmed up" if chosen.warm else "")):
        report(runs, *measure(runs, chosen.rounds, at_once, warm=chosen.warm))


def measure(runs: int, rounds: int, at_once: int, *, warm: bool) -> tuple[Seconds, Seconds]:
    """Seconds of each round by way, and those of processor time."""
    processes.become_subreaper()
    limits = {"max_runs": str(at_once), "cores": str(at_once * CORES), "run_cores": str(CORES)}
    with (
        stand.folder() as place,
        stand.desk(place, {"make": WORKFLOW}, **limits) as desk,
        bare(place, at_once, warm=warm) as server,
    ):
        numbers = count()
        through_the_desk(desk, WARM_UP)
        forked(server, place, numbers, WARM_UP)
        used: Seconds = {"desk": [], "bare": []}
        ways = {
            "desk": metered(used["desk"], lambda: through_the_desk(desk, runs)),
            "bare": metered(used["bare"], lambda: forked(server, place, numbers, runs)),
        }
        return stand.taking_turns(rounds, ways), used


def metered(used: list[float], way: Callable[[], float]) -> Callable[[], float]:
    """A way that adds the processor time it takes to `used`, that of all processes of the desk."""

    def taken() -> float:
        before = stand.processor()
        seconds = way()
        used.append(stand.processor() - before)
        return seconds

    return taken


def through_the_desk(desk: Desk, runs: int) -> float:
    begun = time.time()
    last = [desk.submit("make") for _ in range(runs)][-1]
    store = desk.services.database.runs  # a look by the service would tell each its place in line
    while (run := store.get(last, None)) is None or not run.state.final:
        time.sleep(0.1)
    unfinished = RunFilter(state=[state for state in State if not state.final], limit=1)
    while store.page(unfinished, None).items:
        time.sleep(0.02)
    done = desk.services.runs.list(stand.ME, RunFilter(limit=min(runs, 200))).items
    if failed := [run for run in done if run.state is not State.COMPLETE]:
        raise SystemExit(f"{len(failed)} runs did not complete: {failed[0].error}")
    return max(run.ended.timestamp() for run in done if run.ended) - begun


@contextlib.contextmanager
def bare(place: Path, at_once: int, *, warm: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that forks Snakemake for each folder it is told."""
    snakefile = place / "workflows/make/workflow/Snakefile"
    words = [str(at_once), str(snakefile), str(CORES), *(["warm"] if warm else [])]
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.bare", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=stand.environment(),
    )
    with server:
        heard(server, "ready")
        yield server
        server.communicate()


def forked(server: subprocess.Popen[str], place: Path, numbers: Iterator[int], runs: int) -> float:
    begun = time.time()
    for _ in range(runs):
        tell(server, str(place / "bare" / str(next(numbers))))
    tell(server, "")
    heard(server, "done")
    return time.time() - begun


def tell(server: subprocess.Popen[str], line: str) -> None:
    assert server.stdin is not None
    server.stdin.write(line + "\n")
    server.stdin.flush()


def heard(server: subprocess.Popen[str], word: str) -> None:
    assert server.stdout is not None
    if server.stdout.readline().strip() != word:
        raise SystemExit("the bare way ended")


def report(runs: int, seconds: Seconds, used: Seconds) -> None:
    for name, times in seconds.items():
        took, own = statistics.median(times), statistics.median(used[name])
        print(f"  {name:5} {took:6.1f} s   {runs / took:5.1f} runs/s   ", end="")
        print(f"{took / runs * 1000:5.0f} ms each   processor {own / runs * 1000:5.0f} ms each")
    print(
        f"  the desk takes {stand.ratio(seconds['desk'], seconds['bare']):.2f} times as long",
        end="",
    )
    print(f", {stand.ratio(used['desk'], used['bare']):.2f} times the processor time")


if __name__ == "__main__":
    main()
