"""Speed of each kind of upload, compared with `cp` and `sha256sum` of the same file.

`python -m bench.uploads [--size 2048] [--rounds 3]` (MiB). Also measures the memory of the API,
during downloads too. The measurements take turns in one call. The API replies when the file is
hashed, synced to disk and registered.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.stand import environment, folder, free_port, mongod, ratio, reported, taking_turns
from services.host.launcher import program
from services.settings import HERE, MIB

SLICE_BYTES = 8 * MIB  # of the uploader of the portal
TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
BOUNDARY = b"------------------------d74496d66958873e"  # as created by curl
PART_HEADER = (
    b'--%b\r\nContent-Disposition: form-data; name="file"; filename="bench.bin"\r\n\r\n' % BOUNDARY
)
PART_END = b"\r\n--%b--\r\n" % BOUNDARY


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=2048, help="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with folder() as place, mongod(place) as database, api(place, database.port) as desk:
        file = place / "bench.bin"
        write(file, chosen.size)
        with reported(f"each kind of upload of {chosen.size} MiB, {chosen.rounds} rounds"):
            ways: dict[str, Callable[[], float]] = {
                "shell": lambda: shell(file),
                "raw": lambda: desk.timed("raw", raw, file),
                "multipart": lambda: desk.timed("multipart", multipart, file),
                "tus, one piece": lambda: desk.timed("tus, one piece", tus, file),
                "tus, slices": lambda: desk.timed("tus, slices", slices, file),
            }
            report(chosen.size, taking_turns(chosen.rounds, ways), desk)
            peak = download(desk, file) / MIB
            print(f"  download: at most {peak:.0f} MiB resident in all processes of the API")


@dataclass
class Api:
    """The API and its peak memory."""

    port: int
    process: psutil.Process
    peaks: dict[str, int] = field(default_factory=dict)  # additional bytes, by kind of upload

    def memory(self) -> int:
        family = [self.process, *self.process.children(recursive=True)]
        return sum(int(one.memory_info().rss) for one in family)

    def ask(self, method: str, path: str, headers: dict[str, str], *parts: Part) -> Reply:
        """Send a request with the body `parts`. Raises SystemExit when it fails."""
        length = sum(part if isinstance(part, int) else len(part) for part, *_ in parts)
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.putrequest(method, path)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            connection.putheader(name, value)
        connection.endheaders()
        sender: socket.socket = connection.sock
        for part in parts:
            if isinstance(part[0], int):
                count, path_of, offset = part
                with path_of.open("rb") as file:
                    sender.sendfile(file, offset, count)
            else:
                sender.sendall(part[0])
        reply = connection.getresponse()
        body = reply.read()
        connection.close()
        if reply.status >= 300:
            raise SystemExit(f"{method} {path} returned {reply.status}: {body[:500]!r}")
        return reply.headers, json.loads(body) if body else None

    def timed(self, way: str, send: Callable[[Api, Path], str], file: Path) -> float:
        """Return the seconds of an upload; the file is deleted afterwards."""
        before = self.memory()
        with self.watched() as seen:
            begun = time.monotonic()
            file_id = send(self, file)
            took = time.monotonic() - begun
        self.peaks[way] = max(self.peaks.get(way, 0), max(seen) - before)
        self.ask("DELETE", f"/api/v1/files/{file_id}", {})
        return took

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[int]]:
        """Yield a list to which samples of the resident bytes are appended."""
        seen, over = [self.memory()], threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                seen.append(self.memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield seen
        finally:
            over.set()
            watcher.join()


Part = tuple[bytes] | tuple[int, Path, int]  # bytes, or a range of a file: (count, path, offset)
Reply = tuple[http.client.HTTPMessage, dict[str, dict[str, str]] | None]


@contextlib.contextmanager
def api(place: Path, database: int) -> Iterator[Api]:
    port = free_port()
    given = {
        "RUNDESK_DATA": str(place / "data"),
        "RUNDESK_DB_PORT": str(database),
        "RUNDESK_API_PORT": str(port),
        "RUNDESK_LOG_LEVEL": "WARNING",
    }
    process = psutil.Popen(program("cli", "serve", "api"), cwd=HERE, env={**environment(), **given})
    try:
        while not answers(port):
            time.sleep(0.1)
        yield Api(port, process)
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/healthz", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def write(file: Path, size: int) -> None:
    block = os.urandom(MIB)
    with file.open("wb") as stream:
        for _ in range(size):
            stream.write(block)


# ---- kinds of upload ---------------------------------------------------------------------------


def shell(file: Path) -> float:
    copy = file.with_name("copy.bin")
    begun = time.monotonic()
    subprocess.run(["cp", str(file), str(copy)], check=True)
    subprocess.run(["sha256sum", str(copy)], check=True, capture_output=True)
    took = time.monotonic() - begun
    copy.unlink()
    return took


def raw(desk: Api, file: Path) -> str:
    size = file.stat().st_size
    _, body = desk.ask("POST", "/api/v1/files?name=bench.bin", {}, (size, file, 0))
    return named(body)


def multipart(desk: Api, file: Path) -> str:
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
    size = file.stat().st_size
    _, body = desk.ask("POST", "/api/v1/files", kind, (PART_HEADER,), (size, file, 0), (PART_END,))
    return named(body)


def tus(desk: Api, file: Path) -> str:
    return pieces(desk, file, file.stat().st_size)


def slices(desk: Api, file: Path) -> str:
    return pieces(desk, file, SLICE_BYTES)


def pieces(desk: Api, file: Path, most: int) -> str:
    size = file.stat().st_size
    created = {"Tus-Resumable": "1.0.0", "Upload-Length": str(size)}
    headers, _ = desk.ask("POST", "/uploads/", created)
    address, offset = headers["Location"], 0
    while offset < size:
        part = (min(most, size - offset), file, offset)
        headers, _ = desk.ask("PATCH", address, {**TUS, "Upload-Offset": str(offset)}, part)
        offset = int(headers["Upload-Offset"])
    return str(headers["Rundesk-File"])


def download(desk: Api, file: Path) -> int:
    """Return the peak of the resident bytes of the API while a file is downloaded."""
    address = f"/api/v1/files/{raw(desk, file)}/content"
    connection = http.client.HTTPConnection("127.0.0.1", desk.port)
    with desk.watched() as seen:
        connection.request("GET", address)
        reply, read = connection.getresponse(), 0
        while block := reply.read(MIB):
            read += len(block)
    connection.close()
    if read != file.stat().st_size:
        raise SystemExit(f"only {read} bytes of the file were received")
    return max(seen)


def named(body: dict[str, dict[str, str]] | None) -> str:
    return body["data"]["id"] if body else ""


def report(size: int, found: dict[str, list[float]], desk: Api) -> None:
    for name, times in found.items():
        line = f"  {name:15} {size / min(times):6.0f} MiB/s at best"
        if name in desk.peaks:
            speed = 1 / ratio(times, found["shell"])
            line += f", {speed:.2f} of the shell's; {desk.peaks[name] / MIB:.0f} MiB more memory"
        print(line)


if __name__ == "__main__":
    main()
