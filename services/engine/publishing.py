"""Publishes the results of a run by writing the manifest that everything else reads.

Whatever a run leaves behind, publishing ends within its limits, and soon after a request to stop.
Files that cannot be published are left out, and the history says why.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.errors import Message
from services.files.registry import kind_of
from services.host.atomic import draft_of, write_atomically
from services.host.copying import clone_or_link
from services.models import Highlight, Publishing, Result
from services.rundir import RunDir

TIMESTAMP = ".snakemake_timestamp"  # Snakemake marks outputs of directory() with it
MAX_FILES = 1_000_000
MAX_EXAMPLE_CHARACTERS = 200  # of the path of a file that is left out
READ_BYTES = 1024 * 1024


OUTSIDE = Message(
    "not_allowed",
    "{count} files are not among the results because they are links out of the run, such as"
    " {example}.",
    one="The file {example} is not among the results because it is a link out of the run.",
)
BROKEN_LINK = Message(
    "not_found",
    "{count} files are not among the results because they are links that lead to no file, such as"
    " {example}.",
    one="The file {example} is not among the results because it is a link that leads to no file.",
)
LOOP = Message(
    "not_allowed",
    "{count} files are not among the results because they are links in a loop, such as {example}.",
    one="The file {example} is not among the results because it is a link in a loop.",
)
SPECIAL = Message(
    "not_allowed",
    "{count} files are not among the results because they are not regular files, such as"
    " {example}.",
    one="The file {example} is not among the results because it is not a regular file.",
)
TOO_LARGE = Message(
    "limit_reached",
    "{count} files are not among the results because all results would exceed"
    " RUNDESK_MAX_OUTPUT, such as {example}.",
    one="The file {example} is not among the results because all results would exceed"
    " RUNDESK_MAX_OUTPUT.",
)
TOO_MANY = Message(
    "limit_reached",
    "{count} files are not among the results because the run has too many results, such as"
    " {example}.",
    one="The file {example} is not among the results because the run has too many results.",
)
TOO_LATE = Message(
    "limit_reached",
    "{count} files are not among the results because listing the results took too long, such as"
    " {example}.",
    one="The file {example} is not among the results because listing the results took too long.",
)


class PublishingStopped(Exception):
    """Publishing was asked to stop."""


@dataclass
class Limits:
    """What publishing may take, and how it is stopped."""

    max_bytes: int
    is_stopped: Callable[[], bool] = lambda: False
    is_late: Callable[[], bool] = lambda: False

    def check(self) -> None:
        """Raise PublishingStopped when publishing was asked to stop."""
        if self.is_stopped():
            raise PublishingStopped


UNLIMITED = Limits(max_bytes=2**63)


@dataclass
class Omitted:
    """The files that are left out: for each reason their number and the first of them."""

    reasons: dict[Message, tuple[int, str]] = field(default_factory=dict)

    def add(self, path: str, reason: Message) -> None:
        count, example = self.reasons.get(reason, (0, path))
        self.reasons[reason] = count + 1, example

    def note(self) -> str:
        """Return a sentence for each reason; empty when nothing is left out."""
        return " ".join(
            str(reason(count=count, example=_shown(path)))
            for reason, (count, path) in self.reasons.items()
        )


def _shown(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()[:MAX_EXAMPLE_CHARACTERS]


def publish(
    rundir: RunDir,
    outputs: Sequence[str],
    highlights: Sequence[Highlight],
    *,
    limits: Limits = UNLIMITED,
    targets: Sequence[str] = (),
    cache: Path | None = None,
    progress: Publishing | None = None,
) -> str:
    """Write the manifest of a run atomically; return which files are left out.

    Results are the files below `results/` and the targets wherever they are; for a workflow that
    has none below `results/`, the outputs of its jobs that still exist. `outputs` and `targets` are
    relative to the run directory. Results that are links into the shared `cache` become files.
    Memory grows with the number of paths only. Raises OSError and PublishingStopped.
    """
    if cache is not None:
        below = [path for path in outputs if path.startswith(f"{rundir.results.name}/")]
        _keep_shared(rundir, [*targets, *(below or outputs)], cache)
    omitted, progress = Omitted(), progress or Publishing()
    find = _Finder(rundir.root, limits, omitted)
    files = dict(find.below(rundir.results)) or dict(find.existing(outputs))
    files |= find.existing([path for path in targets if path not in files])
    ranks = {highlight.path: rank for rank, highlight in enumerate(highlights)}
    paths = sorted(files, key=lambda path: (_rank(path, ranks), path))
    paths = _within_limits(paths, files, limits, omitted)
    progress.total_files, progress.total_bytes = len(paths), sum(files[path] for path in paths)
    rundir.manifest.parent.mkdir(parents=True, exist_ok=True)
    excluded = {"rule", "job", "link"}  # the jobs say that, and a link is made for each reply
    with write_atomically(rundir.manifest, durable=True) as file:
        file.write("[")
        separator = "\n"
        for path in paths:
            if limits.is_late():
                omitted.add(path, TOO_LATE)
                continue
            result = _result(rundir.root, path, highlights, limits, progress)
            file.write(f"{separator}{json.dumps(result.model_dump(exclude=excluded))}")
            separator = ",\n"
            progress.files += 1
        file.write("\n]\n")
    return omitted.note()


def targets_of(rundir: RunDir) -> list[str]:
    """Return what the attempts of a run were asked for, in order."""
    targets: dict[str, None] = {}
    for path in sorted(rundir.internal.glob("attempt-*/targets.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):  # cut short by a full disk
                targets |= dict.fromkeys(map(str, json.loads(line)))
    return list(targets)


def _keep_shared(rundir: RunDir, paths: Iterable[str], cache: Path) -> None:
    """Replace links into the shared cache, whose entries may be removed, by what they lead to."""
    home, shared = (Path(os.path.realpath(path)) for path in (rundir.root, cache))
    for path in dict.fromkeys(paths):
        link = rundir.root / path
        parent = Path(os.path.realpath(link.parent))
        if not (link.is_symlink() and parent.is_relative_to(home)):
            continue
        real = Path(os.path.realpath(link))  # which raises nothing for a loop
        if real.is_relative_to(shared) and real != shared and real.exists():
            with draft_of(link) as draft:
                if real.is_dir():
                    shutil.copytree(real, draft, copy_function=_second_name)
                else:
                    _second_name(real, draft)
                link.unlink()


def _second_name(source: str | Path, target: str | Path) -> None:
    with Path(source).open("rb") as file:
        if not clone_or_link(file.fileno(), Path(target)):
            shutil.copyfile(source, target)


def _within_limits(
    paths: Sequence[str], sizes: dict[str, int], limits: Limits, omitted: Omitted
) -> list[str]:
    """Return the first paths that the limits of number and size allow."""
    chosen: list[str] = []
    total = 0
    for path in paths:
        if len(chosen) >= MAX_FILES:
            omitted.add(path, TOO_MANY)
        elif total + sizes[path] > limits.max_bytes:
            omitted.add(path, TOO_LARGE)
        else:
            total += sizes[path]
            chosen.append(path)
    return chosen


def _rank(path: str, ranks: dict[str, int]) -> int:
    matching = (rank for glob, rank in ranks.items() if fnmatch.fnmatchcase(path, glob))
    return min(matching, default=len(ranks))


def _result(
    root: Path,
    path: str,
    highlights: Sequence[Highlight],
    limits: Limits,
    progress: Publishing,
) -> Result:
    title = next((h.title or path for h in highlights if fnmatch.fnmatchcase(path, h.path)), "")
    size, sha256 = _read(root / path, limits, progress)
    return Result(path=path, size=size, sha256=sha256, kind=kind_of(path), title=title)


def _read(path: Path, limits: Limits, progress: Publishing) -> tuple[int, str]:
    """Return the size and the checksum of a file."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
            size += len(block)
            progress.bytes += len(block)
            limits.check()
    return size, digest.hexdigest()


class _Finder:
    """Finds the regular files of a run directory, links inside of it followed."""

    def __init__(self, root: Path, limits: Limits, omitted: Omitted) -> None:
        self._root = root
        self._home = Path(os.path.realpath(root))
        self._limits = limits
        self._omitted = omitted

    def below(self, folder: Path) -> Iterator[tuple[str, int]]:
        """Yield the paths below a folder, relative to the run directory, and their sizes."""
        if not Path(os.path.realpath(folder)).is_relative_to(self._home):
            return
        for parent, folders, names in os.walk(folder):
            folders.sort()
            for name in sorted(set(names) - {TIMESTAMP}):
                self._limits.check()
                path = Path(parent, name).relative_to(self._root).as_posix()
                if (size := self._size(path)) is not None:
                    yield path, size

    def existing(self, paths: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Yield those of `paths` that are files of the run, and the files below its folders."""
        for path in paths:
            self._limits.check()
            place = self._root / path
            if not os.path.lexists(place) or place == self._root:
                continue
            if not Path(os.path.realpath(place)).is_relative_to(self._home):
                continue
            normal = Path(os.path.normpath(path)).as_posix()
            if place.is_dir():
                yield from self.below(self._root / normal)
            elif (size := self._size(normal)) is not None:
                yield normal, size

    def _size(self, path: str) -> int | None:
        """Return the size of a file, or None when it is left out."""
        reason = SPECIAL
        try:
            real = Path(os.path.realpath(self._root / path))
            found = real.stat()
            if not real.is_relative_to(self._home):
                reason = OUTSIDE
            elif stat.S_ISREG(found.st_mode):
                return found.st_size
        except OSError as error:
            if not (self._root / path).is_symlink():
                raise
            reason = LOOP if error.errno == errno.ELOOP else BROKEN_LINK
        self._omitted.add(path, reason)
        return None
