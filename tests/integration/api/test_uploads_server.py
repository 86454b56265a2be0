"""Uploads to the API under gunicorn with tuspy: interrupted, corrupted, killed, large."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import threading

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusUploadFailed

from services.models import Actor
from tests.helpers.flaky_proxy import line_to
from tests.helpers.processes import serving
from tests.helpers.waiting import free_port, until

SETTINGS = {"api_port": free_port()}  # of module_services
MIB = 2**20


@pytest.fixture(scope="module")
def servers(services, tmp_path_factory):
    with serving(services.settings, tmp_path_factory.mktemp("logs"), "api") as servers:
        yield servers


@pytest.fixture
def line(servers):
    with line_to(servers.settings.api_port) as line:
        yield line


def file_of(folder, size, name="reads.fastq"):
    path = folder / name
    path.write_bytes(os.urandom(MIB) * (size // MIB) + os.urandom(size % MIB))
    return path


@pytest.fixture
def uploader():
    """Return a factory of tuspy uploaders that closes the files that they read."""
    with contextlib.ExitStack() as stack:

        def make(port, path, **more):
            stream = stack.enter_context(path.open("rb"))
            client = TusClient(f"http://127.0.0.1:{port}/uploads/")
            metadata = {"filename": path.name}
            return client.uploader(file_stream=stream, metadata=metadata, **more)

        yield make


def registered(services, actor: Actor, path):
    """Whether the file of that name is registered, byte for byte."""
    (file,) = services.files.list(actor, text=path.name).items
    content = services.files.path(actor, file.id).read_bytes()
    return content == path.read_bytes() and file.sha256 == hashlib.sha256(content).hexdigest()


def test_tuspy_resumes_an_upload_that_was_cut(services, servers, uploader, actor, tmp_path):
    path = file_of(tmp_path, 5 * MIB + 123, "stopped.fastq")
    first = uploader(servers.settings.api_port, path, chunk_size=MIB)
    first.upload(stop_at=3 * MIB)
    again = uploader(servers.settings.api_port, path, chunk_size=MIB, url=first.url)
    assert again.offset == 3 * MIB
    again.upload()
    assert registered(services, actor, path)


def test_tuspy_continues_over_a_connection_that_breaks(services, line, uploader, actor, tmp_path):
    path = file_of(tmp_path, 40 * MIB + 1, "cut.fastq")
    line.cuts, line.away = [11 * MIB, 23 * MIB], 0.2
    uploader(line.port, path, chunk_size=8 * MIB, retries=30, retry_delay=0.1).upload()
    assert line.cuts == []
    assert line.carried < 60 * MIB  # what had arrived was not sent again
    assert registered(services, actor, path)


def test_tuspy_sends_corrupted_bytes_again(services, line, uploader, actor, tmp_path):
    path = tmp_path / "spoiled.fastq"
    path.write_bytes(b"A" * 3000 + b"spoil me" + b"C" * 3000)
    line.spoiled = [b"spoil me"]
    with pytest.raises(TusUploadFailed) as failure:
        uploader(line.port, path, chunk_size=MIB, upload_checksum=True).upload()
    assert failure.value.status_code == 460
    assert services.files.list(actor, text=path.name).items == []
    line.spoiled = [b"spoil me"]
    uploader(
        line.port, path, chunk_size=MIB, upload_checksum=True, retries=1, retry_delay=0.1
    ).upload()
    assert registered(services, actor, path)


def test_kill_9_in_the_middle_loses_nothing(services, servers, uploader, actor, tmp_path):
    path = file_of(tmp_path, 64 * MIB + 7, "killed.fastq")
    port, uploads = servers.settings.api_port, services.settings.data / "files" / "uploads"
    sender = uploader(port, path, chunk_size=2 * MIB, retries=200, retry_delay=0.1)
    sending = threading.Thread(target=sender.upload, daemon=True)
    sending.start()
    for size in (8, 32):
        until(lambda size=size: any(p.stat().st_size > size * MIB for p in uploads.glob("*")))
        servers.kill("api")
        servers.start("api")
    until(lambda: not sending.is_alive())
    assert registered(services, actor, path)


def test_large_chunk_is_received_in_constant_memory(services, servers, actor):
    size, block = 200, os.urandom(MIB)
    port = servers.settings.api_port
    upload = services.uploads.create(actor, size=size * MIB, name="large.bin")
    before = peak = servers.memory("api")

    def blocks():
        nonlocal peak
        for number in range(size):
            yield block
            if number % 10 == 0:
                peak = max(peak, servers.memory("api"))

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(size * MIB),
    }
    connection.request("PATCH", f"/uploads/{upload.id}", blocks(), headers)
    reply = connection.getresponse()
    assert reply.status == 204
    peak = max(peak, servers.memory("api"))
    connection.close()
    assert services.files.get(actor, reply.headers["Rundesk-File"]).size == size * MIB
    assert peak - before < 32 * MIB
