"""What a run may do on this host: its wall, its environment and its limits.

A run reads its inputs, its workflow and the programs of the host, and writes its run directory.
[Operators](docs/guide/operators.md) lists what is kept apart and what is not.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from services.catalogue.configuration import Broken
from services.catalogue.deployment import declared_methods
from services.catalogue.layout import manifest_of
from services.errors import Message, Misconfigured
from services.host import wall
from services.host.wall import Support, Wall
from services.rundir import RunDir
from services.settings import ENV_FILE, HERE, MIB, Settings

PACKAGES = ("services", "snakemake_logger_plugin_rundesk")  # that jobs import
CACHE = "SNAKEMAKE_OUTPUT_CACHE"  # the environment variable that Snakemake reads
CACHE_DIRECTIVE = re.compile(r"^[ \t]*cache[ \t]*:", re.MULTILINE)
#: Where programs keep what belongs to the account of the server.
ACCOUNT_VARIABLES = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")

RUN_BY_ROOT = Message(
    "misconfigured",
    "Rundesk runs as root with sign-in: start it under an account of its own, or set"
    " RUNDESK_WALL=available.",
    hint="docs/guide/operators.md describes what keeps runs apart.",
)
INCOMPLETE_WALL = Message(
    "misconfigured",
    "This host cannot keep the runs of users apart, because its kernel does not restrict: {parts}."
    " To start nevertheless, set RUNDESK_WALL=available.",
    hint="docs/guide/operators.md names the version of Linux that each part needs.",
)


def check_wall(settings: Settings) -> None:
    """Raise Misconfigured where several users would share runs without a complete wall."""
    if not settings.sign_in or settings.wall != "required":
        return
    if os.geteuid() == 0:
        raise Misconfigured(RUN_BY_ROOT())
    if not (found := wall.support()).complete:
        raise Misconfigured(INCOMPLETE_WALL(parts=missing_parts(found)))


def missing_parts(found: Support) -> str:
    """Return what runs of other users, and the network, are not kept apart from; "" for nothing."""
    parts = {
        "files": found.files,
        "the network": found.network or found.tcp,
        "signals to other processes": found.signals,
    }
    return ", ".join(name for name, stands in parts.items() if not stands)


def methods_of(settings: Settings, workflow: Path) -> list[str]:
    """Return the methods that install the software of a workflow: declared by it and allowed."""
    used = settings.software and declared_methods(workflow)
    return [method for method in settings.software if method in (used or ())]


@functools.lru_cache(maxsize=8)
def shares_outputs(workflow: Path) -> bool:
    """Return whether rules of a workflow share their outputs with other runs (`cache: True`)."""
    return any(
        CACHE_DIRECTIVE.search(path.read_text(encoding="utf-8", errors="replace"))
        for path in workflow.rglob("*")
        if path.name.endswith((".smk", "Snakefile")) and path.is_file()
    )


def wall_of(
    settings: Settings, rundir: RunDir, workflow: Path, contents: Iterable[Path] = ()
) -> Wall:
    """Return the wall of a run; `contents` are the stored files that it reads."""
    methods = methods_of(settings, workflow)
    software = [settings.data / "software" / method for method in methods]
    shared = [settings.cache] if shares_outputs(workflow) else []
    return Wall(
        reads=[
            *programs(settings),
            workflow,
            *contents,
            *shared,
            *settings.run_reads,
            *settings.readable,
        ],
        writes=[rundir.root, *software, *settings.run_writes],
        scratch=rundir.scratch,
        network=bool(methods) or _may_use_network(settings, workflow),
        mounts="apptainer" in methods,
    )


def enter(settings: Settings, own: Wall, rundir: RunDir) -> None:
    """Confine this process to a run: its folders, its environment, its limits, then the wall.

    Call it in a process with one thread. Raises OSError.
    """
    move_in(settings, rundir)
    limit(settings)
    if settings.wall != "off":
        wall.confine(own)


def move_in(settings: Settings, rundir: RunDir) -> None:
    """Make the folders of a run for HOME and TMPDIR, and set the environment. Raises OSError."""
    rundir.root.mkdir(parents=True, exist_ok=True)
    leave_nothing(rundir)
    for folder in (rundir.home, rundir.scratch):
        folder.mkdir()
    _link_packages(rundir)
    _set_environment(settings, rundir)


def leave_nothing(rundir: RunDir) -> None:
    """Delete HOME and TMPDIR of a run. No process of it is alive any more."""
    for folder in (rundir.home, rundir.scratch):
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder, ignore_errors=True)


def limit(settings: Settings) -> None:
    """Set the limits of this process and of each that it starts."""
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, settings.run_memory * MIB),
        (resource.RLIMIT_NPROC, settings.run_processes),
        (resource.RLIMIT_FSIZE, settings.run_file_size * MIB),
    ):
        if value or kind == resource.RLIMIT_CORE:
            _, most = resource.getrlimit(kind)
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(kind, (value, value))


def programs(settings: Settings) -> Sequence[Path]:
    """Return the folders of the programs of this host, without anything that Rundesk stores."""
    return _programs(settings.data, settings.inbox_folder, settings.import_headers)


@functools.lru_cache(maxsize=8)
def _programs(data: Path, inbox: Path | None, headers: str) -> Sequence[Path]:
    hidden = [data.resolve(), ENV_FILE]
    hidden += [inbox] if inbox else []
    hidden += [Path(headers).expanduser().resolve()] if headers else []
    found = [*map(Path, wall.SYSTEM), *_python(), *_on_path(), *(HERE / name for name in PACKAGES)]
    return [path for folder in dict.fromkeys(found) for path in wall.without(folder, hidden)]


def _python() -> Iterator[Path]:
    """Yield the folders of Python and its packages."""
    yield from map(Path, (sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix))
    yield Path(sys.executable).resolve().parent.parent


def _on_path() -> Iterator[Path]:
    """Yield the folders of the PATH, and for those of conda the environments that they are of."""
    for name in os.environ.get("PATH", "").split(os.pathsep):
        folder = Path(name)
        if folder.is_absolute() and folder.is_dir():
            environment = folder.resolve().parent
            yield folder
            if (environment / "conda-meta").is_dir():
                yield environment


def _may_use_network(settings: Settings, workflow: Path) -> bool:
    with contextlib.suppress(Broken):
        return settings.run_network == "declared" and manifest_of(workflow).needs.network
    return False


def _link_packages(rundir: RunDir) -> None:
    """Link the packages of Rundesk that jobs import: its folder itself cannot be listed in a run.

    It may contain the data folder, and a right to list it would include that.
    """
    folder = _packages(rundir)
    folder.mkdir()
    for name in PACKAGES:
        (folder / name).symlink_to(HERE / name)


def _packages(rundir: RunDir) -> Path:
    return rundir.home / ".rundesk"


def _set_environment(settings: Settings, rundir: RunDir) -> None:
    for name in ACCOUNT_VARIABLES:
        os.environ.pop(name, None)
    os.environ |= {
        "HOME": str(rundir.home),
        "TMPDIR": str(rundir.scratch),
        "PYTHONPATH": str(_packages(rundir)),
        "CONDA_PKGS_DIRS": str(settings.data / "software" / "conda" / "pkgs"),
        CACHE: str(rundir.cache),
    }
    tempfile.tempdir = None  # the one that was found before
