"""Memory of portal and API while a large file is uploaded and downloaded; limit 300 MB each.

`python -m bench.transfers [--size 2048]` (MiB). The file is uploaded in slices, as by the uploader
of the portal, and downloaded with a signed link, while the pages of files and of runs are open.
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

MEMORY_LIMIT_BYTES = 300_000_000  # of all processes of each server
MEMORY_INTERVAL_S = 0.05
REDRAW_INTERVAL_S = 2.0  # of the page of files
READ_CHUNK_BYTES = 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=2048, help="MiB")
    size = parser.parse_args(arguments).size
    with contextlib.ExitStack() as stack:
        stack.enter_context(stand.reported(f"transfers: upload and download of {size} MiB"))
        place = stack.enter_context(stand.folder())
        services, process = stack.enter_context(sessions.portal(place))
        api = stack.enter_context(uploads.api(place, services.settings.db_port))
        watched = {"portal": process, "API": api.process}
        file = place / "bench.bin"
        uploads.write(file, size)
        stack.enter_context(open_pages(services))
        tell("at rest", peaks(watched, lambda: time.sleep(REDRAW_INTERVAL_S * 2)))
        uploaded: list[str] = []
        tell("upload", peaks(watched, lambda: uploaded.append(uploads.slices(api, file))))
        tell("download", peaks(watched, lambda: fetch(services, api.port, uploaded[0], file)))


def family(process: psutil.Process) -> int:
    """Return the resident bytes of a process and its children; shared pages count repeatedly."""
    processes = [process, *process.children(recursive=True)]
    return sum(int(one.memory_info().rss) for one in processes)


def peaks(watched: Mapping[str, psutil.Process], work: Callable[[], object]) -> dict[str, int]:
    """Return the peak memory of each process during `work`."""
    found, over = dict.fromkeys(watched, 0), threading.Event()

    def watch() -> None:
        while not over.is_set():
            for name, process in watched.items():
                found[name] = max(found[name], family(process))
            over.wait(MEMORY_INTERVAL_S)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        over.set()
        watcher.join()
    return found


@contextlib.contextmanager
def open_pages(services: Services) -> Iterator[None]:
    """Redraw the page of files repeatedly and poll the list of runs, in another thread."""
    over = threading.Event()

    async def look() -> None:
        async with contextlib.AsyncExitStack() as stack:
            open_page = (sessions.page(services.settings, name) for name in ("files", "runs"))
            files, runs = [await stack.enter_async_context(one) for one in open_page]
            await runs.open()
            while not over.is_set():
                await files.open()
                await runs.poll()
                await asyncio.sleep(REDRAW_INTERVAL_S)

    reader = threading.Thread(target=lambda: asyncio.run(look()))
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()


def fetch(services: Services, port: int, file_id: str, sent: Path) -> None:
    """Download a file with a signed link, and compare it with the uploaded file."""
    link = services.links.make(stand.ME, f"/api/v1/files/{file_id}/content", seconds=3600)
    address = link.replace(services.settings.public_api_url, f"http://127.0.0.1:{port}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=60) as reply, sent.open("rb") as file:
        while block := reply.read(READ_CHUNK_BYTES):
            if block != file.read(len(block)):
                raise SystemExit("the downloaded bytes differ from the uploaded ones")
        if file.read(1):
            raise SystemExit("the download is incomplete")


def tell(what: str, found: Mapping[str, int]) -> None:
    words = (
        f"{name} {most / 1e6:.0f} MB ({'met' if most < MEMORY_LIMIT_BYTES else 'NOT met'})"
        for name, most in found.items()
    )
    print(f"  {what:9} " + ", ".join(words))


if __name__ == "__main__":
    main()
