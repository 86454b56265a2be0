"""Sessions: started with a token, limited by its rights and lifetime, and not valid for the API."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from services import single_flight
from services.access import sessions
from services.access.actors import local_actor
from services.errors import NotSignedIn
from services.models import Actor, Scope, TokenRequest
from tests.helpers.api import client_of, open_desk, refused

PROXY = {"X-User": "ben", "X-Rundesk-Secret": "s" * 16}
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory):
    """An installation with sign-in by tokens and by a proxy, and without cached answers."""
    given = {"sign_in_by": "tokens", "rate_sign_in": 0, "admins": ("root",)}
    given |= {"remote_user_header": "X-User", "remote_user_secret": PROXY["X-Rundesk-Secret"]}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(single_flight, "CACHE_SECONDS", 0.0)
        folder = tmp_path_factory.mktemp("desk")
        with open_desk(mongod, folder, **given) as services, MongoClient(mongod) as client:
            yield SimpleNamespace(
                services=services,
                sessions=services.sessions,
                client=client_of(services),
                kept=client[services.settings.database],
            )


def token(desk, scope=Scope.SUBMIT, owner="ann", days=90):
    request = TokenRequest(name="n", owner=owner, scope=scope, days=days)
    return desk.services.tokens.create(local_actor(), request)


def signed_in(desk, **given):
    made = token(desk, **given)
    return made, desk.sessions.begin(made.secret).secret


@pytest.mark.parametrize("scope", Scope)
def test_session_is_its_tokens_user_with_its_scope(desk, scope):
    made, secret = signed_in(desk, scope=scope)
    expected = Actor(id="ann", admin=scope is Scope.ADMIN, token=scope, token_id=made.id)
    assert desk.sessions.actor_of({}, secret) == expected


def test_session_ends_with_its_token_and_after_a_month(desk):
    now = datetime.now(UTC)
    brief, long = token(desk, days=2), token(desk, days=3650)
    assert desk.sessions.begin(brief.secret).expires == brief.expires
    lasts = desk.sessions.begin(long.secret).expires - now
    assert timedelta(days=30) <= lasts < timedelta(days=30, minutes=1)


def test_of_the_secret_only_a_digest_is_kept_and_it_is_not_the_token(desk):
    made, secret = signed_in(desk)
    assert secret not in made.secret
    kept = str(list(desk.kept.sessions.find()))
    assert secret not in kept
    assert made.secret not in kept


def test_sign_out_ends_this_session_alone(desk):
    made, secret = signed_in(desk)
    other = desk.sessions.begin(made.secret).secret
    desk.sessions.end(secret)
    desk.sessions.end(secret)
    with pytest.raises(NotSignedIn, match="signed out"):
        desk.sessions.actor_of({}, secret)
    assert desk.sessions.actor_of({}, other).id == "ann"


def test_revoking_or_expiry_of_the_token_ends_its_sessions(desk):
    made, secret = signed_in(desk)
    desk.services.tokens.revoke(local_actor(), made.id)
    assert not list(desk.kept.sessions.find({"digest": sessions._digest(secret)}))
    with pytest.raises(NotSignedIn):
        desk.sessions.actor_of({}, secret)

    brief, secret = signed_in(desk)
    past = {"$set": {"expires": datetime.now(UTC) - timedelta(seconds=1)}}
    desk.kept.tokens.update_one({"name": "n", "created": brief.created}, past)
    with pytest.raises(NotSignedIn):
        desk.sessions.actor_of({}, secret)
    with pytest.raises(NotSignedIn, match="it expired on"):
        desk.sessions.begin(brief.secret)


def test_expired_session_is_refused_before_it_is_removed(desk):
    _, secret = signed_in(desk)
    past = {"$set": {"expires": datetime.now(UTC) - timedelta(seconds=1)}}
    desk.kept.sessions.update_one({"digest": sessions._digest(secret)}, past)
    with pytest.raises(NotSignedIn):
        desk.sessions.actor_of({}, secret)


@pytest.mark.parametrize("secret", ["", "x", "A" * 43, "\0" * 43, "ä" * 43, "\udcff", "A" * 9999])
def test_actor_of_invalid_secret_is_refused(desk, secret):
    with pytest.raises(NotSignedIn):
        desk.sessions.actor_of({}, secret)


@pytest.mark.parametrize("given", ["", "x", "rdk_", "rdk_" + "A" * 43, "rdk_" + "\0" * 43])
def test_begin_with_invalid_token_stores_no_session(desk, given):
    before = desk.kept.sessions.count_documents({})
    with pytest.raises(NotSignedIn):
        desk.sessions.begin(given)
    assert desk.kept.sessions.count_documents({}) == before


def test_secrets_of_tokens_and_sessions_are_not_interchangeable(desk):
    made, secret = signed_in(desk)
    with pytest.raises(NotSignedIn):
        desk.sessions.actor_of({}, made.secret)
    with pytest.raises(NotSignedIn):
        desk.services.tokens.find(secret)


def test_many_sessions_of_a_token_end_the_oldest(desk, monkeypatch):
    monkeypatch.setattr(sessions, "MAX_SESSIONS_PER_TOKEN", 2)
    made = token(desk)
    first, second, third = (desk.sessions.begin(made.secret).secret for _ in range(3))
    with pytest.raises(NotSignedIn):
        desk.sessions.actor_of({}, first)
    assert {desk.sessions.actor_of({}, one).id for one in (second, third)} == {"ann"}


def test_the_proxy_comes_first_and_only_with_its_secret(desk):
    _, secret = signed_in(desk)
    assert desk.sessions.actor_of(PROXY, secret).id == "ben"
    assert desk.sessions.actor_of({"X-User": "ben"}, secret).id == "ann"


def test_cookie_is_named_after_the_desk(desk):
    assert desk.sessions.cookie.startswith("rundesk-")
    other = SimpleNamespace(public_portal_url="http://127.0.0.1:9999")
    assert sessions.Sessions(other, desk.services.database, None).cookie != desk.sessions.cookie


@pytest.mark.parametrize("address", ["/api/v1/me", "/uploads/x", "/ga4gh/wes/v1/runs"])
def test_session_is_no_sign_in_for_the_api(desk, address):
    _, secret = signed_in(desk, scope=Scope.ADMIN)
    desk.client.set_cookie(desk.sessions.cookie, secret)
    for headers in ({}, {"Authorization": f"Bearer {secret}"}):
        assert desk.client.get(address, headers=headers).status_code == 401
    desk.client.delete_cookie(desk.sessions.cookie)


def link(desk, actor, path):
    parts = urlsplit(desk.services.links.make(actor, path))
    return f"{parts.path}?{parts.query}"


def test_link_allows_what_the_token_of_the_session_does(desk):
    """Also for a user with more rights than the token."""
    for owner in ("ann", "root"):
        _, secret = signed_in(desk, scope=Scope.READ, owner=owner)
        address = link(desk, desk.sessions.actor_of({}, secret), "/uploads/")
        refused(desk.client.post(address, headers=TUS), 403, 40300)
        for changed in (f"token={token(desk, owner=owner).id}&", "token=&", ""):
            wider = re.sub("token=[0-9a-f]+&", changed, address)
            refused(desk.client.post(wider, headers=TUS), 401, 40100)
    _, secret = signed_in(desk, scope=Scope.SUBMIT)
    actor = desk.sessions.actor_of({}, secret)
    assert desk.client.post(link(desk, actor, "/uploads/"), headers=TUS).status_code == 201
    got = desk.client.get(link(desk, actor, "/api/v1/me")).get_json()["data"]
    assert got == {"id": "ann", "admin": False, "token": "submit"}
    _, secret = signed_in(desk, scope=Scope.ADMIN)
    got = desk.client.get(link(desk, desk.sessions.actor_of({}, secret), "/api/v1/me"))
    assert got.get_json()["data"]["admin"] is True


def test_link_ends_with_the_token_of_the_session(desk):
    made, secret = signed_in(desk)
    address = link(desk, desk.sessions.actor_of({}, secret), "/api/v1/me")
    assert desk.client.get(address).status_code == 200
    desk.services.tokens.revoke(local_actor(), made.id)
    refused(desk.client.get(address), 401, 40100)
