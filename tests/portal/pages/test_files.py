from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime, timedelta

import pytest

from tests.helpers.upload_box import arrive, data

pytestmark = pytest.mark.usefixtures("services")

HOSTILE = "![x](http://evil.example/x.png) <img src=x> :material/bolt:.txt"


@pytest.fixture
def register(services, actor):
    def make(name, content=b"content", age=0):
        """A registered file, `age` minutes old."""
        file = services.files.register(actor, name, io.BytesIO(content + name.encode()))
        created = datetime.now(UTC) - timedelta(minutes=age)
        services.database.files._files.update_one({"name": name}, {"$set": {"created": created}})
        return file

    return make


def names(session):
    return list(session.dataframe[0].value["Name"]) if session.dataframe else []


def confirm(session, answer):
    """Answer the dialog, which a browser keeps open and AppTest draws once."""
    session.button(key="delete").click().run()
    session.button(key="delete").click()
    return session.button(key=f"delete-file-{answer}").click().run()


def texts(session):
    return [text.value.replace("\\", "") for text in (*session.markdown, *session.caption)]


def test_page_without_files_offers_the_uploader(portal):
    session = portal("files")
    assert not session.exception
    assert any("No files yet" in text for text in texts(session))
    box = data(session, "files")
    assert (box["many"], box["all"], box["pattern"]) == (True, True, None)


def test_files_are_listed_with_what_uses_them(portal, register, scenes, services, actor):
    register("old.fastq", age=5)
    run = scenes.waiting(workflow="shapes")
    session = portal("files")
    table = session.dataframe[0].value
    assert list(table["Name"]) == ["table.tsv", "old.fastq"]
    assert list(table["Kind"]) == ["table", "fastq"]
    assert list(table["Used by"]) == ["1 run", "–"]
    assert table["sha256"][0] == services.files.get(actor, run.inputs[0].file).sha256
    assert "Owner" not in table.columns or len(table.columns) == 7


def test_search_and_kind_come_from_the_url(portal, register):
    for name in ("a.fastq", "b.fastq", "a.tsv"):
        register(name)
    assert names(portal("files", find="A.", kind="fastq")) == ["a.fastq"]
    session = portal("files", find="nothing")
    assert any("No matching files" in text for text in texts(session))


def test_pages_lead_to_older_files_and_back(portal, register):
    for number in range(52):
        register(f"{number}.txt", age=number)
    session = portal("files")
    assert len(names(session)) == 50
    session.button(key="older").click().run()
    assert names(session) == ["50.txt", "51.txt"]
    session.button(key="newest").click().run()
    assert names(session)[0] == "0.txt"


def test_page_token_of_another_installation_shows_the_newest_files(portal, register):
    register("a.txt")
    session = portal("files", after="nonsense")
    assert names(session) == ["a.txt"]


def test_upload_brings_the_newest_page(portal, register):
    for number in range(52):
        register(f"{number}.txt", age=number + 1)
    session = portal("files")
    session.button(key="older").click().run()
    file = register("new.txt")
    arrive(session, "files", ("upload-1", file.id))
    assert names(session)[0] == "new.txt"
    assert data(session, "files")["taken"] == ["upload-1"]


def test_chosen_file_shows_its_head_and_its_runs(portal, scenes):
    run = scenes.waiting(workflow="shapes", name="first [look](http://evil.example)")
    session = portal("files", file=run.inputs[0].file)
    assert not session.exception
    shown = texts(session)
    assert "#### table.tsv" in shown
    assert "**Used by 1 run**" in shown
    (link,) = session.get("page_link")[-1:]
    assert link.proto.label.replace("\\", "").startswith("first [look]")
    assert run.id in link.proto.query_string
    assert list(session.dataframe[1].value.columns) == ["a", "b"]  # the table inside
    (download,) = [node for node in session.get("link_button") if node.proto.label == "Download"]
    assert f"/api/v1/files/{run.inputs[0].file}/content?" in download.proto.url


@pytest.mark.parametrize(
    ("name", "content", "seen"),
    [
        ("reads.fastq.gz", gzip.compress(b"@r1\nACGT\n+\nIIII\n", mtime=0), "@r1"),
        ("seq.fasta", b">q1\nMKT\n", ">q1"),
        ("calls.vcf", b"##fileformat=VCFv4.2\n", "##fileformat"),
        ("broken.fastq.gz", b"no gzip", None),
        ("binary.bam", b"BAM\0\1\2", None),
        ("book.xlsx", b"PK\3\4\0\0", None),
        ("data.bin", b"\0\1", None),
        ("page.html", b"<script>alert(1)</script>", None),
    ],
)
def test_head_is_shown_of_what_is_text(portal, services, actor, name, content, seen):
    file = services.files.register(actor, name, io.BytesIO(content))
    session = portal("files", file=file.id)
    assert not session.exception
    codes = [code.value for code in session.code if not code.value.startswith("sha256 ")]
    assert [seen in code for code in codes] == ([True] if seen else [])


def test_svg_that_names_a_path_does_not_open_it(portal, services, actor, tmp_path):
    secret = tmp_path / "secret.svg"
    secret.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    for number, text in enumerate((str(secret), "http://127.0.0.1:1/x.svg", "<svg")):
        file = services.files.register(actor, f"{number}.svg", io.BytesIO(text.encode()))
        session = portal("files", file=file.id)
        assert not session.exception
        assert not session.get("image")
        assert any("is not a valid SVG document" in shown for shown in texts(session))
        assert "Download" in [node.proto.label for node in session.get("link_button")]


def test_hostile_name_is_shown_as_it_is(portal, register):
    file = register(HOSTILE)
    session = portal("files", file=file.id)
    assert not session.exception
    (head,) = [text.value for text in session.markdown if text.value.startswith("#### ")]
    assert "![" not in head
    assert "\\<img" in head
    assert names(session) == [HOSTILE]


def test_delete_asks_first(portal, register, services, actor):
    file = register("gone.txt")
    session = portal("files", file=file.id)
    confirm(session, "no")
    assert len(services.files.list(actor).items) == 1
    confirm(session, "yes")
    assert services.files.list(actor).items == []
    assert "file" not in session.query_params


def test_delete_of_a_file_in_use_is_refused(portal, scenes, services, actor):
    run = scenes.waiting(workflow="shapes")
    session = portal("files", file=run.inputs[0].file)
    confirm(session, "yes")
    assert "1 run uses this file" in session.error[0].value.replace("\\", "")
    assert len(services.files.list(actor).items) == 1


def test_file_that_is_gone_is_left_out(portal, services, actor, register):
    session = portal("files", file="0" * 24)
    assert not session.exception
    assert "file" not in session.query_params
    file = register("lost.txt")
    services.files.path(actor, file.id).unlink()
    session = portal("files", file=file.id)
    assert "removed from the disk" in session.warning[0].value
