"""Latency of the status of a run while many clients are slow.

`python -m bench.slow [--half-open 200] [--uploads 200] [--rate 16] [--requests 400] [--rounds 5]`.
Quiet rounds and rounds with slow clients take turns. Half-open connections send half a head and
are opened again when the server closes them. Each upload sends `--rate` KiB per second.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import multiprocessing
import select
import socket
import time
from collections.abc import Iterator, Sequence
from multiprocessing.synchronize import Event

from bench import stand
from bench.api import running_run
from bench.uploads import api

HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow"
UPLOAD = (
    b"POST /api/v1/files?name=slow.bin HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: 1000000000\r\n\r\n"
)
STEP_S = 0.5  # between two blocks of an upload


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--half-open", type=int, default=200)
    parser.add_argument("--uploads", type=int, default=200)
    parser.add_argument("--rate", type=int, default=16, help="KiB/s of each upload")
    parser.add_argument("--requests", type=int, default=400, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    what = f"{chosen.half_open} half-open connections and {chosen.uploads} slow uploads"
    with (
        stand.reported(f"slow: status of a run with {what}"),
        stand.folder() as place,
        stand.mongod(place) as database,
    ):
        run_id = running_run(place, database.port)
        with api(place, database.port) as desk:
            url = f"/api/v1/runs/{run_id}"
            latencies(desk.port, url, chosen.requests)  # warm-up
            quiet, loaded = [], []
            for _ in range(chosen.rounds):
                quiet.append(latencies(desk.port, url, chosen.requests))
                with slow_clients(desk.port, chosen.half_open, chosen.uploads, chosen.rate):
                    loaded.append(latencies(desk.port, url, chosen.requests))
            report(quiet, loaded)


def report(quiet: list[list[float]], loaded: list[list[float]]) -> None:
    for rank in (50, 99):
        before = [stand.percentile(one, rank) for one in quiet]
        during = [stand.percentile(one, rank) for one in loaded]
        print(
            f"  p{rank} {1000 * min(before):.1f} to {1000 * max(before):.1f} ms quiet,"
            f" {1000 * min(during):.1f} to {1000 * max(during):.1f} ms with slow clients:"
            f" {stand.ratio(during, before):.2f} times"
        )
    count = sum(map(len, loaded))
    print(f"  {count} requests with slow clients, none refused or lost")


def latencies(port: int, url: str, count: int) -> list[float]:
    """Return the seconds of `count` requests, half of them on new connections."""
    took = []
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in range(count):
        new = http.client.HTTPConnection("127.0.0.1", port, timeout=60) if number % 2 else kept
        begun = time.monotonic()
        new.request("GET", url)
        reply = new.getresponse()
        reply.read()
        took.append(time.monotonic() - begun)
        if reply.status != 200:
            raise SystemExit(f"GET {url} returned {reply.status}")
        if new is not kept:
            new.close()
        time.sleep(0.005)
    kept.close()
    return took


@contextlib.contextmanager
def slow_clients(port: int, half_open: int, uploads: int, rate: int) -> Iterator[None]:
    """Keep slow connections open, from another process."""
    ready, stopped = multiprocessing.Event(), multiprocessing.Event()
    process = multiprocessing.Process(
        target=be_slow, args=(port, half_open, uploads, rate, ready, stopped)
    )
    process.start()
    try:
        if not ready.wait(60):
            raise SystemExit("the slow clients could not connect")
        yield
    finally:
        stopped.set()
        process.join()
    if process.exitcode:
        raise SystemExit("an upload was refused")


def be_slow(
    port: int, half_open: int, uploads: int, rate: int, ready: Event, stopped: Event
) -> None:
    halves = [connection(port, HALF_HEAD) for _ in range(half_open)]
    senders = [connection(port, UPLOAD) for _ in range(uploads)]
    block = b"x" * int(rate * 1024 * STEP_S)
    ready.set()
    while not stopped.wait(STEP_S):
        for sender in senders:
            sender.sendall(block)
            if answered(sender):
                raise SystemExit(1)
        for number, half in enumerate(halves):
            if answered(half):
                half.close()
                halves[number] = connection(port, HALF_HEAD)


def connection(port: int, sent: bytes) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), timeout=60)
    opened.sendall(sent)
    return opened


def answered(client: socket.socket) -> bool:
    readable = select.poll()
    readable.register(client, select.POLLIN)
    return bool(readable.poll(0))


if __name__ == "__main__":
    main()
