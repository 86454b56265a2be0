"""Status requests while many clients follow runs: 200 streams and 50 long polls, and without them.

`python -m bench.streams [--runs 20] [--streams 200] [--polls 50] [--requests 400] [--rounds 3]`.
Runs go on all the time: the quiet rounds and those with followers differ only in the followers,
which are in a process of their own. No follower may be refused.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from bench import stand
from bench.uploads import api
from services.models import State
from services.settings import HERE

STEPS = 400  # of a run; each takes a second
WORKFLOW = f"""
rule all:
    input:
        "results/{STEPS}",


rule first:
    output:
        "results/0",
    shell:
        "touch {{output}}"


rule step:
    input:
        lambda wildcards: f"results/{{int(wildcards.number) - 1}}",
    output:
        "results/{{number,[1-9][0-9]*}}",
    shell:
        "sleep 1; touch {{output}}"
"""
PAUSE_S = 0.02  # between two status requests
REST_S = 3.0  # after the followers have come or gone


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--polls", type=int, default=50)
    parser.add_argument("--requests", type=int, default=400, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--follow", nargs="*", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.follow:
        port, *ids = chosen.follow
        asyncio.run(Followers(int(port), ids, chosen.streams, chosen.polls).follow())
        return
    title = f"streams: status requests, {chosen.runs} runs, {chosen.streams} streams"
    settings = {"max_runs": str(chosen.runs), "cores": str(chosen.runs), "run_cores": "1"}
    with (
        stand.reported(f"{title}, {chosen.polls} long polls"),
        stand.folder() as place,
        stand.desk(place, {"steps": WORKFLOW}, **settings) as desk,
    ):
        ids = [desk.submit("steps") for _ in range(chosen.runs)]
        while any(desk.run(run_id).state is not State.RUNNING for run_id in ids):
            time.sleep(0.2)
        with api(place, desk.services.settings.db_port) as served:
            report(served.port, ids, chosen)
        for run_id in ids:
            desk.services.runs.cancel(stand.ME, run_id)
        while any(not desk.run(run_id).state.final for run_id in ids):
            time.sleep(0.2)


def report(port: int, ids: Sequence[str], chosen: argparse.Namespace) -> None:
    found: dict[str, list[float]] = {"quiet": [], "followed": []}
    refused = events = polls = 0
    ask(port, ids[0], chosen.requests)  # warm-up
    for _ in range(chosen.rounds):
        found["quiet"] += ask(port, ids[0], chosen.requests)
        with followers(port, ids, chosen) as counts:
            found["followed"] += ask(port, ids[0], chosen.requests)
        refused, events, polls = (
            refused + counts["refused"],
            events + counts["events"],
            polls + counts["polls"],
        )
    for name, times in found.items():
        half, most = (1000 * stand.percentile(times, rank) for rank in (50, 99))
        print(f"  {name:9} median {half:6.2f} ms, p99 {most:6.2f} ms")
    ratio = stand.percentile(found["followed"], 99) / stand.percentile(found["quiet"], 99)
    print(f"  p99 with followers is {ratio:.2f} of the quiet one")
    print(f"  followers: {events} events, {polls} replies to long polls, {refused} refused")


def ask(port: int, run_id: str, count: int) -> list[float]:
    """Return the seconds that each of some status requests took."""
    connection, times = http.client.HTTPConnection("127.0.0.1", port, timeout=60), []
    for _ in range(count):
        begin = time.perf_counter()
        connection.request("GET", f"/api/v1/runs/{run_id}")
        reply = connection.getresponse()
        reply.read()
        times.append(time.perf_counter() - begin)
        if reply.status != 200:
            raise SystemExit(f"a status request got {reply.status}")
        time.sleep(PAUSE_S)
    connection.close()
    return times


@contextlib.contextmanager
def followers(
    port: int, ids: Sequence[str], chosen: argparse.Namespace
) -> Iterator[dict[str, int]]:
    """Let a process of its own follow the runs; its counts are there at the end."""
    counts: dict[str, int] = {}
    numbers = ["--streams", str(chosen.streams), "--polls", str(chosen.polls)]
    command = [sys.executable, "-m", "bench.streams", *numbers, "--follow", str(port), *ids]
    process = subprocess.Popen(
        command, cwd=HERE, env=stand.environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise SystemExit("the followers did not start")
    time.sleep(REST_S)
    yield counts
    process.send_signal(signal.SIGTERM)
    counts.update(json.loads(process.communicate(timeout=60)[0]))
    time.sleep(REST_S)


class Followers:
    """Clients that follow runs, all in one thread."""

    def __init__(self, port: int, ids: Sequence[str], streams: int, polls: int) -> None:
        self._port, self._ids, self._streams, self._polls = port, ids, streams, polls
        self._counts = {"refused": 0, "events": 0, "polls": 0}
        self._begun = 0

    async def follow(self) -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        tasks = [asyncio.create_task(self._stream(number)) for number in range(self._streams)]
        tasks += [asyncio.create_task(self._poll(number)) for number in range(self._polls)]
        while self._begun + self._counts["refused"] < self._streams:
            await asyncio.sleep(0.05)
        print("ready", flush=True)
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        print(json.dumps(self._counts))

    async def _stream(self, number: int) -> None:
        reader, _ = await self._request(f"{self._path(number)}/events")
        if not self._accepted(await reader.readline()):
            return
        self._begun += 1
        while line := await reader.readline():
            self._counts["events"] += line.startswith(b"event: ")

    async def _poll(self, number: int) -> None:
        while True:
            reader, writer = await self._request(f"{self._path(number)}?wait=30")
            head = await reader.readuntil(b"\r\n\r\n")
            if not self._accepted(head):
                return
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            writer.close()
            self._counts["polls"] += 1

    async def _request(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return reader, writer

    def _accepted(self, head: bytes) -> bool:
        accepted = head.startswith(b"HTTP/1.1 200 ")
        self._counts["refused"] += not accepted
        return accepted

    def _path(self, number: int) -> str:
        return f"/api/v1/runs/{self._ids[number % len(self._ids)]}"


if __name__ == "__main__":
    main()
