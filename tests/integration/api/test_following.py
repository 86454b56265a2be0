"""Polling and streams: ETags, events, a log that grows."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from routes.http import streams
from routes.http.streams import MAX_WAITING_REQUESTS
from services.access.actors import local_actor
from services.models import RunRequest
from services.rundir import RunDir
from tests.helpers.api import client_of, codes, finished_run, open_desk, refused
from tests.helpers.waiting import until

SETTINGS = {"stream_time": 0.0}  # of module_services


@pytest.fixture(scope="module", autouse=True)
def over(services):
    """A finished run; created first, because it takes the first run of the queue."""
    return finished_run(services, local_actor(), {"results/report.html": "<p>"})


@pytest.fixture
def waiting(services):
    return services.runs.submit(local_actor(), RunRequest(workflow="demo", example=True))


def events_of(reply):
    """Return the events of a stream: type, id, data."""
    assert reply.status_code == 200, reply.text
    assert reply.mimetype == "text/event-stream"
    found = []
    for block in reply.text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "event" in fields:
            found.append((fields["event"], fields["id"], json.loads(fields["data"])))
    return found


# ---- polling ----------------------------------------------------------------------------------

POLLED = [
    "/api/v1/runs",
    "/api/v1/runs?state=QUEUED&limit=2",
    "/api/v1/runs/{run}",
    "/api/v1/runs/{run}/jobs",
    "/api/v1/runs/{run}/graph",
    "/api/v1/runs/{run}/results",
    "/api/v1/workflows",
    "/api/v1/workflows/demo",
    "/api/v1/files",
    "/api/v1/me",
]


@pytest.mark.parametrize("address", POLLED)
def test_unchanged_response_is_304(client, over, address):
    address = address.format(run=over.id)
    first = client.get(address)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = client.get(address, headers={"If-None-Match": sent})
        assert (same.status_code, same.data) == (304, b"")
        assert same.headers["ETag"] == tag
        assert same.headers["X-Request-Id"]
    again = client.get(address, headers={"If-None-Match": '"other"'})
    assert (again.status_code, again.data) == (200, first.data)
    assert client.head(address).headers["ETag"] == tag


def test_changed_response_has_another_etag(client, waiting):
    address = f"/api/v1/runs/{waiting.id}"
    tag = client.get(address).headers["ETag"]
    assert client.patch(address, json={"name": "other"}).status_code == 200
    reply = client.get(address, headers={"If-None-Match": tag})
    assert (reply.status_code, reply.get_json()["data"]["name"]) == (200, "other")
    assert reply.headers["ETag"] != tag


def test_responses_to_changes_and_errors_have_no_etag(client, waiting):
    for reply in (
        client.patch(f"/api/v1/runs/{waiting.id}", json={}, headers={"If-None-Match": "*"}),
        client.get(f"/api/v1/runs/{'0' * 24}", headers={"If-None-Match": "*"}),
    ):
        assert reply.status_code in (200, 404)
        assert "ETag" not in reply.headers
        assert reply.headers["Cache-Control"] == "no-store"


def test_long_poll_responds_when_the_run_changes(client, services, waiting):
    address = f"/api/v1/runs/{waiting.id}?wait=60"
    got: list[Any] = []
    follower = threading.Thread(target=lambda: got.append(client.get(address)))
    follower.start()
    until(lambda: client.application.extensions["rundesk.waiting"]._value < MAX_WAITING_REQUESTS)
    services.runs.cancel(local_actor(), waiting.id)
    follower.join(60)
    assert got[0].get_json()["data"]["state"] == "CANCELED"


def test_long_poll_responds_at_once_where_nothing_is_to_come(client, over, waiting):
    assert client.get(f"/api/v1/runs/{over.id}?wait=60").status_code == 200
    address = f"/api/v1/runs/{waiting.id}"
    other = client.get(f"{address}?wait=60", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200
    same = client.get(f"{address}?wait=1", headers={"If-None-Match": other.headers["ETag"]})
    assert same.status_code == 304
    assert "query.wait" in refused(client.get(f"{address}?wait=61"), 400)
    places = client.application.extensions["rundesk.waiting"]
    for _ in range(MAX_WAITING_REQUESTS):
        assert places.acquire(blocking=False)
    assert client.get(f"{address}?wait=60").status_code == 200
    places.release(MAX_WAITING_REQUESTS)


# ---- events -----------------------------------------------------------------------------------


def test_events_have_the_current_values_and_end_with_the_run(client, over):
    address = f"/api/v1/runs/{over.id}/events"
    reply = client.get(address)
    found = events_of(reply)
    assert reply.text.startswith("retry: ")
    assert [kind for kind, _, _ in found] == ["progress", "jobs", "state"]
    assert found[0][2] == {"total": 2, "done": 1, "failed": 0}
    assert [(step["rule"], step["done"]) for step in found[1][2]] == [("search", 1), ("all", 0)]
    assert found[2][2]["state"] == "COMPLETE"
    rest = events_of(client.get(address, headers={"Last-Event-ID": found[1][1]}))
    assert rest == found[2:]
    again = client.get(address, headers={"Last-Event-ID": found[2][1]})
    assert (again.status_code, again.data) == (204, b"")  # a browser does not come back after it


def test_events_of_a_queued_run_continue_after_the_last_one(client, services, waiting):
    address = f"/api/v1/runs/{waiting.id}/events"
    found = events_of(client.get(address))
    assert found[-1][2]["state"] == "QUEUED"
    assert found[-1][2]["queue"]["position"] >= 1
    assert events_of(client.get(address, headers={"Last-Event-ID": found[-1][1]})) == []
    services.runs.cancel(local_actor(), waiting.id)
    services.views.forget()
    last = events_of(client.get(address, headers={"Last-Event-ID": found[-1][1]}))
    assert [(kind, data["state"]) for kind, _, data in last] == [("state", "CANCELED")]


def test_events_of_no_run_are_404_and_a_wrong_id_400(client, over):
    refused(client.get(f"/api/v1/runs/{'0' * 24}/events"), 404, 40400)
    wrong = client.get(f"/api/v1/runs/{over.id}/events", headers={"Last-Event-ID": "x"})
    refused(wrong, 400, 40001)


def test_deleted_run_ends_the_stream_with_gone(client, services, waiting, monkeypatch):
    address = f"/api/v1/runs/{waiting.id}/events"
    app = client.application
    with app.test_request_context(address, headers={"Host": "localhost"}):
        stream = app.view_functions["runs.get_events"](run_id=waiting.id)
        services.runs.cancel(local_actor(), waiting.id)
        services.runs.delete(local_actor(), waiting.id)
        services.views.forget()
        assert "event: gone" in stream.get_data(as_text=True)
        stream.close()


def test_number_of_streams_is_limited_and_they_are_released(services, waiting):
    client = client_of(services)
    address = f"/api/v1/runs/{waiting.id}"
    hub = client.application.extensions["rundesk.streams"]
    for _ in range(streams.MAX_STREAMS):
        assert hub.reserve()
    for path in ("events", "log?follow=1"):
        full = client.get(f"{address}/{path}")
        refused(full, 503, 50301)
        assert codes(full) == {"": "busy"}
        assert int(full.headers["Retry-After"]) >= 1
    assert client.get(address).status_code == 200
    for _ in range(streams.MAX_STREAMS):
        hub.release()
    for _ in range(streams.MAX_STREAMS + 10):
        assert client.get(f"{address}/events").status_code == 200
        assert client.head(f"{address}/events").status_code == 200


def test_stream_ends_at_once_when_the_process_stops(mongod, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "STOPPING", threading.Event())
    with open_desk(mongod, tmp_path, stream_time=1000.0) as services:
        run = services.runs.submit(local_actor(), RunRequest(workflow="demo", example=True))
        client, got = client_of(services), []
        address = f"/api/v1/runs/{run.id}/events"
        follower = threading.Thread(target=lambda: got.append(client.get(address)))
        follower.start()
        assert follower.is_alive()
        streams.STOPPING.set()
        follower.join(30)
        assert events_of(got[0])[-1][2]["state"] == "QUEUED"


# ---- a log that grows -------------------------------------------------------------------------


def test_log_is_followed_from_a_byte_to_its_end(client, over):
    address = f"/api/v1/runs/{over.id}/log"
    whole = client.get(address)
    followed = client.get(f"{address}?follow=1")
    assert (followed.status_code, followed.data) == (200, whole.data)
    assert followed.mimetype == "text/plain"
    assert client.get(f"{address}?follow=1&offset=5").data == whole.data[5:]
    assert client.get(f"{address}?follow=1&offset=99999").data == b""
    assert "query.offset" in refused(client.get(f"{address}?follow=1&offset=-1"), 400, 40001)


def test_log_is_followed_while_it_grows(mongod, tmp_path):
    with open_desk(mongod, tmp_path, stream_time=1000.0) as services:
        run = services.runs.submit(local_actor(), RunRequest(workflow="demo", example=True))
        console = RunDir.of(services.settings.data, run.id).attempt(0).console
        console.parent.mkdir(parents=True)
        console.write_bytes(b"one\n")
        reply = client_of(services).get(f"/api/v1/runs/{run.id}/log?follow=1", buffered=False)
        pieces = reply.iter_encoded()
        assert next(pieces) == b"one\n"
        with console.open("ab") as file:
            file.write(b"two\n")
        assert next(pieces) == b"two\n"
        services.runs.cancel(local_actor(), run.id)
        assert next(pieces, None) is None
        reply.close()
