"""Run bundled workflows and read their results through the API of a running installation."""

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
RUN_TIMEOUT_S = 600.0  # for a whole run on a busy machine


@dataclass(frozen=True)
class Remote:
    """A client of the API."""

    client: FlaskClient

    @classmethod
    def of(cls, desk: Desk) -> Remote:
        return cls(client_of(desk.services))

    def get(self, path: str) -> Any:
        """Return the data of a reply."""
        reply = self.client.get(f"{API}{path}")
        assert reply.status_code == 200, reply.text
        return reply.get_json()["data"]

    def upload(self, name: str, content: bytes) -> str:
        reply = self.client.post(
            f"{API}/files",
            query_string={"name": name},
            data=content,
            content_type="application/octet-stream",  # an empty file needs it
        )
        assert reply.status_code == 201, reply.text
        return reply.get_json()["data"]["id"]

    def submit(self, body: dict[str, Any]) -> TestResponse:
        return self.client.post(f"{API}/runs", json=body)

    def validate(self, body: dict[str, Any]) -> TestResponse:
        return self.client.post(f"{API}/runs/validate", json=body)

    def runs(self) -> int:
        """Return the number of runs, up to one page."""
        return len(self.get("/runs")["items"])


@dataclass(frozen=True)
class Done:
    """A completed run."""

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
        """Return the rule of each job."""
        return [job["rule"] for job in self.remote.get(f"/runs/{self.id}/jobs")]


def finished(remote: Remote, body: dict[str, Any]) -> Done:
    """Submit a run and wait until it has completed."""
    reply = remote.submit(body)
    assert reply.status_code in (200, 201, 202), reply.text
    run_id = reply.get_json()["data"]["id"]

    def ended() -> dict[str, Any] | None:
        run = remote.get(f"/runs/{run_id}")
        unfinished = run["state"] in ("QUEUED", "INITIALIZING", "RUNNING", "CANCELING")
        return None if unfinished else run

    run = until(ended, RUN_TIMEOUT_S)
    log = remote.client.get(f"{API}/runs/{run_id}/log").text
    assert run["state"] == "COMPLETE", log[-4000:]
    results = remote.get(f"/runs/{run_id}/results")
    return Done(remote, run_id, [result["path"] for result in results])


def problems(reply: TestResponse, status: int) -> dict[str, str]:
    """Return the messages of the problems of a reply, by field."""
    assert reply.status_code == status, reply.text
    found = reply.get_json()["data"]["problems"]
    return {problem["field"]: problem["message"] for problem in found}
