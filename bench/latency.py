"""From submission to the first job at work: through the desk, and by a new `snakemake` command.

`python -m bench.latency [--runs 30]` starts a database and a runner of its own in a temporary
folder, on free ports. Both ways execute the same one-job workflow, in turns, and the job itself
says when it began. The desk's way is measured from before the call of `submit`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from services import bootstrap
from services.access import local_actor
from services.bootstrap import Services
from services.database.binary import find
from services.database.mongod import Mongod
from services.models import RunRequest, State
from services.settings import HERE, Settings

WORKFLOW = """\
rule all:
    input: "results/began"
rule begin:
    output: "results/began"
    shell: "date +%s.%N > {output}"
"""
BEGAN = "results/began"
PORT = 27411  # of the database; nothing else may listen there
WARM_UP = 3  # runs that do not count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--port", type=int, default=PORT)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="rundesk-bench-") as folder,
        desk(Path(folder), chosen.port) as services,
    ):
        report(*measure(services, Path(folder), chosen.runs))


@contextlib.contextmanager
def desk(folder: Path, port: int) -> Iterator[Services]:
    """A desk of its own, at work."""
    snakefile = folder / "workflows/begin/workflow/Snakefile"
    snakefile.parent.mkdir(parents=True)
    snakefile.write_text(WORKFLOW)
    given = {
        "RUNDESK_DATA": str(folder / "data"),
        "RUNDESK_DB_PORT": str(port),
        "RUNDESK_WORKFLOWS": str(folder / "workflows"),
        "RUNDESK_LOG_LEVEL": "WARNING",
    }
    settings = Settings.load(given)
    database = Mongod(find(os.environ.get("MONGOD", ""), folder / "lib"), folder / "db", port)
    database.start()
    runner = subprocess.Popen(
        [sys.executable, "-m", "services.runner"], cwd=HERE, env={**inherited(), **given}
    )
    services = bootstrap.build(settings)
    try:
        yield services
    finally:
        runner.send_signal(signal.SIGTERM)
        runner.wait(30)
        services.close()
        database.stop()


def inherited() -> dict[str, str]:
    ours = ("RUNDESK_", "MONGODB_URI")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def measure(services: Services, folder: Path, runs: int) -> tuple[list[float], list[float]]:
    """Seconds of each way, taken in turns; the first ones only warm up."""
    data, snakefile = services.settings.data, folder / "workflows/begin/workflow/Snakefile"

    def through_the_desk(_: int) -> Path:
        request = RunRequest(workflow="begin", params={})
        run_id = services.runs.submit(local_actor(), request).id
        while not (run := services.runs.get(local_actor(), run_id)).state.final:
            time.sleep(0.02)
        if run.state is not State.COMPLETE:
            raise SystemExit(f"the run did not complete: {run.error}")
        return data / "runs" / run_id / BEGAN

    def cold(number: int) -> Path:
        place = folder / "cold" / str(number)
        place.mkdir(parents=True)
        words = ["--snakefile", str(snakefile), "--directory", str(place), "--cores", "2"]
        command = [sys.executable, "-m", "snakemake", *words, "--quiet", "all"]
        subprocess.run(command, check=True, capture_output=True)
        return place / BEGAN

    desk_times, cold_times = [], []
    for number in range(WARM_UP + runs):
        desk_times.append(timed(through_the_desk, number))
        cold_times.append(timed(cold, number))
    return desk_times[WARM_UP:], cold_times[WARM_UP:]


def timed(way: Callable[[int], Path], number: int) -> float:
    """Seconds from the call to the moment the job noted as its beginning."""
    begun = time.time()
    return float(way(number).read_text()) - begun


def report(desk_times: Sequence[float], cold_times: Sequence[float]) -> None:
    print(f"submission to first job at work, {len(desk_times)} runs each, in turns")
    for name, times in (("desk", desk_times), ("cold snakemake", cold_times)):
        print(f"  {name:15} p50 {percentile(times, 50):.3f} s   p95 {percentile(times, 95):.3f} s")
    ratio = statistics.median(cold_times) / statistics.median(desk_times)
    print(f"  the desk is {ratio:.1f} times faster (medians)")


def percentile(times: Sequence[float], rank: int) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, round(rank / 100 * (len(ordered) - 1)))]


if __name__ == "__main__":
    main()
