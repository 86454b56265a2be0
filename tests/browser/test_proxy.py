"""The nginx configuration of docs/guide/reverse-proxy.md: TLS, sign-in, uploads, events."""

from __future__ import annotations

import base64
import os
import re
import ssl
import subprocess
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
import trustme
from playwright.sync_api import expect

from services.access.actors import local_actor
from services.bootstrap import build
from services.models import Actor, RunRequest, Scope, TokenRequest
from services.settings import HERE, MIB
from tests.helpers.api import write_workflow
from tests.helpers.shared_desk import shared
from tests.helpers.waiting import free_port, until

NGINX = os.environ.get("RUNDESK_NGINX", "")
pytestmark = pytest.mark.skipif(
    not NGINX, reason="no nginx: `make test` gets it from Debian where it can, or set RUNDESK_NGINX"
)
SECRET = "put-a-long-secret-here"
ANN = Actor(id="ann")
MAIN = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/rundesk.conf;
}}
"""


def printed(port, api, portal, folder):
    """Return the documented configuration; only ports and paths are those of this test."""
    text = (HERE / "docs/guide/reverse-proxy.md").read_text()
    (config,) = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)
    for there, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/desk.example.org.pem", f"{folder}/desk.pem"),
        ("/etc/ssl/private/desk.example.org.key", f"{folder}/desk.key"),
        ("/etc/nginx/rundesk.users", f"{folder}/users"),
        ("127.0.0.1:8000", f"127.0.0.1:{api}"),
        ("127.0.0.1:8501", f"127.0.0.1:{portal}"),
    ):
        assert there in config
        config = config.replace(there, here)
    return config


def certified(folder):
    """Create a certificate for the proxy; return an SSL context that trusts it."""
    authority, trusting = trustme.CA(), ssl.create_default_context()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "desk.key"))
    for part in issued.cert_chain_pems:
        part.write_to_path(str(folder / "desk.pem"), append=True)
    authority.configure_trust(trusting)
    return trusting


@pytest.fixture(scope="module")
def proxy(mongod, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nginx")
    port, api, portal = (free_port() for _ in range(3))
    (folder / "rundesk.conf").write_text(printed(port, api, portal, folder))
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    (folder / "users").write_text("ann:{PLAIN}pass\n")
    trusting = certified(folder)
    write_workflow(folder / "more" / "demo")
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    with (folder / "nginx.log").open("wb") as log:
        server = subprocess.Popen(command, stderr=log)
    address = f"https://127.0.0.1:{port}/desk"
    try:
        with shared(
            mongod,
            folder,
            "api",
            "portal",
            api_port=api,
            portal_port=portal,
            api_url=address,
            portal_url=address,
            remote_user_header="X-Remote-User",
            wall="available",
            remote_user_secret=SECRET,
            workflows=(folder / "more",),
        ) as servers:
            services = build(servers.settings, patience=20)
            yield SimpleNamespace(address=address, services=services, opener=opener_of(trusting))
            services.close()
    finally:
        server.terminate()
        server.wait(30)


def opener_of(trusting):
    """Return an opener that ignores the proxies of the environment."""
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
    )


SIGNED_IN = {"Authorization": "Basic " + base64.b64encode(b"ann:pass").decode()}


def ask(proxy, path, body=None, **headers):
    request = urllib.request.Request(
        f"{proxy.address}{path}", body, {name.replace("_", "-"): v for name, v in headers.items()}
    )
    try:
        with proxy.opener.open(request, timeout=30) as reply:
            return SimpleNamespace(status=reply.status, text=reply.read(), headers=reply.headers)
    except urllib.error.HTTPError as error:
        with error:
            return SimpleNamespace(status=error.code, text=error.read(), headers=error.headers)


def test_without_sign_in_only_the_health_checks_are_open(proxy):
    for path in ("/", "/runs", "/api/v1/runs", "/uploads/", "/apidocs/"):
        assert ask(proxy, path).status == 401
    assert ask(proxy, "/healthz").status == 200
    assert ask(proxy, "/_stcore/health").status == 200


def test_user_name_comes_from_the_proxy_and_not_from_the_client(proxy):
    forged = {"X_Remote_User": "root", "X_Rundesk_Secret": SECRET}
    assert ask(proxy, "/api/v1/me", **forged).status == 401
    assert b'"id":"ann"' in ask(proxy, "/api/v1/me", **SIGNED_IN, **forged).text
    bearer = {"Authorization": "Bearer nobody"}
    assert ask(proxy, "/api/v1/me", **bearer, **forged).status == 401
    assert ask(proxy, "/runs", **bearer, **forged).status == 401


def test_program_with_a_token_passes(proxy):
    request = TokenRequest(name="n", owner="ben", scope=Scope.SUBMIT)
    secret = proxy.services.tokens.create(local_actor(), request).secret
    reply = ask(proxy, "/api/v1/me", Authorization=f"Bearer {secret}")
    assert b'"id":"ben"' in reply.text


def test_addresses_in_replies_lead_through_the_proxy(proxy):
    created = ask(proxy, "/api/v1/files?name=a.txt", b"hello", **SIGNED_IN)
    assert created.status == 201
    location = created.headers["Location"]
    assert location.startswith("/desk/api/v1/files/")
    assert ask(proxy, location.removeprefix("/desk") + "/content", **SIGNED_IN).text == b"hello"
    page = ask(proxy, "/apidocs/", **SIGNED_IN).text.decode()
    paths = re.findall(r'(?:src|href)="/desk(/[^"]+)"', page)
    assert len(paths) == 3
    assert [ask(proxy, path, **SIGNED_IN).status for path in paths] == [200, 200, 200]
    announced = {"Tus_Resumable": "1.0.0", "Upload_Length": "5"}
    upload = ask(proxy, "/uploads/", b"", **SIGNED_IN, **announced).headers["Location"]
    assert "/desk/uploads/" in upload
    seen = ask(proxy, upload.partition("/desk")[2], **SIGNED_IN, Tus_Resumable="1.0.0")
    assert (seen.status, seen.headers["Upload-Offset"]) == (200, "0")


def test_large_upload_goes_straight_through(proxy, tmp_path):
    """By default nginx accepts no more than 1 MiB."""
    created = ask(proxy, "/api/v1/files?name=b.bin", bytes(32 * MIB), **SIGNED_IN)
    assert created.status == 201, created.text


def test_events_arrive_while_the_stream_is_open(proxy):
    run = proxy.services.runs.submit(ANN, RunRequest(workflow="demo", example=True))
    request = urllib.request.Request(
        f"{proxy.address}/api/v1/runs/{run.id}/events", headers=SIGNED_IN
    )
    with proxy.opener.open(request, timeout=30) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        until(lambda: b"QUEUED" in stream.readline())
        proxy.services.runs.cancel(ANN, run.id)
        until(lambda: b"CANCELED" in stream.readline())


def test_portal_is_drawn_and_uploads_under_the_sub_path(proxy, chromium):
    """The page needs its websocket, and the uploader the API at the same address."""
    context = chromium.new_context(
        http_credentials={"username": "ann", "password": "pass"}, ignore_https_errors=True
    )
    page = context.new_page()
    refused, checks = [], {}
    page.on(
        "response",
        lambda reply: reply.status >= 400 and reply.status != 401 and refused.append(reply.url),
    )
    page.on(
        "response",
        lambda reply: "health" in reply.url and checks.update({reply.url: reply.status}),
    )
    try:
        page.goto(f"{proxy.address}/files")
        expect(page.get_by_role("heading", name="Files")).to_be_visible(timeout=60_000)
        content = {"name": "seen.txt", "mimeType": "text/plain", "buffer": b"seen"}
        page.locator("input[type=file]").first.set_input_files(content)
        until(
            lambda: proxy.services.files.list(ANN, text="seen").items or page.wait_for_timeout(50)
        )
        (file,) = proxy.services.files.list(ANN, text="seen").items
        assert proxy.services.files.path(ANN, file.id).read_bytes() == b"seen"
        until(lambda: len(checks) == 2 or page.wait_for_timeout(50))
        assert refused == []
        assert checks == {
            f"{proxy.address}/_stcore/health": 200,
            f"{proxy.address}/healthz": 200,
        }
        expect(page.locator(".rundesk-connection")).to_be_empty()
    finally:
        context.close()
