"""What an operator asks first: does this host have what the desk needs?"""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from services.access.actors import local_actor
from services.bootstrap import Services
from services.catalogue.deployment import missing_methods
from services.database.embedded.binary import find
from services.database.embedded.keeper import folder_of
from services.errors import RundeskError
from services.models import Workflow

GIB = 1024**3
LEAST_FREE = 2 * GIB


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    subject: str
    good: bool
    words: str


def examine(services: Services) -> list[Finding]:
    """Look at everything; one thing amiss does not hide the next."""
    checks: dict[str, Callable[[Services], str]] = {
        "Versions": _versions,
        "Data folder": _data,
        "Database": _database,
        "Software": _software,
    }
    found = [_finding(subject, check, services) for subject, check in checks.items()]
    return [*found, *(_workflow(flow) for flow in services.workflows.list(local_actor()))]


def _finding(subject: str, check: Callable[[Services], str], services: Services) -> Finding:
    try:
        return Finding(subject, True, check(services))
    except (RundeskError, OSError, ImportError) as error:
        return Finding(subject, False, str(error))


def _versions(_: Services) -> str:
    names = ("rundesk", "snakemake", "streamlit", "flask", "pymongo")
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return f"Python {platform.python_version()}, {packages}"


def _data(services: Services) -> str:
    folder = services.settings.data
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        raise OSError(f"{folder} has {free / GIB:.1f} GiB free, less than {LEAST_FREE / GIB:.0f}")
    return f"{folder}, {free / GIB:.0f} GiB free"


def _database(services: Services) -> str:
    if services.settings.mongodb_uri:
        services.database.ping()
        return "answers at MONGODB_URI"
    binary = find(services.settings.mongod, folder_of(services.settings) / "lib")
    return f"embedded MongoDB {binary.version}, {binary.path}"


def _software(services: Services) -> str:
    """Raises OSError when what the setting names is not there."""
    methods = services.settings.software
    if missing := missing_methods(methods):
        raise OSError(f"RUNDESK_SOFTWARE names {', '.join(missing)}, which is not installed")
    return f"installed by Snakemake with {', '.join(methods)}" if methods else "that of this host"


def _workflow(workflow: Workflow) -> Finding:
    words = f"{workflow.title} {workflow.version}".strip()
    subject = f"Workflow {workflow.name}"
    return Finding(subject, workflow.available, "; ".join(workflow.problems) or words)
