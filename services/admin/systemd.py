"""The units with which systemd runs Rundesk, and the file with its settings."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from services.errors import Message, Misconfigured
from services.settings import HERE

UNIT = """\
[Unit]
Description=Rundesk {name}
Wants=network-online.target
After=network-online.target{after}
RequiresMountsFor={data}
PartOf=rundesk.target

[Service]
User={user}
WorkingDirectory={folder}
EnvironmentFile={environment}
ExecStart={command}
Restart=always
RestartSec=2
KillMode={kill_mode}
UMask=0077

[Install]
WantedBy=rundesk.target
"""
TARGET = """\
[Unit]
Description=Rundesk
Wants={units}

[Install]
WantedBy=multi-user.target
"""
DATABASE, RUNNER = "db", "runner"
SETTING_PREFIXES = ("RUNDESK_", "MONGODB_URI", "MONGOD")

NOT_WRITTEN = Message(
    "misconfigured",
    "{path} cannot be written: {reason}.",
    hint="Run the command as root, or name another folder with --folder.",
)
LINE_BREAK = Message(
    "misconfigured", "{name} has a line break, which a file of settings cannot hold."
)


def settings_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of Rundesk in an environment."""
    return {
        name: value for name, value in sorted(environ.items()) if name.startswith(SETTING_PREFIXES)
    }


def install(
    folder: Path, environment: Path, user: str, data: Path, settings: Mapping[str, str]
) -> list[Path]:
    """Write the file of settings and the units; return their paths. Raises Misconfigured.

    The file of settings is readable by its owner only, because it holds passwords. systemd reads
    it as root, and expands neither % nor $ in it.
    """
    texts = {folder / name: text for name, text in units(environment, user, data).items()}
    _write(environment, "".join(map(_assignment, settings.items())), mode=0o600)
    for path, text in texts.items():
        _write(path, text, mode=0o644)
    return [environment, *texts]


def units(environment: Path, user: str, data: Path) -> dict[str, str]:
    """Return the units by file name: one for each line of the Procfile, and a target."""
    found = {}
    for line in (HERE / "Procfile").read_text(encoding="utf-8").splitlines():
        name, _, command = line.partition(": ")
        found[f"rundesk-{name}.service"] = UNIT.format(
            name=name,
            after="" if name == DATABASE else f" rundesk-{DATABASE}.service",
            data=_escaped(str(data)),
            user=user,
            folder=_escaped(str(HERE)),
            environment=_escaped(str(environment)),
            command=_command(command),
            kill_mode="process" if name == RUNNER else "mixed",  # runs outlive the runner
        )
    found["rundesk.target"] = TARGET.format(units=" ".join(found))
    return found


def _command(line: str) -> str:
    """Return a command of the Procfile with absolute paths of this environment."""
    _, program, *arguments = shlex.split(line)  # the first word is exec
    path = sys.executable if program == "python" else Path(sys.executable).parent / program
    return " ".join(_escaped(word) for word in (str(path), *arguments))


def _escaped(text: str) -> str:
    """Return text for a unit, where % begins a specifier."""
    return text.replace("%", "%%")


def _assignment(item: tuple[str, str]) -> str:
    name, value = item
    if "\n" in value or "\r" in value:
        raise Misconfigured(LINE_BREAK(name=name))
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'{name}="{quoted}"\n'


def _write(path: Path, text: str, *, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(file, "w", encoding="utf-8") as opened:
            os.fchmod(opened.fileno(), mode)
            opened.write(text)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise Misconfigured(NOT_WRITTEN(path=path, reason=reason)) from error
