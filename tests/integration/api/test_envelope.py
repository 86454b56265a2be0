"""Common to every route: envelope, errors, hosts, origins, sign-in, headers."""

from __future__ import annotations

import dataclasses
import gzip
import io
from types import SimpleNamespace

import pytest

from services.bootstrap import build
from services.models import Actor
from services.settings import Settings
from tests.helpers.api import client_of, codes, open_desk, refused

SECRET = "s" * 16


@pytest.fixture(scope="module")
def signed_in(mongod, tmp_path_factory):
    """Services and app behind a signing-in proxy."""
    with open_desk(
        mongod,
        tmp_path_factory.mktemp("signed_in"),
        remote_user_header="X-User",
        remote_user_secret=SECRET,
        api_url="https://desk.example.org/api-of-desk",
    ) as services:
        yield SimpleNamespace(client=client_of(services), services=services)


def as_user(name, **more):
    return {"X-User": name, "X-Rundesk-Secret": SECRET, **more}


def test_health_is_the_plain_envelope(client):
    reply = client.get("/healthz")
    body = reply.get_json()
    assert reply.status_code == 200
    assert list(body) == ["errCode", "data", "msg"]
    assert (body["errCode"], body["msg"]) == (0, "")
    assert body["data"] == {"status": "ok", "database": "ok", "version": body["data"]["version"]}


FAILURES = [
    # method, path, request, status, number
    ("GET", "/nothing", {}, 404, 40401),
    ("GET", "/api/v1/runs/", {}, 404, 40401),
    ("GET", "/api/v1//runs", {}, 404, 40401),
    ("GET", "/apidocs/static/../../../etc/passwd", {}, 404, 40401),
    ("GET", "/api/v1/runs/not-an-id", {}, 404, 40400),
    ("GET", f"/api/v1/runs/{'0' * 24}", {}, 404, 40400),
    ("GET", f"/api/v1/files/{'0' * 24}/content", {}, 404, 40400),
    ("GET", f"/api/v1/runs/{'0' * 24}/results/../../etc/passwd", {}, 404, 40400),
    ("GET", f"/api/v1/runs/{'0' * 24}/results/%2fetc/passwd", {}, 404, None),
    ("GET", f"/api/v1/runs/{'0' * 24}/jobs/1-1/log", {}, 404, 40400),
    ("GET", f"/api/v1/runs/{'0' * 24}/jobs/x/log", {}, 404, 40400),
    ("GET", "/api/v1/workflows/UPPER", {}, 404, 40400),
    ("GET", "/api/v1/workflows/none", {}, 404, 40400),
    ("DELETE", f"/api/v1/files/{'0' * 24}", {}, 404, 40400),
    ("POST", f"/api/v1/runs/{'0' * 24}/cancel", {}, 404, 40400),
    ("PUT", "/api/v1/runs", {}, 405, 40500),
    ("DELETE", "/healthz", {}, 405, 40500),
    ("TRACE", "/api/v1/runs", {}, 405, 40500),
    ("POST", "/api/v1/runs", {"data": "x", "content_type": "text/plain"}, 415, 41500),
    ("POST", "/api/v1/runs", {"data": "{"}, 400, 40002),
    ("POST", "/api/v1/runs", {"data": "[" * 100_000}, 400, None),
    ("POST", "/api/v1/runs", {"data": " " * (2**20 + 1)}, 413, 41300),
    ("GET", "/api/v1/runs?limit=0", {}, 400, 40001),
    ("GET", "/api/v1/runs?after=x", {}, 400, 40001),
    ("GET", "/healthz?a=1", {}, 400, 40001),
]


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, identity"])
@pytest.mark.parametrize(
    ("method", "address", "kind"),
    [
        ("POST", "/api/v1/runs", "application/json"),
        ("POST", "/api/v1/files?name=a.txt", "application/octet-stream"),
        ("POST", "/api/v1/sheets/parse?workflow=demo&parameter=reads", "text/csv"),
    ],
)
def test_compressed_body_is_refused_by_its_coding(client, method, address, kind, coding):
    headers = {"Content-Encoding": coding, "Content-Type": kind}
    reply = client.open(address, method=method, headers=headers, data=gzip.compress(b"{}"))
    field, message = "header.Content-Encoding", "The body must not be compressed"
    assert refused(reply, 415, 41500)[field] == (
        f"{message}: Content-Encoding is {coding.lower()}.",
        "Send the body without Content-Encoding.",
    )
    assert codes(reply) == {field: "wrong_content_type"}


def test_body_with_the_coding_identity_is_read(client):
    headers = {"Content-Encoding": "identity", "Content-Type": "application/json"}
    refused(client.post("/api/v1/runs", headers=headers, data=b"{"), 400, 40002)


@pytest.mark.parametrize(("method", "address", "sent", "status", "number"), FAILURES)
def test_failure_is_one_envelope(client, method, address, sent, status, number):
    sent = {"content_type": "application/json", **sent} if "data" in sent else sent
    reply = client.open(address, method=method, **sent)
    refused(reply, status, number)
    assert reply.mimetype == "application/json"
    if status == 405:
        assert "GET" in reply.headers["Allow"]


MALFORMED = [
    ("/api/v1/runs/x", "run_id", "Run not found.", "A run id has 24 hexadecimal characters."),
    ("/api/v1/files/x", "file_id", "File not found.", "A file id has 24 hexadecimal characters."),
    (
        "/api/v1/imports/x",
        "import_id",
        "Import not found.",
        "An import id has 24 hexadecimal characters.",
    ),
    ("/uploads/x", "upload_id", "Upload not found.", "An upload id has 32 hexadecimal characters."),
    (
        f"/api/v1/runs/{'0' * 24}/jobs/x/log",
        "job_id",
        "Job not found.",
        "A job id is an attempt and a job number, such as 1-7.",
    ),
    (
        "/api/v1/workflows/UPPER",
        "name",
        "Workflow not found.",
        "A workflow name has 1 to 64 characters: lowercase letters, digits, dots, underscores and"
        " hyphens. It starts with a letter or digit.",
    ),
]


@pytest.mark.parametrize(("address", "name", "message", "hint"), MALFORMED)
def test_malformed_id_is_404_with_its_format(client, address, name, message, hint):
    reply = client.get(address)
    assert refused(reply, 404, 40400) == {f"path.{name}": (message, hint)}
    assert codes(reply) == {f"path.{name}": "not_found"}
    assert reply.get_json()["msg"] == message


def test_error_without_a_field_has_a_code(client):
    reply = client.get(f"/api/v1/runs/{'0' * 24}")
    refused(reply, 404, 40400)
    assert codes(reply) == {"": "not_found"}


def test_unexpected_error_is_500_without_details(services, caplog):
    class Broken:
        def list(self, actor):
            raise RuntimeError("the secret is swordfish")

    client = client_of(dataclasses.replace(services, workflows=Broken()))
    reply = client.get("/api/v1/workflows")
    assert refused(reply, 500, 50000) == {}
    assert "swordfish" not in reply.text
    assert "the secret is swordfish" in caplog.text


def test_database_that_does_not_respond_is_503_everywhere(tmp_path):
    away = Settings(data=tmp_path, mongodb_uri="mongodb://127.0.0.1:1/?replicaSet=x")
    built = build(away, patience=0.3)
    client = client_of(built)
    for address in ("/healthz", "/api/v1/runs", f"/api/v1/files/{'0' * 24}"):
        reply = client.get(address)
        refused(reply, 503, 50300)
        assert codes(reply) == {"": "database_unavailable"}
        assert int(reply.headers["Retry-After"]) >= 1
    assert client.options("/healthz").status_code == 200  # the API itself responds
    upload = client.post("/api/v1/files?name=a.fa", data=b"ACGT")
    refused(upload, 503, 50300)
    kept = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["lock"]
    built.close()


# ---- hosts and origins ------------------------------------------------------------------------

OWN_HOSTS = ["localhost", "127.0.0.1:1234", "LOCALHOST:80", "[::1]:8000", "[::1]"]
FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
    "evil@127.0.0.1",
    "127.0.0.2",
    "0.0.0.0",
    "[::2]",
    "localhost:x",
    "localhost/evil",
    "",
]


@pytest.mark.parametrize("host", OWN_HOSTS)
def test_own_host_is_accepted(client, host):
    assert client.get("/api/v1/workflows", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_foreign_host_is_403(client, host):
    for address in ("/api/v1/workflows", "/apidocs/", "/nothing"):
        reply = client.get(address, headers={"Host": host})
        refused(reply, 403, 40301)
        assert codes(reply) == {"header.Host": "foreign_host"}


def cancel(client, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/api/v1/runs/{'0' * 24}/cancel", headers=named)


def test_own_origin_or_none_is_accepted(client):
    ports = (Settings.portal_port, Settings.api_port)
    own = [f"http://{name}:{port}" for name in ("localhost", "127.0.0.1") for port in ports]
    for origin in own:
        refused(cancel(client, Origin=origin), 404)
        # a page at localhost that calls 127.0.0.1 is "cross-site" for a browser
        refused(cancel(client, Origin=origin, Sec_Fetch_Site="cross-site"), 404)
    refused(cancel(client), 404)
    refused(cancel(client, Sec_Fetch_Site="same-origin"), 404)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost", "http://localhost:1", "null", "", "file://", "x"],
)
def test_origin_of_another_site_is_403_for_changes_only(client, origin):
    reply = cancel(client, Origin=origin)
    refused(reply, 403, 40302)
    assert codes(reply) == {"header.Origin": "foreign_origin"}
    assert client.get("/api/v1/runs", headers={"Origin": origin}).status_code == 200


def test_cross_site_change_without_origin_is_403(client):
    refused(cancel(client, Sec_Fetch_Site="cross-site"), 403, 40302)


def test_configured_address_is_a_host_and_an_origin(signed_in):
    user = as_user("ann", Host="desk.example.org")
    assert signed_in.client.get("/api/v1/runs", headers=user).status_code == 200
    origin = {"Origin": "https://desk.example.org"}
    refused(signed_in.client.delete(f"/api/v1/files/{'0' * 24}", headers={**user, **origin}), 404)
    origin = {"Origin": "https://desk.example.org:444"}
    refused(signed_in.client.delete(f"/api/v1/files/{'0' * 24}", headers={**user, **origin}), 403)


# ---- sign-in ----------------------------------------------------------------------------------


def test_sign_in_is_checked_before_everything_else(signed_in):
    for sent in (
        {},
        {"headers": {"X-User": "ann"}},
        {"headers": as_user("ann", **{"X-Rundesk-Secret": "wrong"})},
        {"query_string": "limit=0"},
    ):
        refused(signed_in.client.get("/api/v1/runs", **sent), 401, 40100)
    assert signed_in.client.get("/healthz").status_code == 200
    assert signed_in.client.get("/apidocs/openapi.json").status_code == 200


def test_resource_of_another_user_is_404(signed_in):
    def put(user, method, address, **sent):
        return signed_in.client.open(address, method=method, headers=as_user(user), **sent)

    file = put("ann", "POST", "/api/v1/files?name=a.fa", data=b"ACGT").get_json()["data"]
    address = f"/api/v1/files/{file['id']}"
    assert put("ann", "GET", address).get_json()["data"] == file
    for method, place in (("GET", address), ("GET", f"{address}/content"), ("DELETE", address)):
        refused(put("ben", method, place), 404, 40400)
    assert put("ben", "GET", "/api/v1/files").get_json()["data"]["items"] == []


def test_signed_link_is_valid_for_reading_one_url(signed_in):
    ann, links = Actor(id="ann"), signed_in.services.links
    file = signed_in.services.files.register(ann, "a b.fa", io.BytesIO(b"A"))
    path = f"/api/v1/files/{file.id}/content"
    query = links.make(ann, path).partition("?")[2]
    client = signed_in.client
    assert client.get(f"{path}?{query}").data == b"A"
    refused(client.get(f"{path}?{query}&limit=1"), 400)
    refused(client.get(f"/api/v1/files/{file.id}?{query}"), 401, 40100)
    refused(client.get(f"{path}?{query.replace('ann', 'ben')}"), 401, 40100)
    refused(client.delete(f"/api/v1/files/{file.id}?{query}"), 401, 40100)
    late = links.make(ann, path, seconds=-1).partition("?")[2]
    refused(client.get(f"{path}?{late}"), 401, 40100)


def test_every_reply_has_its_headers(client):
    seen = set()
    for address in ("/healthz", "/nothing", f"/api/v1/runs/{'0' * 24}"):
        headers = client.get(address).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        seen.add(headers["X-Request-Id"])
    assert len(seen) == 3
