"""Overhead of the logger plugin in a workflow of many small jobs.

`python -m bench.overhead [--jobs 2000] [--rounds 3]`. The same `snakemake` command without a
plugin, with the plugin of Rundesk, which writes to MongoDB, and with the plugin of snkmt, which
writes to SQLite, in turns. Then the pattern in which `run:` rules write to the database themselves,
with fewer jobs, compared per job. Processor time is that of Snakemake and its jobs, without the
database.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from bench import stand
from services.database import Database
from services.models import Job, State, Submission
from services.settings import HERE, Settings

SHELL = """\
rule all:
    input: expand("out/{n}", n=range(int(config["jobs"])))
rule step:
    output: "out/{n}"
    shell: "echo {wildcards.n} > {output}"
"""
CALLS = """\
rule all:
    input: expand("out/{n}", n=range(int(config["jobs"])))
rule step:
    output: "out/{n}"
    run:
        from pymongo import MongoClient
        with MongoClient(config["uri"]) as client:
            jobs = client["calls"]["jobs"]
            jobs.update_one({"_id": wildcards.n}, {"$set": {"state": "RUNNING"}}, upsert=True)
            shell("echo {wildcards.n} > {output}")
            jobs.update_one({"_id": wildcards.n}, {"$set": {"state": "COMPLETE"}})
"""
NAME = "overhead"
CORES = 2
LEASE = timedelta(days=1)


@dataclass
class Stage:
    """The folder, database and counters of a benchmark."""

    place: Path
    uri: str
    peers: Path
    jobs: int
    numbers: count[int] = field(default_factory=count)
    processor: dict[str, list[float]] = field(default_factory=dict)

    def snakemake(
        self,
        way: str,
        *words: str,
        workflow: str = SHELL,
        jobs: int = 0,
        env: Mapping[str, str] | None = None,
    ) -> float:
        """Return the seconds of a `snakemake` command in a folder of its own."""
        folder = self.place / f"{next(self.numbers)}-{way}"
        folder.mkdir()
        (folder / "Snakefile").write_text(workflow)
        command = [sys.executable, "-m", "snakemake", "--cores", str(CORES), "--nocolor", *words]
        command += ["--scheduler", "greedy", "--directory", str(folder)]
        command += ["--snakefile", str(folder / "Snakefile")]
        command += ["--config", f"jobs={jobs or self.jobs}", f"uri={self.uri}"]
        begun = time.monotonic()
        with (folder / "console.log").open("wb") as console:
            process = subprocess.Popen(
                command, cwd=HERE, env=env or stand.environment(), stdout=console, stderr=console
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - begun
        if process.returncode:
            raise SystemExit((folder / "console.log").read_text()[-3000:])
        self.processor.setdefault(way, []).append(used.ru_utime + used.ru_stime)
        return took

    # ---- the ways --------------------------------------------------------------------------------

    def plain(self) -> float:
        return self.snakemake("plain")

    def desk(self) -> float:
        """Run with the plugin of Rundesk for a claimed run. Every job must be reported."""
        database = Database(self.uri, NAME, patience=30)
        database.runs.add(submission(), now=datetime.now(UTC))
        claim = database.queue.claim(host="bench", now=datetime.now(UTC), lease=LEASE)
        if claim is None:
            raise SystemExit("the run could not be claimed")
        options = {"uri": self.uri, "database": NAME, "run": claim.run.id, "attempt": claim.attempt}
        options["directory"] = self.place / f"reports-{claim.run.id}"
        words = [word for name, value in options.items() for word in option(name, value)]
        took = self.snakemake("desk", "--logger", "rundesk", *words)
        check(database.jobs.list(claim.run.id, claim.attempt), self.jobs + 1)
        database.close()
        return took

    def snkmt(self) -> float:
        env = {**stand.environment(), "PYTHONPATH": str(self.peers)}
        path = self.place / f"snkmt-{next(self.numbers)}.db"
        return self.snakemake("snkmt", "--logger", "snkmt", "--logger-snkmt-db", str(path), env=env)


def option(name: str, value: object) -> tuple[str, str]:
    return f"--logger-rundesk-{name}", str(value)


def check(jobs: Sequence[Job], expected: int) -> None:
    """Raise SystemExit unless every job was reported completely."""
    complete = [job for job in jobs if job.state is State.COMPLETE and job.started and job.ended]
    if len(complete) != expected:
        raise SystemExit(f"{len(complete)} of {expected} jobs were reported completely")


def submission() -> Submission:
    words = {"name": "run", "workflow": "w", "workflow_title": "W", "workflow_version": ""}
    return Submission(**words, digest="d", owner="ann", tags=[], params={}, inputs=[], cores=CORES)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--calls", type=int, default=20, help="jobs of the last pattern, 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, default=peers_folder(), help="packages of peers")
    chosen = parser.parse_args(arguments)
    what = f"overhead: {chosen.jobs} shell jobs, {chosen.rounds} rounds, in turns"
    with stand.reported(what), stand.folder() as place, stand.mongod(place) as server:
        uri = Settings(db_port=server.port).uri
        stage = Stage(place, uri, chosen.peers, chosen.jobs)
        stage.snakemake("warm-up", jobs=1)
        ways = {"plain": stage.plain, "desk": stage.desk}
        if (chosen.peers / "snakemake_logger_plugin_snkmt").is_dir():
            ways["snkmt"] = stage.snkmt
        else:
            print(f"  the plugin of snkmt is not installed in {chosen.peers}: skipped")
        seconds = stand.taking_turns(chosen.rounds, ways)
        report(stage, seconds)
        if chosen.calls:
            report_calls(stage, statistics.median(seconds["plain"]), chosen.calls)


def peers_folder() -> Path:
    """Return where `make bench` installs the peers, so that nothing else imports them."""
    root = f"{sys.prefix}/peers"
    return Path(sysconfig.get_path("purelib", vars={"base": root, "platbase": root}))


def report(stage: Stage, seconds: dict[str, list[float]]) -> None:
    plain = seconds["plain"]
    for way, times in seconds.items():
        used = stage.processor[way]
        print(
            f"  {way:6} {statistics.median(times):6.1f} s, {stand.ratio(times, plain):.3f}"
            f" of plain   processor {statistics.median(used):6.1f} s,"
            f" {stand.ratio(used, stage.processor['plain']):.3f}",
            flush=True,
        )


def report_calls(stage: Stage, plain: float, jobs: int) -> None:
    """Print seconds per job, without the start of Snakemake; `plain` is for all jobs."""
    start = stage.snakemake("start", jobs=1)
    plain = (plain - start) / (stage.jobs - 1)
    calls = (stage.snakemake("calls", workflow=CALLS, jobs=jobs) - start) / (jobs - 1)
    print(
        f"  status calls in run: rules ({jobs} jobs): {calls * 1000:.0f} ms per job,"
        f" plain {plain * 1000:.0f} ms: {calls / plain:.0f} times"
    )


if __name__ == "__main__":
    main()
