"""From submission to the first job at work: through the desk, and by a new `snakemake` command.

`python -m bench.latency [--runs 30]`. Both ways execute the same one-job workflow, in turns, and
the job itself says when it began. The desk's way is measured from before the call of `submit`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import stand
from bench.stand import ME, Desk, percentile
from services.engine.settling import ExitRecord
from services.models import Run
from services.rundir import RunDir

WORKFLOW = """\
rule all:
    input: "results/began"
rule begin:
    output: "results/began"
    shell: "date +%s.%N > {output}"
"""
BEGAN = "results/began"
APART = 0.2  # s between two runs, so that the end of one does not slow the start of the next


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=3, help="runs that do not count")
    chosen = parser.parse_args(arguments)
    what = f"latency: submission to first job at work, {chosen.runs} runs each, in turns"
    with stand.reported(what):
        report(*measure(chosen.runs, chosen.warm_up))


def measure(runs: int, warm_up: int) -> tuple[list[dict[str, float]], list[float]]:
    """Of each run through the desk its moments, of each command the seconds to its job."""
    moments, seconds = [], []
    with stand.folder() as place, stand.desk(place, {"begin": WORKFLOW}) as desk:
        for number in range(warm_up + runs):
            moments.append(through_the_desk(desk))
            time.sleep(APART)
            seconds.append(cold(place, number))
            time.sleep(APART)
    return moments[warm_up:], seconds[warm_up:]


def through_the_desk(desk: Desk) -> dict[str, float]:
    """Seconds from the call of `submit` to each thing that happens on the way."""
    begun = time.time()
    run_id = desk.submit("begin")
    returned = time.time()
    time.sleep(APART)  # a look at the run would take from what is measured
    run = desk.completed(run_id)
    place = RunDir.of(desk.services.settings.data, run_id)
    ended = ExitRecord.read(place.attempt(1).exit)
    job = next(job for job in desk.services.runs.jobs(ME, run_id) if job.rule == "begin")
    if ended is None or ended.started is None or job.started is None:
        raise SystemExit("the run says nothing of its times")
    at = {
        "submit has returned": returned,
        "runner has heard of it": entered(run, "INITIALIZING"),
        "supervisor is at work": ended.started.timestamp(),
        "run directory is prepared": place.config.stat().st_mtime,
        "Snakemake starts the job": job.started.timestamp(),
        "job is at work": float((place.root / BEGAN).read_text()),
        "run is COMPLETE": entered(run, "COMPLETE"),
    }
    return {name: moment - begun for name, moment in at.items()}


def entered(run: Run, state: str) -> float:
    return next(change.at.timestamp() for change in run.history if change.state == state)


def cold(folder: Path, number: int) -> float:
    """Seconds from the start of a `snakemake` command to its job."""
    place = folder / "cold" / str(number)
    place.mkdir(parents=True)
    snakefile = folder / "workflows/begin/workflow/Snakefile"
    words = ["--snakefile", str(snakefile), "--directory", str(place), "--cores", "2"]
    command = [sys.executable, "-m", "snakemake", *words, "--quiet", "all"]
    begun = time.time()
    subprocess.run(command, check=True, capture_output=True, env=stand.environment())
    return float((place / BEGAN).read_text()) - begun


def report(moments: Sequence[dict[str, float]], seconds: Sequence[float]) -> None:
    desk = [moment["job is at work"] for moment in moments]
    for name, times in (("desk", desk), ("cold snakemake", seconds)):
        p50, p95 = percentile(times, 50), percentile(times, 95)
        print(f"  {name:15} p50 {p50:.3f} s   p95 {p95:.3f} s   least {min(times):.3f} s")
    print(f"  the desk is {1 / stand.ratio(desk, seconds):.1f} times faster (median of pairs)")
    print("  on the way, after the call of submit (medians):")
    for name in moments[0]:
        at = statistics.median(moment[name] for moment in moments)
        print(f"    {at * 1000:6.1f} ms  {name}")


if __name__ == "__main__":
    main()
