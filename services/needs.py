"""What a workflow needs of the host, and whether this host has it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
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
        beside = str(Path(sys.executable).parent)
        path = os.pathsep.join([beside, os.environ.get("PATH", "")])
        programs = [
            Need(name=name, kind="program", met=shutil.which(name, path=path) is not None)
            for name in self.executables
        ]
        packages = [
            Need(name=name, kind="Python package", met=_importable(name)) for name in self.modules
        ]
        return programs + packages


def _importable(name: str) -> bool:
    return importlib.util.find_spec(name.partition(".")[0]) is not None
