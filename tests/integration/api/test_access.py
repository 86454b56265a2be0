"""Access to every route: without sign-in, another user, owner, administrator, read-only token.

The routes come from the app itself. A new route fails here if it grants access wrongly, or if ASKED
has no valid request for it.
"""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api import create_app
from services.access.actors import local_actor
from services.bootstrap import build
from services.models import Actor, ImportRequest, RunRequest, Scope, TokenRequest
from services.settings import Settings
from tests.helpers.api import client_of, finished_run, open_desk

ANN = Actor(id="ann")
PUBLIC = {"system.get_health", "system.get_readiness"}
PRIVATE = {"drafts.get_draft"}  # not for administrators either, and not with a read-only token
PAGES = {"flasgger", "index"}  # of the document, and links to it, which are public
FORM = "multipart/form-data; boundary=B"
KINDS = ("run", "file", "upload", "import", "token")
TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class Asked:
    """A valid request for a route, as its owner sends it."""

    sent: dict[str, Any] = field(default_factory=dict)  # in addition to the URL
    query: str = ""
    fresh: bool = False  # the run in its path is queued
    only_looks: bool = False  # it changes nothing, despite its method


def form(**fields):
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return {"data": "".join([*parts, "--B--\r\n"]).encode(), "content_type": FORM}


SUBMISSION = {"json": {"workflow": "demo", "example": True}}
WES = {"workflow_url": "demo", "workflow_type": "SMK", "workflow_type_version": "9"}
ASKED = {
    "files.upload_file": Asked({"data": b"ACGT"}, "?name=a.fa"),
    "uploads.create_upload": Asked({"headers": {**TUS, "Upload-Length": "4"}}),
    "uploads.append_to_upload": Asked(
        {
            "headers": {**TUS, "Upload-Offset": "0"},
            "data": b"ACGT",
            "content_type": "application/offset+octet-stream",
        }
    ),
    "uploads.end_upload": Asked({"headers": TUS}),
    "imports.create_import": Asked({"json": {"url": "https://files.example.org/a.fastq"}}),
    "drafts.save_draft": Asked({"json": {"content": {}, "digest": "0" * 64}}),
    "runs.submit_run": Asked(SUBMISSION),
    "runs.update_run": Asked({"json": {"name": "other"}}),
    "runs.cancel_run": Asked(fresh=True),
    "runs.delete_run": Asked(fresh=True),
    # 409 for their owner: without an engine a run has no provenance
    "provenance.get_crate": Asked(fresh=True),
    "provenance.get_crate_metadata": Asked(fresh=True),
    "provenance.get_snakemake_report": Asked(fresh=True),
    "results.get_runs_zip": Asked(query="?run={run_id}"),
    "tokens.create_token": Asked({"json": {"name": "n"}}),
    "wes.run_workflow": Asked(form(**WES, workflow_params='{"reads": "{file_id}"}')),
    "wes.cancel_run": Asked(fresh=True),
    "blast.cgi": Asked(
        {"data": {"HITLIST_SIZE": "5"}}, "?CMD=Put&PROGRAM=blastp&DATABASE=x&QUERY=MKV"
    ),
    # these store nothing
    "runs.validate_run": Asked(SUBMISSION, only_looks=True),
    "runs.preview_run": Asked({"json": {"workflow": "none", "params": {}}}, only_looks=True),
    "links.create_link": Asked({"json": {"path": "/api/v1/runs/x"}}, only_looks=True),
    "sheets.parse_sheet": Asked({"json": {}}, only_looks=True),
    "sheets.pair_files": Asked({"json": {}}, only_looks=True),
}


def routes():
    """Return the endpoint, method and rule of every route of the app."""
    with tempfile.TemporaryDirectory() as folder:
        services = build(Settings(data=Path(folder), db_port=1), patience=0.1)
        app = create_app(services)
        services.close()
    return sorted(
        (rule.endpoint, method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint.partition(".")[0] not in PAGES
    )


@pytest.fixture(scope="module")
def desk(mongod, tmp_path_factory):
    with open_desk(
        mongod,
        tmp_path_factory.mktemp("desk"),
        sign_in_by="tokens",
        rate_sign_in=0,
        stream_time=0.0,
        import_hosts=("files.example.org",),
    ) as services:
        over = finished_run(services, ANN, {"results/report.html": "<p>"})

        def token(owner, scope):
            request = TokenRequest(name="n", owner=owner, scope=scope)
            made = services.tokens.create(local_actor(), request)
            return {"Authorization": f"Bearer {made.secret}"}

        yield SimpleNamespace(
            services=services,
            client=client_of(services),
            over=over,
            who={
                "nobody": {},
                "another": token("ben", Scope.SUBMIT),
                "owner": token("ann", Scope.SUBMIT),
                "to look": token("ann", Scope.READ),
                "admin": token("root", Scope.ADMIN),
            },
        )


def ids(desk, asked, rule):
    """Return values for the parameters of a URL: resources of ann, created for this request."""
    services, run = desk.services, desk.over
    named = f"{rule}{asked.query}{asked.sent.get('data', '')}"
    if asked.fresh:
        run = services.runs.submit(ANN, RunRequest(workflow="demo", example=True))
    found = {"run_id": run.id, "job_id": "1-1", "task_id": "1-1", "name": "demo"}
    found["path"] = "results/report.html"
    if "file_id" in named:
        found["file_id"] = services.files.register(ANN, "a.fastq", io.BytesIO(b"@")).id
    if "upload_id" in named:
        found["upload_id"] = services.uploads.create(ANN, size=4).id
    if "import_id" in named:
        wanted = ImportRequest(url="https://files.example.org/a.fastq")
        found["import_id"] = services.imports.create(ANN, wanted).id
    if "<workflow>" in named:
        found["workflow"] = services.drafts.save(ANN, "demo", {"of": "ann"}).workflow
    if "token_id" in named:
        found["token_id"] = services.tokens.create(ANN, TokenRequest(name="n")).id
    return found


def ask(desk, who, endpoint, method, rule):
    asked = ASKED.get(endpoint, Asked())
    found = ids(desk, asked, rule)
    address = rule + asked.query
    sent = dict(asked.sent)
    for name, value in found.items():
        for shape in (f"<{name}>", f"<path:{name}>", f"<run:{name}>", f"{{{name}}}"):
            address = address.replace(shape, value)
        if isinstance(sent.get("data"), bytes):
            sent["data"] = sent["data"].replace(f"{{{name}}}".encode(), value.encode())
    assert "<" not in address, f"add a value for {address}"
    sent["headers"] = {**sent.get("headers", {}), **desk.who[who]}
    return desk.client.open(address, method=method, **sent)


def pytest_generate_tests(metafunc):
    if "rule" in metafunc.fixturenames:
        found = routes()
        metafunc.parametrize(
            ("endpoint", "method", "rule"), found, ids=[f"{one[0]} {one[1]}" for one in found]
        )


def changes(endpoint, method):
    asked = ASKED.get(endpoint, Asked())
    return endpoint == "blast.cgi" or (method != "GET" and not asked.only_looks)


def is_anns(rule, endpoint):
    query = ASKED.get(endpoint, Asked()).query
    return endpoint in PRIVATE or any(f"{name}_id" in rule + query for name in KINDS)


def test_route_grants_access_to_the_right_users_only(desk, endpoint, method, rule):
    replies = {
        who: ask(desk, who, endpoint, method, rule)
        for who in ("nobody", "another", "to look", "owner", "admin")
    }
    status = {who: reply.status_code for who, reply in replies.items()}
    assert max(status.values()) < 500, replies
    if endpoint in PUBLIC:
        assert set(status.values()) == {200}
        return
    assert status["nobody"] == 401
    assert replies["nobody"].headers["WWW-Authenticate"].startswith("Bearer ")
    by_token = endpoint.startswith("tokens.") and method != "GET"
    if by_token:
        assert status["another"] == 403
    elif is_anns(rule, endpoint):
        assert status["another"] == 404
        assert desk.over.id not in replies["another"].text
    else:
        assert status["another"] not in (401, 404)
        assert '"ann"' not in json.dumps(replies["another"].get_json(silent=True) or {})
    assert (status["to look"] == 403) == changes(endpoint, method)
    assert status["owner"] not in (401, 404)
    assert (status["owner"] == 403) == by_token
    if endpoint in PRIVATE:
        assert (status["admin"], status["to look"]) == (404, 404)
    else:
        assert status["admin"] not in (401, 403, 404)


def test_every_request_is_for_a_route_that_exists():
    assert set(ASKED) <= {endpoint for endpoint, _, _ in routes()}
