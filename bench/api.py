"""Requests per second for the status of a run: this API and sapporo, another WES server.

`python -m bench.api [--seconds 5] [--rounds 4] [--connections 16]`. Both servers have their default
settings and one running run. wrk requests its status over persistent connections, in turns. This
API returns the whole run, validated; sapporo returns its id and state, read from a one-word file.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from uuid import uuid4

import psutil

from bench import stand
from bench.idle import used
from bench.stand import ME
from bench.uploads import api
from services import bootstrap
from services.models import RunRequest
from services.settings import Settings

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
LEASE = timedelta(days=1)
START_TIMEOUT_S = 60.0
WRK_OUTPUT = re.compile(r"99%\s+([\d.]+)(us|ms|s)\b.*Requests/sec:\s+([\d.]+)", re.DOTALL)


@dataclass
class Way:
    """A server to measure, with latency and processor time of each round."""

    url: str
    process: psutil.Process
    p99: list[float] = field(default_factory=list)  # s
    cpu: list[float] = field(default_factory=list)  # s of all its processes per request

    def used(self) -> float:
        return sum(map(used, [self.process, *self.process.children(recursive=True)]))


@dataclass(frozen=True)
class Wrk:
    """The load generator."""

    program: Path
    seconds: int
    connections: int

    def ask(self, way: Way) -> float:
        """Return seconds per request over all connections."""
        before = way.used()
        libraries = self.program.parent.parent / "lib" / f"{os.uname().machine}-linux-gnu"
        load = ["-t2", f"-c{self.connections}", f"-d{self.seconds}s", "--latency", way.url]
        output = subprocess.run(
            [str(self.program), *load],
            env={**os.environ, "LD_LIBRARY_PATH": str(libraries)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        match = WRK_OUTPUT.search(output)
        if match is None or "Non-2xx" in output or "Socket errors" in output:
            raise SystemExit(f"wrk reported errors for {way.url}:\n{output}")
        each = 1 / float(match[3])
        way.p99.append(float(match[1]) * UNITS[match[2]])
        way.cpu.append((way.used() - before) * each / self.seconds)
        return each


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5, help="duration of each round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=16)
    chosen = parser.parse_args(arguments)
    program = wrk()
    load = Wrk(program, chosen.seconds, chosen.connections) if program else None
    with stand.reported(f"api: status of a run, {chosen.connections} connections, in turns"):
        if load is None:
            print("  skipped: wrk is not installed (`make bench` downloads Debian's)")
            return
        with stand.folder() as place, stand.mongod(place) as server:
            run_id = running_run(place, server.port)
            with api(place, server.port) as ours, sapporo(place) as peer:
                url = f"http://127.0.0.1:{ours.port}/api/v1/runs/{run_id}"
                ways = {"rundesk": Way(url, ours.process)}
                if peer:
                    ways["sapporo"] = peer
                report(load, ways, chosen.rounds)


def report(load: Wrk, ways: dict[str, Way], rounds: int) -> None:
    for way in ways.values():
        load.ask(way)  # warm-up
        way.p99.clear()
        way.cpu.clear()
    found = stand.taking_turns(rounds, {n: partial(load.ask, way) for n, way in ways.items()})
    for name, way in ways.items():
        rate, slowest, cpu = 1 / median(found[name]), median(way.p99), median(way.cpu)
        print(
            f"  {name:8} {rate:6.0f} requests/s, p99 {1000 * slowest:6.1f} ms,"
            f" {1000 * cpu:5.2f} ms of processor time each"
        )
    if "sapporo" not in ways:
        print("  sapporo is not installed (`make bench` installs it): skipped")
        return
    more = stand.ratio(found["sapporo"], found["rundesk"])
    slower = stand.ratio(ways["rundesk"].p99, ways["sapporo"].p99)
    cheaper = stand.ratio(ways["rundesk"].cpu, ways["sapporo"].cpu)
    print(f"  rundesk serves {more:.2f} times as many requests, at {slower:.2f} of its p99,")
    print(f"  for {cheaper:.2f} of the processor time (without MongoDB's)")


def wrk() -> Path | None:
    """Return the program on the PATH, or the one that `make bench` has downloaded."""
    downloaded = Path(sys.prefix) / "wrk" / "usr" / "bin" / "wrk"
    program = shutil.which("wrk") or (downloaded if downloaded.exists() else None)
    return Path(program) if program else None


def running_run(place: Path, port: int) -> str:
    """Return the id of a run that is RUNNING according to the database."""
    services = bootstrap.build(Settings(data=place / "data", db_port=port), patience=20)
    services.database.create_indexes()
    run = services.runs.submit(ME, RunRequest(workflow="sequence-search", example=True))
    now = datetime.now(UTC)
    claim = services.database.queue.claim(host="bench", now=now, lease=LEASE)
    if claim is None:
        raise SystemExit("the run could not be claimed")
    services.database.runs.start(run.id, claim.attempt, now=now)
    services.close()
    return run.id


@contextlib.contextmanager
def sapporo(place: Path) -> Iterator[Way | None]:
    """Yield a sapporo server with a running run; None when it is not installed."""
    program = Path(sys.prefix) / "sapporo" / "bin" / "sapporo"
    if not program.exists():
        yield None
        return
    folder, port = place / "sapporo", stand.free_port()
    folder.mkdir()
    address = ["--host", "127.0.0.1", "--port", str(port)]
    server = psutil.Popen(
        [program, *address, "--run-dir", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=stand.environment(),
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/service-info", b"sapporo")
        run_id = str(uuid4())
        home = folder / run_id[:2] / run_id
        home.mkdir(parents=True)
        # Only now: when sapporo starts it marks running runs as lost.
        (home / "state.txt").write_text("RUNNING")
        url = f"http://127.0.0.1:{port}/runs/{run_id}/status"
        wait_for(url, b"RUNNING")
        yield Way(url, server)
    finally:
        server.terminate()
        server.wait(30)


def wait_for(url: str, word: bytes) -> None:
    """Wait until the reply from `url` contains `word`."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError), opener.open(url, timeout=5) as reply:
            if word in reply.read():
                return
        time.sleep(0.1)
    raise SystemExit(f"{url} does not reply with {word!r}")


if __name__ == "__main__":
    main()
