"""A bundled workflow run through the API on a desk at work, and looked at the same way."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.helpers.api import client_of
from tests.helpers.desk import Desk
from tests.helpers.waiting import until

API = "/api/v1"
PATIENCE = 240.0  # s for a whole run on a busy machine


@dataclass(frozen=True)
class Remote:
    """What a program at the API of a desk can do."""

    client: FlaskClient

    @classmethod
    def of(cls, desk: Desk) -> Remote:
        return cls(client_of(desk.services))

    def get(self, path: str) -> Any:
        """The data of a reply."""
        reply = self.client.get(f"{API}{path}")
        assert reply.status_code == 200, reply.text
        return reply.get_json()["data"]

    def upload(self, name: str, content: bytes) -> str:
        reply = self.client.post(f"{API}/files", query_string={"name": name}, data=content)
        assert reply.status_code == 201, reply.text
        return reply.get_json()["data"]["id"]

    def submit(self, body: dict[str, Any]) -> TestResponse:
        return self.client.post(f"{API}/runs", json=body)

    def validate(self, body: dict[str, Any]) -> TestResponse:
        return self.client.post(f"{API}/runs/validate", json=body)

    def runs(self) -> int:
        """How many there are, up to a page."""
        return len(self.get("/runs")["items"])


@dataclass(frozen=True)
class Done:
    """A run that is complete."""

    remote: Remote
    id: str
    results: list[str]  # highlights first

    def content(self, path: str) -> bytes:
        reply = self.remote.client.get(f"{API}/runs/{self.id}/results/{path}")
        assert reply.status_code == 200, reply.text
        return reply.data

    def table(self, path: str) -> list[dict[str, str]]:
        lines = self.content(path).decode().splitlines()
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))

    def jobs(self) -> list[str]:
        """The rule of each job."""
        return [job["rule"] for job in self.remote.get(f"/runs/{self.id}/jobs")]


def finished(remote: Remote, body: dict[str, Any]) -> Done:
    """Submit a run and wait until it is complete."""
    reply = remote.submit(body)
    assert reply.status_code in (200, 201, 202), reply.text
    run_id = reply.get_json()["data"]["id"]

    def over() -> dict[str, Any] | None:
        run = remote.get(f"/runs/{run_id}")
        waits = run["state"] in ("QUEUED", "INITIALIZING", "RUNNING", "CANCELING")
        return None if waits else run

    run = until(over, PATIENCE)
    log = remote.client.get(f"{API}/runs/{run_id}/log").text
    assert run["state"] == "COMPLETE", log[-4000:]
    found = remote.get(f"/runs/{run_id}/results")
    return Done(remote, run_id, [one["path"] for one in found])


def problems(reply: TestResponse, status: int) -> dict[str, str]:
    """The messages of a refusal, by field."""
    assert reply.status_code == status, reply.text
    return {one["field"]: one["message"] for one in reply.get_json()["data"]["problems"]}
