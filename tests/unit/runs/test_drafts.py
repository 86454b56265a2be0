"""Limits of drafts, and which saves are written. The store is a fake that counts its writes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from services.errors import Forbidden, Invalid, NotFound, TooLarge
from services.models import Actor, Scope
from services.runs import drafts
from services.runs.drafts import Drafts

ANN, READER = Actor(id="ann"), Actor(id="ann", token=Scope.READ)
DIGEST, OTHER_DIGEST = "a" * 64, "b" * 64


class Store:
    """Drafts in memory."""

    def __init__(self):
        self.stored, self.writes = {}, 0

    def get(self, owner, workflow):
        return self.stored.get((owner, workflow))

    def last_save(self, owner, workflow):
        stored = self.stored.get((owner, workflow))
        return (stored.checksum, stored.saved) if stored else None

    def put(self, owner, draft, *, most):
        self.writes += 1
        self.stored[owner, draft.workflow] = draft
        return draft

    def delete(self, owner, workflow):
        self.stored.pop((owner, workflow), None)


class Workflows:
    """A catalogue with the workflow "demo"."""

    def get(self, actor, name):
        if name != "demo":
            raise NotFound
        return SimpleNamespace(name="demo", digest=DIGEST)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def service(store):
    return Drafts(SimpleNamespace(drafts=store), Workflows())


def nested(levels):
    """Return a JSON object with so many levels of objects."""
    content = {}
    for _ in range(levels - 1):
        content = {"a": content}
    return content


def test_save_same_content_again_writes_nothing(service, store):
    first = service.save(ANN, "demo", {"params": {"depth": 3}})
    again = service.save(ANN, "demo", {"params": {"depth": 3}})
    assert (store.writes, again) == (1, first)


@pytest.mark.parametrize(
    "change", [{"content": {"params": {"depth": 4}}}, {"digest": OTHER_DIGEST}], ids=lambda c: [*c]
)
def test_save_other_content_or_digest_writes(service, store, change):
    first = {"content": {"params": {"depth": 3}}, "digest": DIGEST}
    service.save(ANN, "demo", **first)
    changed = service.save(ANN, "demo", **{**first, **change})
    assert store.writes == 2
    assert service.get(ANN, "demo") == changed


def test_save_same_content_a_day_later_writes_so_that_it_does_not_expire(service, store):
    first = service.save(ANN, "demo", {})
    key = ("ann", "demo")
    store.stored[key] = replace(store.stored[key], saved=first.saved - timedelta(days=1))
    assert service.save(ANN, "demo", {}).saved >= first.saved
    assert store.writes == 2


def test_save_without_digest_uses_the_current_one(service):
    assert service.save(ANN, "demo", {}).digest == DIGEST


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 64, "a" * 64 + "\n", "\ud800" * 64])
def test_save_malformed_digest_is_refused(service, store, digest):
    with pytest.raises(Invalid) as raised:
        service.save(ANN, "demo", {}, digest=digest)
    (problem,) = raised.value.problems
    assert (problem.field, problem.code) == ("digest", "wrong_format")
    assert problem.message == (
        "The digest of a workflow must have 64 lowercase hexadecimal characters."
    )
    assert store.writes == 0


def test_save_for_unknown_workflow_is_not_found(service, store):
    with pytest.raises(NotFound):
        service.save(ANN, "none", {})
    assert store.writes == 0


INVALID = {
    "NUL": ({"a": {"b": ["x", "\0"]}}, "content.a.b.1", "invalid_characters"),
    "surrogate": ({"a": "\ud800"}, "content.a", "invalid_characters"),
    "NUL in a key": ({"a": {"\0": 1}}, "content.a.\ufffd", "invalid_characters"),
    "surrogate in a key": ({"\udfff": {}}, "content.\ufffd", "invalid_characters"),
    "key that is no string": ({"a": {1: 2}}, "content.a.1", "wrong_type"),
    "not a number": ({"a": float("nan")}, "content.a", "out_of_range"),
    "infinity": ({"a": [float("inf")]}, "content.a.0", "out_of_range"),
    "large integer": ({"a": 2**63}, "content.a", "out_of_range"),
    "small integer": ({"a": -(2**63) - 1}, "content.a", "out_of_range"),
    "date": ({"a": date(2026, 1, 2)}, "content.a", "wrong_type"),
    "tuple": ({"a": (1, 2)}, "content.a", "wrong_type"),
    "bytes": ({"a": b"x"}, "content.a", "wrong_type"),
}


@pytest.mark.parametrize(("content", "field", "code"), INVALID.values(), ids=INVALID)
def test_save_value_that_json_does_not_return_is_refused(service, store, content, field, code):
    with pytest.raises(Invalid) as raised:
        service.save(ANN, "demo", content)
    (problem,) = raised.value.problems
    assert (problem.field, problem.code) == (field, code)
    assert problem.message.endswith(".")
    assert store.writes == 0


def test_save_values_of_json_are_returned_unchanged(service):
    content = {
        "text": 'αβ "\\ \u2028 \U0001f9ec',
        "numbers": [0, -1, 2**63 - 1, -(2**63), 1.0, 1e-300, True, False, None],
        "": {"empty": {}, "list": []},
    }
    service.save(ANN, "demo", content)
    assert json.dumps(service.get(ANN, "demo").content) == json.dumps(content)


def test_save_depth_at_the_limit_is_accepted_and_above_refused(service):
    limit = drafts.MAX_DRAFT_DEPTH
    assert service.save(ANN, "demo", nested(limit)).content == nested(limit)
    with pytest.raises(Invalid) as raised:
        service.save(ANN, "demo", nested(limit + 1))
    (problem,) = raised.value.problems
    assert (problem.code, problem.message) == (
        "too_deep",
        "Must not be nested deeper than 32 levels.",
    )


def test_save_content_that_contains_itself_is_refused(service):
    content = {}
    content["a"] = [content, content]
    with pytest.raises(Invalid) as raised:
        service.save(ANN, "demo", content)
    assert raised.value.problems[0].code == "too_deep"


def test_save_size_at_the_limit_is_accepted_and_above_refused(service):
    empty = len('{"a":""}')
    for letter, width in (("x", 1), ("ä", 2), ("\U0001f9ec", 4)):
        count = (drafts.MAX_DRAFT_BYTES - empty) // width
        assert service.save(ANN, "demo", {"a": letter * count}).content["a"][0] == letter
        with pytest.raises(TooLarge) as raised:
            service.save(ANN, "demo", {"a": letter * (count + 1)})
        (problem,) = raised.value.problems
        size = empty + width * (count + 1)
        assert (problem.field, problem.code) == ("content", "body_too_large")
        assert problem.message == (
            f"The draft has {size} bytes as JSON; the limit is 1048576 bytes."
        )


def test_read_only_actor_reads_nothing_and_changes_nothing(service, store):
    service.save(ANN, "demo", {"a": 1})
    assert service.get(READER, "demo") is None
    with pytest.raises(Forbidden):
        service.save(READER, "demo", {"a": 2})
    with pytest.raises(Forbidden):
        service.discard(READER, "demo")
    assert service.get(ANN, "demo").content == {"a": 1}


@pytest.mark.parametrize("workflow", ["", "\0", "\ud800", "none", "ann/demo", "x" * 9999])
def test_name_of_no_workflow_has_no_draft(service, workflow):
    assert service.get(ANN, workflow) is None
    service.discard(ANN, workflow)
