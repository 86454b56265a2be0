"""Cost of open pages: sessions that poll the portal over WebSockets, as browsers do.

`python -m bench.sessions [--sessions 50] [--minutes 0.5] [--jobs 5000]`. Half of the sessions show
the list of runs, half a running run; nothing is executed. Then a run of many jobs is opened and
polled. Limits: 24 polls/s with less than half a core, no growth of memory, 2 s to open a run of
5,000 jobs, 100 ms of the server's time for each poll of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from bench import stand
from bench.idle import used
from services import bootstrap
from services.bootstrap import Services
from services.host.launcher import program
from services.models import Run, Submission
from services.settings import HERE, Settings

LISTED_RUNS = 60
WATCHED_RUN_JOBS = 12
RULES = 5
RUN_AGE = timedelta(minutes=10)  # a new run is polled more often
MEMORY_INTERVAL_S = 1.0
MIN_POLL_SHARE = 24 / 25  # of the requested polls
MAX_MESSAGE_BYTES = 2**26
START_TIMEOUT_S = 180


@dataclass
class Page:
    """A page in a browser, as the server sees it."""

    name: str
    query: str
    socket: ClientConnection
    interval: float = 2.0  # s
    fragment: str = ""
    took: list[float] = field(default_factory=list)  # s of each poll

    async def open(self) -> float:
        """Open the page; return the seconds until it is drawn."""
        return await self._draw(BackMsg(rerun_script=dict(self._where())))

    async def poll(self) -> None:
        """Request the part of the page that updates itself."""
        where = {**self._where(), "fragment_id": self.fragment, "is_auto_rerun": True}
        self.took.append(await self._draw(BackMsg(rerun_script=where)))

    async def keep_polling(self, end: float, wait: float) -> None:
        """Poll at the interval of the page until `end`, for the first time after `wait` seconds."""
        due = time.monotonic() + wait
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self.poll()
            due = max(due + self.interval, time.monotonic())

    def _where(self) -> dict[str, str]:
        return {"query_string": self.query, "page_name": self.name}

    async def _draw(self, message: BackMsg) -> float:
        begun = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        async for data in self.socket:
            reply = ForwardMsg.FromString(data)  # type: ignore[arg-type]
            kind = reply.WhichOneof("type")
            if kind == "auto_rerun":
                self.fragment = reply.auto_rerun.fragment_id
                self.interval = reply.auto_rerun.interval
            elif kind == "script_finished":
                break
        return time.perf_counter() - begun


@contextlib.asynccontextmanager
async def page(settings: Settings, name: str, query: str = "") -> AsyncIterator[Page]:
    address = settings.public_portal_url
    async with connect(
        f"{address.replace('http', 'ws', 1)}/_stcore/stream",
        origin=address,  # type: ignore[arg-type]
        subprotocols=["streamlit"],  # type: ignore[list-item]
        max_size=MAX_MESSAGE_BYTES,
        proxy=None,
    ) as socket:
        yield Page(name, query, socket)


@contextlib.contextmanager
def portal(place: Path) -> Iterator[tuple[Services, psutil.Process]]:
    """Yield a portal with a database of its own; no runner executes runs."""
    with stand.mongod(place) as server:
        given = {
            "RUNDESK_DATA": str(place / "data"),
            "RUNDESK_DB_PORT": str(server.port),
            "RUNDESK_PORTAL_PORT": str(stand.free_port()),
            "RUNDESK_LOG_LEVEL": "WARNING",
        }
        services = bootstrap.build(Settings.load(given))
        services.database.wait()
        services.database.create_indexes()
        process = subprocess.Popen(
            program("cli", "serve", "portal"),
            cwd=HERE,
            env={**stand.environment(), **given},
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait(f"{services.settings.public_portal_url}/_stcore/health")
            yield services, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)
            services.close()


def _wait(address: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError), opener.open(address, timeout=2) as reply:
            if reply.status == 200:
                return
        time.sleep(0.1)
    raise SystemExit("the portal does not respond")


def running(services: Services, name: str, jobs: int) -> Run:
    """Return a running run with half of its jobs completed."""
    then = datetime.now(UTC) - RUN_AGE
    queued = add(services, name)
    claim = services.database.queue.claim(host="bench", now=then, lease=timedelta(days=1))
    if claim is None or claim.run.id != queued.id:
        raise SystemExit("the run could not be claimed")
    run = services.database.runs.start(queued.id, 1, now=then)
    rules = [f"step_{number}" for number in range(RULES)]
    stats = dict.fromkeys(rules, jobs // RULES)
    records: list[dict[str, object]] = [
        {"type": "plan", "stats": {**stats, "total": jobs}},
        {"type": "graph", "links": [list(pair) for pair in pairwise(rules)]},
    ]
    for number in range(jobs):
        at = then.timestamp() + number / 10
        rule = rules[min(number * RULES // jobs, RULES - 1)]
        started = {"type": "started", "job": number, "rule": rule, "at": at}
        records.append({**started, "wildcards": {"n": str(number)}, "threads": 1})
        if number < jobs / 2:
            records.append({"type": "finished", "job": number, "at": at + 0.1})
    records.append({"type": "progress", "done": jobs // 2, "total": jobs})
    services.database.jobs.apply(run.id, 1, records)
    return run


def add(services: Services, name: str) -> Run:
    """Queue a run of a workflow that does not exist."""
    accepted = Submission(
        name=name,
        workflow="bench",
        workflow_title="Bench",
        workflow_version="1",
        digest="0" * 64,
        owner=stand.ME.id,
        tags=["bench"],
        params={},
        inputs=[],
        cores=1,
    )
    run, _ = services.database.runs.add(accepted, now=datetime.now(UTC) - RUN_AGE)
    return run


@dataclass(frozen=True)
class Served:
    """The measurements of polling sessions."""

    rate: float  # polls/s
    cores: float  # of the portal
    took: Sequence[float]  # s of each poll
    memory: Sequence[int]  # bytes, over time


async def sessions(
    services: Services, process: psutil.Process, watched: Run, count: int, seconds: float
) -> Served:
    """Open `count` sessions that poll for `seconds`."""
    async with contextlib.AsyncExitStack() as stack:
        pages = []
        for number in range(count):
            name, query = ("run", f"id={watched.id}") if number % 2 else ("runs", "")
            one = await stack.enter_async_context(page(services.settings, name, query))
            await one.open()
            pages.append(one)
        for one in pages:
            one.took.clear()
        begun, cpu = time.monotonic(), used(process)
        end = begun + seconds
        memory = asyncio.create_task(_memory(process, end))
        starts = [one.interval * number / count for number, one in enumerate(pages)]
        polling = zip(pages, starts, strict=True)
        await asyncio.gather(*(one.keep_polling(end, wait) for one, wait in polling))
        passed = time.monotonic() - begun
        took = [seconds for one in pages for seconds in one.took]
        cores = (used(process) - cpu) / passed
        return Served(len(took) / passed, cores, took, await memory)


async def _memory(process: psutil.Process, end: float) -> list[int]:
    samples = []
    while time.monotonic() < end:
        samples.append(int(process.memory_info().rss))
        await asyncio.sleep(MEMORY_INTERVAL_S)
    return samples


async def large(
    services: Services, process: psutil.Process, run: Run, polls: int
) -> tuple[float, float, float]:
    """Return the seconds to open a run, and per poll the seconds to draw it and of CPU time."""
    async with page(services.settings, "run", f"id={run.id}") as one:
        opened = await one.open()
        one.took.clear()
        before = used(process)
        for _ in range(polls):
            await one.poll()
            await asyncio.sleep(1.0)  # so that the cached reply of the last poll has expired
        return opened, statistics.median(one.took), (used(process) - before) / polls


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--polls", type=int, default=20, help="of the run with many jobs")
    chosen = parser.parse_args(arguments)
    count, jobs, seconds = chosen.sessions, chosen.jobs, chosen.minutes * 60
    what = f"sessions: {count} that poll every 2 s for {seconds:.0f} s; a run of {jobs:,} jobs"
    with stand.reported(what), stand.folder() as place, portal(place) as (services, process):
        watched, big = (
            running(services, "Watched", WATCHED_RUN_JOBS),
            running(services, "Large", jobs),
        )
        for number in range(LISTED_RUNS):
            add(services, f"Waiting {number}")
        tell(asyncio.run(sessions(services, process, watched, count, seconds)), count)
        opened, drawn, cpu = asyncio.run(large(services, process, big, chosen.polls))
        print(f"  a run of {jobs:,} jobs opens in {opened:.2f} s{_limit(opened < 2)}")
        print(
            f"  a poll of it takes {cpu * 1000:.0f} ms of the server{_limit(cpu < 0.1)},"
            f" {drawn * 1000:.0f} ms until it is drawn"
        )


def tell(served: Served, count: int) -> None:
    requested = count / 2.0
    enough = _limit(served.rate >= MIN_POLL_SHARE * requested)
    print(
        f"  {served.rate:.1f} polls/s of {requested:.1f} requested{enough},"
        f" {served.cores * 100:.0f} % of a core{_limit(served.cores < 0.5)}"
    )
    middle, slow = (stand.percentile(served.took, rank) * 1000 for rank in (50, 95))
    print(
        f"  a poll: p50 {middle:.0f} ms, p95 {slow:.0f} ms,"
        f" {served.cores / served.rate * 1000:.1f} ms of CPU"
    )
    third = max(1, len(served.memory) // 3)
    first, last = (
        statistics.median(part) / 1e6 for part in (served.memory[:third], served.memory[-third:])
    )
    print(
        f"  memory: {first:.0f} MB in the first third, {last:.0f} MB in the last"
        f" ({last / first:.2f} times)"
    )


def _limit(met: bool) -> str:
    return " (met)" if met else " (NOT met)"


if __name__ == "__main__":
    main()
