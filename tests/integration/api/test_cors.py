"""CORS and rate limits."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from routes.http.cors import REQUEST_HEADERS
from services.access.actors import local_actor
from services.errors import Misconfigured
from services.models import Scope, TokenRequest
from services.settings import Settings
from tests.helpers.api import client_of, open_desk, refused

APP = "https://app.example.org"
EVIL = "https://evil.example"
PORTAL = "http://127.0.0.1:8501"
DOORS = ["/api/v1/runs", "/uploads/", "/ga4gh/wes/v1/runs", "/Blast.cgi", "/api/v1/nothing"]


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory):
    with open_desk(
        mongod,
        tmp_path_factory.mktemp("desk"),
        cors_origins=(APP, "http://localhost:3000"),
        rate_sign_in=3,
        rate_submit=2,
        rate_uploads=2,
    ) as services:
        yield SimpleNamespace(services=services)


@pytest.fixture
def client(desk):
    """Of an app of its own, whose rate limits are unused."""
    return client_of(desk.services)


def ask(client, address, origin, method="OPTIONS", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.open(address, method=method, headers={"Origin": origin, **named})


def words(reply, name):
    return {word.strip() for word in reply.headers.get(name, "").split(",")}


@pytest.mark.parametrize("address", DOORS[:-1])
def test_preflight_of_a_listed_origin_has_methods_and_headers(client, address):
    reply = ask(
        client,
        address,
        APP,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,content-type",
    )
    assert reply.status_code == 200
    assert reply.headers["Access-Control-Allow-Origin"] == APP
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    assert {"POST", "PUT", "PATCH", "DELETE"} <= words(reply, "Access-Control-Allow-Methods")
    sent = {"Authorization", "Content-Type", "If-None-Match", "Upload-Offset", "Last-Event-ID"}
    assert sent <= words(reply, "Access-Control-Allow-Headers")
    assert "Origin" in words(reply, "Vary")


@pytest.mark.parametrize("address", DOORS[:-1])
def test_preflight_of_a_listed_origin_allows_the_headers_it_asks_for(client, address):
    asked = "authorization,cache-control, traceparent,x-requested-with"
    reply = ask(client, address, APP, Access_Control_Request_Headers=asked)
    allowed = words(reply, "Access-Control-Allow-Headers")
    assert {"cache-control", "traceparent", "x-requested-with", "Authorization"} <= allowed
    assert "authorization" not in allowed
    assert "Access-Control-Request-Headers" in reply.headers.getlist("Vary")


@pytest.mark.parametrize("asked", ["*;q=1", "x y", "x" * 3000, "é", "a:b", ""])
def test_preflight_with_invalid_header_names_allows_the_usual_ones(client, asked):
    reply = ask(client, "/api/v1/runs", APP, Access_Control_Request_Headers=asked)
    assert reply.headers["Access-Control-Allow-Headers"] == REQUEST_HEADERS


def test_preflight_of_the_own_origin_does_not_allow_further_headers(client):
    asked = {"Access_Control_Request_Headers": "x-other"}
    reply = ask(client, "/uploads/", "http://localhost:8501", **asked)
    assert reply.headers["Access-Control-Allow-Headers"] == REQUEST_HEADERS


@pytest.mark.parametrize("address", DOORS)
def test_page_of_a_listed_origin_may_read_responses_and_errors(client, address):
    reply = ask(client, address, APP, "GET")
    assert reply.headers["Access-Control-Allow-Origin"] == APP
    shown = words(reply, "Access-Control-Expose-Headers")
    assert {"ETag", "Location", "X-Request-Id", "Retry-After", "Upload-Offset"} <= shown
    assert "Origin" in words(reply, "Vary")


@pytest.mark.parametrize(
    "origin", [EVIL, "null", "", f"{APP}:444", f"{APP}.evil.example", "http://app.example.org", "*"]
)
@pytest.mark.parametrize("address", DOORS)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_page_of_another_origin_may_not_read_responses(client, method, address, origin):
    reply = ask(client, address, origin, method, Access_Control_Request_Method="POST")
    assert not [name for name in reply.headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118
    assert "Origin" in words(reply, "Vary")


def test_page_of_the_portal_may_ask_whether_the_api_responds(client):
    reply = ask(client, "/healthz", PORTAL, Access_Control_Request_Method="OPTIONS")
    assert reply.status_code == 200
    assert reply.headers["Access-Control-Allow-Origin"] == PORTAL
    assert "OPTIONS" in words(reply, "Access-Control-Allow-Methods")
    assert "Access-Control-Allow-Credentials" not in reply.headers
    refused = ask(client, "/healthz", EVIL, Access_Control_Request_Method="OPTIONS")
    assert "Access-Control-Allow-Origin" not in refused.headers


def test_only_a_listed_origin_may_make_changes(client):
    address = f"/api/v1/files/{'0' * 24}"
    refused(ask(client, address, APP, "DELETE", Sec_Fetch_Site="cross-site"), 404, 40400)
    refused(ask(client, address, EVIL, "DELETE"), 403, 40302)
    put = "/Blast.cgi?CMD=Delete&RID=" + "0" * 24
    assert ask(client, put, APP, "GET", Sec_Fetch_Site="cross-site").status_code == 404
    assert ask(client, put, EVIL, "GET", Sec_Fetch_Site="cross-site").status_code == 403


@pytest.mark.parametrize(
    "origin", ["*", "null", "app.example.org", f"{APP}/", f"{APP}/x", "ftp://x", "https://*.x.org"]
)
def test_invalid_origin_is_misconfigured(origin):
    with pytest.raises(Misconfigured, match="RUNDESK_CORS_ORIGINS"):
        Settings.load({"RUNDESK_CORS_ORIGINS": origin})


# ---- rate limits ------------------------------------------------------------------------------


def waits(reply):
    """Return the seconds of Retry-After; checks the response."""
    refused(reply, 429, 42900)
    return int(reply.headers["Retry-After"])


def test_submissions_of_a_user_are_limited(desk, client):
    def submit(**headers):
        body = json.dumps({"workflow": "demo", "example": True})
        sent = {"data": body, "content_type": "application/json", "headers": headers}
        return client.post("/api/v1/runs", **sent)

    assert [submit().status_code for _ in range(2)] == [201, 201]
    before = sum(desk.services.runs.counts(local_actor()).values())
    assert 1 <= waits(submit()) <= 60
    assert client.get("/Blast.cgi?CMD=Put").status_code == 429
    reply = client.post("/ga4gh/wes/v1/runs", data={"workflow_url": "demo"})
    assert reply.get_json()["status_code"] == 429
    assert int(reply.headers["Retry-After"]) >= 1
    assert sum(desk.services.runs.counts(local_actor()).values()) == before
    request = TokenRequest(name="n", owner="ann", scope=Scope.SUBMIT)
    made = desk.services.tokens.create(local_actor(), request)
    assert submit(Authorization=f"Bearer {made.secret}").status_code == 201  # limits are per user
    assert client.get("/api/v1/runs").status_code == 200


def test_uploads_of_a_user_are_limited_but_not_their_pieces(client):
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "3"}
    upload = client.post("/uploads/", headers=tus).headers["Location"]
    assert client.post("/api/v1/files?name=a.fa", data=b"ACGT").status_code == 201
    waits(client.post("/api/v1/files?name=b.fa", data=b"ACGT"))
    waits(client.post("/uploads/", headers=tus))
    for offset in range(3):
        piece = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset)}
        kind = "application/offset+octet-stream"
        reply = client.patch(upload, data=b"A", headers=piece, content_type=kind)
        assert reply.status_code == 204


def test_invalid_tokens_are_limited_and_valid_ones_keep_working(desk, client):
    def me(secret):
        return client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})

    for _ in range(3):
        refused(me("rdk_" + "A" * 43), 401, 40100)
    waits(me("rdk_" + "B" * 43))
    blast = client.get("/Blast.cgi?CMD=Get", headers={"Authorization": "Bearer x"})
    assert blast.status_code == 429
    assert int(blast.headers["Retry-After"]) >= 1
    made = desk.services.tokens.create(local_actor(), TokenRequest(name="n"))
    assert me(made.secret).status_code == 200
    assert client.get("/api/v1/me").status_code == 200
