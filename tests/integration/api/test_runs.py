"""Runs, jobs, logs and results over HTTP: the API returns what the service returns."""

from __future__ import annotations

import json

import pytest

from services.access.actors import local_actor
from services.models import RunFilter, RunRequest
from services.params.public_schema import public_schema
from services.rundir import RunDir
from tests.helpers.api import codes, finished_run, refused

REPORT = "<!doctype html><script>document.title = 'ran'</script>"
RESULTS = {
    "results/report.html": REPORT,
    "results/hits.tsv": "query\ttarget\n",
    "results/deep folder/ä b.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
}
PDF = "results/figure.pdf"


@pytest.fixture(scope="module", autouse=True)
def run(services):
    """A finished run; created first, because it takes the first run of the queue."""
    return finished_run(services, local_actor(), {**RESULTS, PDF: "%PDF-1.4"})


@pytest.fixture
def reads(client):
    reply = client.post("/api/v1/files?name=a.fastq", data=b"@r\nA\n+\nI\n")
    return reply.get_json()["data"]["id"]


def submit(client, body, **headers):
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/api/v1/runs", data=text, content_type="application/json", headers=named)


def total(services, actor):
    return sum(services.runs.counts(actor).values())


def data(reply):
    assert reply.status_code < 300, reply.text
    return reply.get_json()["data"]


# ---- submitting -------------------------------------------------------------------------------


def test_submit_queues_the_run_and_returns_its_location(client, reads):
    body = {"workflow": "demo", "params": {"reads": reads}, "name": "N", "tags": ["t"]}
    reply = submit(client, body)
    run = data(reply)
    assert reply.status_code == 201
    assert (run["state"], run["name"], run["tags"]) == ("QUEUED", "N", ["t"])
    assert run["params"] == {"reads": reads, "depth": 3}
    assert run["progress"] == {"total": 0, "done": 0, "failed": 0}
    assert run["created"].endswith("Z")
    assert {run["started"], run["ended"], run["error"]} == {None}
    assert reply.headers["Location"] == f"/api/v1/runs/{run['id']}"
    assert data(client.get(reply.headers["Location"]))["id"] == run["id"]


def test_submit_example_needs_no_files(client):
    run = data(submit(client, {"workflow": "demo", "example": True}))
    assert run["inputs"][0]["name"] == "a.fastq"


def test_submit_whole_number_may_be_written_as_a_decimal(client, reads):
    run = data(submit(client, {"workflow": "demo", "params": {"reads": reads, "depth": 33.0}}))
    assert run["params"]["depth"] == 33


def test_submit_same_key_is_the_same_run_other_body_a_conflict(client, reads):
    body = {"workflow": "demo", "params": {"reads": reads}}
    first, second = (data(submit(client, body, Idempotency_Key="k-1")) for _ in range(2))
    assert first["id"] == second["id"]
    other = {**body, "name": "another"}
    refused(submit(client, other, Idempotency_Key="k-1"), 409, 40903)
    assert data(submit(client, other, Idempotency_Key="k-2"))["id"] != first["id"]


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201])
def test_submit_with_an_invalid_key_is_refused(client, reads, key):
    body = {"workflow": "demo", "params": {"reads": reads}}
    reply = submit(client, body, Idempotency_Key=key)
    message = "Must have 1 to 200 visible ASCII characters without spaces."
    assert refused(reply, 400, 40001) == {"header.Idempotency-Key": (message, "")}


PARAMS = [
    ("unknown", {"evalu": 1}, "params.evalu"),
    ("missing", {}, "params.reads"),
    ("wrong type", {"depth": "deep"}, "params.depth"),
    ("a text for a number", {"depth": "3"}, "params.depth"),
    ("out of range", {"depth": 0}, "params.depth"),
    ("no whole number", {"depth": 1.5}, "params.depth"),
    ("64 bits and more", {"depth": 2**64}, "params.depth"),
    ("no such file", {"reads": "0" * 24}, "params.reads"),
    ("no id at all", {"reads": "../../etc/passwd"}, "params.reads"),
    ("a list for a file", {"reads": ["0" * 24]}, "params.reads"),
    ("an operator for a file", {"reads": {"$ne": ""}}, "params.reads"),
    ("an operator as a key", {"$where": "1"}, "params.$where"),
    ("a dotted key", {"a.b": 1}, "params.a.b"),
    ("NUL", {"reads": "\0"}, "params.reads"),
    ("half a character", {"reads": "\ud800"}, "params.reads"),
    ("a number without end", {"depth": float("inf")}, "params.depth"),
]


@pytest.mark.parametrize(
    ("params", "field"), [row[1:] for row in PARAMS], ids=[row[0] for row in PARAMS]
)
def test_submit_bad_parameter_is_400_by_field_and_leaves_no_run(
    services, client, actor, params, field
):
    before = total(services, actor)
    given = submit(client, {"workflow": "demo", "params": params})
    assert field in refused(given, 400, 40001)
    assert total(services, actor) == before


BODIES = [
    ({"workflow": "none", "params": {}}, "workflow"),
    ({"workflow": "../demo", "params": {}}, "workflow"),
    ({"workflow": {"$gt": ""}, "params": {}}, "workflow"),
    ({"params": {}}, "workflow"),
    ({"workflow": "demo"}, "params"),
    ({"workflow": "demo", "params": {}, "example": True}, "params"),
    ({"workflow": "demo", "params": []}, "params"),
    ({"workflow": "demo", "example": "true"}, "example"),
    ({"workflow": "demo", "example": True, "name": "x" * 201}, "name"),
    ({"workflow": "demo", "example": True, "tags": [""]}, "tags.0"),
    ({"workflow": "demo", "example": True, "tags": ["t"] * 21}, "tags"),
    ({"workflow": "demo", "example": True, "owner": "root"}, "owner"),
    ('{"workflow": "demo", "example": true, "example": true}', "example"),
]


@pytest.mark.parametrize(("body", "field"), BODIES)
def test_submit_bad_body_is_400_and_leaves_no_run(services, client, actor, body, field):
    before = total(services, actor)
    assert field in refused(submit(client, body), 400, 40001)
    assert total(services, actor) == before


# ---- reading ----------------------------------------------------------------------------------


def test_run_is_what_the_service_returns(services, client, actor, run):
    got = services.runs.get(actor, run.id)
    assert data(client.get(f"/api/v1/runs/{run.id}")) == got.model_dump(mode="json")
    page = services.runs.list(actor, RunFilter(text=run.id))
    shown = {**page.model_dump(mode="json"), "total": 1}
    assert data(client.get(f"/api/v1/runs?text={run.id}")) == shown
    (job,) = services.runs.jobs(actor, run.id)
    assert data(client.get(f"/api/v1/runs/{run.id}/jobs")) == [job.model_dump(mode="json")]
    graph = services.runs.graph(actor, run.id)
    assert data(client.get(f"/api/v1/runs/{run.id}/graph")) == graph.model_dump(mode="json")


def test_list_filters_and_pages(services, client, actor, run):
    for n in range(3):
        services.runs.submit(actor, RunRequest(workflow="demo", example=True, name=f"paged {n}"))

    def names(**query):
        page = data(client.get("/api/v1/runs", query_string=query))
        return [one["name"] for one in page["items"]], page["next"]

    found, after = names(text="paged", state=["QUEUED", "RUNNING"], limit=2)
    assert found == ["paged 2", "paged 1"]
    assert names(text="paged", limit=2, after=after) == (["paged 0"], None)
    assert names(text="paged", state="COMPLETE,CANCELED") == ([], None)
    assert names(workflow="other") == ([], None)
    assert names(owner="ann") == ([], None)
    assert run.name in names(state="COMPLETE", workflow="demo", owner="local")[0]


def test_workflows_are_those_of_the_catalogue(services, client, actor):
    listed = data(client.get("/api/v1/workflows"))
    kept = [one.model_dump(mode="json") for one in services.workflows.list(actor)]
    assert listed == [{**one, "params_schema": public_schema(one["params_schema"])} for one in kept]
    assert {"demo", "sequence-search"} <= {one["name"] for one in listed}
    one = data(client.get("/api/v1/workflows/demo"))
    assert one in listed
    assert one["params_schema"]["required"] == ["reads"]


# ---- logs -------------------------------------------------------------------------------------


def test_log_is_text_and_grows_under_ranges(services, client, run):
    address = f"/api/v1/runs/{run.id}/log"
    reply = client.get(address)
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.text == "Building DAG of jobs...\nFinished\n"
    refused(client.get(address, headers={"Range": f"bytes={len(reply.data)}-"}), 416, 41600)
    with RunDir.of(services.settings.data, run.id).attempt(1).console.open("a") as log:
        log.write("more\n")
    more = client.get(address, headers={"Range": f"bytes={len(reply.data)}-"})
    assert (more.status_code, more.text) == (206, "more\n")
    assert client.get(address, headers={"Range": "bytes=-5"}).text == "more\n"


def test_log_of_a_job(client, run):
    (job,) = data(client.get(f"/api/v1/runs/{run.id}/jobs"))
    reply = client.get(f"/api/v1/runs/{run.id}/jobs/{job['id']}/log")
    assert (reply.status_code, reply.text) == (200, "searching αβ\ndone\n")
    refused(client.get(f"/api/v1/runs/{run.id}/jobs/1-99/log"), 404, 40400)


def test_log_of_a_queued_run_is_404(client):
    queued = data(submit(client, {"workflow": "demo", "example": True}))
    refused(client.get(f"/api/v1/runs/{queued['id']}/log"), 404, 40400)


# ---- results ----------------------------------------------------------------------------------


def test_results_are_those_of_the_service_highlights_first(services, client, actor, run):
    listed = data(client.get(f"/api/v1/runs/{run.id}/results"))
    kept = [one.model_dump() for one in services.results.list(actor, run.id)]
    assert [{**one, "link": ""} for one in listed] == kept
    assert [one["path"] for one in listed] == [
        "results/report.html",
        "results/deep folder/ä b.svg",
        PDF,
        "results/hits.tsv",
    ]


@pytest.mark.parametrize("path", RESULTS)
def test_result_is_an_attachment_by_default(client, run, path):
    reply = client.get(f"/api/v1/runs/{run.id}/results/{path}")
    assert reply.text == RESULTS[path]
    assert reply.headers["Content-Disposition"].startswith("attachment; ")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", RESULTS)
def test_result_inline_is_sandboxed_whatever_it_is(client, run, path):
    reply = client.get(f"/api/v1/runs/{run.id}/results/{path}?inline=1")
    assert reply.text == RESULTS[path]
    assert reply.headers["Content-Security-Policy"] == (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
        " style-src 'unsafe-inline'; img-src data:; font-src data:"
    )
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in reply.headers  # the portal frames it
    assert not reply.headers.get("Content-Disposition", "").startswith("attachment")


def test_inline_pdf_is_shown_by_the_browser_without_network_access(client, run):
    reply = client.get(f"/api/v1/runs/{run.id}/results/{PDF}?inline=1")
    assert reply.headers["Content-Type"] == "application/pdf"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    policy = reply.headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'"


def test_result_supports_ranges(client, run):
    address = f"/api/v1/runs/{run.id}/results/results/hits.tsv"
    reply = client.get(address, headers={"Range": "bytes=0-4"})
    assert (reply.status_code, reply.text) == (206, "query")
    etag = client.get(address).headers["ETag"]
    assert client.get(address, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "results",
        "results/",
        "config.json",
        ".rundesk/manifest.json",
        "logs/search.log",
        "results/../config.json",
        "../../secret",
        "%2e%2e/%2e%2e/secret",
        "..%2f..%2fsecret",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "results/report.html%00",
        "results//report.html",
        "results/report.html/",
        "RESULTS/report.html",
        "results\\report.html",
        "x" * 1001,
    ],
)
def test_result_that_is_not_listed_is_404(client, run, path):
    refused(client.get(f"/api/v1/runs/{run.id}/results/{path}"), 404)


@pytest.mark.parametrize("flag", ["2", "yes", "", "1&inline=1"])
def test_result_with_an_invalid_flag_is_refused(client, run, flag):
    reply = client.get(f"/api/v1/runs/{run.id}/results/results/hits.tsv?inline={flag}")
    assert "query.inline" in refused(reply, 400, 40001)
    assert codes(reply)["query.inline"] in ("not_allowed", "duplicate_field")


# ---- changing ---------------------------------------------------------------------------------


def test_update_renames_and_tags_and_leaves_the_rest(client, run):
    address = f"/api/v1/runs/{run.id}"
    changed = data(client.patch(address, json={"name": " New *name* ", "tags": ["b", " a ", "b"]}))
    assert (changed["name"], changed["tags"]) == ("New *name*", ["b", "a"])
    assert data(client.get(address)) == changed
    assert data(client.patch(address, json={"tags": []}))["name"] == "New *name*"
    assert data(client.patch(address, json={})) == data(client.get(address))
    assert data(client.patch(address, json={"name": ""}))["name"] == "Demo"
    for body, field in (
        ({"name": "x" * 201}, "name"),
        ({"tags": [""]}, "tags.0"),
        ({"tags": ["x" * 65]}, "tags.0"),
        ({"state": "COMPLETE"}, "state"),
    ):
        assert field in refused(client.patch(address, json=body), 400, 40001)
    refused(client.patch(f"/api/v1/runs/{'0' * 24}", json={"name": "x"}), 404, 40400)


def test_cancel_resume_delete(client):
    run = data(submit(client, {"workflow": "demo", "example": True}))
    address = f"/api/v1/runs/{run['id']}"
    refused(client.delete(address), 409, 40901)
    refused(client.post(f"{address}/resume"), 409, 40901)
    for path in ("report", "results.zip", "results/results/hits.tsv"):
        refused(client.get(f"{address}/{path}"), 404, 40402)
    for path in ("crate", "snakemake-report"):
        refused(client.get(f"{address}/{path}"), 409, 40905)
    assert data(client.post(f"{address}/cancel"))["state"] == "CANCELED"
    refused(client.post(f"{address}/cancel"), 409, 40901)
    for path in ("report", "results.zip", "results/results/hits.tsv"):
        refused(client.get(f"{address}/{path}"), 404, 40403)
    for path in ("crate", "snakemake-report"):
        refused(client.get(f"{address}/{path}"), 409, 40906)
    assert data(client.post(f"{address}/resume"))["state"] == "QUEUED"
    assert data(client.post(f"{address}/cancel"))["state"] == "CANCELED"
    assert data(client.delete(address)) is None
    refused(client.get(address), 404, 40400)
