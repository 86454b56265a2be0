"""Malicious or ambiguous input is refused, and nothing is stored."""

from __future__ import annotations

import base64
import json

import pytest
from pymongo import MongoClient

from services.access.actors import local_actor
from services.models import RunRequest
from tests.helpers.api import finished_run, refused

SETTINGS = {"max_upload": 1}  # of module_services


@pytest.fixture(scope="module", autouse=True)
def over(services):
    """A finished run with a result whose name has lookalikes."""
    return finished_run(services, local_actor(), {"results/Müll.txt": "x"})


@pytest.fixture(scope="module")
def waiting(services, over):
    return services.runs.submit(local_actor(), RunRequest(workflow="demo", example=True))


@pytest.fixture(scope="module")
def stored(services, waiting):
    """A function that returns what is stored: hashes of the collections, files on disk."""
    client = MongoClient(services.settings.uri)
    database = client[services.settings.database]

    def look():
        documents = database.command("dbHash")["collections"]
        folder = services.settings.data / "files"
        return documents, {path for path in folder.rglob("*") if path.is_file()}

    yield look
    client.close()


@pytest.fixture(autouse=True)
def nothing_stored(stored):
    before = stored()
    yield
    assert stored() == before


NESTED = 60
VALUES = {
    "5,000 digits": b"1" * 5000,
    "5,000 digits behind the point": b"0." + b"1" * 5000 + b"e400",
    "2^64": b"18446744073709551616",
    "below -2^63": b"-9223372036854775809",
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "1e999": b"1e999",
    "nested lists": b"[" * NESTED + b"]" * NESTED,
    "nested objects": b'{"a":' * NESTED + b"1" + b"}" * NESTED,
    "nested without end": b"[" * 200_000,
    "half a character": rb'"\ud800"',
    "the other half": rb'"\udfff x"',
    "NUL": rb'"\u0000"',
    "NUL as it is": b'"\0"',
    "no UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "an operator": b'{"$gt": ""}',
    "an operator with code": b'{"$where": "sleep(10000) || true"}',
    "a list of operators": b'[{"$ne": null}]',
    "a dotted key": b'{"a.b": 1}',
    "a key of NUL": rb'{"\u0000": 1}',
    "a key given twice": b'{"a": 1, "a": 2}',
    "a key given twice, spelt differently": rb'{"a": 1, "\u0061": 2}',
    "the prototype": b'{"__proto__": {"admin": true}}',
    "true": b"true",
    "two values": b"1 2",
    "a comment": b"1 /* */",
    "an open end": b'"',
}
DOORS = {
    "params": ("POST", "/api/v1/runs", b'{"workflow": "demo", "params": %s}'),
    "a parameter": ("POST", "/api/v1/runs", b'{"workflow": "demo", "params": {"reads": %s}}'),
    "a workflow": ("POST", "/api/v1/runs", b'{"workflow": %s, "params": {}}'),
    "tags": ("POST", "/api/v1/runs", b'{"workflow": "demo", "example": true, "tags": %s}'),
    "a check": ("POST", "/api/v1/runs/validate", b'{"workflow": %s, "params": {}}'),
    "a run's name": ("PATCH", "/api/v1/runs/{run}", b'{"name": %s}'),
    "a draft's digest": ("PUT", "/api/v1/drafts/demo", b'{"content": {}, "digest": %s}'),
    "a token's name": ("POST", "/api/v1/tokens", b'{"name": %s}'),
    "a token's owner": ("POST", "/api/v1/tokens", b'{"name": "n", "owner": %s}'),
    "a field unknown": ("POST", "/api/v1/tokens", b'{"name": "n", "x": %s}'),
    "the body": ("POST", "/api/v1/runs", b"%s"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("door", DOORS)
def test_hostile_json_is_400(client, waiting, door, value):
    method, address, shape = DOORS[door]
    body = shape.replace(b"%s", VALUES[value])
    address = address.replace("{run}", waiting.id)
    reply = client.open(address, method=method, data=body, content_type="application/json")
    refused(reply, 400)
    reply.text.encode()  # the error can be encoded


NAMES = [
    "\0",
    "a\0.fa",
    "\n",
    "a\r\nX: y",
    "\x1b[2J",
    "\x7f",
    "\u202ea.fa",
    "\u2028",
    " ",
    "x" * 256,
]


@pytest.mark.parametrize("name", NAMES)
def test_invalid_file_name_is_400_everywhere(client, name):
    raw = client.post("/api/v1/files", query_string={"name": name}, data=b"A")
    assert "query.name" in refused(raw, 400)
    encoded = base64.b64encode(name.encode()).decode()
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}
    meta = {"Upload-Metadata": f"filename {encoded}"}
    refused(client.post("/uploads/", headers={**headers, **meta}), 400)


TWINS = [
    "results/mu\u0308ll.txt",
    "results/Mu\u0308ll.txt",
    "results/MÜLL.TXT",
    "results/Müll.txt ",
    "results/Müll.txt.",
    "results/./Müll.txt",
    "results//Müll.txt",
    "Results/Müll.txt",
    "results/Müll.txt\u200b",
    "results\u2215Müll.txt",
    "results/%2e%2e/results/Müll.txt",
    "results/..;/results/Müll.txt",
    "results/../results/Müll.txt",
    "results/Müll.txt%00",
    "results/Müll.txt%00.png",
    "file:///etc/passwd",
    "....//....//etc/passwd",
    "/proc/self/environ",
    "results/M%C3",
]


@pytest.mark.parametrize("path", TWINS)
def test_lookalike_of_a_result_path_is_404(client, over, path):
    assert client.get(f"/api/v1/runs/{over.id}/results/results/Müll.txt").data == b"x"
    refused(client.get(f"/api/v1/runs/{over.id}/results/{path}"), 404)
    asked = client.get(f"/api/v1/runs/{over.id}/results.zip", query_string={"paths": path})
    if "%" not in path:
        assert asked.status_code in (400, 404)


@pytest.mark.parametrize(
    "name", ["Demo", "DEMO", "demo ", "demo\u200b", "de\u0301mo", "../demo", "d\u0435mo"]
)
def test_lookalike_of_a_workflow_name_is_refused(client, name):
    body = json.dumps({"workflow": name, "example": True})
    sent = client.post("/api/v1/runs", data=body, content_type="application/json")
    assert "workflow" in refused(sent, 400)
    refused(client.get(f"/api/v1/workflows/{name}"), 404)


IDS = [
    "$ne",
    '{"$gt":""}',
    "0" * 23,
    "0" * 25,
    "G" * 24,
    "A" * 24,
    "\uff10" * 24,
    "0" * 24 + "\n",
    "*",
    ".",
]


@pytest.mark.parametrize("given", IDS)
@pytest.mark.parametrize(
    "address",
    ["/api/v1/runs/{}/jobs", "/api/v1/files/{}/content", "/uploads/{}", "/ga4gh/wes/v1/runs/{}"],
)
def test_malformed_id_is_404(client, given, address):
    reply = client.get(address.format(given))
    assert reply.status_code == 404
    assert reply.is_json


@pytest.mark.parametrize(
    "query",
    [
        "text[$ne]=1&limit=1",
        "owner[$gt]=",
        "state[]=QUEUED",
        "limit=1e3",
        "limit=٣",
        "limit=" + "9" * 5000,
        "limit=-1",
        "after=" + "A" * 300,
        "after=%ff",
        "text=%00",
        "text=" + "x" * 201,
        "state=QUEUED;drop",
        "file=$ne",
        "id=" + "0" * 24 + ",$ne",
        "__proto__=1",
    ],
)
def test_hostile_query_is_400(client, query):
    refused(client.get(f"/api/v1/runs?{query}"), 400)


def test_search_text_is_not_a_pattern(client):
    for text in (".*", "^", "(", "[", "(a+)+$", "\\", "$where", "*" * 200):
        page = client.get("/api/v1/runs", query_string={"text": text}).get_json()["data"]
        assert page["items"] == []


HEADERS = {
    "key": ("/api/v1/runs", {"Idempotency-Key": "x" * 201}),
    "key of blanks": ("/api/v1/runs", {"Idempotency-Key": "a b"}),
    "length": ("/uploads/", {"Tus-Resumable": "1.0.0", "Upload-Length": "9" * 5000}),
    "length of 2^64": ("/uploads/", {"Tus-Resumable": "1.0.0", "Upload-Length": str(2**64)}),
    "length below zero": ("/uploads/", {"Tus-Resumable": "1.0.0", "Upload-Length": "-1"}),
    "length in other digits": ("/uploads/", {"Tus-Resumable": "1.0.0", "Upload-Length": "\uff11"}),
    "too large": ("/uploads/", {"Tus-Resumable": "1.0.0", "Upload-Length": str(2**40)}),
}


@pytest.mark.parametrize(("address", "headers"), HEADERS.values(), ids=HEADERS)
def test_hostile_header_is_refused(client, address, headers):
    sent = {"json": {"workflow": "demo", "example": True}} if "runs" in address else {}
    encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    reply = client.post(address, headers=encoded, **sent)
    assert 400 <= reply.status_code < 500
    refused(reply, reply.status_code)
