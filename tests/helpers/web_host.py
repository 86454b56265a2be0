"""A web server on loopback for tests of downloads; it sends the pages that a test defines."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from services.files.downloads import Fetcher

Page = Callable[[BaseHTTPRequestHandler], None]


class Host:
    """Pages by path; `asked` lists the requested paths in order, `headers` their headers."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []  # of each request

    def url(self, path: str) -> str:
        return f"http://localhost:{self.port}{path}"

    def fetcher(self) -> Fetcher:
        """Return a fetcher that may download from this host, although it is not public."""
        return Fetcher((f"localhost:{self.port}",), trusted=lambda address: True)

    @property
    def settings(self) -> dict[str, tuple[str, ...]]:
        """The settings of an installation whose operators allow this host."""
        return {
            "import_hosts": (f"localhost:{self.port}",),
            "import_private": ("127.0.0.1", "::1"),
        }

    def file(self, path: str, content: bytes, **headers: str) -> str:
        self.pages[path] = lambda asked: send(asked, 200, content, **headers)
        return self.url(path)

    def redirect(self, path: str, to: str) -> str:
        self.pages[path] = lambda asked: send(asked, 302, b"", Location=to)
        return self.url(path)


def send(asked: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    asked.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        asked.send_header(name, value)
    asked.end_headers()
    asked.wfile.write(body)


@contextlib.contextmanager
def serving() -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            host.headers.append(dict(self.headers))
            page = host.pages.get(self.path, lambda asked: send(asked, 404, b""))
            with contextlib.suppress(ConnectionError):  # the client has disconnected
                page(self)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    host = Host(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
