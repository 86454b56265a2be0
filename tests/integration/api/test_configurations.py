"""The configuration of workflows and runs in the API, and paths in parameters with sign-in."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services.errors import Invalid
from services.models import Actor, RunRequest
from tests.helpers.api import open_desk

REPOSITORIES = Path(__file__).parents[2] / "data" / "repositories"
SETTINGS = {"workflows": (REPOSITORIES,)}
ANN = Actor(id="ann")


def test_configuration_of_a_workflow_is_its_file(client):
    reply = client.get("/api/v1/workflows/yaml-only-types/configuration")
    own = (REPOSITORIES / "yaml-only-types/config/config.yaml").read_text()
    assert (reply.status_code, reply.mimetype, reply.text) == (200, "text/plain", own)


@pytest.mark.parametrize("path", ["config/none.yaml", "../x", "workflow/Snakefile", "/etc/passwd"])
def test_other_file_of_a_workflow_that_is_none_of_its_config_folder_is_not_found(client, path):
    address = "/api/v1/workflows/yaml-only-types/configuration"
    assert client.get(address, query_string={"path": path}).status_code == 404


def test_configuration_of_a_run_can_be_sent_again_as_a_file(client, services):
    body = {"workflow": "yaml-only-types", "params": {"lanes": {"3": "third"}}}
    run = client.post("/api/v1/runs", json=body).get_json()["data"]
    text = client.get(f"/api/v1/runs/{run['id']}/configuration").text
    assert yaml.safe_load(text)["lanes"] == {3: "third"}
    name = {"name": "mine.yaml"}
    file = client.post("/api/v1/files", query_string=name, data=text.encode()).get_json()["data"]
    body = {"workflow": "yaml-only-types", "config_file": file["id"], "complete": True}
    again = client.post("/api/v1/runs/validate", json=body).get_json()["data"]
    assert again["params"] == run["params"]
    staged = client.get(f"/api/v1/runs/{run['id']}/configuration?staged=1")
    assert staged.status_code == 404  # it has not been prepared yet


def test_file_that_is_no_configuration_is_refused_at_its_field(client, services):
    owner = client.post("/api/v1/files?name=x.yaml", data=b"a: b: c").get_json()["data"]
    body = {"workflow": "default-order", "config_file": owner["id"]}
    problems = client.post("/api/v1/runs/validate", json=body).get_json()["data"]["problems"]
    assert [(one["field"], one["code"]) for one in problems] == [("config_file", "unreadable_file")]


@pytest.fixture(scope="module")
def signed_in(mongod, tmp_path_factory):
    folder = tmp_path_factory.mktemp("opened")
    with open_desk(
        mongod,
        tmp_path_factory.mktemp("desk"),
        sign_in_by="tokens",
        workflows=(REPOSITORIES,),
        readable=(folder,),
    ) as services:
        yield services, folder


@pytest.mark.parametrize("path", ["/etc/os-release", "../../secret", "x/../../y", "~/.ssh/id"])
def test_path_out_of_a_run_is_refused_with_sign_in(signed_in, path):
    services, _ = signed_in
    request = RunRequest(workflow="beside-the-workflow", params={"adapters": path})
    with pytest.raises(Invalid) as caught:
        services.previews.validate(ANN, request)
    problems = [(problem.field, problem.code) for problem in caught.value.problems]
    assert problems[0][0] == "params.adapters"


def test_path_in_an_opened_folder_is_accepted_with_sign_in(signed_in):
    services, folder = signed_in
    params = {"outdir": str(folder / "out")}
    request = RunRequest(workflow="absolute-results", params=params)
    assert services.previews.validate(ANN, request).params == params


def test_path_of_the_workflow_itself_is_accepted_with_sign_in(signed_in):
    services, _ = signed_in
    request = RunRequest(workflow="absolute-results", params={})
    assert services.previews.validate(ANN, request).params == {"outdir": "/var/tmp/outside"}
