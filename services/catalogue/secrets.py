"""Environment variables that an operator sets for one workflow, such as the key of a license.

They are in `<data>/secrets/<workflow>.json`, which only the account of Rundesk can read. Only runs
and plans of that workflow have them; no page, answer, log or crate shows their values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from services.errors import Invalid, Message
from services.host.atomic import write_atomically

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
RESERVED = re.compile(r"RUNDESK_|MONGODB_|SNAKEMAKE_|LD_|PYTHON|PATH$|HOME$", re.IGNORECASE)
MAX_VALUE_CHARACTERS = 32_768
INVALID_VARIABLE = Message(
    "wrong_format",
    "“{name}” is not a valid name for an environment variable.",
    hint="A name has letters, digits and underscores, and does not start with a digit.",
)
RESERVED_VARIABLE = Message("not_allowed", "The variable {name} is set by this server.")
INVALID_VALUE = Message(
    "invalid", "The value of {name} has no text, or more than {limit:,} characters."
)


def variables(data: Path, workflow: str) -> dict[str, str]:
    """Return the variables of a workflow with their values; {} without any."""
    try:
        given = json.loads(_path(data, workflow).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(name): str(value) for name, value in given.items()}


def set_variable(data: Path, workflow: str, name: str, value: str | None) -> None:
    """Set a variable of a workflow, or remove it with None. Raises Invalid."""
    if not VARIABLE.fullmatch(name):
        raise Invalid(INVALID_VARIABLE(name=name), field="variable")
    if RESERVED.match(name):
        raise Invalid(RESERVED_VARIABLE(name=name), field="variable")
    if (value is not None and not 0 < len(value) <= MAX_VALUE_CHARACTERS) or "\0" in (value or ""):
        raise Invalid(INVALID_VALUE(name=name, limit=MAX_VALUE_CHARACTERS), field="value")
    known = {key: kept for key, kept in variables(data, workflow).items() if key != name}
    _write(_path(data, workflow), known if value is None else known | {name: value})


def forget(data: Path, workflow: str) -> None:
    """Remove all variables of a workflow."""
    _path(data, workflow).unlink(missing_ok=True)


def _path(data: Path, workflow: str) -> Path:
    return data / "secrets" / f"{workflow}.json"


def _write(path: Path, given: Mapping[str, str]) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with write_atomically(path) as file:
        file.write(json.dumps(dict(given)))
    path.chmod(0o600)
