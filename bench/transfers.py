"""Memory of portal and API while a large file comes in and goes out again, limit 300 MB each.

`python -m bench.transfers [--size 2048]` (MiB). The file is sent in slices, as the portal's
uploader does, and fetched by a link as the portal makes them; the pages of files and of runs are
open meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from bench import sessions, stand, uploads
from services.bootstrap import Services

LIMIT = 300_000_000  # bytes, of all processes of each
OFTEN = 0.05  # s between two looks at memory
REDRAWN = 2.0  # s between two drawings of the page of files
BLOCK = 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=2048, help="MiB")
    size = parser.parse_args(arguments).size
    with contextlib.ExitStack() as stack:
        stack.enter_context(stand.reported(f"transfers: {size} MiB up and down again"))
        place = stack.enter_context(stand.folder())
        services, process = stack.enter_context(sessions.portal(place))
        api = stack.enter_context(uploads.api(place, services.settings.db_port))
        watched = {"portal": process, "API": api.process}
        file = place / "bench.bin"
        uploads.write(file, size)
        stack.enter_context(looked_at(services))
        tell("at rest", peaks(watched, lambda: time.sleep(REDRAWN * 2)))
        made: list[str] = []
        tell("upload", peaks(watched, lambda: made.append(uploads.slices(api, file))))
        tell("download", peaks(watched, lambda: fetch(services, api.port, made[0], file)))


def family(process: psutil.Process) -> int:
    """Resident bytes of a process and of its children; shared pages count in each of them."""
    found = [process, *process.children(recursive=True)]
    return sum(int(one.memory_info().rss) for one in found)


def peaks(watched: Mapping[str, psutil.Process], work: Callable[[], object]) -> dict[str, int]:
    """The most that each process took while something was done."""
    found, over = dict.fromkeys(watched, 0), threading.Event()

    def watch() -> None:
        while not over.is_set():
            for name, process in watched.items():
                found[name] = max(found[name], family(process))
            over.wait(OFTEN)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        over.set()
        watcher.join()
    return found


@contextlib.contextmanager
def looked_at(services: Services) -> Iterator[None]:
    """The page of files is drawn again and again, and the list of runs polls."""
    over = threading.Event()

    async def look() -> None:
        async with contextlib.AsyncExitStack() as stack:
            open_page = (sessions.page(services.settings, name) for name in ("files", "runs"))
            files, runs = [await stack.enter_async_context(one) for one in open_page]
            await runs.open()
            while not over.is_set():
                await files.open()
                await runs.poll()
                await asyncio.sleep(REDRAWN)

    reader = threading.Thread(target=lambda: asyncio.run(look()))
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()


def fetch(services: Services, port: int, file_id: str, sent: Path) -> None:
    """Download a file by a signed link; what comes must be what was sent."""
    link = services.links.make(stand.ME, f"/api/v1/files/{file_id}/content", seconds=3600)
    address = link.replace(services.settings.public_api_url, f"http://127.0.0.1:{port}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=60) as reply, sent.open("rb") as file:
        while block := reply.read(BLOCK):
            if block != file.read(len(block)):
                raise SystemExit("other bytes came back")
        if file.read(1):
            raise SystemExit("bytes are missing")


def tell(what: str, found: Mapping[str, int]) -> None:
    words = (
        f"{name} {most / 1e6:.0f} MB ({'met' if most < LIMIT else 'NOT met'})"
        for name, most in found.items()
    )
    print(f"  {what:9} " + ", ".join(words))


if __name__ == "__main__":
    main()
