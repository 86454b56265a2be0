"""Signed links that the API makes: for one resource, for reading, for a limited time."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from services.models import Actor, Scope, TokenRequest
from tests.helpers.api import codes, finished_run, refused

SETTINGS = {"remote_user_header": "X-User", "remote_user_secret": "s" * 20}  # of module_services
NAMES = ("results/report.html", "results/图 1&2.txt")
LINKS = "/api/v1/links"


@pytest.fixture(scope="module")
def over(services):
    """A finished run of ann."""
    return finished_run(services, Actor(id="ann"), dict.fromkeys(NAMES, "<p>Report"))


@pytest.fixture(scope="module")
def token(services):
    made = services.tokens.create(Actor(id="ann"), TokenRequest(name="page", scope=Scope.READ))
    return {"Authorization": f"Bearer {made.secret}"}


def local(url: str) -> str:
    """Return the part of a link that the test client needs."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_results_have_links_that_need_no_token(client, over, token):
    address = f"/api/v1/runs/{over.id}/results"
    refused(client.get(address), 401)
    first = client.get(address, headers=token)
    results = first.get_json()["data"]
    assert {result["path"] for result in results} == set(NAMES)
    for result in results:
        reply = client.get(local(result["link"]))
        assert (reply.status_code, reply.text) == (200, "<p>Report")
        assert reply.headers["Content-Security-Policy"].startswith("sandbox ")
        assert client.get(local(result["link"]), headers={"Range": "bytes=1-1"}).text == "p"
    again = client.get(address, headers=token | {"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304  # links stay the same for an hour


@pytest.mark.parametrize("path", ["report", "events", "log?follow=1", "results.zip", ""])
def test_link_opens_one_resource_for_reading(client, over, token, path):
    wanted = {"path": f"/api/v1/runs/{over.id}/{path}".rstrip("/"), "seconds": 60}
    made = client.post(LINKS, json=wanted, headers=token)
    assert made.status_code == 201
    link = local(made.get_json()["data"]["url"])
    assert link.startswith(wanted["path"])
    assert client.get(link).status_code == 200
    other = link.replace(over.id, "0" * 24)
    assert codes(client.get(other)) == {"": "invalid_link"}
    assert client.delete(link).status_code in (401, 405)


def test_link_ends_with_its_token(client, services, over):
    made = services.tokens.create(Actor(id="ann"), TokenRequest(name="short", scope=Scope.READ))
    wanted = {"path": f"/api/v1/runs/{over.id}/report"}
    header = {"Authorization": f"Bearer {made.secret}"}
    link = local(client.post(LINKS, json=wanted, headers=header).get_json()["data"]["url"])
    assert client.get(link).status_code == 200
    services.tokens.revoke(Actor(id="ann"), made.id)
    refused(client.get(link), 401)


@pytest.mark.parametrize(
    "path",
    ["/api/v1/tokens", "/uploads/", "https://x.example/api/v1/runs/1", "/api/v1/runs/a b", "", 1],
)
def test_link_to_anything_else_is_refused(client, token, path):
    reply = client.post(LINKS, json={"path": path}, headers=token)
    assert set(refused(reply, 400)) == {"path"}
    assert "seconds" in refused(
        client.post(LINKS, json={"path": "/api/v1/runs/x", "seconds": 0}, headers=token), 400
    )
