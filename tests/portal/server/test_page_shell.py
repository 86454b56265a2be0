from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from dataclasses import replace

import pytest

from ui.server.page_shell import Shell


def sent(settings, kind, status=200, path="/run", query=b""):
    """Return the headers and the body that the shell sends for a reply of this kind."""

    async def inner(scope, receive, send):
        headers = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"inner"})

    messages = []

    async def collect(message):
        messages.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query, "headers": []}
    asyncio.run(Shell(inner, settings)(scope, None, collect))
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return headers, b"".join(message.get("body", b"") for message in messages).decode()


@pytest.mark.parametrize(
    ("address", "base"), [("", "/"), ("https://desk.example/portal/", "/portal")]
)
def test_page_has_the_address_of_the_server(settings, address, base):
    _, page = sent(replace(settings, portal_url=address), "text/html; charset=utf-8")
    assert f'<script>window.__streamlit={{BACKEND_BASE_URL:location.origin+"{base}"}}' in page
    assert "<title>Rundesk</title>" in page
    assert "st-key-failure" in page.partition("<style>")[2]


@pytest.mark.parametrize(
    ("portal", "api", "expected"),
    [
        ("", "", {"portal": "", "api": "http://127.0.0.1:8000"}),
        (
            "https://desk.example/portal/",
            "https://desk.example/</api/",
            {"portal": "/portal", "api": "https://desk.example/</api"},
        ),
    ],
)
def test_page_has_the_addresses_of_both_servers_as_json(settings, portal, api, expected):
    addressed = replace(settings, portal_url=portal, api_url=api, api_port=8000)
    _, page = sent(addressed, "text/html")
    opening = '<script type="application/json" id="rundesk-addresses">'
    assert page.count(opening) == 1
    assert json.loads(page.partition(opening)[2].partition("</script>")[0]) == expected


def test_page_may_load_only_from_portal_and_api(settings):
    headers, page = sent(settings, "text/html")
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-src"] == f"'self' {settings.public_api_url}"
    assert "'unsafe-inline'" not in policy["script-src"]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 6  # address, Streamlit's own, and ours
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy["script-src"]


@pytest.mark.parametrize(("kind", "status"), [("text/javascript", 200), ("text/html", 404)])
def test_other_replies_are_not_changed(settings, kind, status):
    headers, body = sent(settings, kind, status)
    assert body == "inner"
    assert headers == {"content-type": kind}


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/runs", b"", "./"),
        ("/runs", b"state=RUNNING&find=%C3%A4", "./?state=RUNNING&find=%C3%A4"),
        ("/runs/", b"", "../"),
        ("/portal/runs", b"a=1", "./?a=1"),
    ],
)
def test_name_of_the_start_page_leads_to_it(settings, path, query, target):
    headers, body = sent(settings, "text/html", path=path, query=query)
    assert (headers["location"], body) == (target, "")


@pytest.mark.parametrize("path", ["/", "/run", "/files", "/runs.js", "/runs/x", "/previousruns"])
def test_other_pages_are_sent_where_they_are(settings, path):
    headers, page = sent(settings, "text/html", path=path)
    assert "location" not in headers
    assert "<title>Rundesk</title>" in page
