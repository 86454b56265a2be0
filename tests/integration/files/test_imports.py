"""Imports from a host and from the inbox, and their progress."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.access.actors import local_actor
from services.bootstrap import build
from services.errors import Conflict, Forbidden, Invalid, NotFound
from services.files.importer import LEASE, MAX_ATTEMPTS, MAX_IMPORTS_AT_ONCE, Importer
from services.files.imports import MAX_UNFINISHED_PER_OWNER, Imports
from services.models import Actor, ImportRequest, Scope, State
from services.settings import HERE, MIB
from tests.helpers import web_host
from tests.helpers.desk import environment
from tests.helpers.waiting import PATIENCE, until
from tests.helpers.web_host import send

ANN, BEN = Actor(id="ann"), Actor(id="ben")


@pytest.fixture
def host():
    with web_host.serving() as found:
        yield found


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def services(settings, database, inbox, host):
    """Services whose fetcher may connect to the test's own host."""
    built = build(replace(settings, inbox=str(inbox), max_upload=4), patience=20)
    fetcher = host.fetcher()
    imports = Imports(built.database, built.files, fetcher, built.inbox)
    yield replace(built, fetcher=fetcher, imports=imports)
    built.close()


@pytest.fixture
def importer(services):
    return importer_of(services)


def importer_of(services, name="here"):
    parts = (services.database, services.files, services.fetcher, services.inbox)
    return Importer(*parts, host=name)


def done(services, importer, made, actor=ANN):
    """An import, once it has finished."""
    importer.tick(datetime.now(UTC))
    return until(lambda: found if (found := services.imports.get(actor, made.id)).ended else None)


def put(inbox, path, content=b"@r\nA\n+\nI\n", age=60.0):
    place = inbox / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    os.utime(place, (time.time() - age,) * 2)
    return place


def drafts(services):
    return list((services.settings.data / "files" / "incoming").glob("*"))


# ---- from an address ------------------------------------------------------------------------


def test_import_of_an_address_becomes_a_file(services, importer, host):
    content = os.urandom(2 * MIB)
    made = services.imports.create(ANN, ImportRequest(url=host.file("/r/a%20b.fastq", content)))
    assert (made.state, made.name, made.received) == (State.QUEUED, "a b.fastq", 0)
    over = done(services, importer, made)
    assert (over.state, over.error) == (State.COMPLETE, None)
    assert (over.size, over.received) == (len(content), len(content))
    file = services.files.get(ANN, over.file)
    assert (file.name, file.kind, file.size) == ("a b.fastq", "fastq", len(content))
    assert services.files.path(ANN, file.id).read_bytes() == content
    assert drafts(services) == []


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (lambda asked: send(asked, 404, b""), "404"),
        (lambda asked: send(asked, 200, b"half", **{"Content-Length": "8"}), "4 of 8 bytes"),
        (lambda asked: send(asked, 200, b"", **{"Content-Length": str(5 * MIB)}), "4 MiB"),
        (lambda asked: send(asked, 302, b"", Location="http://127.0.0.1/"), "127.0.0.1"),
    ],
)
def test_failed_import_has_the_reason_and_leaves_nothing(services, importer, host, page, reason):
    host.pages["/a"] = page
    made = services.imports.create(ANN, ImportRequest(url=host.url("/a")))
    over = done(services, importer, made)
    assert over.state is State.EXECUTOR_ERROR
    assert reason in over.error
    assert over.file is None
    assert services.files.list(ANN).items == []
    assert drafts(services) == []


def test_import_that_is_not_allowed_is_refused_at_once(services):
    for request in (
        ImportRequest(url="https://elsewhere.example/a"),
        ImportRequest(url="https://elsewhere.example/a", inbox="a"),
        ImportRequest(),
        ImportRequest(url=services.fetcher.hosts[0]),
        ImportRequest(url=f"http://{services.fetcher.hosts[0]}/a", name="a\nb"),
        ImportRequest(url=f"http://{services.fetcher.hosts[0]}/a%0Ab"),
    ):
        with pytest.raises(Invalid):
            services.imports.create(ANN, request)
    reader = Actor(id="ann", token=Scope.READ)
    with pytest.raises(Forbidden):
        services.imports.create(reader, ImportRequest(url=f"http://{services.fetcher.hosts[0]}/a"))
    assert services.imports.list(local_actor()).items == []


def test_imports_of_others_are_not_found(services, host):
    made = services.imports.create(ANN, ImportRequest(url=host.url("/a")))
    assert services.imports.list(BEN).items == []
    for call in (services.imports.get, services.imports.delete):
        with pytest.raises(NotFound):
            call(BEN, made.id)
    assert services.imports.list(local_actor()).items == [made]


def test_create_above_the_limit_of_an_owner_is_refused(services, host):
    for _ in range(MAX_UNFINISHED_PER_OWNER):
        services.imports.create(ANN, ImportRequest(url=host.url("/a")))
    with pytest.raises(Conflict):
        services.imports.create(ANN, ImportRequest(url=host.url("/a")))
    services.imports.create(BEN, ImportRequest(url=host.url("/a")))


@pytest.fixture
def slow(host):
    """/slow sends the first of two bytes at once and the second when `go_on` is set."""
    begun, go_on = threading.Event(), threading.Event()

    def page(asked):
        asked.send_response(200)
        asked.send_header("Content-Length", "2")
        asked.end_headers()
        asked.wfile.write(b"a")
        begun.set()
        go_on.wait(30)
        asked.wfile.write(b"b")

    host.pages["/slow"] = page
    yield begun, go_on
    go_on.set()


def test_tick_runs_a_limited_number_of_imports_and_stores_progress(services, importer, host, slow):
    made = [
        services.imports.create(ANN, ImportRequest(url=host.url("/slow"), name=f"{number}.txt"))
        for number in range(MAX_IMPORTS_AT_ONCE + 1)
    ]
    assert importer.tick(datetime.now(UTC)) == MAX_IMPORTS_AT_ONCE
    assert importer.tick(datetime.now(UTC)) == 0
    until(lambda: services.imports.get(ANN, made[0].id).received == 1)
    states = [services.imports.get(ANN, one.id).state for one in made]
    assert states == [State.RUNNING] * MAX_IMPORTS_AT_ONCE + [State.QUEUED]
    slow[1].set()
    until(
        lambda: (
            importer.tick(datetime.now(UTC)) or host.asked.count("/slow") == MAX_IMPORTS_AT_ONCE + 1
        )
    )
    for one in made:
        until(lambda one=one: services.imports.get(ANN, one.id).state is State.COMPLETE)


def test_import_that_is_deleted_stops_and_leaves_nothing(
    services, importer, host, slow, monkeypatch
):
    monkeypatch.setattr("services.files.importer.PROGRESS_INTERVAL_S", 0.0)
    begun, go_on = slow
    made = services.imports.create(ANN, ImportRequest(url=host.url("/slow")))
    importer.tick(datetime.now(UTC))
    assert begun.wait(30)
    services.imports.delete(ANN, made.id)
    go_on.set()
    until(lambda: not drafts(services) and importer._places._value == MAX_IMPORTS_AT_ONCE)
    assert services.files.list(ANN).items == []
    with pytest.raises(NotFound):
        services.imports.get(ANN, made.id)


def test_import_of_a_killed_runner_is_restarted_a_limited_number_of_times(services, host):
    url, now = host.file("/a", b"x"), datetime.now(UTC)
    store = services.database.imports
    made = services.imports.create(ANN, ImportRequest(url=url))
    old = store.claim(host="here", now=now, lease=LEASE)
    importer_of(services, "there").tick(now)  # it is somebody else's, and lives
    assert services.imports.get(ANN, made.id).attempts == 1
    over = done(services, importer_of(services, "here"), made)  # the same host, begun anew
    assert (over.state, over.attempts) == (State.COMPLETE, 2)
    late = {"file": "0" * 24, "name": "a", "size": 1}
    assert not store.finish(old, **late, now=now)  # changes nothing
    assert not store.renew(old, received=1, size=1, until=now)

    made = services.imports.create(ANN, ImportRequest(url=url))
    for number in range(MAX_ATTEMPTS):
        assert store.claim(host="gone", now=now, lease=timedelta()).item.attempts == number + 1
        now += timedelta(seconds=1)
        store.release(now=now, most=MAX_ATTEMPTS, error="stopped")
    over = services.imports.get(ANN, made.id)
    assert (over.state, over.error) == (State.SYSTEM_ERROR, "stopped")


RUNNER = """
import sys, time
from datetime import UTC, datetime
from services.bootstrap import build
from services.files.downloads import Fetcher
from services.files.importer import Importer
from services.settings import Settings

services = build(Settings.load(), patience=20)
fetcher = Fetcher((sys.argv[1],), trusted=lambda address: True)
importer = Importer(services.database, services.files, fetcher, services.inbox, host="here")
importer.tick(datetime.now(UTC))
time.sleep(3600)
"""


def test_import_of_a_runner_killed_while_receiving_leaves_no_partial_file(services, host, slow):
    begun, go_on = slow
    made = services.imports.create(ANN, ImportRequest(url=host.url("/slow")))
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, f"localhost:{host.port}"],
        cwd=HERE,
        env=environment(services.settings),
    )
    try:
        assert begun.wait(PATIENCE)
        until(lambda: drafts(services))
    finally:
        runner.kill()
        runner.wait()
    (left,) = drafts(services)
    assert services.files.list(ANN).items == []
    go_on.set()

    again = importer_of(services, "here")  # the next runner of that host takes it up at once
    over = done(services, again, made)
    assert (over.state, over.attempts) == (State.COMPLETE, 2)
    (file,) = services.files.list(ANN).items
    assert services.files.path(ANN, file.id).read_bytes() == b"ab"
    assert drafts(services) == [left]
    services.files.sweep(datetime.now(UTC) + timedelta(days=2))
    assert drafts(services) == []


# ---- from the inbox -------------------------------------------------------------------------


def test_file_of_the_inbox_is_registered_without_copying(services, importer, inbox):
    place = put(inbox, "ann/run 1/a.fastq.gz")
    made = services.imports.create(ANN, ImportRequest(inbox="ann/run 1/a.fastq.gz"))
    over = done(services, importer, made)
    assert (over.state, over.error, over.name) == (State.COMPLETE, None, "a.fastq.gz")
    blob = services.files.path(ANN, over.file)
    assert blob.read_bytes() == place.read_bytes()
    if blob.stat().st_ino == place.stat().st_ino:  # else the file system made a clone
        assert place.stat().st_mode & 0o222 == 0
    assert drafts(services) == []
    services.files.delete(ANN, over.file)
    assert place.exists()


def test_file_above_the_maximum_size_is_refused(services, importer, inbox):
    put(inbox, "a.bin", bytes(4 * MIB + 1))
    made = services.imports.create(local_actor(), ImportRequest(inbox="a.bin"))
    over = done(services, importer, made, local_actor())
    assert (over.state, "4 MiB" in over.error) == (State.EXECUTOR_ERROR, True)


def test_file_of_another_file_system_is_copied(services, importer, inbox, monkeypatch):
    place = put(inbox, "a.txt")
    monkeypatch.setattr("services.files.importer._take_over", lambda *_: False)
    made = services.imports.create(local_actor(), ImportRequest(inbox="a.txt", name="b.txt"))
    over = done(services, importer, made, local_actor())
    assert (over.state, over.name, over.received) == (State.COMPLETE, "b.txt", 9)
    assert services.files.path(local_actor(), over.file).stat().st_ino != place.stat().st_ino


def test_file_that_changes_while_it_is_read_is_refused(services, importer, inbox, monkeypatch):
    place = put(inbox, "a.txt", b"x" * 100)
    monkeypatch.setattr(
        "services.files.importer._sha256",
        lambda stream: (
            stream.read(10),
            place.chmod(0o644),
            place.write_bytes(b"y"),
            stream.read(1),
            stream.read(1),
        ),
    )
    made = services.imports.create(local_actor(), ImportRequest(inbox="a.txt"))
    over = done(services, importer, made, local_actor())
    assert over.state is State.EXECUTOR_ERROR
    assert over.error == "The file changed while it was read."
    assert services.files.list(local_actor()).items == []


def test_runner_does_what_is_to_be_imported(desk):
    put(desk.settings.inbox_folder, "a.fastq")
    made = desk.services.imports.create(local_actor(), ImportRequest(inbox="a.fastq"))
    until(lambda: desk.services.imports.get(local_actor(), made.id).state is State.COMPLETE)


def test_inbox_lists_what_may_be_registered(services, inbox, tmp_path):
    put(inbox, "ann/a.fastq", age=30)
    put(inbox, "ann/deep/b.fastq", age=20)
    put(inbox, "ben/c.fastq", age=10)
    put(inbox, "d.fastq", age=60)
    put(inbox, ".hidden/e")
    put(inbox, "ann/.part")
    secret = put(tmp_path, "secret.txt")
    (inbox / "ann" / "link").symlink_to(secret)
    (inbox / "ann" / "out").symlink_to(tmp_path)
    os.mkfifo(inbox / "ann" / "pipe")

    def paths(actor, **given):
        return [file.path for file in services.inbox.list(actor, **given)]

    assert paths(ANN) == ["ann/deep/b.fastq", "ann/a.fastq"]
    assert paths(local_actor())[0] == "ben/c.fastq"
    assert len(paths(local_actor())) == 4
    assert paths(local_actor(), text="A.FAST") == ["ann/a.fastq"]
    assert paths(local_actor(), limit=1) == ["ben/c.fastq"]
    for name in ("..", ".", "", "ann/deep", ".hidden", "nobody"):
        assert paths(Actor(id=name)) == []
    for path in (
        "ann/link",
        "ann/out/secret.txt",
        "ann/pipe",
        "ann/deep",
        "ann",
        "ann/none",
        "ann/../ben/c.fastq",
        "/ann/a.fastq",
        "ann//a.fastq",
        "ann/./a.fastq",
        "ann/.part",
        "ben/c.fastq",
        "d.fastq",
        str(secret),
        "ann/a.fastq\0",
    ):
        with pytest.raises(NotFound):
            services.imports.create(ANN, ImportRequest(inbox=path))
    services.imports.create(ANN, ImportRequest(inbox="ann/a.fastq"))


def test_inbox_files_with_any_names_are_listed_and_registered(services, importer, inbox):
    names = {  # on disk → displayed
        "Müll.fastq".encode("latin-1"): "M\ufffdll.fastq",
        "样品.fastq".encode("gbk"): "\ufffd\ufffd\u01b7.fastq",
        b"odd\nname.fastq": "odd\ufffdname.fastq",
        "zero\u200bwidth.fastq".encode(): "zero\ufffdwidth.fastq",
        "plain ä\u3000.fastq".encode(): "plain ä\ufffd.fastq",
        b"n" * 249 + b".fastq": "n" * 249 + ".fastq",
    }
    folder = os.fsdecode("Läufe".encode("latin-1"))
    for name in names:
        put(inbox, f"ann/{folder}/{os.fsdecode(name)}", content=name)
    paths = {file.path for file in services.inbox.list(ANN)}
    assert paths == {f"ann/L\ufffdufe/{name}" for name in names.values()}
    for name, displayed in names.items():
        path = f"ann/L\ufffdufe/{displayed}"
        made = services.imports.create(ANN, ImportRequest(inbox=path))
        over = done(services, importer, made)
        assert (over.state, over.name) == (State.COMPLETE, displayed)
        assert services.files.path(ANN, over.file).read_bytes() == name


def test_inbox_files_that_are_displayed_alike_are_not_mixed_up(services, inbox):
    for name in (b"a\xe4.txt", b"a\xf6.txt", b"b\xf6.txt"):
        put(inbox, os.fsdecode(name), content=name)
    assert len(services.inbox.list(local_actor())) == 3
    with pytest.raises(Conflict, match="Several files in the inbox are displayed as a"):
        services.imports.create(local_actor(), ImportRequest(inbox="a\ufffd.txt"))
    services.imports.create(local_actor(), ImportRequest(inbox="b\ufffd.txt"))
    for path in ("c\ufffd.txt", "\ufffd/a", "\ufffd\ufffd/\ufffd"):
        with pytest.raises(NotFound):
            services.imports.create(local_actor(), ImportRequest(inbox=path))


def test_file_that_was_written_a_moment_ago_is_not_taken_yet(services, inbox):
    put(inbox, "a.txt", age=0)
    with pytest.raises(Conflict):
        services.imports.create(local_actor(), ImportRequest(inbox="a.txt"))


def test_desk_without_inbox_has_no_files_there(settings, database):
    built = build(settings)
    assert built.inbox.list(local_actor()) == []
    with pytest.raises(NotFound):
        built.imports.create(local_actor(), ImportRequest(inbox="a.txt"))
    built.close()


def test_drafts_of_killed_processes_are_removed(services):
    with services.files.incoming() as draft:
        draft.write_bytes(b"x")
        now = datetime.now(UTC)
        assert services.files.sweep(now) == 0
        assert services.files.sweep(now + timedelta(days=2)) == 1
        assert not draft.exists()
