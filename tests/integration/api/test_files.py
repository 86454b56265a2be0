"""Files over HTTP: raw and multipart uploads, invalid ones, lists, ranges, deletion."""

from __future__ import annotations

import hashlib
import io
import itertools

import pytest

from services.models import RunRequest
from tests.helpers.api import codes, refused

SETTINGS = {"max_upload": 2}  # of module_services
BOUNDARY = "xYzZY"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def stored(services):
    """Return the files on disk: complete and incomplete ones."""
    folder = services.settings.data / "files"
    return {path for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


@pytest.fixture
def unchanged(services, client):
    """Check that nothing is registered and nothing stays on disk."""

    def names():
        return [one["id"] for one in client.get("/api/v1/files").get_json()["data"]["items"]]

    before = stored(services), names()
    yield
    assert (stored(services), names()) == before


def part(content=b">a\nACGT\n", disposition='form-data; name="file"; filename="a.fa"'):
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def send(client, body, kind=FORM, query=""):
    return client.post(f"/api/v1/files{query}", data=body, content_type=kind)


def test_upload_raw_keeps_name_and_bytes(client):
    content = bytes(range(256)) * 5000
    reply = client.post("/api/v1/files", query_string={"name": "αβ reads.fastq.gz"}, data=content)
    file = reply.get_json()["data"]
    assert reply.status_code == 201
    assert (file["name"], file["size"], file["kind"]) == ("αβ reads.fastq.gz", 1_280_000, "fastq")
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert client.get(reply.headers["Location"]).get_json()["data"] == file
    assert client.get(f"{reply.headers['Location']}/content").data == content


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "x/y"])
def test_upload_raw_of_any_type_is_its_bytes(client, kind):
    file = send(client, b"a=1&b=2", kind, "?name=a.txt").get_json()["data"]
    assert client.get(f"/api/v1/files/{file['id']}/content").data == b"a=1&b=2"


def test_upload_raw_empty_needs_a_content_type(client):
    assert send(client, b"", "text/plain", "?name=empty.txt").get_json()["data"]["size"] == 0
    reply = client.post("/api/v1/files?name=empty.txt")
    assert "body" in refused(reply, 400, 40004)


@pytest.mark.parametrize("query", ["", "?name=", "?name=%00", "?name=a%0Ab", "?name=" + "x" * 256])
def test_upload_raw_without_a_proper_name_is_refused(client, unchanged, query):
    found = refused(send(client, b"ACGT", "text/plain", query), 400, 40001)
    assert list(found) == ["query.name"]


@pytest.mark.parametrize("before", [b"", b"preamble\r\n"])
@pytest.mark.parametrize("after", [b"", b"epilogue"])
def test_upload_multipart_is_the_bytes_of_its_part(client, before, after):
    tricky = b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n\r\n--\r\n" + bytes(range(256)) * 1000
    reply = send(client, before + part(tricky) + END + after)
    file = reply.get_json()["data"]
    assert (reply.status_code, file["name"]) == (201, "a.fa")
    assert client.get(f"/api/v1/files/{file['id']}/content").data == tricky


def test_upload_multipart_with_an_empty_name_is_refused(client, unchanged):
    reply = send(client, part(b"ACGT") + END, query="?name=")
    assert list(refused(reply, 400, 40001)) == ["query.name"]


def test_upload_multipart_name_may_be_given_and_is_any_text(client):
    utf8 = part(disposition='form-data; name="file"; filename="../αβ;.fa"') + END
    assert send(client, utf8).get_json()["data"]["name"] == "../αβ;.fa"
    named = send(client, part() + END, query="?name=b.fa")
    assert named.get_json()["data"]["name"] == "b.fa"


BROKEN = {
    "no boundary": (part() + END, "multipart/form-data"),
    "another boundary": (part() + END, "multipart/form-data; boundary=other"),
    "no body": (b"", FORM),
    "no part": (END, FORM),
    "no file": (part(disposition='form-data; name="file"') + END, FORM),
    "a field before the file": (part(disposition='form-data; name="x"') + part() + END, FORM),
    "a field after the file": (part() + part(disposition='form-data; name="x"') + END, FORM),
    "two files": (part() + part() + END, FORM),
    "1,001 parts": (part() * 1001 + END, FORM),
    "no disposition": (f"--{BOUNDARY}\r\nX: y\r\n\r\nA\r\n".encode() + END, FORM),
    "cut in the headers": (part()[:30], FORM),
    "cut in the file": (part(b"A" * 500_000)[:-1000], FORM),
    "cut before the end": (part(), FORM),
    "cut in the end": (part() + END[:-5], FORM),
    "endless headers": (part()[:20] + b"x" * 600_000, FORM),
    "headers of another encoding": (
        part(disposition='form-data; filename="a"')[:-14] + b"\xff",
        FORM,
    ),
}


@pytest.mark.parametrize(("body", "kind"), BROKEN.values(), ids=BROKEN)
def test_upload_multipart_broken_is_400_and_leaves_nothing(client, unchanged, body, kind):
    assert "body" in refused(send(client, body, kind), 400, 40003)


def test_upload_multipart_without_filename_text_is_refused(client, unchanged):
    body = part(disposition='form-data; name="file"; filename=""') + END
    assert "query.name" in refused(send(client, body), 400, 40001)


def test_upload_over_the_limit_is_413_and_leaves_nothing(client, unchanged):
    large = b"x" * (2 * 2**20 + 1)
    assert "body" in refused(send(client, large, "text/plain", "?name=a"), 413, 41300)
    assert "body" in refused(send(client, part(large) + END), 413, 41300)


def test_upload_cut_is_400_and_leaves_nothing(client, unchanged):
    reply = client.post(
        "/api/v1/files?name=a",
        content_type="text/plain",
        environ_overrides={"wsgi.input": io.BytesIO(b"x" * 1000), "CONTENT_LENGTH": "2000"},
    )
    assert "body" in refused(reply, 400)


def test_list_pages_through_and_searches(client):
    for name in ("list 1.bed", "list 2.bed", "LIST 3.bed", "other.bed"):
        send(client, name.encode(), "text/plain", f"?name={name}")
    found, after = [], None
    for _ in range(3):
        query = {
            "text": "list ",
            "kind": "annotation",
            "limit": "2",
            **({"after": after} if after else {}),
        }
        page = client.get("/api/v1/files", query_string=query).get_json()["data"]
        found += [file["name"] for file in page["items"]]
        if (after := page["next"]) is None:
            break
    assert found == ["LIST 3.bed", "list 2.bed", "list 1.bed"]
    assert client.get("/api/v1/files?text=(").get_json()["data"]["items"] == []


# ---- content ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def content(client):
    """URL and bytes of the content of a file whose name attempts header injection."""
    name = 'x"; filename="evil.html'
    reply = client.post("/api/v1/files", query_string={"name": name}, data=b"0123456789")
    return f"{reply.headers['Location']}/content", b"0123456789"


def test_content_is_an_attachment_that_browsers_do_not_run(client, content):
    headers = client.get(content[0]).headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment; ")
    assert 'filename="x\\"; filename=\\"evil.html"' in headers["Content-Disposition"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-cache"
    assert headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    ("given", "status", "body"),
    [
        ({"Range": "bytes=2-4"}, 206, b"234"),
        ({"Range": "bytes=-3"}, 206, b"789"),
        ({"Range": "bytes=7-"}, 206, b"789"),
        ({"Range": "bytes=7-100"}, 206, b"789"),
        ({"Range": "bytes=2-4", "If-Range": '"other"'}, 200, b"0123456789"),
        ({"If-None-Match": '"other"'}, 200, b"0123456789"),
    ],
)
def test_content_supports_ranges_and_conditions(client, content, given, status, body):
    reply = client.get(content[0], headers=given)
    assert (reply.status_code, reply.data) == (status, body)


def test_unchanged_content_is_304(client, content):
    etag = client.get(content[0]).headers["ETag"]
    assert hashlib.sha256(content[1]).hexdigest() in etag
    reply = client.get(content[0], headers={"If-None-Match": etag})
    assert (reply.status_code, reply.data) == (304, b"")
    same = client.get(content[0], headers={"If-Range": etag, "Range": "bytes=0-0"})
    assert (same.status_code, same.data) == (206, b"0")


def test_content_head_has_no_body(client, content):
    reply = client.head(content[0])
    assert (reply.status_code, reply.data, reply.headers["Content-Length"]) == (200, b"", "10")


def test_content_range_outside_is_416_and_failed_condition_412(client, content):
    outside = client.get(content[0], headers={"Range": "bytes=10-"})
    refused(outside, 416, 41600)
    assert outside.headers["Content-Range"] == "bytes */10"
    refused(client.get(content[0], headers={"If-Match": '"other"'}), 412, 41200)


def test_content_that_is_missing_on_disk_is_404(services, client):
    file = send(client, b"soon gone", "text/plain", "?name=gone").get_json()["data"]
    (services.settings.data / "files" / "content" / file["sha256"][:2] / file["sha256"]).unlink()
    reply = client.get(f"/api/v1/files/{file['id']}/content")
    refused(reply, 404, 40400)
    assert set(codes(reply).values()) == {"gone"}


# ---- delete -----------------------------------------------------------------------------------


def test_delete_is_an_envelope_and_final(services, client):
    file = send(client, b"to delete", "text/plain", "?name=d").get_json()["data"]
    address = f"/api/v1/files/{file['id']}"
    assert client.delete(address).get_json() == {"errCode": 0, "data": None, "msg": ""}
    for again in (client.delete(address), client.get(address), client.get(f"{address}/content")):
        refused(again, 404, 40400)
    assert not any(path.name == file["sha256"] for path in stored(services))


def test_delete_while_a_run_uses_it_is_409(services, client, actor):
    run = services.runs.submit(actor, RunRequest(workflow="demo", example=True))
    reply = client.delete(f"/api/v1/files/{run.inputs[0].file}")
    refused(reply, 409, 40904)
    assert client.get(f"/api/v1/files/{run.inputs[0].file}").status_code == 200


def test_blocks_of_any_size_find_the_boundary(client):
    """The boundary may be anywhere across the chunks in which the body is read."""
    sizes = range(65_400, 65_540, 7)
    for size, end in itertools.product(sizes, (b"", b"\r", b"\r\n", b"\r\n-")):
        content = b"x" * size + end
        file = send(client, part(content) + END).get_json()["data"]
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
