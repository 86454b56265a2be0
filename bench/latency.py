"""Time from submission to the start of the first job: Rundesk, and a new `snakemake` command.

`python -m bench.latency [--runs 30]`. Both execute the same workflow of one job, in turns, and the
job records when it started. For Rundesk the time starts before the call of `submit`.
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
PAUSE_S = 0.2  # between two runs, so that the end of one does not slow the start of the next


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--warm-up", type=int, default=3, help="runs that are not counted")
    chosen = parser.parse_args(arguments)
    what = f"latency: submission to start of the first job, {chosen.runs} runs each, in turns"
    with stand.reported(what):
        report(*measure(chosen.runs, chosen.warm_up))


def measure(runs: int, warm_up: int) -> tuple[list[dict[str, float]], list[float]]:
    """Return the times of each run with Rundesk, and the seconds of each command to its job."""
    moments, seconds = [], []
    with stand.folder() as place, stand.desk(place, {"begin": WORKFLOW}) as desk:
        for number in range(warm_up + runs):
            moments.append(through_the_desk(desk))
            time.sleep(PAUSE_S)
            seconds.append(cold(place, number))
            time.sleep(PAUSE_S)
    return moments[warm_up:], seconds[warm_up:]


def through_the_desk(desk: Desk) -> dict[str, float]:
    """Return the seconds from the call of `submit` to each event."""
    begun = time.time()
    run_id = desk.submit("begin")
    returned = time.time()
    time.sleep(PAUSE_S)  # requests for the run would slow it down
    run = desk.completed(run_id)
    place = RunDir.of(desk.services.settings.data, run_id)
    ended = ExitRecord.read(place.attempt(1).exit)
    job = next(job for job in desk.services.runs.jobs(ME, run_id) if job.rule == "begin")
    if ended is None or ended.started is None or job.started is None:
        raise SystemExit("the run has no start time")
    at = {
        "submit has returned": returned,
        "runner has claimed the run": entered(run, "INITIALIZING"),
        "supervisor has started": ended.started.timestamp(),
        "run directory is prepared": place.cache.stat().st_mtime,
        "Snakemake starts the job": job.started.timestamp(),
        "job has started": float((place.root / BEGAN).read_text()),
        "run is COMPLETE": entered(run, "COMPLETE"),
    }
    return {name: moment - begun for name, moment in at.items()}


def entered(run: Run, state: str) -> float:
    return next(change.at.timestamp() for change in run.history if change.state == state)


def cold(folder: Path, number: int) -> float:
    """Return the seconds from the start of a `snakemake` command to the start of its job."""
    place = folder / "cold" / str(number)
    place.mkdir(parents=True)
    snakefile = folder / "workflows/begin/workflow/Snakefile"
    words = ["--snakefile", str(snakefile), "--directory", str(place), "--cores", "2"]
    command = [sys.executable, "-m", "snakemake", *words, "--quiet", "all"]
    begun = time.time()
    subprocess.run(command, check=True, capture_output=True, env=stand.environment())
    return float((place / BEGAN).read_text()) - begun


def report(moments: Sequence[dict[str, float]], seconds: Sequence[float]) -> None:
    desk = [moment["job has started"] for moment in moments]
    for name, times in (("rundesk", desk), ("cold snakemake", seconds)):
        p50, p95 = percentile(times, 50), percentile(times, 95)
        print(f"  {name:15} p50 {p50:.3f} s   p95 {p95:.3f} s   minimum {min(times):.3f} s")
    print(f"  rundesk is {1 / stand.ratio(desk, seconds):.1f} times faster (median of pairs)")
    print("  time after the call of submit (medians):")
    for name in moments[0]:
        at = statistics.median(moment[name] for moment in moments)
        print(f"    {at * 1000:6.1f} ms  {name}")


if __name__ == "__main__":
    main()
