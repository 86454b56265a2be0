"""Imports from URLs and from the server on the Files page, shown where they are allowed."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.files.importer import Importer
from services.models import ImportRequest, State
from tests.helpers.waiting import until

HOSTILE = "![x](evil) <img src=x>.txt"


@pytest.fixture
def settings(settings, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return replace(settings, import_hosts=("files.example.org",), inbox=str(inbox))


@pytest.fixture
def put(tmp_path):
    def make(name, content=b"content"):
        place = tmp_path / "inbox" / name
        place.write_bytes(content)
        os.utime(place, (time.time() - 60,) * 2)

    return make


def field(session, label):
    (found,) = [one for one in (*session.text_input, *session.multiselect) if one.label == label]
    return found


def fetch(session, url):
    field(session, "Import from a URL").input(url)
    return session.button(key="fetch-link").click().run()


def shown(session):
    return [one.proto.text.replace("\\", "") for one in session.get("progress")]


def test_imports_are_hidden_if_none_are_allowed(portal, services, monkeypatch):
    monkeypatch.delenv("RUNDESK_IMPORT_HOSTS")
    monkeypatch.delenv("RUNDESK_INBOX")
    session = portal("files")
    assert not session.exception
    assert [one.label for one in session.text_input] == ["Search"]
    assert not session.multiselect


def test_link_is_queued_shown_and_stopped(portal, services, actor):
    session = fetch(portal("files"), " https://files.example.org/a.fastq ")
    assert not session.exception
    assert shown(session) == ["a.fastq: waiting"]
    assert field(session, "Import from a URL").value == ""
    (item,) = services.imports.list(actor).items
    assert item.url == "https://files.example.org/a.fastq"
    claim = services.database.imports.claim(
        host="h", now=datetime.now(UTC), lease=item.created - item.created
    )
    services.database.imports.renew(claim, received=500, size=2000, until=datetime.now(UTC))
    assert shown(session.run()) == ["a.fastq: 500 B of 2.0 kB"]
    session.button(key=f"end-{item.id}").click().run()
    assert shown(session) == []
    assert services.imports.list(actor).items == []


def test_link_that_is_not_allowed_is_refused_and_kept(portal, services, actor):
    session = fetch(portal("files"), "http://127.0.0.1/secret")
    text = session.error[0].value.replace("\\", "")
    assert "Imports from 127.0.0.1, port 80, are not allowed." in text
    assert field(session, "Import from a URL").value == "http://127.0.0.1/secret"
    fetch(session, "")
    assert "Invalid URL" in session.error[0].value
    assert services.imports.list(actor).items == []


def test_failed_import_says_why_until_it_is_dismissed(portal, services, actor):
    request = ImportRequest(url="https://files.example.org/a", name=HOSTILE)
    item = services.imports.create(actor, request)
    store, now = services.database.imports, datetime.now(UTC)
    claim = store.claim(host="h", now=now, lease=now - now)
    store.fail(claim, State.EXECUTOR_ERROR, error="It answered 404.", hint="Look.", now=now)
    session = portal("files")
    assert session.error[0].value.replace("\\", "") == f"{HOSTILE}: It answered 404. Look."
    assert "![x](" not in session.error[0].value
    session.button(key=f"end-{item.id}").click().run()
    assert not session.error


def test_file_of_the_server_is_added(portal, services, actor, put):
    put("reads.fastq")
    put(HOSTILE)
    session = portal("files")
    choice = field(session, "Files on the server")
    assert len(choice.options) == 2
    assert session.button(key="add-inbox").disabled
    choice.select("reads.fastq").run()
    session.button(key="add-inbox").click().run()
    assert not session.exception
    parts = (services.database, services.files, services.fetcher, services.inbox)
    Importer(*parts, host="here").tick(datetime.now(UTC))
    until(lambda: services.files.list(actor).items)
    until(lambda: not [one for one in services.imports.list(actor).items if not one.ended])
    session.run()
    assert list(session.dataframe[0].value["Name"]) == ["reads.fastq"]
    assert shown(session) == []
