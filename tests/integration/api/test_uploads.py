"""Uploads with tus 1.0: the protocol, and the bytes received."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import os
import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from routes.http.errors import BODY_INCOMPLETE, BodyIncomplete
from services.errors import DiskFull, Locked, NotFound, WrongOffset
from services.files.uploads import UPLOAD_LIFETIME, Uploads
from services.models import Actor
from tests.helpers.api import client_of, open_desk, refused

SETTINGS = {"max_upload": 2}  # of module_services
PIECE = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}
CONTENT = bytes(range(256)) * 40  # 10,240 bytes
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def b64(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def create(client, size=SIZE, name="reads.fastq", **more):
    """Create an upload. Return its URL."""
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": f"filename {b64(name)}"}
    reply = client.post("/uploads/", headers=headers | more)
    assert reply.status_code == 201, reply.text
    return reply.headers["Location"]


def patch(client, address, body, offset=0, **more):
    headers = {**TUS, "Upload-Offset": str(offset), **more}
    return client.patch(address, headers=headers, data=body, content_type=PIECE)


def state(client, address):
    """Return the offset and the file id of an upload."""
    reply = client.head(address, headers=TUS)
    assert (reply.status_code, reply.data) == (200, b"")
    return int(reply.headers["Upload-Offset"]), reply.headers.get("Rundesk-File")


def parts(services):
    return {path.name for path in (services.settings.data / "files" / "uploads").glob("*")}


# ---- the protocol -----------------------------------------------------------------------------


def test_upload_in_pieces_becomes_a_file(services, client, actor):
    address = create(client, name="αβ/reads.fastq.gz")
    for offset in range(0, len(CONTENT), 3000):
        reply = patch(client, address, CONTENT[offset : offset + 3000], offset)
        assert (reply.status_code, reply.data) == (204, b"")
        assert reply.headers["Upload-Offset"] == str(min(offset + 3000, len(CONTENT)))
    file = services.files.get(actor, reply.headers["Rundesk-File"])
    assert (file.name, file.kind, file.size) == ("αβ/reads.fastq.gz", "fastq", len(CONTENT))
    assert file.sha256 == SHA256
    assert services.files.path(actor, file.id).read_bytes() == CONTENT
    assert state(client, address) == (len(CONTENT), file.id)
    assert address.rpartition("/")[2] not in parts(services)  # moved, not copied


def test_every_response_has_the_tus_headers(client):
    address = create(client)
    replies = [
        client.options("/uploads/"),
        client.head(address, headers=TUS),
        patch(client, address, b"x", 7),
        client.get("/uploads/" + "0" * 32),
        client.delete(address, headers=TUS),
    ]
    assert {reply.headers["Tus-Resumable"] for reply in replies} == {"1.0.0"}
    assert {reply.headers["Cache-Control"] for reply in replies} == {"no-store"}


def test_options_has_versions_extensions_and_limits(client):
    headers = client.options("/uploads/").headers
    assert headers["Tus-Version"] == "1.0.0"
    assert headers["Tus-Max-Size"] == str(2 * 2**20)
    assert set(headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "termination",
        "checksum",
        "expiration",
    }
    assert "sha1" in headers["Tus-Checksum-Algorithm"].split(",")


def test_head_returns_metadata_length_and_expiry(client):
    address = create(client, name="x", **{"Upload-Metadata": f"filename {b64('a b')},draft"})
    headers = client.head(address, headers=TUS).headers
    assert headers["Upload-Metadata"] == f"filename {b64('a b')},draft"
    assert (headers["Upload-Length"], headers["Upload-Offset"]) == (str(len(CONTENT)), "0")
    left = parsedate_to_datetime(headers["Upload-Expires"]) - datetime.now(UTC)
    assert abs(left - UPLOAD_LIFETIME) < timedelta(minutes=5)
    assert client.get(address).get_json()["data"]["name"] == "a b"


def test_upload_without_a_name_gets_one(client):
    reply = client.post("/uploads/", headers={**TUS, "Upload-Length": "5"})
    assert reply.get_json()["data"]["name"].startswith("upload-")


def test_empty_file_is_whole_at_once(services, client, actor):
    _, file = state(client, create(client, 0))
    assert services.files.get(actor, file).size == 0


def test_creation_may_include_the_first_chunk(client):
    headers = {**TUS, "Upload-Length": str(len(CONTENT))}
    reply = client.post("/uploads/", headers=headers, data=CONTENT[:100], content_type=PIECE)
    assert (reply.status_code, reply.headers["Upload-Offset"]) == (201, "100")
    last = patch(client, reply.headers["Location"], CONTENT[100:], 100)
    assert last.headers["Rundesk-File"]


def test_creation_that_fails_leaves_nothing(services, client):
    before = parts(services)
    headers = {**TUS, "Upload-Length": "10", "Upload-Checksum": f"sha1 {b64(b'wrong')}"}
    reply = client.post("/uploads/", headers=headers, data=b"12345", content_type=PIECE)
    refused(reply, 460, 46000)
    assert parts(services) == before


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512", "md5"])
def test_chunk_with_a_correct_checksum_is_accepted(client, algorithm):
    address = create(client)
    digest = b64(hashlib.new(algorithm, CONTENT).digest())
    reply = patch(client, address, CONTENT, **{"Upload-Checksum": f"{algorithm} {digest}"})
    assert reply.status_code == 204
    assert state(client, address)[1]


def test_chunk_with_a_wrong_checksum_is_refused(client):
    address = create(client)
    patch(client, address, CONTENT[:50])
    wrong = {"Upload-Checksum": f"sha1 {b64(hashlib.sha1(b'other').digest())}"}
    refused(patch(client, address, CONTENT[50:], 50, **wrong), 460, 46000)
    assert state(client, address) == (50, None)


def test_incomplete_chunk_with_a_checksum_is_refused(client):
    address = create(client)
    digest = b64(hashlib.sha1(CONTENT).digest())
    cut = {"wsgi.input": io.BytesIO(CONTENT[:5000]), "CONTENT_LENGTH": str(len(CONTENT))}
    headers = {**TUS, "Upload-Offset": "0", "Upload-Checksum": f"sha1 {digest}"}
    reply = client.patch(address, headers=headers, content_type=PIECE, environ_overrides=cut)
    refused(reply, 400, 40003)
    assert state(client, address) == (0, None)


def test_termination_removes_the_bytes(services, client):
    address = create(client)
    patch(client, address, CONTENT[:50])
    assert address.rpartition("/")[2] in parts(services)
    assert client.delete(address, headers=TUS).status_code == 204
    assert client.head(address, headers=TUS).status_code == 404
    refused(client.delete(address, headers=TUS), 404, 40400)
    assert address.rpartition("/")[2] not in parts(services)


def test_termination_of_a_whole_upload_leaves_the_file(services, client, actor):
    address = create(client)
    file = patch(client, address, CONTENT).headers["Rundesk-File"]
    assert client.delete(address, headers=TUS).status_code == 204
    assert services.files.path(actor, file).read_bytes() == CONTENT


def test_method_may_be_overridden_in_a_header(client):
    address = create(client)
    headers = {**TUS, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    reply = client.post(address, headers=headers, data=CONTENT, content_type=PIECE)
    assert reply.status_code == 204
    assert client.post(address, headers={**TUS, "X-HTTP-Method-Override": "GET"}).status_code == 405


GOOD = {**TUS, "Upload-Length": "10"}
BAD_CREATIONS = {
    "no version": ({"Upload-Length": "10"}, 412, None),
    "another version": ({**GOOD, "Tus-Resumable": "0.2.2"}, 412, None),
    "no length": (TUS, 400, "header.Upload-Length"),
    "negative": ({**TUS, "Upload-Length": "-1"}, 400, "header.Upload-Length"),
    "no number": ({**TUS, "Upload-Length": "1_0"}, 400, "header.Upload-Length"),
    "beyond 64 bits": ({**TUS, "Upload-Length": str(2**64)}, 400, "header.Upload-Length"),
    "thousands of digits": ({**TUS, "Upload-Length": "9" * 5000}, 400, "header.Upload-Length"),
    "too large": ({**TUS, "Upload-Length": str(2**21 + 1)}, 413, "body"),
    "no Base64": ({**GOOD, "Upload-Metadata": "filename ?"}, 400, "header.Upload-Metadata"),
    "no UTF-8": ({**GOOD, "Upload-Metadata": "filename /w=="}, 400, "header.Upload-Metadata"),
    "a key twice": ({**GOOD, "Upload-Metadata": "a,a"}, 400, "header.Upload-Metadata"),
    "name of 300": ({**GOOD, "Upload-Metadata": f"name {b64('x' * 300)}"}, 400, "name"),
    "control characters": ({**GOOD, "Upload-Metadata": f"name {b64('a' + chr(10))}"}, 400, "name"),
    "deferred length": ({**TUS, "Upload-Defer-Length": "1"}, 400, "header.Upload-Length"),
}


@pytest.mark.parametrize(("headers", "status", "field"), BAD_CREATIONS.values(), ids=BAD_CREATIONS)
def test_invalid_creation_is_refused(client, headers, status, field):
    reply = client.post("/uploads/", headers=headers)
    assert field is None or field in refused(reply, status)
    assert reply.status_code == status
    assert (status != 412) or reply.headers["Tus-Version"] == "1.0.0"


SHA1 = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="
BAD_PIECES = {
    "no version": ({"Upload-Offset": "100"}, PIECE, 412),
    "another type": ({**TUS, "Upload-Offset": "100"}, "text/plain", 415),
    "no offset": (TUS, PIECE, 400),
    "negative offset": ({**TUS, "Upload-Offset": "-1"}, PIECE, 400),
    "offset before": ({**TUS, "Upload-Offset": "99"}, PIECE, 409),
    "offset behind": ({**TUS, "Upload-Offset": "101"}, PIECE, 409),
    "unknown algorithm": ({**TUS, "Upload-Offset": "100", "Upload-Checksum": "crc a="}, PIECE, 400),
    "no Base64": ({**TUS, "Upload-Offset": "100", "Upload-Checksum": "sha1 a"}, PIECE, 400),
    "wrong checksum": ({**TUS, "Upload-Offset": "100", "Upload-Checksum": SHA1}, PIECE, 460),
}


@pytest.mark.parametrize(("headers", "kind", "status"), BAD_PIECES.values(), ids=BAD_PIECES)
def test_invalid_chunk_is_refused_and_changes_nothing(client, headers, kind, status):
    address = create(client)
    patch(client, address, CONTENT[:100])
    reply = client.patch(address, headers=headers, data=CONTENT[100:200], content_type=kind)
    refused(reply, status)
    assert reply.headers["Tus-Resumable"] == "1.0.0"
    assert state(client, address) == (100, None)


def test_more_than_announced_is_refused(client):
    address = create(client, 100)
    refused(patch(client, address, CONTENT), 413, 41300)
    assert state(client, address) == (0, None)
    assert patch(client, address, CONTENT[:100]).status_code == 204
    refused(patch(client, address, b"x", 100), 413, 41300)
    assert patch(client, address, b"", 100).status_code == 204


def test_more_than_announced_without_a_length_is_refused(client):
    address = create(client, 100)
    chunked = {"wsgi.input": io.BytesIO(CONTENT), "wsgi.input_terminated": True}
    headers = {**TUS, "Upload-Offset": "0", "Transfer-Encoding": "chunked"}
    reply = client.patch(address, headers=headers, content_type=PIECE, environ_overrides=chunked)
    refused(reply, 413, 41300)


@pytest.mark.parametrize("name", ["0" * 32, "x", "../lock", "A" * 32, "%00" * 32])
def test_unknown_upload_is_404(client, name):
    assert client.head(f"/uploads/{name}", headers=TUS).status_code == 404
    assert patch(client, f"/uploads/{name}", b"x").status_code in (404, 405)


# ---- access -----------------------------------------------------------------------------------


PORTAL = "http://127.0.0.1:8501"


def test_pages_of_the_portal_may_send_and_others_may_not(client):
    asked = {"Access-Control-Request-Method": "PATCH", "Origin": PORTAL}
    headers = client.options("/uploads/" + "0" * 32, headers=asked).headers
    assert headers["Access-Control-Allow-Origin"] == PORTAL
    assert "PATCH" in headers["Access-Control-Allow-Methods"]
    assert "Upload-Offset" in headers["Access-Control-Allow-Headers"]
    reply = client.post("/uploads/", headers={**GOOD, "Origin": PORTAL})
    assert reply.status_code == 201
    assert "Rundesk-File" in reply.headers["Access-Control-Expose-Headers"]
    foreign = client.post("/uploads/", headers={**GOOD, "Origin": "http://evil.example"})
    refused(foreign, 403, 40302)
    assert "Access-Control-Allow-Origin" not in foreign.headers


@pytest.fixture(scope="module")
def shared(mongod, tmp_path_factory):
    """A desk with sign-in."""
    given = {"remote_user_header": "X-User", "remote_user_secret": "s" * 16, "admins": ("root",)}
    with open_desk(mongod, tmp_path_factory.mktemp("shared"), **given) as services:
        yield services


def test_link_of_the_portal_covers_the_uploads_of_its_user(shared):
    client, ann, ben = client_of(shared), Actor(id="ann"), Actor(id="ben")
    link, other = (
        shared.links.make(who, "/uploads/").partition("/uploads/")[2] for who in (ann, ben)
    )
    refused(client.post("/uploads/", headers=GOOD), 401, 40100)
    reply = client.post(f"/uploads/{link}", headers={**TUS, "Upload-Length": str(len(CONTENT))})
    address = reply.headers["Location"]
    refused(patch(client, address, CONTENT), 401, 40100)
    refused(patch(client, address + other, CONTENT), 404, 40400)
    assert client.delete(address + other, headers=TUS).status_code == 404
    last = patch(client, address + link, CONTENT)
    assert last.status_code == 204
    assert shared.files.get(ann, last.headers["Rundesk-File"]).owner == "ann"


def test_link_of_the_portal_opens_nothing_else(shared):
    client, ann = client_of(shared), Actor(id="ann")
    link = shared.links.make(ann, "/uploads/").partition("/uploads/")[2]
    refused(client.get(f"/api/v1/files{link}"), 401, 40100)
    refused(client.post(f"/api/v1/files{link}&name=a", data=b"x"), 401, 40100)
    reading = shared.links.make(ann, "/api/v1/files").partition("?")[2]
    refused(client.post(f"/uploads/?{reading}", headers=GOOD), 401, 40100)


def test_admin_finishes_the_upload_of_a_user_as_theirs(shared):
    ann, root = Actor(id="ann"), Actor(id="root", admin=True)
    upload = shared.uploads.create(ann, size=3, name="a")
    done = shared.uploads.append(root, upload.id, io.BytesIO(b"abc"), offset=0)
    assert shared.files.get(ann, done.file).owner == "ann"


# ---- cuts, rivals and deaths ------------------------------------------------------------------


class Cut(io.RawIOBase):
    """A stream that breaks after some bytes."""

    def __init__(self, *blocks: bytes) -> None:
        self._blocks = list(blocks)

    def read(self, size: int = -1) -> bytes:
        if not self._blocks:
            raise BodyIncomplete(BODY_INCOMPLETE(), field="body")
        return self._blocks.pop(0)


def test_what_arrived_before_a_cut_stays(services, actor):
    upload = services.uploads.create(actor, size=len(CONTENT))
    with pytest.raises(BodyIncomplete):
        services.uploads.append(actor, upload.id, Cut(CONTENT[:3000], CONTENT[3000:4000]), offset=0)
    assert services.uploads.get(actor, upload.id).offset == 4000
    rest = io.BytesIO(CONTENT[4000:])
    done = services.uploads.append(actor, upload.id, rest, offset=4000)
    assert services.files.get(actor, done.file).sha256 == SHA256


def test_pieces_that_several_processes_take_make_one_file(services, actor):
    """Each has seen a part only; the checksum is right all the same."""
    upload = services.uploads.create(actor, size=len(CONTENT))
    servers = [Uploads(services.settings, services.database, services.files) for _ in range(3)]
    for number, offset in enumerate(range(0, len(CONTENT), 1024)):
        piece = io.BytesIO(CONTENT[offset : offset + 1024])
        done = servers[number % 3].append(actor, upload.id, piece, offset=offset)
    assert services.files.get(actor, done.file).sha256 == SHA256


class Waiting(io.RawIOBase):
    """A stream whose second block comes when it is let go."""

    def __init__(self) -> None:
        self._blocks = iter([CONTENT[:1000], CONTENT[1000:2000]])
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._first = True

    def read(self, size: int = -1) -> bytes:
        if not self._first:
            self.reached.set()
            assert self.go_on.wait(30)
        self._first = False
        return next(self._blocks, b"")


def rival(services, actor, upload):
    """A request that waits for its second block; its thread, its stream and how it ends."""
    stream, ends = Waiting(), []

    def send():
        try:
            services.uploads.append(actor, upload.id, stream, offset=0)
        except Exception as error:
            ends.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    assert stream.reached.wait(30)
    return thread, stream, ends


def test_of_two_that_send_the_later_one_goes_on(services, actor):
    """The earlier one may be a connection that hangs; it must not hold up anybody."""
    upload = services.uploads.create(actor, size=len(CONTENT))
    thread, stream, ends = rival(services, actor, upload)
    done = services.uploads.append(actor, upload.id, io.BytesIO(CONTENT[1000:]), offset=1000)
    stream.go_on.set()
    thread.join()
    assert [type(error) for error in ends] == [Locked]
    assert services.files.get(actor, done.file).sha256 == SHA256


def test_upload_that_is_ended_while_it_is_sent_ends_the_sender(services, actor):
    upload = services.uploads.create(actor, size=len(CONTENT))
    thread, stream, ends = rival(services, actor, upload)
    services.uploads.delete(actor, upload.id)
    stream.go_on.set()
    thread.join()
    assert [type(error) for error in ends] == [Locked]
    assert upload.id not in parts(services)


def test_concurrent_request_is_423(services, client, actor):
    upload = services.uploads.create(actor, size=len(CONTENT))
    place = services.settings.data / "files" / "uploads" / upload.id

    class Overtaken:
        """Another process writes while it is read."""

        def read(self, size: int) -> bytes:
            place.write_bytes(b"other")
            return CONTENT[:size]

    body = {"wsgi.input": Overtaken(), "CONTENT_LENGTH": str(len(CONTENT))}
    headers = {**TUS, "Upload-Offset": "0"}
    reply = client.patch(
        f"/uploads/{upload.id}", headers=headers, content_type=PIECE, environ_overrides=body
    )
    refused(reply, 423, 42300)
    assert place.read_bytes() == b"other"


DEATHS = {
    "before the checksum": ("_digests", "hexdigest"),
    "before it is registered": ("_files", "adopt"),
    "before that is noted": ("_store", "finish"),
}


class Killed(BaseException):
    """The process was killed."""


class Dying:
    """A proxy for a service that fails when one of its methods is used."""

    def __init__(self, inner: object, name: str) -> None:
        self._inner, self._name = inner, name

    def __getattr__(self, name: str) -> object:
        if name == self._name:
            raise Killed
        return getattr(self._inner, name)


@pytest.mark.parametrize(("part", "name"), DEATHS.values(), ids=DEATHS)
def test_death_between_the_last_byte_and_the_file_loses_nothing(services, actor, part, name):
    upload = services.uploads.create(actor, size=len(CONTENT))
    dying = Uploads(services.settings, services.database, services.files)
    setattr(dying, part, Dying(getattr(dying, part), name))
    with pytest.raises(Killed):
        dying.append(actor, upload.id, io.BytesIO(CONTENT), offset=0)
    found = services.uploads.get(actor, upload.id)
    assert found.offset == len(CONTENT)
    assert services.files.path(actor, found.file).read_bytes() == CONTENT
    assert upload.id not in parts(services)
    assert services.uploads.get(actor, upload.id).file == found.file


def test_sweep_registers_the_file_of_a_killed_process(services, actor):
    upload = services.uploads.create(actor, size=len(CONTENT))
    (services.settings.data / "files" / "uploads" / upload.id).write_bytes(CONTENT)
    services.uploads.sweep(datetime.now(UTC))
    assert services.database.uploads.get(upload.id, None).file
    assert upload.id not in parts(services)


def test_sweep_removes_expired_uploads_only(services, actor):
    now = datetime.now(UTC)
    started, fresh = (services.uploads.create(actor, size=100) for _ in range(2))
    services.uploads.append(actor, started.id, io.BytesIO(b"x"), offset=0)
    stray = services.settings.data / "files" / "uploads" / ("f" * 32)
    stray.write_bytes(b"of nobody")
    assert services.uploads.sweep(now + UPLOAD_LIFETIME - timedelta(minutes=5)) == 0
    assert services.uploads.get(actor, started.id).offset == 1
    old = (now - UPLOAD_LIFETIME - timedelta(hours=1)).timestamp()
    os.utime(stray, (old, old))
    services.uploads.sweep(now)
    assert not stray.exists()
    assert services.uploads.sweep(now + UPLOAD_LIFETIME + timedelta(minutes=5)) >= 2
    for upload in (started, fresh):
        with pytest.raises(NotFound):
            services.uploads.get(actor, upload.id)
    assert started.id not in parts(services)


def test_file_of_a_swept_upload_stays(services, actor):
    upload = services.uploads.create(actor, size=3)
    done = services.uploads.append(actor, upload.id, io.BytesIO(b"abc"), offset=0)
    services.uploads.sweep(datetime.now(UTC) + UPLOAD_LIFETIME + timedelta(minutes=5))
    assert services.files.path(actor, done.file).read_bytes() == b"abc"


def test_wrong_offset_names_the_right_one(services, actor):
    upload = services.uploads.create(actor, size=10)
    with pytest.raises(WrongOffset, match="The offset of the upload is 0, not 5"):
        services.uploads.append(actor, upload.id, io.BytesIO(b"abc"), offset=5)


def test_full_disk_is_507_and_received_bytes_stay(services, client, actor, monkeypatch):
    address = create(client)
    pwrite = os.pwrite

    def full_after_3000(part, view, offset):
        if offset >= 3000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(part, view[: 3000 - offset], offset)

    monkeypatch.setattr(os, "pwrite", full_after_3000)
    refused(patch(client, address, CONTENT), 507, 50700)
    monkeypatch.undo()
    assert state(client, address) == (3000, None)
    assert patch(client, address, CONTENT[3000:], 3000).headers["Rundesk-File"]


def test_file_larger_than_the_free_space_is_refused_at_creation(services, actor, monkeypatch):
    usage = type("Usage", (), {"free": 999})
    monkeypatch.setattr("services.files.uploads.shutil.disk_usage", lambda place: usage)
    with pytest.raises(DiskFull):
        services.uploads.create(actor, size=1000)
