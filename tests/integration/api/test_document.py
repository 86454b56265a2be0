"""The API document: valid, complete, correct, compatible, and without external resources."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import schemathesis
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter

from routes.http.errors import CODES, Failure
from routes.http.field_formats import FORMATS, NOT_FOUND
from routes.links import Link
from services.errors import PROBLEM_CODES
from services.models import (
    Draft,
    File,
    Graph,
    Import,
    InboxFile,
    Job,
    Limits,
    Line,
    NewToken,
    Page,
    Preview,
    Result,
    Run,
    RunRequest,
    SearchDatabase,
    Statistics,
    Token,
    Upload,
    Validated,
    Workflow,
)
from services.settings import HERE
from services.sheets import Pairs, Sheet
from tests.helpers import api_document, fuzzing

SETTINGS = {"stream_time": 0.0}  # of module_services
BEFORE = HERE / "tests" / "data" / "openapi-before.json"
UNDOCUMENTED = {  # the document itself and the pages that show it
    "flasgger.apidocs",
    "flasgger.oauth_redirect",
    "flasgger.openapi",
    "flasgger.static",
    "flasgger.<lambda>",
}

#: Blueprints of other standards: the WES document and NCBI's (test_wes.py, test_blast.py); pages.
OF_OTHERS = {"wes", "blast", "index"}


@pytest.fixture(scope="module")
def document(client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/apidocs/openapi.json").get_json()
    return found


@pytest.fixture(scope="module")
def operations(document):
    """operationId → operation."""
    return {one["operationId"]: one for path in document["paths"].values() for one in path.values()}


def test_document_is_valid_openapi_3_1(document):
    assert document["openapi"] == "3.1.0"
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_document_has_every_route(client, document):
    app = client.application
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.endpoint not in UNDOCUMENTED and rule.endpoint.partition(".")[0] not in OF_OTHERS
    }
    described = {(path, method) for path, of in document["paths"].items() for method in of}
    assert routes == described
    assert len(routes) > 15


def test_document_describes_each_operation(operations):
    for name, one in operations.items():
        assert one["summary"].endswith("."), name
        assert len(one["tags"]) == 1, name
        assert {"400", "403", "500"} <= set(one["responses"]), name
        for parameter in one.get("parameters", ()):
            assert parameter["description"], (name, parameter)


def test_document_links_have_operations_and_parameters_that_exist(document, operations):
    linked = set()
    for one in operations.values():
        for reply in one["responses"].values():
            for link in reply.get("links", {}).values():
                target = operations[link["operationId"]]
                linked.add(link["operationId"])
                names = {parameter["name"] for parameter in target["parameters"]}
                assert set(link["parameters"]) <= names
    assert len(linked) > 10


def test_document_has_the_table_of_error_numbers(document):
    text = document["info"]["description"]
    codes = [f"| `{code}` | {meaning} |" for code, meaning in PROBLEM_CODES.items()]
    assert [line for line in codes if line not in text] == []
    numbers = [code.number for code in CODES]
    assert len(set(numbers)) == len(numbers)
    assert all(f"| {code.number} | {code.status} | {code.meaning} |" in text for code in CODES)
    for status in {code.status for code in CODES}:
        reply = document["components"]["responses"][f"Failed{status}"]
        for example in reply["content"]["application/json"]["examples"].values():
            TypeAdapter(Failure).validate_python(example["value"])


def test_document_is_compatible_with_the_one_before(document):
    """Paths, methods, operation ids, parameters, schemas and statuses stay; texts may differ.

    The document before is that of 0.1.0. Paths, schemas and properties may be added, and none may
    change, except that parameters become optional or are added, bodies may have further media
    types, and generators of clients can read it.
    """
    before = api_document.from_text(BEFORE.read_text())
    now = api_document.without_texts(document)
    now = api_document.without_new_properties(now, before)
    now = api_document.without_relaxations(api_document.without_repairs(now), before)
    assert set(before["paths"]) <= set(now["paths"])
    for path, methods in before["paths"].items():
        assert now["paths"][path] == methods, path
    assert set(before["components"]) <= set(now["components"])
    for section, parts in before["components"].items():
        assert set(parts) <= set(now["components"][section])
        for name, part in parts.items():
            assert now["components"][section][name] == part, f"{section}.{name}"
    assert [tag for tag in before["tags"] if tag not in now["tags"]] == []
    rest = set(before) - api_document.APART - {"tags", "servers"}  # servers: relative before
    assert {key: now[key] for key in rest} == {key: before[key] for key in rest}


def test_document_has_no_pattern_or_path_parameter_without_a_sentence(document, operations):
    patterns = set(re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', json.dumps(document["paths"])))
    assert {json.loads(f'"{pattern}"') for pattern in patterns} <= set(FORMATS)
    parameters = [one for spec in operations.values() for one in spec.get("parameters", ())]
    assert {one["name"] for one in parameters if one["in"] == "path"} <= set(NOT_FOUND)


KINDS = {
    "list_workflows": list[Workflow],
    "get_workflow": Workflow,
    "upload_file": File,
    "list_files": Page[File],
    "get_file": File,
    "create_upload": Upload,
    "get_upload": Upload,
    "get_workflow_graph": Preview,
    "submit_run": Run,
    "validate_run": Validated,
    "preview_run": Preview,
    "list_runs": Page[Run],
    "get_run": Run,
    "cancel_run": Run,
    "resume_run": Run,
    "run_again": Run,
    "create_token": NewToken,
    "list_tokens": list[Token],
    "get_queue": Line,
    "get_limits": Limits,
    "get_statistics": Statistics,
    "list_jobs": list[Job],
    "get_graph": Graph,
    "list_results": list[Result],
    "create_link": Link,
    "list_databases": list[SearchDatabase],
    "parse_sheet": Sheet,
    "pair_files": Pairs,
    "get_draft": Draft,
    "save_draft": Draft,
    "create_import": Import,
    "list_imports": Page[Import],
    "get_import": Import,
    "list_inbox": list[InboxFile],
}


@pytest.mark.parametrize("name", KINDS)
def test_document_example_is_what_the_model_says(operations, name):
    replies = operations[name]["responses"]
    done = replies.get("201") or replies.get("202") or replies["200"]
    example = done["content"]["application/json"]["example"]
    kind = TypeAdapter(KINDS[name])
    again = kind.dump_python(kind.validate_python(example["data"]), mode="json")
    assert again == example["data"]  # nothing missing, nothing too much


def test_document_example_of_a_submission_fits(operations):
    content = operations["submit_run"]["requestBody"]["content"]["application/json"]
    RunRequest.model_validate(content["example"])


def test_pages_of_the_document_have_no_external_resources(client):
    page = client.get("/apidocs/")
    assert "script-src 'self' 'nonce-" in page.headers["Content-Security-Policy"]
    assert "http" not in page.text
    found = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(found) == 3
    for address in found:
        assert client.get(address).status_code == 200


def test_pages_of_the_document_work_below_a_path(client):
    page = client.get("/apidocs/", environ_overrides={"SCRIPT_NAME": "/desk"})
    assert '"/desk/apidocs/openapi.json"' in page.text
    assert 'src="/desk/apidocs/static/' in page.text


# Conditions that are known only at run time: whether a workflow exists, a page token is ours, a raw
# body has a name in the query, a host is allowed.
KNOWN_AT_RUN_TIME = [
    "submit_run",
    "create_token",
    "create_link",
    "list_runs",
    "list_files",
    "upload_file",
    "create_import",
    "save_draft",
    "parse_sheet",
    "pair_files",
    "list_imports",
]
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
OPERATIONS = [
    {
        "include-operation-id": KNOWN_AT_RUN_TIME,
        "checks": {"positive_data_acceptance": {"enabled": False}},
    },
    {  # at run time too; with other methods their URLs are those of runs with such ids
        "include-operation-id": ["validate_run", "preview_run"],
        "checks": {
            "positive_data_acceptance": {"enabled": False},
            "unsupported_method": {"enabled": False},
            "allow_header_conformance": {"enabled": False},
        },
    },
    {  # tus requires 412 for another version; a checksum is known at run time
        "include-path-regex": "^/uploads/.",
        "checks": {
            "negative_data_rejection": {"expected-statuses": [400, 404, 409, 412, 413, 415]},
            "missing_required_header": {"expected-statuses": [400, 412]},
            "positive_data_acceptance": {"enabled": False},
        },
    },
    {  # schemathesis expects that unknown headers are refused
        "include-operation-id": "create_upload",
        "checks": {
            "negative_data_rejection": {"enabled": False},
            "missing_required_header": {"expected-statuses": [400, 412]},
            "positive_data_acceptance": {"enabled": False},
        },
    },
]


# Schemathesis does not close the replies of an app, so sent files stay open until collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.long
def test_schemathesis_finds_nothing(client):
    stateful = {"stateful": {"max-steps": 8}}
    schema = schemathesis.openapi.from_wsgi(
        "/apidocs/openapi.json",
        client.application,
        config=fuzzing.config(30, OPERATIONS, phases=stateful),
    )
    failures, cases = fuzzing.check(schema)
    assert not failures, "\n\n".join(failures[:5])
    assert cases > 300


def test_document_has_the_security_schemes_and_that_sign_in_is_optional(document):
    schemes = document["components"]["securitySchemes"]
    assert {one["scheme"] for one in schemes.values()} == {"bearer", "basic"}
    assert document["security"] == [{}, *({name: []} for name in schemes)]


def test_index_leads_to_portal_document_and_guides(services, client):
    page = client.get("/")
    assert page.mimetype == "text/html"
    found = re.findall(r'href="([^"]+)"', page.text)
    assert found[0] == services.settings.public_portal_url
    assert "/apidocs/" in found
    assert "/guide/api.md" in found
    for address in found[1:]:
        assert client.get(address).status_code == 200
    for name in ("nothing", "operators", "..%2Fdesign%2Farchitecture"):
        assert client.get(f"/guide/{name}.md").status_code == 404
    below = client.get("/", environ_overrides={"SCRIPT_NAME": "/desk"})
    assert 'href="/desk/apidocs/"' in below.text
