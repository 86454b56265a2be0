"""What a workflow needs of the host, and whether this host has it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from services.models import Need


class Needs(BaseModel):
    """What a workflow expects of the host."""

    model_config = ConfigDict(extra="forbid")

    executables: list[str] = []
    modules: list[str] = []

    def looked_up(self) -> list[Need]:
        """Each with whether this host has it now."""
        programs = [Need(name=name, kind="program", met=program(name)) for name in self.executables]
        packages = [
            Need(name=name, kind="Python package", met=importable(name)) for name in self.modules
        ]
        return programs + packages


def told(needs: Iterable[Need]) -> list[str]:
    """Those that this host lacks, in words."""
    return [
        f"The {need.kind} {need.name} is not installed on this host."
        for need in needs
        if not need.met
    ]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Version of each Python package that is installed under that name."""
    found = {}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def program(name: str) -> bool:
    """Whether this host has a program, beside Python or on the path."""
    beside = str(Path(sys.executable).parent)
    path = os.pathsep.join([beside, os.environ.get("PATH", "")])
    return shutil.which(name, path=path) is not None


def importable(name: str) -> bool:
    return importlib.util.find_spec(name.partition(".")[0]) is not None
