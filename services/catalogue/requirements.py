"""The programs and Python packages that a workflow needs, and whether they are installed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Container, Iterable
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from services.errors import Message, Text
from services.models import Need

VARIABLE = "environment variable"  # a kind of requirement
NOT_SET = Message(
    "unmet_requirement",
    "The workflow needs the environment variable {name}, which is not set for it.",
    hint="An operator sets it with: rundesk workflows secret WORKFLOW {name}",
)
NOT_INSTALLED = Message("unmet_requirement", "The {kind} {name} is not installed on this server.")


class Needs(BaseModel):
    """The requirements of a workflow, as in its manifest."""

    model_config = ConfigDict(extra="forbid")

    executables: list[str] = []
    modules: list[str] = []
    network: bool = False
    variables: list[str] = []

    def looked_up(self, variables: Container[str] = ()) -> list[Need]:
        """Return each requirement with whether it is met now.

        `variables` are the environment variables that are set for the workflow.
        """
        programs = [Need(name=name, kind="program", met=program(name)) for name in self.executables]
        packages = [
            Need(name=name, kind="Python package", met=importable(name)) for name in self.modules
        ]
        names = [Need(name=name, kind=VARIABLE, met=name in variables) for name in self.variables]
        return programs + packages + names


def missing_messages(needs: Iterable[Need]) -> list[Text]:
    """Return a text for each requirement that is not installed."""
    return [
        NOT_SET(name=need.name)
        if need.kind == VARIABLE
        else NOT_INSTALLED(kind=need.kind, name=need.name)
        for need in needs
        if not need.met
    ]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those of these Python packages that are installed, by name."""
    installed = {}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[name] = metadata.version(name)
    return installed


def program(name: str) -> bool:
    """Whether a program is installed, next to Python or on the PATH."""
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join([own, os.environ.get("PATH", "")])
    return shutil.which(name, path=path) is not None


def importable(name: str) -> bool:
    """Whether a Python module is installed."""
    return importlib.util.find_spec(name.partition(".")[0]) is not None
