"""Files on a real database and a real disk."""

from __future__ import annotations

import hashlib
import io

import pytest

from services.errors import Conflict, DatabaseUnavailable, Invalid, NotFound, TooLarge
from services.models import Actor
from tests.helpers.runs import add_run

ANN, BEN, ROOT = Actor(id="ann"), Actor(id="ben"), Actor(id="root", admin=True)


def left_behind(settings):
    """Every file below the folder of files, the lock aside."""
    folder = settings.data / "files"
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]


def put(services, actor, name, content=b">a\nACGT\n"):
    return services.files.register(actor, name, io.BytesIO(content))


def names(services, **wanted):
    return {file.name for file in services.files.list(ANN, **wanted).items}


def test_register_keeps_name_size_checksum_and_bytes(services):
    file = put(services, ANN, "my αβ reads.fasta.gz", b"x" * 3_000_000)
    assert (file.name, file.size, file.kind) == ("my αβ reads.fasta.gz", 3_000_000, "fasta")
    assert file.sha256 == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert services.files.path(ANN, file.id).read_bytes() == b"x" * 3_000_000
    assert services.files.get(ANN, file.id) == file


def test_register_same_content_is_stored_once(services, settings):
    first, second = put(services, ANN, "a.fa"), put(services, BEN, "b.fa")
    assert first.id != second.id
    assert first.sha256 == second.sha256
    assert len(left_behind(settings)) == 1


def test_register_same_name_and_content_again_is_the_same_file(services):
    assert put(services, ANN, "a.fa") == put(services, ANN, "a.fa")


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "a\nb", "x" * 256, "\ud800"])
def test_register_bad_name_is_refused(services, settings, name):
    with pytest.raises(Invalid) as caught:
        put(services, ANN, name)
    assert caught.value.problems[0].field == "name"
    assert left_behind(settings) == []


def test_register_name_is_never_a_path(services, settings):
    file = put(services, ANN, "../../etc/passwd")
    assert file.name == "../../etc/passwd"
    assert services.files.path(ANN, file.id).is_relative_to(settings.data / "files")


def test_register_fewer_bytes_than_announced_leaves_nothing(services, settings):
    with pytest.raises(Invalid, match="ended after 3 of 5 bytes"):
        services.files.register(ANN, "a.fa", io.BytesIO(b"abc"), size=5)
    assert left_behind(settings) == []
    assert services.files.list(ANN).items == []


@pytest.mark.parametrize("announced", [None, 2 * 1024 * 1024])
def test_register_too_large_leaves_nothing(services, settings, announced):
    small = type(services.files)(
        type(settings)(**{**vars(settings), "max_upload": 1}), services.database
    )
    with pytest.raises(TooLarge):
        small.register(ANN, "a.fa", io.BytesIO(b"x" * 2 * 1024 * 1024), size=announced)
    assert left_behind(settings) == []


def test_register_while_the_database_is_away_leaves_nothing(services, settings):
    services.database.close()
    gone = type(services.database)("mongodb://127.0.0.1:1/", "none", patience=0.2)
    try:
        files = type(services.files)(settings, gone)
        with pytest.raises(DatabaseUnavailable):
            files.register(ANN, "a.fa", io.BytesIO(b"abc"))
        assert left_behind(settings) == []
    finally:
        gone.close()


def test_files_of_other_users_are_not_found(services):
    file = put(services, ANN, "a.fa")
    for call in (services.files.get, services.files.path, services.files.delete):
        with pytest.raises(NotFound):
            call(BEN, file.id)
    assert services.files.list(BEN).items == []
    assert services.files.get(ROOT, file.id) == file


@pytest.mark.parametrize("file_id", ["", "x", "0" * 24, {"$ne": ""}, "../x"])
def test_get_of_no_file_is_not_found(services, file_id):
    put(services, ANN, "a.fa")
    with pytest.raises(NotFound):
        services.files.get(ROOT, file_id)


def test_list_pages_through_everything_newest_first(services):
    names = [put(services, ANN, f"{n}.fa").name for n in range(7)]
    seen, after = [], None
    while True:
        page = services.files.list(ANN, after=after, limit=3)
        seen += [file.name for file in page.items]
        after = page.next
        if after is None:
            break
    assert seen == names[::-1]


def test_list_filters_by_text_and_kind(services):
    for name in ("a.fasta", "b.fastq.gz", "ab.*.fastq"):
        put(services, ANN, name)
    assert names(services, text="B.") == {"b.fastq.gz", "ab.*.fastq"}
    assert names(services, text=".*") == {"ab.*.fastq"}
    assert names(services, kind="fasta") == {"a.fasta"}


@pytest.mark.parametrize("token", ["x", "AAAA", "OTk5OTk5OTk5OTk5OTk5OTk5OTo2NWYw", "é"])
def test_list_a_token_we_never_gave_is_refused(services, token):
    with pytest.raises(Invalid) as caught:
        services.files.list(ANN, after=token)
    assert caught.value.problems[0].field == "after"


def test_delete_last_name_of_a_content_frees_the_bytes(services, settings):
    first, second = put(services, ANN, "a.fa"), put(services, BEN, "b.fa")
    services.files.delete(ANN, first.id)
    assert services.files.path(BEN, second.id).exists()
    services.files.delete(BEN, second.id)
    assert left_behind(settings) == []


def test_delete_of_a_file_in_use_is_a_conflict(services):
    file = put(services, ANN, "a.fa")
    add_run(services.database.runs, inputs=[file])
    with pytest.raises(Conflict, match="1 run uses this file"):
        services.files.delete(ANN, file.id)
    assert services.files.path(ANN, file.id).exists()
