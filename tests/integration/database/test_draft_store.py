"""Drafts on a real database: one per owner and workflow, whatever the names and the writers."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pymongo import MongoClient

from services.database.drafts import StoredDraft

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


@pytest.fixture
def store(database):
    return database.drafts


@pytest.fixture
def collection(settings, store):
    with MongoClient(settings.uri) as client:
        yield client[settings.database].drafts


def draft(workflow="demo", content=None, saved=NOW):
    text = json.dumps(content or {})
    return StoredDraft(workflow, digest="a" * 64, content=text, checksum=text, saved=saved)


def saved_at(seconds):
    return NOW + timedelta(seconds=seconds)


def test_put_then_get_returns_the_draft_in_milliseconds(store):
    stored = store.put(
        "ann", draft(content={"a": 1}, saved=NOW + timedelta(microseconds=9)), most=9
    )
    assert stored == draft(content={"a": 1})
    assert store.get("ann", "demo") == stored
    assert store.last_save("ann", "demo") == (stored.checksum, NOW)


def test_get_of_another_owner_or_workflow_is_none(store):
    store.put("ann", draft(), most=9)
    for owner, workflow in (("ben", "demo"), ("ann", "other"), ("", "demo"), ("demo", "ann")):
        assert store.get(owner, workflow) is None
        assert store.last_save(owner, workflow) is None
        store.delete(owner, workflow)
    assert store.get("ann", "demo") is not None


def test_owners_and_workflows_with_separators_have_drafts_of_their_own(store, collection):
    pairs = [("a", "b/c"), ("a/b", "c"), ("a:b", "c"), ("a", "b:c"), ("a b", "c"), ("a", "b c")]
    pairs += [("$ne", "$gt"), ("", "abc"), ("abc", ""), ("a.b", "c"), ("a", "b.c")]
    for number, (owner, workflow) in enumerate(pairs):
        store.put(owner, draft(workflow, {"n": number}), most=9)
    for number, (owner, workflow) in enumerate(pairs):
        assert store.get(owner, workflow) == draft(workflow, {"n": number})
    assert collection.count_documents({}) == len(pairs)


def test_put_of_another_writer_replaces_the_draft(store, collection):
    store.put("ann", draft(content={"first": 1}), most=9)
    store.put("ann", draft(content={"second": 2}, saved=saved_at(1)), most=9)
    assert json.loads(store.get("ann", "demo").content) == {"second": 2}
    assert collection.count_documents({}) == 1


def test_put_of_many_writers_at_once_leaves_one_complete_draft(store, collection):
    barrier, errors = threading.Barrier(8), []

    def write(number):
        barrier.wait()
        try:
            for count in range(10):
                item = draft(content={"writer": number, "count": count}, saved=saved_at(count))
                store.put("ann", replace(item, digest=f"{number:064x}"), most=9)
        except Exception as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    (document,) = collection.find()
    content = json.loads(document["content"])
    assert (document["digest"], content["count"]) == (f"{content['writer']:064x}", 9)


def test_put_of_a_new_draft_deletes_the_one_saved_longest_ago(store):
    for number in range(3):
        store.put("ann", draft(f"w{number}", saved=saved_at(number)), most=3)
    store.put("ben", draft("w0", saved=saved_at(-1)), most=3)
    store.put("ann", draft("w0", saved=saved_at(3)), most=3)  # so that w1 is the oldest
    assert all(store.get("ann", f"w{number}") for number in range(3))
    store.put("ann", draft("w3", saved=saved_at(4)), most=3)
    assert store.get("ann", "w1") is None
    assert all(store.get("ann", name) for name in ("w0", "w2", "w3"))
    assert store.get("ben", "w0") is not None


def test_indexes_delete_drafts_30_days_after_the_last_save(collection):
    indexes = collection.index_information()
    (expiry,) = (index for index in indexes.values() if "expireAfterSeconds" in index)
    assert expiry["key"] == [("saved", 1)]
    assert expiry["expireAfterSeconds"] == 30 * 24 * 3600
    assert [("_id.owner", 1), ("saved", -1)] in [index["key"] for index in indexes.values()]


def test_oldest_drafts_are_found_by_an_index(store, collection):
    store.put("ann", draft(), most=9)
    cursor = collection.find({"_id.owner": "ann"}, {"saved": 1}).sort([("saved", -1), ("_id", -1)])
    plan = json.dumps(cursor.explain()["queryPlanner"]["winningPlan"], default=str)
    assert "IXSCAN" in plan
    assert "COLLSCAN" not in plan
