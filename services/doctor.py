"""Check that this host and this installation have what Rundesk needs (`rundesk doctor`)."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from services.access.actors import local_actor
from services.bootstrap import Services
from services.catalogue.deployment import missing_methods
from services.database import suitability
from services.database.embedded.binary import find
from services.database.embedded.keeper import folder_of
from services.engine.confinement import check_wall, missing_parts
from services.errors import Message, Misconfigured, RundeskError, Text
from services.host import wall
from services.models import Workflow

GIB = 1024**3
MIN_FREE_GIB = 2
PACKAGES = ("rundesk", "snakemake", "streamlit", "flask", "pymongo")

VERSIONS = Message("ok", "Python {python} with {packages}.")
FREE_SPACE = Message("ok", "{folder} is writable and has {free} GiB of free space.")
LITTLE_SPACE = Message(
    "disk_full", "{folder} has only {free} GiB of free space; at least {minimum} GiB are needed."
)
NOT_WRITABLE = Message("misconfigured", "{folder} cannot be used: {reason}.")
EXTERNAL_DATABASE = Message("ok", "The database at MONGODB_URI is available: MongoDB {version}.")
EMBEDDED_DATABASE = Message("ok", "The embedded MongoDB {version} is at {path}.")
HOST_SOFTWARE = Message("ok", "Workflows use the software that is installed on this host.")
MANAGED_SOFTWARE = Message("ok", "Snakemake installs the software of workflows with {methods}.")
METHOD_MISSING = Message(
    "unmet_requirement", "RUNDESK_SOFTWARE names {methods}, which this host does not have."
)
PACKAGE_MISSING = Message("unmet_requirement", "The package {package} is not installed.")
CHECK_FAILED = Message("system_error", "The check failed: {reason}.")
WALL_COMPLETE = Message("ok", "Runs are kept apart by restrictions of: {parts}.")
WALL_AS_ROOT = Message(
    "ok",
    "Runs are kept apart by restrictions of: {parts}. Rundesk runs as root, which an account of its"
    " own would make safer.",
)
WALL_INCOMPLETE = Message(
    "misconfigured", "Runs are not kept apart: this kernel does not restrict {parts}."
)
WALL_OFF = Message("misconfigured", "Runs are not kept apart, because RUNDESK_WALL is off.")
WORKFLOW_READY = Message("ok", "{title} is ready to run.")
WORKFLOW_PROBLEMS = Message("invalid_workflow", "{problems}")


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    subject: str
    good: bool
    text: Text

    @property
    def words(self) -> str:
        return str(self.text)


def examine(services: Services) -> list[Finding]:
    """Run every check; a failed check does not stop the others."""
    checks: dict[str, Callable[[Services], Text]] = {
        "Versions": _versions,
        "Data folder": _data,
        "Database": _database,
        "Software": _software,
        "Wall": _wall,
    }
    findings = [_finding(subject, check, services) for subject, check in checks.items()]
    return [*findings, *(_workflow(flow) for flow in services.workflows.list(local_actor()))]


def _finding(subject: str, check: Callable[[Services], Text], services: Services) -> Finding:
    try:
        return Finding(subject, True, check(services))
    except RundeskError as error:
        return Finding(subject, False, error.text)
    except OSError as error:
        return Finding(subject, False, CHECK_FAILED(reason=error))


def _versions(_: Services) -> Text:
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            raise Misconfigured(PACKAGE_MISSING(package=package)) from None
    return VERSIONS(python=platform.python_version(), packages=", ".join(versions))


def _data(services: Services) -> Text:
    folder = services.settings.data
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free / GIB
    except OSError as error:
        raise Misconfigured(NOT_WRITABLE(folder=folder, reason=error.strerror)) from error
    if free < MIN_FREE_GIB:
        raise Misconfigured(LITTLE_SPACE(folder=folder, free=round(free, 1), minimum=MIN_FREE_GIB))
    return FREE_SPACE(folder=folder, free=round(free))


def _database(services: Services) -> Text:
    if services.settings.mongodb_uri:
        version = suitability.check(services.settings.uri, services.settings.database)
        return EXTERNAL_DATABASE(version=version)
    binary = find(services.settings.mongod, folder_of(services.settings) / "lib")
    return EMBEDDED_DATABASE(version=binary.version, path=binary.path)


def _software(services: Services) -> Text:
    methods = services.settings.software
    if missing := missing_methods(methods):
        raise Misconfigured(METHOD_MISSING(methods=", ".join(missing)))
    return MANAGED_SOFTWARE(methods=", ".join(methods)) if methods else HOST_SOFTWARE()


def _wall(services: Services) -> Text:
    settings, found = services.settings, wall.support()
    if settings.wall == "off":
        raise Misconfigured(WALL_OFF())
    check_wall(settings)
    if missing := missing_parts(found):
        raise Misconfigured(WALL_INCOMPLETE(parts=missing))
    parts = ["files", "signals", "the network" if found.network else "TCP"]
    parts += ["mounts"] if found.mounts else []
    text = WALL_AS_ROOT if os.geteuid() == 0 else WALL_COMPLETE
    return text(parts=", ".join(parts))


def _workflow(workflow: Workflow) -> Finding:
    subject, title = f"Workflow {workflow.name}", f"{workflow.title} {workflow.version}".strip()
    problems = " ".join(workflow.problems)
    text = WORKFLOW_PROBLEMS(problems=problems) if problems else WORKFLOW_READY(title=title)
    return Finding(subject, workflow.available, text)
