"""Helpers of the API's tests: an app over real services, and a finished run."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from pymongo import MongoClient

from api import create_app
from services.bootstrap import Services, build
from services.engine.publishing import Limits, publish
from services.errors import PROBLEM_CODES
from services.models import Actor, Highlight, Run, RunRequest, State
from services.rundir import RunDir
from services.settings import Settings

SCHEMA = r"""
properties:
  reads: {type: string, format: file-path, pattern: '\.fastq$'}
  depth: {type: integer, default: 3, minimum: 1}
required: [reads]
"""
PROBLEM_FIELDS = {"field", "code", "message", "hint", "args"}
DEMO = {
    "workflow/Snakefile": "rule all:\n    shell: 'true'\n",
    "workflow/schemas/config.schema.yaml": SCHEMA,
    "rundesk.yaml": "title: Demo\nversion: 1.2.3\nexample: {params: {reads: example/a.fastq}}\n",
    "example/a.fastq": "@r\nA\n+\nI\n",
}


@contextlib.contextmanager
def open_desk(mongod: str, folder: Path, **given: Any) -> Iterator[Services]:
    """Yield services over a data folder and a database of their own, both removed afterwards.

    For a whole module, because a new database for each test would take minutes.
    """
    write_workflow(folder / "more" / "demo")
    settings = Settings(
        **{
            "data": folder / "data",
            "mongodb_uri": mongod,
            "database": f"rundesk_test_{secrets.token_hex(6)}",
            "workflows": (folder / "more",),
            **given,
        }
    )
    services = build(settings, patience=20)
    services.database.create_indexes()
    services.database.hosts.beat("host", now=datetime.now(UTC) + timedelta(days=1))
    yield services
    services.close()
    with MongoClient(mongod) as client:
        client.drop_database(settings.database)


def write_workflow(folder, files=DEMO):
    """Write a small workflow into `folder`."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


class Client(FlaskClient):
    """Reads responses completely, so that none keeps a file open."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return super().open(*args, **{"buffered": True, **kwargs})


def client_of(services: Services) -> FlaskClient:
    app = create_app(services)
    app.test_client_class = Client
    return app.test_client()


def refused(reply, status: int, number: int | None = None) -> dict[str, tuple[str, str]]:
    """Return the problems of a failed response: field → (message, hint). Checks its envelope."""
    body = reply.get_json()
    assert reply.status_code == status, body
    assert list(body) == ["errCode", "data", "msg", "requestId"]
    assert body["errCode"] // 100 == status
    assert number in (None, body["errCode"])
    assert body["msg"]
    assert body["requestId"] == reply.headers["X-Request-Id"]
    assert "Traceback" not in reply.text
    problems = body["data"]["problems"] if body["data"] else []
    for problem in problems:
        assert set(problem) == PROBLEM_FIELDS
        assert problem["code"] in PROBLEM_CODES
    return {problem["field"]: (problem["message"], problem["hint"]) for problem in problems}


def codes(reply) -> dict[str, str]:
    """Return the codes of the problems of a failed response: field → code."""
    return {problem["field"]: problem["code"] for problem in reply.get_json()["data"]["problems"]}


def finished_run(services: Services, actor: Actor, results: dict[str, str]) -> Run:
    """Return a COMPLETE run of "demo" with one job, logs and `results`."""
    run = services.runs.submit(actor, RunRequest(workflow="demo", example=True))
    store, jobs, now = services.database.runs, services.database.jobs, datetime.now(UTC)
    claim = services.database.queue.claim(host="desk", now=now, lease=timedelta(seconds=30))
    assert claim is not None
    assert claim.run.id == run.id
    attempt, folder = claim.attempt, RunDir.of(services.settings.data, run.id)
    store.start(run.id, attempt, now=now)
    started = {
        "wildcards": {"sample": "a"},
        "input": [],
        "output": list(results),
        "log": ["logs/search.log"],
        "threads": 1,
        "resources": {},
        "reason": "",
        "command": "",
        "tries": 1,
    }
    at = now.timestamp()
    records: list[dict[str, Any]] = [
        {"type": "plan", "stats": {"search": 1, "all": 1}},
        {"type": "graph", "links": [["search", "all"]]},
        {"type": "started", "job": 1, "rule": "search", **started, "at": at},
        {"type": "finished", "job": 1, "at": at + 1},
        {"type": "progress", "done": 1, "total": 2, "at": at + 1},
    ]
    jobs.apply(run.id, attempt, records)
    written = {**results, "logs/search.log": "searching αβ\ndone\n"}
    for path, text in written.items():
        file = folder.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    console = folder.attempt(attempt).console
    console.parent.mkdir(parents=True, exist_ok=True)
    console.write_text("Building DAG of jobs...\nFinished\n")
    highlights = [Highlight(path="results/report.html", title="Report")]
    publish(folder, [], highlights, limits=Limits(max_bytes=2**30))
    return store.end(run.id, attempt, State.COMPLETE, now=now)
