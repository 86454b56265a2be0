"""Clients that generators make from the document: generated, compiled, used from upload to zip."""

from __future__ import annotations

import pytest
import requests

from tests.helpers import front_ends

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def api(served):
    return served.settings.public_api_url


@pytest.fixture
def folder(api, tmp_path):
    """A folder with our clients and the document."""
    found = tmp_path / "clients"
    found.mkdir()
    document = requests.get(f"{api}/apidocs/openapi.json", timeout=60)
    (found / "openapi.json").write_bytes(document.content)
    return front_ends.folder(found)


def test_openapi_generator_makes_a_python_client_that_works(api, folder):
    front_ends.run(
        *("openapi-generator-cli", "generate", "-g", "python", "-i", "openapi.json"),
        *("-o", "made"),
        cwd=folder,
    )
    found = front_ends.run(
        *(front_ends.GENERATORS / "python", "-W", "error", "generated_by_openapi_generator.py"),
        api,
        cwd=folder,
        PYTHONPATH="made",
    )
    assert found == "COMPLETE ['results/copy.txt'] True 1 True None\n"


def test_openapi_python_client_makes_a_client_that_works(api, folder):
    made = front_ends.run(
        *("openapi-python-client", "generate", "--path", "openapi.json"),
        *("--output-path", "rundesk_client", "--meta", "none"),
        cwd=folder,
    )
    assert "Endpoint will not be generated" not in made
    found = front_ends.run(
        front_ends.GENERATORS / "python",
        *("-W", "error", "generated_by_openapi_python_client.py"),
        api,
        cwd=folder,
    )
    assert found == "COMPLETE ['results/copy.txt'] True 1 True None\n"


def test_openapi_typescript_and_hey_api_make_clients_that_compile_and_work(api, folder):
    front_ends.need_npm()
    front_ends.node(
        *("openapi-typescript", "openapi.json", "--default-non-nullable=false"),
        *("-o", "openapi_typescript.gen.ts"),
        cwd=folder,
    )
    front_ends.node(
        *("openapi-ts", "-i", "openapi.json", "-o", "hey_api.gen", "-c", "@hey-api/client-fetch"),
        cwd=folder,
    )
    front_ends.node("tsc", "-p", "tsconfig.json", cwd=folder)
    options = ("--format=esm", "--platform=neutral", "--main-fields=module,main")
    for name in ("openapi_typescript", "hey_api"):
        script = front_ends.bundle(folder, f"{name}.ts", *options, f'--define:address="{api}"')
        found = front_ends.node(script.name, cwd=folder)
        assert found == "COMPLETE results/copy.txt true true null\n", name
