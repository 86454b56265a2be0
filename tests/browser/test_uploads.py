"""Uploads from the browser to the API: interrupted, after a reload, whole folders."""

from __future__ import annotations

import filecmp
import os
import re
import secrets
import time

import pytest
from playwright.sync_api import expect
from pymongo import MongoClient

from services.settings import Settings
from tests.helpers.flaky_proxy import line_to
from tests.helpers.processes import serving
from tests.helpers.waiting import free_port, until

MIB = 2**20
BOX = ".st-key-upload-files"
MAX_GROWTH_BYTES = 64 * MIB  # of the memory of portal and API


@pytest.fixture(scope="module")
def whole(mongod, tmp_path_factory):
    """An installation for all these tests, and the connection from the browser to its API."""
    folder, port = tmp_path_factory.mktemp("desk"), free_port()
    with line_to(port) as line:
        settings = Settings(
            data=folder / "data",
            mongodb_uri=mongod,
            database=f"rundesk_test_{secrets.token_hex(6)}",
            api_port=port,
            portal_port=free_port(),
            api_url=f"http://127.0.0.1:{line.port}",
        )
        with serving(settings, folder, "api", "portal") as desk:
            yield desk, line
    with MongoClient(mongod) as client:
        client.drop_database(settings.database)


@pytest.fixture
def desk(whole):
    return whole[0]


@pytest.fixture
def settings(desk):
    return desk.settings


@pytest.fixture
def line(whole):
    line = whole[1]
    line.carried, line.cuts, line.away = 0, [], 0.0
    return line


def large(folder, name, size):
    """Create a file of `size` MiB in which no two blocks are the same."""
    path, block = folder / name, os.urandom(MIB - 8)
    with path.open("wb") as file:
        for number in range(size):
            file.write(number.to_bytes(8) + block)
    return path


@pytest.fixture
def slow(window):
    """A function that limits the upload rate of the page, in bytes per second."""
    session = window.page.context.new_cdp_session(window.page)
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}

    def limit(rate):
        session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": rate})

    yield limit
    limit(-1)
    session.detach()


def open_files(window):
    page = window.open("/files")
    expect(page.locator(f"{BOX} .choose")).to_be_visible()
    return page


def send(page, *paths, box=BOX):
    page.locator(f"{box} input.files").set_input_files(list(paths))


def registered(services, actor, path):
    """Whether the registered file of that name has the same content."""
    (file,) = services.files.list(actor, text=path.name).items
    return filecmp.cmp(services.files.path(actor, file.id), path, shallow=False)


@pytest.mark.parametrize("size", [100, pytest.param(300, marks=pytest.mark.long)])  # MiB
def test_large_upload_interrupted_twice_arrives_complete_in_constant_memory(
    window, desk, line, services, actor, tmp_path, size
):
    path = large(tmp_path, "long.fastq", size)
    page = open_files(window)
    line.cuts, line.away = [size * 3 // 10 * MIB, size * 2 // 3 * MIB], 0.7
    before = {name: desk.memory(name) for name in ("api", "portal")}
    peak = dict(before)
    send(page, path)
    while not services.files.list(actor, text=path.name).items:
        peak = {name: max(peak[name], desk.memory(name)) for name in peak}
        page.wait_for_timeout(100)
    expect(page.locator(f"{BOX} .outcome")).to_have_text("Uploaded.")
    assert line.cuts == []
    assert line.carried < (size + 40) * MIB  # two slices at most were sent again
    assert registered(services, actor, path)
    assert {name: peak[name] - before[name] < MAX_GROWTH_BYTES for name in peak} == {
        "api": True,
        "portal": True,
    }
    expect(page.locator(".st-key-files-table")).to_be_visible()


def test_upload_continues_after_reload_when_the_file_is_chosen_again(
    window, slow, line, services, actor, tmp_path
):
    path = large(tmp_path, "reloaded <b>.fastq", 48)
    page = open_files(window)
    slow(8 * MIB)
    send(page, path)
    until(lambda: page.wait_for_timeout(50) or line.carried > 20 * MIB)
    page.reload()
    slow(-1)
    row = page.locator(f"{BOX} li")
    expect(row).to_contain_text("Choose the same file again to continue")
    expect(row.locator(".name")).to_have_text(path.name)
    had = line.carried
    send(page, path)
    expect(page.locator(f"{BOX} .outcome")).to_have_text("Uploaded.")
    assert line.carried - had < 40 * MIB
    assert registered(services, actor, path)
    expect(row).to_have_count(0)


def test_upload_continues_after_pause_on_another_page_and_after_api_restart(
    window, slow, desk, line, services, actor, tmp_path
):
    path = large(tmp_path, "paused.fasta", 40)
    page = open_files(window)
    slow(4 * MIB)
    send(page, path)
    page.get_by_role("button", name="Pause paused.fasta").click()
    expect(page.locator(f"{BOX} li")).to_contain_text("Paused")
    page.wait_for_timeout(300)
    had = line.carried
    page.wait_for_timeout(500)
    assert line.carried - had < MIB  # at most checks of the connection
    slow(-1)
    desk.stop("api")
    page.get_by_role("button", name="Resume: paused.fasta").press("Enter")
    expect(page.locator(f"{BOX} li")).to_contain_text("No connection to the server")
    page.get_by_role("link", name="New run").first.click()  # the upload continues there
    expect(page.get_by_role("heading", name="New run")).to_be_visible()
    desk.start("api")
    until(lambda: page.wait_for_timeout(100) or services.files.list(actor, text="paused").items)
    assert registered(services, actor, path)
    page.get_by_role("link", name="Files").first.click()
    expect(page.locator(f"{BOX} .outcome")).to_have_text("Uploaded.")


def test_expired_link_is_renewed(window, services, actor, tmp_path):
    path = large(tmp_path, "late.fasta", 1)
    page = open_files(window)
    opened = int(time.time())
    until(lambda: int(time.time()) > opened)  # a link of the same second would be the same link
    page.evaluate("rundeskUploads.link.query = '?actor=local&expires=1&signature=0'")
    send(page, path)
    expect(page.locator(f"{BOX} .outcome")).to_have_text("Uploaded.")
    assert registered(services, actor, path)
    assert [line.partition(":")[0] for line in window.complaints] == ["answer 401"]
    window.complaints.clear()


def test_folder_is_uploaded_listed_opened_and_deleted(window, services, actor, tmp_path):
    folder = tmp_path / "run 7"
    (folder / "deep").mkdir(parents=True)
    (folder / "reads.fastq").write_text("@r1\nACGT\n+\nIIII\n")
    (folder / "deep" / "table.tsv").write_text("sample\tcount\nx\t3\n")
    (folder / ".hidden").write_text("no")
    page = open_files(window)
    page.locator(f"{BOX} input.folders").set_input_files(folder)
    expect(page.locator(f"{BOX} .outcome")).to_have_text("2 files uploaded.")
    names = {file.name for file in services.files.list(actor, text="run 7").items}
    assert names == {"run 7/reads.fastq", "run 7/deep/table.tsv"}

    page.get_by_placeholder("Search names").fill("reads")
    page.get_by_placeholder("Search names").press("Enter")
    expect(page).to_have_url(re.compile("find=reads"))
    expect(page.get_by_text("1 file. Click a file")).to_be_visible()
    table = page.locator(".st-key-files-table .dvn-scroller")
    table.click(position={"x": 60, "y": 55})
    expect(page.locator(".st-key-file")).to_contain_text("@r1")
    expect(page.locator(".st-key-file")).to_contain_text("No runs use this file.")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.path().read_text() == (folder / "reads.fastq").read_text()
    page.get_by_role("button", name="Delete").click()
    page.locator(".st-key-delete-file-yes button").click()
    expect(page.get_by_text("No matching files")).to_be_visible()
    assert len(services.files.list(actor, text="run 7").items) == 1


def test_file_with_another_ending_is_refused_next_to_the_field(window, line, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG" * MIB)
    page = window.open("/new?workflow=sequence-search")
    field = ".st-key-upload-field-queries"
    expect(page.locator(f"{field} .choose")).to_be_visible()
    had = line.carried
    send(page, path, box=field)
    expect(page.locator(f"{field} li.failed")).to_contain_text(
        "Only files that end in .fa, .fasta, .faa"
    )
    assert line.carried - had < MIB  # at most checks of the connection
    page.get_by_role("button", name="Remove picture.png").click()
    expect(page.locator(f"{field} li")).to_have_count(0)
