"""Drafts over HTTP: saved, read, discarded; limits; other users and origins."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from services.access.actors import local_actor
from services.models import Scope, TokenRequest
from tests.helpers.api import client_of, open_desk, refused

ADDRESS = "/api/v1/drafts/demo"
APP = "https://app.example.org"
DIGEST = "a" * 64
CONTENT = {"params": {"$where": "1", "a.b": [1, 2.5, None, "αβ"]}, "name": "Heat shock"}


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory):
    with open_desk(
        mongod,
        tmp_path_factory.mktemp("desk"),
        sign_in_by="tokens",
        rate_sign_in=0,
        cors_origins=(APP,),
    ) as services:

        def token(owner, scope):
            request = TokenRequest(name="n", owner=owner, scope=scope)
            created = services.tokens.create(local_actor(), request)
            return {"Authorization": f"Bearer {created.secret}"}

        yield SimpleNamespace(
            client=client_of(services),
            ann=token("ann", Scope.SUBMIT),
            reader=token("ann", Scope.READ),
            ben=token("ben", Scope.SUBMIT),
            admin=token("root", Scope.ADMIN),
        )


def save(desk, content=CONTENT, digest=DIGEST, who="ann", address=ADDRESS):
    body = {"content": content, "digest": digest}
    return desk.client.put(address, json=body, headers=getattr(desk, who))


def get(desk, who="ann", **headers):
    return desk.client.get(ADDRESS, headers={**getattr(desk, who), **headers})


def discard(desk, who="ann"):
    return desk.client.delete(ADDRESS, headers=getattr(desk, who))


def test_saved_draft_is_returned_until_it_is_discarded(desk):
    saved = save(desk)
    draft = saved.get_json()["data"]
    assert saved.status_code == 200
    assert list(draft) == ["workflow", "digest", "content", "saved"]
    assert (draft["workflow"], draft["digest"], draft["content"]) == ("demo", DIGEST, CONTENT)
    assert get(desk).get_json()["data"] == draft
    again = save(desk, content={})
    assert (again.status_code, get(desk).get_json()["data"]["content"]) == (200, {})
    for _ in range(2):
        gone = discard(desk)
        assert (gone.status_code, gone.get_json()["data"]) == (200, None)
    refused(get(desk), 404, 40400)
    assert get(desk).get_json()["msg"] == "There is no draft for this workflow."


def test_draft_that_has_not_changed_is_304(desk):
    save(desk)
    tag = get(desk).headers["ETag"]
    save(desk)
    assert get(desk, **{"If-None-Match": tag}).status_code == 304
    save(desk, content={"changed": True})
    assert get(desk, **{"If-None-Match": tag}).status_code == 200


def test_draft_is_found_by_its_owner_only(desk):
    draft = save(desk).get_json()["data"]
    for who in ("ben", "admin", "reader"):
        refused(get(desk, who), 404, 40400)
    for who in ("ben", "admin"):
        assert save(desk, content={}, who=who).status_code == 200
        assert discard(desk, who).status_code == 200
    assert get(desk).get_json()["data"] == draft


def test_read_only_token_may_not_change_drafts(desk):
    draft = save(desk).get_json()["data"]
    refused(save(desk, content={}, who="reader"), 403, 40300)
    refused(discard(desk, "reader"), 403, 40300)
    assert get(desk).get_json()["data"] == draft


@pytest.mark.parametrize("name", ["none", "Demo", "..", "$ne", "demo%00", "%ff", "x" * 65])
def test_workflow_that_does_not_exist_has_no_draft(desk, name):
    address = f"/api/v1/drafts/{name}"
    for method in ("GET", "PUT"):
        body = {"json": {"content": {}, "digest": DIGEST}} if method == "PUT" else {}
        reply = desk.client.open(address, method=method, headers=desk.ann, **body)
        assert reply.status_code == 404


INVALID = [
    ({}, {"content", "digest"}),
    ({"content": {}}, {"digest"}),
    ({"digest": DIGEST}, {"content"}),
    ({"content": {}, "digest": "x"}, {"digest"}),
    ({"content": {}, "digest": "A" * 64}, {"digest"}),
    ({"content": {}, "digest": {"$ne": ""}}, {"digest"}),
    ({"content": [], "digest": DIGEST}, {"content"}),
    ({"content": "{}", "digest": DIGEST}, {"content"}),
    ({"content": None, "digest": DIGEST}, {"content"}),
    ({"content": {}, "digest": DIGEST, "owner": "ben"}, {"owner"}),
    ({"content": {"a": "\0"}, "digest": DIGEST}, {"content.a"}),
    ({"content": {"\ud800": 1}, "digest": DIGEST}, {"content.\ufffd"}),
    ({"content": {"a": 2**63}, "digest": DIGEST}, {"content.a"}),
    ({"content": {"a": float("nan")}, "digest": DIGEST}, {"content.a"}),
]


@pytest.mark.parametrize(("body", "fields"), INVALID)
def test_invalid_draft_is_400_and_keeps_the_earlier_one(desk, body, fields):
    draft = save(desk).get_json()["data"]
    reply = desk.client.put(
        ADDRESS, data=json.dumps(body), content_type="application/json", headers=desk.ann
    )
    assert set(refused(reply, 400, 40001)) == fields
    assert get(desk).get_json()["data"] == draft


def test_draft_nested_too_deeply_is_400(desk):
    content = {}
    for _ in range(40):
        content = {"a": content}
    assert refused(save(desk, content), 400, 40001)


def test_draft_that_is_too_large_is_413(mongod, tmp_path):
    with open_desk(mongod, tmp_path, max_body=4) as services:
        client = client_of(services)

        def put(size):
            content = {"a": "x" * (size - len('{"a":""}'))}
            return client.put(ADDRESS, json={"content": content, "digest": DIGEST})

        assert put(2**20).status_code == 200
        problems = refused(put(2**20 + 1), 413, 41300)
        assert problems["content"][0] == (
            "The draft has 1048577 bytes as JSON; the limit is 1048576 bytes."
        )
        refused(put(2**22), 413, 41300)


def test_page_of_a_listed_origin_may_save(desk):
    asked = {"Origin": APP, "Access-Control-Request-Method": "PUT"}
    allowed = desk.client.options(ADDRESS, headers=asked).headers
    assert "PUT" in allowed["Access-Control-Allow-Methods"].split(", ")
    headers = {**desk.ann, "Origin": APP, "Sec-Fetch-Site": "cross-site"}
    body = {"content": CONTENT, "digest": DIGEST}
    reply = desk.client.put(ADDRESS, json=body, headers=headers)
    assert (reply.status_code, reply.headers["Access-Control-Allow-Origin"]) == (200, APP)
    foreign = {**headers, "Origin": "https://evil.example"}
    refused(desk.client.put(ADDRESS, json=body, headers=foreign), 403, 40302)
