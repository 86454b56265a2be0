"""Drafts of several users, on a real database."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from pymongo import MongoClient

from services.access.actors import local_actor
from services.bootstrap import build
from services.errors import Forbidden, Invalid
from services.models import Actor, Scope, TokenRequest
from services.runs import drafts
from tests.helpers.api import write_workflow

ANN, BEN, ROOT = Actor(id="ann"), Actor(id="ben"), Actor(id="root", admin=True)
CONTENT = {
    "params": {"depth": 3, "$where": "sleep(1000)", "a.b": {"$gt": ""}, "__proto__": [1]},
    "sheets": {"samples": [{"sample": "a", "$set": {"x.y": None}}]},
    "files": {"reads": "0" * 24},
    "name": "Heat shock",
    "tags": ["march"],
    "retries": 2,
    "priority": -1,
}


@pytest.fixture(scope="module")
def services(module_services):
    return module_services


@pytest.fixture(scope="module")
def collection(services):
    with MongoClient(services.settings.uri) as client:
        yield client[services.settings.database].drafts


@pytest.fixture
def service(services, collection):
    """The drafts of an installation that has none yet."""
    collection.delete_many({})
    return services.drafts


def digest(services):
    return services.workflows.get(ANN, "demo").digest


def test_save_then_get_returns_content_with_any_keys(services, service, collection):
    before = datetime.now(UTC)
    saved = service.save(ANN, "demo", CONTENT, digest=digest(services))
    assert service.get(ANN, "demo") == saved
    assert (saved.workflow, saved.digest, saved.content) == ("demo", digest(services), CONTENT)
    assert before - timedelta(milliseconds=1) <= saved.saved <= datetime.now(UTC)
    (document,) = collection.find()
    assert isinstance(document["content"], str)


def test_get_after_a_restart_returns_the_draft(services, service):
    saved = service.save(ANN, "demo", CONTENT)
    other = build(services.settings, patience=20)
    assert other.drafts.get(ANN, "demo") == saved
    other.close()


def test_get_by_another_user_or_administrator_is_none(service):
    saved = service.save(ANN, "demo", CONTENT)
    for actor in (BEN, ROOT, Actor(id="ann", token=Scope.READ)):
        assert service.get(actor, "demo") is None
    for actor in (BEN, ROOT):
        service.save(actor, "demo", {"of": actor.id})
        service.discard(actor, "demo")
    assert service.get(ANN, "demo") == saved


def test_save_by_another_session_replaces_the_draft(service, collection):
    service.save(ANN, "demo", {"tab": 1})
    service.save(Actor(id="ann", token=Scope.SUBMIT, token_id="0" * 24), "demo", {"tab": 2})
    assert service.get(ANN, "demo").content == {"tab": 2}
    assert collection.count_documents({}) == 1


def test_save_same_content_writes_nothing(service):
    first = service.save(ANN, "demo", CONTENT)
    again = service.save(ANN, "demo", CONTENT)
    assert again == first == service.get(ANN, "demo")


def test_discard_deletes_the_draft_and_is_repeatable(service):
    service.save(ANN, "demo", CONTENT)
    service.discard(ANN, "demo")
    service.discard(ANN, "demo")
    assert service.get(ANN, "demo") is None
    assert service.save(ANN, "demo", CONTENT) == service.get(ANN, "demo")


@pytest.mark.parametrize("value", ["\0", "\ud800", "a\udfffb"])
def test_save_nul_or_surrogates_is_refused_and_keeps_the_earlier_draft(service, value):
    saved = service.save(ANN, "demo", CONTENT)
    for content in ({"a": value}, {value: 1}):
        with pytest.raises(Invalid):
            service.save(ANN, "demo", content)
    assert service.get(ANN, "demo") == saved


def test_draft_outlives_its_token_and_is_found_with_a_new_one(services, service):
    token = services.tokens.create(
        local_actor(), TokenRequest(name="n", owner="ann", scope=Scope.SUBMIT)
    )
    saved = service.save(services.tokens.actor_of(f"Bearer {token.secret}"), "demo", CONTENT)
    services.tokens.revoke(local_actor(), token.id)
    again = services.tokens.create(
        local_actor(), TokenRequest(name="n", owner="ann", scope=Scope.SUBMIT)
    )
    actor = services.tokens.actor_of(f"Bearer {again.secret}")
    assert service.get(actor, "demo") == saved


def test_draft_of_a_deleted_file_still_loads(services, service):
    file = services.files.register(ANN, "a.fastq", io.BytesIO(b"@"))
    content = {"params": {"reads": file.id}}
    service.save(ANN, "demo", content)
    services.files.delete(ANN, file.id)
    assert service.get(ANN, "demo").content == content


def test_draft_of_a_changed_workflow_still_loads_with_its_digest(services, service):
    before = digest(services)
    saved = service.save(ANN, "demo", CONTENT)
    folder = services.workflows.folder("demo")
    write_workflow(folder, {"workflow/rules.smk": "# changed\n"})
    assert digest(services) != before
    assert service.get(ANN, "demo") == saved
    assert saved.digest == before
    assert service.save(ANN, "demo", CONTENT).digest == digest(services)


def test_more_drafts_than_allowed_delete_the_oldest(services, service, collection, monkeypatch):
    monkeypatch.setattr(drafts, "MAX_DRAFTS_PER_OWNER", 2)
    for name in ("w1", "w2", "w3"):
        write_workflow(services.settings.workflows[0] / name)
    service.save(BEN, "w1", {})
    service.save(ANN, "w1", {})
    back = {"$set": {"saved": datetime.now(UTC) - timedelta(hours=1)}}
    collection.update_one({"_id": {"owner": "ann", "workflow": "w1"}}, back)
    service.save(ANN, "w2", {})
    service.save(ANN, "w3", {})
    assert [service.get(ANN, name) is None for name in ("w1", "w2", "w3")] == [True, False, False]
    assert service.get(BEN, "w1") is not None


def test_read_only_actor_may_not_save_or_discard(service):
    reader = Actor(id="ann", token=Scope.READ)
    saved = service.save(ANN, "demo", CONTENT)
    with pytest.raises(Forbidden):
        service.save(reader, "demo", {})
    with pytest.raises(Forbidden):
        service.discard(reader, "demo")
    assert service.get(ANN, "demo") == saved
