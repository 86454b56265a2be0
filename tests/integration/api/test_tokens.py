"""Tokens: created, shown once, used, expired, revoked; the permissions of each scope."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from pymongo import MongoClient

from cli import main
from services.access.actors import local_actor
from services.errors import Misconfigured
from services.models import Actor, Scope, TokenRequest
from services.settings import Settings
from tests.helpers.api import client_of, open_desk, refused
from tests.helpers.desk import environment
from tests.helpers.waiting import until

SECRET = "s" * 16
NOBODYS = "rdk_" + "A" * 43


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory):
    """Services that require a token or a signing-in proxy."""
    with open_desk(
        mongod,
        tmp_path_factory.mktemp("desk"),
        sign_in_by="tokens",
        rate_sign_in=0,
        remote_user_header="X-User",
        remote_user_secret=SECRET,
        admins=("root",),
    ) as services:
        yield SimpleNamespace(services=services, client=client_of(services))


@pytest.fixture(scope="module")
def made(desk):
    """A secret of ann for each scope."""
    return {
        scope: desk.services.tokens.create(
            local_actor(), TokenRequest(name=f"ann's {scope}", owner="ann", scope=scope)
        ).secret
        for scope in Scope
    }


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def basic(secret, user="whoever"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def as_user(name):
    return {"X-User": name, "X-Rundesk-Secret": SECRET}


def make(desk, headers, **body):
    return desk.client.post("/api/v1/tokens", json={"name": "n", **body}, headers=headers)


def test_token_identifies_its_owner_as_bearer_and_as_basic(desk, made):
    expected = {"id": "ann", "admin": False, "token": "submit"}
    for headers in (bearer(made[Scope.SUBMIT]), basic(made[Scope.SUBMIT])):
        assert desk.client.get("/api/v1/me", headers=headers).get_json()["data"] == expected
    admin = desk.client.get("/api/v1/me", headers=bearer(made[Scope.ADMIN])).get_json()["data"]
    assert admin == {"id": "ann", "admin": True, "token": "admin"}


WRONG = {
    "nothing": {},
    "nobody's": bearer(NOBODYS),
    "nobody's as Basic": basic(NOBODYS),
    "no token": bearer("x"),
    "empty": bearer(""),
    "only a kind": {"Authorization": "Bearer"},
    "another kind": {"Authorization": "Digest username=ann"},
    "no Base64": {"Authorization": "Basic !!"},
    "no colon": {"Authorization": "Basic " + base64.b64encode(b"ann").decode()},
    "NUL": {"Authorization": "Basic " + base64.b64encode(b"ann:\0" + b"x" * 50).decode()},
    "an empty secret of a proxy": {"X-User": "ann", "X-Rundesk-Secret": ""},
}


DOORS = ["/api/v1/me", "/uploads/x", "/ga4gh/wes/v1/runs", "/Blast.cgi"]


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(
    "address", ["/api/v1/me", "/uploads/x", "/ga4gh/wes/v1/runs", "/Blast.cgi"]
)
def test_request_without_a_valid_token_is_401(desk, headers, address):
    reply = desk.client.get(address, headers=headers)
    assert reply.status_code == 401, reply.text
    kinds = [value.partition(" ")[0] for value in reply.headers.getlist("WWW-Authenticate")]
    assert kinds == ["Bearer", "Basic"]


def test_invalid_token_does_not_fall_back_to_the_local_user(mongod, tmp_path_factory):
    with open_desk(mongod, tmp_path_factory.mktemp("local")) as services:
        client = client_of(services)
        assert client.get("/api/v1/me").get_json()["data"]["id"] == "local"
        for headers in (bearer(NOBODYS), basic("x"), {"Authorization": "Digest x"}):
            refused(client.get("/api/v1/me", headers=headers), 401, 40100)
        made = services.tokens.create(local_actor(), TokenRequest(name="n", owner="ben"))
        got = client.get("/api/v1/me", headers=bearer(made.secret)).get_json()["data"]
        assert got == {"id": "ben", "admin": False, "token": "read"}


def test_scripts_and_expired_links_are_offered_only_bearer(desk):
    by_script = {"Sec-Fetch-Mode": "cors"}
    expired = "/api/v1/me?actor=ann&expires=1&signature=x"
    for reply in (
        desk.client.get("/api/v1/me", headers=by_script),
        desk.client.get(expired),
    ):
        assert refused(reply, 401, 40100) is not None
        assert reply.headers.getlist("WWW-Authenticate") == ['Bearer realm="rundesk"']


def test_credentials_for_the_proxy_are_ignored(desk, made):
    theirs = {**as_user("ben"), **basic("password of the proxy", "ben")}
    assert desk.client.get("/api/v1/me", headers=theirs).get_json()["data"]["id"] == "ben"
    ours = {**as_user("ben"), **bearer(made[Scope.READ])}
    assert desk.client.get("/api/v1/me", headers=ours).get_json()["data"]["id"] == "ann"


def test_token_is_stored_as_a_digest_and_shown_once(desk):
    reply = make(desk, as_user("ann"), scope="submit", days=30)
    token = reply.get_json()["data"]
    assert (reply.status_code, token["owner"], token["scope"]) == (201, "ann", "submit")
    lasts = datetime.fromisoformat(token["expires"]) - datetime.fromisoformat(token["created"])
    assert lasts == timedelta(days=30)
    settings = desk.services.settings
    with MongoClient(settings.uri) as client:
        kept = list(client[settings.database].tokens.find())
    assert token["secret"].removeprefix("rdk_") not in str(kept)
    listed = desk.client.get("/api/v1/tokens", headers=as_user("ann")).get_json()["data"]
    assert token["id"] in [one["id"] for one in listed]
    assert not any("secret" in one for one in listed)


def test_revoked_or_expired_token_is_invalid(desk):
    token = make(desk, as_user("ann")).get_json()["data"]
    headers = bearer(token["secret"])
    assert desk.client.get("/api/v1/me", headers=headers).status_code == 200
    address = f"/api/v1/tokens/{token['id']}"
    refused(desk.client.delete(address, headers=as_user("ben")), 404, 40400)
    assert desk.client.delete(address, headers=as_user("ann")).status_code == 200
    refused(desk.client.get("/api/v1/me", headers=headers), 401, 40100)
    refused(desk.client.delete(address, headers=as_user("ann")), 404, 40400)

    brief = make(desk, as_user("ann"), name="brief").get_json()["data"]
    settings = desk.services.settings
    with MongoClient(settings.uri) as client:
        past = {"$set": {"expires": datetime.now(UTC) - timedelta(seconds=1)}}
        client[settings.database].tokens.update_one({"name": "brief"}, past)
    refused(desk.client.get("/api/v1/me", headers=bearer(brief["secret"])), 401, 40100)


def test_last_use_is_recorded(desk):
    token = make(desk, as_user("ann"), name="used").get_json()["data"]
    assert token["used"] is None
    assert desk.client.get("/api/v1/me", headers=bearer(token["secret"])).status_code == 200
    (listed,) = (one for one in desk.services.tokens.list(Actor(id="ann")) if one.name == "used")
    assert listed.used is not None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "root"}, "scope"),
        ({"days": 0}, "days"),
        ({"days": "1"}, "days"),
        ({"days": 3651}, "days"),
        ({"name": ""}, "name"),
        ({"owner": ""}, "owner"),
        ({"owner": "a\n"}, "owner"),
        ({"owner": {"$ne": ""}}, "owner"),
        ({"secret": NOBODYS}, "secret"),
    ],
)
def test_invalid_token_request_creates_nothing(desk, body, field):
    before = len(desk.services.tokens.list(local_actor()))
    assert field in refused(make(desk, as_user("root"), **body), 400, 40001)
    assert len(desk.services.tokens.list(local_actor())) == before


def test_only_administrators_create_tokens_for_others(desk, made):
    assert make(desk, as_user("root"), owner="ben", scope="admin").status_code == 201
    assert make(desk, bearer(made[Scope.ADMIN]), owner="ben").status_code == 201
    assert "scope" in refused(make(desk, as_user("ann"), scope="admin"), 403, 40300)
    assert "owner" in refused(make(desk, as_user("ann"), owner="ben"), 403, 40300)
    for scope in (Scope.READ, Scope.SUBMIT):
        refused(make(desk, bearer(made[scope])), 403, 40300)
        some = desk.services.tokens.list(Actor(id="ann"))[0]
        reply = desk.client.delete(f"/api/v1/tokens/{some.id}", headers=bearer(made[scope]))
        refused(reply, 403, 40300)


def test_number_of_tokens_of_an_owner_is_limited(desk, monkeypatch):
    monkeypatch.setattr("services.access.tokens.MAX_TOKENS_PER_OWNER", 2)
    for _ in range(2):
        assert make(desk, as_user("cat")).status_code == 201
    refused(make(desk, as_user("cat")), 409, 40900)


TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}
FORM = "multipart/form-data; boundary=B"
WES = b"".join(
    f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for name, value in {
        "workflow_url": "demo",
        "workflow_type": "SMK",
        "workflow_type_version": "9",
        "workflow_params": "{}",
    }.items()
)
CHANGES = {
    "submit": ("POST", "/api/v1/runs", {"json": {"workflow": "demo", "example": True}}),
    "file": ("POST", "/api/v1/files?name=a.fa", {"data": b"ACGT"}),
    "upload": ("POST", "/uploads/", {"headers": TUS}),
    "blast": ("GET", "/Blast.cgi?CMD=Put&DATABASE=x&QUERY=MKV", {}),
    "wes": ("POST", "/ga4gh/wes/v1/runs", {"data": WES + b"--B--\r\n", "content_type": FORM}),
}


@pytest.mark.parametrize(("method", "address", "sent"), CHANGES.values(), ids=CHANGES)
def test_read_only_token_changes_nothing_anywhere(desk, made, method, address, sent):
    def ask(scope):
        headers = {**sent.get("headers", {}), **bearer(made[scope])}
        return desk.client.open(address, method=method, **{**sent, "headers": headers})

    reply = ask(Scope.READ)
    assert reply.status_code in (400, 403), reply.text
    if address.startswith(("/api", "/uploads")):
        refused(reply, 403, 40300)
        assert ask(Scope.SUBMIT).status_code == 201


def test_read_only_token_reads_own_run_but_does_not_change_it(desk, made):
    body = {"workflow": "demo", "example": True}
    run = desk.client.post("/api/v1/runs", json=body, headers=bearer(made[Scope.SUBMIT]))
    address = run.headers["Location"]
    look = bearer(made[Scope.READ])
    assert desk.client.get(address, headers=look).status_code == 200
    for method, place in (
        ("POST", f"{address}/cancel"),
        ("POST", f"{address}/resume"),
        ("PATCH", address),
        ("DELETE", address),
    ):
        sent = {"json": {"name": "x"}} if method == "PATCH" else {}
        refused(desk.client.open(place, method=method, headers=look, **sent), 403, 40300)
    assert desk.client.get(address, headers=look).get_json()["data"]["state"] == "QUEUED"


# ---- settings and command ---------------------------------------------------------------------


def test_server_that_requires_tokens_may_bind_any_address():
    given = {"RUNDESK_HOST": "0.0.0.0", "RUNDESK_SIGN_IN": "tokens"}
    assert Settings.load(given).sign_in
    with pytest.raises(Misconfigured, match="RUNDESK_SIGN_IN"):
        Settings.load({"RUNDESK_SIGN_IN": "yes"})
    with pytest.raises(Misconfigured, match="loopback"):
        Settings.load({"RUNDESK_HOST": "0.0.0.0"})


def test_command_creates_lists_and_revokes(desk):
    def run(*words):
        done = CliRunner().invoke(main, ["tokens", *words], env=environment(desk.services.settings))
        assert done.exit_code == 0, done.output
        return done.stdout

    secret = run("create", "from the shell", "--user", "dan", "--scope", "submit").strip()
    got = desk.client.get("/api/v1/me", headers=bearer(secret)).get_json()["data"]
    assert got == {"id": "dan", "admin": False, "token": "submit"}
    (line,) = (line for line in run("list").splitlines() if "'from the shell'" in line)
    assert secret not in line
    run("revoke", line.split()[0])
    until(lambda: desk.client.get("/api/v1/me", headers=bearer(secret)).status_code == 401)


def test_command_says_what_the_secret_is_for(desk):
    settings = desk.services.settings
    for one, page in ((settings, True), (replace(settings, sign_in_by=""), False)):
        env = environment(one)
        done = CliRunner().invoke(main, ["tokens", "create", "n", "--user", "dan"], env=env)
        assert f"to {settings.public_api_url}/api/v1/" in done.stderr
        assert (f"Sign in at {settings.public_portal_url}/sign-in" in done.stderr) == page
        assert done.stdout.startswith("rdk_")


def test_command_says_what_is_wrong(desk):
    env = environment(desk.services.settings)
    unknown = CliRunner().invoke(main, ["tokens", "revoke", "x"], env=env)
    assert (unknown.exit_code, unknown.stderr) == (1, "Error: Token not found.\n")
    assert CliRunner().invoke(main, ["tokens", "create", ""], env=env).exit_code == 2
