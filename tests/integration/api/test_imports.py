"""Imports over HTTP: accepted with 202, polled until finished, refused if not allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.files.importer import Importer
from services.files.imports import Imports
from tests.helpers import web_host
from tests.helpers.api import client_of, open_desk, refused
from tests.helpers.waiting import until


@pytest.fixture(scope="module")
def host():
    with web_host.serving() as found:
        yield found


@pytest.fixture(scope="module")
def services(mongod, tmp_path_factory, host):
    folder = tmp_path_factory.mktemp("desk")
    with open_desk(mongod, folder, import_hosts=("files.example.org",)) as built:
        fetcher = host.fetcher()
        imports = Imports(built.database, built.files, fetcher, built.inbox)
        yield replace(built, fetcher=fetcher, imports=imports)


@pytest.fixture(scope="module")
def client(services):
    return client_of(services)


def test_import_is_accepted_polled_and_deleted(client, services, host):
    reply = client.post("/api/v1/imports", json={"url": host.file("/a.fastq", b"@r\nA\n+\nI\n")})
    assert reply.status_code == 202
    created, address = reply.get_json()["data"], reply.headers["Location"]
    assert (created["state"], created["name"], created["file"]) == ("QUEUED", "a.fastq", None)
    parts = (services.database, services.files, services.fetcher, services.inbox)
    Importer(*parts, host="here").tick(datetime.now(UTC))

    def over():
        found = client.get(address).get_json()["data"]
        return found if found["ended"] else None

    found = until(over)
    assert (found["state"], found["received"], found["size"]) == ("COMPLETE", 9, 9)
    file = client.get(f"/api/v1/files/{found['file']}/content")
    assert file.data == b"@r\nA\n+\nI\n"
    assert client.get("/api/v1/imports").get_json()["data"] == {"items": [found], "next": None}
    assert client.delete(address).status_code == 200
    refused(client.delete(address), 404)
    assert client.get(f"/api/v1/files/{found['file']}").status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "https://elsewhere.example/a"}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "http://[::1]/a"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": {"$ne": None}}, "url"),
        ({"url": "a", "inbox": "b"}, "url"),
        ({}, "url"),
        ({"url": "https://files.example.org/a", "trusted": True}, "trusted"),
    ],
)
def test_import_that_is_not_allowed_is_refused_by_its_field(client, services, body, field):
    assert set(refused(client.post("/api/v1/imports", json=body), 400)) == {field}


def test_missing_inbox_is_empty(client):
    assert client.get("/api/v1/inbox").get_json()["data"] == []
    refused(client.post("/api/v1/imports", json={"inbox": "../etc/passwd"}), 404)


def test_limits_list_the_hosts_of_imports(client):
    limits = client.get("/api/v1/limits").get_json()["data"]
    assert (limits["import_hosts"], limits["inbox"]) == (["files.example.org"], False)
