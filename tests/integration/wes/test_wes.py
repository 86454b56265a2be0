"""The WES API: the official document, invalid requests, and clients of other projects."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from services.access.actors import local_actor
from services.bootstrap import build
from services.models import RunFilter, State
from services.settings import HERE, Settings
from tests.helpers import fuzzing
from tests.helpers.api import client_of, finished_run, open_desk
from tests.helpers.docs import run_recipes
from tests.helpers.processes import Servers
from tests.helpers.waiting import free_port, until

WES = "/ga4gh/wes/v1"
DOCUMENT = HERE / "docs" / "specs" / "wes-1.1.0.yaml"
ME = local_actor()
UNKNOWN = "0" * 24
FORM = {"workflow_type": "SMK", "workflow_type_version": "9", "workflow_url": "demo"}
URLENCODED = "application/x-www-form-urlencoded"
READS = b"@r\nACGT\n+\nIIII\n"


@pytest.fixture(scope="module")
def run(services):
    """A COMPLETE run."""
    return finished_run(services, ME, {"results/report.html": "<p>", "results/a b+c.tsv": "1"})


def stored(services) -> tuple[Any, ...]:
    """Everything that a request could leave behind."""
    on_disk = {path for path in services.settings.data.rglob("*") if path.name != "lock"}
    files = services.files.list(ME, limit=200).items
    return on_disk, files, services.runs.list(ME, RunFilter(limit=200)).items


def failed(reply, status: int) -> str:
    """The message of an ErrorResponse."""
    body = reply.get_json()
    assert reply.status_code == status, body
    assert list(body) == ["msg", "status_code"]
    assert body["status_code"] == status
    assert reply.headers["X-Request-Id"]
    assert "Traceback" not in body["msg"]
    message: str = body["msg"]
    return message


def submit(client, **fields: Any) -> Any:
    return client.post(f"{WES}/runs", data={**FORM, **fields}, content_type="multipart/form-data")


# ---- the official document -------------------------------------------------------------------


# Where the document does not agree with itself. RunWorkflow: each field of its form is an optional
# plain string, yet a request for a workflow that exists needs a type and parameters that fit.
# ListTasks: it has the typed `page_size` of ListRuns, but not its 400, nor that of a query which is
# not UTF-8.
CONTRADICTIONS = [
    {
        "include-operation-id": ["RunWorkflow"],
        "checks": {"positive_data_acceptance": {"enabled": False}},
    },
    {
        "include-operation-id": ["ListTasks"],
        "checks": {
            "positive_data_acceptance": {"enabled": False},
            "status_code_conformance": {"enabled": False},
        },
    },
]


# Schemathesis does not close the replies of an app, so sent files stay open until collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("known", [False, True], ids=["runs unknown", "a run that is there"])
@pytest.mark.parametrize("examples", [4, pytest.param(50, marks=pytest.mark.long)])
def test_schemathesis_finds_nothing_by_the_official_document(
    client, services, run, examples, known
):
    (job,) = services.runs.jobs(ME, run.id)
    with_document = DispatcherMiddleware(
        client.application, {"/document": Response(DOCUMENT.read_text())}
    )
    there = {"parameters": {"path.run_id": run.id, "path.task_id": job.id}} if known else {}
    schema = schemathesis.openapi.from_wsgi(
        "/document", with_document, config=fuzzing.config(examples, CONTRADICTIONS, **there)
    )
    failures, cases = fuzzing.check(schema)
    assert not failures, "\n\n".join(failures[:5])
    assert cases > 100


def test_the_routes_are_those_of_the_official_document(client):
    rules = [rule for rule in client.application.url_map.iter_rules() if rule.rule.startswith(WES)]
    routes = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule.removeprefix(WES)), method.lower())
        for rule in rules
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    paths = yaml.safe_load(DOCUMENT.read_text())["paths"]
    assert routes == {(path, method) for path, methods in paths.items() for method in methods}


@pytest.mark.parametrize("size", ["1", "0", "-1", "7000", str(2**63 - 1), str(-(2**63))])
def test_any_int64_is_a_page_size(client, run, size):
    page = client.get(f"{WES}/runs?page_size={size}")
    assert page.status_code == 200
    assert len(page.get_json()["runs"]) <= max(1, int(size) if int(size) > 0 else 50)


# ---- responses -------------------------------------------------------------------------------


def test_service_info_counts_the_runs_and_names_the_engine(client, services, run):
    info = client.get(f"{WES}/service-info").get_json()
    assert info["system_state_counts"] == {
        state: services.runs.counts(ME).get(state, 0) for state in State
    }
    assert info["system_state_counts"]["COMPLETE"] >= 1
    (version,) = {info["workflow_engine_versions"]["snakemake"]["workflow_engine_version"][0]}
    asked = subprocess.run(
        [sys.executable, "-m", "snakemake", "--version"], capture_output=True, text=True, check=True
    )
    assert version == asked.stdout.strip()
    assert info["type"] == {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"}


def test_run_log_has_outputs_logs_and_the_request(client, services, run):
    log = client.get(f"{WES}/runs/{run.id}").get_json()
    api = services.settings.public_api_url
    assert log["state"] == "COMPLETE"
    assert set(log["outputs"]) == {"results/report.html", "results/a b+c.tsv"}
    fetched = client.get(log["outputs"]["results/a b+c.tsv"].removeprefix(api))
    assert fetched.text == "1"
    for stream in ("stdout", "stderr"):
        said = client.get(log["run_log"][stream].removeprefix(api))
        assert said.text == "Building DAG of jobs...\nFinished\n"
    assert log["request"]["workflow_url"] == f"{api}/api/v1/workflows/demo"
    assert log["request"]["workflow_params"] == run.params
    assert log["task_logs_url"] == f"{api}{WES}/runs/{run.id}/tasks"
    assert log["run_log"]["start_time"] == run.started.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_run_that_waits_has_an_empty_object_of_outputs_and_no_times(client):
    run_id = submit(client, workflow_params="{}", workflow_url="sequence-search").get_json()
    assert "run_id" not in run_id  # files are needed
    run_id = submit(
        client,
        workflow_params='{"reads": "a.fastq"}',
        workflow_attachment=(BytesIO(READS), "a.fastq"),
    ).get_json()["run_id"]
    log = client.get(f"{WES}/runs/{run_id}").get_json()
    assert (log["state"], log["outputs"]) == ("QUEUED", {})
    assert not {"start_time", "end_time", "cmd", "exit_code"} & set(log["run_log"])
    assert client.get(f"{WES}/runs/{run_id}/tasks").get_json() == {
        "task_logs": [],
        "next_page_token": "",
    }
    assert client.post(f"{WES}/runs/{run_id}/cancel").get_json() == {"run_id": run_id}
    state = client.get(f"{WES}/runs/{run_id}/status").get_json()
    assert state == {"run_id": run_id, "state": "CANCELED"}
    # the document knows no reply for a run that is over
    assert client.post(f"{WES}/runs/{run_id}/cancel").get_json() == {"run_id": run_id}


def test_tasks_are_the_jobs(client, services, run):
    (job,) = services.runs.jobs(ME, run.id)
    page = client.get(f"{WES}/runs/{run.id}/tasks").get_json()
    (task,) = page["task_logs"]
    assert (task["id"], task["name"], task["exit_code"]) == (job.id, "search", 0)
    assert task["system_logs"] == ["State: COMPLETE", "Wildcards: sample=a"]
    said = client.get(task["stderr"].removeprefix(services.settings.public_api_url))
    assert said.text == "searching αβ\ndone\n"
    assert client.get(f"{WES}/runs/{run.id}/tasks/{job.id}").get_json() == task


def test_runs_are_listed_page_by_page_newest_first(client, services, run):
    everything = [one.id for one in services.runs.list(ME, RunFilter(limit=200)).items]
    listed: list[str] = []
    token = ""
    while True:
        page = client.get(f"{WES}/runs?page_size=1&page_token={token}").get_json()
        listed += [one["run_id"] for one in page["runs"]]
        token = page["next_page_token"]
        if token == "":
            break
    assert listed == everything


# ---- requests --------------------------------------------------------------------------------


def test_tags_come_back_as_the_object_they_were(client, services, run):
    tags = {"project": "soil=7", "empty": "", "αβ": "δ"}
    params = json.dumps({"reads": run.params["reads"]})
    reply = submit(client, workflow_params=params, tags=json.dumps(tags))
    run_id = reply.get_json()["run_id"]
    assert services.runs.get(ME, run_id).tags == ["project=soil=7", "empty=", "αβ=δ"]
    assert client.get(f"{WES}/runs/{run_id}").get_json()["request"]["tags"] == tags
    (listed,) = client.get(f"{WES}/runs?page_size=1").get_json()["runs"]
    assert listed == {"run_id": run_id, "state": "QUEUED", "tags": tags}


def test_attachments_become_files_and_take_the_place_of_their_names(client, services):
    reply = submit(
        client,
        workflow_url=f"{services.settings.public_api_url}/api/v1/workflows/demo",
        workflow_params='{"reads": "./lane 1/a.fastq", "depth": 7}',
        workflow_attachment=[
            (BytesIO(READS), "lane 1/a.fastq"),
            (BytesIO(b"beside"), "notes.txt"),
        ],
    )
    made = services.runs.get(ME, reply.get_json()["run_id"])
    (reads,) = made.inputs
    assert (reads.name, made.params) == ("a.fastq", {"reads": reads.file, "depth": 7})
    assert services.files.path(ME, reads.file).read_bytes() == READS
    assert "notes.txt" in [file.name for file in services.files.list(ME).items]


def test_parameter_may_be_the_address_of_a_file_here(client, services, run):
    file_id = run.params["reads"]
    for address in (f"/api/v1/files/{file_id}", f"/api/v1/files/{file_id}/content"):
        for base in (services.settings.public_api_url, "http://localhost"):
            params = json.dumps({"reads": base + address})
            made = submit(client, workflow_params=params).get_json()["run_id"]
            assert services.runs.get(ME, made).params["reads"] == file_id


def test_form_without_files_may_be_urlencoded(client, run):
    params = json.dumps({"reads": run.params["reads"]})
    reply = client.post(f"{WES}/runs", data={**FORM, "workflow_params": params})
    assert reply.status_code == 200


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no type": ({"workflow_type": ""}, "workflow_type"),
    "other type": ({"workflow_type": "CWL"}, "workflow_type: Must be SMK."),
    "other version": ({"workflow_type_version": "1.0"}, "workflow_type_version"),
    "other engine": ({"workflow_engine": "toil"}, "workflow_engine"),
    "engine parameters": ({"workflow_engine_parameters": '{"a": "b"}'}, "engine_parameters"),
    "params no JSON": ({"workflow_params": "{"}, "workflow_params"),
    "params no object": ({"workflow_params": "[]"}, "workflow_params"),
    "params NaN": ({"workflow_params": '{"depth": NaN}'}, "workflow_params"),
    "params deep": ({"workflow_params": '{"a":' * 900 + "1" + "}" * 900}, "32 levels"),
    "params deeper": ({"workflow_params": "[" * 100_000}, "levels"),
    "params 2^64": (
        {"workflow_params": '{"depth": 18446744073709551616}'},
        "workflow_params.depth: Integers must fit in 64 bits.",
    ),
    "params 5,000 digits": ({"workflow_params": '{"depth": %s}' % ("9" * 5000)}, "64 bits"),
    "params twice": ({"workflow_params": '{"depth": 1, "depth": 2}'}, "twice"),
    "params surrogate": ({"workflow_params": r'{"reads": "\ud800"}'}, "workflow_params"),
    "params NUL": ({"workflow_params": r'{"reads": "\u0000"}'}, "NUL"),
    "params operator": ({"workflow_params": '{"reads": {"$gt": ""}}'}, "workflow_params.reads"),
    "params unknown": ({"workflow_params": '{"$where": 1}'}, "workflow_params.$where"),
    "NUL": ({"workflow_engine": "a\0"}, "workflow_engine: Must not contain NUL"),
    "tags no text": ({"tags": '{"a": {"$gt": 1}}'}, "tags.a: The values of tags must be strings."),
    "tags with =": ({"tags": '{"a=b": "c"}'}, "tags.a=b"),
    "tags too long": ({"tags": json.dumps({"a": "b" * 100})}, "tags.0"),
    "tags too many": ({"tags": json.dumps({str(n): "" for n in range(21)})}, "tags"),
    "no such file": ({"workflow_params": json.dumps({"reads": UNKNOWN})}, "workflow_params.reads"),
    "file of another kind": (
        {"workflow_params": '{"reads": "a.txt"}', "workflow_attachment": (BytesIO(b"1"), "a.txt")},
        "workflow_params.reads",
    ),
}
BROKEN |= {
    f"attachment {name!r}"[:50]: (
        {"workflow_params": "{}", "workflow_attachment": (BytesIO(READS), name)},
        "workflow_attachment",
    )
    for name in ("../a.fastq", "/etc/passwd", "a/../../b", "a\x07", "‮a", "x" * 300)
}


@pytest.mark.parametrize("name", BROKEN)
def test_invalid_submission_is_400_with_the_field_and_stores_nothing(client, services, name):
    fields, expected = BROKEN[name]
    before, began = stored(services), time.monotonic()
    assert expected in failed(submit(client, **fields), 400)
    assert stored(services) == before
    assert time.monotonic() - began < 3


def test_request_without_a_body_is_403(client):
    assert "workflow_url" in failed(client.post(f"{WES}/runs"), 403)


@pytest.mark.parametrize(
    "url", ["", "nothing", "http://example.org/Snakefile", "../demo", "demo\0"]
)
def test_workflow_of_no_catalogue_is_403_and_stores_nothing(client, services, url):
    before = stored(services)
    message = failed(submit(client, workflow_url=url, workflow_type=""), 403)
    assert message.startswith("workflow_url: Workflow not found. Send the name")
    assert stored(services) == before


def parts(*pieces: bytes, end: bytes = b"--B--\r\n") -> bytes:
    return b"".join(b"--B\r\n" + piece + b"\r\n" for piece in pieces) + end


def field(name: bytes, value: bytes = b"1", more: bytes = b"") -> bytes:
    head = b'Content-Disposition: form-data; name="' + name + b'"' + more
    return head + b"\r\n\r\n" + value


BODIES: dict[str, tuple[str, bytes]] = {
    "no boundary": ("multipart/form-data", parts(field(b"a"))),
    "other boundary": ("multipart/form-data; boundary=C", parts(field(b"a"))),
    "no end": ("multipart/form-data; boundary=B", parts(field(b"a"), end=b"")),
    "1,001 parts": (
        "multipart/form-data; boundary=B",
        parts(*(field(b"a%d" % n) for n in range(1001))),
    ),
    "field twice": ("multipart/form-data; boundary=B", parts(field(b"tags"), field(b"tags"))),
    "attachment without a name": (
        "multipart/form-data; boundary=B",
        parts(field(b"workflow_attachment")),
    ),
    "attachment cut": (
        "multipart/form-data; boundary=B",
        parts(field(b"workflow_attachment", READS, b'; filename="a.fastq"'), end=b""),
    ),
    "attachment with backslashes": (
        "multipart/form-data; boundary=B",
        parts(
            *(field(name.encode(), text.encode()) for name, text in FORM.items()),
            field(b"workflow_attachment", READS, rb'; filename="..\\\\a.fastq"'),
        ),
    ),
    "no UTF-8": ("multipart/form-data; boundary=B", parts(field(b"workflow_url", b"\xff"))),
    "urlencoded, no UTF-8": (URLENCODED, b"workflow_url=%ff"),
    "urlencoded, twice": (URLENCODED, b"tags=1&tags=2"),
    "JSON": ("application/json", b"{}"),
}


@pytest.mark.parametrize("name", BODIES)
def test_body_that_is_not_a_form_is_400_and_stores_nothing(client, services, name):
    kind, body = BODIES[name]
    before = stored(services)
    headers = {"Content-Type": kind} if kind else {}
    failed(client.post(f"{WES}/runs", data=body, headers=headers), 400)
    assert stored(services) == before


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=B", URLENCODED])
def test_fields_larger_than_a_json_body_are_413(client, services, kind):
    text, before = b"x" * 2**20, stored(services)
    body = (
        b"tags=" + text if kind == URLENCODED else parts(field(b"tags", b"{}"), field(b"a", text))
    )
    failed(client.post(f"{WES}/runs", data=body, headers={"Content-Type": kind}), 413)
    assert stored(services) == before


def test_attachment_larger_than_a_file_is_413_and_leaves_nothing(mongod, tmp_path):
    with open_desk(mongod, tmp_path, max_upload=1) as services:
        client, before = client_of(services), stored(services)
        piece = field(b"workflow_attachment", b"x" * (2**20 + 1), b'; filename="a.fastq"')
        headers = {"Content-Type": "multipart/form-data; boundary=B"}
        reply = client.post(f"{WES}/runs", data=parts(piece), headers=headers)
        assert "1 MiB" in failed(reply, 413)
        assert stored(services) == before


def test_two_attachments_of_the_same_name_are_refused(client, services):
    before = stored(services)
    twice = [(BytesIO(READS), "a.fastq"), (BytesIO(b"@"), "./a.fastq")]
    message = failed(submit(client, workflow_params="{}", workflow_attachment=twice), 400)
    assert message == "workflow_attachment: Two attachments have the same filename."
    assert stored(services) == before


# ---- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/runs/x",
        f"/runs/{UNKNOWN}",
        f"/runs/{UNKNOWN}/status",
        f"/runs/{UNKNOWN}/tasks",
        f"/runs/{UNKNOWN}/tasks/1-1",
        "/runs/%00/tasks/%00",
        "/runs/..%2f..%2fetc",
        "/nowhere",
        "",
    ],
)
def test_unknown_path_or_id_is_404(client, path):
    failed(client.get(WES + path), 404)


def test_malformed_id_is_404_with_its_format(client):
    hint = "A run id has 24 hexadecimal characters."
    assert failed(client.get(f"{WES}/runs/x"), 404) == f"Run not found. {hint}"
    hint = "A task id is an attempt and a job number, such as 1-7."
    message = failed(client.get(f"{WES}/runs/{UNKNOWN}/tasks/x"), 404)
    assert message == f"Task not found. {hint}"


@pytest.mark.parametrize("query", ["page_size=ten", "page_size=1.5", f"page_size={2**63}"])
def test_page_size_that_is_no_int64_is_400(client, run, query):
    assert "page_size" in failed(client.get(f"{WES}/runs?{query}"), 400)
    assert "page_size" in failed(client.get(f"{WES}/runs/{run.id}/tasks?{query}"), 400)


@pytest.mark.parametrize("token", ["x", "%F0%9F%A6%A0", "a" * 500, "{%22$gt%22:1}"])
def test_nothing_follows_an_unknown_page_token(client, run, token):
    page = client.get(f"{WES}/runs?page_token={token}").get_json()
    assert page == {"runs": [], "next_page_token": ""}
    tasks = client.get(f"{WES}/runs/{run.id}/tasks?page_token={token}").get_json()
    assert tasks == {"task_logs": [], "next_page_token": ""}


@pytest.mark.parametrize("query", ["page_size=1&page_size=2", "state=RUNNING", "page_token=%ff"])
def test_unknown_query_parameter_is_400(client, query):
    failed(client.get(f"{WES}/runs?{query}"), 400)


def test_other_method_is_405_with_those_allowed(client):
    reply = client.delete(f"{WES}/service-info")
    failed(reply, 405)
    assert "GET" in reply.headers["Allow"]


def test_other_sites_are_refused_in_the_standard_s_words(client):
    failed(client.get(f"{WES}/service-info", headers={"Host": "evil.example"}), 403)
    failed(client.post(f"{WES}/runs", headers={"Origin": "http://evil.example"}), 403)


def test_other_addresses_keep_their_envelope(client):
    assert "errCode" in client.get("/ga4gh/wes/v10/x").get_json()


def test_runs_of_others_are_not_there(mongod, tmp_path):
    secret = "0123456789abcdef"
    settings = {"remote_user_header": "X-User", "remote_user_secret": secret}
    with open_desk(mongod, tmp_path, **settings) as services:
        client = client_of(services)

        def as_(user):
            return {"X-User": user, "X-Rundesk-Secret": secret}

        made = client.post(
            f"{WES}/runs",
            data={
                **FORM,
                "workflow_params": '{"reads": "a.fastq"}',
                "workflow_attachment": (BytesIO(READS), "a.fastq"),
            },
            headers=as_("ada"),
        ).get_json()["run_id"]
        assert client.get(f"{WES}/runs/{made}", headers=as_("ada")).status_code == 200
        failed(client.get(f"{WES}/runs/{made}", headers=as_("bob")), 404)
        failed(client.post(f"{WES}/runs/{made}/cancel", headers=as_("bob")), 404)
        assert client.get(f"{WES}/runs", headers=as_("bob")).get_json()["runs"] == []
        counts = client.get(f"{WES}/service-info", headers=as_("bob")).get_json()
        assert counts["system_state_counts"]["QUEUED"] == 0
        failed(client.get(f"{WES}/runs"), 401)


def test_database_that_is_away_is_503_with_retry_after(tmp_path):
    services = build(Settings(data=tmp_path, db_port=free_port()))
    reply = client_of(services).get(f"{WES}/service-info")
    failed(reply, 503)
    assert reply.headers["Retry-After"]
    services.close()


# ---- clients of other projects ---------------------------------------------------------------


@pytest.fixture(scope="module")
def server(served) -> Servers:
    return served


def posted(server: Servers, **fields: str) -> str:
    reply = requests.post(
        f"{server.settings.public_api_url}{WES}/runs",
        data={**FORM, **fields},
        files={"workflow_attachment": ("text.txt", "words\n")},
        timeout=20,
    )
    assert reply.status_code == 200, reply.text
    run_id: str = reply.json()["run_id"]
    return run_id


def state_of(server: Servers, run_id: str) -> str:
    address = f"{server.settings.public_api_url}{WES}/runs/{run_id}/status"
    state: str = requests.get(address, timeout=20).json()["state"]
    return state


@pytest.fixture(scope="module")
def read(server) -> str:
    """A run of a workflow that copies its file, over."""
    run_id = posted(server, workflow_url="reader", workflow_params='{"text": "text.txt"}')
    until(lambda: state_of(server, run_id) == "COMPLETE")
    return run_id


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout


@pytest.fixture(scope="module")
def wes_client(server) -> Callable[..., str]:
    """The command `wes-client` of the package wes-service, in an environment of its own.

    The Makefile installs it.
    """
    command = Path(sys.prefix) / "clients" / "bin" / "wes-client"
    host = server.settings.public_api_url.partition("://")[2]
    return lambda *words: output(str(command), "--proto", "http", "--host", host, *words)


def test_wes_client_reads_info_list_run_and_log(wes_client, read):
    info = json.loads(wes_client("--info"))
    assert info["workflow_type_versions"].keys() == {"SMK"}
    listed = json.loads(wes_client("--list"))["runs"]
    assert {"run_id": read, "state": "COMPLETE"}.items() <= listed[0].items()
    log = json.loads(wes_client("--get", read))
    assert requests.get(log["outputs"]["results/copy.txt"], timeout=20).text == "words\n"
    assert "rule copy:" in wes_client("--log", read)


def test_gxy_wes_reads_info_list_state_run_and_tasks_and_cancels(server, read):
    def gxy_wes(command: str, *words: str) -> dict[str, Any]:
        program = Path(sys.executable).with_name("gxy-wes")
        url = server.settings.public_api_url
        found: dict[str, Any] = json.loads(
            output(str(program), command, *words, "--galaxy-url", url)
        )
        return found

    assert gxy_wes("service-info")["supported_wes_versions"] == ["1.1.0"]
    assert gxy_wes("list", "--page-size", "1")["runs"][0]["run_id"] == read
    assert gxy_wes("status", read) == {"run_id": read, "state": "COMPLETE"}
    assert gxy_wes("get", read)["run_log"]["exit_code"] == 0
    first = gxy_wes("tasks", read, "--page-size", "1")
    (task,) = first["task_logs"]
    rest = gxy_wes("tasks", read, "--page-token", first["next_page_token"])
    names = {one["name"] for one in [task, *rest["task_logs"]]}
    assert (names, rest["next_page_token"]) == ({"copy", "all"}, "")
    assert gxy_wes("task", read, task["id"]) == task

    slow = posted(server, workflow_url="slow", workflow_params='{"jobs": 1, "seconds": 50}')
    until(lambda: state_of(server, slow) == "RUNNING")
    assert gxy_wes("cancel", slow) == {"run_id": slow}
    until(lambda: state_of(server, slow) == "CANCELED")


def test_recipes_run_in_one_shell_from_first_to_last(server, tmp_path):
    said = run_recipes("guide/wes.md", tmp_path, WES=server.settings.public_api_url)
    assert "COMPLETE\n" in said
    assert "results/hits.tsv" in said
