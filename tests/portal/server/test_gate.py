"""The gate of the portal: which hosts and origins may reach it, over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from services.settings import Settings
from ui.server import gate, page_shell
from ui.server.gate import FOREIGN_HOST, FOREIGN_ORIGIN, RequestGate

LOCAL = Settings(portal_port=8501)
PROXIED = replace(LOCAL, portal_url="https://desk.example.org/desk")
PROXIED_PORT = replace(LOCAL, portal_url="https://desk.example.org:8443")
LAN = replace(LOCAL, host="0.0.0.0", sign_in_by="tokens", portal_url="http://desk.example.org:8501")
ADDRESS = replace(LOCAL, host="192.0.2.7", sign_in_by="tokens")
IPV6 = replace(LOCAL, host="::1")
DIRECT = (LOCAL, LAN, ADDRESS, IPV6)
OWN = "http://127.0.0.1:8501"
PASSED = (200, "Streamlit")


def exchange(settings, kind="http", method="GET", *, denial=True, headers=()):
    """Send a request through the gate; return the status and the text of the response."""
    passed, messages = [], []

    async def streamlit(scope, receive, send):
        passed.append(scope["type"])

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        messages.append(message)

    scope = {
        "type": kind,
        "path": "/_stcore/stream",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "extensions": {"websocket.http.response": {}} if denial else {},
    }
    if kind == "http":
        scope["method"] = method
    asyncio.run(RequestGate(streamlit, settings)(scope, receive, send))
    if passed:
        assert messages == []
        return PASSED
    if messages[0]["type"] == "websocket.close":
        return messages[0]["code"], ""
    text = b"".join(message.get("body", b"") for message in messages).decode()
    return messages[0]["status"], text


def refusal(message):
    return 403, f"{message()} {message().hint}\n"


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    ("settings", "host", "accepted"),
    [
        (LOCAL, "127.0.0.1:8501", True),
        (LOCAL, "localhost:8501", True),
        (LOCAL, "LocalHost:8501", True),
        (LOCAL, "[::1]:8501", True),
        (LOCAL, "evil.example:8501", False),
        (LOCAL, "evil.example", False),
        (LOCAL, "127.0.0.1:8502", False),
        (LOCAL, "127.0.0.1", False),
        (LOCAL, "localhost", False),
        (LOCAL, "127.0.0.1.evil.example:8501", False),
        (LOCAL, "localhost:8501@evil.example", False),
        (LOCAL, "localhost:8501/x", False),
        (LOCAL, "localhost:", False),
        (LOCAL, "localhost:99999", False),
        (LOCAL, "0.0.0.0:8501", False),
        (LOCAL, "", False),
        (PROXIED, "desk.example.org", True),
        (PROXIED, "desk.example.org:443", True),
        (PROXIED, "127.0.0.1:8501", True),
        (PROXIED, "desk.example.org:8501", False),
        (PROXIED, "www.desk.example.org", False),
        (PROXIED_PORT, "desk.example.org:8443", True),
        (PROXIED_PORT, "desk.example.org", True),  # some proxies send no port
        (PROXIED_PORT, "desk.example.org:443", False),
        (LAN, "desk.example.org:8501", True),
        (LAN, "localhost:8501", True),
        (LAN, "192.0.2.7:8501", False),
        (ADDRESS, "192.0.2.7:8501", True),
        (ADDRESS, "localhost:8501", False),
        (IPV6, "[::1]:8501", True),
        (IPV6, "[::2]:8501", False),
    ],
)
def test_gate_accepts_only_hosts_of_the_portal(settings, kind, host, accepted):
    public = urlsplit(settings.public_portal_url)
    origin = f"{public.scheme}://{host if settings in DIRECT else public.netloc}"
    reply = exchange(settings, kind, headers=[("host", host), ("origin", origin)])
    assert reply == (PASSED if accepted else refusal(FOREIGN_HOST))


@pytest.mark.parametrize(("kind", "method"), [("http", "POST"), ("websocket", "GET")])
@pytest.mark.parametrize(
    ("settings", "host", "origin", "accepted"),
    [
        (LOCAL, "127.0.0.1:8501", OWN, True),
        (LOCAL, "localhost:8501", "http://localhost:8501", True),
        (LOCAL, "[::1]:8501", "http://[::1]:8501", True),
        (LOCAL, "127.0.0.1:8501", "http://127.0.0.1:31190", False),
        (LOCAL, "127.0.0.1:8501", "http://127.0.0.1:8000", False),  # the API shows files of users
        (LOCAL, "127.0.0.1:8501", "http://127.0.0.1", False),
        (LOCAL, "127.0.0.1:8501", "https://127.0.0.1:8501", False),
        (LOCAL, "127.0.0.1:8501", "http://localhost:8501", False),
        (LOCAL, "127.0.0.1:8501", "http://evil.example:8501", False),
        (LOCAL, "127.0.0.1:8501", "http://evil.example", False),
        (LOCAL, "127.0.0.1:8501", "https://127.0.0.1.evil.example:8501", False),
        (LOCAL, "127.0.0.1:8501", "http://127.0.0.1:8501@evil.example", False),
        (LOCAL, "127.0.0.1:8501", f"{OWN}/", False),
        (LOCAL, "127.0.0.1:8501", f"{OWN}, {OWN}", False),
        (LOCAL, "127.0.0.1:8501", "null", False),
        (LOCAL, "127.0.0.1:8501", "", False),
        (LOCAL, "127.0.0.1:8501", None, False),
        (PROXIED, "desk.example.org", "https://desk.example.org", True),
        (PROXIED, "127.0.0.1:8501", "https://desk.example.org", True),  # Host set by the proxy
        (PROXIED, "desk.example.org", "http://desk.example.org", False),
        (PROXIED, "desk.example.org", "https://desk.example.org:8443", False),
        (PROXIED, "desk.example.org", "https://www.desk.example.org", False),
        (PROXIED, "127.0.0.1:8501", OWN, False),  # a program of the user, not of the server
        (PROXIED, "desk.example.org", OWN, False),
        (PROXIED_PORT, "desk.example.org", "https://desk.example.org:8443", True),
        (PROXIED_PORT, "desk.example.org:8443", "https://desk.example.org", False),
        (LAN, "desk.example.org:8501", "http://desk.example.org:8501", True),
        (LAN, "localhost:8501", "http://localhost:8501", True),
        (LAN, "desk.example.org:8501", "http://localhost:8501", False),
        (LAN, "desk.example.org:8501", "http://desk.example.org:8000", False),
    ],
)
def test_gate_accepts_changes_only_from_pages_of_the_portal(
    settings, kind, method, host, origin, accepted
):
    headers = [("host", host)] + ([] if origin is None else [("origin", origin)])
    reply = exchange(settings, kind, method, headers=headers)
    assert reply == (PASSED if accepted else refusal(FOREIGN_ORIGIN))


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OTHER"])
def test_gate_checks_the_origin_of_every_method_that_may_change_something(method):
    headers = [("host", "127.0.0.1:8501"), ("origin", "http://evil.example")]
    assert exchange(LOCAL, method=method, headers=headers) == refusal(FOREIGN_ORIGIN)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_gate_needs_no_origin_to_read(method):
    headers = [("host", "127.0.0.1:8501")]
    assert exchange(LOCAL, method=method, headers=headers) == PASSED


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_gate_refuses_repeated_or_missing_host(kind):
    origin = ("origin", OWN)
    assert exchange(LOCAL, kind, headers=[origin]) == refusal(FOREIGN_HOST)
    twice = [("host", "127.0.0.1:8501"), ("host", "evil.example"), origin]
    assert exchange(LOCAL, kind, headers=twice) == refusal(FOREIGN_HOST)


def test_gate_refuses_repeated_origin():
    headers = [("host", "127.0.0.1:8501"), ("origin", OWN), ("origin", "http://evil.example")]
    assert exchange(LOCAL, "websocket", headers=headers) == refusal(FOREIGN_ORIGIN)


def test_gate_closes_handshake_where_the_server_cannot_send_a_response():
    headers = [("host", "evil.example"), ("origin", "http://evil.example")]
    assert exchange(LOCAL, "websocket", denial=False, headers=headers) == (1008, "")


def test_gate_passes_other_events_of_the_server():
    assert exchange(LOCAL, "lifespan") == PASSED


def test_gate_logs_one_of_many_refused_requests(caplog):
    async def streamlit(scope, receive, send):
        raise AssertionError

    async def send(message):
        pass

    knocked = RequestGate(streamlit, LOCAL)
    scope = {
        "type": "websocket",
        "headers": [(b"host", b"evil.example"), (b"origin", b"x" * 10_000 + b"\n")],
    }
    with caplog.at_level(logging.WARNING, gate.log.name):
        for _ in range(100):
            asyncio.run(knocked(scope, None, send))
    (line,) = caplog.messages
    assert line.startswith("refused a request (foreign_host): Host 'evil.example', Origin 'xxx")
    assert len(line) < 400


def test_gate_is_the_first_middleware(settings, monkeypatch):
    monkeypatch.setattr(Settings, "load", lambda: settings)
    assert page_shell.middleware()[0].cls is RequestGate
