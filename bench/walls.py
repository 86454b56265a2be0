"""Cost of the wall around runs: the same runs with it and without, in turns.

`python -m bench.walls [--runs 40] [--jobs 300] [--rounds 5]`. Two installations with the same
settings apart from RUNDESK_WALL. First runs of one job: the time from the call of `submit` to the
start of the job. Then runs of many small jobs: the time from the first to the last job.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence

from bench import stand
from bench.latency import BEGAN, PAUSE_S, WORKFLOW
from bench.stand import Desk, ratio
from services.rundir import RunDir

MANY = """\
rule all:
    input: expand("out/{{n}}", n=range({jobs}))
rule step:
    output: "out/{{n}}"
    shell: "echo {{wildcards.n}} > {{output}}"
"""
WALLS = ("available", "off")
WARM_UP = 5  # runs that are not counted
Seconds = dict[str, list[float]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    what = f"walls: {chosen.runs} runs of one job, {chosen.rounds} of {chosen.jobs} jobs, in turns"
    with stand.reported(what), stand.folder() as place:
        for wall in WALLS:
            (place / wall).mkdir()
        flows = {"begin": WORKFLOW, "many": MANY.format(jobs=chosen.jobs)}
        with (
            stand.desk(place / WALLS[0], flows, wall=WALLS[0]) as behind,
            stand.desk(place / WALLS[1], flows, wall=WALLS[1]) as without,
        ):
            desks = dict(zip(WALLS, (behind, without), strict=True))
            one = measured(desks, "begin", WARM_UP + chosen.runs)
            report("start of the first job", {wall: one[wall][WARM_UP:] for wall in WALLS})
            report(f"{chosen.jobs} jobs", measured(desks, "many", chosen.rounds))


def measured(desks: Mapping[str, Desk], workflow: str, times: int) -> Seconds:
    """Return the seconds of each run, the installations in turns."""
    seconds: Seconds = {wall: [] for wall in desks}
    for number in range(times):
        for wall in WALLS if number % 2 else WALLS[::-1]:
            seconds[wall].append(begin(desks[wall]) if workflow == "begin" else many(desks[wall]))
            time.sleep(PAUSE_S)
    return seconds


def begin(desk: Desk) -> float:
    submitted = time.time()
    run_id = desk.submit("begin")
    time.sleep(PAUSE_S)  # requests for the run would slow it down
    desk.completed(run_id)
    return (
        float((RunDir.of(desk.services.settings.data, run_id).root / BEGAN).read_text()) - submitted
    )


def many(desk: Desk) -> float:
    run_id = desk.submit("many")
    desk.completed(run_id)
    jobs = [job for job in desk.services.runs.jobs(stand.ME, run_id) if job.started and job.ended]
    starts, ends = [job.started for job in jobs], [job.ended for job in jobs]
    return (max(filter(None, ends)) - min(filter(None, starts))).total_seconds()


def report(what: str, seconds: Seconds) -> None:
    behind, without = (seconds[wall] for wall in WALLS)
    print(
        f"  {what:24} with the wall {stand.percentile(behind, 50):.3f} s, without"
        f" {stand.percentile(without, 50):.3f} s; minima {min(behind):.3f} s and"
        f" {min(without):.3f} s; median of pairs {ratio(behind, without):.3f}"
    )


if __name__ == "__main__":
    main()
