"""Pages of other sites at the portal: a re-pointed name, another port, many sockets at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect, sync_playwright
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from services.access.actors import local_actor
from services.bootstrap import build
from services.models import RunFilter
from services.settings import HERE
from tests.helpers.chromium import launch_chromium
from tests.helpers.shared_desk import shared

FOREIGN_SOCKETS = 100
#: `sitecustomize` of a portal whose connections and look-ups of names are recorded.
RECORDER = """
import sys

LOOPBACK = ("127.0.0.1", "localhost", "::1", "", None)

def record(event, args):
    if event == "socket.getaddrinfo" or event.startswith("socket.gethostby"):
        host = args[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if not isinstance(address, tuple):  # a Unix socket
            return
        host = address[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if host not in LOOPBACK:
        with open({path!r}, "a") as file:
            print(event, host, file=file)

sys.addaudithook(record)
"""
#: Opens `count` sockets at once; returns what happens first to each: "open" or "refused".
KNOCK = """
async ([address, count]) => {
  const knock = () => new Promise((resolve) => {
    const socket = new WebSocket(address, ["streamlit"]);
    socket.onopen = () => { socket.close(); resolve("open"); };
    socket.onerror = () => resolve("refused");
  });
  return await Promise.all(Array.from({ length: count }, knock));
}
"""


class Empty(BaseHTTPRequestHandler):
    """A site with an empty page."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another site</title>")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def another_site() -> Iterator[int]:
    """Yield the port of a site that does not belong to this installation."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def recorder(tmp_path_factory):
    """A folder for PYTHONPATH, and the file with the recorded hosts outside this machine."""
    folder = tmp_path_factory.mktemp("recorder")
    outside = folder / "outside.txt"
    (folder / "sitecustomize.py").write_text(RECORDER.replace("{path!r}", repr(str(outside))))
    return SimpleNamespace(path=os.pathsep.join([str(folder), str(HERE)]), outside=outside)


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory, recorder):
    folder = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", recorder.path)
        with shared(mongod, folder, "api", "portal") as servers:
            services = build(servers.settings)
            yield SimpleNamespace(
                services=services,
                settings=servers.settings,
                home=servers.settings.public_portal_url,
                log=lambda: servers.log("portal"),
                socket=f"ws://127.0.0.1:{servers.settings.portal_port}/_stcore/stream",
            )
            services.close()


@pytest.fixture(scope="module")
def page(desk):
    """A page of a Chromium for which evil.example is 127.0.0.1."""
    with sync_playwright() as playwright:
        browser = launch_chromium(
            playwright.chromium,
            "--host-resolver-rules=MAP evil.example 127.0.0.1",
            "--disable-features=LocalNetworkAccessChecks",  # other browsers have no such checks
        )
        yield browser.new_page()
        browser.close()


def test_page_of_the_portal_opens_its_socket(desk, page):
    """The other tests would pass as well if nothing could open a socket."""
    page.goto(desk.home)
    expect(page.get_by_role("heading", name="Runs")).to_be_visible(timeout=60_000)
    assert page.evaluate(KNOCK, [desk.socket, 1]) == ["open"]


@pytest.mark.parametrize("path", ["/", "/new?workflow=sequence-search", "/_stcore/host-config"])
def test_name_that_points_at_the_portal_is_refused_in_the_first_response(desk, page, path):
    reply = page.goto(f"http://evil.example:{desk.settings.portal_port}{path}")
    assert reply.status == 403
    assert reply.text().startswith("The Host header does not name this portal.")
    assert reply.headers["content-type"].startswith("text/plain")
    assert page.locator("script, iframe, form").count() == 0


def test_page_loaded_before_its_name_points_here_opens_no_socket_and_starts_no_run(desk, page):
    home = f"http://evil.example:{desk.settings.portal_port}/"
    page.route(home, lambda route: route.fulfill(content_type="text/html", body="Another site"))
    page.goto(home)
    page.unroute(home)
    same_origin = desk.socket.replace("127.0.0.1", "evil.example")
    assert page.evaluate(KNOCK, [same_origin, 1]) == ["refused"]
    assert page.evaluate(KNOCK, [desk.socket, 1]) == ["refused"]
    assert desk.services.runs.list(local_actor(), RunFilter()).items == []


def test_page_of_another_port_of_the_same_host_opens_no_socket(desk, page):
    with another_site() as port:
        page.goto(f"http://127.0.0.1:{port}/")
        assert page.evaluate(KNOCK, [desk.socket, 1]) == ["refused"]
        api = f"http://127.0.0.1:{desk.settings.api_port}/healthz"
        page.goto(api)  # the API serves files of users; its pages are not those of the portal
        assert page.evaluate(KNOCK, [desk.socket, 1]) == ["refused"]


def test_refused_socket_gets_the_sentence(desk):
    with pytest.raises(InvalidStatus) as refused:
        connect(desk.socket, origin="http://evil.example", proxy=None)
    reply = refused.value.response
    assert reply.status_code == 403
    assert reply.body.startswith(b"Requests from pages of other sites are not allowed.")


def test_foreign_sockets_cause_no_request_and_leave_the_portal_responsive(desk, page, recorder):
    durations, stopped = [], threading.Event()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def visit():
        while not stopped.is_set():
            started = time.monotonic()
            with opener.open(desk.home, timeout=30) as reply:
                assert reply.status == 200
            durations.append(time.monotonic() - started)

    with another_site() as port:
        page.goto(f"http://evil.example:{port}/")
        visitor = threading.Thread(target=visit)
        visitor.start()
        try:
            outcomes = page.evaluate(KNOCK, [desk.socket, FOREIGN_SOCKETS])
        finally:
            stopped.set()
            visitor.join()
    assert outcomes == ["refused"] * FOREIGN_SOCKETS
    # Streamlit alone would wait for up to 2 s for each of the sockets
    assert max(durations) < 10
    assert outside_hosts(recorder) == []
    lines = desk.log().splitlines()
    assert 1 <= sum("refused a request (foreign_" in line for line in lines) < FOREIGN_SOCKETS
    assert not [line for line in lines if "Traceback" in line]
    # and the recorder does record
    subprocess.run(
        [sys.executable, "-c", "import socket; socket.socket(type=2).connect(('192.0.2.1', 9))"],
        env={**os.environ, "PYTHONPATH": recorder.path},
        check=False,
        stderr=subprocess.DEVNULL,
    )
    assert outside_hosts(recorder) == ["socket.connect 192.0.2.1"]


def outside_hosts(recorder) -> list[str]:
    path: Path = recorder.outside
    return path.read_text().splitlines() if path.exists() else []
