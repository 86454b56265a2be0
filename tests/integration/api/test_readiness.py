"""`/readyz`: whether runs start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.helpers.api import client_of, refused


@pytest.fixture
def client(services):
    yield client_of(services)
    beat(services, -timedelta(days=1))


def beat(services, age, reason=""):
    services.database.hosts.beat("host", now=datetime.now(UTC) - age, reason=reason)


def test_server_with_a_runner_is_ready(client, services):
    beat(services, timedelta(seconds=5))
    reply = client.get("/readyz")
    assert (reply.status_code, reply.get_json()["data"]["status"]) == (200, "ok")


def test_server_without_a_runner_is_not_ready_and_alive(client, services):
    beat(services, timedelta(seconds=30))
    reply = client.get("/readyz")
    assert refused(reply, 503, 50302)[""][0].startswith("Not ready: No runner is active")
    assert reply.headers["Retry-After"]
    assert client.get("/healthz").status_code == 200
    assert "No runner is active" in client.get("/api/v1/queue").get_json()["data"]["reason"]


def test_server_whose_runs_cannot_start_is_not_ready(client, services):
    beat(services, timedelta(0), "The folder of runs cannot be written.")
    problems = refused(client.get("/readyz"), 503, 50302)
    assert problems[""][0] == "Not ready: The folder of runs cannot be written."
