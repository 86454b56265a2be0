"""The private parts of libraries that the API uses: these fail when a library changes them."""

from __future__ import annotations

import logging
import tomllib
from importlib import metadata

import flasgger
import pytest
from flask import Blueprint, Flask
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.base import Worker as BaseWorker
from gunicorn.workers.gthread import ThreadWorker
from packaging.requirements import Requirement

from routes.http import gunicorn_worker, openapi
from routes.http.operation import operation
from services.models import Actor
from services.settings import HERE


def requirement(name: str) -> Requirement:
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    (found,) = (one for one in map(Requirement, project["dependencies"]) if one.name == name)
    return found


def test_gunicorn_is_pinned_to_the_minor_version_that_is_patched():
    version = metadata.version("gunicorn")
    major, minor = version.split(".")[:2]
    wanted = requirement("gunicorn").specifier
    assert wanted.contains(version), f"gunicorn {version} is installed, not {wanted}"
    assert not wanted.contains(f"{major}.{int(minor) + 1}.0"), (
        "pyproject.toml allows a minor version of gunicorn for which"
        " routes/http/gunicorn_worker.py was not checked"
    )


@pytest.mark.parametrize("patch", gunicorn_worker.PATCHES, ids=lambda patch: patch.name)
def test_gunicorn_has_what_each_patch_replaces(patch):
    missing = patch.missing()
    assert not missing, f"the patch {patch.name!r} of gunicorn is skipped: {missing}"


def test_patches_are_installed():
    assert SocketUnreader.max_body_chunk == gunicorn_worker.MAX_RECV_BYTES
    assert gunicorn_worker.Worker.keeps_thread


def test_patch_whose_target_is_gone_is_skipped_with_one_log_line(monkeypatch, caplog):
    applied = []
    patches = (
        gunicorn_worker.Patch("first", lambda: "X.y does not exist", lambda: applied.append(1)),
        gunicorn_worker.Patch("second", lambda: "", lambda: applied.append(2)),
    )
    monkeypatch.setattr(gunicorn_worker, "PATCHES", patches)
    with caplog.at_level(logging.WARNING, logger="gunicorn.error"):
        gunicorn_worker.install_patches()
    assert applied == [2]
    (record,) = caplog.records
    version = metadata.version("gunicorn")
    assert record.getMessage() == (
        f"gunicorn {version}: skipped the patch 'first': X.y does not exist"
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        *gunicorn_worker.HOOKS.items(),
        ("handle_error", ["self", "req", "client", "addr", "exc"]),
        ("handle_exit", ["self", "sig", "frame"]),
        ("init_signals", ["self"]),
    ],
)
def test_gunicorn_calls_the_methods_that_our_worker_overrides(name, parameters):
    method = getattr(ThreadWorker, name, None)
    assert method is not None, f"gunicorn's ThreadWorker has no method {name!r} any more"
    code = method.__code__
    found = list(code.co_varnames[: code.co_argcount])
    assert found == parameters, f"ThreadWorker.{name} takes {found}, not {parameters}"


def test_gunicorn_sets_the_attributes_that_our_worker_reads():
    names = {*BaseWorker.__init__.__code__.co_names, *ThreadWorker.__init__.__code__.co_names}
    missing = {"alive", "cfg", "log", "ppid", "pending_conns", "poller"} - names
    assert not missing, f"gunicorn's workers have no attributes {sorted(missing)} any more"


def test_flasgger_has_what_the_document_uses():
    assert openapi.missing_parts() == []


def test_flasgger_that_lacks_a_part_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(flasgger.Swagger, "get_apispecs", lambda self: {})
    parts = openapi.missing_parts()
    assert parts[0] == (
        "Swagger.get_apispecs takes no endpoint; the API document may be incomplete."
    )


things = Blueprint("things", __name__)


@things.get("/things")
@operation()
def list_things(actor: Actor) -> list[str]:
    """List things.

    All of them.
    """
    return [actor.id]


def test_flasgger_builds_the_document_from_our_operations():
    app = Flask("toy", template_folder=str(HERE / "routes/templates"))
    app.register_blueprint(things)
    openapi.install(app)
    client = app.test_client()
    document = client.get(openapi.DOCUMENT).get_json()
    spec = document["paths"]["/things"]["get"]
    assert (spec["operationId"], spec["summary"]) == ("list_things", "List things."), (
        "flasgger does not read the operation of a view from `specs_dict` any more"
    )
    assert document["info"]["description"] == openapi.introduction(), (
        "flasgger does not take `info` from Swagger.template any more"
    )
    page = client.get("/apidocs/")
    assert "'nonce-" in page.headers["Content-Security-Policy"], (
        f"flasgger's page is not the endpoint {openapi.APIDOCS_ENDPOINT!r} any more"
    )
    assert openapi.DOCUMENT in page.text, "flasgger's template has no `specs` any more"
