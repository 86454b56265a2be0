"""Imports over HTTP: accepted with 202, polled until finished, refused if not allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from services.files.importer import Importer
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
    headers = folder / "headers.toml"
    headers.write_text(f'["localhost:{host.port}"]\nAuthorization = "Bearer s3cret"\n')
    hosts = ("files.example.org", *host.settings["import_hosts"])
    given = host.settings | {"import_hosts": hosts, "import_headers": str(headers)}
    with open_desk(mongod, folder, **given) as built:
        yield built


@pytest.fixture(scope="module")
def client(services):
    return client_of(services)


def finished(client, services, address):
    """Run the queued imports; return the one at this address when it has finished."""
    parts = (services.database, services.files, services.fetcher, services.inbox)
    Importer(*parts, host="here").tick(datetime.now(UTC))

    def over():
        found = client.get(address).get_json()["data"]
        return found if found["ended"] else None

    return until(over)


def test_import_is_accepted_polled_and_deleted(client, services, host):
    reply = client.post("/api/v1/imports", json={"url": host.file("/a.fastq", b"@r\nA\n+\nI\n")})
    assert reply.status_code == 202
    created, address = reply.get_json()["data"], reply.headers["Location"]
    assert (created["state"], created["name"], created["file"]) == ("QUEUED", "a.fastq", None)
    found = finished(client, services, address)
    assert (found["state"], found["received"], found["size"]) == ("COMPLETE", 9, 9)
    file = client.get(f"/api/v1/files/{found['file']}/content")
    assert file.data == b"@r\nA\n+\nI\n"
    page = client.get("/api/v1/imports").get_json()["data"]
    assert (page["items"], page["next"]) == ([found], None)
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


def test_limits_list_the_hosts_of_imports_and_no_headers(client, host):
    assert "s3cret" not in client.get("/api/v1/limits").text
    limits = client.get("/api/v1/limits").get_json()["data"]
    assert (limits["import_hosts"], limits["inbox"]) == (
        ["files.example.org", f"localhost:{host.port}"],
        False,
    )


@pytest.mark.parametrize(
    ("path", "disposition", "name", "expected"),
    [
        ("/download?type=1&fileName=BSA1.mzML.gz", "", "", "BSA1.mzML.gz"),
        ("/download?type=2&fileName=样品 甲.csv", "", "", "样品 甲.csv"),
        ("/download?id=1", "attachment; filename*=UTF-8''%E6%A0%B7.csv", "", "样.csv"),
        ("/download?fileName=a.csv", "attachment; filename=../b.csv", "", "b.csv"),
        ("/download?fileName=a.csv", "attachment; filename=b.csv", "c.csv", "c.csv"),
        ("/?id=2", "attachment; filename=b.csv", "", "b.csv"),
    ],
)
def test_import_from_a_private_host_is_named_by_request_response_or_url(
    client, services, host, path, disposition, name, expected
):
    headers = {"Content-Disposition": disposition} if disposition else {}
    path = path.replace(" ", "%20")
    host.file(quote(path, safe="/?=&%"), b"@r\nA\n+\nI\n", **headers)
    host.headers.clear()
    reply = client.post("/api/v1/imports", json={"url": host.url(path), "name": name})
    assert reply.status_code == 202, reply.text
    found = finished(client, services, reply.headers["Location"])
    assert (found["state"], found["name"]) == ("COMPLETE", expected)
    assert client.get(f"/api/v1/files/{found['file']}").get_json()["data"]["name"] == expected
    assert [headers["Authorization"] for headers in host.headers] == ["Bearer s3cret"]
    assert "s3cret" not in client.get("/api/v1/imports").text


def test_import_that_nothing_names_fails_and_says_so(client, services, host):
    reply = client.post("/api/v1/imports", json={"url": host.file("/?id=3", b"x")})
    found = finished(client, services, reply.headers["Location"])
    assert (found["state"], found["hint"]) == ("EXECUTOR_ERROR", "Send `name`.")


def test_import_redirected_to_a_private_host_that_is_not_listed_fails_without_a_request(
    client, services, host
):
    with web_host.serving() as other:
        other.file("/a", b"secret")
        reply = client.post("/api/v1/imports", json={"url": host.redirect("/r", other.url("/a"))})
        found = finished(client, services, reply.headers["Location"])
        assert found["state"] == "EXECUTOR_ERROR"
        assert found["error"] == f"Imports from localhost, port {other.port}, are not allowed."
        assert other.asked == []
